//! What anyone may do for a newcomer that has committed: evict whom it displaces; and for a client that
//! is about to end: stop the aliases that are on their way.
//!
//! A newcomer is `Taking` until every older live bearer of its names is evicted. Each is handed to the
//! newcomer's owner, who collects them once it is `Live` (`collect_evicted`), whoever did the work.

use super::drive::{Rival, Takeover};
use super::{Call, Tandem};
use crate::reclaim::attempt;
use crate::slots::{Address, Evictor, Facts};
use crate::state::{End, Phase, Refusal, Word};
use crate::sync::{Ordering, fence};

/// Whom an owner evicted for its newcomer.
#[derive(Debug, Default)]
pub(super) struct Evicted {
    /// The owner's to unlink.
    pub(super) claimed: Vec<(u32, Word)>,
    /// Nobody else was to be evicted.
    pub(super) are_all: bool,
}

impl<Id: Eq, Node: Eq, Info, Stream> Tandem<Id, Node, Info, Stream> {
    /// Evicts every older live bearer of the names of `newcomer`, and makes it `Live`.
    pub(super) fn settle(&self, newcomer: u32, call: &mut Call<'_>) {
        loop {
            let seen = self.slots.see(newcomer, &call.pin);
            let (Some(mine), Phase::Taking) = (seen.live(), seen.word.phase()) else {
                return;
            };
            let (word, facts) = (seen.word, mine.facts());
            let mut missed = false;
            for rival in self.rivals(newcomer, facts, call) {
                let older = rival.word.is_live() && rival.word.generation() < word.generation();
                if older && self.bears_names(newcomer, word, &rival, call) {
                    missed |= !self.evict(rival, newcomer, word, call);
                }
            }
            if !missed && self.slots.step(newcomer, word, word.live()) {
                return;
            }
        }
    }

    /// The same for the owner whose own attempt committed its newcomer: that has seen everyone who is to be
    /// evicted, as no other could commit since without settling this one first. Those whom this call evicts
    /// are claimed as well. What it leaves undone is for `settle`.
    pub(super) fn settle_own(
        &self,
        newcomer: u32,
        takeover: Takeover,
        call: &mut Call<'_>,
    ) -> Evicted {
        let Takeover { word, older } = takeover;
        let address = Address { slot: newcomer, generation: word.generation() };
        let mut evicted = Evicted::default();
        for rival in older {
            if rival.word.phase() != Phase::Live || rival.word.is_named() {
                return evicted;
            }
            self.slots.appoint_evictor(rival.slot, address, &call.pin);
            let dead = rival.word.ending(End::Evict);
            // Linearization point of an eviction: this step (A). Nobody needs to look at the newcomer's word
            // before: since the commit nothing but its eviction has come over the older one's, or this fails.
            if !self.slots.step(rival.slot, rival.word, dead) {
                return evicted;
            }
            if self.slots.claim_evicted(rival.slot, Evictor::of(address)) {
                evicted.claimed.push((rival.slot, dead));
            } else {
                self.adopt(rival, call);
            }
        }
        evicted.are_all = true;
        self.slots.step(newcomer, word, word.live());
        evicted
    }

    /// Whether the live rival bears a name of the live newcomer. A panic of a user's `Eq` is a no.
    fn bears_names(&self, newcomer: u32, word: Word, rival: &Rival, call: &mut Call<'_>) -> bool {
        let pin = &call.pin;
        // SAFETY: `settle` read the word, under the pin of the call.
        let mine = unsafe { self.slots.recall(newcomer, word, pin) }.live();
        // SAFETY: `rivals` read the word, under the pin of the call.
        let theirs = unsafe { self.slots.recall(rival.slot, rival.word, pin) }.live();
        let (Some(mine), Some(theirs)) = (mine, theirs) else {
            return false;
        };
        if rival.word.is_alias() && self.owner_of(rival.slot, pin).is_none() {
            return false;
        }
        if mine.word().is_alias() && !rival.word.is_alias() {
            // An alias ends no client, whatever a user's `Eq` says now (C, I).
            return false;
        }
        let same = attempt(|| {
            rival.by_id && mine.id() == theirs.id() || rival.by_node && mine.node() == theirs.node()
        });
        same.unwrap_or_else(|payload| {
            call.panics.keep(payload);
            false
        })
    }

