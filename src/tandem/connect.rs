//! The owner's way through a connect: fill, enter, arm, drive, collect.
//!
//! 1. Fill the record, take a place if one is free, enter it in both tables. Nobody minds a record
//!    that says `Entering`, so nothing has to be done on its behalf.
//! 2. Store `Armed`, or `Waiting` if no place was free. From here on rivals see it.
//! 3. Waiting: claim the place of the client to be displaced, or find one free, or be refused. Only the
//!    owner does this.
//! 4. Armed: be driven to the commit, or to a refusal, by whoever gets there first (`drive`).
//! 5. Live: collect the clients that were evicted for it. Refused: take everything back.

use super::drive::{Pass, Role};
use super::settle::Evicted;
use super::{Call, Tandem};
use crate::hash::Hash;
use crate::places::Ask;
use crate::policy::Policy;
use crate::reclaim::attempt;
use crate::slots::{Address, Contents, Ended, Entered, Evictor, Facts, Promise};
use crate::state::{Kind, Phase, Refusal, Word};
use crate::sync::{Ordering, fence};

/// A connect that succeeded.
pub(crate) struct Committed<Info, Stream> {
    pub(crate) address: Address,
    /// The evicted: the one that had the client id, and the one that had only the node id.
    pub(crate) by_id: Option<Ended<Info, Stream>>,
    pub(crate) by_node: Option<Ended<Info, Stream>>,
}

/// A connect that was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    Id,
    Node,
    Full,
    Closed,
    /// No slot is left.
    Exhausted,
    /// A user's `Eq` panicked; the panic is in the call.
    Panicked,
}

/// What the owner remembers between attempts.
#[derive(Debug)]
struct Attempt {
    /// It took a free place.
    own: bool,
    /// The client whose place it was promised. Never besides one of its own.
    benefactor: Option<u32>,
}

impl<Id: Eq, Node: Eq, Info, Stream> Tandem<Id, Node, Info, Stream> {
    /// Connects a client.
    pub(crate) fn connect(
        &self,
        ids: (Hash, Hash),
        contents: Contents<Id, Node, Info, Stream>,
        call: &mut Call<'_>,
    ) -> Result<Committed<Info, Stream>, (Refused, Option<Contents<Id, Node, Info, Stream>>)> {
        if self.places.is_closed() {
            return Err((Refused::Closed, Some(contents)));
        }
        self.prefetch_chains(Facts::Client { id: ids.0, node: ids.1 }, &call.pin);
        let Some(fresh) = self.slots.allocate(&call.pin) else {
            return Err((Refused::Exhausted, Some(contents)));
        };
        let entered = self.slots.fill(fresh, ids, contents);
        let slot = entered.slot();
        let place = self.places.take(call.pin.thread());
        self.ids.put(ids.0, slot, &call.pin);
        self.nodes.put(ids.1, slot, &call.pin);
        self.slots.publish(&entered, |word| match place {
            Ask::Taken => word.armed(),
            Ask::Full => word.waiting(),
            Ask::Closed => word.refused(Refusal::Closed),
        });

        let mut evicted = Evicted::default();
        let (word, place) = self.see_through(slot, place == Ask::Taken, &mut evicted, call);
        if word.is_refused() {
            return Err(self.withdraw(entered, word, place, ids, call));
        }
        let committed = self.collect(slot, word, ids, evicted, call);
        if call.panics.any() {
            // The caller gets the panic, not the client: it must not stay.
            self.abandon(committed, call);
            unreachable!("`abandon` resumes the panic");
        }
        Ok(committed)
    }

    /// Carries the own record on until it is live, or was, or is refused. With its last word goes
    /// whether a place is to be released if it was refused.
    fn see_through(
        &self,
        slot: u32,
        placed: bool,
        evicted: &mut Evicted,
        call: &mut Call<'_>,
    ) -> (Word, bool) {
        let mut attempt = Attempt { own: placed, benefactor: None };
        let word = loop {
            let word = self.slots.see(slot, &call.pin).word;
            match word.phase() {
                Phase::Waiting | Phase::Armed if call.panics.any() => {
                    self.slots.step(slot, word, word.refused(Refusal::Gone));
                }
                Phase::Waiting => self.wait(slot, word, &mut attempt, call),
                Phase::Armed => {
                    if let Pass::Took(takeover) = self.pass(slot, Role::Owner, call) {
                        *evicted = self.settle_own(slot, takeover, call);
                    }
                }
                Phase::Taking => self.settle(slot, call),
                _ => break word,
            }
        };
        if let Some(benefactor) = attempt.benefactor.filter(|_| !word.is_refused()) {
            self.give_back(benefactor, slot, call);
        }
        // A promise that is broken stays with the client, unless that has ended and left its place.
        let inherited = |benefactor| self.slots.break_promise(benefactor, slot) == Promise::Kept;
        let owed = attempt.own || word.is_refused() && attempt.benefactor.is_some_and(inherited);
        (word, owed)
    }

