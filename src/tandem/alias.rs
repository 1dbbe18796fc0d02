//! Aliases: further names of a client in the node table (C).
//!
//! An alias is a slot of its own, with a name and an owner, that competes by the same protocol as a
//! client, in the node table alone. It counts while both its word and its owner's are live, so the one
//! step that ends the owner ends all its names (A).
//!
//! An alias must not commit for an owner that is dead: it would take the name from its bearer for
//! nobody. So an owner that may have aliases (mark `named`) ends in two steps: `Retiring` or `Evicting`,
//! after which no alias of it commits that has not been seen armed, and dead, once those are stopped or
//! settled (`finish`).

use super::drive::Role;
use super::settle::Evicted;
use super::{Call, Tandem};
use crate::hash::Hash;
use crate::reclaim::{Pin, attempt};
use crate::slots::{Address, Entered, Facts, Live};
use crate::state::{End, Phase, Refusal, Word};

/// Why a client did not get a further name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AliasRefusal {
    Gone,
    NodeId,
    Taken,
    Exhausted,
    /// A user's `Eq` panicked; the panic is in the call.
    Panicked,
}

impl<Id, Node, Info, Stream> Tandem<Id, Node, Info, Stream> {
    /// The client that a live alias names, if it is live too.
    #[inline]
    pub(super) fn owner_of<'p>(
        &'p self,
        alias: u32,
        pin: &'p Pin<'_>,
    ) -> Option<Live<'p, Id, Node, Info, Stream>> {
        let Facts::Alias { owner, .. } = self.slots.see(alias, pin).facts()? else {
            return None;
        };
        self.live_at(owner, pin)
    }

    /// The incarnation at an address, if it is live.
    #[inline]
    pub(crate) fn live_at<'p>(
        &'p self,
        address: Address,
        pin: &'p Pin<'_>,
    ) -> Option<Live<'p, Id, Node, Info, Stream>> {
        self.slots.find_at(address, pin)?.client()
    }
}

impl<Id: Eq, Node: Eq, Info, Stream> Tandem<Id, Node, Info, Stream> {
    /// Whether an alias of `owner` may commit: it is live and no end of it has begun. One that has
    /// begun is finished, so that the answer `false` is true.
    pub(super) fn may_name(&self, owner: Address, call: &mut Call<'_>) -> bool {
        let Some(live) = self.live_at(owner, &call.pin) else {
            return false;
        };
        let ending = matches!(live.word().phase(), Phase::Retiring | Phase::Evicting);
        if ending {
            self.finish(owner.slot, call);
        }
        !ending
    }

    /// Gives a live client a further name.
    pub(crate) fn add_alias(
        &self,
        owner: Address,
        hash: Hash,
        name: Node,
        call: &mut Call<'_>,
    ) -> Result<(), (AliasRefusal, Node)> {
        if !self.may_name(owner, call) {
            return Err((AliasRefusal::Gone, name));
        }
        match attempt(|| self.find_alias(owner, hash, |other| *other == name, &call.pin)) {
            Ok(None) => {}
            // Linearization point: that of the lookup.
            Ok(Some(_)) => return Ok(()),
            Err(payload) => {
                call.panics.keep(payload);
                return Err((AliasRefusal::Panicked, name));
            }
        }
        let Some(fresh) = self.slots.allocate(&call.pin) else {
            return Err((AliasRefusal::Exhausted, name));
        };
        let entered = self.slots.fill_alias(fresh, hash, owner, name);
        let slot = entered.slot();
        self.nodes.put(hash, slot, &call.pin);
        // On the owner's list first, then the mark, then armed: whoever ends the owner after the mark
        // finds the alias on the list, and before it fails the mark.
        let pin = &call.pin;
        let is_its_alias = |other| {
            let Some(seen) = self.slots.find(other, pin) else {
                return false;
            };
            match seen.facts() {
                Some(Facts::Alias { owner: its, .. }) => its == owner,
                Some(Facts::Client { .. }) => false,
                // Being entered: perhaps for this owner. Dead, refused: for nobody.
                None => seen.word.is_alias() && seen.word.phase() == Phase::Entering,
            }
        };
        let listed = self.slots.names(owner.slot).add(slot, is_its_alias, pin);
        if listed && self.mark(owner, Word::is_named, Word::named, call) {
            self.slots.publish(&entered, Word::armed);
        } else {
            self.slots.publish(&entered, |word| word.refused(Refusal::Gone));
        }
        let word = self.drive_alias(slot, call);
        if word.is_refused() {
            let refusal = self.withdraw_alias(entered, word, hash, call);
            if refusal.0 == AliasRefusal::Gone {
                // Stopped by an end that was begun: it is to be over before anyone is told.
                self.may_name(owner, call);
            }
            return Err(refusal);
        }
        if word.took() {
            let address = Address { slot, generation: word.generation() };
            for ended in self.collect_evicted(address, None, hash, Evicted::default(), call) {
                // An alias evicts no client (`bears_names`); should one be here, it is not lost (I).
                // SAFETY: `unlink` has removed its entries, under the pin.
                unsafe { self.slots.retire_ended(ended, &call.pin) };
            }
        }
        if call.panics.any() {
            // The caller gets the panic, not the alias: an `Eq` that panicked may have left it to its older
            // bearer as well, who would show up again once this one goes (C).
            self.end_alias_of(owner, slot, call);
            core::mem::take(&mut call.panics).resume();
        }
        Ok(())
    }

