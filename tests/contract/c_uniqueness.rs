//! C, uniqueness: one live client per id, one live route per name; the policy decides a conflict.

use tandem_registry::{AliasErrorKind, ConnectErrorKind, NewClient, Policy, Registry, Removed};

use super::{Plain, client, stream};
use crate::fixtures::hashers::FewBits;

fn rejecting() -> Plain {
    let builder = Registry::builder().on_conflict(Policy::Reject);
    builder.build().unwrap()
}

fn with_limit(policy: Policy, max_clients: usize) -> Plain {
    let builder = Registry::builder().on_conflict(policy).max_clients(max_clients);
    builder.build().unwrap()
}

#[test]
fn c_takeover_is_the_default() {
    assert_eq!(Policy::default(), Policy::Takeover);
    let registry = Plain::new();
    registry.connect(client(1, 10)).unwrap();
    assert_eq!(registry.connect(client(1, 10)).unwrap().displaced.len(), 1);
}

/// Names that cannot be told apart by their hash are told apart all the same.
#[test]
fn c_colliding_names_are_displaced_as_others_are() {
    let registry: Registry<u64, u64, u64, u64, FewBits> =
        Registry::builder().hasher(FewBits(0)).max_clients(3).build().unwrap();
    let displaced = |id, node| {
        let displaced = registry.connect(client(id, node)).unwrap().displaced;
        let ids =
            |removed: Option<Removed<u64, u64, u64, u64>>| removed.map(|removed| *removed.id());
        (ids(displaced.by_id), ids(displaced.by_node))
    };
    for _ in 0..3 {
        assert_eq!(displaced(1, 10), (None, None));
        assert_eq!(displaced(2, 20), (None, None));
        assert_eq!(displaced(3, 30), (None, None));
        assert_eq!(displaced(3, 31), (Some(3), None), "by id");
        assert_eq!(displaced(4, 31), (None, Some(3)), "by node id");
        assert_eq!(displaced(4, 31), (Some(4), None), "by both");
        assert_eq!(displaced(1, 20), (Some(1), Some(2)), "two of them");
        assert_eq!(registry.len(), 2);
        assert_eq!(registry.pin().iter().count(), 2);
        assert!(registry.disconnect(&1).is_some());
        assert!(registry.disconnect(&4).is_some());
        assert_eq!(registry.len(), 0, "all places are free again");
    }
}

#[test]
fn c_takeover_by_id_evicts_the_holder_of_the_id() {
    let registry = Plain::new();
    let old = registry.connect(client(1, 10)).unwrap().key;
    let displaced = registry.connect(client(1, 20)).unwrap().displaced;
    assert!(displaced.by_node.is_none());
    let evicted = displaced.by_id.expect("it held the id");
    assert_eq!((evicted.key(), evicted.node(), evicted.stream()), (old, &10, Some(&2001)));
    let guard = registry.pin();
    assert_eq!(stream(&guard, 10), None, "its node id has ended with it");
    assert_eq!(stream(&guard, 20), Some(2001));
    assert_eq!(registry.len(), 1);
}

#[test]
fn c_takeover_by_node_evicts_the_holder_of_the_node_id() {
    let registry = Plain::new();
    let old = registry.connect(client(1, 10)).unwrap().key;
    let displaced = registry.connect(client(2, 10)).unwrap().displaced;
    assert!(displaced.by_id.is_none());
    let evicted = displaced.by_node.expect("it held the node id");
    assert_eq!((evicted.key(), evicted.id()), (old, &1));
    assert!(!registry.contains(&1));
    assert_eq!(registry.len(), 1);
}

#[test]
fn c_a_client_that_lost_both_names_is_displaced_once() {
    let registry = Plain::new();
    let old = registry.connect(client(1, 10)).unwrap().key;
    let displaced = registry.connect(client(1, 10)).unwrap().displaced;
    assert_eq!(displaced.len(), 1);
    assert!(!displaced.is_empty());
    assert!(displaced.by_node.is_none());
    assert_eq!(displaced.by_id.expect("both names were its").key(), old);
}

#[test]
fn c_one_newcomer_may_displace_two() {
    let registry = Plain::new();
    let by_id = registry.connect(client(1, 10)).unwrap().key;
    let by_node = registry.connect(client(2, 20)).unwrap().key;
    registry.connect(client(3, 30)).unwrap();
    let displaced = registry.connect(client(1, 20)).unwrap().displaced;
    assert_eq!(displaced.len(), 2);
    let keys: Vec<_> = displaced.into_iter().map(|removed| removed.key()).collect();
    assert_eq!(keys, [by_id, by_node]);
    assert_eq!(registry.len(), 2);
    let guard = registry.pin();
    assert_eq!(stream(&guard, 10), None);
    assert_eq!(stream(&guard, 20), Some(2001));
    assert!(guard.client(&2).is_none());
    assert!(guard.client(&3).is_some(), "others are left alone");
}

