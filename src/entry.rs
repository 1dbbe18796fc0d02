//! One entry of the index, packed into a word, and what is in a place without one.

/// Bits of hash in an entry. They choose the line, too, from the top down.
pub(crate) const TAG_BITS: u32 = 29;

/// A packed entry, or what is in a place without one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Entry(pub(crate) u64);

impl Entry {
    pub(crate) const FROZEN: u64 = 1;
    const READY: u64 = 1 << 1;
    const OCCUPIED: u64 = 1 << 2;
    const TAG_SHIFT: u32 = 3;

    /// A place of a line that its parent has not been split into yet.
    pub(crate) const UNMADE: Self = Self(0);
    pub(crate) const EMPTY: Self = Self(Self::READY);

    pub(crate) const fn new(tag: u32, slot: u32) -> Self {
        let tag = (tag as u64) << Self::TAG_SHIFT;
        Self(((slot as u64) << 32) | tag | Self::OCCUPIED | Self::READY)
    }

    /// Whether it is occupied, with the tag of `probe`: the low half, but for the frozen mark, is the
    /// same.
    #[inline(always)]
    pub(crate) const fn has_tag(self, probe: Self) -> bool {
        (self.0 as u32) | 1 == (probe.0 as u32) | 1
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

    pub(crate) const fn tag(self) -> u32 {
        (self.0 as u32) >> Self::TAG_SHIFT
    }

    #[inline(always)]
    pub(crate) const fn slot(self) -> u32 {
        (self.0 >> 32) as u32
    }
}
