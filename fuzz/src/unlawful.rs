//! Operations with names whose `Hash` and `Eq` lie, and panic: which client they meet is open, so there is no
//! model. Left to be checked is what no lie excuses (I): each value is dropped once and not read after it, each
//! client ends once and is shown by its key as it is until then, and no place is lost.

use std::{
    collections::{BTreeMap, BTreeSet},
    hash::BuildHasher,
    sync::Arc,
};

use tandem_registry::{ClientKey, Displaced, NewClient, StreamKey};

use crate::fixtures::{
    lockstep::{Ended, Loose, Opened, Setup, Tested, Value, newest},
    ops::{Hold, Newcomer, Op, SessionEnd},
    tracked::Ledger,
    unruly::{self, Asked, Call, Trap},
};

/// How many guards are held at most.
const MOST_GUARDS: usize = 6;

type New = NewClient<Value, Value, Value, Value>;

pub(crate) struct Unlawful<S: BuildHasher> {
    registry: Arc<Tested<S>>,
    setup: Setup,
    ledger: &'static Ledger,
    guards: usize,
    /// The next info is a new one.
    serial: u64,
    /// Every key ever given out, oldest first.
    keys: Vec<ClientKey>,
    given: BTreeSet<ClientKey>,
    stream_keys: Vec<StreamKey>,
    /// Who is not known to have ended, with the latest info.
    live: BTreeMap<ClientKey, u64>,
    sessions: Vec<Opened<S>>,
    removed: Vec<Ended>,
    detached: Vec<Loose>,
    armed: Option<Trap>,
}

impl<S: BuildHasher> Unlawful<S> {
    pub(crate) fn new(setup: Setup, hasher: S, ledger: &'static Ledger) -> Self {
        Self {
            registry: Arc::new(setup.registry(hasher)),
            setup,
            ledger,
            guards: 0,
            serial: 0,
            keys: Vec::new(),
            given: BTreeSet::new(),
            stream_keys: Vec::new(),
            live: BTreeMap::new(),
            sessions: Vec::new(),
            removed: Vec::new(),
            detached: Vec::new(),
            armed: None,
        }
    }

    pub(crate) fn run(&mut self, ops: &mut dyn Iterator<Item = Op>) {
        self.run_some(ops, usize::MAX);
    }

    /// Ends all that there is; `closed`: by a close before the registry goes.
    pub(crate) fn finish(mut self, closed: bool) {
        self.audit();
        unruly::arm(self.armed.take());
        if closed {
            self.close();
            assert!(self.registry.is_empty(), "somebody has outlived a close");
            self.release_all();
            // The first may continue a panic that was left for it.
            let _ = self.call(|registry| registry.flush());
            unruly::arm(None);
            assert_eq!(self.call(|registry| registry.flush().left), Some(0));
            self.ledger.assert_live(0);
        }
        let Self { registry, sessions, removed, detached, ledger, .. } = self;
        let _ = unruly::watch(|| drop(registry));
        for session in sessions {
            let _ = unruly::watch(|| drop(session));
        }
        removed.iter().for_each(read_removed);
        for removed in removed {
            let _ = unruly::watch(|| drop(removed));
        }
        for detached in detached {
            let _ = unruly::watch(|| drop(detached));
        }
        unruly::arm(None);
        ledger.assert_balanced();
    }

    fn run_some(&mut self, ops: &mut dyn Iterator<Item = Op>, limit: usize) {
        for _ in 0..limit {
            let Some(op) = ops.next() else { break };
            match op {
                Op::Hold(hold) => self.hold(hold, ops),
                Op::Arm(trap) => self.armed = Some(trap),
                op => {
                    unruly::arm(self.armed.take());
                    self.step(op);
                    unruly::arm(None);
                    self.audit();
                }
            }
        }
    }

