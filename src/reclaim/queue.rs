//! Batches of garbage in the order in which they were closed
//! (M. M. Michael, M. L. Scott, "Simple, Fast, and Practical Non-Blocking and Blocking Concurrent Queue
//! Algorithms", PODC 1996, with their counted pointers).
//!
//! Batches are nodes in a slab of the queue's own and go round: the front one is a dummy whose garbage
//! was taken, and comes back to the idle ones when the next is taken. The counts in `head` and `tail`
//! make an exchange that slept fail, and say how many batches came and went. (They wrap after 2^32
//! batches of 64 retired values each: who slept so long would have to wake at exactly that one.)

use crossbeam_utils::CachePadded;

use super::pile::{Garbage, Place};
use crate::blanks::Blank;
use crate::segments::Segments;
use crate::stack::IndexStack;
use crate::sync::{AtomicU32, AtomicU64, Ordering};

/// See the module.
#[derive(Debug)]
pub(super) struct Queue {
    head: CachePadded<AtomicU64>,
    tail: CachePadded<AtomicU64>,
    batches: Segments<Batch>,
    /// Batches ever made.
    made: AtomicU32,
    idle: IndexStack,
}

#[derive(Debug)]
struct Batch {
    /// Of the stack of idle batches.
    link: AtomicU32,
    next: AtomicU64,
    stamp: AtomicU64,
    garbage: Place,
}

// SAFETY: atomics of 0.
unsafe impl Blank for Batch {
    fn blank() -> Self {
        Self {
            link: AtomicU32::new(0),
            next: AtomicU64::new(0),
            stamp: AtomicU64::new(0),
            garbage: Place::new(),
        }
    }
}

/// An index, or none, and a count that changes with every change.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Counted(u64);

impl Counted {
    const fn new(index: Option<u32>, count: u32) -> Self {
        let index = match index {
            Some(index) => index + 1,
            None => 0,
        };
        Self((count as u64) << 32 | index as u64)
    }

    const fn index(self) -> Option<u32> {
        (self.0 as u32).checked_sub(1)
    }

    const fn count(self) -> u32 {
        (self.0 >> 32) as u32
    }

    const fn next(self, index: Option<u32>) -> Self {
        Self::new(index, self.count().wrapping_add(1))
    }
}

/// How many batches had come at some moment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mark(u32);

impl Queue {
    pub(super) fn new() -> Self {
        let batches: Segments<Batch> = Segments::new();
        batches.get_or_make(0);
        let dummy = Counted::new(Some(0), 0).0;
        Self {
            head: CachePadded::new(AtomicU64::new(dummy)),
            tail: CachePadded::new(AtomicU64::new(dummy)),
            batches,
            made: AtomicU32::new(1),
            idle: IndexStack::new(),
        }
    }

    fn batch(&self, index: u32) -> &Batch {
        self.batches.get(index).expect("a batch that was made")
    }

    /// Adds a batch at the end.
    pub(super) fn push(&self, garbage: Garbage, stamp: u64) {
        let idle = self.idle.pop(|index| &self.batch(index).link);
        // Relaxed: only uniqueness matters.
        let index = idle.unwrap_or_else(|| self.made.fetch_add(1, Ordering::Relaxed));
        let batch = self.batches.get_or_make(index);
        // Release, as in `Place::put`: whoever looks at a batch that has gone round finds out.
        batch.stamp.store(stamp, Ordering::Release);
        batch.garbage.put(garbage);
        // Relaxed: ours, and the count goes on, so that a push that slept on the last round fails.
        // Release: that push is ordered behind the end of the last round, should it read this.
        let last = Counted(batch.next.load(Ordering::Relaxed));
        batch.next.store(last.next(None).0, Ordering::Release);
        loop {
            // Acquire here and below: the batch that it leads to was made ready before.
            let tail = Counted(self.tail.load(Ordering::Acquire));
            let at = tail.index().expect("the queue has a dummy");
            let next = Counted(self.batch(at).next.load(Ordering::Acquire));
            // Relaxed: only compared, after the load before it, which is an Acquire.
            if Counted(self.tail.load(Ordering::Relaxed)) != tail {
                continue;
            }
            if let Some(next) = next.index() {
                self.follow(tail, next);
                continue;
            }
            // Release: publishes the batch to whoever reads `next`. Relaxed on failure: read again.
            let linked = self.batch(at).next.compare_exchange(
                next.0,
                next.next(Some(index)).0,
                Ordering::Release,
                Ordering::Relaxed,
            );
            if linked.is_ok() {
                return self.follow(tail, index);
            }
        }
    }

    /// Moves the tail on to a batch that is linked behind it, unless another has.
    fn follow(&self, tail: Counted, next: u32) {
        // Release: who comes to the batch by the tail finds it ready as well. Relaxed on failure: not
        // used.
        let next = tail.next(Some(next)).0;
        let _ = self.tail.compare_exchange(tail.0, next, Ordering::Release, Ordering::Relaxed);
    }