    /// Takes one older bearer out of the newcomer's way. `false`: look again.
    fn evict(&self, rival: Rival, newcomer: u32, word: Word, call: &mut Call<'_>) -> bool {
        // Read again after the rival's: a newcomer that has moved on evicts nobody any more, and a
        // record newer than it may look like an older one to a settler that slept.
        if self.slots.see(newcomer, &call.pin).word != word {
            return false;
        }
        if rival.word.phase() == Phase::Live {
            let address = Address { slot: newcomer, generation: word.generation() };
            self.slots.appoint_evictor(rival.slot, address, &call.pin);
            // Linearization point of an eviction, unless aliases are on their way: this step (A).
            let next = rival.word.ending(End::Evict);
            if !self.slots.step(rival.slot, rival.word, next) {
                return false;
            }
        }
        self.finish(rival.slot, call);
        self.adopt(rival, call);
        true
    }

    /// Takes care of an evicted client whose newcomer's owner has left already: this settler found that
    /// it bears the name, and those that made the newcomer `Live` found that it does not. Only an
    /// unlawful `Eq` gets here (I).
    fn adopt(&self, rival: Rival, call: &mut Call<'_>) {
        loop {
            let seen = self.slots.see(rival.slot, &call.pin);
            if seen.address() != rival.address() || seen.word.phase() != Phase::Evicted {
                return;
            }
            let Some(evictor) = self.slots.evictor(rival.slot) else {
                return;
            };
            if !self.slots.has_collected(evictor, &call.pin) {
                return;
            }
            if self.slots.claim_evicted(rival.slot, evictor) {
                if let Some(ended) = self.unlink_evicted(rival.slot, seen.word, call) {
                    // SAFETY: `unlink` has removed its entries, under the pin.
                    unsafe { self.slots.retire_ended(ended, &call.pin) };
                }
                return;
            }
        }
    }

    /// Completes the end of a client that has aliases: what is on its way is refused, what is taking
    /// is settled, then the client dies.
    ///
    /// An alias commits only after its driver read the owner's word, behind a fence, and found no end
    /// begun. So one that is not seen armed here is either settled already or will find the end.
    pub(super) fn finish(&self, slot: u32, call: &mut Call<'_>) {
        loop {
            let seen = self.slots.see(slot, &call.pin);
            if !matches!(seen.word.phase(), Phase::Retiring | Phase::Evicting) {
                return;
            }
            let owner = seen.address();
            let word = seen.word;
            // SeqCst: between the end that was begun and the aliases' words. Partner: the one in
            // `pass`, between an alias's word and its owner's.
            fence(Ordering::SeqCst);
            let names = self.slots.names(slot).read(&call.pin).to_vec();
            for alias in names {
                self.stop_alias(alias, owner, call);
            }
            // Linearization point of the removal (A).
            if self.slots.step(slot, word, word.ended()) {
                return;
            }
        }
    }

    fn stop_alias(&self, alias: u32, owner: Address, call: &mut Call<'_>) {
        loop {
            // `find`: a list may name a slot that has been given up since.
            let facts = self.slots.find(alias, &call.pin).map(|seen| (seen, seen.facts()));
            let Some((seen, Some(Facts::Alias { owner: its, .. }))) = facts else {
                return;
            };
            if its != owner {
                return;
            }
            let word = seen.word;
            match word.phase() {
                Phase::Armed => {
                    if self.slots.step(alias, word, word.refused(Refusal::Gone)) {
                        return;
                    }
                }
                Phase::Taking => self.settle(alias, call),
                _ => return,
            }
        }
    }
}
