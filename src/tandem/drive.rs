//! The protocol, as far as anyone may carry it on for anyone: driving an armed newcomer to its end,
//! settling a takeover, finishing an end.
//!
//! The crux: two newcomers of the same name, each fully entered, must not both commit. Each stores
//! `Armed`, then scans its chains, with a SeqCst fence in between, so at least one of them sees the
//! other (J. Dekker's exclusion, as in E. W. Dijkstra, EWD 123, 1965). They compete in the order of
//! their slot numbers, which never changes: the higher one gets its generation raised, so that its
//! commit fails and it looks again; the lower one is driven to its end by whoever meets it.
//!
//! Whether a live rival bears a newcomer's name is asked of users' `Eq`, and names of what may yet be
//! refused go back to the caller, so nobody but the owner may be reading them. Under `Takeover` an armed
//! client always goes live (a panic leaves its names to the reclaimer), so anyone can ask. An alias, and
//! a client under `Reject`, may be refused: there the owner publishes its *verdicts* before it decides. A
//! helper that meets a live rival without a verdict raises the newcomer's generation instead of driving
//! it: the rival went live after the newcomer's last scan, so every such raise is paid for by a commit,
//! and some call still gets on (F).

use super::{Call, Tandem};
use crate::policy::Policy;
use crate::reclaim::attempt;
use crate::slots::{Address, Facts, Verdict};
use crate::state::{End, Kind, Phase, Refusal, Word};
use crate::sync::{Ordering, fence};

/// A slot on one of a newcomer's chains, on its way or live, with one of the newcomer's hashes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rival {
    pub(super) slot: u32,
    pub(super) word: Word,
    by_id: bool,
    by_node: bool,
}

impl Rival {
    fn address(&self) -> Address {
        Address { slot: self.slot, generation: self.word.generation() }
    }
}

/// Who carries a newcomer on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Owner,
    Helper,
}

/// What became of one attempt to carry a newcomer on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pass {
    /// It is armed no more.
    Ended,
    /// Something moved: look again.
    Again,
    /// Its generation was raised: it can commit only after a scan that begins from now on.
    Raised,
}

/// The live rivals that bear a newcomer's names.
#[derive(Clone, Copy, Debug, Default)]
struct Conflicts {
    id: bool,
    node: bool,
    /// `node` is a client's node id, not an alias.
    node_id: bool,
    newest: u64,
}

impl<Id: Eq, Node: Eq, Info, Stream> Tandem<Id, Node, Info, Stream> {
    /// Everybody else on the chains of `me` with the same hash who counts: all entries are read
    /// first, the words after.
    pub(super) fn rivals(&self, me: u32, facts: Facts, call: &Call<'_>) -> Vec<Rival> {
        let pin = &call.pin;
        let by_id = facts.id().map(|id| self.ids.slots(id, pin).1);
        let (_, by_node) = self.nodes.slots(facts.node(), pin);
        let mut rivals: Vec<Rival> = Vec::new();
        for slot in by_id.into_iter().flatten().chain(by_node) {
            if slot == me || rivals.iter().any(|rival| rival.slot == slot) {
                continue;
            }
            let seen = self.slots.see(slot, pin);
            let Some(theirs) = seen.facts() else { continue };
            let rival = Rival {
                slot,
                word: seen.word,
                by_id: facts.id().is_some() && facts.id() == theirs.id(),
                by_node: facts.node() == theirs.node(),
            };
            if rival.by_id || rival.by_node {
                rivals.push(rival);
            }
        }
        rivals
    }

    /// Carries an armed newcomer on by one attempt.
    pub(super) fn pass(&self, me: u32, role: Role, call: &mut Call<'_>) -> Pass {
        let mine = self.slots.see(me, &call.pin);
        let Some(facts) = mine.facts().filter(|_| mine.word.phase() == Phase::Armed) else {
            return Pass::Ended;
        };
        let word = mine.word;
        // SeqCst: between the word and the scan, see the module. Partners: this fence in a rival's
        // pass, and those in `wait` and `finish`.
        fence(Ordering::SeqCst);
        if let Facts::Alias { owner, .. } = facts
            && !self.may_name(owner, call)
        {
            self.slots.step(me, word, word.refused(Refusal::Gone));
            return Pass::Again;
        }
        let mut live = Vec::new();
        let mut later = Vec::new();
        for rival in self.rivals(me, facts, call) {
            match rival.word.phase() {
                Phase::Armed if rival.slot < me => {
                    match self.pass(rival.slot, Role::Helper, call) {
                        Pass::Raised => {}
                        Pass::Ended | Pass::Again => return Pass::Again,
                    }
                }
                Phase::Waiting | Phase::Armed => later.push(rival),
                Phase::Live => live.push(rival),
                _ => {
                    self.clear_the_way(rival, call);
                    return Pass::Again;
                }
            }
        }
        let Some(conflicts) = self.judge(me, facts, &live, role, call) else {
            // No verdict: raised; or for the owner, a panic that its caller will see. Nobody else was
            // raised for a newcomer that stays where it is: the helper might be one of them.
            return match role {
                Role::Helper if !call.panics.any() && self.slots.step(me, word, word.raised(0)) => {
                    Pass::Raised
                }
                _ => Pass::Again,
            };
        };
        for rival in later {
            // A refusal or a commit that was decided before ours fails.
            if !self.slots.step(rival.slot, rival.word, rival.word.raised(0)) {
                return Pass::Again;
            }
        }
        self.decide(me, word, facts, conflicts, call);
        Pass::Again
    }