    fn step(&mut self, op: Op) {
        let setup = self.setup;
        match op {
            Op::Connect(newcomer) => self.connect(newcomer),
            Op::ConnectCrowd(first, count) => {
                for n in 0..=count {
                    let (id, node) = (first.id.wrapping_add(n), first.node.wrapping_add(n));
                    self.connect(Newcomer { id, node, ..first });
                }
            }
            Op::OpenSession(newcomer) => self.open_session(newcomer),
            Op::EndSession(age, end) => self.end_session(usize::from(age), end),
            Op::Disconnect(id) => self.disconnect(setup.id(id)),
            Op::DisconnectCrowd(first, count) => {
                (0..=count).for_each(|n| self.disconnect(setup.id(first.wrapping_add(n))));
            }
            Op::DisconnectKey(age) => {
                if let Some(key) = newest(&self.keys, age) {
                    let was_live = self.live.contains_key(&key);
                    let removed = self.call(|registry| registry.disconnect_key(key)).flatten();
                    assert_eq!(removed.is_some(), was_live, "{key:?}");
                    self.keep(removed);
                }
            }
            Op::Attach(age) => {
                if let Some(key) = newest(&self.keys, age) {
                    let stream = self.value(0);
                    let attached = self.call(|registry| registry.attach_stream(key, stream));
                    let attached = attached.expect("it asks nothing").ok();
                    assert_eq!(attached.is_some(), self.live.contains_key(&key));
                    self.stream_keys.extend(attached);
                }
            }
            Op::Detach(age) => {
                if let Some(key) = newest(&self.stream_keys, age) {
                    let detached = self.call(|registry| registry.detach_stream(key));
                    self.detached.extend(detached.flatten());
                }
            }
            Op::UpdateInfo(age) => {
                if let Some(key) = newest(&self.keys, age) {
                    self.serial += 1;
                    let (serial, info) = (self.serial, self.value(self.serial));
                    let updated = self.call(|registry| registry.update_info(key, info));
                    let updated = updated.expect("it asks nothing").is_ok();
                    assert_eq!(updated, self.live.contains_key(&key));
                    self.live.entry(key).and_modify(|latest| *latest = serial);
                }
            }
            Op::AddAlias(age, name) => {
                if let Some(key) = newest(&self.keys, age) {
                    let name = self.value(setup.name(name));
                    drop(self.call(|registry| registry.add_alias(key, name)));
                }
            }
            Op::RemoveAlias(age, name) => {
                if let Some(key) = newest(&self.keys, age) {
                    let name = Asked(setup.name(name));
                    let _ = self.call(|registry| registry.remove_alias(key, &name));
                }
            }
            Op::LookUp(id, name, _) => {
                let _ = unruly::watch(|| self.look_up(setup.id(id), setup.name(name)));
            }
            Op::LookUpBatch(first, count) => {
                let names: Vec<_> =
                    (0..count).map(|n| Asked(setup.name(first.wrapping_add(n)))).collect();
                let _ = self.call(|registry| {
                    registry.pin().routes_batch(&names, |_, route| {
                        route.map(|route| route.stream().get());
                    });
                });
            }
            Op::Hold(_) | Op::Arm(_) => unreachable!("it is for the operations that follow"),
            Op::Release(chosen) => self.release(usize::from(chosen)),
            Op::ReleaseAll => self.release_all(),
            Op::Flush => self.flush(),
            Op::Shrink => {
                if let Some(registry) = Arc::get_mut(&mut self.registry) {
                    let _ = unruly::watch(|| registry.shrink_to_fit());
                }
            }
            Op::Audit => {}
            Op::Close => self.close(),
        }
    }

    /// `None`: a panic came out of it.
    fn call<R>(&self, call: impl FnOnce(&Arc<Tested<S>>) -> R) -> Option<R> {
        let watched = unruly::watch(|| call(&self.registry));
        let may_wait = watched.first.is_none_or(|first| first.call == Call::Drop);
        assert!(may_wait || watched.outcome.is_err(), "{:?} was not continued", watched.first);
        watched.outcome.ok()
    }

    fn value(&self, value: u64) -> Value {
        Value::new(self.ledger, value)
    }

    fn newcomer(&mut self, newcomer: Newcomer) -> New {
        let (id, node) = (self.setup.id(newcomer.id), self.setup.name(newcomer.node));
        self.serial += 1;
        let mut new = NewClient::new(self.value(id), self.value(node), self.value(self.serial));
        if newcomer.stream {
            new = new.stream(self.value(0));
        }
        for alias in newcomer.aliases.into_iter().flatten() {
            new = new.alias(self.value(self.setup.name(alias)));
        }
        new
    }

    fn connect(&mut self, newcomer: Newcomer) {
        let new = self.newcomer(newcomer);
        if let Some(Ok(connected)) = self.call(|registry| registry.connect(new)) {
            self.note_connected(connected.key, connected.stream_key, connected.displaced);
        }
    }

    fn open_session(&mut self, newcomer: Newcomer) {
        let new = self.newcomer(newcomer);
        if let Some(Ok((session, displaced))) = self.call(|registry| registry.session(new)) {
            self.note_connected(session.key(), session.stream_key(), displaced);
            self.sessions.push(session);
        }
    }

    fn note_connected(
        &mut self,
        key: ClientKey,
        stream_key: Option<StreamKey>,
        displaced: Displaced<Value, Value, Value, Value>,
    ) {
        assert!(self.given.insert(key), "{key:?} was given out before");
        self.keys.push(key);
        self.stream_keys.extend(stream_key);
        self.live.insert(key, self.serial);
        displaced.into_iter().for_each(|removed| self.keep(Some(removed)));
    }

    fn end_session(&mut self, age: usize, end: SessionEnd) {
        if self.sessions.is_empty() {
            return;
        }
        let session = self.sessions.swap_remove(age % self.sessions.len());
        match end {
            SessionEnd::Drop => {
                self.live.remove(&session.key());
                let _ = self.call(|_| drop(session));
            }
            SessionEnd::Disconnect => {
                let removed = self.call(|_| session.disconnect());
                self.keep(removed.flatten());
            }
            SessionEnd::IntoKey => _ = session.into_key(),
        }
    }

