//! What a client leaves to newcomers: its place to an *heir*, and its end to an *evictor* (D, E).
//!
//! Both are appointed once, by slot, whoever comes first. The heir's word is also the token of the place:
//! at the end of the client it is exchanged for `ENDED`, so that a promise that is broken at that moment
//! neither loses the place nor doubles it.

use super::Slots;
use crate::sync::{AtomicU32, Ordering};

impl<Id, Node, Info, Stream> Slots<Id, Node, Info, Stream> {
    /// Who is promised the place of `slot`: `newcomer`, if nobody was before. `None`: it has ended.
    pub(crate) fn promise(&self, slot: u32, newcomer: u32) -> Option<u32> {
        let heir = appoint(&self.cold(slot).heir, newcomer);
        (heir != ENDED - 1).then_some(heir)
    }

    /// Gives a promise back that `newcomer` will not use. `false`: the client has ended, and left its
    /// place to the newcomer.
    pub(crate) fn break_promise(&self, slot: u32, newcomer: u32) -> bool {
        // AcqRel, Acquire on failure: as in `appoint`. Partner: `inherit`, of which only one comes first.
        let heir = &self.cold(slot).heir;
        heir.compare_exchange(newcomer + 1, 0, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }

    /// The end of a client whose place is claimed: whether a newcomer has it now.
    pub(crate) fn inherit(&self, slot: u32) -> bool {
        // AcqRel: see `break_promise`.
        self.cold(slot).heir.swap(ENDED, Ordering::AcqRel) != 0
    }

    /// Who ends `slot`, should it be evicted: `newcomer`, if nobody was named before.
    pub(crate) fn appoint_evictor(&self, slot: u32, newcomer: u32) -> u32 {
        appoint(&self.cold(slot).evictor, newcomer)
    }

    /// Who was named to end `slot`.
    pub(crate) fn evictor(&self, slot: u32) -> Option<u32> {
        // Acquire: pairs with `appoint`.
        self.cold(slot).evictor.load(Ordering::Acquire).checked_sub(1)
    }
}

/// In the place of an heir: the client has ended, and its place went to the one that stood here.
const ENDED: u32 = u32::MAX;

/// Sets an empty word to a slot, and says what it holds then.
fn appoint(word: &AtomicU32, slot: u32) -> u32 {
    // AcqRel, Acquire on failure: whoever meets an appointed slot sees its word past `Entering`.
    match word.compare_exchange(0, slot + 1, Ordering::AcqRel, Ordering::Acquire) {
        Ok(_) => slot,
        Err(appointed) => appointed - 1,
    }
}
