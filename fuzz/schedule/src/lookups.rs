//! What one thread looks up.

use std::sync::Arc;

use tandem_registry::{ClientKey, ClientRef, Iter};

use crate::{
    calls::{Part, Pinned, Value, newest, number, seen},
    input::{Age, Op},
    linearizable::history::{Answer, Call, Event, Seen},
};

type Clients<'g> = Iter<'g, Value, Value, Value, Value>;
type Client<'g> = ClientRef<'g, Value, Value, Value, Value>;

/// Runs `look` under the guard that is held, or under one of its own.
fn under<R>(part: &Part, held: Option<&Pinned<'_>>, look: impl FnOnce(&Pinned<'_>) -> R) -> R {
    match held {
        Some(guard) => look(guard),
        None => look(&part.registry.pin()),
    }
}

fn seen_of(client: &Client<'_>) -> Seen {
    seen(client.info(), client.stream())
}

impl Part {
    /// A key stands for a client whose tag is not known here.
    pub fn note_key(&mut self, call: Call, key: Option<ClientKey>, called: u64) {
        self.notes.unnamed.extend(key.map(|key| (self.notes.events.len(), key)));
        self.note(call, Answer::Names(None), called);
    }

    pub fn route(&mut self, name: u8, way: u8, held: Option<&Pinned<'_>>) {
        let node = u64::from(name);
        self.record(Call::Route(name), |this| {
            Answer::Routed(match way % 4 {
                0 => under(this, held, |guard| guard.stream(&node).map(number)),
                1 => under(this, held, |guard| {
                    let route = guard.route(&node)?;
                    assert_eq!(route.key(), route.stream_key().client());
                    Some(number(route.stream()))
                }),
                2 => this.registry.with_stream(&node, number),
                _ => this.registry.stream_cloned(&node).as_ref().map(number),
            })
        });
    }

    pub fn by_id(&mut self, id: u8, held: Option<&Pinned<'_>>) {
        self.record(Call::ById(id), |this| {
            Answer::Found(under(this, held, |guard| {
                let found = guard.client(&u64::from(id))?;
                assert_eq!(*found.id().get(), u64::from(id));
                Some(seen_of(&found))
            }))
        });
    }

    pub fn by_node(&mut self, name: u8, held: Option<&Pinned<'_>>) {
        self.record(Call::ByNode(name), |this| {
            let node = u64::from(name);
            Answer::Found(under(this, held, |guard| Some(seen_of(&guard.client_by_node(&node)?))))
        });
    }

    pub fn by_key(&mut self, age: Age, held: Option<&Pinned<'_>>) {
        let Some((tag, key)) = newest(&self.notes.keys, age) else { return };
        self.record(Call::ByKey(tag), |this| {
            Answer::Found(under(this, held, |guard| {
                let found = guard.get(key)?;
                assert_eq!(found.key(), key);
                Some(seen_of(&found))
            }))
        });
    }

    pub fn look_up_keys(&mut self, id: u8, name: u8) {
        let called = self.now();
        let key = self.registry.key(&u64::from(id));
        self.note_key(Call::KeyById(id), key, called);
        let called = self.now();
        let key = self.registry.key_by_node(&u64::from(name));
        self.note_key(Call::KeyByNode(name), key, called);
        self.record(Call::Contains(id), |this| {
            Answer::Done(this.registry.contains(&u64::from(id)))
        });
    }

    /// Each name is looked up by itself, one after the other.
    pub fn batch(&mut self, one: u8, two: u8, held: Option<&Pinned<'_>>) {
        let names = [one, two, one].map(u64::from);
        let (mut answered, mut events) = ([false; 3], Vec::new());
        let mut called = self.now();
        under(self, held, |guard| {
            guard.routes_batch(&names, |nth, route| {
                let returned = self.now();
                assert!(!std::mem::replace(&mut answered[nth], true), "answered before");
                let answer = Answer::Routed(route.map(|route| number(route.stream())));
                events.push(Event::new(Call::Route(names[nth] as u8), answer, called, returned));
                called = self.now();
            });
        });
        assert_eq!(answered, [true; 3]);
        self.notes.events.append(&mut events);
    }

