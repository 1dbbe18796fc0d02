//! Two maps, kept in step by hand: what a good engineer would write today.
//!
//! A disconnect removes the stream only if it is still its own, a takeover hands its place over,
//! and locks are only ever taken in the order streams, clients. It neither leaks nor misroutes.
//! What it cannot do is end a client in one step: between the two removals a lookup returns the
//! stream of a client that is gone. And it holds a lock of one map while it changes the other, so
//! that a thread which is stopped there stops whoever needs the same shard.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

use dashmap::{DashMap, Entry};

use super::{Design, Newcomer};
use crate::{
    outbound::{ConnId, Outbound},
    protocol::Reason,
};

pub struct Careful(Arc<Maps>);

struct Maps {
    max_clients: usize,
    places_taken: AtomicUsize,
    clients: DashMap<ConnId, (String, SocketAddr)>,
    streams: DashMap<String, Outbound>,
}

/// Removes its client, and the stream that is still its own, when dropped.
pub struct Membership {
    maps: Arc<Maps>,
    id: ConnId,
}

impl Design for Careful {
    type Membership = Membership;

    fn new(max_clients: usize) -> Self {
        Self(Arc::new(Maps {
            max_clients,
            places_taken: AtomicUsize::new(0),
            clients: DashMap::new(),
            streams: DashMap::new(),
        }))
    }

    fn join(&self, newcomer: Newcomer) -> Result<Membership, Reason> {
        let Newcomer { id, node, peer, stream } = newcomer;
        let client = (node.clone(), peer);
        // The entry keeps other takeovers of this node id out until both maps agree.
        let older = match self.0.streams.entry(node) {
            Entry::Occupied(mut entry) => {
                // A client that is on its way out may have given its place back already.
                let handed_over = self.0.clients.remove(&entry.get().connection()).is_some();
                if !handed_over {
                    self.0.take_place()?;
                }
                self.0.clients.insert(id, client);
                Some(entry.insert(stream))
            }
            Entry::Vacant(entry) => {
                self.0.take_place()?;
                self.0.clients.insert(id, client);
                entry.insert(stream);
                None
            }
        };
        if let Some(older) = older {
            older.evict();
        }
        Ok(Membership { maps: Arc::clone(&self.0), id })
    }

    fn with_stream<R>(&self, node: &str, f: impl FnOnce(&Outbound) -> R) -> Option<R> {
        self.0.streams.get(node).map(|stream| f(&stream))
    }

    fn clients(&self) -> usize {
        self.0.clients.len()
    }
}

impl Maps {
    fn take_place(&self) -> Result<(), Reason> {
        let free = |taken: usize| (taken < self.max_clients).then_some(taken + 1);
        match self.places_taken.fetch_update(Relaxed, Relaxed, free) {
            Ok(_) => Ok(()),
            Err(_) => Err(Reason::Full),
        }
    }
}

impl Drop for Membership {
    fn drop(&mut self) {
        // Whoever took the node id over has removed this client and kept its place.
        let Some((_, (node, _))) = self.maps.clients.remove(&self.id) else {
            return;
        };
        self.maps.streams.remove_if(&node, |_, stream| stream.connection() == self.id);
        self.maps.places_taken.fetch_sub(1, Relaxed);
    }
}
