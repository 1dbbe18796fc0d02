//! Guards, and what they reached, kept over the operations that follow.

use std::{
    collections::{BTreeMap, BTreeSet},
    hash::BuildHasher,
    sync::Arc,
    vec,
};

use tandem_registry::ClientKey;

use crate::{
    check::{Found, Pinned},
    drive::{Drive, Value},
    fixtures::model,
    input::{Hold, Op},
};

/// How many guards are held at most.
const MOST_GUARDS: usize = 6;

/// A client that was reached under a guard, with what was seen of it then.
struct Reached<'g> {
    then: model::Client,
    found: Found<'g>,
    info: &'g Value,
    stream: Option<&'g Value>,
}

impl<S: BuildHasher> Drive<S> {
    /// Takes two guards whose lives overlap, and leaves an iteration half done meanwhile.
    pub(crate) fn hold(&mut self, hold: Hold, ops: &mut vec::IntoIter<Op>) {
        if self.guards >= MOST_GUARDS {
            return;
        }
        let registry = Arc::clone(&self.registry);
        let first = registry.pin();
        self.guards += 1;
        let reached = self.reach(&first);
        let given_before = self.keys.len();
        let mut iteration = first.iter();
        let mut yielded: Vec<ClientKey> =
            iteration.by_ref().take(usize::from(hold.visited)).map(|found| found.key()).collect();

        self.run(ops, usize::from(hold.first_alone));
        self.audit_under(&first);
        let mut second = registry.pin();
        self.guards += 1;
        self.run(ops, usize::from(hold.both));

        yielded.extend(iteration.map(|found| found.key()));
        self.assert_iterated(&reached, given_before, &yielded);
        self.assert_readable(&reached);
        drop(reached);
        drop(first);
        self.guards -= 1;

        self.run(ops, usize::from(hold.second_alone));
        self.audit_under(&second);
        second.repin();
        self.audit_under(&second);
        drop(second);
        self.guards -= 1;
    }

    fn reach<'g>(&self, guard: &'g Pinned<'_, S>) -> Vec<Reached<'g>> {
        let reach = |client: &model::Client| {
            let found = guard.client(&client.id).expect("it is connected");
            let (info, stream) = (found.info(), found.stream());
            Reached { then: client.clone(), found, info, stream }
        };
        self.model.clients().map(reach).collect()
    }

    /// Whatever a guard reached stays as it was until the guard ends, whatever was done meanwhile.
    fn assert_readable(&self, reached: &[Reached<'_>]) {
        for Reached { then, found, info, stream } in reached {
            assert_eq!(found.key(), self.key_of[&then.incarnation]);
            assert_eq!((found.id().get(), found.node().get()), (&then.id, &then.node));
            assert_eq!(info.get(), &then.info);
            assert_eq!(stream.map(|stream| *stream.get()), then.stream.map(|(_, value)| value));
            // What the reference shows by now may be newer, but it is something that can be read.
            found.info().get();
            found.stream().map(|stream| stream.get());
        }
    }

    /// Who lived all the while was yielded once; who had gone before, or was never there, was not.
    fn assert_iterated(&self, before: &[Reached<'_>], given_before: usize, yielded: &[ClientKey]) {
        let mut times: BTreeMap<ClientKey, usize> = BTreeMap::new();
        yielded.iter().for_each(|&key| *times.entry(key).or_default() += 1);
        let key_of = |client: &Reached<'_>| self.key_of[&client.then.incarnation];
        let came_meanwhile = self.keys[given_before..].iter().map(|&(_, key)| key);
        let may_be: BTreeSet<ClientKey> = before.iter().map(key_of).chain(came_meanwhile).collect();
        for (key, &times) in &times {
            assert!(may_be.contains(key), "{key:?} had gone before the iteration began");
            assert_eq!(times, 1, "{key:?} was yielded {times} times");
        }
        for client in before {
            let stayed = self.model.get(client.then.incarnation).is_some();
            assert!(!stayed || times.contains_key(&key_of(client)), "{:?} was missed", client.then);
        }
    }
}
