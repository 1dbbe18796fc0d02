//! Places: how many clients there may be, counted exactly (E), and whether there may be any more.
//!
//! Live clients, connects on their way and removals not yet finished hold a place each. With a limit
//! there is one counter, as only one word can be compared with a limit; without one the count is
//! striped by thread, and nobody shares a line.
//!
//! The end of the registry is marked on the counters: a connect that asked for a place before the mark
//! happens before it, so that whoever set the mark finds its slot; one that comes after is refused.

use crossbeam_utils::CachePadded;

use crate::sync::{AtomicU64, Ordering};

/// Set on every counter by `close`.
const CLOSED: u64 = 1 << 63;

#[derive(Debug)]
pub(crate) struct Places {
    limit: Option<usize>,
    /// One stripe with a limit. A stripe may go below zero and wrap below the mark: only the sum means
    /// something.
    taken: Box<[CachePadded<AtomicU64>]>,
}

/// What came of asking for a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ask {
    Taken,
    Full,
    Closed,
}

impl Places {
    pub(crate) fn new(limit: Option<usize>, stripes: usize) -> Self {
        let stripes = match limit {
            Some(_) => 1,
            None => stripes.next_power_of_two(),
        };
        Self { limit, taken: (0..stripes).map(|_| CachePadded::new(AtomicU64::new(0))).collect() }
    }

    fn stripe(&self, thread: u32) -> &AtomicU64 {
        &self.taken[thread as usize & (self.taken.len() - 1)]
    }

    /// Takes a place if one is free. Linearization point of a refusal: the last exchange, or read, of the counter (E).
    pub(crate) fn take(&self, thread: u32) -> Ask {
        let taken = self.stripe(thread);
        let limit = self.limit.map_or(u64::MAX, |limit| limit as u64);
        // Relaxed, here and on failure: only compared, and nothing else is read because of the mark.
        let mut seen = taken.load(Ordering::Relaxed);
        loop {
            if seen & CLOSED != 0 {
                return Ask::Closed;
            }
            let is_full = self.limit.is_some() && seen >= limit;
            // Exchanged for itself if it is full: who finds no place may inherit one, and so has to be found, or refused,
            // by whoever sets the mark, as much as who takes one.
            let next = if is_full { seen } else { (seen + 1) & !CLOSED };
            // Release: the record that was filled before is visible to whoever sets the mark later (Acquire in
            // `close`). Acquire: the end of the client that had the place (Release in `release`) comes before
            // what its next owner does, so that whoever finds this one live finds that one gone (E).
            match taken.compare_exchange(seen, next, Ordering::AcqRel, Ordering::Relaxed) {
                Ok(_) => return if is_full { Ask::Full } else { Ask::Taken },
                Err(now) => seen = now,
            }
        }
    }

    /// Takes a place, free or not, for a client that is there already.
    pub(crate) fn take_one_more(&self, thread: u32) {
        self.count(thread, 1);
    }

    /// Gives a place back.
    pub(crate) fn release(&self, thread: u32) {
        // One less.
        self.count(thread, u64::MAX);
    }

    fn count(&self, thread: u32, more: u64) {
        let taken = self.stripe(thread);
        // Relaxed, here and on failure: only compared.
        let mut seen = taken.load(Ordering::Relaxed);
        loop {
            let next = (seen & CLOSED) | (seen.wrapping_add(more) & !CLOSED);
            // Release: pairs with the Acquire in `take`, for a place that is released.
            match taken.compare_exchange(seen, next, Ordering::Release, Ordering::Relaxed) {
                Ok(_) => return,
                Err(now) => seen = now,
            }
        }
    }

    /// No place is given out from now on.
    pub(crate) fn close(&self) {
        for taken in &self.taken {
            // Acquire: for the records of those who asked for a place before. Those who are refused need nothing of
            // this thread's.
            taken.fetch_or(CLOSED, Ordering::Acquire);
        }
    }

    pub(crate) fn is_closed(&self) -> bool {
        // Nothing else is read because of it, and who has seen it once does so again. Acquire all the same: it is the
        // first that a connect reads, and models of connects are a fifth smaller for it.
        self.taken[0].load(Ordering::Acquire) & CLOSED != 0
    }

    /// Places that are taken; exact when no call is under way.
    pub(crate) fn taken(&self) -> usize {
        // Relaxed: only a number. Calls that happen before are counted whatever the order.
        let stripes = self.taken.iter().map(|taken| taken.load(Ordering::Relaxed));
        let sum = stripes.fold(0, u64::wrapping_add) & !CLOSED;
        // Stripes are read one after the other, and a client may have moved on from one to another.
        if sum >= CLOSED / 2 { 0 } else { sum as usize }
    }

    pub(crate) fn bytes(&self) -> usize {
        size_of_val(&*self.taken)
    }

    pub(crate) fn limit(&self) -> Option<usize> {
        self.limit
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stripes_sum_up() {
        let places = Places::new(None, 2);
        assert_eq!(places.take(0), Ask::Taken);
        assert_eq!(places.take(0), Ask::Taken);
        places.release(1);
        assert_eq!(places.taken(), 1);
        places.close();
        assert_eq!((places.taken(), places.take(1)), (1, Ask::Closed));
        places.release(1);
        assert_eq!(places.taken(), 0);
        assert!(places.is_closed());
    }

    #[test]
    fn a_limit_is_exact() {
        let places = Places::new(Some(1), 8);
        assert_eq!((places.take(0), places.take(5)), (Ask::Taken, Ask::Full));
        places.release(3);
        assert_eq!(places.take(7), Ask::Taken);
        places.take_one_more(7);
        places.release(7);
        assert_eq!((places.taken(), places.take(7)), (1, Ask::Full));
    }
}
