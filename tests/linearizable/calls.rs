//! One thread's part of a history: which calls it makes, and what it notes of each.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tandem_registry::{ClientKey, ClientRef, Detached, Guard, NewClient, Removed, StreamKey};

use super::history::{Answer, Call, Event, Seen, Tag, Value};
use super::record::{BYSTANDERS, Info, Small, Stream};
use crate::fixtures::hashers::Salted;
use crate::fixtures::rng::Rng;
use crate::fixtures::tracked::{Ledger, Tracked};

type Gone = Removed<u8, u8, Info, Stream>;
type Session = tandem_registry::Session<u8, u8, Info, Stream, Salted>;
type Pin<'r> = Guard<'r, u8, u8, Info, Stream, Salted>;

/// Tags for each thread; streams, too, ten times as many.
const NUMBERS: u8 = 40;

/// Which names there are.
#[derive(Clone, Copy)]
pub struct Names {
    pub names: u64,
    pub bystanders: u8,
}

/// What a thread has removed and not dropped.
#[derive(Default)]
pub struct Stash {
    removed: Vec<Gone>,
    detached: Vec<Detached<u8, u8, Info, Stream>>,
}

pub struct Part {
    thread: u8,
    rng: Rng,
    names: Names,
    clock: Arc<AtomicU64>,
    ledger: &'static Ledger,
    /// How many numbers of its own it has used.
    used: u8,
    pub events: Vec<Event>,
    /// The clients that it knows, dead ones too.
    pub keys: Vec<(Tag, ClientKey)>,
    streams: Vec<(Tag, Value, StreamKey)>,
    sessions: Vec<(Tag, Session)>,
    stash: Stash,
    /// Keys that it was shown, to be compared with the others'.
    pub stream_keys: Vec<(StreamKey, Value)>,
    /// The answers that are a key, as yet without a tag.
    pub unnamed: Vec<(usize, ClientKey)>,
}

impl Part {
    pub fn new(
        thread: usize,
        rng: Rng,
        names: Names,
        clock: Arc<AtomicU64>,
        ledger: &'static Ledger,
    ) -> Self {
        Self {
            thread: thread as u8,
            rng,
            names,
            clock,
            ledger,
            used: 0,
            events: Vec::new(),
            keys: Vec::new(),
            streams: Vec::new(),
            sessions: Vec::new(),
            stash: Stash::default(),
            stream_keys: Vec::new(),
            unnamed: Vec::new(),
        }
    }

    /// Gets the keys that another has.
    pub fn learn(&mut self, other: &Self) {
        self.keys.extend(&other.keys);
        self.streams.extend(&other.streams);
    }

    pub fn take_stash(&mut self) -> Stash {
        core::mem::take(&mut self.stash)
    }

    /// A number that nobody else has.
    fn number(&mut self) -> u8 {
        self.used += 1;
        assert!(self.used < NUMBERS, "there are enough numbers for so few calls");
        self.thread * NUMBERS + self.used
    }

    fn stream(&mut self) -> (Value, Stream) {
        let value = 1_000 + Value::from(self.number());
        (value, Tracked::new(self.ledger, value))
    }

    fn name(&mut self) -> u8 {
        self.rng.below(self.names.names) as u8
    }

    fn key(&mut self) -> (Tag, ClientKey) {
        self.keys[self.rng.below(self.keys.len() as u64) as usize]
    }

    fn now(&self) -> u64 {
        self.clock.fetch_add(1, Ordering::SeqCst)
    }

    fn note(&mut self, call: Call, answer: Answer, called: u64) {
        let returned = self.now();
        self.events.push(Event::new(call, answer, called, returned));
    }

    fn record(&mut self, call: Call, run: impl FnOnce(&mut Self) -> Answer) {
        let called = self.now();
        let answer = run(self);
        self.note(call, answer, called);
    }

    /// Remembers a client that it was shown.
    fn seen(&mut self, client: &ClientRef<'_, u8, u8, Info, Stream>) -> Seen {
        let &(tag, version) = client.info().get();
        let stream = client.stream().map(|stream| *stream.get());
        self.keys.push((tag, client.key()));
        if let (Some(value), Some(key)) = (stream, client.stream_key()) {
            self.streams.push((tag, value, key));
            self.stream_keys.push((key, value));
        }
        Seen { tag, version, stream }
    }

    /// Keeps a client that it ended.
    fn ended(&mut self, removed: Gone) -> Seen {
        let &(tag, version) = removed.info().get();
        let stream = removed.stream().map(|stream| *stream.get());
        self.keys.push((tag, removed.key()));
        self.stream_keys.extend(removed.stream_key().zip(stream));
        self.stash.removed.push(removed);
        Seen { tag, version, stream }
    }

