//! Orders of three threads that no single stop shows.

use std::sync::Arc;

use super::{MUTATORS, Paced, Stage, after};
use crate::state::Phase;

/// At every step of a takeover, wherever another call came in between: a newcomer that one of its names leads
/// to is found by the other (D). So it marks those that it displaces, whatever else came over their words.
#[test]
fn a_newcomer_is_found_by_both_names() {
    for (id, node) in [(3, 1), (1, 3), (3, 2), (2, 3)] {
        for &(name, act) in MUTATORS {
            for k in 0.. {
                let stage = Arc::new(Stage::new(|builder| builder, false));
                let (mut newcomer, was_stopped) = {
                    let stage = Arc::clone(&stage);
                    Paced::run(after(k), move || stage.connect(id, node))
                };
                act(&stage);
                let what = format!("connect ({id}, {node}), and at its step {k}: {name}");
                while was_stopped && newcomer.go_on(after(0)) {
                    let guard = stage.registry.pin();
                    let by_id = guard.client(&id).filter(|client| *client.node() == node);
                    let by_node = guard.client_by_node(&node).filter(|client| *client.id() == id);
                    let [by_id, by_node] = [by_id, by_node].map(|it| it.map(|client| client.key()));
                    assert_eq!(by_id, by_node, "{what}");
                }
                newcomer.finish();
                Arc::into_inner(stage).unwrap().check(&what);
                if !was_stopped {
                    break;
                }
            }
        }
    }
}

/// A client that ended by itself is its ender's, though a newcomer was appointed to evict it: nobody adopts it
/// for that newcomer, which came too late and whose owner has left (A, E).
#[test]
fn a_client_that_ended_is_not_adopted() {
    for k in 0.. {
        let stage = Arc::new(Stage::new(|builder| builder, false));
        let on = |act: fn(&Stage)| {
            let stage = Arc::clone(&stage);
            move || act(&stage)
        };
        let slot = stage.one.slot;
        let phase = || {
            let slots = &stage.registry.tandem().slots;
            slots.see(slot, &stage.registry.tandem().pin()).word.phase()
        };
        // A newcomer is to evict the first client, which ends itself, but for its alias.
        let (mut newcomer, _) = Paced::run(after(0), on(|stage| stage.connect(1, 3)));
        while stage.registry.tandem().slots.evictor(slot).is_none() {
            assert!(newcomer.go_on(after(0)));
        }
        assert_eq!(phase(), Phase::Live);
        let one = |stage: &Stage| drop(stage.registry.disconnect_key(stage.one));
        let (mut ender, _) = Paced::run(after(0), on(one));
        while phase() == Phase::Live {
            assert!(ender.go_on(after(0)));
        }
        assert_eq!(phase(), Phase::Retiring);
        // Another helps the newcomer, and is asleep while the end and the takeover are completed.
        let (helper, was_stopped) = {
            let (stage, key) = (Arc::clone(&stage), stage.registry.key(&1).unwrap());
            assert_ne!(key, stage.one);
            Paced::run(after(k), move || drop(stage.registry.disconnect_key(key)))
        };
        newcomer.finish();
        helper.finish();
        ender.finish();
        Arc::into_inner(stage).unwrap().check(&format!("a helper, stopped at step {k}"));
        if !was_stopped {
            return;
        }
    }
}

/// Whoever ends a newcomer that has committed completes its takeover first: those that it displaces do not
/// come back (D).
#[test]
fn a_newcomer_that_ends_takes_those_along_that_it_displaces() {
    for (id, node) in [(1, 3), (3, 1), (1, 1), (1, 2)] {
        for k in 0.. {
            let stage = Arc::new(Stage::new(|builder| builder, false));
            let (newcomer, was_stopped) = {
                let stage = Arc::clone(&stage);
                Paced::run(after(k), move || stage.connect(id, node))
            };
            let what = format!("connect ({id}, {node}), ended at its step {k}");
            let key = stage.registry.key(&id).filter(|key| *key != stage.one);
            if let Some(key) = key {
                stage.registry.disconnect_key(key);
                assert_eq!(stage.registry.key(&id), None, "{what}");
                assert_eq!(stage.registry.key_by_node(&node), None, "{what}");
            }
            newcomer.finish();
            Arc::into_inner(stage).unwrap().check(&what);
            if !was_stopped {
                assert!(key.is_some());
                break;
            }
        }
    }
}

/// A helper of a takeover that slept until it was over, and its newcomer gone, evicts no client that came
/// after that, though the generation of its slot says less (D).
#[test]
fn a_helper_that_slept_spares_who_came_later() {
    for k in 0.. {
        let stage = Arc::new(Stage::new(|builder| builder, false));
        // Older incarnations in its slot: the newcomer's generation is raised above that of the client.
        for _ in 0..3 {
            stage.registry.disconnect(&1);
            stage.registry.flush();
            stage.connect(1, 1);
        }
        let older = stage.registry.key(&1).unwrap();
        let mut newcomer = {
            let stage = Arc::clone(&stage);
            Paced::run(after(0), move || stage.connect(1, 3)).0
        };
        while stage.registry.key(&1) == Some(older) {
            assert!(newcomer.go_on(after(0)));
        }
        let key = stage.registry.key(&1).unwrap();
        let (helper, was_stopped) = {
            let stage = Arc::clone(&stage);
            Paced::run(after(k), move || drop(stage.registry.disconnect_key(key)))
        };
        newcomer.finish();
        drop(stage.registry.disconnect_key(key));
        stage.connect(1, 4);
        let later = stage.registry.key(&1).unwrap();
        assert!(later.generation < key.generation);
        helper.finish();
        let what = format!("a helper that slept at step {k}");
        assert_eq!(stage.registry.key(&1), Some(later), "{what}");
        Arc::into_inner(stage).unwrap().check(&what);
        if !was_stopped {
            return;
        }
    }
}
