//! One entry of the index, packed into a word, and what else the place that holds it says.
//!
//! ```text
//!  63     37   36      35       32 31   1      0
//! +---------+--------+------------+------+----------+
//! | slot    | frozen | away       | tag  | occupied |
//! +---------+--------+------------+------+----------+
//!  `------- entry          `--- of the place      `--- entry
//! ```
//!
//! *Away* says how many entries that have this place for a home are elsewhere in the chain, so that one look
//! at a home can tell that there is no entry of a hash: 0 in a place that is not made, else one more than their
//! number. Fourteen of them are as good as any more: such a number stays until the chain is split, or the table is
//! shrunk. With a good hash there never are so many.

/// Bits of hash in an entry. They choose the line, too, from the top down.
const TAG_BITS: u32 = 31;

/// Those that follow the ones that chose the line: they choose the home in it, see `spot`.
pub(crate) const HOME_BITS: u32 = 3;

/// Bits that choose a line at most: enough for all slots, and for no more bytes than there are addresses.
pub(crate) const LINE_BITS: u32 = if usize::BITS < u64::BITS { 24 } else { SLOT_BITS - 1 };
const _: () = assert!(LINE_BITS + HOME_BITS <= TAG_BITS);

/// Bits of a slot in an entry.
pub(crate) const SLOT_BITS: u32 = 27;
const SLOT: u32 = u64::BITS - SLOT_BITS;

/// The hash in an entry: the upper [`TAG_BITS`] bits of 32; the last one may be anything.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tag(u32);

impl Tag {
    /// The low half of a hash, but for its last bit.
    #[inline(always)]
    pub(crate) const fn of(hash: u64) -> Self {
        Self(hash as u32)
    }

    /// The low half of an entry with this tag.
    #[inline(always)]
    pub(crate) const fn marked(self) -> u32 {
        self.0 | OCCUPIED
    }

    /// All but the last `shift` bits, which are at most all, and at least the one that is not there.
    #[inline(always)]
    pub(crate) const fn without_last(self, shift: u32) -> usize {
        debug_assert!(u32::BITS - TAG_BITS <= shift && shift <= u32::BITS);
        // The mask changes nothing, and is what a shift of the processor does.
        (self.0 as u64 >> (shift & (u64::BITS - 1))) as usize
    }
}

const OCCUPIED: u32 = 1;

/// A packed entry.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Entry(u64);

impl Entry {
    pub(crate) const fn new(tag: Tag, slot: u32) -> Self {
        debug_assert!(slot < 1 << SLOT_BITS);
        Self(((slot as u64) << SLOT) | tag.marked() as u64)
    }

    #[inline(always)]
    pub(crate) const fn has(self, tag: Tag) -> bool {
        self.0 as u32 == tag.marked()
    }

    pub(crate) const fn tag(self) -> Tag {
        Tag(self.0 as u32)
    }

    #[inline(always)]
    pub(crate) const fn slot(self) -> u32 {
        (self.0 >> SLOT) as u32
    }
}

/// What a place holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Place(pub(crate) u64);

impl Place {
    /// All of an entry.
    const ENTRY: u64 = !(0b1_1111 << u32::BITS);
    /// Nothing changes any more.
    pub(crate) const FROZEN: u64 = 1 << 36;
    const AWAY: u64 = 0b1111 << u32::BITS;
    const ONE_AWAY: u64 = 1 << u32::BITS;

    /// In a line that its parent has not been split into yet.
    pub(crate) const UNMADE: Self = Self(0);
    /// Made, with no entry here, and none away.
    pub(crate) const EMPTY: Self = Self(Self::ONE_AWAY);

    /// Whether the entry, if there is one, has this tag.
    #[inline(always)]
    pub(crate) const fn has(self, tag: Tag) -> bool {
        Entry(self.0).has(tag)
    }

    /// The slot of the entry, if there is one.
    #[inline(always)]
    pub(crate) const fn slot(self) -> u32 {
        Entry(self.0).slot()
    }

