//! Giving back the memory of slots that nobody is in.
//!
//! Slots never move, so what a peak took around its survivors cannot be cut off: long runs of free
//! slots are *vacated* instead, their records given back to the allocator or to the system, and kept
//! as ranges to be handed out again before any slot that was never used.

use core::iter;
use core::ops::Range;
use core::ptr;

use super::Slots;
use crate::segments::MAX_ITEMS;
use crate::state::Word;
use crate::sync::{AtomicPtr, AtomicU32, AtomicUsize, Ordering};

/// Free slots in a row from which on they are vacated.
const RUN: u32 = 64;

/// The vacated slots below the largest one in use.
#[derive(Debug)]
pub(super) struct Vacant {
    runs: AtomicPtr<Vec<Run>>,
    /// The runs before this one are used up.
    first: AtomicUsize,
}

/// What is left of one range.
#[derive(Debug)]
struct Run {
    next: AtomicU32,
    end: u32,
}

impl Vacant {
    pub(super) fn new() -> Self {
        Self { runs: AtomicPtr::new(ptr::null_mut()), first: AtomicUsize::new(0) }
    }

    fn runs(&self) -> &[Run] {
        // Relaxed: set while nobody else is here.
        // SAFETY: a list is freed when another is set, and then nobody reads it.
        unsafe { self.runs.load(Ordering::Relaxed).as_ref() }.map_or(&[], |runs| runs)
    }

    /// A vacated slot, whose records are yet to be made.
    pub(super) fn take(&self) -> Option<u32> {
        // Relaxed, here and below: a run that is used up stays so, until there is another list.
        let first = self.first.load(Ordering::Relaxed);
        for (at, run) in self.runs().iter().enumerate().skip(first) {
            // Relaxed, here and on failure: only compared; what was in the slot before went when the
            // list was made.
            let mut next = run.next.load(Ordering::Relaxed);
            while next < run.end {
                match run.next.compare_exchange(
                    next,
                    next + 1,
                    Ordering::Relaxed,
                    Ordering::Relaxed,
                ) {
                    Ok(_) => return Some(next),
                    Err(now) => next = now,
                }
            }
            // Relaxed: as `first` above.
            self.first.fetch_max(at + 1, Ordering::Relaxed);
        }
        None
    }

    /// The ranges that are left.
    pub(super) fn ranges(&self) -> impl Iterator<Item = Range<u32>> {
        // Relaxed: a figure, or nobody takes any.
        self.runs().iter().map(|run| run.next.load(Ordering::Relaxed)..run.end)
    }

    /// # Safety
    ///
    /// Nobody reads the list that there was.
    unsafe fn set(&self, ranges: Vec<Range<u32>>) {
        let runs = ranges.into_iter();
        let runs = runs.map(|range| Run { next: AtomicU32::new(range.start), end: range.end });
        let new = Box::into_raw(Box::new(runs.collect()));
        // Relaxed, twice: the caller's promise; who may read it next is ordered after the caller.
        let old = self.runs.swap(new, Ordering::Relaxed);
        self.first.store(0, Ordering::Relaxed);
        if !old.is_null() {
            // SAFETY: from `Box::into_raw` above, and the caller's promise.
            drop(unsafe { Box::from_raw(old) });
        }
    }
}

impl Drop for Vacant {
    fn drop(&mut self) {
        // Relaxed: `&mut self`.
        let runs = self.runs.swap(ptr::null_mut(), Ordering::Relaxed);
        if !runs.is_null() {
            // SAFETY: from `Box::into_raw` in `set`, and `&mut self`.
            drop(unsafe { Box::from_raw(runs) });
        }
    }
}

impl<Id, Node, Info, Stream> Slots<Id, Node, Info, Stream> {
    /// Gives back what free slots hold. Their next generations come after all that there were (B).
    ///
    /// # Safety
    ///
    /// Nobody connects, looks up or iterates meanwhile. Slots may be reclaimed: they stay.
    pub(crate) unsafe fn shrink(&self) {
        let handed_out = self.len();
        let (mut runs, mut end) = (self.take_all_free(), handed_out);
        if let Some(last) = runs.pop_if(|last| last.end == end) {
            end = last.start;
        }
        // Relaxed: nobody hands slots out, and those that follow have no one in them.
        self.next.store(end, Ordering::Relaxed);
        self.vacated_to.store(MAX_ITEMS, Ordering::Relaxed);
        let (long, short): (Vec<_>, Vec<_>) =
            runs.into_iter().partition(|run| run.end - run.start >= RUN);
        for (at, slot) in short.into_iter().flatten().enumerate() {
            self.free[at & (self.free.len() - 1)].push(slot, &self.cold(slot).link);
        }
        for run in long.iter().cloned().chain(iter::once(end..MAX_ITEMS)) {
            self.pass_generations(run.start..run.end.min(handed_out));
            // SAFETY: the slots are free, and taken out of all that hands them out until
            // `allocate` makes them again.
            unsafe { self.vacate(run) };
        }
        // SAFETY: the caller's promise: nobody allocates.
        unsafe { self.vacant.set(long) };
    }

    /// Takes every free slot, those that are vacant among them, as ranges in order.
    fn take_all_free(&self) -> Vec<Range<u32>> {
        let mut runs: Vec<Range<u32>> = self.vacant.ranges().collect();
        for stack in &self.free {
            while let Some(slot) = stack.pop(|slot| &self.cold(slot).link) {
                runs.push(slot..slot + 1);
            }
        }
        runs.sort_unstable_by_key(|run| run.start);
        let mut joined: Vec<Range<u32>> = Vec::new();
        for run in runs.into_iter().filter(|run| !run.is_empty()) {
            match joined.last_mut() {
                Some(last) if last.end == run.start => last.end = run.end,
                _ => joined.push(run),
            }
        }
        joined
    }

    /// # Safety
    ///
    /// As for `Segments::vacate`.
    unsafe fn vacate(&self, slots: Range<u32>) {
        // SAFETY: the caller's promise.
        unsafe {
            self.words.vacate(slots.clone());
            self.hot.vacate(slots.clone());
            self.warm.vacate(slots.clone());
            self.cold.vacate(slots);
        }
    }

    /// Has every later generation come after those of these free slots.
    fn pass_generations(&self, slots: Range<u32>) {
        // One without a word was vacated before, and its generations passed then.
        let words = slots.filter_map(|slot| self.words.get(slot));
        // Relaxed, here and below: nobody changes the word of a free slot, or allocates.
        let words = words.map(|word| Word::from_raw(word.load(Ordering::Relaxed)));
        let last = words.map(Word::generation).max().unwrap_or(0);
        self.floor.store(self.floor.load(Ordering::Relaxed).max(last), Ordering::Relaxed);
    }

    /// Bytes of the records that were vacated.
    pub(super) fn bytes_vacated(&self) -> usize {
        // Relaxed: a figure.
        let beyond = self.len()..self.vacated_to.load(Ordering::Relaxed);
        let ranges = self.vacant.ranges().chain(iter::once(beyond));
        let bytes = ranges.map(|slots| {
            self.words.bytes_vacated(slots.clone())
                + self.hot.bytes_vacated(slots.clone())
                + self.warm.bytes_vacated(slots.clone())
                + self.cold.bytes_vacated(slots)
        });
        bytes.sum()
    }
}
