//! Short histories of real threads on a fresh registry.

use std::ops::RangeInclusive;
use std::sync::Barrier;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use tandem_registry::steps::with_hook;
use tandem_registry::{ClientKey, NewClient, Policy, Registry, Removed, StreamKey};

use super::check::{Event, History};
use super::spec::{Answer, Call, Seen, Tag};
use crate::fixtures::rng::Rng;

type Small = Registry<u8, u8, Tag, u16>;

const THREADS: u8 = 3;
const CALLS: usize = 4;

/// One step in so many is a yield.
const YIELDS: u64 = 12;

/// Numbers for each thread, and for what is connected before they start.
const NUMBERS: u8 = 20;

/// What threads do, and with how many names.
pub struct Recorder {
    policy: Policy,
    /// Two client ids and two node ids, instead of three each.
    crowded: bool,
}

/// One thread's part of a history.
struct Part<'h> {
    registry: &'h Small,
    clock: &'h AtomicU64,
    rng: Rng,
    names: u64,
    /// Numbers of its connections and streams: nobody else has them.
    numbers: RangeInclusive<u8>,
    keys: Vec<(Tag, ClientKey)>,
    streams: Vec<(Tag, u16, StreamKey)>,
    events: Vec<Event>,
}

fn seen(removed: &Removed<u8, u8, Tag, u16>) -> Seen {
    (*removed.info(), removed.stream().copied())
}

impl Recorder {
    pub fn new(policy: Policy, crowded: bool) -> Self {
        Self { policy, crowded }
    }

    /// Two clients are connected, one with an alias; then the threads run.
    pub fn record(&self, seed: u64) -> History {
        // Few lines, so that the tables grow meanwhile now and then.
        let builder = Registry::builder().shards(1).on_conflict(self.policy);
        let registry: Small = builder.build().expect("the settings are right");
        let clock = AtomicU64::new(0);
        let names = if self.crowded { 2 } else { 3 };
        let part = |number: u8| Part {
            registry: &registry,
            clock: &clock,
            rng: Rng::new(seed.wrapping_mul(31).wrapping_add(u64::from(number))),
            names,
            numbers: number * NUMBERS..=number * NUMBERS + (NUMBERS - 1),
            keys: Vec::new(),
            streams: Vec::new(),
            events: Vec::new(),
        };
        let mut first = part(0);
        for client in 0..2 {
            first.connect(client, client, true);
        }
        let (keys, streams) = (first.keys.clone(), first.streams.clone());
        let barrier = Barrier::new(usize::from(THREADS));
        let threads = thread::scope(|scope| {
            let threads: Vec<_> = (1..=THREADS)
                .map(|number| {
                    let mut part = part(number);
                    (part.keys, part.streams) = (keys.clone(), streams.clone());
                    let mut yields = part.rng.clone();
                    let barrier = &barrier;
                    let run = move || {
                        barrier.wait();
                        let hook = move || {
                            if yields.one_in(YIELDS) {
                                thread::yield_now();
                            }
                        };
                        with_hook(hook, || (0..CALLS).for_each(|_| part.any_call()));
                        part.events
                    };
                    scope.spawn(run)
                })
                .collect();
            let threads = threads.into_iter();
            threads.map(|thread| thread.join().expect("no call panics")).collect::<Vec<_>>()
        });
        History([first.events].into_iter().chain(threads).collect())
    }
}

impl Part<'_> {
    fn number(&mut self) -> u8 {
        self.numbers.next().expect("there are enough numbers for so few calls")
    }

    fn name(&mut self) -> u8 {
        self.rng.below(self.names) as u8
    }

    fn tag(&mut self) -> (Tag, ClientKey) {
        self.keys[self.rng.below(self.keys.len() as u64) as usize]
    }

    fn record(&mut self, call: Call, run: impl FnOnce(&mut Self) -> Answer) {
        let called = self.clock.fetch_add(1, Ordering::SeqCst);
        let answer = run(self);
        let returned = self.clock.fetch_add(1, Ordering::SeqCst);
        self.events.push(Event { call, answer, called, returned });
    }

    fn connect(&mut self, id: u8, node: u8, with_stream: bool) {
        let tag = self.number();
        let stream = with_stream.then(|| u16::from(self.number()));
        self.record(Call::Connect { tag, id, node, stream }, |this| {
            let mut client = NewClient::new(id, node, tag);
            client.stream = stream;
            match this.registry.connect(client) {
                Ok(connected) => {
                    this.keys.push((tag, connected.key));
                    let value = stream.zip(connected.stream_key);
                    this.streams.extend(value.map(|(value, key)| (tag, value, key)));
                    let displaced = &connected.displaced;
                    let (by_id, by_node) = (&displaced.by_id, &displaced.by_node);
                    Answer::Connected {
                        by_id: by_id.as_ref().map(seen),
                        by_node: by_node.as_ref().map(seen),
                    }
                }
                Err(error) => Answer::Refused(error.kind()),
            }
        });
    }

    fn any_call(&mut self) {
        match self.rng.below(16) {
            0..=4 => {
                let (id, node, stream) = (self.name(), self.name(), !self.rng.one_in(4));
                self.connect(id, node, stream);
            }
            5 => {
                let id = self.name();
                self.record(Call::Disconnect(id), |this| {
                    Answer::Ended(this.registry.disconnect(&id).as_ref().map(seen))
                });
            }
            6 => {
                let (tag, key) = self.tag();
                self.record(Call::DisconnectKey(tag), |this| {
                    Answer::Ended(this.registry.disconnect_key(key).as_ref().map(seen))
                });
            }
            7 => {
                let (tag, key) = self.tag();
                let value = u16::from(self.number());
                self.record(Call::Attach(tag, value), |this| {
                    let attached = this.registry.attach_stream(key, value);
                    let attached = attached.map(|key| this.streams.push((tag, value, key)));
                    Answer::Done(attached.is_ok())
                });
            }
            8 if !self.streams.is_empty() => {
                let at = self.rng.below(self.streams.len() as u64) as usize;
                let (tag, value, key) = self.streams[at];
                self.record(Call::Detach(tag, value), |this| {
                    Answer::Done(this.registry.detach_stream(key).is_some())
                });
            }
            8 | 9 => {
                let (tag, key) = self.tag();
                let name = self.name();
                self.record(Call::AddAlias(tag, name), |this| {
                    let added = this.registry.add_alias(key, name);
                    Answer::Alias(added.map_err(|error| error.kind()))
                });
            }
            10..=12 => {
                let node = self.name();
                self.record(Call::Route(node), |this| {
                    Answer::Routed(this.registry.pin().stream(&node).copied())
                });
            }
            13 => {
                let id = self.name();
                self.record(Call::ById(id), |this| {
                    let guard = this.registry.pin();
                    let client = guard.client(&id);
                    Answer::Found(client.map(|client| (*client.info(), client.stream().copied())))
                });
            }
            14 => {
                let node = self.name();
                self.record(Call::ByNode(node), |this| {
                    let guard = this.registry.pin();
                    let client = guard.client_by_node(&node);
                    Answer::Found(client.map(|client| (*client.info(), client.stream().copied())))
                });
            }
            _ => {
                let (tag, key) = self.tag();
                self.record(Call::ByKey(tag), |this| {
                    let guard = this.registry.pin();
                    let client = guard.get(key);
                    Answer::Found(client.map(|client| (*client.info(), client.stream().copied())))
                });
            }
        }
    }
}
