//! Places: how many clients there may be, counted exactly (E).
//!
//! Live clients, connects on their way and removals not yet finished hold a place each. With a limit
//! there is one counter, as only one word can be compared with a limit; without one the count is
//! striped by thread, and nobody shares a line.

use crossbeam_utils::CachePadded;

use crate::sync::{AtomicUsize, Ordering};

#[derive(Debug)]
pub(crate) struct Places {
    limit: Option<usize>,
    /// One stripe with a limit. A stripe may go below zero and wrap: only the sum means something.
    taken: Box<[CachePadded<AtomicUsize>]>,
}

impl Places {
    pub(crate) fn new(limit: Option<usize>, stripes: usize) -> Self {
        let stripes = match limit {
            Some(_) => 1,
            None => stripes.next_power_of_two(),
        };
        Self {
            limit,
            taken: (0..stripes)
                .map(|_| CachePadded::new(AtomicUsize::new(0)))
                .collect(),
        }
    }

    fn stripe(&self, thread: u32) -> &AtomicUsize {
        &self.taken[thread as usize & (self.taken.len() - 1)]
    }

    /// Takes a place if one is free. Linearization point of a refusal for want of one: the last read
    /// of the counter.
    pub(crate) fn take(&self, thread: u32) -> bool {
        let taken = self.stripe(thread);
        let Some(limit) = self.limit else {
            // Relaxed: a count; nothing is published by it.
            taken.fetch_add(1, Ordering::Relaxed);
            return true;
        };
        // AcqRel: a place that was released by one thread and is taken by another orders what the
        // first did to its client before what the second does; Acquire alone where none is taken.
        let mut seen = taken.load(Ordering::Acquire);
        while seen < limit {
            match taken.compare_exchange(seen, seen + 1, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => return true,
                Err(now) => seen = now,
            }
        }
        false
    }

    /// Gives a place back.
    pub(crate) fn release(&self, thread: u32) {
        // Release: see `take`.
        self.stripe(thread).fetch_sub(1, Ordering::Release);
    }

    /// Places that are taken; exact when no call is under way.
    pub(crate) fn taken(&self) -> usize {
        // Acquire: calls that happen before are counted.
        let stripes = self.taken.iter().map(|taken| taken.load(Ordering::Acquire));
        let sum = stripes.fold(0, usize::wrapping_add);
        // Stripes are read one after the other, and a client may have moved on from one to another.
        if sum > isize::MAX as usize { 0 } else { sum }
    }

    pub(crate) fn limit(&self) -> Option<usize> {
        self.limit
    }
}
