//! C, uniqueness, when the rivals come at the same time.

use std::{collections::HashSet, sync::Barrier, thread};

use tandem_registry::{AliasErrorKind, ClientKey, ConnectErrorKind, Policy, Registry};

use super::{Plain, client};

const THREADS: u64 = 4;
const ROUNDS: u64 = 1_500;

/// Runs `round` on all threads at once, again and again, and returns what each of them got in it.
fn race<R: Send>(round: impl Fn(u64, u64) -> R + Sync) -> Vec<Vec<R>> {
    let barrier = Barrier::new(THREADS as usize);
    let by_thread: Vec<Vec<R>> = thread::scope(|scope| {
        let racers: Vec<_> = (0..THREADS)
            .map(|racer| {
                let (round, barrier) = (&round, &barrier);
                scope.spawn(move || {
                    let run = |nth| {
                        barrier.wait();
                        round(racer, nth)
                    };
                    (0..ROUNDS).map(run).collect()
                })
            })
            .collect();
        racers.into_iter().map(|racer| racer.join().unwrap()).collect()
    });
    transpose(by_thread)
}

fn transpose<R>(rows: Vec<Vec<R>>) -> Vec<Vec<R>> {
    let mut rows: Vec<_> = rows.into_iter().map(Vec::into_iter).collect();
    (0..ROUNDS).map(|_| rows.iter_mut().filter_map(Iterator::next).collect()).collect()
}

#[test]
fn c_reject_lets_exactly_one_rival_in() {
    for shared_id in [true, false] {
        let registry: Plain = Registry::builder().on_conflict(Policy::Reject).build().unwrap();
        let rounds = race(|racer, round| {
            let own = round * THREADS + racer + 1_000_000;
            let new = if shared_id { client(round, own) } else { client(own, round) };
            registry.connect(new).map(|connected| connected.key).map_err(|error| error.kind())
        });
        let expected = match shared_id {
            true => ConnectErrorKind::IdTaken,
            false => ConnectErrorKind::NodeTaken,
        };
        for outcomes in rounds {
            assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1);
            for error in outcomes.into_iter().filter_map(Result::err) {
                assert_eq!(error, expected);
            }
        }
        assert_eq!(registry.len(), ROUNDS as usize);
    }
}

/// Everybody gets in, one after the other, and each but the last is handed to its displacer.
#[test]
fn c_takeover_lets_every_rival_in_and_evicts_all_but_one() {
    for shared_id in [true, false] {
        let registry = Plain::new();
        let rounds = race(|racer, round| {
            let own = round * THREADS + racer + 1_000_000;
            let new = if shared_id { client(round, own) } else { client(own, round) };
            let connected = registry.connect(new).unwrap();
            let displaced: Vec<ClientKey> =
                connected.displaced.into_iter().map(|removed| removed.key()).collect();
            (connected.key, displaced)
        });
        let guard = registry.pin();
        for (round, outcomes) in rounds.into_iter().enumerate() {
            let connected: HashSet<ClientKey> = outcomes.iter().map(|(key, _)| *key).collect();
            let mut displaced = HashSet::new();
            for (key, victims) in outcomes {
                for victim in victims {
                    assert_ne!(victim, key);
                    assert!(connected.contains(&victim));
                    assert!(displaced.insert(victim), "evicted twice");
                }
            }
            let mut left = connected.difference(&displaced);
            let survivor = *left.next().expect("one is left");
            assert_eq!(left.next(), None);
            let round = round as u64;
            let found = if shared_id {
                guard.client(&round).map(|client| client.key())
            } else {
                guard.route(&round).map(|route| route.key())
            };
            assert_eq!(found, Some(survivor));
            for key in connected {
                assert_eq!(guard.get(key).is_some(), key == survivor);
            }
        }
        assert_eq!(registry.len(), ROUNDS as usize);
    }
}

