//! From the number of a slot to its word, and through that to what may be read of the record: see the
//! module above.

use super::{Address, Facts, Live, Plain, Slots};
use crate::reclaim::Pin;
use crate::state::{Phase, Word};
use crate::sync::Ordering;

/// A slot whose word was read under a pin.
pub(crate) struct Seen<'p, Id, Node, Info, Stream> {
    pub(super) slots: &'p Slots<Id, Node, Info, Stream>,
    pub(crate) slot: u32,
    pub(crate) word: Word,
}

impl<Id, Node, Info, Stream> Clone for Seen<'_, Id, Node, Info, Stream> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<Id, Node, Info, Stream> Copy for Seen<'_, Id, Node, Info, Stream> {}

impl<Id, Node, Info, Stream> Slots<Id, Node, Info, Stream> {
    /// The word of a slot, and through it what may be read of the record.
    #[inline(always)]
    pub(crate) fn see<'p>(
        &'p self,
        slot: u32,
        _pin: &'p Pin<'_>,
    ) -> Seen<'p, Id, Node, Info, Stream> {
        // Acquire: pairs with the Release of every transition, and with that of `fill_name`.
        let word = Word::from_raw(self.word_of(slot).load(Ordering::Acquire));
        Seen::new(self, slot, word)
    }

    /// The client of a slot, if its word says that its record is all there is to know of it.
    ///
    /// # Safety
    ///
    /// The slot was handed out, in what happened before, and not vacated since: it is in an entry of a table.
    /// That may be one which is out of use, and the slot has been reclaimed then: slots are vacated by a
    /// shrinking alone, which leaves no such entry where a lookup comes by.
    #[inline(always)]
    pub(crate) unsafe fn plain<'p>(
        &'p self,
        slot: u32,
        pin: &'p Pin<'_>,
    ) -> Option<Plain<'p, Id, Node, Info, Stream>> {
        let segment = if self.first.has(slot) {
            0
        } else {
            further();
            self.first.segment_of(slot)
        };
        // SAFETY: `make` made its word and its records before the slot was handed out.
        unsafe { self.plain_in(segment, slot, pin) }
    }

    /// The same of a slot in that segment.
    ///
    /// # Safety
    ///
    /// The segment has records, as `are_there` says, or as for `plain`.
    #[inline(always)]
    pub(crate) unsafe fn plain_in<'p>(
        &'p self,
        segment: usize,
        slot: u32,
        _pin: &'p Pin<'_>,
    ) -> Option<Plain<'p, Id, Node, Info, Stream>> {
        // SAFETY: the caller's promise.
        let word = unsafe { self.words.get_in(segment, slot) };
        // Acquire: as in `see`.
        let word = Word::from_raw(word.load(Ordering::Acquire));
        word.is_plain().then(|| Plain::new(self, segment, slot, word))
    }

    /// What was seen of a slot before.
    ///
    /// # Safety
    ///
    /// The word was read from the slot under this pin.
    pub(crate) unsafe fn recall<'p>(
        &'p self,
        slot: u32,
        word: Word,
        _pin: &'p Pin<'_>,
    ) -> Seen<'p, Id, Node, Info, Stream> {
        Seen::new(self, slot, word)
    }

    /// What is at that address now: the same incarnation, in whatever phase. The slot may be anything.
    #[inline(always)]
    pub(crate) fn find_at<'p>(
        &'p self,
        address: Address,
        pin: &'p Pin<'_>,
    ) -> Option<Seen<'p, Id, Node, Info, Stream>> {
        self.find(address.slot, pin).filter(|seen| seen.address() == address)
    }

    /// As [`see`](Self::see), for a slot number that may be anything.
    #[inline(always)]
    pub(crate) fn find<'p>(
        &'p self,
        slot: u32,
        _pin: &'p Pin<'_>,
    ) -> Option<Seen<'p, Id, Node, Info, Stream>> {
        // Acquire: as in `see`.
        let word = self.words.get(slot)?.load(Ordering::Acquire);
        Some(Seen::new(self, slot, Word::from_raw(word)))
    }

    /// The address of a slot's record and word, ahead of their use.
    #[inline(always)]
    pub(crate) fn prefetch(&self, slot: u32) {
        crate::prefetch::read(self.word_of(slot));
        crate::prefetch::read(self.hot(slot));
    }
}

/// Called where a slot is beyond the capacity that was asked for, which a compiler is not to expect.
#[cold]
fn further() {}

impl<'p, Id, Node, Info, Stream> Seen<'p, Id, Node, Info, Stream> {
    /// `word` was read from the slot under the pin that is held for `'p`.
    #[inline(always)]
    pub(super) fn new(slots: &'p Slots<Id, Node, Info, Stream>, slot: u32, word: Word) -> Self {
        Self { slots, slot, word }
    }

    #[inline(always)]
    pub(crate) fn live(self) -> Option<Live<'p, Id, Node, Info, Stream>> {
        self.word.is_live().then(|| Live::new(self))
    }

    /// A live client, not an alias.
    #[inline(always)]
    pub(crate) fn client(self) -> Option<Live<'p, Id, Node, Info, Stream>> {
        self.live().filter(|live| !live.word().is_alias())
    }

    /// See [`Plain`].
    #[inline(always)]
    pub(crate) fn plain(self) -> Option<Plain<'p, Id, Node, Info, Stream>> {
        let segment = self.slots.first.segment_of(self.slot);
        self.word.is_plain().then(|| Plain::new(self.slots, segment, self.slot, self.word))
    }

    /// The facts of an incarnation on its way or live.
    pub(crate) fn facts(&self) -> Option<Facts> {
        let on_its_way = matches!(self.word.phase(), Phase::Waiting | Phase::Armed);
        (on_its_way || self.word.is_live()).then(|| {
            let facts = &self.slots.cold(self.slot).facts;
            // SAFETY: filled, and kept until the pin goes: see the module above. Facts are plain data
            // that nobody moves out.
            facts.with(|cell| unsafe { (*cell).assume_init_read() })
        })
    }

    pub(crate) fn address(&self) -> Address {
        Address { slot: self.slot, generation: self.word.generation() }
    }
}
