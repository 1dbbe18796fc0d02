//! B, incarnations: what is done by key touches that incarnation or nothing.

use std::{
    collections::HashSet,
    sync::{Arc, mpsc},
    thread,
};

use tandem_registry::{AliasErrorKind, ClientKey, NewClient, StreamKey};

use super::{Plain, client, stream};

#[test]
fn b_keys_are_never_reused() {
    let registry = Plain::new();
    let mut keys = HashSet::new();
    let mut stream_keys = HashSet::new();
    for round in 0..20_000 {
        let connected = registry.connect(client(round % 3, round % 3)).unwrap();
        assert!(keys.insert(connected.key));
        assert!(stream_keys.insert(connected.stream_key.unwrap()));
        let fresh = registry.attach_stream(connected.key, 0).unwrap();
        assert_eq!(fresh.client(), connected.key);
        assert!(stream_keys.insert(fresh));
        if round % 2 == 0 {
            registry.disconnect_key(connected.key);
        }
        if round % 100 == 0 {
            registry.flush();
        }
    }
    let slots = registry.stats().slots;
    assert!(slots < 10_000, "slots were to be reused, {slots} were taken");
}

#[test]
fn b_threads_share_no_key() {
    const THREADS: u64 = 4;
    let registry = Plain::new();
    let all: Vec<ClientKey> = thread::scope(|scope| {
        let workers: Vec<_> = (0..THREADS)
            .map(|worker| {
                let registry = &registry;
                scope.spawn(move || {
                    let mut keys = Vec::new();
                    for round in 0..5_000 {
                        // Node ids are fought for, ids are not.
                        let new = client(worker, round % 2);
                        keys.push(registry.connect(new).unwrap().key);
                        if round % 3 == 0 {
                            registry.disconnect(&worker);
                        }
                    }
                    keys
                })
            })
            .collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    });
    let distinct: HashSet<ClientKey> = all.iter().copied().collect();
    assert_eq!(distinct.len(), all.len());
}

#[test]
fn b_a_client_without_a_stream_has_no_stream_key() {
    let registry = Plain::new();
    let connected = registry.connect(NewClient::new(1, 1, 0)).unwrap();
    assert_eq!(connected.stream_key, None);
    let guard = registry.pin();
    assert!(guard.route(&1).is_none());
    let found = guard.client_by_node(&1).expect("it is connected all the same");
    assert_eq!(found.stream_key(), None);
    assert_eq!(found.stream(), None);
}

#[test]
fn b_an_old_key_harms_no_reconnect_of_the_same_id_or_node() {
    for (new_id, new_node) in [(1, 10), (1, 20), (2, 10)] {
        let registry = Plain::new();
        let old = registry.connect(client(1, 10).alias(30)).unwrap();
        let (old, old_stream) = (old.key, old.stream_key.unwrap());
        let new = registry.connect(client(new_id, new_node).alias(30)).unwrap();
        assert_eq!(new.displaced.len(), 1);

        assert!(registry.disconnect_key(old).is_none());
        assert!(registry.detach_stream(old_stream).is_none());
        assert_eq!(registry.attach_stream(old, 5).unwrap_err().into_rejected(), 5);
        assert_eq!(registry.update_info(old, 6).unwrap_err().into_rejected(), 6);
        let refused = registry.add_alias(old, 40).unwrap_err();
        assert_eq!(refused.kind(), AliasErrorKind::ClientGone);
        assert_eq!(refused.into_rejected(), 40);
        assert!(!registry.remove_alias(old, &30));

        let guard = registry.pin();
        assert!(guard.get(old).is_none());
        let found = guard.get(new.key).expect("the newcomer is unharmed");
        assert_eq!((*found.id(), *found.node()), (new_id, new_node));
        assert_eq!(*found.info(), new_id + 1000);
        assert_eq!(stream(&guard, new_node), Some(new_id + 2000));
        assert_eq!(stream(&guard, 30), Some(new_id + 2000));
        assert_eq!(stream(&guard, 40), None);
    }
}

#[test]
fn b_an_old_stream_key_harms_no_fresh_stream_of_the_same_client() {
    let registry = Plain::new();
    let connected = registry.connect(client(1, 10)).unwrap();
    let first = connected.stream_key.unwrap();
    let second = registry.attach_stream(connected.key, 2).unwrap();
    assert!(registry.detach_stream(first).is_none());
    assert_eq!(stream(&registry.pin(), 10), Some(2));

    let detached = registry.detach_stream(second).expect("it is the current one");
    assert_eq!((*detached, detached.key()), (2, second));
    assert!(registry.detach_stream(second).is_none(), "only once");
    assert!(registry.pin().route(&10).is_none());
    assert!(registry.contains(&1), "the client stays");

    let third = registry.attach_stream(connected.key, 3).unwrap();
    assert!(registry.detach_stream(second).is_none());
    assert_eq!(registry.pin().route(&10).map(|route| route.stream_key()), Some(third));
    let keys: [StreamKey; 3] = [first, second, third];
    assert_eq!(HashSet::from(keys).len(), 3);
}

