//! What the original system does, row by row of its calls, and the call that does it here.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, mpsc},
    thread,
};

use tandem_registry::{ConnectErrorKind, NewClient, Registry};

type Gateway = Registry<u32, String, &'static str, u64>;

fn gateway(max_clients: usize) -> Gateway {
    Registry::builder().max_clients(max_clients).build().unwrap()
}

fn new(id: u32, node: &str, stream: u64) -> NewClient<u32, String, &'static str, u64> {
    NewClient::new(id, node.to_owned(), "realm").stream(stream)
}

#[test]
fn client_connected_registers() {
    let gateway = gateway(10_000);
    let key = gateway.connect(NewClient::new(1, "node".to_owned(), "realm")).unwrap().key;
    assert!(gateway.contains(&1));
    assert_eq!(gateway.key(&1), Some(key));
}

#[test]
fn client_connected_updates_even_when_the_pool_is_full() {
    let gateway = gateway(1);
    let key = gateway.connect(new(1, "node", 100)).unwrap().key;
    gateway.update_info(key, "another realm").unwrap();
    let info = gateway.pin().client(&1).map(|client| *client.info());
    assert_eq!(info, Some("another realm"));
    assert_eq!(gateway.stream_cloned("node"), Some(100), "its stream is left alone");
    assert_eq!(gateway.len(), 1);
}

#[test]
fn max_clients_reached_is_a_typed_error_with_the_arguments() {
    let gateway = gateway(2);
    gateway.connect(new(1, "a", 100)).unwrap();
    gateway.connect(new(2, "b", 200)).unwrap();
    let error = gateway.connect(new(3, "c", 300)).expect_err("the pool is full");
    assert_eq!(error.kind(), ConnectErrorKind::Full);
    let back = error.into_rejected();
    assert_eq!((back.id, back.node.as_str(), back.stream), (3, "c", Some(300)));
    // A place is free again once somebody leaves.
    gateway.disconnect(&1);
    gateway.connect(back).unwrap();
}

#[test]
fn client_disconnected_removes_both_entries() {
    let gateway = gateway(10);
    gateway.connect(new(1, "node", 100)).unwrap();
    let removed = gateway.disconnect(&1).expect("it was connected");
    assert_eq!(removed.stream(), Some(&100));
    assert!(!gateway.contains(&1));
    assert_eq!(gateway.stream_cloned("node"), None);
}

#[test]
fn client_disconnected_of_an_unknown_id_is_a_no_op() {
    let gateway = gateway(10);
    gateway.connect(new(1, "node", 100)).unwrap();
    assert!(gateway.disconnect(&2).is_none());
    assert_eq!(gateway.len(), 1);
}

#[test]
fn the_crash_of_a_client_disconnects_it() {
    let gateway = Arc::new(gateway(10));
    let session = gateway.session(new(1, "node", 100)).unwrap().0;
    let client = thread::spawn(move || {
        let _session = session;
        panic!("the client's task crashes");
    });
    assert!(client.join().is_err());
    assert!(!gateway.contains(&1));
    assert_eq!(gateway.stream_cloned("node"), None);
}

#[test]
fn store_client_stream_stores_and_replaces() {
    let gateway = gateway(10);
    let key = gateway.connect(NewClient::new(1, "node".to_owned(), "realm")).unwrap().key;
    assert_eq!(gateway.stream_cloned("node"), None);
    gateway.attach_stream(key, 100).unwrap();
    assert_eq!(gateway.stream_cloned("node"), Some(100));
    gateway.attach_stream(key, 200).unwrap();
    assert_eq!(gateway.stream_cloned("node"), Some(200));
}

#[test]
fn get_client_stream_of_an_unknown_node_finds_nothing() {
    let gateway = gateway(10);
    gateway.connect(new(1, "node", 100)).unwrap();
    let guard = gateway.pin();
    assert_eq!(guard.stream("node"), Some(&100));
    assert_eq!(guard.stream("another"), None);
    assert!(guard.route("another").is_none());
}

#[test]
fn get_stream_by_endpoint_finds_the_same_stream() {
    let gateway = gateway(10);
    let url = "https://192.0.2.1:4433";
    let key = gateway.connect(new(1, "node", 100).alias(url.to_owned())).unwrap().key;
    assert_eq!(gateway.stream_cloned(url), Some(100));
    gateway.attach_stream(key, 200).unwrap();
    assert_eq!(gateway.stream_cloned(url), Some(200), "it is one stream with two names");
    gateway.disconnect(&1);
    assert_eq!(gateway.stream_cloned(url), None);
}

#[test]
fn the_queries_answer() {
    let gateway = gateway(10);
    for (id, node) in [(1, "a"), (2, "b"), (3, "c")] {
        gateway.connect(new(id, node, u64::from(id))).unwrap();
    }
    gateway.disconnect(&2);
    // is_client_alive
    assert!(gateway.contains(&1));
    assert!(!gateway.contains(&2));
    let guard = gateway.pin();
    // get_client_info
    assert_eq!(guard.client(&3).map(|client| *client.info()), Some("realm"));
    assert!(guard.client(&2).is_none());
    // get_all_clients
    let all: BTreeMap<u32, &str> =
        guard.iter().map(|client| (*client.id(), *client.info())).collect();
    assert_eq!(all, BTreeMap::from([(1, "realm"), (3, "realm")]));
    // get_all_node_ids
    let nodes: BTreeSet<&str> = guard.iter().map(|client| client.node().as_str()).collect();
    assert_eq!(nodes, BTreeSet::from(["a", "c"]));
}

#[test]
fn broadcast_reaches_every_stream_and_one_slow_stream_blocks_nobody_else() {
    let gateway = gateway(10);
    for (id, node) in [(1, "a"), (2, "b"), (3, "c")] {
        gateway.connect(new(id, node, u64::from(id))).unwrap();
    }
    let (slow, is_slow) = mpsc::channel();
    let (sent, is_sent) = mpsc::channel::<()>();
    thread::scope(|scope| {
        let gateway = &gateway;
        let broadcast = scope.spawn(move || {
            let mut reached = BTreeSet::new();
            gateway.for_each_stream(|_, &stream| {
                if reached.is_empty() {
                    slow.send(()).unwrap();
                    let _ = is_sent.recv();
                }
                reached.insert(stream);
            });
            reached
        });
        is_slow.recv().unwrap();
        // In the original this would wait for the broadcast.
        gateway.connect(new(4, "d", 4)).unwrap();
        assert_eq!(gateway.stream_cloned("a"), Some(1));
        assert!(gateway.disconnect(&4).is_some());
        drop(sent);
        assert_eq!(broadcast.join().unwrap(), BTreeSet::from([1, 2, 3]));
    });
}

#[test]
fn remove_stale_stream_drops_that_stream_and_keeps_the_client() {
    let gateway = gateway(10);
    let connected = gateway.connect(new(1, "node", 100)).unwrap();
    let failed = gateway.pin().route("node").map(|route| route.stream_key()).unwrap();
    let detached = gateway.detach_stream(failed).expect("it is still that stream");
    assert_eq!(*detached, 100);
    assert_eq!(gateway.stream_cloned("node"), None);
    assert!(gateway.contains(&1));
    // A fresh stream is safe from a second report about the old one.
    gateway.attach_stream(connected.key, 200).unwrap();
    assert!(gateway.detach_stream(failed).is_none());
    assert_eq!(gateway.stream_cloned("node"), Some(200));
}
