//! Every design does the job right, on a small scale: a fast wrong answer is worth nothing.

use tandem_registry_benches::{
    jobs::{self, Amount, Field, Job},
    peers::{Lookups, Peer, dashmap::DashmapPair, papaya::PapayaPair, registry::Tandem},
    population::{Client, Population},
};

/// Streams and infos by name, both ways of pinning.
fn finds<P: Peer>(peer: &P, client: &Client) -> bool {
    let pinned = peer.pinned();
    let streams = [
        peer.with_stream(&client.node, |stream| *stream),
        pinned.with_stream(&client.node, |stream| *stream),
    ];
    let infos =
        [peer.with_info(&client.id, |info| *info), pinned.with_info(&client.id, |info| *info)];
    let found = streams == [Some(client.stream); 2] && infos == [Some(client.info); 2];
    assert!(
        found || (streams == [None; 2] && infos == [None; 2]),
        "half a client: {streams:?} {infos:?}"
    );
    found
}

fn connects_and_disconnects<P: Peer>() {
    let population = Population::new(100, 1);
    let peer = P::with_capacity(10);
    let keys: Vec<_> = population.clients.iter().map(|&client| peer.connect(client)).collect();
    assert_eq!(peer.len(), 100);
    assert!(population.clients.iter().all(|client| finds(&peer, client)));
    for (client, &key) in population.clients.iter().zip(&keys) {
        assert_eq!(peer.with_info_by_key(key, |info| *info), Some(client.info));
        assert_eq!(peer.pinned().with_info_by_key(key, |info| *info), Some(client.info));
    }

    let mut batch = Vec::new();
    let asked = [population.nodes[0], population.absent_nodes[0], population.nodes[2]];
    peer.pinned().with_streams(&asked, |stream| batch.push(stream.map(|stream| stream.next)));
    assert_eq!(batch, [Some(population.nodes[1]), None, Some(population.nodes[3])]);

    let mut streams = Vec::new();
    peer.each_stream(|stream| streams.push(stream.next.0));
    let mut expected: Vec<_> = population.nodes.iter().map(|node| node.0).collect();
    streams.sort_unstable();
    expected.sort_unstable();
    assert_eq!(streams, expected);
    let mut ids = Vec::new();
    peer.each_client(|id, _| ids.push(id));
    let mut expected = population.ids.clone();
    ids.sort_unstable();
    expected.sort_unstable();
    assert_eq!(ids, expected);

    assert!(peer.disconnect(keys[7]));
    assert!(!peer.disconnect(keys[7]));
    let there = |(number, client)| finds(&peer, client) == (number != 7);
    assert!(population.clients.iter().enumerate().all(there));
    assert_eq!(peer.len(), 99);
}

fn takes_over<P: Peer>() {
    let peer = P::with_capacity(10);
    let old = Client::numbered(1, 2);
    let old_key = peer.connect(old);

    let new = Client { node: old.node, ..Client::numbered(3, 4) };
    let new_key = peer.connect(new);
    assert!(finds(&peer, &new));
    assert_eq!(peer.with_info(&old.id, |info| *info), None);
    assert_eq!(peer.len(), 1);
    assert!(!peer.disconnect(old_key), "the old connection is gone, and its stream another's");
    assert!(finds(&peer, &new));

    let back = Client { stream: old.stream, ..new };
    let back_key = peer.connect(back);
    assert!(finds(&peer, &back));
    assert_eq!(peer.len(), 1);
    assert!(peer.disconnect(back_key));
    assert!(!peer.disconnect(new_key));

    // The same id under another node id: the old stream doesn't stay behind.
    peer.connect(old);
    let moved = Client { id: old.id, ..Client::numbered(5, 6) };
    peer.connect(moved);
    assert!(finds(&peer, &moved));
    assert_eq!(peer.with_stream(&old.node, |stream| *stream), None);
    assert_eq!(peer.len(), 1);
}

/// Runs every job on small fields. The jobs check what they find as they go.
fn does<J: Job>(field: fn(usize) -> Field<J>) {
    for clients in [1, 37, 500] {
        for design in &mut field(clients.max(2)) {
            for job in J::all() {
                for threads in [1, 2] {
                    design.run(job, Amount { threads, each: 1_200, warm_up: 10 });
                }
            }
        }
    }
}

#[test]
fn registry() {
    connects_and_disconnects::<Tandem>();
    takes_over::<Tandem>();
}

#[test]
fn papaya() {
    connects_and_disconnects::<PapayaPair>();
    takes_over::<PapayaPair>();
}

#[test]
fn dashmap() {
    connects_and_disconnects::<DashmapPair>();
    takes_over::<DashmapPair>();
}

#[test]
fn every_job_on_every_design() {
    does(jobs::lookups);
    does(jobs::iterations);
    does(jobs::churns);
}

#[test]
fn one_cycle_through_all_clients() {
    let population = Population::new(50, 9);
    let (mut node, mut id) = (population.nodes[0], population.ids[0]);
    for place in 0..population.len() {
        assert_eq!((node, id), (population.nodes[place], population.ids[place]));
        let client = population.clients[population.cycle[place]];
        (node, id) = (client.stream.next, client.info.next);
    }
    assert_eq!((node, id), (population.nodes[0], population.ids[0]));
}