    fn disconnect(&mut self, id: u64) {
        let removed = self.call(|registry| registry.disconnect(&Asked(id)));
        self.keep(removed.flatten());
    }

    fn close(&mut self) {
        let ended = self.call(|registry| registry.close()).expect("it asks nothing");
        ended.into_iter().for_each(|removed| self.keep(Some(removed)));
        assert!(self.live.is_empty(), "a close has left out {:?}", self.live);
    }

    /// Takes what was handed back: a client that has not been before.
    fn keep(&mut self, removed: Option<Ended>) {
        let Some(removed) = removed else { return };
        let info = self.live.remove(&removed.key());
        assert_eq!(info, Some(*removed.info().get()), "{:?} ends, with its info", removed.key());
        read_removed(&removed);
        self.removed.push(removed);
    }

    fn release(&mut self, chosen: usize) {
        let (removed, detached) = (self.removed.len(), self.detached.len());
        if removed + detached == 0 {
            return;
        }
        match chosen % (removed + detached) {
            place if place < removed => {
                let removed = self.removed.swap_remove(place);
                read_removed(&removed);
                let _ = self.call(|_| drop(removed));
            }
            place => {
                let detached = self.detached.swap_remove(place - removed);
                detached.get();
                let _ = self.call(|_| drop(detached));
            }
        }
    }

    fn release_all(&mut self) {
        while let Some(last) = (self.removed.len() + self.detached.len()).checked_sub(1) {
            self.release(last);
        }
    }

    fn flush(&mut self) {
        let flushed = self.call(|registry| registry.flush());
        if self.guards == 0 {
            assert!(flushed.is_none_or(|flushed| flushed.left == 0), "{flushed:?}");
            if self.removed.is_empty() && self.detached.is_empty() {
                assert_eq!(self.registry.stats().retired, 0);
                assert!(self.ledger.live() >= 3 * self.registry.len(), "a value is lost");
            }
        }
    }

    /// Whatever a lookup finds is live and can be read.
    fn look_up(&self, id: u64, name: u64) {
        let guard = self.registry.pin();
        let found = guard.client(&Asked(id)).into_iter().chain(guard.client_by_node(&Asked(name)));
        for found in found {
            let info = self.live.get(&found.key());
            assert_eq!(info, Some(found.info().get()), "{:?} was found", found.key());
            read([found.id(), found.node()], None);
        }
        guard.stream(&Asked(name)).map(Value::get);
        let _ = self.registry.stream_cloned(&Asked(name));
    }

    /// Compares what does not hang on names.
    fn audit(&mut self) {
        let (guard, mut yielded) = (self.registry.pin(), BTreeMap::new());
        for found in guard.iter() {
            let info = *found.info().get();
            assert_eq!(self.live.get(&found.key()), Some(&info), "{:?} was yielded", found.key());
            assert!(yielded.insert(found.key(), info).is_none(), "{:?} twice", found.key());
            read([found.id(), found.node()], found.stream());
        }
        for key in &self.keys {
            assert_eq!(guard.get(*key).is_some(), yielded.contains_key(key), "{key:?}");
        }
        drop(guard);
        // Whom a newcomer displaces besides two, or in a call that is cut short, is handed to nobody.
        self.live = yielded;
        let len = self.registry.len();
        assert_eq!(len, self.live.len(), "places are taken for nobody, or not taken");
        // An `Eq` that says of a full registry's client once that it has the newcomer's name, and once that it
        // has not, lets in one more.
        let most = self.setup.max_clients.map(|max| max + unruly::lies_of_eq());
        assert!(most.is_none_or(|most| len <= most), "{len} are too many");
    }

    /// Takes a guard for the operations that follow, with an iteration that is half done meanwhile.
    fn hold(&mut self, hold: Hold, ops: &mut dyn Iterator<Item = Op>) {
        if self.guards >= MOST_GUARDS {
            return;
        }
        let registry = Arc::clone(&self.registry);
        let guard = registry.pin();
        self.guards += 1;
        let reached: Vec<_> = guard
            .iter()
            .map(|found| (found.id(), found.node(), found.info(), found.stream()))
            .collect();
        let mut iteration = guard.iter();
        let visited = iteration.by_ref().take(usize::from(hold.visited)).count();
        self.run_some(ops, usize::from(hold.first_alone) + usize::from(hold.both));
        for found in iteration {
            read([found.id(), found.info()], found.stream());
        }
        for (id, node, info, stream) in reached.into_iter().skip(visited / 2) {
            read([id, node, info], stream);
        }
        drop(guard);
        self.guards -= 1;
    }
}

/// Reads whatever was handed back.
fn read_removed(removed: &Ended) {
    read([removed.id(), removed.node(), removed.info()], removed.stream());
}

/// None has been dropped.
fn read<const N: usize>(values: [&Value; N], stream: Option<&Value>) {
    values.into_iter().chain(stream).for_each(|value| _ = value.get());
}
