//! Churn at a constant population: clients come and go, and come back under a name that is taken.
//!
//! Threads have disjoint clients. Who goes next is chosen at random among a thread's own.

use std::time::Duration;

use fastrand::Rng;

use super::{Amount, Contender, Job, Unit};
use crate::{
    peers::{Lookups, Peer},
    population::{Client, Info, NodeId, Stream, id_of, node_of},
    race::race,
};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Churn {
    /// A client with an id and a node id never seen before connects, and another disconnects by its key.
    Fresh,
    /// A new client id takes over a node id from the client that has it.
    Takeover,
    /// The same client connects again under the same node id, while its old connection still stands.
    Reconnect,
}

impl Job for Churn {
    fn all() -> Vec<Self> {
        vec![Self::Fresh, Self::Takeover, Self::Reconnect]
    }

    fn name(self) -> String {
        match self {
            Self::Fresh => "connect + disconnect",
            Self::Takeover => "takeover: new id, same node",
            Self::Reconnect => "takeover: same id, same node",
        }
        .to_owned()
    }

    fn unit(self, _threads: usize) -> Unit {
        Unit::MillionsPerSecond
    }
}

/// A filled design whose clients come and go.
pub struct Churned<P: Lookups> {
    peer: P,
    clients: usize,
    threads: Vec<Thread<P::Key>>,
}

/// A client that is connected, and how to end it. Numbers rather than names: the bench's own memory is to
/// stay out of the way.
struct Connected<K> {
    id: u64,
    node: u64,
    key: K,
}

impl<K> Connected<K> {
    fn new(peer: &impl Peer<Key = K>, id: u64, node: u64) -> Self {
        let client = Client {
            id: id_of(id),
            node: node_of(node),
            info: Info { next: id, rest: [node; 6] },
            stream: Stream { next: NodeId([0; 32]) },
        };
        Self { id, node, key: peer.connect(client) }
    }
}

/// One thread's own clients.
struct Thread<K> {
    connected: Vec<Connected<K>>,
    next_number: u64,
    rng: Rng,
}

impl<P: Peer> Churned<P> {
    pub fn new(clients: usize) -> Self {
        Self { peer: P::with_capacity(clients), clients, threads: Vec::new() }
    }

    /// Deals all clients out to so many threads. The first call fills the design.
    fn deal(&mut self, threads: usize) {
        let next_number = self.threads.iter().map(|thread| thread.next_number).max();
        let mut next_number = next_number.unwrap_or(0);
        let mut all: Vec<_> = self.threads.drain(..).flat_map(|thread| thread.connected).collect();
        while all.len() < self.clients {
            all.push(Connected::new(&self.peer, next_number, next_number));
            next_number += 1;
        }
        let share = self.clients.div_ceil(threads);
        for number in 0..threads as u64 {
            let connected = all.split_off(all.len().saturating_sub(share));
            // So far apart that two threads never come upon the same number.
            let next_number = next_number + (number << 32);
            self.threads.push(Thread { connected, next_number, rng: Rng::with_seed(number) });
        }
    }
}

impl<K: Copy> Thread<K> {
    fn churn(&mut self, peer: &impl Peer<Key = K>, job: Churn, count: u64) {
        for _ in 0..count {
            let number = self.next_number;
            self.next_number += 1;
            let place = self.rng.usize(..self.connected.len());
            let old = &mut self.connected[place];
            let (id, node) = match job {
                Churn::Fresh => (number, number),
                Churn::Takeover => (number, old.node),
                Churn::Reconnect => (old.id, old.node),
            };
            let new = Connected::new(peer, id, node);
            if job == Churn::Fresh {
                assert!(peer.disconnect(old.key), "nobody else ends it");
            }
            *old = new;
        }
    }
}

impl<P: Peer> Contender<Churn> for Churned<P> {
    fn name(&self) -> &'static str {
        P::NAME
    }

    fn clients(&self) -> usize {
        self.clients
    }

    fn run(&mut self, job: Churn, amount: Amount) -> Duration {
        if self.threads.len() != amount.threads {
            self.deal(amount.threads);
        }
        let peer = &self.peer;
        let time = race(
            &mut self.threads,
            |thread| thread.churn(peer, job, amount.warm_up),
            |thread| thread.churn(peer, job, amount.each),
        );
        assert_eq!(peer.len(), self.clients, "the population is constant");
        time
    }
}
