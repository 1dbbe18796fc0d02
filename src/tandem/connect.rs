//! The owner's way through a connect: fill, enter, arm, drive, collect.
//!
//! 1. Fill the record, take a place if one is free, enter it in both tables. Nobody minds a record
//!    that says `Entering`, so nothing has to be done on its behalf.
//! 2. Store `Armed`, or `Waiting` if no place was free. From here on rivals see it.
//! 3. Waiting: claim the place of the client to be displaced, or find one free, or be refused. Only the
//!    owner does this.
//! 4. Armed: be driven to the commit, or to a refusal, by whoever gets there first (`drive`).
//! 5. Live: collect the clients that were evicted for it. Refused: take everything back.

use super::drive::{Pass, Rival, Role};
use super::{Call, Tandem};
use crate::policy::Policy;
use crate::slots::{Address, Contents, Ended, Entered, Facts};
use crate::state::{Phase, Refusal, Word};
use crate::sync::{Ordering, fence};
use crate::table::Hash;

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
#[derive(Debug, Default)]
struct Attempt {
    /// A free place was taken that the word does not show yet.
    spare: bool,
    /// The client whose place this newcomer was promised.
    benefactor: Option<u32>,
}

impl<Id: Eq, Node: Eq, Info, Stream> Tandem<Id, Node, Info, Stream> {
    /// Connects a client.
    pub(crate) fn connect(
        &self,
        ids: (Hash, Hash),
        contents: Contents<Id, Node, Info, Stream>,
        call: &mut Call<'_>,
    ) -> Result<Committed<Info, Stream>, (Refused, Contents<Id, Node, Info, Stream>)> {
        if self.is_closed() {
            return Err((Refused::Closed, contents));
        }
        let Some(fresh) = self.slots.allocate(&call.pin) else {
            return Err((Refused::Exhausted, contents));
        };
        let entered = self.slots.fill(fresh, ids, contents);
        let slot = entered.slot();
        let placed = self.places.take(call.pin.thread());
        self.ids.put(ids.0, slot, &call.pin);
        self.nodes.put(ids.1, slot, &call.pin);
        let first = if placed { Word::armed } else { Word::waiting };
        self.slots.publish(&entered, first);

        let (word, place) = self.see_through(slot, call);
        if word.is_refused() {
            return Err(self.withdraw(entered, word, place, ids, call));
        }
        let committed = self.collect(slot, word, ids, call);
        if call.panics.any() {
            // The caller gets the panic, not the client: it must not stay.
            self.abandon(committed, call);
            unreachable!("`abandon` resumes the panic");
        }
        Ok(committed)
    }

    /// Carries the own record on until it is live, or was, or is refused. With its last word goes
    /// whether a place is to be released if it was refused.
    fn see_through(&self, slot: u32, call: &mut Call<'_>) -> (Word, bool) {
        let mut attempt = Attempt::default();
        let word = loop {
            let word = self.slots.see(slot, &call.pin).word;
            match word.phase() {
                Phase::Waiting | Phase::Armed if call.panics.any() => {
                    self.slots.step(slot, word, word.refused(Refusal::Gone));
                }
                Phase::Waiting => self.wait(slot, word, &mut attempt, call),
                Phase::Armed => {
                    self.pass(slot, Role::Owner, call);
                }
                Phase::Taking => self.settle(slot, call),
                _ => break word,
            }
        };
        if attempt.spare {
            self.places.release(call.pin.thread());
        }
        let returned = |benefactor| self.return_promise(benefactor, slot, call);
        let place =
            word.is_placed() && !(word.is_refused() && attempt.benefactor.is_some_and(returned));
        (word, place)
    }

    /// One attempt to get from `Waiting` to `Armed`, or to a refusal.
    fn wait(&self, slot: u32, word: Word, attempt: &mut Attempt, call: &mut Call<'_>) {
        let Some(facts) = self.slots.see(slot, &call.pin).facts() else {
            return;
        };
        // SeqCst: between the word and the scan, as in `pass`. A rival that commits after the scan
        // raises this word first, so a refusal that was decided on the scan fails.
        fence(Ordering::SeqCst);
        if self.is_closed() {
            self.slots.step(slot, word, word.refused(Refusal::Closed));
            return;
        }
        let mut conflict = None;
        for rival in self.rivals(slot, facts, call) {
            match rival.word.phase() {
                Phase::Waiting => {}
                Phase::Armed => match self.pass(rival.slot, Role::Helper, call) {
                    Pass::Raised => {}
                    Pass::Ended | Pass::Again => return,
                },
                Phase::Live => {
                    let Some(verdict) = self.compare(slot, &rival, call) else {
                        return;
                    };
                    let is_alias = rival.word.is_alias();
                    if is_alias && self.owner_of(rival.slot, &call.pin).is_none() {
                        continue;
                    }
                    if verdict.same_id || verdict.same_node {
                        if self.policy == Policy::Reject {
                            let why = if verdict.same_id {
                                Refusal::Id
                            } else {
                                Refusal::Node
                            };
                            self.slots.step(slot, word, word.refused(why));
                            return;
                        }
                        // An alias has no place to hand over.
                        if !is_alias {
                            conflict = Some(rival);
                        }
                    }
                }
                _ => return self.clear_the_way(rival, call),
            }
        }
        if let Some(older) = conflict
            && self.claim(older, slot, attempt, call)
        {
            return;
        }
        if attempt.spare || self.places.take(call.pin.thread()) {
            attempt.spare = !self.slots.step(slot, word, word.armed());
        } else {
            // Linearization point of the refusal: the read of the counter (E).
            self.slots.step(slot, word, word.refused(Refusal::Full));
        }
    }

