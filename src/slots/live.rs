//! Reading and changing the record of a live incarnation under a pin.

use super::{Address, Facts, Hot, Seen, Slots, Warm};
use crate::reclaim::Pin;
use crate::slots::ended::Loose;
use crate::state::Word;
use crate::swing::{Current, Swung};

/// A slot that was live when its word was read under a pin, which is held for `'p`.
pub(crate) struct Live<'p, Id, Node, Info, Stream> {
    seen: Seen<'p, Id, Node, Info, Stream>,
    /// Found once: name and first stream are beside each other.
    hot: &'p Hot<Node, Stream>,
}

/// A client that was live when its word was read under a pin, which is held for `'p`, and whose first
/// stream and info were current then.
pub(crate) struct Plain<'p, Id, Node, Info, Stream> {
    slots: &'p Slots<Id, Node, Info, Stream>,
    segment: usize,
    slot: u32,
    word: Word,
}

impl<Id, Node, Info, Stream> Clone for Live<'_, Id, Node, Info, Stream> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<Id, Node, Info, Stream> Copy for Live<'_, Id, Node, Info, Stream> {}

impl<Id, Node, Info, Stream> Clone for Plain<'_, Id, Node, Info, Stream> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<Id, Node, Info, Stream> Copy for Plain<'_, Id, Node, Info, Stream> {}

impl<'p, Id, Node, Info, Stream> Live<'p, Id, Node, Info, Stream> {
    /// `seen` has a live word.
    #[inline(always)]
    pub(super) fn new(seen: Seen<'p, Id, Node, Info, Stream>) -> Self {
        Self { seen, hot: seen.slots.hot(seen.slot) }
    }

    #[inline(always)]
    pub(crate) fn slot(&self) -> u32 {
        self.seen.slot
    }

    #[inline(always)]
    pub(crate) fn word(&self) -> Word {
        self.seen.word
    }

    #[inline(always)]
    pub(crate) fn address(&self) -> Address {
        self.seen.address()
    }

    pub(crate) fn facts(&self) -> Facts {
        self.seen.facts().expect("a live slot has facts")
    }

