//! The state word: what one slot's incarnation is at, in 64 bits that change by one exchange.
//!
//! ```text
//!  63                                9 8       4 3     0
//! +-----------------------------------+---------+-------+
//! | generation                        | marks   | phase |
//! +-----------------------------------+---------+-------+
//! ```
//!
//! The word is the only truth about liveness. While a slot holds one incarnation the word moves along
//! the arrows below and never back; the generation is raised only before the incarnation is live, so
//! that the pair (slot, generation) of a live client names it for ever (B).
//!
//! ```text
//! Entering -> Waiting -> Armed -> Live ------------------> Retired | Evicted
//!    |           |         |  `-> Taking -> Live              ^         ^
//!    |           |         |                 |`-> Retiring ---'         |
//!    `-----------+---------+-> Refused*      `--> Evicting -------------'
//! ```
//!
//! A client is live in `Taking`, `Live`, `Retiring` and `Evicting`. Each step from live to dead is the
//! linearization point of a removal (A); the step from `Armed` to live that of a connect (C, D).

use core::fmt;

/// Where an incarnation is between entering the tables and leaving them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Phase {
    /// Being filled and entered in the tables; everybody ignores it. Also a slot never used.
    Entering = 0,
    /// Fully entered, without a place.
    Waiting = 1,
    /// Fully entered, with a place; anyone may drive it to its end.
    Armed = 2,
    /// Ended before it ever lived: its client id is another's.
    RefusedId = 3,
    /// Likewise: its node id or alias is another's.
    RefusedNode = 4,
    /// Likewise: no place was free.
    RefusedFull = 5,
    /// Likewise: the registry was closed.
    RefusedClosed = 6,
    /// Likewise: an alias whose owner ended, or a connect that a panic cut short.
    RefusedGone = 7,
    /// Live; committed, with the clients that it displaces not all evicted yet.
    Taking = 8,
    /// Live.
    Live = 9,
    /// Live, and certain to be retired once the aliases still on their way are settled.
    Retiring = 10,
    /// Live, and certain to be evicted, likewise.
    Evicting = 11,
    /// Dead: ended by a disconnect.
    Retired = 12,
    /// Dead: ended by a newcomer.
    Evicted = 13,
}

impl Phase {
    const fn from_bits(bits: u64) -> Self {
        match bits & Word::PHASE {
            0 => Self::Entering,
            1 => Self::Waiting,
            2 => Self::Armed,
            3 => Self::RefusedId,
            4 => Self::RefusedNode,
            5 => Self::RefusedFull,
            6 => Self::RefusedClosed,
            7 => Self::RefusedGone,
            8 => Self::Taking,
            9 => Self::Live,
            10 => Self::Retiring,
            11 => Self::Evicting,
            12 => Self::Retired,
            _ => Self::Evicted,
        }
    }
}

/// A snapshot of a state word. Transitions make the next word; the caller exchanges it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Word(u64);

impl Word {
    const PHASE: u64 = 0b1111;
    /// The two bits that the live phases share and no other phase has.
    const LIVE_MASK: u64 = 0b1100;
    const LIVE: u64 = 0b1000;
    const CLAIMED: u64 = 1 << 4;
    const SWUNG: u64 = 1 << 5;
    const NAMED: u64 = 1 << 6;
    const ALIAS: u64 = 1 << 7;
    const TOOK: u64 = 1 << 8;
    const CONTESTED: u64 = 1 << 9;
    const SHIFT: u32 = 10;

    /// Generations count up from 1 and would take centuries to run out; a slot that got here would
    /// be set aside, never wrapped.
    pub(crate) const LAST_GENERATION: u64 = (1 << (64 - Self::SHIFT)) - 1;

    #[inline(always)]
    pub(crate) const fn from_raw(raw: u64) -> Self {
        Self(raw)
    }

    #[inline(always)]
    pub(crate) const fn raw(self) -> u64 {
        self.0
    }

    /// The first word of an incarnation.
    pub(crate) const fn entering(generation: u64, kind: Kind, swung: bool) -> Self {
        let alias = match kind {
            Kind::Alias => Self::ALIAS,
            Kind::Client => 0,
        };
        let swung = if swung { Self::SWUNG } else { 0 };
        Self((generation << Self::SHIFT) | alias | swung)
    }

    #[inline(always)]
    pub(crate) const fn phase(self) -> Phase {
        Phase::from_bits(self.0)
    }

    #[inline(always)]
    pub(crate) const fn generation(self) -> u64 {
        self.0 >> Self::SHIFT
    }

    #[inline(always)]
    pub(crate) const fn is_live(self) -> bool {
        self.0 & Self::LIVE_MASK == Self::LIVE
    }