    /// Takes the first batch if its stamp is below `horizon`.
    pub(super) fn pop(&self, horizon: u64) -> Option<Garbage> {
        loop {
            // Acquire, here and below: as in `push`.
            let head = Counted(self.head.load(Ordering::Acquire));
            let tail = Counted(self.tail.load(Ordering::Acquire));
            let at = head.index().expect("the queue has a dummy");
            let next = Counted(self.batch(at).next.load(Ordering::Acquire));
            // Relaxed: as in `push`.
            if Counted(self.head.load(Ordering::Relaxed)) != head {
                continue;
            }
            let first = next.index()?;
            if at == tail.index().expect("the queue has a dummy") {
                self.follow(tail, first);
                continue;
            }
            // Acquire: see `Place::look`. Read before the exchange: from then on the batch may go round. If it has
            // already, the exchange fails.
            let batch = self.batch(first);
            let stamp = batch.stamp.load(Ordering::Acquire);
            let garbage = batch.garbage.look();
            if stamp >= horizon {
                // Relaxed: as above. Another head: the batch may have gone round.
                if Counted(self.head.load(Ordering::Relaxed)) == head {
                    return None;
                }
                continue;
            }
            // Release: the reads above come before the batch goes round. The Release of the one before was met by the
            // load of the same head. Relaxed on failure: read again.
            let taken = self.head.compare_exchange(
                head.0,
                head.next(Some(first)).0,
                Ordering::Release,
                Ordering::Relaxed,
            );
            if taken.is_ok() {
                self.idle.push(at, &self.batch(at).link);
                return Some(garbage);
            }
        }
    }

    /// All that was pushed by calls that had returned.
    pub(super) fn mark(&self) -> Mark {
        // Relaxed: only a number, and those calls had met as late a tail, or set it.
        Mark(Counted(self.tail.load(Ordering::Relaxed)).count())
    }

    /// How many batches from before the mark are still there.
    pub(super) fn left(&self, mark: Mark) -> usize {
        // Relaxed: only a number. Counts wrap, but are never 2^31 batches apart.
        let gone = Counted(self.head.load(Ordering::Relaxed)).count();
        (mark.0.wrapping_sub(gone) as i32).max(0) as usize
    }

    pub(super) fn bytes(&self) -> usize {
        self.batches.bytes()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::reclaim::pile::Pile;
    use crate::reclaim::{Panics, Slab};
    use std::sync::atomic::AtomicUsize;
    use std::thread;

    /// Slots that count how often each was reclaimed.
    struct Counts(Vec<(AtomicU32, AtomicUsize)>);

    impl Slab for Counts {
        fn link(&self, slot: u32) -> &AtomicU32 {
            &self.0[slot as usize].0
        }

        unsafe fn reclaim(&self, slot: u32) {
            self.0[slot as usize].1.fetch_add(1, Ordering::Relaxed);
        }
    }

    impl Counts {
        fn new(slots: usize) -> Self {
            Self((0..slots).map(|_| (AtomicU32::new(0), AtomicUsize::new(0))).collect())
        }

        fn garbage(&self, slot: u32) -> Garbage {
            let pile = Pile::new();
            // SAFETY: nothing refers to the slot, and the pile is this thread's.
            unsafe { pile.push_slot(slot, self.link(slot)) };
            pile.take()
        }

        fn dispose(&self, garbage: Garbage) -> usize {
            // SAFETY: nothing refers to the slots.
            unsafe { garbage.dispose(self, &mut Panics::default()) }
        }
    }

    #[test]
    fn first_in_first_out_up_to_the_horizon() {
        let slots = Counts::new(3);
        let queue = Queue::new();
        assert!(queue.pop(u64::MAX).is_none());
        for round in 0..5 {
            for stamp in 0..3 {
                queue.push(slots.garbage(stamp), u64::from(stamp));
            }
            let mark = queue.mark();
            assert_eq!(queue.left(mark), 3);
            assert!(queue.pop(0).is_none());
            assert_eq!(slots.dispose(queue.pop(1).unwrap()), 1);
            assert!(queue.pop(1).is_none());
            assert_eq!(slots.0[0].1.load(Ordering::Relaxed), round + 1);
            assert_eq!(slots.0[1].1.load(Ordering::Relaxed), round);
            while let Some(garbage) = queue.pop(u64::MAX) {
                slots.dispose(garbage);
            }
            assert_eq!(queue.left(mark), 0);
        }
        assert!(queue.made.load(Ordering::Relaxed) <= 4, "batches go round");
    }

    #[test]
    fn threads_lose_nothing_and_take_nothing_twice() {
        const EACH: u32 = 20_000;
        let slots = Counts::new(4 * EACH as usize);
        let queue = Queue::new();
        thread::scope(|scope| {
            for thread in 0..4 {
                let (slots, queue) = (&slots, &queue);
                scope.spawn(move || {
                    for slot in thread * EACH..(thread + 1) * EACH {
                        queue.push(slots.garbage(slot), u64::from(slot));
                        if slot % 3 != 0
                            && let Some(garbage) = queue.pop(u64::MAX)
                        {
                            slots.dispose(garbage);
                        }
                    }
                });
            }
        });
        while let Some(garbage) = queue.pop(u64::MAX) {
            slots.dispose(garbage);
        }
        assert!(slots.0.iter().all(|(_, reclaimed)| reclaimed.load(Ordering::Relaxed) == 1));
    }
}
