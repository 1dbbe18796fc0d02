//! What a client leaves to newcomers: its place to an *heir*, and its end to an *evictor* (D, E).
//!
//! Whoever comes first is appointed. The heir's word is also the token of the place: at the end of the
//! client it is marked `ENDED`, so that a promise that is broken, or passed on, at that moment neither loses
//! the place nor doubles it. The evictor's word is the token of the evicted client: whoever exchanges it for
//! `CLAIMED` unlinks it and hands it over.

use super::{Address, MAX_SLOTS, Slots};
use crate::reclaim::Pin;
use crate::sync::{Ordering, fence};

impl<Id, Node, Info, Stream> Slots<Id, Node, Info, Stream> {
    /// Who is promised the place of `slot`: `newcomer`, if nobody was before. `None`: it has ended.
    pub(crate) fn promise(&self, slot: u32, newcomer: u32) -> Option<u32> {
        // AcqRel, Acquire on failure: whoever meets an appointed slot sees its word past `Entering`.
        let heir = &self.cold(slot).heir;
        match heir.compare_exchange(0, newcomer + 1, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => Some(newcomer),
            Err(heir) => (heir & ENDED == 0).then(|| heir - 1),
        }
    }

    /// Whether the place of `slot` is promised.
    #[cfg(all(test, not(loom)))]
    pub(crate) fn is_promised(&self, slot: u32) -> bool {
        // Relaxed: asked by a test while nobody else runs.
        self.cold(slot).heir.load(Ordering::Relaxed) != 0
    }

    /// Passes the promise of an heir that will not use it on to `newcomer`. `false`: it is another's by now, or
    /// broken, or the client has ended.
    pub(crate) fn pass_promise_on(&self, slot: u32, heir: u32, newcomer: u32) -> bool {
        // AcqRel: as in `promise`. Relaxed on failure: not used.
        let word = &self.cold(slot).heir;
        let (old, new) = (heir + 1, newcomer + 1);
        word.compare_exchange(old, new, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }

    /// Gives a promise back that `newcomer` will not use.
    pub(crate) fn break_promise(&self, slot: u32, newcomer: u32) -> Promise {
        // AcqRel, Acquire on failure: as in `promise`. Partner: `inherit`, of which only one comes first.
        let heir = &self.cold(slot).heir;
        let mine = newcomer + 1;
        match heir.compare_exchange(mine, 0, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => Promise::Broken,
            Err(now) if now == ENDED | mine => Promise::Kept,
            Err(_) => Promise::PassedOn,
        }
    }

    /// The end of a client whose place is claimed: whether a newcomer has it now.
    pub(crate) fn inherit(&self, slot: u32) -> bool {
        // AcqRel: see `break_promise`.
        self.cold(slot).heir.fetch_or(ENDED, Ordering::AcqRel) != 0
    }

    /// Has `slot` be handed to `newcomer`, should it be evicted, if it is promised to nobody who has yet
    /// to collect.
    pub(crate) fn appoint_evictor(&self, slot: u32, newcomer: Address, pin: &Pin<'_>) {
        let evictor = &self.cold(slot).evictor;
        let mine = Evictor::of(newcomer);
        let mut seen = 0;
        loop {
            // AcqRel, Acquire on failure: whoever meets an evictor sees its word past `Entering`.
            match evictor.compare_exchange(seen, mine.0, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) | Err(CLAIMED) => return,
                Err(other) if other == mine.0 || !self.has_collected(Evictor(other), pin) => return,
                // Of a takeover that is over: it thought otherwise of the name in the end (I).
                Err(other) => seen = other,
            }
        }
    }

    /// Who is to be handed `slot`. `None`: nobody, or it was claimed.
    pub(crate) fn evictor(&self, slot: u32) -> Option<Evictor> {
        // Acquire: pairs with `appoint_evictor`.
        match self.cold(slot).evictor.load(Ordering::Acquire) {
            0 | CLAIMED => None,
            other => Some(Evictor(other)),
        }
    }

    /// Claims an evicted client on behalf of its evictor. `true`: by this call.
    pub(crate) fn claim_evicted(&self, slot: u32, of: Evictor) -> bool {
        let evictor = &self.cold(slot).evictor;
        // AcqRel: as in `appoint_evictor`. Relaxed on failure: not used.
        evictor.compare_exchange(of.0, CLAIMED, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }

    /// From here on, what is evicted for the newcomer in `slot` is not its owner's to collect, but for
    /// what the owner finds after this.
    pub(crate) fn set_collected(&self, slot: u32) {
        // Relaxed: ordered by the fence. SeqCst: between the flag and the words that are read next.
        // Partner: the fence in `has_collected`.
        self.cold(slot).collected.store(1, Ordering::Relaxed);
        fence(Ordering::SeqCst);
    }

    /// Whether the owner of a newcomer may have looked for what was evicted for it the last time.
    pub(crate) fn has_collected(&self, newcomer: Evictor, pin: &Pin<'_>) -> bool {
        let slot = newcomer.slot();
        let is_it = || {
            let seen = self.find(slot, pin);
            seen.is_some_and(|seen| Evictor::of(seen.address()) == newcomer)
        };
        // SeqCst: between the word of the evicted client, which the caller has seen dead, and the flag.
        // Partner: the fence in `set_collected`.
        fence(Ordering::SeqCst);
        // The slot of an owner that has left may be another's, before or after the flag is read.
        // Relaxed: ordered by the fence.
        !is_it() || self.cold(slot).collected.load(Ordering::Relaxed) == 1 || !is_it()
    }
}

/// What had become of a promise when its heir gave it back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Promise {
    /// It was still the heir's, and is nobody's now.
    Broken,
    /// It is another newcomer's.
    PassedOn,
    /// The client has ended, and left its place to the heir.
    Kept,
}

/// A newcomer for which a client is evicted: its slot plus one, and the lower half of its generation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Evictor(u64);

impl Evictor {
    pub(crate) fn of(newcomer: Address) -> Self {
        Self(newcomer.generation << 32 | u64::from(newcomer.slot + 1))
    }

    fn slot(self) -> u32 {
        self.0 as u32 - 1
    }
}

/// In the place of an evictor: the client was handed over.
const CLAIMED: u64 = u64::MAX;

/// Set on an heir's word: the client has ended, and its place went to that heir.
const ENDED: u32 = 1 << 31;

const _: () = assert!(MAX_SLOTS < ENDED);
