//! The way out: a disconnect, the end of all, and what follows a death.
//!
//! Whoever takes the step from live towards dead is the client's one ender: it closes the client's
//! pointers, unlinks it from both tables and gives its place back, whoever helps in between.

use core::mem;

use super::drive::Role;
use super::{Call, Tandem};
use crate::hash::Hash;
use crate::policy::Policy;
use crate::reclaim::Panics;
use crate::slots::{Address, Ended, Facts};
use crate::state::{End, Phase, Refusal, Word};

impl<Id, Node, Info, Stream> Tandem<Id, Node, Info, Stream> {
    /// Takes a dead client out of both tables, ends its aliases, and releases its place. The caller
    /// is its ender.
    pub(super) fn unlink(&self, slot: u32, word: Word, call: &mut Call<'_>) -> Ended<Info, Stream> {
        // SAFETY: `word` is dead, hence the last, and the caller is the only ender.
        let ended = unsafe { self.slots.take_ended(slot, word) };
        let facts = self.slots.facts_of_ended(slot);
        if word.is_named() {
            let owner = Address { slot, generation: word.generation() };
            for alias in self.slots.names(slot).close(&call.pin) {
                self.end_alias_of(owner, alias, call);
            }
        }
        if let Some(id) = facts.id() {
            self.ids.remove(id, slot, &call.pin);
        }
        self.nodes.remove(facts.node(), slot, &call.pin);
        // Once: by us, or by the heir in due course (E).
        if !(word.is_claimed() && self.slots.inherit(slot)) {
            self.places.release(call.pin.thread());
        }
        ended
    }

    /// Ends an alias that is not on its way any more, nor taking: one of a client that is dead, as `finish`
    /// came before, or the caller's own.
    pub(super) fn end_alias_of(&self, owner: Address, alias: u32, call: &Call<'_>) {
        loop {
            // `find`: a list may name a slot that has been given up since.
            let Some(seen) = self.slots.find(alias, &call.pin) else {
                return;
            };
            let (Some(Facts::Alias { node, owner: its }), Phase::Live) =
                (seen.facts(), seen.word.phase())
            else {
                return;
            };
            if its != owner {
                return;
            }
            if self.slots.step(alias, seen.word, seen.word.ending(End::Retire)) {
                return self.unlink_alias(alias, node, call);
            }
        }
    }

    /// Takes a dead alias out of the table. The caller is its ender.
    pub(super) fn unlink_alias(&self, alias: u32, node: Hash, call: &Call<'_>) {
        self.nodes.remove(node, alias, &call.pin);
        // SAFETY: its only entry is removed, and the ender is one.
        unsafe { self.slots.retire_alias(alias, &call.pin) };
    }

    /// Drops every live client, when no guard and no other call is left.
    pub(super) fn drop_live(&self, panics: &mut Panics) {
        let pin = self.pin();
        for slot in 0..self.slots.len() {
            // `find`: the slot may have been vacated.
            let Some(word) = self.slots.find(slot, &pin).map(|seen| seen.word) else {
                continue;
            };
            if !word.is_live() {
                continue;
            }
            let dead = word.ending(End::Retire).ended();
            self.slots.step(slot, word, dead);
            // SAFETY: dead now, by this call, and no guard is left.
            unsafe {
                if word.is_alias() {
                    self.slots.drop_alias(slot, panics);
                } else {
                    let ended = self.slots.take_ended(slot, dead);
                    self.slots.drop_ended(ended, panics);
                }
            }
        }
    }
}

impl<Id: Eq, Node: Eq, Info, Stream> Tandem<Id, Node, Info, Stream> {
    /// Ends one incarnation of a client. `None`: it had ended, or another call is ending it (and has
    /// been helped to).
    pub(crate) fn end(&self, address: Address, call: &mut Call<'_>) -> Option<Ended<Info, Stream>> {
        loop {
            let live = self.live_at(address, &call.pin)?;
            self.prefetch_chains(live.facts(), &call.pin);
            let word = live.word();
            match word.phase() {
                // First those that it displaces: they would be seen again (D).
                Phase::Taking => self.settle(address.slot, call),
                Phase::Live => {
                    // Linearization point of a disconnect, unless aliases are on their way: this
                    // step (A).
                    if self.slots.step(address.slot, word, word.ending(End::Retire)) {
                        self.finish(address.slot, call);
                        let word = self.slots.see(address.slot, &call.pin).word;
                        return Some(self.unlink(address.slot, word, call));
                    }
                }
                _ => self.finish(address.slot, call),
            }
        }
    }

    /// Refuses or ends whatever is in a slot after the places were closed. Whoever took a place before
    /// has a word by now that says so, and whoever did not is refused.
    ///
    /// A panic over this slot leaves it to its owner; one over an earlier slot counts for nothing here (I).
    pub(crate) fn clear(&self, slot: u32, call: &mut Call<'_>) -> Option<Ended<Info, Stream>> {
        let earlier = mem::take(&mut call.panics);
        let ended = self.clear_one(slot, call);
        let here = mem::replace(&mut call.panics, earlier);
        call.panics.join(here);
        ended
    }

    fn clear_one(&self, slot: u32, call: &mut Call<'_>) -> Option<Ended<Info, Stream>> {
        loop {
            let seen = self.slots.find(slot, &call.pin)?;
            let word = seen.word;
            if word.is_alias() || word.generation() == 0 {
                // An alias goes with its owner; a slot never used has nothing in it.
                return None;
            }
            match word.phase() {
                // Its owner would drive it to a commit, and anyone may be reading its names.
                Phase::Armed if self.policy == Policy::Takeover => {
                    self.pass(slot, Role::Helper, call);
                }
                Phase::Entering | Phase::Waiting | Phase::Armed => {
                    if self.slots.step(slot, word, word.refused(Refusal::Closed)) {
                        return None;
                    }
                }
                _ if word.is_live() => return self.end(seen.address(), call),
                _ => return None,
            }
            if call.panics.any() {
                return None;
            }
        }
    }
}