#[test]
fn b_the_late_end_of_an_old_session_harms_nothing() {
    let registry = Arc::new(Plain::new());
    let (old, displaced) = registry.session(client(1, 10)).unwrap();
    assert!(displaced.is_empty());
    let (new, displaced) = registry.session(client(1, 10)).unwrap();
    assert_eq!(displaced.len(), 1);
    assert!(!old.is_live());
    drop(old);
    assert!(new.is_live());
    assert_eq!(registry.key(&1), Some(new.key()));
    assert_eq!(stream(&registry.pin(), 10), Some(2001));
    drop(new);
    assert!(registry.is_empty());
}

#[test]
fn b_a_session_ends_its_client_also_on_panic() {
    let registry = Arc::new(Plain::new());
    let session = registry.session(client(1, 10)).unwrap().0;
    let connection = thread::spawn(move || {
        assert!(session.is_live());
        panic!("the connection's task dies");
    });
    assert!(connection.join().is_err());
    assert!(registry.is_empty());
    assert!(registry.pin().route(&10).is_none());
}

#[test]
fn b_a_session_may_be_ended_by_hand_or_let_go() {
    let registry = Arc::new(Plain::new());
    let session = registry.session(client(1, 10)).unwrap().0;
    let removed = session.disconnect().expect("it was live");
    assert_eq!(removed.id(), &1);
    assert!(registry.is_empty());

    let session = registry.session(client(1, 10)).unwrap().0;
    let (key, stream_key) = (session.key(), session.stream_key());
    assert!(Arc::ptr_eq(session.registry(), &registry));
    assert_eq!(session.into_key(), key);
    assert_eq!(registry.key(&1), Some(key), "it stays connected");
    let route = registry.pin().route(&10).map(|route| route.stream_key());
    assert_eq!(route, stream_key);
    assert_eq!(Arc::strong_count(&registry), 1, "a session let go holds no registry");
}

#[test]
fn b_a_key_of_another_registry_touches_nothing() {
    let (registry, other) = (Plain::new(), Plain::new());
    let connected = registry.connect(client(1, 10)).unwrap();
    let foreign = other.connect(client(1, 10)).unwrap();
    assert_ne!(connected.key, foreign.key);
    assert!(registry.pin().get(foreign.key).is_none());
    assert!(registry.disconnect_key(foreign.key).is_none());
    assert!(registry.detach_stream(foreign.stream_key.unwrap()).is_none());
    assert!(registry.attach_stream(foreign.key, 0).is_err());
    assert!(registry.update_info(foreign.key, 0).is_err());
    assert!(registry.add_alias(foreign.key, 11).is_err());
    assert_eq!(registry.key(&1), Some(connected.key));
    assert_eq!(stream(&registry.pin(), 10), Some(2001));
}

/// The old connection's goodbye races the new connection's life, again and again.
#[test]
fn b_late_calls_never_harm_the_current_incarnation() {
    const ROUNDS: u64 = 20_000;
    let registry = Plain::new();
    let (sender, stale) = mpsc::sync_channel::<(ClientKey, StreamKey)>(16);
    thread::scope(|scope| {
        let registry = &registry;
        scope.spawn(move || {
            for (key, stream_key) in stale {
                assert!(registry.disconnect_key(key).is_none());
                assert!(registry.detach_stream(stream_key).is_none());
                assert!(registry.attach_stream(key, 0).is_err());
                assert!(registry.update_info(key, 0).is_err());
                assert!(registry.add_alias(key, 99).is_err());
                assert!(!registry.remove_alias(key, &11));
            }
        });
        for round in 0..ROUNDS {
            // The newcomer has the old one's id, its node id, or both.
            let new = match round % 3 {
                0 => client(1, 10),
                1 => client(2, 10),
                _ => client(2, 20),
            };
            let (id, node) = (new.id, new.node);
            let connected = registry.connect(new.alias(11)).unwrap();
            assert!(connected.refused_aliases.is_empty());
            for displaced in connected.displaced {
                let old = (displaced.key(), displaced.stream_key().unwrap());
                sender.send(old).unwrap();
            }
            for _ in 0..4 {
                let guard = registry.pin();
                let found = guard.get(connected.key).expect("nobody ended it");
                assert_eq!(*found.info(), id + 1000);
                assert_eq!(found.stream_key(), connected.stream_key);
                assert_eq!(guard.route(&node).map(|route| route.key()), Some(connected.key));
                assert_eq!(guard.route(&11).map(|route| route.key()), Some(connected.key));
            }
        }
        drop(sender);
    });
    assert_eq!(registry.key_by_node(&99), None);
}