    /// The alias of `owner` by which a lookup of the name finds it: one that is about to be evicted does not
    /// count any more.
    fn find_alias(
        &self,
        owner: Address,
        hash: Hash,
        is_name: impl FnMut(&Node) -> bool,
        pin: &Pin<'_>,
    ) -> Option<u32> {
        let named = self.find_by_node(hash, is_name, pin)?;
        // Not by its node id.
        let is_its = named.client.address() == owner && named.bearer != owner;
        is_its.then_some(named.bearer.slot)
    }

    fn drive_alias(&self, slot: u32, call: &mut Call<'_>) -> Word {
        loop {
            let word = self.slots.see(slot, &call.pin).word;
            match word.phase() {
                Phase::Armed if call.panics.any() => {
                    self.slots.step(slot, word, word.refused(Refusal::Gone));
                }
                Phase::Armed => {
                    self.pass(slot, Role::Owner, call);
                }
                Phase::Taking => self.settle(slot, call),
                _ => return word,
            }
        }
    }

    fn withdraw_alias(
        &self,
        entered: Entered,
        word: Word,
        hash: Hash,
        call: &Call<'_>,
    ) -> (AliasRefusal, Node) {
        self.nodes.remove(hash, entered.slot(), &call.pin);
        let refusal = match word.phase() {
            Phase::RefusedId => AliasRefusal::NodeId,
            Phase::RefusedNode => AliasRefusal::Taken,
            _ if call.panics.any() => AliasRefusal::Panicked,
            _ => AliasRefusal::Gone,
        };
        // SAFETY: its only entry is removed, under the pin.
        (refusal, unsafe { self.slots.take_alias_back(entered, &call.pin) })
    }

    /// Sets a mark on a live client's word. `false`: the client is gone.
    pub(super) fn mark(
        &self,
        address: Address,
        has: impl Fn(Word) -> bool,
        set: impl Fn(Word) -> Word,
        call: &mut Call<'_>,
    ) -> bool {
        loop {
            let Some(live) = self.live_at(address, &call.pin) else {
                return false;
            };
            let word = live.word();
            if has(word) || self.slots.step(address.slot, word, set(word)) {
                return true;
            }
        }
    }

    /// Takes a further name from a client. `false`: it does not have it.
    pub(crate) fn remove_alias(
        &self,
        owner: Address,
        hash: Hash,
        mut is_name: impl FnMut(&Node) -> bool,
        call: &mut Call<'_>,
    ) -> bool {
        loop {
            // Linearization point of a miss: that of the lookup.
            let Some(alias) = self.find_alias(owner, hash, &mut is_name, &call.pin) else {
                return false;
            };
            let word = self.slots.see(alias, &call.pin).word;
            match word.phase() {
                Phase::Taking => self.settle(alias, call),
                // Linearization point: this step (A).
                Phase::Live if self.slots.step(alias, word, word.ending(End::Retire)) => {
                    self.unlink_alias(alias, hash, call);
                    return true;
                }
                _ => {}
            }
        }
    }
}