    /// A live client that no newcomer has displaced, and whose first stream and info are there and
    /// current: its record says it all.
    #[inline(always)]
    pub(crate) const fn is_plain(self) -> bool {
        self.0 & (Self::LIVE_MASK | Self::SWUNG | Self::ALIAS | Self::CONTESTED) == Self::LIVE
    }

    /// Ended before it ever lived.
    pub(crate) const fn is_refused(self) -> bool {
        matches!(
            self.phase(),
            Phase::RefusedId
                | Phase::RefusedNode
                | Phase::RefusedFull
                | Phase::RefusedClosed
                | Phase::RefusedGone
        )
    }

    /// Its place is promised to a newcomer: whoever ends it leaves the place to the heir, if there is one
    /// still (E).
    pub(crate) const fn is_claimed(self) -> bool {
        self.0 & Self::CLAIMED != 0
    }

    /// Its stream or info may have been replaced: the pointers beside them say what is current.
    #[inline(always)]
    pub(crate) const fn is_swung(self) -> bool {
        self.0 & Self::SWUNG != 0
    }

    /// A newcomer of one of its names may have committed: who looks for that name has to look for the
    /// newcomer as well. A live client without the mark is the only one of its names (D). With it, it may be
    /// so still: a connect that a panic cuts short leaves the mark, which costs lookups time, no more.
    pub(crate) const fn is_contested(self) -> bool {
        self.0 & Self::CONTESTED != 0
    }

    /// It may own aliases: it ends by way of `Retiring` or `Evicting`.
    pub(crate) const fn is_named(self) -> bool {
        self.0 & Self::NAMED != 0
    }

    /// The slot is an alias: a node-table name with an owner, not a client.
    #[inline(always)]
    pub(crate) const fn is_alias(self) -> bool {
        self.0 & Self::ALIAS != 0
    }

    /// It committed by way of `Taking`: there may be evicted clients for its owner to collect.
    pub(crate) const fn took(self) -> bool {
        self.0 & Self::TOOK != 0
    }

    pub(crate) const fn kind(self) -> Kind {
        if self.is_alias() { Kind::Alias } else { Kind::Client }
    }

    const fn at(self, phase: Phase) -> Self {
        Self((self.0 & !Self::PHASE) | phase as u64)
    }

    /// `Entering` -> `Waiting`: fully entered, no place was free.
    pub(crate) const fn waiting(self) -> Self {
        self.at(Phase::Waiting)
    }

    /// `Entering | Waiting` -> `Armed`: a client has a place from here on; an alias needs none.
    pub(crate) const fn armed(self) -> Self {
        self.at(Phase::Armed)
    }

    /// `Entering | Waiting | Armed` -> refused.
    pub(crate) const fn refused(self, why: Refusal) -> Self {
        self.at(match why {
            Refusal::Id => Phase::RefusedId,
            Refusal::Node => Phase::RefusedNode,
            Refusal::Full => Phase::RefusedFull,
            Refusal::Closed => Phase::RefusedClosed,
            Refusal::Gone => Phase::RefusedGone,
        })
    }

    /// `Armed` -> `Live`, with nobody to displace.
    pub(crate) const fn live(self) -> Self {
        self.at(Phase::Live)
    }

    /// `Armed` -> `Taking`: live, with older clients still to be evicted.
    pub(crate) const fn taking(self) -> Self {
        Self(self.at(Phase::Taking).0 | Self::TOOK)
    }

    /// `Waiting | Armed` with a generation of at least `least`, and another than before: a commit or
    /// a refusal that was decided on the old word fails.
    pub(crate) const fn raised(self, least: u64) -> Self {
        let next = self.generation() + 1;
        let generation = if least > next { least } else { next };
        Self((self.0 & ((1 << Self::SHIFT) - 1)) | (generation << Self::SHIFT))
    }

    pub(crate) const fn claimed(self) -> Self {
        Self(self.0 | Self::CLAIMED)
    }

    pub(crate) const fn swung(self) -> Self {
        Self(self.0 | Self::SWUNG)
    }

    pub(crate) const fn contested(self) -> Self {
        Self(self.0 | Self::CONTESTED)
    }

    pub(crate) const fn named(self) -> Self {
        Self(self.0 | Self::NAMED)
    }

    /// `Live` -> the next word on the way to the end that `how` names: dead at once if no alias can
    /// be on its way, else certain to die.
    pub(crate) const fn ending(self, how: End) -> Self {
        match (how, self.is_named()) {
            (End::Retire, false) => self.at(Phase::Retired),
            (End::Evict, false) => self.at(Phase::Evicted),
            (End::Retire, true) => self.at(Phase::Retiring),
            (End::Evict, true) => self.at(Phase::Evicting),
        }
    }

