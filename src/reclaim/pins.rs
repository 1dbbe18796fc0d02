//! Who holds a pin, and since when: the clock of the reclaimer.
//!
//! The clock counts batches. A pin is published as the time at which it was taken, in a record of its
//! thread that nobody else writes; a batch is stamped, after all in it was unlinked, with the time that
//! its stamp ends. So a pin of a later time than the stamp was taken after the unlinking and cannot
//! reach what is in the batch, and the *horizon*, the earliest time of any pin, separates what is ripe
//! from what is not. Every pin has a record of its own, nested ones too: when the outer of two guards
//! goes, what only it kept is ripe (G).
//!
//! This is the scheme of K. Fraser, "Practical lock-freedom", UCAM-CL-TR-579, 2004, with a clock that
//! never waits for readers, as the grace periods of user-level RCU (see `barrier`). The crux is a pin
//! that the reclaimer does not see: its reads then come after everything that was unlinked before the
//! reclaimer looked, whatever time the pin says.

use core::ptr;

use crossbeam_utils::CachePadded;

use super::barrier::Barrier;
use crate::blanks::Blank;
use crate::segments::Segments;
use crate::sync::{AtomicPtr, AtomicU32, AtomicU64, Ordering};

/// Pins that a thread may hold of one registry before it takes an allocation.
#[cfg(not(loom))]
const TOGETHER: usize = 6;
#[cfg(loom)]
const TOGETHER: usize = 2;

/// Batches that a pin has to hold up to be watched: writers look whether it has ended.
const FAR: u64 = 16;

/// No pin.
const NEVER: u64 = 0;

/// See the module.
#[derive(Debug)]
pub(super) struct Pins {
    clock: CachePadded<Clock>,
    /// By thread number.
    records: Segments<Records>,
}

/// What every pin reads, and only the close of a batch and a move of the horizon write.
#[derive(Debug)]
struct Clock {
    now: AtomicU64,
    /// Everything stamped earlier is ripe.
    horizon: AtomicU64,
    /// The record that held the horizon up when it was moved last, if that was far behind.
    blocker: AtomicPtr<AtomicU64>,
    /// What that record said.
    blocked: AtomicU64,
    /// One more than the largest thread number that pinned.
    numbers: AtomicU32,
    barrier: Barrier,
}

/// When each pin of one thread number was taken; [`NEVER`] for none. On a line of its own, which only
/// the reclaimer looks at besides.
#[derive(Debug)]
#[repr(align(64))]
struct Records {
    since: [AtomicU64; TOGETHER],
    /// How many of them were ever in use besides the first.
    depth: AtomicU32,
    /// More of them, should the thread nest so many pins. Freed with the registry.
    more: AtomicPtr<Records>,
}

// SAFETY: atomics of 0 and null.
unsafe impl Blank for Records {
    fn blank() -> Self {
        Self {
            since: core::array::from_fn(|_| AtomicU64::new(NEVER)),
            depth: AtomicU32::new(0),
            more: AtomicPtr::new(ptr::null_mut()),
        }
    }
}

/// The record of a pin that is held.
#[derive(Debug)]
pub(super) struct Held<'r> {
    since: &'r AtomicU64,
    clock: &'r Clock,
}

impl Pins {
    pub(super) fn new() -> Self {
        Self::with_barrier(Barrier::new())
    }

    pub(super) fn with_barrier(barrier: Barrier) -> Self {
        let records = Segments::new();
        // The first threads' at once: the pointers to segments are not modelled, so a model must not
        // see one made while it runs.
        records.get_or_make(0);
        let clock = Clock {
            now: AtomicU64::new(NEVER + 1),
            horizon: AtomicU64::new(NEVER + 1),
            blocker: AtomicPtr::new(ptr::null_mut()),
            blocked: AtomicU64::new(NEVER),
            numbers: AtomicU32::new(0),
            barrier,
        };
        Self { clock: CachePadded::new(clock), records }
    }