    pub fn walk(&mut self, held: Option<&Pinned<'_>>) {
        let mut events = under(self, held, |guard| {
            let (mut walk, mut events) = self.begin_walk(guard);
            while self.visit_next(&mut walk, &mut events) {}
            events
        });
        self.notes.events.append(&mut events);
    }

    fn begin_walk<'g>(&self, guard: &'g Pinned<'_>) -> (Clients<'g>, Vec<Event>) {
        let called = self.now();
        let walk = guard.iter();
        let call = Call::Walk { streams: false };
        (walk, vec![Event::new(call, Answer::Unknown, called, self.now())])
    }

    /// `false`: nobody is left.
    fn visit_next(&self, walk: &mut Clients<'_>, events: &mut Vec<Event>) -> bool {
        let called = self.now();
        let next = walk.next();
        let (call, answer) = match &next {
            Some(client) => {
                let seen = seen_of(client);
                (Call::Visit(seen.tag), Answer::Found(Some(seen)))
            }
            None => (Call::WalkEnds, Answer::Unknown),
        };
        events.push(Event::new(call, answer, called, self.now()));
        next.is_some()
    }

    /// It begins and ends when it likes within the call.
    pub fn walk_streams(&mut self) {
        let mut called = self.now();
        let begun = called;
        let mut visits = Vec::new();
        self.registry.for_each_stream(|key, stream| {
            let returned = self.now();
            let answer = Answer::Routed(Some(number(stream)));
            let visit = Event::new(Call::Visit(0), answer, called, returned);
            visits.push((key.client(), visit));
            called = returned;
        });
        let end = self.now();
        let first = visits.first().map_or(end, |(_, visit)| visit.returned);
        let call = Call::Walk { streams: true };
        self.notes.events.push(Event::new(call, Answer::Unknown, begun, first));
        for (key, visit) in visits {
            self.notes.unnamed.push((self.notes.events.len(), key));
            self.notes.events.push(visit);
        }
        self.notes.events.push(Event::new(Call::WalkEnds, Answer::Unknown, called, end));
    }

    /// Whatever a guard reached stays as it was until the guard ends, whatever happens meanwhile.
    pub fn hold(&mut self, name: u8, count: usize, ops: &mut std::slice::Iter<'_, Op>) {
        let (registry, name) = (Arc::clone(&self.registry), u64::from(name));
        let mut guard = registry.pin();
        let found = guard.client(&name).into_iter().chain(guard.client_by_node(&name));
        let reached: Vec<_> = found.map(|found| (found.info(), found.stream(), found)).collect();
        let then: Vec<_> = reached
            .iter()
            .map(|(info, stream, _)| (*info.get(), stream.map(|stream| *stream.get())))
            .collect();
        let (mut walk, mut walked) = self.begin_walk(&guard);
        let mut more = self.visit_next(&mut walk, &mut walked);

        self.run(ops, count, Some(&guard));

        while more {
            more = self.visit_next(&mut walk, &mut walked);
        }
        self.notes.aside.push(walked);
        for ((info, stream, found), then) in reached.iter().zip(then) {
            let now = (*info.get(), stream.map(|stream| *stream.get()));
            assert_eq!(now, then, "what a guard reached has changed");
            found.id().get();
            found.node().get();
        }
        drop(reached);
        guard.repin();
        drop(guard);
    }

    /// Between calls of others the numbers may be any, but never above the limit (E).
    pub fn ask_for_stats(&mut self) {
        let stats = self.registry.stats();
        assert!(stats.max_clients.is_none_or(|most| stats.clients <= most), "{stats:?}");
        assert!(stats.max_clients.is_none_or(|most| self.registry.len() <= most));
    }
}