/// Ids and node ids crosswise, so that every newcomer has up to two older rivals.
#[test]
fn c_crossed_takeovers_leave_one_client_per_id_and_per_node() {
    let registry = Plain::new();
    let rounds = race(|racer, round| {
        let new = client((racer + round) % THREADS, (racer + 2 * round) % THREADS + 100);
        let connected = registry.connect(new).unwrap();
        let displaced: Vec<ClientKey> =
            connected.displaced.into_iter().map(|removed| removed.key()).collect();
        (connected.key, displaced)
    });
    let mut live: HashSet<ClientKey> = HashSet::new();
    let mut evicted: HashSet<ClientKey> = HashSet::new();
    for (key, displaced) in rounds.into_iter().flatten() {
        assert!(live.insert(key));
        for victim in displaced {
            assert!(evicted.insert(victim), "evicted twice");
        }
    }
    live.retain(|key| !evicted.contains(key));
    let guard = registry.pin();
    let found: HashSet<ClientKey> = guard.iter().map(|client| client.key()).collect();
    assert_eq!(found, live, "who connected and was not evicted is there");
    let ids: HashSet<u64> = guard.iter().map(|client| *client.id()).collect();
    let nodes: HashSet<u64> = guard.iter().map(|client| *client.node()).collect();
    assert_eq!((ids.len(), nodes.len()), (live.len(), live.len()));
    assert_eq!(registry.len(), live.len());
}

#[test]
fn c_one_rival_for_an_alias_gets_it_and_nobody_is_evicted() {
    for policy in [Policy::Takeover, Policy::Reject] {
        let registry: Plain = Registry::builder().on_conflict(policy).build().unwrap();
        let keys: Vec<ClientKey> =
            (0..THREADS).map(|racer| registry.connect(client(racer, racer)).unwrap().key).collect();
        let rounds = race(|racer, round| {
            let added = registry.add_alias(keys[racer as usize], round + 1_000);
            added.map_err(|error| error.kind())
        });
        for (round, outcomes) in rounds.into_iter().enumerate() {
            let owner = registry.key_by_node(&(round as u64 + 1_000)).expect("one has got it");
            let owner = keys.iter().position(|&key| key == owner).unwrap();
            assert!(outcomes[owner].is_ok());
            if policy == Policy::Reject {
                for (racer, outcome) in outcomes.into_iter().enumerate() {
                    assert_eq!(outcome.is_ok(), racer == owner);
                    if let Err(kind) = outcome {
                        assert_eq!(kind, AliasErrorKind::Taken);
                    }
                }
            } else {
                assert!(outcomes.iter().all(Result::is_ok));
            }
        }
        assert_eq!(registry.len(), THREADS as usize);
        // However often an alias changed hands, only its last owner can remove it.
        let last = ROUNDS - 1 + 1_000;
        let removed = keys.iter().filter(|&&key| registry.remove_alias(key, &last)).count();
        assert_eq!(removed, 1);
        assert_eq!(registry.key_by_node(&last), None);
    }
}

/// The same name as a node id and as an alias, at the same time: the node id wins, whoever came
/// first.
#[test]
fn c_a_node_id_beats_an_alias_in_a_race() {
    let registry = Plain::new();
    let owners: Vec<ClientKey> =
        (0..THREADS).map(|racer| registry.connect(client(racer, racer)).unwrap().key).collect();
    let rounds = race(|racer, round| {
        let name = round + 1_000;
        if racer == 0 {
            let connected = registry.connect(client(name, name)).unwrap();
            assert!(connected.displaced.is_empty());
            Ok(Some(connected.key))
        } else {
            let added = registry.add_alias(owners[racer as usize], name);
            added.map(|()| None).map_err(|error| error.kind())
        }
    });
    for (round, outcomes) in rounds.into_iter().enumerate() {
        let key = outcomes[0].expect("the connect succeeds");
        assert_eq!(registry.key_by_node(&(round as u64 + 1_000)), key);
        for outcome in &outcomes[1..] {
            assert!(matches!(outcome, Ok(None) | Err(AliasErrorKind::NodeId)));
        }
    }
    assert_eq!(registry.len(), (ROUNDS + THREADS) as usize);
}