    /// Takes a pin for the thread that has `number`.
    #[inline(always)]
    pub(super) fn pin(&self, number: u32) -> Held<'_> {
        let clock = &*self.clock;
        // Acquire: pairs with the Release in `admit`.
        if number >= clock.numbers.load(Ordering::Acquire) {
            self.admit(number);
        }
        // SAFETY: `admit` makes all records below `numbers`, and nothing truncates them.
        let records = unsafe { self.records.get_made(number) };
        let held = Held { since: records.vacant(), clock };
        held.publish();
        held
    }

    /// Has the reclaimer look at the records of `number` from now on.
    #[cold]
    fn admit(&self, number: u32) {
        self.records.reserve(number + 1);
        // Release: publishes the records to the Acquire in `pin`, as do those before it of the same release
        // sequence. Nothing more is needed for the reclaimer's eyes: the pin that follows has a barrier, see
        // `advance`.
        self.clock.numbers.fetch_max(number + 1, Ordering::Release);
    }

    /// The stamp of a batch, all of which was unlinked before.
    pub(super) fn stamp(&self) -> u64 {
        // Release: pairs with the Acquire in `publish`: a pin of a later time is taken after what the
        // batch holds was unlinked. So is one that follows on a later stamp, which is of the same release
        // sequence.
        self.clock.now.fetch_add(1, Ordering::Release)
    }

    pub(super) fn now(&self) -> u64 {
        // Relaxed: a measure.
        self.clock.now.load(Ordering::Relaxed)
    }

    /// Everything stamped earlier is ripe: no guard can reach it.
    pub(super) fn horizon(&self) -> u64 {
        // Acquire: pairs with the Release in `advance`: who disposes comes after the pins that ended.
        self.clock.horizon.load(Ordering::Acquire)
    }

    /// Moves the horizon up to the earliest pin, at the price of a barrier across all threads.
    pub(super) fn advance(&self) {
        let clock = &*self.clock;
        // Acquire: pairs with the Release in `stamp`: what is stamped earlier was unlinked before.
        let now = clock.now.load(Ordering::Acquire);
        // A pin whose record does not show below began to read after this, and so after the unlinking
        // of all that was stamped before `now`. The partner is in `publish`.
        if !clock.barrier.heavy() {
            return;
        }
        // Acquire: pairs with the Release in `admit`. A number that does not show has a pin that does
        // not, see above.
        let numbers = clock.numbers.load(Ordering::Acquire);
        let records = (0..numbers).filter_map(|number| self.records.get(number));
        let earliest = records.filter_map(Records::earliest).min_by_key(|pin| pin.1);
        let (blocker, earliest) = earliest.unwrap_or((ptr::null(), now));
        let is_far = now.saturating_sub(earliest) >= FAR;
        let blocker = if is_far { blocker.cast_mut() } else { ptr::null_mut() };
        // Relaxed, twice: a hint. Taken together wrongly, it costs an `advance`, or delays one.
        clock.blocked.store(earliest, Ordering::Relaxed);
        clock.blocker.store(blocker, Ordering::Relaxed);
        // Release: for `horizon`, with what an earlier `advance` saw, which is of the same release sequence.
        clock.horizon.fetch_max(earliest.min(now), Ordering::Release);
    }

    /// Whether a pin that kept much from being ripe has ended: the caller, alone, is to move the horizon.
    #[inline]
    pub(super) fn take_unblocked(&self) -> bool {
        // Relaxed, here and below: a hint.
        let blocker = self.clock.blocker.load(Ordering::Relaxed);
        // SAFETY: a record, which stays for as long as the registry.
        let Some(since) = (unsafe { blocker.as_ref() }) else {
            return false;
        };
        let (blocker_of, none) = (&self.clock.blocker, ptr::null_mut());
        // Relaxed, all of them: as above.
        since.load(Ordering::Relaxed) != self.clock.blocked.load(Ordering::Relaxed)
            && blocker_of
                .compare_exchange(blocker, none, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok()
    }

    pub(super) fn bytes(&self) -> usize {
        self.records.bytes()
    }
}

impl Records {
    /// A record without a pin. Only the thread that has the number calls this.
    #[inline(always)]
    fn vacant(&self) -> &AtomicU64 {
        let first = &self.since[0];
        // Acquire, here and below: a pin that a thread-local holds may end after its thread has given the
        // number back, on the way to whoever has it now. Partner: the Release that ends it.
        if first.load(Ordering::Acquire) == NEVER { first } else { self.vacant_beyond() }
    }

    #[inline(never)]
    fn vacant_beyond(&self) -> &AtomicU64 {
        for (at, since) in self.since.iter().enumerate().skip(1) {
            if since.load(Ordering::Acquire) == NEVER {
                // Relaxed: for the reclaimer's eyes the same as the record itself.
                if self.depth.load(Ordering::Relaxed) < at as u32 {
                    self.depth.store(at as u32, Ordering::Relaxed);
                }
                return since;
            }
        }
        // Relaxed: only this thread's number sets it.
        let mut more = self.more.load(Ordering::Relaxed);
        if more.is_null() {
            more = Box::into_raw(Box::new(Self::blank()));
            // Release: pairs with the Acquire in `earliest`.
            self.more.store(more, Ordering::Release);
        }
        // SAFETY: set above or earlier, to what `drop` alone frees.
        unsafe { &*more }.vacant()
    }

