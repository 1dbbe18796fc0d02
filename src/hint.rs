//! Where the lines of a table are, for lookups, which do not ask a shard.
//!
//! Two words that are right while the table does not grow: what they lead to says whether they were
//! ([`Control::is_of`]). They may be old, then the line has moved, or its level has been left and the line may
//! be blank; or from two moments, then the line is of a later level than its number, and says so.

use core::marker::PhantomData;

use crate::bucket::Line;
use crate::control::Control;
use crate::entry::Tag;
use crate::level::Level;
use crate::reclaim::Pin;
use crate::spot::Spot;
use crate::sync::{AtomicPtr, AtomicU32, Ordering};

#[derive(Debug)]
pub(crate) struct Hint {
    /// The first line of a level.
    lines: AtomicPtr<Line>,
    /// The shift of that level, or for a moment that of an older one, which is larger.
    shift: AtomicU32,
}

/// Where an entry of a hash probably is.
#[derive(Clone, Copy)]
pub(crate) struct Aim<'p> {
    /// The first line of a level, and one that it has. Kept by the pin.
    lines: *const Line,
    spot: Spot,
    tag: Tag,
    /// The line is the right one if this is the shift of its level.
    shift: u32,
    pin: PhantomData<&'p Pin<'p>>,
}

/// Where a scan was, and the control word from before it.
#[derive(Clone, Copy)]
pub(crate) struct Stamp<'p> {
    pub(crate) line: &'p Line,
    pub(crate) control: Control,
}

impl Stamp<'_> {
    /// Whether no takeover and no split of the chain came since the scan began.
    #[inline(always)]
    pub(crate) fn holds(&self) -> bool {
        self.line.control().is_still(self.control)
    }

    /// Whether that scan saw the whole chain, if all it did was `in_places`.
    #[inline(always)]
    pub(crate) fn was_all(&self) -> bool {
        self.line.has_no_block() && self.holds()
    }
}

impl Hint {
    pub(crate) fn at(level: &Level) -> Self {
        Self { lines: AtomicPtr::new(level.start()), shift: AtomicU32::new(level.shift()) }
    }

    /// Where to look first.
    #[inline(always)]
    pub(crate) fn aim<'p>(&'p self, tag: Tag, _pin: &'p Pin<'_>) -> Aim<'p> {
        // Acquire: pairs with the Release in `pass`, so the lines below are of this level or a later
        // one, which has more.
        let shift = self.shift.load(Ordering::Acquire);
        // Acquire: pairs with the Release in `pass`, for what the lines hold.
        let lines = self.lines.load(Ordering::Acquire);
        // The number of the line is below that of the lines of the level with that shift, and there are that
        // many or more, as said. They are those of a level that the pin keeps: it is retired after `pass`.
        Aim { lines, spot: Spot::of(tag, shift), tag, shift, pin: PhantomData }
    }

    /// Goes on from a level that all shards have left.
    pub(crate) fn pass(&self, level: &Level, next: &Level) {
        // Release: hands on what made the lines visible here. Relaxed on failure: it is past `level`,
        // as nothing else takes it from there, and it never returns.
        let _ = self.lines.compare_exchange(
            level.start(),
            next.start(),
            Ordering::Release,
            Ordering::Relaxed,
        );
        // Release: whoever sees this shift sees `lines` at `next` or past it (`aim`).
        self.shift.fetch_min(next.shift(), Ordering::Release);
    }

    /// Makes it the other's, and the other's this one.
    ///
    /// Nobody uses either meanwhile.
    pub(crate) fn swap(&self, other: &Self) {
        // Relaxed, to the end: as said.
        let lines = self.lines.swap(other.lines.load(Ordering::Relaxed), Ordering::Relaxed);
        other.lines.store(lines, Ordering::Relaxed);
        let shift = self.shift.swap(other.shift.load(Ordering::Relaxed), Ordering::Relaxed);
        other.shift.store(shift, Ordering::Relaxed);
    }
}

impl<'p> Aim<'p> {
    /// The slot of an entry that matches and is at its spot. Above all slots if the chain moves.
    #[inline(always)]
    pub(crate) fn at_spot(&self) -> Option<u32> {
        // SAFETY: see `Hint::aim`.
        unsafe { Line::at_spot(self.lines, self.tag, self.spot) }
    }

    #[inline(always)]
    pub(crate) fn line(&self) -> &'p Line {
        // SAFETY: see `Hint::aim`.
        unsafe { &*self.spot.line_in(self.lines) }
    }

    /// The line's control word, if the line is the right one.
    #[inline(always)]
    pub(crate) fn stamp(&self) -> Option<Stamp<'p>> {
        let line = self.line();
        let control = line.control().read();
        control.is_of(self.shift).then_some(Stamp { line, control })
    }
}
