//! One thread's part of a history: which calls it makes, and what it notes of each.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tandem_registry::{ClientKey, ClientRef, Detached, NewClient, Removed, StreamKey};

use super::history::{Answer, Call, Event, Seen, Tag, Value};
use super::menu::{Kind, Menu};
use super::record::{BYSTANDERS, Info, Small, Stream};
use crate::fixtures::hashers::Salted;
use crate::fixtures::rng::Rng;
use crate::fixtures::tracked::{Ledger, Tracked};

type Gone = Removed<u8, u8, Info, Stream>;
type Session = tandem_registry::Session<u8, u8, Info, Stream, Salted>;

/// Tags for each thread; streams, too, ten times as many.
const NUMBERS: u8 = 40;

/// What a thread has removed and not dropped.
#[derive(Default)]
pub struct Stash {
    removed: Vec<Gone>,
    detached: Vec<Detached<u8, u8, Info, Stream>>,
}

pub struct Part {
    thread: u8,
    pub rng: Rng,
    pub menu: Menu,
    pub clock: Arc<AtomicU64>,
    ledger: &'static Ledger,
    /// How many numbers of its own it has used.
    used: u8,
    pub events: Vec<Event>,
    /// The clients that it knows, dead ones too.
    pub keys: Vec<(Tag, ClientKey)>,
    streams: Vec<(Tag, Value, StreamKey)>,
    pub sessions: Vec<(Tag, Session)>,
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
        menu: Menu,
        clock: Arc<AtomicU64>,
        ledger: &'static Ledger,
    ) -> Self {
        Self {
            thread: thread as u8,
            rng,
            menu,
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

    pub fn name(&mut self) -> u8 {
        self.rng.below(self.menu.names) as u8
    }

    fn alias(&mut self) -> u8 {
        self.menu.the_alias().unwrap_or_else(|| self.name())
    }

    pub fn key(&mut self) -> (Tag, ClientKey) {
        if self.menu.of_one {
            return self.keys[0];
        }
        self.keys[self.rng.below(self.keys.len() as u64) as usize]
    }

    pub fn now(&self) -> u64 {
        self.clock.fetch_add(1, Ordering::SeqCst)
    }

    pub fn note(&mut self, call: Call, answer: Answer, called: u64) {
        let returned = self.now();
        self.events.push(Event::new(call, answer, called, returned));
    }

    pub fn record(&mut self, call: Call, run: impl FnOnce(&mut Self) -> Answer) {
        let called = self.now();
        let answer = run(self);
        self.note(call, answer, called);
    }

    /// Remembers a client that it was shown.
    pub fn seen(&mut self, client: &ClientRef<'_, u8, u8, Info, Stream>) -> Seen {
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
        match self.menu.choose(&mut self.rng) {
            Kind::Connect => {
                let (id, node, stream) = (self.name(), self.name(), !self.rng.one_in(4));
                let alias = self.name();
                let aliases = if self.rng.one_in(6) { vec![alias] } else { vec![] };
                self.connect(registry, id, node, stream, &aliases);
            }
            Kind::Disconnect => self.disconnect(registry),
            Kind::Change => self.change(registry),
            Kind::Alias if self.rng.one_in(3) => self.remove_alias(registry),
            Kind::Alias => self.add_alias(registry),
            Kind::Route => self.route(registry),
            Kind::Name => self.names(registry),
            Kind::LookUp => self.lookups(registry),
            Kind::Walk if self.rng.one_in(3) => self.walk_streams(registry),
            Kind::Walk => self.walk(registry),
            Kind::Flush => self.record(Call::Flush, |this| {
                drop(this.take_stash());
                if this.rng.one_in(2) {
                    registry.flush();
                }
                Answer::Unknown
            }),
            Kind::Close if self.rng.one_in(2) => {
                self.record(Call::IsClosed, |_| Answer::Done(registry.is_closed()));
            }
            Kind::Close => self.close(registry),
        }
    }

    fn disconnect(&mut self, registry: &Small) {
        if self.rng.one_in(2) {
            let id = self.name();
            return self.record(Call::Disconnect { id }, |this| {
                Answer::Ended(registry.disconnect(&id).map(|removed| this.ended(removed)))
            });
        }
        match self.sessions.pop() {
            Some((tag, session)) => self.end_session(tag, session),
            None => {
                let (tag, key) = self.key();
                self.record(Call::DisconnectKey(tag), |this| {
                    let removed = registry.disconnect_key(key);
                    Answer::Ended(removed.map(|removed| this.ended(removed)))
                });
            }
        }
    }

    fn close(&mut self, registry: &Small) {
        let called = self.now();
        let removed = registry.close();
        let returned = self.now();
        let note = |call, answer| Event::new(call, answer, called, returned);
        let mut events = vec![note(Call::Close, Answer::Unknown)];
        for removed in removed {
            if removed.info().get().0 < BYSTANDERS {
                let seen = self.ended(removed);
                events.push(note(Call::Sweep(seen.tag), Answer::Ended(Some(seen))));
            }
        }
        events.push(note(Call::Shut, Answer::Unknown));
        self.events.extend(events);
    }

    /// A call that changes the stream or the info of a client.
    fn change(&mut self, registry: &Small) {
        let (tag, key) = self.key();
        match self.rng.below(5) {
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
            _ => {
                let version = self.number();
                let info = Tracked::new(self.ledger, (tag, version));
                self.record(Call::Update(tag, version), |_| {
                    Answer::Done(registry.update_info(key, info).is_ok())
                });
            }
        }
    }

    fn remove_alias(&mut self, registry: &Small) {
        let ((tag, key), name) = (self.key(), self.alias());
        self.record(Call::RemoveAlias(tag, name), |_| {
            Answer::Done(registry.remove_alias(key, &name))
        });
    }

    pub fn add_alias(&mut self, registry: &Small) {
        let ((tag, key), name) = (self.key(), self.alias());
        self.record(Call::AddAlias(tag, name), |_| {
            let added = registry.add_alias(key, name);
            Answer::Alias(added.map_err(|error| error.kind()))
        });
    }
}