    /// A client that was to be evicted, and lives on as a panic of a user's `Eq` kept it, has its place back from the
    /// newcomer, which takes one more: both are there, until one of them ends (E, I).
    fn give_back(&self, benefactor: u32, me: u32, call: &Call<'_>) {
        // The pin of the call keeps the slot from being another's.
        if self.slots.see(benefactor, &call.pin).word.is_live() {
            self.places.take_one_more(call.pin.thread());
            if self.slots.break_promise(benefactor, me) != Promise::Broken {
                // It has ended meanwhile, and left its place; or whom it passed on to took one for us.
                self.places.release(call.pin.thread());
            }
        }
    }

    /// One attempt to get from `Waiting` to `Armed`, or to a refusal.
    fn wait(&self, slot: u32, word: Word, attempt: &mut Attempt, call: &mut Call<'_>) {
        let Some(facts) = self.slots.see(slot, &call.pin).facts() else {
            return;
        };
        // SeqCst: between the word and the scan, as in `pass`. A rival that commits after the scan
        // raises this word first, so a refusal that was decided on the scan fails.
        fence(Ordering::SeqCst);
        if let Some(benefactor) = attempt.benefactor {
            let theirs = self.slots.see(benefactor, &call.pin).word;
            if theirs.is_claimed() {
                // The place is ours, whatever became of the client.
                self.slots.step(slot, word, word.armed());
                return;
            }
            if !theirs.is_live() {
                // It ended before the claim, and released its place.
                attempt.benefactor = None;
            }
        }
        let mut conflict = attempt.benefactor;
        for rival in self.rivals(slot, facts, call) {
            match rival.word.phase() {
                Phase::Waiting => {}
                Phase::Armed => match self.pass(rival.slot, Role::Helper, call) {
                    Pass::Raised => {}
                    _ => return,
                },
                Phase::Live => {
                    let Some(verdict) = self.compare(slot, facts.kind(), &rival, call) else {
                        return;
                    };
                    let is_alias = rival.word.is_alias();
                    if is_alias && self.owner_of(rival.slot, &call.pin).is_none() {
                        continue;
                    }
                    if verdict.same_id || verdict.same_node {
                        if self.policy == Policy::Reject {
                            let why = if verdict.same_id { Refusal::Id } else { Refusal::Node };
                            self.slots.step(slot, word, word.refused(why));
                            return;
                        }
                        // An alias has no place to hand over.
                        if !is_alias {
                            conflict = conflict.or(Some(rival.slot));
                        }
                    }
                }
                _ => return self.clear_the_way(rival, call),
            }
        }
        if !attempt.own {
            if let Some(older) = conflict {
                return self.claim(older, slot, attempt, call);
            }
            let refusal = match self.places.take(call.pin.thread()) {
                Ask::Taken => None,
                Ask::Full => Some(Refusal::Full),
                Ask::Closed => Some(Refusal::Closed),
            };
            if let Some(refusal) = refusal {
                // Linearization point of the refusal: the read of the counter (E).
                self.slots.step(slot, word, word.refused(refusal));
                return;
            }
            attempt.own = true;
        }
        self.slots.step(slot, word, word.armed());
    }

    /// Has the older client's place promised to `me` and arms `me`, or helps whoever it is promised to.
    fn claim(&self, older: u32, me: u32, attempt: &mut Attempt, call: &mut Call<'_>) {
        let Some(heir) = self.slots.promise(older, me) else {
            return;
        };
        // While the older client lives, the heir's owner has not left, so that the pin keeps its slot from being
        // another's. If it does not, nothing comes of what is read here.
        let theirs = self.slots.see(heir, &call.pin).word;
        let has_given_up = heir != me && theirs.is_refused();
        if heir == me || has_given_up && self.slots.pass_promise_on(older, heir, me) {
            attempt.benefactor = Some(older);
        }
        if theirs.is_refused() {
            return;
        }
        let word = self.slots.see(older, &call.pin).word;
        if word.phase() != Phase::Live {
            return;
        }
        if !word.is_claimed() && !self.slots.step(older, word, word.claimed()) {
            return;
        }
        match theirs.phase() {
            Phase::Waiting => {
                self.slots.step(heir, theirs, theirs.armed());
            }
            Phase::Armed if heir != me => {
                self.pass(heir, Role::Helper, call);
            }
            // It shares a name with the older client, not necessarily with us: nobody else may come by.
            Phase::Taking => self.settle(heir, call),
            _ if heir == me => {}
            // It went live before the older client's word was read, and has not evicted it, by a panic or a lie
            // of an `Eq`. What its owner has yet to do, `give_back`, is done here: nobody waits for it (F, I).
            _ => {
                self.places.take_one_more(call.pin.thread());
                if self.slots.pass_promise_on(older, heir, me) {
                    attempt.benefactor = Some(older);
                } else {
                    self.places.release(call.pin.thread());
                }
            }
        }
    }