    /// The earliest pin of this thread number, and its record.
    fn earliest(&self) -> Option<(*const AtomicU64, u64)> {
        // Relaxed: a record that does not show has a pin that does not, see `advance`.
        let depth = self.depth.load(Ordering::Relaxed) as usize;
        // Acquire: pairs with the Release that ended a pin: what it read comes before the disposal.
        let since = self.since[..=depth].iter();
        let since = since.map(|since| (ptr::from_ref(since), since.load(Ordering::Acquire)));
        let here = since.filter(|&(_, since)| since != NEVER).min_by_key(|pin| pin.1);
        if depth < TOGETHER - 1 {
            return here;
        }
        // Acquire: pairs with the Release in `vacant_beyond`.
        // SAFETY: as there.
        let more = unsafe { self.more.load(Ordering::Acquire).as_ref() };
        here.into_iter().chain(more.and_then(Self::earliest)).min_by_key(|pin| pin.1)
    }
}

impl Drop for Pins {
    fn drop(&mut self) {
        // Relaxed: `&mut self`.
        for number in 0..self.clock.numbers.load(Ordering::Relaxed) {
            let Some(records) = self.records.get(number) else {
                continue;
            };
            let mut more = records.more.swap(ptr::null_mut(), Ordering::Relaxed);
            while !more.is_null() {
                // SAFETY: from `Box::into_raw` in `vacant_beyond`, and out of its place.
                let records = unsafe { Box::from_raw(more) };
                more = records.more.load(Ordering::Relaxed);
            }
        }
    }
}

impl Held<'_> {
    /// Says that this thread reads, from now on.
    #[inline(always)]
    fn publish(&self) {
        // Acquire: pairs with the Release in `stamp`. Release: what was read under this record before, by
        // this pin or the one that had it last, comes before the disposal of what that kept (Acquire in
        // `earliest`): a reclaimer that sees this store need not see the one that ended that pin.
        self.since.store(self.clock.now.load(Ordering::Acquire), Ordering::Release);
        // Between the record and the reads. The partner is in `advance`.
        self.clock.barrier.light();
    }

    /// Ends the pin and takes it anew.
    pub(super) fn renew(&self) {
        self.publish();
    }
}

impl Drop for Held<'_> {
    #[inline(always)]
    fn drop(&mut self) {
        // Release: what was read under the pin comes before the disposal of what it kept (Acquire in
        // `earliest`).
        self.since.store(NEVER, Ordering::Release);
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    fn horizon(pins: &Pins) -> u64 {
        pins.advance();
        pins.horizon()
    }

    #[test]
    fn the_earliest_pin_is_the_horizon() {
        let pins = Pins::new();
        let early = pins.pin(0);
        let stamp = pins.stamp();
        let late = pins.pin(9);
        assert!(horizon(&pins) <= stamp);
        drop(early);
        assert!(horizon(&pins) > stamp);
        assert!(pins.stamp() >= horizon(&pins), "the late one may reach it");
        drop(late);
        assert_eq!(horizon(&pins), pins.now());
    }

    /// One number has the records of all before it made. Some are the first of their segments.
    #[test]
    fn every_number_has_a_record() {
        let pins = Pins::new();
        let held = [192, 64, 5].map(|number| (pins.pin(number), pins.stamp()));
        let (first, stamp) = held.into_iter().reduce(|(_, stamp), next| (next.0, stamp)).unwrap();
        assert!(horizon(&pins) > stamp);
        drop(first);
        assert_eq!(horizon(&pins), pins.now());
    }

    #[test]
    fn nested_pins_have_times_of_their_own() {
        let pins = Pins::new();
        let mut held = Vec::new();
        let mut stamps = Vec::new();
        for _ in 0..3 * TOGETHER {
            held.push(pins.pin(0));
            stamps.push(pins.stamp());
        }
        // The outer ones first: each lets one stamp more go.
        for stamp in stamps {
            assert!(horizon(&pins) <= stamp);
            held.remove(0);
            assert!(horizon(&pins) > stamp);
        }
    }

    #[test]
    fn a_renewed_pin_is_as_a_new_one() {
        let pins = Pins::new();
        let held = pins.pin(0);
        let stamp = pins.stamp();
        held.renew();
        assert!(horizon(&pins) > stamp);
        assert!(pins.stamp() >= horizon(&pins));
        drop(held);
    }
}
