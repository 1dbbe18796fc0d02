//! What one thread does, and what it notes down.

use std::{
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use tandem_registry::{
    ClientKey, Detached, Guard, NewClient, Registry, Removed, Session, StreamKey,
};

use crate::{
    fixtures::{
        hashers::FewBits,
        tracked::{Ledger, Tracked},
    },
    input::{Age, Name, Newcomer, Op},
    linearizable::history::{Answer, Call, Event, Seen, Tag},
};

pub type Value = Tracked<u64>;
pub type Tested = Registry<Value, Value, Value, Value, FewBits>;
pub type Pinned<'r> = Guard<'r, Value, Value, Value, Value, FewBits>;
type Opened = Session<Value, Value, Value, Value, FewBits>;
type Ended = Removed<Value, Value, Value, Value>;
type Loose = Detached<Value, Value, Value, Value>;

/// Numbers of one thread, which nobody else has: tags, streams, and ids and names that are not fought for.
fn numbers_of(nth: u8) -> Range<u8> {
    // The first connects the crowd.
    let starts = |nth: u8| if nth == 0 { 40 } else { 100 + 30 * nth };
    starts(nth)..starts(nth + 1)
}

/// A connection is known by its tag, the low byte of its info; how often it was updated, by the next.
pub fn seen(info: &Value, stream: Option<&Value>) -> Seen {
    let [tag, version, ..] = info.get().to_le_bytes();
    Seen { tag, version, stream: stream.map(number) }
}

pub fn number(stream: &Value) -> u16 {
    *stream.get() as u16
}

/// All that one thread noted down.
#[derive(Default)]
pub struct Notes {
    pub events: Vec<Event>,
    /// Iterations that other calls come between: each a thread of its own to the history.
    pub aside: Vec<Vec<Event>>,
    /// Where in `events` a key stands for a client that another thread connected.
    pub unnamed: Vec<(usize, ClientKey)>,
    pub keys: Vec<(Tag, ClientKey)>,
    pub streams: Vec<(Tag, u16, StreamKey)>,
    /// What was handed back and not dropped yet.
    pub removed: Vec<(Seen, Ended)>,
    pub detached: Vec<(u16, Loose)>,
    pub sessions: Vec<(Tag, Opened)>,
}

pub struct Part {
    pub registry: Arc<Tested>,
    pub ledger: &'static Ledger,
    pub clock: Arc<AtomicU64>,
    numbers: Range<u8>,
    pub notes: Notes,
}

impl Part {
    pub fn new(
        registry: &Arc<Tested>,
        ledger: &'static Ledger,
        clock: &Arc<AtomicU64>,
        nth: u8,
    ) -> Self {
        Self {
            registry: Arc::clone(registry),
            ledger,
            clock: Arc::clone(clock),
            numbers: numbers_of(nth),
            notes: Notes::default(),
        }
    }

    pub fn now(&self) -> u64 {
        self.clock.fetch_add(1, Relaxed)
    }

    /// Does at most so many operations; lookups under the guard, if there is one.
    pub fn run(
        &mut self,
        ops: &mut std::slice::Iter<'_, Op>,
        limit: usize,
        held: Option<&Pinned<'_>>,
    ) {
        for _ in 0..limit {
            let Some(&op) = ops.next() else { break };
            match op {
                Op::Hold(name, count) => self.hold(name, usize::from(count), ops),
                op => self.step(op, held),
            }
        }
    }

    fn step(&mut self, op: Op, held: Option<&Pinned<'_>>) {
        match op {
            Op::Connect(newcomer) => self.connect(newcomer, false),
            Op::OpenSession(newcomer) => self.connect(newcomer, true),
            Op::EndSession(age) => self.end_session(age),
            Op::Disconnect(id) => self.disconnect(id),
            Op::DisconnectNode(node) => self.disconnect_node(node),
            Op::DisconnectKey(age) => self.disconnect_key(age),
            Op::Attach(age) => self.attach(age),
            Op::Detach(age) => self.detach(age),
            Op::UpdateInfo(age) => self.update_info(age),
            Op::AddAlias(age, name) => self.add_alias(age, name),
            Op::RemoveAlias(age, name) => self.remove_alias(age, name),
            Op::Route(name, way) => self.route(name, way, held),
            Op::ById(id) => self.by_id(id, held),
            Op::ByNode(name) => self.by_node(name, held),
            Op::ByKey(age) => self.by_key(age, held),
            Op::Keys(id, name) => self.look_up_keys(id, name),
            Op::Batch(one, two) => self.batch(one, two, held),
            Op::Walk => self.walk(held),
            Op::Streams => self.walk_streams(),
            Op::Hold(..) => unreachable!("it takes the operations that follow"),
            Op::Release => self.release(),
            Op::Flush => drop(self.registry.flush()),
            Op::Stats => self.ask_for_stats(),
            Op::Close => self.close(),
        }
    }

    pub fn value(&self, value: impl Into<u64>) -> Value {
        Tracked::new(self.ledger, value.into())
    }

    fn number(&mut self) -> u8 {
        self.numbers.next().expect("there are enough numbers for so few calls")
    }

    fn name(&mut self, name: Name) -> u8 {
        match name {
            Name::Shared(name) => name,
            Name::Fresh => self.number(),
        }
    }

    pub fn note(&mut self, call: Call, answer: Answer, called: u64) {
        let returned = self.now();
        self.notes.events.push(Event::new(call, answer, called, returned));
    }

    pub fn record(&mut self, call: Call, run: impl FnOnce(&mut Self) -> Answer) {
        let called = self.now();
        let answer = run(self);
        self.note(call, answer, called);
    }

    /// Connects a client, for a session perhaps.
    pub fn connect(&mut self, newcomer: Newcomer, for_session: bool) {
        let (id, node, tag) = (self.name(newcomer.id), self.name(newcomer.node), self.number());
        let stream = newcomer.stream.then(|| u16::from(self.number()));
        let mut new = NewClient::new(self.value(id), self.value(node), self.value(tag));
        new.stream = stream.map(|stream| self.value(stream));
        // Which aliases were refused, a session does not say.
        let alias = newcomer.alias.filter(|_| !for_session);
        new.aliases.extend(alias.map(|alias| self.value(alias)));

        let called = self.now();
        let connected = if for_session {
            self.registry.session(new).map(|(session, displaced)| {
                let keys = (session.key(), session.stream_key());
                self.notes.sessions.push((tag, session));
                (keys, displaced, None)
            })
        } else {
            self.registry.connect(new).map(|connected| {
                let refused = connected.refused_aliases.first().map(|error| error.kind());
                ((connected.key, connected.stream_key), connected.displaced, refused)
            })
        };
        let returned = self.now();
        let mut note = |call, answer| {
            self.notes.events.push(Event::new(call, answer, called, returned));
        };
        let call = Call::Connect { tag, id, node, stream };
        let ((key, stream_key), displaced, refused) = match connected {
            Ok(connected) => connected,
            Err(error) => {
                note(call, Answer::Refused(error.kind()));
                let back = error.into_rejected();
                let back = (seen(&back.info, back.stream.as_ref()), *back.id.get());
                let given = (Seen { tag, version: 0, stream }, u64::from(id));
                return assert_eq!(back, given, "other arguments came back");
            }
        };
        let shows = |removed: &Option<Ended>| removed.as_ref().map(shown);
        let answer = Answer::Connected {
            by_id: shows(&displaced.by_id),
            by_node: shows(&displaced.by_node),
        };
        note(call, answer);
        // Within the same call, and after the rest of it.
        if let Some(alias) = alias {
            note(Call::AddAlias(tag, alias), Answer::Alias(refused.map_or(Ok(()), Err)));
        }
        self.notes.keys.push((tag, key));
        let stream = stream.zip(stream_key);
        self.notes.streams.extend(stream.map(|(value, key)| (tag, value, key)));
        self.keep(displaced.by_id);
        self.keep(displaced.by_node);
    }

    /// Takes what was handed back; says what it shows.
    fn keep(&mut self, removed: Option<Ended>) -> Option<Seen> {
        let removed = removed?;
        let seen = shown(&removed);
        self.notes.removed.push((seen, removed));
        Some(seen)
    }

    fn end_session(&mut self, age: Age) {
        if self.notes.sessions.is_empty() {
            return;
        }
        let chosen = usize::from(age) % self.notes.sessions.len();
        let (tag, session) = self.notes.sessions.swap_remove(chosen);
        self.record(Call::Lives(tag), |_| Answer::Done(session.is_live()));
        match age >> 6 {
            0 | 1 => self.record(Call::DisconnectKey(tag), |_| {
                drop(session);
                Answer::Unknown
            }),
            2 => self.record(Call::DisconnectKey(tag), |this| {
                Answer::Ended(this.keep(session.disconnect()))
            }),
            _ => _ = session.into_key(),
        }
    }

    fn disconnect(&mut self, id: u8) {
        self.record(Call::Disconnect { id }, |this| {
            let removed = this.registry.disconnect(&u64::from(id));
            assert!(removed.as_ref().is_none_or(|removed| *removed.id().get() == u64::from(id)));
            Answer::Ended(this.keep(removed))
        });
    }

    fn disconnect_node(&mut self, node: u8) {
        let called = self.now();
        let key = self.registry.key_by_node(&u64::from(node));
        self.note_key(Call::KeyByNode(node), key, called);
        if let Some(key) = key {
            self.notes.unnamed.push((self.notes.events.len(), key));
            self.record(Call::DisconnectKey(0), |this| {
                Answer::Ended(this.keep(this.registry.disconnect_key(key)))
            });
        }
    }

    fn disconnect_key(&mut self, age: Age) {
        let Some((tag, key)) = newest(&self.notes.keys, age) else { return };
        self.record(Call::DisconnectKey(tag), |this| {
            Answer::Ended(this.keep(this.registry.disconnect_key(key)))
        });
    }

    fn attach(&mut self, age: Age) {
        let Some((tag, key)) = newest(&self.notes.keys, age) else { return };
        let value = u16::from(self.number());
        self.record(Call::Attach(tag, value), |this| {
            let attached = this.registry.attach_stream(key, this.value(value));
            let attached = attached.map(|key| this.notes.streams.push((tag, value, key)));
            Answer::Done(attached.is_ok())
        });
    }

    fn detach(&mut self, age: Age) {
        let Some((tag, value, key)) = newest(&self.notes.streams, age) else { return };
        self.record(Call::Detach(tag, value), |this| {
            let detached = this.registry.detach_stream(key);
            let is_some = detached.is_some();
            this.notes.detached.extend(detached.map(|detached| (value, detached)));
            Answer::Done(is_some)
        });
    }

    fn update_info(&mut self, age: Age) {
        let Some((tag, key)) = newest(&self.notes.keys, age) else { return };
        let version = self.number();
        self.record(Call::Update(tag, version), |this| {
            let info = this.value(u16::from_le_bytes([tag, version]));
            Answer::Done(this.registry.update_info(key, info).is_ok())
        });
    }

    fn add_alias(&mut self, age: Age, name: u8) {
        let Some((tag, key)) = newest(&self.notes.keys, age) else { return };
        self.record(Call::AddAlias(tag, name), |this| {
            let added = this.registry.add_alias(key, this.value(name));
            Answer::Alias(added.map_err(|error| error.kind()))
        });
    }

    fn remove_alias(&mut self, age: Age, name: u8) {
        let Some((tag, key)) = newest(&self.notes.keys, age) else { return };
        self.record(Call::RemoveAlias(tag, name), |this| {
            Answer::Done(this.registry.remove_alias(key, &u64::from(name)))
        });
    }

    pub fn release(&mut self) {
        for (then, removed) in self.notes.removed.drain(..) {
            assert_eq!(shown(&removed), then, "what was handed back has changed");
        }
        for (value, detached) in self.notes.detached.drain(..) {
            assert_eq!(*detached.get(), u64::from(value));
        }
    }

    fn close(&mut self) {
        let called = self.now();
        let ended = self.registry.close();
        let returned = self.now();
        let mut note = |call, answer| {
            self.notes.events.push(Event::new(call, answer, called, returned));
        };
        note(Call::Close, Answer::Unknown);
        for removed in &ended {
            let seen = shown(removed);
            note(Call::Sweep(seen.tag), Answer::Ended(Some(seen)));
        }
        note(Call::Shut, Answer::Unknown);
        ended.into_iter().for_each(|removed| _ = self.keep(Some(removed)));
        self.record(Call::IsClosed, |this| Answer::Done(this.registry.is_closed()));
    }
}

fn shown(removed: &Ended) -> Seen {
    seen(removed.info(), removed.stream())
}

/// The n-th newest.
pub fn newest<T: Copy>(all: &[T], age: Age) -> Option<T> {
    let at = all.len().checked_sub(1)? - usize::from(age) % all.len();
    all.get(at).copied()
}
