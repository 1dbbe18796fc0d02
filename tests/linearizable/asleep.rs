//! Lookups that sleep through what others do: too long a chain of moments for short histories to meet often.
//!
//! A lookup by node id is stopped at every step, then a newcomer to that node id at every one of its own;
//! meanwhile the older client, which may be seen by its key to the last, gets another stream or loses its own.
//! Once anybody has found the newcomer by the node id, what is done to the older one's stream is nothing that a
//! lookup of that node id shows (D).

use std::sync::Arc;

use tandem_registry::{NewClient, Registry, StreamKey};

use super::baton::first_crew;
use super::stopped::Stopped;

type Small = Registry<u8, u8, u8, u16>;

/// Stops `look` and the newcomer to id and node id at every step, with `change` in between. `look` says which
/// stream it found.
fn through_every_takeover(
    (id, node): (u8, u8),
    look: fn(&Small) -> Option<u16>,
    change: fn(&Small, StreamKey),
) {
    for of_lookup in 0.. {
        for of_newcomer in 0.. {
            let (registry, stream_key) = with_a_stream_attached();
            let shared = Arc::clone(&registry);
            let lookup = Stopped::at(of_lookup, move || look(&shared));
            let shared = Arc::clone(&registry);
            let newcomer = Stopped::at(of_newcomer, move || {
                drop(shared.connect(NewClient::new(id, node, 0).stream(20)).unwrap());
            });
            if look(&registry) == Some(20) {
                change(&registry, stream_key);
            }
            let (lookup_was, newcomer_was) = (lookup.is_stopped, newcomer.is_stopped);
            let found = lookup.finish();
            let right = matches!(found, Some(11 | 20));
            newcomer.finish();
            assert!(right, "{found:?}, lookup at step {of_lookup}, newcomer at {of_newcomer}");
            if !lookup_was {
                return;
            }
            if !newcomer_was {
                break;
            }
        }
    }
}

/// The same with a newcomer that had got on to any step of its own before the lookup began, and that goes on to
/// its commit while the lookup sleeps.
fn while_a_newcomer_commits(
    (id, node): (u8, u8),
    look: fn(&Small) -> Option<u16>,
    change: fn(&Small, StreamKey),
) {
    for of_newcomer in 0.. {
        for of_lookup in 0.. {
            let (registry, stream_key) = with_a_stream_attached();
            let shared = Arc::clone(&registry);
            let mut newcomer = Stopped::at(of_newcomer, move || {
                drop(shared.connect(NewClient::new(id, node, 0).stream(20)).unwrap());
            });
            if !newcomer.is_stopped {
                newcomer.finish();
                return;
            }
            let shared = Arc::clone(&registry);
            let lookup = Stopped::at(of_lookup, move || look(&shared));
            while newcomer.is_stopped && look(&registry) != Some(20) {
                newcomer.step();
            }
            change(&registry, stream_key);
            let lookup_was = lookup.is_stopped;
            let found = lookup.finish();
            newcomer.finish();
            let right = matches!(found, Some(11 | 20));
            assert!(right, "{found:?}, lookup at step {of_lookup}, newcomer from {of_newcomer}");
            if !lookup_was {
                break;
            }
        }
    }
}

/// Client 1 of node id 1, whose stream is behind a pointer.
fn with_a_stream_attached() -> (Arc<Small>, StreamKey) {
    first_crew();
    let registry: Arc<Small> = Arc::new(Registry::builder().shards(1).build().unwrap());
    let client = registry.connect(NewClient::new(1, 1, 0).stream(10)).unwrap();
    let stream_key = registry.attach_stream(client.key, 11).unwrap();
    (registry, stream_key)
}

fn route(registry: &Small) -> Option<u16> {
    registry.pin().route(&1).map(|route| *route.stream())
}

fn client(registry: &Small) -> Option<u16> {
    registry.pin().client_by_node(&1).and_then(|client| client.stream().copied())
}

fn by_id(registry: &Small) -> Option<u16> {
    registry.pin().client(&1).and_then(|client| client.stream().copied())
}

fn attach(registry: &Small, of: StreamKey) {
    let _ = registry.attach_stream(of.client(), 12);
}

fn detach(registry: &Small, of: StreamKey) {
    drop(registry.detach_stream(of));
}

#[test]
fn a_route_shows_no_later_stream_of_the_older() {
    through_every_takeover((2, 1), route, attach);
}

#[test]
fn a_route_shows_no_later_stream_though_it_met_the_newcomer_on_its_way() {
    while_a_newcomer_commits((2, 1), route, attach);
}

#[test]
fn a_client_does_not_miss_though_it_met_the_newcomer_on_its_way() {
    while_a_newcomer_commits((2, 1), client, detach);
}

#[test]
fn a_route_does_not_miss_for_the_older() {
    through_every_takeover((2, 1), route, detach);
}

#[test]
fn a_client_shows_no_later_stream_of_the_older() {
    through_every_takeover((2, 1), client, attach);
}

#[test]
fn a_client_does_not_miss_for_the_older() {
    through_every_takeover((2, 1), client, detach);
}

#[test]
fn a_client_by_its_id_shows_no_later_stream_of_the_older() {
    through_every_takeover((1, 2), by_id, attach);
}

/// The same of an alias that is taken away: what its client gets afterwards is not seen by it.
#[test]
fn a_route_by_an_alias_shows_no_stream_from_after_its_end() {
    first_crew();
    let route = |registry: &Small| registry.pin().route(&9).map(|route| *route.stream());
    for of_lookup in 0.. {
        let registry: Arc<Small> = Arc::new(Registry::builder().shards(1).build().unwrap());
        let client = registry.connect(NewClient::new(1, 1, 0).stream(10).alias(9)).unwrap();
        registry.attach_stream(client.key, 11).unwrap();
        let shared = Arc::clone(&registry);
        let lookup = Stopped::at(of_lookup, move || route(&shared));
        assert!(registry.remove_alias(client.key, &9));
        registry.attach_stream(client.key, 12).unwrap();
        let was_stopped = lookup.is_stopped;
        let found = lookup.finish();
        assert!(matches!(found, None | Some(11)), "{found:?}, lookup at step {of_lookup}");
        if !was_stopped {
            break;
        }
    }
}

/// An info that was replaced before a stream came is not seen with that stream (A).
#[test]
fn a_client_is_shown_as_it_was_at_one_moment() {
    first_crew();
    let look = |registry: &Small| {
        let guard = registry.pin();
        let client = guard.client(&1).expect("it stays");
        (*client.info(), client.stream().copied())
    };
    for of_lookup in 0.. {
        let registry: Arc<Small> = Arc::new(Registry::builder().shards(1).build().unwrap());
        let client = registry.connect(NewClient::new(1, 1, 0).stream(10)).unwrap();
        registry.attach_stream(client.key, 11).unwrap();
        let shared = Arc::clone(&registry);
        let lookup = Stopped::at(of_lookup, move || look(&shared));
        registry.update_info(client.key, 1).unwrap();
        registry.attach_stream(client.key, 12).unwrap();
        let was_stopped = lookup.is_stopped;
        let found = lookup.finish();
        assert!(found != (0, Some(12)), "{found:?}, lookup at step {of_lookup}");
        if !was_stopped {
            break;
        }
    }
}