    pub(crate) const fn entry(self) -> Option<Entry> {
        if self.0 as u32 & OCCUPIED == 0 { None } else { Some(Entry(self.0 & Self::ENTRY)) }
    }

    pub(crate) fn holds(self, entry: Entry) -> bool {
        self.entry() == Some(entry)
    }

    /// Whether every entry of the chain that has its home here is here. In a chain that has moved, or is
    /// not made, it never is.
    #[inline(always)]
    pub(crate) const fn has_all(self) -> bool {
        self.0 & !Self::ENTRY == Self::ONE_AWAY
    }

    pub(crate) const fn is_frozen(self) -> bool {
        self.0 & Self::FROZEN != 0
    }

    /// Free for an entry.
    pub(crate) const fn is_empty(self) -> bool {
        self.entry().is_none() && !self.is_frozen()
    }

    /// The same with an entry.
    pub(crate) const fn with(self, entry: Entry) -> Self {
        Self(self.0 & !Self::ENTRY | entry.0)
    }

    /// The same without one.
    pub(crate) const fn emptied(self) -> Self {
        Self(self.0 & !Self::ENTRY)
    }

    const fn has_many_away(self) -> bool {
        self.0 & Self::AWAY == Self::AWAY
    }

    /// The same with one more entry away.
    pub(crate) const fn one_out(self) -> Self {
        if self.has_many_away() { self } else { Self(self.0 + Self::ONE_AWAY) }
    }

    /// The same with one of those that were away gone.
    pub(crate) const fn one_back(self) -> Self {
        debug_assert!(self.0 & Self::AWAY > Self::ONE_AWAY, "one was away");
        if self.has_many_away() { self } else { Self(self.0 - Self::ONE_AWAY) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_keeps_slot_and_tag_whatever_its_place_says() {
        let tag = Tag::of(0xdead_beef_1234_5678);
        for slot in [0, 1, (1 << SLOT_BITS) - 1] {
            let entry = Entry::new(tag, slot);
            assert_eq!((entry.slot(), entry.tag().marked()), (slot, tag.marked()));
            let place = Place::EMPTY.with(entry);
            for place in [place, place.one_out(), Place(place.0 | Place::FROZEN)] {
                assert!(place.has(tag) && place.holds(entry) && !place.is_empty());
                assert!(!place.has(Tag::of(0x2)));
                assert_eq!((place.slot(), place.entry()), (slot, Some(entry)));
                assert_eq!(place.emptied().entry(), None);
            }
            assert_eq!(place.emptied(), Place::EMPTY);
        }
        for place in [Place::EMPTY, Place::UNMADE] {
            assert!(!place.has(Tag::of(0)) && place.entry().is_none());
        }
    }

    #[test]
    fn a_place_has_all_if_none_is_away() {
        let frozen = |place: Place| Place(place.0 | Place::FROZEN);
        for at_home in [Place::EMPTY, Place::EMPTY.with(Entry::new(Tag::of(0x70), 3))] {
            let mut place = at_home;
            for _ in 0..14 {
                place = place.one_out();
                assert!(!place.has_all() && !frozen(place).has_all());
                assert_eq!(place.entry(), at_home.entry());
            }
            // More than that are not counted, not even back.
            assert_eq!((place.one_out(), place.one_back()), (place, place));
            let mut place = at_home;
            (0..13).for_each(|_| place = place.one_out());
            (0..13).for_each(|_| place = place.one_back());
            assert_eq!(place, at_home);
            assert!(at_home.has_all() && !frozen(at_home).has_all());
        }
        assert!(!Place::UNMADE.has_all() && !frozen(Place::UNMADE).has_all());
    }

    #[test]
    fn a_tag_loses_its_last_bits_first() {
        let tag = Tag::of(0b1010 << 28);
        let shifts = [32, 31, 30, 28, 27];
        assert_eq!(shifts.map(|shift| tag.without_last(shift)), [0, 0b1, 0b10, 0b1010, 0b10100]);
        assert_eq!(Tag::of(u64::MAX).without_last(u32::BITS - TAG_BITS), (1 << TAG_BITS) - 1);
    }
}