    /// The node id, or the name of an alias.
    #[inline(always)]
    pub(crate) fn node(&self) -> &'p Node {
        let cell = &self.hot.node;
        // SAFETY: filled, and kept until the pin goes: see the module above.
        cell.with(|cell| unsafe { (*cell).assume_init_ref() })
    }

    /// The client id.
    #[inline(always)]
    pub(crate) fn id(&self) -> &'p Id {
        assert!(!self.seen.word.is_alias(), "an alias has no client id");
        let cell = &self.seen.slots.warm(self.seen.slot).id;
        // SAFETY: as in `node`; a client's record has an id.
        cell.with(|cell| unsafe { (*cell).assume_init_ref() })
    }

    /// The current stream and its sequence. `Closed`: the client has ended since.
    #[inline(always)]
    pub(crate) fn stream(&self) -> Current<(&'p Stream, u64)> {
        assert!(!self.seen.word.is_alias(), "an alias has no stream");
        let slots = self.seen.slots;
        if self.seen.word.is_swung() {
            let swing = &slots.cold(self.seen.slot).stream_swing;
            // SAFETY: streams are swung here, by `swing_stream` alone; the pin is held for 'p.
            match unsafe { swing.read::<Stream>() } {
                Current::First => {}
                Current::Swung(swung) => return Current::Swung((&swung.value, swung.sequence)),
                Current::Nothing => return Current::Nothing,
                Current::Closed => return Current::Closed,
            }
        }
        // No mark at a live moment, or the pointer says so: the first stream is there and current,
        // and is dropped after a grace period that began later than the pin.
        let cell = &self.hot.stream;
        // SAFETY: as said.
        Current::Swung((cell.with(|cell| unsafe { (*cell).assume_init_ref() }), 0))
    }

    /// The current info. `None`: the client has ended since.
    #[inline(always)]
    pub(crate) fn info(&self) -> Option<&'p Info> {
        assert!(!self.seen.word.is_alias(), "an alias has no info");
        if self.seen.word.is_swung() {
            let swing = &self.seen.slots.cold(self.seen.slot).info_swing;
            // SAFETY: infos are swung here, by `swing_info` alone; the pin is held for 'p.
            match unsafe { swing.read::<Info>() } {
                Current::First => {}
                Current::Swung(swung) => return Some(&swung.value),
                Current::Nothing | Current::Closed => return None,
            }
        }
        let cell = &self.seen.slots.warm(self.seen.slot).info;
        // SAFETY: as in `stream`.
        Some(cell.with(|cell| unsafe { (*cell).assume_init_ref() }))
    }

    /// Makes `new` the current stream if `accepts` the sequence of what is (`None`: no stream). The
    /// word has the `swung` mark. Linearization point of an attach or detach (B): the exchange.
    pub(crate) fn swing_stream(
        &self,
        new: Option<Box<Swung<Stream>>>,
        accepts: impl Fn(Option<u64>) -> bool,
        pin: &Pin<'_>,
    ) -> Result<Option<Loose<Stream>>, Option<Box<Swung<Stream>>>> {
        debug_assert!(self.seen.word.is_swung());
        let slots = self.seen.slots;
        let sequence = |current: &Current<&Swung<Stream>>| match current {
            Current::First => Some(0),
            Current::Swung(swung) => Some(swung.sequence),
            Current::Nothing | Current::Closed => None,
        };
        let swing = &slots.cold(self.seen.slot).stream_swing;
        // SAFETY: streams are swung here, in this function alone.
        let old = unsafe { swing.swing(new, |current| accepts(sequence(current)), pin)? };
        // SAFETY: the exchange took `old` out, and it is this call's.
        Ok(unsafe { slots.loosen_stream(self.seen.slot, old) })
    }

    /// Makes `new` the current info. Linearization point of an update: the exchange.
    pub(crate) fn swing_info(
        &self,
        new: Box<Swung<Info>>,
        pin: &Pin<'_>,
    ) -> Result<Option<Loose<Info>>, Box<Swung<Info>>> {
        debug_assert!(self.seen.word.is_swung());
        let slots = self.seen.slots;
        let swing = &slots.cold(self.seen.slot).info_swing;
        // SAFETY: infos are swung here, in this function alone.
        match unsafe { swing.swing(Some(new), |_| true, pin) } {
            // SAFETY: the exchange took `old` out, and it is this call's.
            Ok(old) => Ok(unsafe { slots.loosen_info(self.seen.slot, old) }),
            Err(new) => Err(new.expect("what was passed comes back")),
        }
    }
}

impl<'p, Id, Node, Info, Stream> Plain<'p, Id, Node, Info, Stream> {
    /// `word` was read from the slot, which was handed out, under the pin that is held for `'p`, and
    /// is plain.
    #[inline(always)]
    pub(super) fn new(
        slots: &'p Slots<Id, Node, Info, Stream>,
        segment: usize,
        slot: u32,
        word: Word,
    ) -> Self {
        Self { slots, segment, slot, word }
    }

    #[inline(always)]
    pub(crate) fn address(&self) -> Address {
        Address { slot: self.slot, generation: self.word.generation() }
    }

    /// Node id and first stream, which was current.
    #[inline(always)]
    pub(crate) fn routing(&self) -> (&'p Node, &'p Stream) {
        // SAFETY: made before the slot was handed out.
        let Hot { node, stream } = unsafe { self.slots.hot.get_in(self.segment, self.slot) };
        // SAFETY: filled, and kept until the pin goes: see the module above. The stream was given to
        // `connect`, as the word has no `swung` mark, and current when the word was read: so it was
        // retired later than the pin was taken, if at all.
        unsafe {
            (
                node.with(|cell| (*cell).assume_init_ref()),
                stream.with(|cell| (*cell).assume_init_ref()),
            )
        }
    }

    /// Client id and first info, which was current.
    #[inline(always)]
    pub(crate) fn profile(&self) -> (&'p Id, &'p Info) {
        // SAFETY: as in `routing`.
        let Warm { id, info } = unsafe { self.slots.warm.get_in(self.segment, self.slot) };
        // SAFETY: as in `routing`; a client's record has an id.
        unsafe {
            (id.with(|cell| (*cell).assume_init_ref()), info.with(|cell| (*cell).assume_init_ref()))
        }
    }
}
