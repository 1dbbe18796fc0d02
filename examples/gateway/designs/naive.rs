//! Two maps that nothing links: the bug that this crate began with.
//!
//! Whoever disconnects is removed from the clients and forgotten in the streams.

use std::{net::SocketAddr, sync::Arc};

use dashmap::DashMap;

use super::{Design, Newcomer};
use crate::{
    outbound::{ConnId, Outbound},
    protocol::Reason,
};

pub struct Naive {
    max_clients: usize,
    clients: Arc<DashMap<ConnId, SocketAddr>>,
    streams: DashMap<String, Outbound>,
}

/// Removes its client when dropped, and its client only.
pub struct Membership {
    clients: Arc<DashMap<ConnId, SocketAddr>>,
    id: ConnId,
}

impl Design for Naive {
    type Membership = Membership;

    fn new(max_clients: usize) -> Self {
        Self { max_clients, clients: Arc::default(), streams: DashMap::new() }
    }

    fn join(&self, newcomer: Newcomer) -> Result<Membership, Reason> {
        let Newcomer { id, node, peer, stream } = newcomer;
        if self.clients.len() >= self.max_clients {
            return Err(Reason::Full);
        }
        self.clients.insert(id, peer);
        if let Some(older) = self.streams.insert(node, stream) {
            older.evict();
        }
        Ok(Membership { clients: Arc::clone(&self.clients), id })
    }

    fn with_stream<R>(&self, node: &str, f: impl FnOnce(&Outbound) -> R) -> Option<R> {
        self.streams.get(node).map(|stream| f(&stream))
    }

    fn clients(&self) -> usize {
        self.clients.len()
    }
}

impl Drop for Membership {
    fn drop(&mut self) {
        self.clients.remove(&self.id);
    }
}