    /// Connects a client, for a session perhaps.
    pub fn connect(
        &mut self,
        registry: &Arc<Small>,
        id: u8,
        node: u8,
        with_stream: bool,
        aliases: &[u8],
    ) {
        let tag = self.number();
        let mut client = NewClient::new(id, node, Tracked::new(self.ledger, (tag, 0)));
        let stream = with_stream.then(|| self.stream());
        let value = stream.as_ref().map(|stream| stream.0);
        client.stream = stream.map(|stream| stream.1);
        client.aliases = aliases.to_vec();
        let in_session = self.thread > 0 && aliases.is_empty() && self.rng.one_in(4);
        let called = self.now();
        let connected = if in_session {
            registry.session(client).map(|(session, displaced)| {
                let keys = (session.key(), session.stream_key());
                self.sessions.push((tag, session));
                (keys, displaced, Vec::new())
            })
        } else {
            registry.connect(client).map(|connected| {
                let keys = (connected.key, connected.stream_key);
                (keys, connected.displaced, connected.refused_aliases)
            })
        };
        let call = Call::Connect { tag, id, node, stream: value };
        let ((key, stream_key), displaced, refused) = match connected {
            Ok(connected) => connected,
            Err(error) => {
                let rejected = error.rejected();
                assert_eq!((rejected.id, rejected.node, rejected.info.get().0), (id, node, tag));
                assert_eq!(rejected.stream.as_ref().map(|stream| *stream.get()), value);
                return self.note(call, Answer::Refused(error.kind()), called);
            }
        };
        self.keys.push((tag, key));
        assert_eq!(stream_key.is_some(), with_stream);
        if let (Some(value), Some(key)) = (value, stream_key) {
            self.streams.push((tag, value, key));
            self.stream_keys.push((key, value));
        }
        let by_id = displaced.by_id.map(|removed| {
            assert_eq!(*removed.id(), id, "displaced by its client id");
            self.ended(removed)
        });
        let by_node = displaced.by_node.map(|removed| {
            assert_eq!(*removed.node(), node, "displaced by its node id");
            self.ended(removed)
        });
        // The aliases come within the same time.
        let returned = self.now();
        let mut note = |call, answer| self.events.push(Event::new(call, answer, called, returned));
        note(call, Answer::Connected { by_id, by_node });
        for &name in aliases {
            let why = refused.iter().find(|error| *error.rejected() == name);
            let why = why.map_or(Ok(()), |error| Err(error.kind()));
            note(Call::AddAlias(tag, name), Answer::Alias(why));
        }
    }

    /// Its sessions end, each in one of the three ways.
    pub fn end_sessions(&mut self) {
        while let Some((tag, session)) = self.sessions.pop() {
            self.end_session(tag, session);
        }
    }

    fn end_session(&mut self, tag: Tag, session: Session) {
        let call = Call::DisconnectKey(tag);
        match self.rng.below(4) {
            0 | 1 => self.record(call, |_| {
                drop(session);
                Answer::Unknown
            }),
            2 => self.record(call, |this| {
                Answer::Ended(session.disconnect().map(|removed| this.ended(removed)))
            }),
            _ => assert_eq!(Some(session.into_key()), self.key_of(tag)),
        }
    }

    fn key_of(&self, tag: Tag) -> Option<ClientKey> {
        self.keys.iter().find(|key| key.0 == tag).map(|key| key.1)
    }

