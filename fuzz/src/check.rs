//! Lookups and iterations, compared with what the model says.

use std::{collections::BTreeSet, hash::BuildHasher};

use tandem_registry::{ClientRef, Guard, Route, StreamKey};

use crate::{
    drive::{Drive, Value},
    fixtures::{
        model::{self, Attachment},
        tracked::Tracked,
    },
};

pub(crate) type Pinned<'r, S> = Guard<'r, Value, Value, Value, Value, S>;
pub(crate) type Found<'g> = ClientRef<'g, Value, Value, Value, Value>;

impl<S: BuildHasher> Drive<S> {
    /// Asks for everything that can be asked for.
    pub(crate) fn audit(&self) {
        self.audit_under(&self.registry.pin());
    }

    /// The same under a guard that may have seen much.
    pub(crate) fn audit_under(&self, guard: &Pinned<'_, S>) {
        (0..self.setup.span).for_each(|id| self.look_up_id(guard, id));
        (0..self.setup.span).for_each(|name| self.look_up_name(guard, name));
        for &(incarnation, key) in self.keys.iter().rev().take(16) {
            self.compare(self.model.get(incarnation), guard.get(key).as_ref());
        }

        let (registry, len) = (&self.registry, self.model.len());
        assert_eq!((registry.len(), registry.is_empty()), (len, len == 0));
        assert_eq!(registry.is_closed(), self.model.is_closed());
        let stats = registry.stats();
        assert_eq!((stats.clients, stats.max_clients), (len, self.setup.max_clients));

        let mut yielded = BTreeSet::new();
        for found in guard.iter() {
            assert!(yielded.insert(found.key()), "{:?} was yielded twice", found.key());
            self.compare(self.model.by_id(*found.id().get()), Some(&found));
        }
        assert_eq!(yielded.len(), len, "the iteration missed a client");

        let mut streams = Vec::new();
        registry.for_each_stream(|key, stream| streams.push((key, *stream.get())));
        let live = self.model.clients().filter_map(|client| client.stream);
        let mut expected: Vec<_> = live.map(|stream| self.expected_stream(stream)).collect();
        streams.sort_unstable();
        expected.sort_unstable();
        assert_eq!(streams, expected);
    }

    pub(crate) fn look_up_id(&self, guard: &Pinned<'_, S>, id: u64) {
        let expected = self.model.by_id(id);
        let key = expected.map(|client| self.key_of[&client.incarnation]);
        assert_eq!(self.registry.contains(&id), key.is_some());
        assert_eq!(self.registry.key(&id), key);
        self.compare(expected, guard.client(&id).as_ref());
    }

    pub(crate) fn look_up_name(&self, guard: &Pinned<'_, S>, name: u64) {
        let expected = self.model.by_name(name);
        let key = expected.map(|client| self.key_of[&client.incarnation]);
        assert_eq!(self.registry.key_by_node(&name), key);
        self.compare(expected, guard.client_by_node(&name).as_ref());

        let stream = expected.and_then(|client| client.stream);
        self.compare_route(stream, guard.route(&name));
        let stream = stream.map(|(_, stream)| stream);
        assert_eq!(guard.stream(&name).map(|found| *found.get()), stream);
        assert_eq!(self.registry.with_stream(&name, |found| *found.get()), stream);
        let cloned = self.registry.stream_cloned(&name);
        assert_eq!(cloned.map(|found| *found.get()), stream);
    }

    pub(crate) fn look_up_batch(&self, names: Vec<u64>) {
        let guard = self.registry.pin();
        let mut answered = vec![false; names.len()];
        guard.routes_batch(&names, |nth, route| {
            assert!(!answered[nth], "{nth} was answered before");
            answered[nth] = true;
            let expected = self.model.by_name(names[nth]);
            self.compare_route(expected.and_then(|client| client.stream), route);
        });
        assert!(answered.into_iter().all(|answered| answered), "not all were answered");
    }

    pub(crate) fn compare(&self, expected: Option<&model::Client>, found: Option<&Found<'_>>) {
        let key = expected.map(|client| self.key_of[&client.incarnation]);
        assert_eq!(found.map(|found| found.key()), key, "{expected:?}");
        let (Some(expected), Some(found)) = (expected, found) else {
            return;
        };
        assert_eq!(found.id().get(), &expected.id);
        assert_eq!(found.node().get(), &expected.node);
        assert_eq!(found.info().get(), &expected.info);
        let stream = expected.stream.map(|stream| self.expected_stream(stream));
        assert_eq!(found.stream_key(), stream.map(|(key, _)| key));
        assert_eq!(found.stream().map(Tracked::get), stream.as_ref().map(|(_, value)| value));
    }

    fn compare_route(&self, expected: Option<(Attachment, u64)>, route: Option<Route<'_, Value>>) {
        let expected = expected.map(|stream| self.expected_stream(stream));
        let found = route.map(|route| {
            assert_eq!(route.key(), route.stream_key().client());
            (route.stream_key(), *route.stream().get())
        });
        assert_eq!(found, expected);
    }

    fn expected_stream(&self, (attachment, value): (Attachment, u64)) -> (StreamKey, u64) {
        (self.stream_key_of[&attachment], value)
    }
}