#[test]
fn c_reject_refuses_a_taken_id_or_node_id_and_hands_the_arguments_back() {
    let registry = rejecting();
    let key = registry.connect(client(1, 10)).unwrap().key;
    for (id, node, kind) in
        [(1, 20, ConnectErrorKind::IdTaken), (2, 10, ConnectErrorKind::NodeTaken)]
    {
        let error = registry.connect(client(id, node).alias(30)).expect_err("a conflict");
        assert_eq!(error.kind(), kind);
        assert_eq!(error.rejected(), &client(id, node).alias(30));
        assert_eq!(error.into_rejected(), client(id, node).alias(30));
    }
    let both = registry.connect(client(1, 10)).expect_err("a conflict").kind();
    assert!(matches!(both, ConnectErrorKind::IdTaken | ConnectErrorKind::NodeTaken));
    assert_eq!(registry.len(), 1);
    assert_eq!(registry.key(&1), Some(key));
    assert_eq!(registry.key_by_node(&10), Some(key));
    assert_eq!(registry.key_by_node(&20), None);
    assert_eq!(registry.key_by_node(&30), None, "nor has an alias of the refused been taken");
}

#[test]
fn c_what_a_refused_client_wanted_is_free_again() {
    let registry = rejecting();
    let old = registry.connect(client(1, 10)).unwrap().key;
    assert!(registry.connect(client(1, 20)).is_err());
    assert!(registry.connect(client(3, 20)).is_ok(), "its node id");
    assert!(registry.connect(client(2, 10)).is_err());
    assert!(registry.connect(client(2, 30)).is_ok(), "its id");
    registry.disconnect_key(old);
    assert!(registry.connect(client(1, 10)).is_ok(), "what the ended client had");
}

#[test]
fn c_a_conflict_outranks_a_full_registry() {
    let full = with_limit(Policy::Reject, 1);
    full.connect(client(1, 10)).unwrap();
    let kind = |new| full.connect(new).expect_err("refused").kind();
    assert_eq!(kind(client(1, 20)), ConnectErrorKind::IdTaken);
    assert_eq!(kind(client(2, 10)), ConnectErrorKind::NodeTaken);
    assert_eq!(kind(client(2, 20)), ConnectErrorKind::Full);

    let full = with_limit(Policy::Takeover, 1);
    full.connect(client(1, 10)).unwrap();
    assert_eq!(full.connect(client(1, 20)).unwrap().displaced.len(), 1);
    assert_eq!(full.connect(client(2, 20)).unwrap().displaced.len(), 1);
    let kind = full.connect(client(3, 30)).expect_err("refused").kind();
    assert_eq!(kind, ConnectErrorKind::Full);
}

#[test]
fn c_an_alias_is_a_second_name_of_the_same_stream() {
    let registry = Plain::new();
    let key = registry.connect(client(1, 10).alias(11)).unwrap().key;
    registry.add_alias(key, 12).unwrap();
    registry.add_alias(key, 12).unwrap();
    registry.attach_stream(key, 5).unwrap();
    let guard = registry.pin();
    for name in [10, 11, 12] {
        assert_eq!(stream(&guard, name), Some(5));
        assert_eq!(guard.client_by_node(&name).map(|client| *client.node()), Some(10));
    }
    drop(guard);
    assert!(registry.remove_alias(key, &12));
    assert!(!registry.remove_alias(key, &12), "it is gone");
    assert!(!registry.remove_alias(key, &10), "a node id is no alias");
    let guard = registry.pin();
    assert_eq!(stream(&guard, 12), None);
    assert_eq!(stream(&guard, 11), Some(5));
    assert_eq!(stream(&guard, 10), Some(5));
}

#[test]
fn c_an_alias_ends_with_its_client() {
    let registry = Plain::new();
    let key = registry.connect(client(1, 10).alias(11)).unwrap().key;
    registry.disconnect_key(key);
    assert_eq!(registry.key_by_node(&11), None);
    registry.connect(client(1, 10)).unwrap();
    assert_eq!(registry.key_by_node(&11), None, "nor does it come back with the id");
}

#[test]
fn c_an_alias_never_takes_a_node_id() {
    for registry in [Plain::new(), rejecting()] {
        let owner = registry.connect(client(1, 10)).unwrap().key;
        let other = registry.connect(client(2, 20)).unwrap().key;
        let error = registry.add_alias(other, 10).unwrap_err();
        assert_eq!(error.kind(), AliasErrorKind::NodeId);
        assert_eq!(error.into_rejected(), 10);

        let connected = registry.connect(client(3, 30).alias(10).alias(31)).unwrap();
        assert!(connected.displaced.is_empty());
        let [refused] = &connected.refused_aliases[..] else {
            panic!("one alias of two is to be refused");
        };
        assert_eq!((refused.kind(), refused.rejected()), (AliasErrorKind::NodeId, &10));
        assert_eq!(registry.key_by_node(&10), Some(owner));
        assert_eq!(registry.key_by_node(&31), Some(connected.key), "the other is taken");
        assert_eq!(registry.len(), 3);
    }
}

