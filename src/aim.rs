//! Where a lookup looks first, without asking a shard: in the table's level, which is the right one while
//! the table does not grow.
//!
//! Else the chain may have moved on, or been left for so long that its line is blank: its places and its control
//! word say so. They do before the chain's entries are anywhere else, so a home that says neither is the right one
//! at the moment when it is read.

use crate::bucket::{Chain, Stamp};
use crate::entry::{Place, Tag};
use crate::level::Level;
use crate::sync::Ordering;

/// A hash in a level.
#[derive(Clone, Copy)]
pub(crate) struct Aim<'p> {
    level: &'p Level,
    tag: Tag,
}

/// What a look at a home and beside it tells.
pub(crate) enum First {
    /// The slot of an entry that matches.
    Slot(u32),
    /// There is no such entry: it was so when the home was read.
    None,
    Unclear,
}

impl<'p> Aim<'p> {
    #[inline(always)]
    pub(crate) fn at(level: &'p Level, tag: Tag) -> Self {
        Self { level, tag }
    }

    /// What shows at the home and beside it.
    #[inline(always)]
    pub(crate) fn first(self) -> First {
        let [home, beside] = self.level.homes(self.tag);
        // Acquire, twice: pairs with the Release in `put`; the record was filled before.
        let home = Place(home.load(Ordering::Acquire));
        if home.has(self.tag) {
            return First::Slot(home.slot());
        }
        if home.has_all() {
            return First::None;
        }
        let beside = Place(beside.load(Ordering::Acquire));
        if beside.has(self.tag) { First::Slot(beside.slot()) } else { First::Unclear }
    }

    /// All slots of entries that match, none or one, if the home has all of its entries. It was so when that was
    /// read.
    #[inline(always)]
    pub(crate) fn whole(self) -> Option<Option<u32>> {
        let [home, _] = self.level.homes(self.tag);
        // Acquire: as in `first`.
        let home = Place(home.load(Ordering::Acquire));
        home.has_all().then(|| home.has(self.tag).then(|| home.slot()))
    }

    #[inline(always)]
    fn chain(self) -> Chain<'p> {
        self.level.chain(self.level.spot(self.tag).line())
    }

    /// For a scan of the whole chain, if it has not moved.
    #[inline(always)]
    pub(crate) fn stamp(self) -> Option<Stamp<'p>> {
        self.chain().stamp()
    }

    /// Touches the line ahead of its use.
    #[inline(always)]
    pub(crate) fn prefetch(self) {
        crate::prefetch::read(self.chain().line);
    }

    /// Touches all that a writer needs ahead of its use.
    #[inline(always)]
    pub(crate) fn prefetch_all(self) {
        crate::prefetch::read(self.chain().line);
        crate::prefetch::read(self.chain().side);
    }
}
