//! Who may still use the registry's memory: the registry, and every retired client or stream that a
//! caller holds (`Removed`, `Detached`), which may outlive it.
//!
//! A reference count, but not on one line that every disconnect of every thread would fight for: each
//! thread number counts what was handed out under it, and only when the registry has gone are the
//! numbers that still have something out counted themselves.

use crossbeam_utils::CachePadded;

use crate::blanks::Blank;
use crate::segments::Segments;
use crate::sync::{AtomicUsize, Ordering, Witness};

/// Set on a count when the registry goes: the next one to reach zero is final.
const GONE: usize = 1 << (usize::BITS - 1);

#[derive(Debug)]
pub(crate) struct Custody {
    /// By thread number: what was handed out under it and is not back.
    out: Segments<CachePadded<AtomicUsize>>,
    /// From the registry's end on: the registry itself and the numbers with something out.
    remaining: AtomicUsize,
    /// Of the registry's memory.
    witness: Witness,
}

// SAFETY: an atomic of 0.
unsafe impl Blank for CachePadded<AtomicUsize> {
    fn blank() -> Self {
        CachePadded::new(AtomicUsize::new(0))
    }
}

impl Custody {
    pub(crate) fn new() -> Self {
        let out = Segments::new();
        // The first threads' at once: the pointers to segments are not modelled, so a model must not
        // see one made while it runs.
        out.get_or_make(0);
        Self { out, remaining: AtomicUsize::new(0), witness: Witness::new() }
    }

    pub(crate) fn bytes(&self) -> usize {
        self.out.bytes()
    }

    /// Something is handed out under `number`. The registry is there, and does not go meanwhile.
    pub(crate) fn hand_out(&self, number: u32) {
        // Relaxed: the registry's end is ordered after every call on it, by its caller.
        self.out.get_or_make(number).fetch_add(1, Ordering::Relaxed);
    }

    /// It came back. `true`: the registry has gone, and this was the last: the memory is the caller's.
    #[must_use]
    pub(crate) fn take_back(&self, number: u32) -> bool {
        self.witness.read();
        // Release: what the caller did to the memory comes before. Acquire: if it is the last of its number,
        // and of all numbers, it comes after what all others did.
        let before = self.out.get_or_make(number).fetch_sub(1, Ordering::AcqRel);
        let is_last = before == GONE | 1 && self.remaining.fetch_sub(1, Ordering::AcqRel) == 1;
        if is_last {
            self.witness.end();
        }
        is_last
    }

    /// The registry goes. `true`: nothing is out, the memory is the caller's.
    #[must_use]
    pub(crate) fn leave(&self) -> bool {
        // Every number that ever handed something out has its count in one of these.
        let numbers = self.out.made().count();
        // Relaxed: who finds a mark below and counts himself out need not come after this, as the sum is the same.
        self.remaining.fetch_add(numbers + 1, Ordering::Relaxed);
        // The registry's own share last: until then the memory stays.
        let mut done = 1;
        for out in self.out.made() {
            // Acquire: for what came back before.
            done += usize::from(out.fetch_or(GONE, Ordering::Acquire) == 0);
        }
        // AcqRel: as in `take_back`.
        let is_last = self.remaining.fetch_sub(done, Ordering::AcqRel) == done;
        if is_last {
            self.witness.end();
        }
        is_last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_one_gets_the_memory() {
        let custody = Custody::new();
        for number in [0, 3, 3] {
            custody.hand_out(number);
        }
        assert!(!custody.take_back(3));
        assert!(!custody.leave());
        assert!(!custody.take_back(0));
        assert!(custody.take_back(3));
    }

    #[test]
    fn the_registry_is_the_last_one() {
        let custody = Custody::new();
        custody.hand_out(1);
        assert!(!custody.take_back(1));
        assert!(custody.leave());
    }
}
