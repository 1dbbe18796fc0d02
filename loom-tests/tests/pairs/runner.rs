//! Does an operation, whole or part by part, and remembers what it said.

use crate::NUMBERS;
use crate::operation::{Operation, Operation::*, Part};
use crate::world::{A, ALIAS, B, FREE, HOLDER, World};
use loom_tests::{Counted, Fixed, Ledger, Small, SmallRemoved};
use std::sync::Arc;
use tandem_registry::{ClientKey, Session, StreamKey};

/// An operation with all that it needs, for whatever thread.
pub struct Runner {
    operation: Operation,
    registry: Arc<Small>,
    ledger: Ledger,
    session: Option<Session<u64, u64, u64, Counted, Fixed>>,
    /// Of [`DropRemoved`]: it ended before.
    ended: Option<SmallRemoved>,
    keys: [ClientKey; 2],
    stream: StreamKey,
    /// What it brings along is counted from here.
    number: u64,
    found: Option<ClientKey>,
    /// Between [`Part::Unfinished`] and [`Part::Finish`]: who is in the place that was freed.
    holder: Option<ClientKey>,
    /// By [`Part::Evict`], of the client id that the newcomer takes.
    evicted: Option<SmallRemoved>,
    /// What it says; of `close`, in any order.
    said: Vec<String>,
    /// Of a walk.
    met: Vec<ClientKey>,
    /// What it was handed, dropped when the race is over.
    removed: Vec<SmallRemoved>,
}

impl Runner {
    pub fn new(operation: Operation, number: u64, world: &mut World) -> Self {
        let session = (operation == EndSession).then(|| world.session());
        let ended = (operation == DropRemoved).then(|| world.ended(number));
        Self {
            operation,
            registry: Arc::clone(&world.registry),
            ledger: world.ledger.clone(),
            session,
            ended,
            keys: [world.a, world.b],
            stream: world.stream,
            number,
            found: None,
            holder: None,
            evicted: None,
            said: Vec::new(),
            met: Vec::new(),
            removed: Vec::new(),
        }
    }

    /// The whole operation, as a user calls it.
    pub fn run(mut self) -> Self {
        self.run_part(Part::Whole);
        self
    }

    pub fn run_part(&mut self, part: Part) {
        match part {
            Part::Whole => self.whole(),
            Part::Bare => self.connect(false),
            Part::Alias => {
                if let Some(key) = self.found {
                    let refused = self.registry.add_alias(key, ALIAS).err();
                    self.say(format!("{:?}", refused.map(|error| error.kind())));
                }
            }
            Part::Find => self.found = self.registry.key(&A.0),
            Part::End if self.operation == ShortSession => {
                drop(self.found.and_then(|key| self.registry.disconnect_key(key)));
            }
            Part::End => {
                let removed = self.found.and_then(|key| self.registry.disconnect_key(key));
                self.hand(removed);
            }
            Part::EndOf(client) => {
                let removed = self.registry.disconnect_key(self.keys[client]);
                removed.into_iter().for_each(|removed| self.hand(Some(removed)));
            }
            Part::EndOfOther(other) => {
                let mut others = NUMBERS.into_iter().filter(|&number| number != self.number);
                let number = others.nth(other).expect("there are two");
                let guard = self.registry.pin();
                let found = guard.iter().find(|client| *client.info() == number);
                let key = found.map(|client| client.key());
                drop(guard);
                let removed = key.and_then(|key| self.registry.disconnect_key(key));
                removed.into_iter().for_each(|removed| self.hand(Some(removed)));
            }
            Part::Evict(client) => {
                self.evicted = self.registry.disconnect_key(self.keys[client]);
            }
            Part::Unfinished(part) => {
                self.run_part(*part);
                let name = HOLDER + self.number;
                let holder = self.registry.connect(self.ledger.client(name, name, self.number));
                self.holder = holder.ok().map(|connected| connected.key);
            }
            Part::Finish => {
                drop(self.holder.take().and_then(|key| self.registry.disconnect_key(key)));
            }
            Part::RouteOf(node) => {
                let of = self.registry.with_stream(&node, |stream| stream.of);
                self.say(format!("{of:?}"));
            }
        }
    }