    /// `Retiring` -> `Retired`, `Evicting` -> `Evicted`.
    pub(crate) const fn ended(self) -> Self {
        match self.phase() {
            Phase::Retiring => self.at(Phase::Retired),
            Phase::Evicting => self.at(Phase::Evicted),
            _ => self,
        }
    }
}

impl fmt::Debug for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}#{}", self.phase(), self.generation())?;
        for (set, mark) in [
            (self.is_claimed(), " claimed"),
            (self.is_swung(), " swung"),
            (self.is_contested(), " contested"),
            (self.is_named(), " named"),
            (self.is_alias(), " alias"),
            (self.took(), " took"),
        ] {
            if set {
                f.write_str(mark)?;
            }
        }
        Ok(())
    }
}

/// What a slot holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Client,
    Alias,
}

/// Why an incarnation ended before it lived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    Id,
    Node,
    Full,
    Closed,
    Gone,
}

/// How a live incarnation ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Retire,
    Evict,
}

#[cfg(test)]
mod tests {
    use super::*;

    const PHASES: [Phase; 14] = [
        Phase::Entering,
        Phase::Waiting,
        Phase::Armed,
        Phase::RefusedId,
        Phase::RefusedNode,
        Phase::RefusedFull,
        Phase::RefusedClosed,
        Phase::RefusedGone,
        Phase::Taking,
        Phase::Live,
        Phase::Retiring,
        Phase::Evicting,
        Phase::Retired,
        Phase::Evicted,
    ];

    #[test]
    fn phases_survive_the_word() {
        for phase in PHASES {
            let word = Word::entering(7, Kind::Client, false).at(phase);
            assert_eq!(word.phase(), phase);
            assert_eq!(word.generation(), 7);
            let live =
                matches!(phase, Phase::Taking | Phase::Live | Phase::Retiring | Phase::Evicting);
            assert_eq!(word.is_live(), live, "{phase:?}");
            assert_eq!(word.is_plain(), live, "{phase:?}");
            assert!(!word.swung().is_plain() && !word.contested().is_plain());
            assert!(!Word::entering(7, Kind::Alias, false).at(phase).is_plain());
        }
    }

    #[test]
    fn marks_are_kept_by_every_transition() {
        let word = Word::entering(3, Kind::Alias, true).armed().taking();
        let word = word.claimed().named().contested();
        for next in [word.live(), word.ending(End::Retire), word.ended(), word.raised(9)] {
            assert!(next.is_alias() && next.is_swung() && next.is_claimed());
            assert!(next.is_named() && next.is_contested() && next.took());
        }
        assert_eq!(word.raised(9).generation(), 9);
        assert_eq!(word.raised(2).generation(), 4);
    }

    #[test]
    fn the_last_generation_is_the_largest_that_fits() {
        let word = Word::entering(Word::LAST_GENERATION, Kind::Alias, true).live();
        assert_eq!((word.generation(), word.phase()), (Word::LAST_GENERATION, Phase::Live));
        assert_eq!(word.raw() >> Word::SHIFT, u64::MAX >> Word::SHIFT);
    }

    #[test]
    fn a_named_client_ends_in_two_steps() {
        let plain = Word::entering(1, Kind::Client, false).live();
        assert_eq!(plain.ending(End::Retire).phase(), Phase::Retired);
        assert_eq!(plain.ending(End::Evict).phase(), Phase::Evicted);
        let named = plain.named();
        assert_eq!(named.ending(End::Retire).phase(), Phase::Retiring);
        assert_eq!(named.ending(End::Retire).ended().phase(), Phase::Retired);
        assert_eq!(named.ending(End::Evict).phase(), Phase::Evicting);
        assert_eq!(named.ending(End::Evict).ended().phase(), Phase::Evicted);
    }

    #[test]
    fn a_word_is_shown_with_its_marks() {
        let word = Word::entering(3, Kind::Alias, true).armed().taking().claimed().named();
        assert_eq!(format!("{word:?}"), "Taking#3 claimed swung named alias took");
        assert_eq!(format!("{:?}", Word::entering(4, Kind::Client, false).live()), "Live#4");
    }

    #[test]
    fn the_zero_word_is_a_slot_never_used() {
        let word = Word::from_raw(0);
        assert_eq!((word.phase(), word.generation()), (Phase::Entering, 0));
        assert!(!word.is_live() && !word.is_alias() && !word.is_refused());
    }
}
