//! A record on its way in: filled by one thread, and given back to it if refused.

use super::{Address, Facts, Slots};
use crate::hash::Hash;
use crate::reclaim::Pin;
use crate::state::{Kind, Word};
use crate::sync::Ordering;

/// A slot that was handed out and is not filled yet.
pub(crate) struct Fresh {
    pub(super) slot: u32,
    pub(super) generation: u64,
}

/// A slot whose incarnation this thread is entering, until it is live or refused.
pub(crate) struct Entered {
    slot: u32,
}

impl Entered {
    pub(crate) fn slot(&self) -> u32 {
        self.slot
    }
}

/// Names and values of a client; an alias has its name alone.
pub(crate) struct Contents<Id, Node, Info, Stream> {
    pub(crate) id: Id,
    pub(crate) node: Node,
    pub(crate) info: Info,
    pub(crate) stream: Option<Stream>,
}

impl<Id, Node, Info, Stream> Slots<Id, Node, Info, Stream> {
    /// Fills a client's record, and leaves its word at `Entering`.
    pub(crate) fn fill(
        &self,
        fresh: Fresh,
        ids: (Hash, Hash),
        contents: Contents<Id, Node, Info, Stream>,
    ) -> Entered {
        let Contents { id, node, info, stream } = contents;
        let (hot, warm) = (self.hot(fresh.slot), self.warm(fresh.slot));
        let cold = self.cold(fresh.slot);
        let has_stream = stream.is_some();
        cold.stream_swing.reset(has_stream);
        // Relaxed: published with the record.
        cold.streams.store(u64::from(has_stream), Ordering::Relaxed);
        let (id_hash, node_hash) = ids;
        // SAFETY: a fresh slot is its receiver's alone: its last incarnation was reclaimed, and
        // nobody looks at the record of a word that says `Entering`.
        unsafe {
            warm.id.with_mut(|cell| (*cell).write(id));
            warm.info.with_mut(|cell| (*cell).write(info));
            if let Some(stream) = stream {
                hot.stream.with_mut(|cell| (*cell).write(stream));
            }
        }
        let facts = Facts::Client { id: id_hash, node: node_hash };
        self.fill_name(fresh, facts, node, !has_stream)
    }

    /// Fills an alias's record, likewise.
    pub(crate) fn fill_alias(
        &self,
        fresh: Fresh,
        hash: Hash,
        owner: Address,
        name: Node,
    ) -> Entered {
        let facts = Facts::Alias { node: hash, owner };
        self.fill_name(fresh, facts, name, false)
    }

    fn fill_name(&self, fresh: Fresh, facts: Facts, node: Node, swung: bool) -> Entered {
        let Fresh { slot, generation } = fresh;
        let (hot, cold) = (self.hot(slot), self.cold(slot));
        // SAFETY: as in `fill`.
        unsafe {
            hot.node.with_mut(|cell| (*cell).write(node));
            cold.facts.with_mut(|cell| (*cell).write(facts));
        }
        cold.info_swing.reset(true);
        // Relaxed: published with the record.
        cold.heir.store(0, Ordering::Relaxed);
        cold.evictor.store(0, Ordering::Relaxed);
        cold.collected.store(0, Ordering::Relaxed);
        // Relaxed: the same.
        cold.holds.store(1, Ordering::Relaxed);
        let word = Word::entering(generation, facts.kind(), swung);
        // Release: whoever reads a word of this incarnation sees the record.
        self.word_of(slot).store(word.raw(), Ordering::Release);
        Entered { slot }
    }

    /// Client id, unless it is an alias, and node name of a record of that kind on its way.
    ///
    /// # Safety
    ///
    /// The record is of that kind. It is the caller's own ([`Entered`]); or its word was read under a pin
    /// that is held for as long as the names are used, and it gives them back to nobody (`tandem::drive`).
    pub(crate) unsafe fn names_of_entered(&self, slot: u32, kind: Kind) -> (Option<&Id>, &Node) {
        let (hot, warm) = (self.hot(slot), self.warm(slot));
        let id = (kind == Kind::Client).then(|| {
            // SAFETY: filled, and moved by nobody meanwhile: the caller's promise.
            warm.id.with(|cell| unsafe { (*cell).assume_init_ref() })
        });
        // SAFETY: as above.
        let node = hot.node.with(|cell| unsafe { (*cell).assume_init_ref() });
        (id, node)
    }

    /// Takes the contents of a refused client back, and retires the slot.
    ///
    /// # Safety
    ///
    /// Its entries are removed, and the pin is older than their removal.
    pub(crate) unsafe fn take_back(
        &self,
        entered: Entered,
        pin: &Pin<'_>,
    ) -> Contents<Id, Node, Info, Stream> {
        let slot = entered.slot;
        let has_stream = self.cold(slot).stream_swing.owns_first();
        let (hot, warm, cold) = (self.hot(slot), self.warm(slot), self.cold(slot));
        self.assert_refused(slot);
        // SAFETY: filled by `fill`, taken once (`entered` is consumed), and dropped by nobody else: a
        // refused slot owes nothing when it is reclaimed. Nobody reads names or values of a record
        // that never lived: see the module above.
        unsafe {
            let contents = Contents {
                id: warm.id.with_mut(|cell| (*cell).assume_init_read()),
                node: hot.node.with_mut(|cell| (*cell).assume_init_read()),
                info: warm.info.with_mut(|cell| (*cell).assume_init_read()),
                stream: has_stream.then(|| hot.stream.with_mut(|cell| (*cell).assume_init_read())),
            };
            pin.retire_slot(slot, &cold.link);
            contents
        }
    }

    /// Retires a client whose connect a panic cut short, with its contents: others may be reading its
    /// names.
    ///
    /// # Safety
    ///
    /// As for [`take_back`](Self::take_back).
    pub(crate) unsafe fn retire_entered(&self, entered: Entered, pin: &Pin<'_>) {
        self.assert_refused(entered.slot);
        // SAFETY: the caller's promise; `entered` is consumed.
        unsafe { pin.retire_slot(entered.slot, &self.cold(entered.slot).link) };
    }

    /// Takes the name of a refused alias back, and retires the slot.
    ///
    /// # Safety
    ///
    /// As for [`take_back`](Self::take_back).
    pub(crate) unsafe fn take_alias_back(&self, entered: Entered, pin: &Pin<'_>) -> Node {
        let slot = entered.slot;
        self.assert_refused(slot);
        // SAFETY: as in `take_back`.
        unsafe {
            let name = self.hot(slot).node.with_mut(|cell| (*cell).assume_init_read());
            pin.retire_slot(slot, &self.cold(slot).link);
            name
        }
    }

    fn assert_refused(&self, slot: u32) {
        // Relaxed: nobody changes a refused word, and the owner has seen it.
        let word = Word::from_raw(self.word_of(slot).load(Ordering::Relaxed));
        assert!(word.is_refused(), "only what never lived goes back: {word:?}");
    }
}