    /// Has the older client's place promised to `me` and arms `me`, or helps whoever it is promised to.
    /// `false`: it is promised to one that gave up, so there is no place to be had from it now.
    fn claim(&self, older: Rival, me: u32, attempt: &mut Attempt, call: &mut Call<'_>) -> bool {
        let heir = self.slots.promise(older.slot, me);
        if heir == me {
            attempt.benefactor = Some(older.slot);
        }
        let theirs = self.slots.see(heir, &call.pin).word;
        if theirs.is_refused() {
            return false;
        }
        let word = self.slots.see(older.slot, &call.pin).word;
        if word.phase() != Phase::Live {
            return true;
        }
        if !word.is_claimed() && !self.slots.step(older.slot, word, word.claimed()) {
            return true;
        }
        if theirs.phase() == Phase::Waiting {
            self.slots.step(heir, theirs, theirs.armed());
        }
        if heir != me {
            self.pass(heir, Role::Helper, call);
        }
        true
    }

    /// Gives a promised place back to the client that it is of, after a refusal (only a panic or the
    /// end of the registry refuses an heir), so that it is released once. `false`: that client died and
    /// released nothing (E).
    fn return_promise(&self, benefactor: u32, me: u32, call: &Call<'_>) -> bool {
        let returned = loop {
            let word = self.slots.see(benefactor, &call.pin).word;
            if !word.is_live() || !word.is_claimed() {
                break false;
            }
            if self.slots.step(benefactor, word, word.unclaimed()) {
                break true;
            }
        };
        self.slots.break_promise(benefactor, me);
        returned
    }

    /// Undoes the entering of a refused record.
    fn withdraw(
        &self,
        entered: Entered,
        word: Word,
        place: bool,
        ids: (Hash, Hash),
        call: &Call<'_>,
    ) -> (Refused, Contents<Id, Node, Info, Stream>) {
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
            _ => Refused::Panicked,
        };
        // SAFETY: both entries are removed, under the pin.
        (refused, unsafe { self.slots.take_back(entered, &call.pin) })
    }

    /// Collects what was evicted for a newcomer: exactly the records that carry it as evictor, whoever
    /// did the work (D).
    fn collect(
        &self,
        slot: u32,
        word: Word,
        ids: (Hash, Hash),
        call: &mut Call<'_>,
    ) -> Committed<Info, Stream> {
        let address = Address {
            slot,
            generation: word.generation(),
        };
        let mut committed = Committed {
            address,
            by_id: None,
            by_node: None,
        };
        if word.took() {
            committed.by_id = self.collect_from(true, slot, ids.0, call);
            committed.by_node = self.collect_from(false, slot, ids.1, call);
        }
        committed
    }

    /// The evicted client on one chain. An evicted alias is unlinked on the way, and gone.
    pub(super) fn collect_from(
        &self,
        by_id: bool,
        newcomer: u32,
        hash: Hash,
        call: &mut Call<'_>,
    ) -> Option<Ended<Info, Stream>> {
        let table = if by_id { &self.ids } else { &self.nodes };
        let (_, matches, probe) = table.matches(hash, &call.pin);
        let slots: Vec<u32> = matches.slots(probe).collect();
        let mut client = None;
        for slot in slots {
            let word = self.slots.see(slot, &call.pin).word;
            if word.phase() != Phase::Evicted || self.slots.evictor(slot) != Some(newcomer) {
                continue;
            }
            match self.slots.facts_of_ended(slot) {
                Facts::Alias { node, .. } => self.unlink_alias(slot, node, call),
                Facts::Client { .. } => client = Some(self.unlink(slot, word, call)),
            }
        }
        client
    }
}

impl<Id: Eq, Node: Eq, Info, Stream> Tandem<Id, Node, Info, Stream> {
    /// Ends a client whose connect a panic of a user's `Eq` cut short, and continues the panic.
    fn abandon(&self, committed: Committed<Info, Stream>, call: &mut Call<'_>) {
        let ended = self.end(committed.address, call);
        for ended in [ended, committed.by_id, committed.by_node]
            .into_iter()
            .flatten()
        {
            // SAFETY: `unlink` has removed its entries, under the pin.
            unsafe { self.slots.retire_ended(ended, &call.pin) };
        }
        core::mem::take(&mut call.panics).resume();
    }
}
