//! The registry and the model, side by side, and what each operation means for the two.

use std::{
    collections::{BTreeMap, BTreeSet},
    hash::BuildHasher,
    sync::Arc,
    vec,
};

use tandem_registry::{
    Builder, ClientKey, Detached, Policy, Registry, Removed, Session, StreamKey,
};

use crate::{
    fixtures::{
        model::{self, Attachment, Incarnation, Model},
        tracked::{Ledger, Tracked},
    },
    handed_out::assert_removed,
    input::{Age, Newcomer, Op, Setup},
};

/// Ids, node ids, infos and streams are all numbers that count their drops.
pub type Value = Tracked<u64>;
pub type Tested<S> = Registry<Value, Value, Value, Value, S>;
pub type Ended = Removed<Value, Value, Value, Value>;
pub type Opened<S> = Session<Value, Value, Value, Value, S>;
pub type Loose = Detached<Value, Value, Value, Value>;

pub struct Drive<S: BuildHasher> {
    pub(crate) registry: Arc<Tested<S>>,
    pub(crate) model: Model,
    pub(crate) setup: Setup,
    pub(crate) guards: usize,
    pub(crate) ledger: &'static Ledger,
    /// Infos and streams are numbered, so that none is mistaken for another.
    pub(crate) serial: u64,
    /// Every key ever given out, oldest first, with the model's name for it.
    pub(crate) keys: Vec<(Incarnation, ClientKey)>,
    pub(crate) stream_keys: Vec<(Attachment, StreamKey)>,
    pub(crate) key_of: BTreeMap<Incarnation, ClientKey>,
    pub(crate) stream_key_of: BTreeMap<Attachment, StreamKey>,
    pub(crate) given: (BTreeSet<ClientKey>, BTreeSet<StreamKey>),
    pub(crate) sessions: Vec<(Incarnation, Opened<S>)>,
    /// What was handed back and is not dropped yet.
    pub(crate) removed: Vec<(model::Client, Ended)>,
    pub(crate) detached: Vec<(u64, Loose)>,
}

impl<S: BuildHasher> Drive<S> {
    pub fn new(setup: Setup, hasher: S, ledger: &'static Ledger) -> Self {
        let policies = if setup.reject {
            (Policy::Reject, model::Policy::Reject)
        } else {
            (Policy::Takeover, model::Policy::Takeover)
        };
        let builder: Builder<Value, Value, Value, Value, S> = Registry::builder().hasher(hasher);
        let builder = builder.capacity(setup.capacity).shards(setup.shards).on_conflict(policies.0);
        let builder = match setup.max_clients {
            Some(max) => builder.max_clients(max),
            None => builder,
        };
        Self {
            registry: Arc::new(builder.build().expect("a setup within the limits")),
            model: Model::new(policies.1, setup.max_clients),
            setup,
            guards: 0,
            ledger,
            serial: 0,
            keys: Vec::new(),
            stream_keys: Vec::new(),
            key_of: BTreeMap::new(),
            stream_key_of: BTreeMap::new(),
            given: Default::default(),
            sessions: Vec::new(),
            removed: Vec::new(),
            detached: Vec::new(),
        }
    }

    /// Does at most so many operations, and checks after each.
    pub fn run(&mut self, ops: &mut vec::IntoIter<Op>, limit: usize) {
        for done in 0..limit {
            let Some(op) = ops.next() else { break };
            match op {
                Op::Hold(hold) => self.hold(hold, ops),
                op => self.step(op),
            }
            // Where everything is a little, everything is asked for each time.
            if self.setup.span <= 16 || done % 32 == 0 {
                self.audit();
            }
        }
    }

    /// Ends the registry before what it handed back, and counts.
    pub fn finish(self) {
        self.audit();
        let Self { registry, sessions, removed, detached, ledger, .. } = self;
        drop(registry);
        drop(sessions);
        removed.iter().for_each(|(expected, removed)| assert_removed(expected, removed));
        detached.iter().for_each(|(expected, detached)| assert_eq!(detached.get(), expected));
        drop((removed, detached));
        ledger.assert_balanced();
    }

    fn step(&mut self, op: Op) {
        let span = self.setup.span;
        let within = |name: u8| u64::from(name) % span;
        match op {
            Op::Connect(newcomer) => self.connect(newcomer),
            Op::ConnectCrowd(first, count) => {
                for n in 0..=count {
                    let (id, node) = (first.id.wrapping_add(n), first.node.wrapping_add(n));
                    self.connect(Newcomer { id, node, ..first });
                }
            }
            Op::OpenSession(newcomer) => self.open_session(newcomer),
            Op::EndSession(age, end) => self.end_session(age, end),
            Op::Disconnect(id) => self.disconnect(within(id)),
            Op::DisconnectCrowd(first, count) => {
                (0..=count).for_each(|n| self.disconnect(within(first.wrapping_add(n))));
            }
            Op::DisconnectKey(age) => {
                if let Some((incarnation, key)) = newest(&self.keys, age) {
                    let expected = self.model.disconnect_incarnation(incarnation);
                    let removed = self.registry.disconnect_key(key);
                    self.keep_removed(expected, removed);
                }
            }
            Op::Attach(age) => self.attach(age),
            Op::Detach(age) => self.detach(age),
            Op::UpdateInfo(age) => self.update_info(age),
            Op::AddAlias(age, name) => self.add_alias(age, within(name)),
            Op::RemoveAlias(age, name) => {
                if let Some((incarnation, key)) = newest(&self.keys, age) {
                    let expected = self.model.remove_alias(incarnation, within(name));
                    assert_eq!(self.registry.remove_alias(key, &within(name)), expected);
                }
            }
            Op::LookUp(id, name, age) => {
                let guard = self.registry.pin();
                self.look_up_id(&guard, within(id));
                self.look_up_name(&guard, within(name));
                if let Some((incarnation, key)) = newest(&self.keys, age) {
                    self.compare(self.model.get(incarnation), guard.get(key).as_ref());
                }
            }
            Op::LookUpBatch(first, count) => {
                let names = (0..count).map(|n| within(first.wrapping_add(n))).collect();
                self.look_up_batch(names);
            }
            Op::Hold(_) => unreachable!("it takes the operations that follow"),
            Op::Release(chosen) => self.release(usize::from(chosen)),
            Op::ReleaseAll => self.release_all(),
            Op::Flush => self.flush(),
            Op::Shrink => {
                // It takes the registry to itself: no guard, no session.
                if let Some(registry) = Arc::get_mut(&mut self.registry) {
                    registry.shrink_to_fit();
                }
            }
            Op::Audit => self.audit(),
            Op::Close => self.close(),
        }
    }
}

/// The n-th newest, if there are so many.
pub(crate) fn newest<T: Copy>(all: &[T], age: Age) -> Option<T> {
    let place = all.len().checked_sub(usize::from(age) % 64 + 1)?;
    Some(all[place])
}
