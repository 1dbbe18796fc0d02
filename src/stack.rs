//! A lock-free stack of small indices, linked through words that the items themselves hold
//! (R. K. Treiber, "Systems Programming: Coping with Parallelism", IBM RJ 5118, 1986).
//!
//! The head is 32 bits of index and 32 bits that change with every pop, so that a pop that slept
//! while its head was taken and put back fails. The free slots are popped under a pin as well, and put
//! back only after a grace period, so even a wrapped tag is never met there. The idle batches of the
//! reclaimer rely on the tag: a pop would have to sleep for 2^32 others, of 64 retired values each.

#[cfg(loom)]
pub mod modelled;

use crate::sync::{AtomicU32, AtomicU64, Ordering};

#[derive(Debug)]
pub(crate) struct IndexStack {
    head: AtomicU64,
}

const INDEX: u64 = u32::MAX as u64;
const TAG: u64 = 1 << 32;

/// Links and heads hold the index plus one, 0 for the end.
const fn index_of(link: u32) -> Option<u32> {
    link.checked_sub(1)
}

impl IndexStack {
    pub(crate) fn new() -> Self {
        Self { head: AtomicU64::new(0) }
    }

    #[cfg(all(feature = "crossbeam-epoch", any(not(loom), crossbeam_loom)))]
    pub(crate) fn is_empty(&self) -> bool {
        // Relaxed: a hint.
        self.head.load(Ordering::Relaxed) & INDEX == 0
    }

    /// Puts `index` on top; `link` is its link word, the caller's alone until this returns.
    pub(crate) fn push(&self, index: u32, link: &AtomicU32) {
        // Relaxed: the value is only compared, and stored as a link that the Release publishes.
        let mut head = self.head.load(Ordering::Relaxed);
        loop {
            link.store((head & INDEX) as u32, Ordering::Relaxed);
            let next = (head & !INDEX) | u64::from(index + 1);
            // Release: publishes the link and the item to the Acquire in `pop`.
            match self.head.compare_exchange(head, next, Ordering::Release, Ordering::Relaxed) {
                Ok(_) => return,
                Err(seen) => head = seen,
            }
        }
    }

    /// Takes the top index; `link_of` gives the link word of an index.
    pub(crate) fn pop<'a>(&self, link_of: impl Fn(u32) -> &'a AtomicU32) -> Option<u32> {
        // Acquire, on failure too: pairs with the Release in `push`; a pop in between is a
        // read-modify-write and keeps the release sequence.
        let mut head = self.head.load(Ordering::Acquire);
        loop {
            let index = index_of((head & INDEX) as u32)?;
            // Relaxed: ordered by the Acquire that read this head. The link of an index that was
            // taken meanwhile may be anything; the tag then fails the exchange.
            let below = link_of(index).load(Ordering::Relaxed);
            let next = (head & !INDEX).wrapping_add(TAG) | u64::from(below);
            // Relaxed: it is the head that was read with Acquire.
            match self.head.compare_exchange(head, next, Ordering::Relaxed, Ordering::Acquire) {
                Ok(_) => return Some(index),
                Err(seen) => head = seen,
            }
        }
    }
}

/// A stack that is only pushed to and taken whole, so that it needs no tag.
#[derive(Debug)]
pub(crate) struct IndexPile {
    head: AtomicU32,
}

impl IndexPile {
    pub(crate) fn new() -> Self {
        Self { head: AtomicU32::new(0) }
    }

    /// As [`IndexStack::push`].
    pub(crate) fn push(&self, index: u32, link: &AtomicU32) {
        // Relaxed: as in `IndexStack::push`.
        let mut head = self.head.load(Ordering::Relaxed);
        loop {
            link.store(head, Ordering::Relaxed);
            // Release: publishes the link and the item to the Acquire in `take`.
            match self.head.compare_exchange(head, index + 1, Ordering::Release, Ordering::Relaxed)
            {
                Ok(_) => return,
                Err(seen) => head = seen,
            }
        }
    }

    /// Takes all of it.
    pub(crate) fn take(&self) -> Taken {
        // Relaxed: an empty pile has nothing to order.
        if self.head.load(Ordering::Relaxed) == 0 {
            return Taken::default();
        }
        // Acquire: pairs with the Release of every push, each a link of one release sequence.
        Taken(self.head.swap(0, Ordering::Acquire))
    }
}

/// The indices of a pile that was taken, linked, and whoever has this owns them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Taken(u32);

impl Taken {
    pub(crate) const fn to_raw(self) -> u32 {
        self.0
    }

    pub(crate) const fn from_raw(raw: u32) -> Self {
        Self(raw)
    }

    pub(crate) fn first(self) -> Option<u32> {
        index_of(self.0)
    }

    /// Takes the first index off.
    pub(crate) fn next<'a>(&mut self, link_of: impl Fn(u32) -> &'a AtomicU32) -> Option<u32> {
        let index = index_of(self.0)?;
        // Relaxed: whoever took them is ordered after their pushes.
        self.0 = link_of(index).load(Ordering::Relaxed);
        Some(index)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn last_in_first_out() {
        let links: Vec<_> = (0..4).map(|_| AtomicU32::new(9)).collect();
        let stack = IndexStack::new();
        for index in 0..4 {
            stack.push(index, &links[index as usize]);
        }
        let popped: Vec<_> =
            core::iter::from_fn(|| stack.pop(|index| &links[index as usize])).collect();
        assert_eq!(popped, [3, 2, 1, 0]);
    }

    #[test]
    fn a_head_put_back_is_another_head() {
        let links = [AtomicU32::new(0), AtomicU32::new(0)];
        let stack = IndexStack::new();
        stack.push(0, &links[0]);
        let before = stack.head.load(Ordering::Relaxed);
        assert_eq!(stack.pop(|index| &links[index as usize]), Some(0));
        stack.push(0, &links[0]);
        assert_ne!(stack.head.load(Ordering::Relaxed), before);
    }

    #[test]
    fn a_pile_is_taken_whole() {
        let links: Vec<_> = (0..3).map(|_| AtomicU32::new(0)).collect();
        let pile = IndexPile::new();
        assert_eq!(pile.take(), Taken::default());
        for index in 0..3 {
            pile.push(index, &links[index as usize]);
        }
        let mut linked = pile.take();
        let taken: Vec<_> =
            core::iter::from_fn(|| linked.next(|index| &links[index as usize])).collect();
        assert_eq!(taken, [2, 1, 0]);
        assert_eq!(pile.take(), Taken::default());
    }
}