#[test]
fn c_a_newer_owner_takes_the_alias_alone() {
    let registry = Plain::new();
    let old = registry.connect(client(1, 10).alias(99)).unwrap().key;
    let connected = registry.connect(client(2, 20).alias(99)).unwrap();
    assert!(connected.displaced.is_empty());
    assert!(connected.refused_aliases.is_empty());
    assert_eq!(registry.key_by_node(&99), Some(connected.key));
    assert_eq!(registry.key_by_node(&10), Some(old), "the older owner stays connected");
    assert!(!registry.remove_alias(old, &99), "it is no longer its alias");

    registry.add_alias(old, 99).unwrap();
    assert_eq!(registry.key_by_node(&99), Some(old), "whoever asks last is the newer owner");
    registry.disconnect_key(old);
    assert_eq!(registry.key_by_node(&99), None, "an alias once lost does not come back");
    assert_eq!(registry.key_by_node(&20), Some(connected.key));
}

#[test]
fn c_reject_refuses_an_alias_of_another_client() {
    let registry = rejecting();
    let owner = registry.connect(client(1, 10).alias(99)).unwrap().key;
    let connected = registry.connect(client(2, 20).alias(99)).unwrap();
    let [refused] = &connected.refused_aliases[..] else {
        panic!("the alias is to be refused");
    };
    assert_eq!((refused.kind(), refused.rejected()), (AliasErrorKind::Taken, &99));
    let error = registry.add_alias(connected.key, 99).unwrap_err();
    assert_eq!(error.kind(), AliasErrorKind::Taken);
    assert_eq!(registry.key_by_node(&99), Some(owner));
    registry.add_alias(owner, 99).expect("it is its own");
    assert!(registry.remove_alias(owner, &99));
    registry.add_alias(connected.key, 99).expect("it is free now");
}

#[test]
fn c_a_node_id_takes_the_name_away_from_an_alias() {
    let registry = Plain::new();
    let old = registry.connect(client(1, 10).alias(20)).unwrap().key;
    let connected = registry.connect(client(2, 20)).unwrap();
    assert!(connected.displaced.is_empty(), "nobody is evicted for an alias");
    assert_eq!(registry.key_by_node(&20), Some(connected.key));
    assert_eq!(registry.key_by_node(&10), Some(old));
    assert!(!registry.remove_alias(old, &20));
    let error = registry.add_alias(old, 20).unwrap_err();
    assert_eq!(error.kind(), AliasErrorKind::NodeId);
    registry.disconnect_key(connected.key);
    assert_eq!(registry.key_by_node(&20), None, "the alias does not come back");
    assert_eq!(registry.len(), 1);
}

#[test]
fn c_reject_refuses_a_node_id_that_is_an_alias() {
    let registry = rejecting();
    let owner = registry.connect(client(1, 10).alias(20)).unwrap().key;
    let error = registry.connect(client(2, 20)).expect_err("a conflict");
    assert_eq!(error.kind(), ConnectErrorKind::NodeTaken);
    assert_eq!(error.into_rejected(), client(2, 20));
    assert_eq!(registry.key_by_node(&20), Some(owner));
}

#[test]
fn c_a_name_taken_from_an_alias_takes_no_place_from_its_client() {
    let full = with_limit(Policy::Takeover, 1);
    let owner = full.connect(client(1, 10).alias(20)).unwrap().key;
    let error = full.connect(client(2, 20)).expect_err("no place, and none is handed over");
    assert_eq!(error.kind(), ConnectErrorKind::Full);
    assert_eq!(full.key_by_node(&20), Some(owner), "a refused connect takes nothing");
}

#[test]
fn c_the_names_of_ids_and_nodes_are_two_spaces() {
    let registry = Plain::new();
    registry.connect(client(1, 2)).unwrap();
    assert!(registry.connect(client(2, 1)).unwrap().displaced.is_empty());
    assert_eq!(registry.len(), 2);
}

#[test]
fn c_a_closed_registry_refuses_whatever_the_conflict() {
    for registry in [Plain::new(), rejecting()] {
        registry.connect(client(1, 10)).unwrap();
        assert_eq!(registry.close().len(), 1);
        let error = registry.connect(client(1, 10)).expect_err("it is closed");
        assert_eq!(error.kind(), ConnectErrorKind::Closed);
        assert_eq!(error.into_rejected(), client(1, 10));
        assert!(registry.close().is_empty(), "the second time there is nobody left");
        assert!(registry.is_closed());
    }
}

#[test]
fn c_a_client_without_a_stream_holds_its_names_too() {
    let registry = rejecting();
    registry.connect(NewClient::new(1, 10, 0)).unwrap();
    let kind = registry.connect(client(2, 10)).expect_err("a conflict").kind();
    assert_eq!(kind, ConnectErrorKind::NodeTaken);
}