    /// One of all calls that there are, but for `shrink_to_fit`, which has the registry for itself.
    pub fn any_call(&mut self, registry: &Arc<Small>) {
        match self.rng.below(40) {
            0..=10 => {
                let (id, node, stream) = (self.name(), self.name(), !self.rng.one_in(4));
                let alias = self.name();
                let aliases = if self.rng.one_in(6) { vec![alias] } else { vec![] };
                self.connect(registry, id, node, stream, &aliases);
            }
            11 | 12 => {
                let id = self.name();
                self.record(Call::Disconnect { id }, |this| {
                    Answer::Ended(registry.disconnect(&id).map(|removed| this.ended(removed)))
                });
            }
            13..=15 => match self.sessions.pop() {
                Some((tag, session)) => self.end_session(tag, session),
                None => {
                    let (tag, key) = self.key();
                    self.record(Call::DisconnectKey(tag), |this| {
                        let removed = registry.disconnect_key(key);
                        Answer::Ended(removed.map(|removed| this.ended(removed)))
                    });
                }
            },
            16..=23 => self.change(registry),
            24..=27 => self.route(registry),
            28 => self.names(registry),
            29 => {
                let called = self.now();
                let removed = registry.close();
                let returned = self.now();
                let mut events = vec![(Call::Close, Answer::Unknown)];
                for removed in
                    removed.into_iter().filter(|removed| removed.info().get().0 < BYSTANDERS)
                {
                    let seen = self.ended(removed);
                    events.push((Call::Sweep(seen.tag), Answer::Ended(Some(seen))));
                }
                self.names.bystanders = 0;
                events.push((Call::Shut, Answer::Unknown));
                let events = events.into_iter();
                self.events.extend(
                    events.map(|(call, answer)| Event::new(call, answer, called, returned)),
                );
            }
            30 => self.record(Call::IsClosed, |_| Answer::Done(registry.is_closed())),
            31 => self.record(Call::Flush, |_| {
                registry.flush();
                Answer::Unknown
            }),
            32 => self.record(Call::Flush, |this| {
                drop(this.take_stash());
                Answer::Unknown
            }),
            33 | 34 => self.walk(registry),
            35 => self.walk_streams(registry),
            _ => self.lookups(registry),
        }
    }

    /// A call that changes something of a client that stays.
    fn change(&mut self, registry: &Small) {
        let (tag, key) = self.key();
        let name = self.name();
        match self.rng.below(8) {
            0 | 1 => {
                let (value, stream) = self.stream();
                self.record(Call::Attach(tag, value), |this| {
                    let attached = registry.attach_stream(key, stream);
                    if let Ok(stream_key) = attached {
                        this.streams.push((tag, value, stream_key));
                        this.stream_keys.push((stream_key, value));
                    }
                    Answer::Done(attached.is_ok())
                });
            }
            2 | 3 if !self.streams.is_empty() => {
                let at = self.rng.below(self.streams.len() as u64) as usize;
                let (tag, value, key) = self.streams[at];
                self.record(Call::Detach(tag, value), |this| {
                    let detached = registry.detach_stream(key);
                    let detached = detached.inspect(|stream| assert_eq!(*stream.get(), value));
                    let done = detached.is_some();
                    this.stash.detached.extend(detached);
                    Answer::Done(done)
                });
            }
            4 => {
                let version = self.number();
                let info = Tracked::new(self.ledger, (tag, version));
                self.record(Call::Update(tag, version), |_| {
                    Answer::Done(registry.update_info(key, info).is_ok())
                });
            }
            5 => self.record(Call::RemoveAlias(tag, name), |_| {
                Answer::Done(registry.remove_alias(key, &name))
            }),
            _ => self.record(Call::AddAlias(tag, name), |_| {
                let added = registry.add_alias(key, name);
                Answer::Alias(added.map_err(|error| error.kind()))
            }),
        }
    }

    /// A stream, in each of the ways to get one.
    fn route(&mut self, registry: &Small) {
        let name = self.name();
        match self.rng.below(4) {
            0 => self.record(Call::Route(name), |_| {
                Answer::Routed(registry.stream_cloned(&name).map(|stream| *stream.get()))
            }),
            1 => self.record(Call::Route(name), |_| {
                Answer::Routed(registry.with_stream(&name, |stream| *stream.get()))
            }),
            2 => {
                let guard = registry.pin();
                let other = self.name();
                let (names, mut called) = ([name, other], self.now());
                guard.routes_batch(&names, |at, route| {
                    let value = route.map(|route| *route.stream().get());
                    self.stream_keys.extend(route.map(|route| route.stream_key()).zip(value));
                    self.note(Call::Route(names[at]), Answer::Routed(value), called);
                    called = self.now();
                });
            }
            _ => self.route_under(&registry.pin(), name),
        }
    }

    fn route_under(&mut self, guard: &Pin<'_>, name: u8) {
        self.record(Call::Route(name), |this| {
            let route = guard.route(&name);
            let value = route.map(|route| *route.stream().get());
            this.stream_keys.extend(route.map(|route| route.stream_key()).zip(value));
            Answer::Routed(value)
        });
    }

    /// What gives a key, or says whether there is one.
    fn names(&mut self, registry: &Small) {
        let name = self.name();
        let called = self.now();
        let (call, key) = match self.rng.below(4) {
            0 => {
                let (tag, session) = match self.sessions.last() {
                    Some((tag, session)) => (*tag, session),
                    None => {
                        return self.record(Call::Contains(name), |_| {
                            Answer::Done(registry.contains(&name))
                        });
                    }
                };
                let lives = session.is_live();
                return self.note(Call::Lives(tag), Answer::Done(lives), called);
            }
            1 => (Call::KeyByNode(name), registry.key_by_node(&name)),
            _ => (Call::KeyById(name), registry.key(&name)),
        };
        self.unnamed.extend(key.map(|key| (self.events.len(), key)));
        self.note(call, Answer::Names(None), called);
    }