    /// Undoes the entering of a refused record. The contents come back, unless it was a panic.
    fn withdraw(
        &self,
        entered: Entered,
        word: Word,
        place: bool,
        ids: (Hash, Hash),
        call: &Call<'_>,
    ) -> (Refused, Option<Contents<Id, Node, Info, Stream>>) {
        let slot = entered.slot();
        self.ids.remove(ids.0, slot, &call.pin);
        self.nodes.remove(ids.1, slot, &call.pin);
        if place {
            self.places.release(call.pin.thread());
        }
        let refused = match word.phase() {
            Phase::RefusedId => Refused::Id,
            Phase::RefusedNode => Refused::Node,
            Phase::RefusedFull => Refused::Full,
            Phase::RefusedClosed => Refused::Closed,
            _ => {
                // SAFETY: both entries are removed, under the pin.
                unsafe { self.slots.retire_entered(entered, &call.pin) };
                return (Refused::Panicked, None);
            }
        };
        // SAFETY: both entries are removed, under the pin, and only the owner refuses what others may
        // be reading, with another word.
        (refused, Some(unsafe { self.slots.take_back(entered, &call.pin) }))
    }

    /// Collects what was evicted for a newcomer: exactly the records that carry it as evictor, whoever
    /// did the work (D).
    fn collect(
        &self,
        slot: u32,
        word: Word,
        ids: (Hash, Hash),
        evicted: Evicted,
        call: &mut Call<'_>,
    ) -> Committed<Info, Stream> {
        let address = Address { slot, generation: word.generation() };
        let mut committed = Committed { address, by_id: None, by_node: None };
        if !word.took() {
            return committed;
        }
        for ended in self.collect_evicted(address, Some(ids.0), ids.1, evicted, call) {
            // SAFETY: the record is the caller's own, was live, and is kept by the pin.
            let (id, _) = unsafe { self.slots.names_of_entered(slot, Kind::Client) };
            let same_id = attempt(|| id == Some(self.slots.id_of(&ended)));
            let same_id = same_id.unwrap_or_else(|payload| {
                call.panics.keep(payload);
                false
            });
            if same_id && committed.by_id.is_none() {
                committed.by_id = Some(ended);
            } else if committed.by_node.is_none() {
                committed.by_node = Some(ended);
            } else {
                // Three, or two of one name: only an unlawful `Eq` gets here (I).
                // SAFETY: `unlink` has removed its entries, under the pin.
                unsafe { self.slots.retire_ended(ended, &call.pin) };
            }
        }
        committed
    }

    /// The clients that were evicted for a newcomer, unlinked. An evicted alias is unlinked on the way, and
    /// gone.
    pub(super) fn collect_evicted(
        &self,
        newcomer: Address,
        id: Option<Hash>,
        node: Hash,
        Evicted { mut claimed, are_all }: Evicted,
        call: &mut Call<'_>,
    ) -> Vec<Ended<Info, Stream>> {
        if !are_all {
            // Before the flag: after it, a settler that still takes one of these for live may have it handed to
            // another newcomer (`appoint_evictor`), whose owner may have left.
            self.claim_all(newcomer, id, node, &mut claimed, call);
        }
        // Once more: what comes after this is the settler's to take care of, see `adopt`.
        self.slots.set_collected(newcomer.slot);
        self.claim_all(newcomer, id, node, &mut claimed, call);
        let mut clients = Vec::new();
        for (slot, word) in claimed {
            clients.extend(self.unlink_evicted(slot, word, call));
        }
        clients
    }

    fn claim_all(
        &self,
        newcomer: Address,
        id: Option<Hash>,
        node: Hash,
        evicted: &mut Vec<(u32, Word)>,
        call: &Call<'_>,
    ) {
        let evictor = Evictor::of(newcomer);
        for (table, hash) in [(&self.ids, id), (&self.nodes, Some(node))] {
            let Some(hash) = hash else { continue };
            for slot in table.slots(hash, &call.pin) {
                let word = self.slots.see(slot, &call.pin).word;
                if word.phase() == Phase::Evicted && self.slots.claim_evicted(slot, evictor) {
                    evicted.push((slot, word));
                }
            }
        }
    }

    /// Unlinks a client that this call has claimed, or an alias, which is gone then.
    pub(super) fn unlink_evicted(
        &self,
        slot: u32,
        word: Word,
        call: &mut Call<'_>,
    ) -> Option<Ended<Info, Stream>> {
        match self.slots.facts_of_ended(slot) {
            Facts::Alias { node, .. } => {
                self.unlink_alias(slot, node, call);
                None
            }
            Facts::Client { .. } => Some(self.unlink(slot, word, call)),
        }
    }
}

impl<Id: Eq, Node: Eq, Info, Stream> Tandem<Id, Node, Info, Stream> {
    /// Ends a client whose connect a panic of a user's `Eq` cut short, and continues the panic.
    fn abandon(&self, committed: Committed<Info, Stream>, call: &mut Call<'_>) {
        let ended = self.end(committed.address, call);
        for ended in [ended, committed.by_id, committed.by_node].into_iter().flatten() {
            // SAFETY: `unlink` has removed its entries, under the pin.
            unsafe { self.slots.retire_ended(ended, &call.pin) };
        }
        core::mem::take(&mut call.panics).resume();
    }
}
