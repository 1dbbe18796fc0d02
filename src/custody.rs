//! Who may still use the registry's memory: the registry, and every retired client or stream that a
//! caller holds (`Removed`, `Detached`), which may outlive it.
//!
//! A reference count, but not on one line that every disconnect of every thread would fight for: each
//! thread number counts what was handed out under it, and only when the registry has gone are the
//! numbers that still have something out counted themselves.

use crossbeam_utils::CachePadded;

use crate::blanks::Blank;
use crate::segments::Segments;
use crate::sync::{AtomicUsize, Ordering};

/// Set on a count when the registry goes: the next one to reach zero is final.
const GONE: usize = 1 << (usize::BITS - 1);

#[derive(Debug)]
pub(crate) struct Custody {
    /// By thread number: what was handed out under it and is not back.
    out: Segments<CachePadded<AtomicUsize>>,
    /// From the registry's end on: the registry itself and the numbers with something out.
    remaining: AtomicUsize,
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
        Self { out, remaining: AtomicUsize::new(0) }
    }

    /// Something is handed out under `number`. The registry is there, and does not go meanwhile.
    pub(crate) fn hand_out(&self, number: u32) {
        // Relaxed: the registry's end is ordered after every call on it, by its caller.
        self.out.get_or_make(number).fetch_add(1, Ordering::Relaxed);
    }

    /// It came back. `true`: the registry has gone, and this was the last: the memory is the caller's.
    #[must_use]
    pub(crate) fn take_back(&self, number: u32) -> bool {
        // Release: what the caller did to the memory comes before. Acquire: if it is the last, it
        // comes after what all others did, by way of `remaining`.
        let before = self.out.get_or_make(number).fetch_sub(1, Ordering::AcqRel);
        before == GONE | 1 && self.remaining.fetch_sub(1, Ordering::AcqRel) == 1
    }

    /// The registry goes. `true`: nothing is out, the memory is the caller's.
    #[must_use]
    pub(crate) fn leave(&self) -> bool {
        // Every number that ever handed something out has its count in one of these.
        let numbers = self.out.made().count();
        // Relaxed: published by the marks below, without which nobody looks at it.
        self.remaining.store(numbers + 1, Ordering::Relaxed);
        // The registry's own share last: until then the memory stays.
        let mut done = 1;
        for out in self.out.made() {
            // AcqRel: Release for `remaining`, Acquire for what came back before.
            done += usize::from(out.fetch_or(GONE, Ordering::AcqRel) == 0);
        }
        self.remaining.fetch_sub(done, Ordering::AcqRel) == done
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