    fn whole(&mut self) {
        let registry = Arc::clone(&self.registry);
        let [a, b] = self.keys;
        match self.operation {
            ConnectWithAlias => self.connect(true),
            ShortSession => self.open_session(),
            operation if operation.is_connect() => self.connect(false),
            DisconnectId => self.hand(registry.disconnect(&A.0)),
            DisconnectKey => self.hand(registry.disconnect_key(a)),
            EndSession => drop(self.session.take()),
            DropRemoved => drop(self.ended.take()),
            Attach => {
                let attached = registry.attach_stream(a, self.ledger.stream(self.number));
                self.say(attached.map_or_else(|error| format!("{error:?}"), |_| "attached".into()));
            }
            Detach => {
                let detached = registry.detach_stream(self.stream);
                self.say(format!("{:?}", detached.map(|stream| stream.of)));
            }
            UpdateInfo => {
                let updated = registry.update_info(a, self.number).is_ok();
                self.say(updated.to_string());
            }
            AddAlias => {
                let refused = registry.add_alias(a, FREE).err();
                self.say(format!("{:?}", refused.map(|error| error.kind())));
            }
            TakeAlias => {
                let refused = registry.add_alias(b, ALIAS).err();
                self.say(format!("{:?}", refused.map(|error| error.kind())));
            }
            RemoveAlias => self.say(registry.remove_alias(a, &ALIAS).to_string()),
            RemoveAdded => self.say(registry.remove_alias(a, &FREE).to_string()),
            Flush => {
                let _ = registry.flush();
            }
            Close => registry.close().into_iter().for_each(|removed| self.hand(Some(removed))),
            _ => self.read(&registry),
        }
    }

    fn read(&mut self, registry: &Small) {
        let mut guard = registry.pin();
        let said = match self.operation {
            Client => format!("{:?}", guard.client(&A.0).map(|client| *client.info())),
            ClientByNode => {
                format!("{:?}", guard.client_by_node(&A.1).map(|client| *client.info()))
            }
            ClientByAlias => {
                format!("{:?}", guard.client_by_node(&ALIAS).map(|client| *client.info()))
            }
            Get => format!("{:?}", guard.get(self.keys[0]).map(|client| *client.info())),
            Route => format!("{:?}", guard.route(&A.1).map(|route| route.stream().of)),
            RouteAlias => format!("{:?}", guard.stream(&ALIAS).map(|stream| stream.of)),
            WithStream => format!("{:?}", registry.with_stream(&A.1, |stream| stream.of)),
            Contains => registry.contains(&A.0).to_string(),
            Key => format!("{:?}", registry.key(&A.0).is_some()),
            KeyByNode => format!("{:?}", registry.key_by_node(&A.1).is_some()),
            Batch => {
                guard.routes_batch(&[A.1, B.1], |_, route| {
                    self.said.push(format!("{:?}", route.map(|route| route.stream().of)));
                });
                return;
            }
            Iterate => {
                guard.repin();
                self.met.extend(guard.iter().map(|client| client.key()));
                return;
            }
            ForEachStream => {
                registry.for_each_stream(|key, _| self.met.push(key.client()));
                return;
            }
            // Exact only when no call is under way.
            Stats => {
                let _ = registry.stats();
                return;
            }
            other => unreachable!("{other:?} reads nothing"),
        };
        self.say(said);
    }

    fn connect(&mut self, with_alias: bool) {
        let (id, node) = self.operation.names().expect("a connect has names");
        let client = self.ledger.client(id, node, self.number);
        let client = if with_alias { client.alias(ALIAS) } else { client };
        match self.registry.connect(client) {
            Ok(connected) => {
                self.found = Some(connected.key);
                let by_id = self.evicted.take().or(connected.displaced.by_id);
                for removed in [by_id, connected.displaced.by_node] {
                    self.hand(removed);
                }
                if with_alias {
                    let refused = connected.refused_aliases.first().map(|error| error.kind());
                    self.say(format!("{refused:?}"));
                }
            }
            Err(error) => self.say(format!("{:?}", error.kind())),
        }
    }

    fn open_session(&mut self) {
        let (id, node) = self.operation.names().expect("a session has names");
        match self.registry.session(self.ledger.client(id, node, self.number)) {
            Ok((session, displaced)) => {
                for removed in [displaced.by_id, displaced.by_node] {
                    self.hand(removed);
                }
                drop(session);
            }
            Err(error) => self.say(format!("{:?}", error.kind())),
        }
    }

    fn hand(&mut self, removed: Option<SmallRemoved>) {
        let stream = |removed: &SmallRemoved| removed.stream().map(|stream| stream.of);
        let text = removed.as_ref().map(|removed| (*removed.info(), stream(removed)));
        self.say(format!("{text:?}"));
        self.removed.extend(removed);
    }

    fn say(&mut self, text: String) {
        self.said.push(text);
    }

    /// What it said, when the race is over.
    pub fn result(&mut self) -> String {
        if self.operation == Close {
            self.said.sort();
        }
        format!("{:?} {:?}", self.operation, self.said)
    }

    /// H: a walk meets nobody twice, and everybody who was there from beginning to end.
    pub fn judge_walk(&self, world: &World) {
        if !self.operation.walks() {
            return;
        }
        let guard = world.registry.pin();
        for (at, key) in self.met.iter().enumerate() {
            assert!(!self.met[..at].contains(key), "met twice: {:?}", self.met);
        }
        for key in self.keys {
            let has_stream = guard.get(key).is_some_and(|client| client.stream().is_some());
            assert!(!has_stream || self.met.contains(&key), "not met: {key:?} in {:?}", self.met);
        }
    }
}