    /// Completes what a live rival is in the middle of.
    pub(super) fn clear_the_way(&self, rival: Rival, call: &mut Call<'_>) {
        match rival.word.phase() {
            Phase::Taking => self.settle(rival.slot, call),
            _ => self.finish(rival.slot, call),
        }
    }

    /// Which of the live rivals bear the names of `me`. `None`: that is not known.
    fn judge(
        &self,
        me: u32,
        facts: Facts,
        live: &[Rival],
        role: Role,
        call: &mut Call<'_>,
    ) -> Option<Conflicts> {
        let mut conflicts = Conflicts::default();
        if live.is_empty() {
            return Some(conflicts);
        }
        // Nobody refuses it any more: its names stay where they are.
        let certain = facts.id().is_some() && self.policy == Policy::Takeover;
        let mut verdicts =
            if certain { Vec::new() } else { self.slots.verdicts(me).read(&call.pin).to_vec() };
        let known = verdicts.len();
        for rival in live {
            let known = verdicts.iter().find(|known| known.rival == rival.address());
            let verdict = match known {
                Some(&verdict) => verdict,
                None if certain => self.compare(me, rival, call)?,
                None if role == Role::Helper => return None,
                None => {
                    let verdict = self.compare(me, rival, call)?;
                    verdicts.push(verdict);
                    verdict
                }
            };
            let is_alias = rival.word.is_alias();
            if is_alias && self.owner_of(rival.slot, &call.pin).is_none() {
                continue;
            }
            if verdict.same_id || verdict.same_node {
                conflicts.id |= verdict.same_id;
                conflicts.node |= verdict.same_node;
                conflicts.node_id |= verdict.same_node && !is_alias;
                conflicts.newest = conflicts.newest.max(rival.word.generation());
            }
        }
        if verdicts.len() > known {
            // Those that died are dropped: the list stays as short as the chain.
            verdicts.retain(|verdict| live.iter().any(|rival| rival.address() == verdict.rival));
            self.slots.verdicts(me).set(verdicts, &call.pin);
        }
        debug_assert!(facts.id().is_some() || !conflicts.id);
        Some(conflicts)
    }

    /// A newcomer's question to a live rival. `None`: the rival is gone, or a user's `Eq` panicked.
    pub(super) fn compare(&self, me: u32, rival: &Rival, call: &mut Call<'_>) -> Option<Verdict> {
        let theirs = self.slots.see(rival.slot, &call.pin).live()?;
        if theirs.address() != rival.address() {
            return None;
        }
        // SAFETY: `me` is the caller's own (`Role::Owner`, and `wait` is the owner's alone), or it is
        // armed under the pin and will not be refused, see `judge`.
        let (id, node) = unsafe { self.slots.names_of_entered(me) };
        let same_id = || rival.by_id && id.is_some_and(|id| id == theirs.id());
        match attempt(|| (same_id(), rival.by_node && node == theirs.node())) {
            Ok((same_id, same_node)) => {
                Some(Verdict { rival: rival.address(), same_id, same_node })
            }
            Err(payload) => {
                call.panics.keep(payload);
                None
            }
        }
    }

    /// The last step of a pass: refused, or committed. Whatever was decided on an older word fails.
    fn decide(&self, me: u32, word: Word, facts: Facts, conflicts: Conflicts, call: &Call<'_>) {
        let any = conflicts.id || conflicts.node;
        let refusal = match word.kind() {
            // An alias never takes a node id (C).
            Kind::Alias if conflicts.node_id => Some(Refusal::Id),
            _ if any && self.policy == Policy::Reject => {
                Some(if conflicts.id { Refusal::Id } else { Refusal::Node })
            }
            _ => None,
        };
        if let Some(refusal) = refusal {
            // Linearization point of a refusal: the read of the live rival's word, which a rival
            // bears until this word is another (C).
            self.slots.step(me, word, word.refused(refusal));
            return;
        }
        if !any {
            // Linearization point of a connect without a conflict: this step (C).
            self.slots.step(me, word, word.live());
            return;
        }
        // Before the commit: a miss that saw the older client dead, and us not yet, looks again (D).
        if let Some(id) = facts.id().filter(|_| conflicts.id) {
            self.ids.raise(id, &call.pin);
        }
        if conflicts.node {
            self.nodes.raise(facts.node(), &call.pin);
        }
        // A lookup that meets both takes the newer.
        let is_newer = word.generation() > conflicts.newest;
        let newer = if is_newer { word } else { word.raised(conflicts.newest + 1) };
        // Linearization point of a takeover's first step: this one. The newcomer owns its names (D).
        self.slots.step(me, word, newer.taking());
    }

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
                if older && self.bears_names(newcomer, &rival, call) {
                    missed |= !self.evict(rival, newcomer, word, call);
                }
            }
            if !missed && self.slots.step(newcomer, word, word.live()) {
                return;
            }
        }
    }

    /// Whether the live rival bears a name of the live newcomer. A panic of a user's `Eq` is a no.
    fn bears_names(&self, newcomer: u32, rival: &Rival, call: &mut Call<'_>) -> bool {
        let pin = &call.pin;
        let mine = self.slots.see(newcomer, pin).live();
        let theirs = self.slots.see(rival.slot, pin).live();
        let (Some(mine), Some(theirs)) = (mine, theirs) else {
            // One of them moved on: a dead rival is out of the way, a dead newcomer's step fails.
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