    /// Some lookups under one pin; what the first found is there to the last.
    fn lookups(&mut self, registry: &Small) {
        let mut guard = registry.pin();
        if self.rng.one_in(4) {
            guard.repin();
        }
        let (tag, key) = self.key();
        let (id, node) = (self.name(), self.name());
        let mut kept = None;
        for _ in 0..1 + self.rng.below(2) {
            let (call, called) = match self.rng.below(4) {
                0 => (Call::ById(id), self.now()),
                1 => (Call::ByNode(node), self.now()),
                2 => (Call::ByKey(tag), self.now()),
                _ => {
                    self.route_under(&guard, node);
                    continue;
                }
            };
            let client = match call {
                Call::ById(id) => guard.client(&id),
                Call::ByNode(node) => guard.client_by_node(&node),
                _ => guard.get(key),
            };
            let seen = client.map(|client| self.seen(&client));
            self.note(call, Answer::Found(seen), called);
            kept = kept.or(client.zip(seen));
        }
        if let Some((client, seen)) = kept {
            assert_eq!(client.info().get(), &(seen.tag, seen.version));
            assert_eq!(client.stream().map(|stream| *stream.get()), seen.stream);
        }
    }

    fn walk(&mut self, registry: &Small) {
        let guard = registry.pin();
        let mut called = self.now();
        let mut clients = guard.iter();
        self.note(Call::Walk { streams: false }, Answer::Unknown, called);
        let mut bystanders = 0;
        loop {
            called = self.now();
            let Some(client) = clients.next() else {
                break;
            };
            if client.info().get().0 >= BYSTANDERS {
                bystanders += 1;
                continue;
            }
            let seen = self.seen(&client);
            self.note(Call::Visit(seen.tag), Answer::Found(Some(seen)), called);
        }
        self.note(Call::WalkEnds, Answer::Unknown, called);
        self.check_bystanders(registry, bystanders);
    }

    fn walk_streams(&mut self, registry: &Small) {
        let mut called = self.now();
        let mut bystanders = 0;
        // Begins and ends when it likes within the call.
        let begun = called;
        let mut visits = Vec::new();
        registry.for_each_stream(|key, stream| {
            let value = *stream.get();
            let now = self.clock.fetch_add(1, Ordering::SeqCst);
            if value < 1_000 {
                bystanders += 1;
            } else {
                visits.push((key, value, called, now));
            }
            called = now;
        });
        let end = self.now();
        let first = visits.first().map_or(end, |visit| visit.3);
        self.events.push(Event::new(Call::Walk { streams: true }, Answer::Unknown, begun, first));
        for (key, value, called, returned) in visits {
            self.stream_keys.push((key, value));
            self.unnamed.push((self.events.len(), key.client()));
            let visit = Event::new(Call::Visit(0), Answer::Routed(Some(value)), called, returned);
            self.events.push(visit);
        }
        self.events.push(Event::new(Call::WalkEnds, Answer::Unknown, called, end));
        self.check_bystanders(registry, bystanders);
    }

    /// Those that nobody touches were all there, once; unless somebody has closed the registry.
    fn check_bystanders(&self, registry: &Small, seen: u8) {
        let right = seen == self.names.bystanders || registry.is_closed();
        assert!(right, "of {} that stay, {seen} were yielded", self.names.bystanders);
    }

    /// What there is in the end, when nobody else is there.
    pub fn look_around(&mut self, registry: &Small) {
        for name in 0..self.names.names as u8 {
            let guard = registry.pin();
            for call in [Call::ById(name), Call::ByNode(name)] {
                let called = self.now();
                let client = match call {
                    Call::ById(id) => guard.client(&id),
                    _ => guard.client_by_node(&name),
                };
                let seen = client.map(|client| self.seen(&client));
                self.note(call, Answer::Found(seen), called);
            }
        }
        let events = self.events.len();
        self.walk(registry);
        let visits = self.events[events..].iter();
        let visits = visits.filter(|event| matches!(event.call, Call::Visit(_))).count();
        let live = if registry.is_closed() { 0 } else { usize::from(self.names.bystanders) };
        assert_eq!(registry.len(), visits + live, "places are live clients");
        assert_eq!(
            (registry.is_empty(), registry.stats().clients),
            (visits + live == 0, visits + live)
        );
        self.walk_streams(registry);
    }
}
