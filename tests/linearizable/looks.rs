//! What a thread looks up, and what it notes of that.

use std::sync::atomic::Ordering;

use tandem_registry::Guard;

use super::calls::Part;
use super::history::{Answer, Call, Event};
use super::record::{BYSTANDERS, Info, Small, Stream};
use crate::fixtures::hashers::Salted;

type Pin<'r> = Guard<'r, u8, u8, Info, Stream, Salted>;

impl Part {
    /// A stream, in each of the ways to get one.
    pub fn route(&mut self, registry: &Small) {
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
    pub fn names(&mut self, registry: &Small) {
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
    pub fn lookups(&mut self, registry: &Small) {
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

    pub fn walk(&mut self, registry: &Small) {
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

    pub fn walk_streams(&mut self, registry: &Small) {
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
        let right = seen == self.menu.bystanders || registry.is_closed();
        assert!(right, "of {} that stay, {seen} were yielded", self.menu.bystanders);
    }

    /// What there is in the end, when nobody else is there.
    pub fn look_around(&mut self, registry: &Small) {
        for name in 0..self.menu.names as u8 {
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
        let live = if registry.is_closed() { 0 } else { usize::from(self.menu.bystanders) };
        assert_eq!(registry.len(), visits + live, "places are live clients");
        assert_eq!(
            (registry.is_empty(), registry.stats().clients),
            (visits + live == 0, visits + live)
        );
        self.walk_streams(registry);
    }
}
