//! The protocol up to the commit, as far as anyone may carry it on for anyone: driving an armed newcomer
//! to its end. What follows on a takeover is in `settle`.
//!
//! The crux: two newcomers of the same name, each fully entered, must not both commit. Each stores
//! `Armed`, then scans its chains, with a SeqCst fence in between, so at least one of them sees the
//! other (J. Dekker's exclusion, as in E. W. Dijkstra, EWD 123, 1965). They compete in the order of
//! their slot numbers, which never changes: the higher one gets its generation raised, so that its
//! commit fails and it looks again; the lower one is driven to its end by whoever meets it.
//!
//! So when a newcomer commits, every live client of its names was seen by that very pass: it marks them as
//! contested first, and a lookup that finds a live client without the mark has found the only one (D).
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
use crate::state::{Kind, Phase, Refusal, Word};
use crate::sync::{Ordering, fence};
use crate::table::Table;

/// A slot on one of a newcomer's chains, on its way or live, with one of the newcomer's hashes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rival {
    pub(super) slot: u32,
    pub(super) word: Word,
    pub(super) by_id: bool,
    pub(super) by_node: bool,
}

impl Rival {
    pub(super) fn address(&self) -> Address {
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
#[derive(Debug)]
pub(super) enum Pass {
    /// It is armed no more.
    Ended,
    /// Something moved: look again.
    Again,
    /// Its generation was raised: it can commit only after a scan that begins from now on.
    Raised,
    /// It was committed, by this attempt, and displaces no aliases.
    Took(Takeover),
}

/// A takeover that is committed.
#[derive(Debug)]
pub(super) struct Takeover {
    /// The newcomer's word.
    pub(super) word: Word,
    /// The clients that it displaces, with the words that they had before the commit.
    pub(super) older: Vec<Rival>,
}

/// The live rivals that bear a newcomer's names.
#[derive(Debug, Default)]
struct Conflicts {
    /// The clients among them.
    clients: Vec<Rival>,
    id: bool,
    node: bool,
    /// `node` is a client's node id, not an alias.
    node_id: bool,
    /// One of them is an alias.
    aliases: bool,
    /// One of them is a client, or another client's alias: not the newcomer's own name once more.
    others: bool,
    newest: u64,
}

impl<Id: Eq, Node: Eq, Info, Stream> Tandem<Id, Node, Info, Stream> {
    /// Everybody else on the chains of `me` with the same hash who counts: all entries are read
    /// first, the words after.
    pub(super) fn rivals(&self, me: u32, facts: Facts, call: &Call<'_>) -> Vec<Rival> {
        let pin = &call.pin;
        let is_alone = |table: &Table, hash| table.holds_only(hash, me, pin);
        if facts.id().is_none_or(|id| is_alone(&self.ids, id))
            && is_alone(&self.nodes, facts.node())
        {
            return Vec::new();
        }
        let by_id = facts.id().map(|id| self.ids.slots(id, pin));
        let by_node = self.nodes.slots(facts.node(), pin);
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
                        _ => return Pass::Again,
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
        self.decide(me, word, facts, conflicts, call).map_or(Pass::Again, Pass::Took)
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
                None if certain => self.compare(me, facts.kind(), rival, call)?,
                None if role == Role::Helper => return None,
                None => {
                    let verdict = self.compare(me, facts.kind(), rival, call)?;
                    verdicts.push(verdict);
                    verdict
                }
            };
            let is_alias = rival.word.is_alias();
            let owner = is_alias.then(|| self.owner_of(rival.slot, &call.pin));
            let owner = match owner {
                Some(Some(owner)) => Some(owner.address()),
                Some(None) => continue,
                None => None,
            };
            if verdict.same_id || verdict.same_node {
                let is_own =
                    matches!(facts, Facts::Alias { owner: mine, .. } if owner == Some(mine));
                conflicts.others |= !is_own;
                conflicts.id |= verdict.same_id;
                conflicts.node |= verdict.same_node;
                conflicts.node_id |= verdict.same_node && !is_alias;
                conflicts.newest = conflicts.newest.max(rival.word.generation());
                if is_alias {
                    conflicts.aliases = true;
                } else {
                    conflicts.clients.push(*rival);
                }
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
    pub(super) fn compare(
        &self,
        me: u32,
        kind: Kind,
        rival: &Rival,
        call: &mut Call<'_>,
    ) -> Option<Verdict> {
        // SAFETY: `rivals` read the word, under the pin of the call.
        let theirs = unsafe { self.slots.recall(rival.slot, rival.word, &call.pin) }.live()?;
        // SAFETY: `me` is the caller's own (`Role::Owner`, and `wait` is the owner's alone), or it is
        // armed under the pin and will not be refused, see `judge`. The kind is from its facts.
        let (id, node) = unsafe { self.slots.names_of_entered(me, kind) };
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
    fn decide(
        &self,
        me: u32,
        word: Word,
        facts: Facts,
        conflicts: Conflicts,
        call: &Call<'_>,
    ) -> Option<Takeover> {
        let any = conflicts.id || conflicts.node;
        let refusal = match word.kind() {
            // An alias never takes a node id (C).
            Kind::Alias if conflicts.node_id => Some(Refusal::Id),
            _ if conflicts.others && self.policy == Policy::Reject => {
                Some(if conflicts.id { Refusal::Id } else { Refusal::Node })
            }
            _ => None,
        };
        if let Some(refusal) = refusal {
            // Linearization point of a refusal: the read of the live rival's word, which a rival
            // bears until this word is another (C).
            self.slots.step(me, word, word.refused(refusal));
            return None;
        }
        if !any {
            // Linearization point of a connect without a conflict: this step (C).
            self.slots.step(me, word, word.live());
            return None;
        }
        // Before the commit: a lookup that finds an older client without the mark need not look for us.
        let mut older = conflicts.clients;
        for older in &mut older {
            let marked = older.word.contested();
            if older.word != marked && !self.slots.step(older.slot, older.word, marked) {
                return None;
            }
            older.word = marked;
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
        let taking = newer.taking();
        // Linearization point of a takeover's first step: this one. The newcomer owns its names (D).
        let is_committed = self.slots.step(me, word, taking);
        (is_committed && !conflicts.aliases).then_some(Takeover { word: taking, older })
    }
}
