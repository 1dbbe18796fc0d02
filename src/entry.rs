//! One entry of the index, packed into a word, and what is in a place without one.
//!
//! ```text
//!  63       62      32 31        2     1         0
//! +--------+----------+-----------+----------+-------+
//! | frozen | slot     | tag       | occupied | ready |
//! +--------+----------+-----------+----------+-------+
//! ```

/// Bits of hash in an entry. They choose the line, too, from the top down.
const TAG_BITS: u32 = 30;

/// Those that follow the ones that chose the line: they choose the home in it, see `bucket`.
pub(crate) const HOME_BITS: u32 = 3;

/// Bits that can choose a line.
pub(crate) const LINE_BITS: u32 = TAG_BITS - HOME_BITS;

/// Bits of a slot in an entry.
pub(crate) const SLOT_BITS: u32 = 31;

/// The hash in an entry: the upper [`TAG_BITS`] bits of 32; the others may be anything.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tag(u32);

impl Tag {
    /// The low half of a hash, but for its last two bits.
    #[inline(always)]
    pub(crate) const fn of(hash: u64) -> Self {
        Self(hash as u32)
    }

    /// The low half of an entry with this tag.
    #[inline(always)]
    pub(crate) const fn marked(self) -> u32 {
        self.0 | Entry::MARKS
    }

    /// All but the last `shift` bits, which are at most all, and at least those that are not there.
    #[inline(always)]
    pub(crate) const fn without_last(self, shift: u32) -> usize {
        debug_assert!(u32::BITS - TAG_BITS <= shift && shift <= u32::BITS);
        // The mask changes nothing, and is what a shift of the processor does.
        (self.0 as u64 >> (shift & (u64::BITS - 1))) as usize
    }
}

/// A packed entry, or what is in a place without one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Entry(pub(crate) u64);

impl Entry {
    const READY: u64 = 1;
    const MARKS: u32 = 0b11;
    const OCCUPIED: u64 = 0b10;
    pub(crate) const FROZEN: u64 = 1 << 63;

    /// A place of a line that its parent has not been split into yet.
    pub(crate) const UNMADE: Self = Self(0);
    pub(crate) const EMPTY: Self = Self(Self::READY);

    pub(crate) const fn new(tag: Tag, slot: u32) -> Self {
        debug_assert!(slot < 1 << SLOT_BITS);
        Self(((slot as u64) << u32::BITS) | tag.marked() as u64)
    }

    /// Whether it is occupied, with this tag: its low half is the tag and both marks.
    #[inline(always)]
    pub(crate) const fn has(self, tag: Tag) -> bool {
        self.0 as u32 == tag.marked()
    }

    pub(crate) const fn is_occupied(self) -> bool {
        self.0 & Self::OCCUPIED != 0
    }

    pub(crate) const fn is_frozen(self) -> bool {
        self.0 & Self::FROZEN != 0
    }

    pub(crate) const fn thawed(self) -> Self {
        Self(self.0 & !Self::FROZEN)
    }

    pub(crate) const fn tag(self) -> Tag {
        Tag(self.0 as u32)
    }

    /// The slot; of a frozen entry, a number above all slots.
    #[inline(always)]
    pub(crate) const fn slot_if_thawed(self) -> u32 {
        (self.0 >> u32::BITS) as u32
    }

    #[inline(always)]
    pub(crate) const fn slot(self) -> u32 {
        (self.0 >> u32::BITS) as u32 & ((1 << SLOT_BITS) - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_keeps_slot_and_tag_frozen_or_not() {
        let tag = Tag::of(0xdead_beef_1234_5678);
        for slot in [0, 1, (1 << SLOT_BITS) - 1] {
            let entry = Entry::new(tag, slot);
            let frozen = Entry(entry.0 | Entry::FROZEN);
            for entry in [entry, frozen] {
                assert_eq!((entry.slot(), entry.tag().marked()), (slot, tag.marked()));
                assert!(entry.has(tag) && entry.is_occupied());
                assert!(!entry.has(Tag::of(0x4)));
            }
            assert_eq!(frozen.thawed(), entry);
            assert_eq!(entry.slot_if_thawed(), slot);
            assert!(frozen.slot_if_thawed() >= 1 << SLOT_BITS);
        }
        assert!(!Entry::EMPTY.is_occupied() && !Entry::UNMADE.is_occupied());
        assert!(!Entry::EMPTY.has(Tag::of(0)) && !Entry::UNMADE.has(Tag::of(0)));
    }

    #[test]
    fn a_tag_loses_its_last_bits_first() {
        let tag = Tag::of(0b1010 << 28);
        let shifts = [32, 31, 30, 28, 27];
        assert_eq!(shifts.map(|shift| tag.without_last(shift)), [0, 0b1, 0b10, 0b1010, 0b10100]);
        assert_eq!(Tag::of(u64::MAX).without_last(u32::BITS - TAG_BITS), (1 << TAG_BITS) - 1);
    }
}
