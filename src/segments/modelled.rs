//! Segments by themselves, for this crate's own models: their pointers are loom's here.

#![allow(missing_docs)]

use super::{FirstLen, Segments};
use crate::blanks::Blank;
use crate::sync::{AtomicPtr, AtomicU32, Ordering};

/// Counters, of which loom sees who comes to one without being ordered after its making.
#[derive(Debug)]
pub struct Counters(Segments<Counter, AtomicPtr<Counter>>);

#[derive(Debug)]
struct Counter(AtomicU32);

// SAFETY: an atomic of 0.
unsafe impl Blank for Counter {
    fn blank() -> Self {
        Self(AtomicU32::new(0))
    }
}

impl Default for Counters {
    fn default() -> Self {
        Self(Segments::with_first(FirstLen::LEAST))
    }
}

impl Counters {
    /// Counts one more, where a segment is made first if need be.
    pub fn count(&self, index: u32) {
        // Relaxed, here and below: a figure.
        self.0.get_or_make(index).0.fetch_add(1, Ordering::Relaxed);
    }

    /// `None`: nobody has made it, as far as can be told.
    #[must_use]
    pub fn counted(&self, index: u32) -> Option<u32> {
        self.0.get(index).map(|counter| counter.0.load(Ordering::Relaxed))
    }

    /// The same by one who looks first, and then knows.
    #[must_use]
    pub fn counted_in_two_steps(&self, index: u32) -> Option<u32> {
        let (segment, is_made, _) = self.0.segment_at(index);
        // SAFETY: it is made, as `segment_at` says, and stays until `vacate`, whose caller is alone.
        is_made.then(|| unsafe { self.0.get_in(segment, index) }.0.load(Ordering::Relaxed))
    }

    /// Of all that are made.
    #[must_use]
    pub fn sum(&self) -> u32 {
        self.0.made().map(|counter| counter.0.load(Ordering::Relaxed)).sum()
    }

    /// Gives all segments back.
    ///
    /// # Safety
    ///
    /// Nobody else uses them.
    pub unsafe fn vacate(&self) {
        // SAFETY: the caller's promise.
        unsafe { self.0.vacate(0..super::MAX_ITEMS) };
    }
}
