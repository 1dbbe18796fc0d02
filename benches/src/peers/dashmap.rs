//! Two dashmaps, updated one after the other, no lock of one held while the other is used.

use ahash::RandomState;
use dashmap::DashMap;

use super::{ClientEntry, Lookups, Peer, StreamEntry};
use crate::population::{Client, ClientId, Info, NodeId, Stream};

/// More than its default on small machines (four per core), as its users set it for many threads.
const SHARDS: usize = 64;

pub struct DashmapPair {
    clients: DashMap<ClientId, ClientEntry, RandomState>,
    streams: DashMap<NodeId, StreamEntry, RandomState>,
}

impl DashmapPair {
    /// Takes `owner`'s stream away, unless another client took the node id over meanwhile.
    fn remove_stream(&self, node: &NodeId, owner: ClientId) {
        self.streams.remove_if(node, |_, entry| entry.owner == owner);
    }
}

impl Lookups for DashmapPair {
    type Key = ClientId;

    #[inline(always)]
    fn with_stream<R>(&self, node: &NodeId, read: impl FnOnce(&Stream) -> R) -> Option<R> {
        self.streams.get(node).map(|entry| read(&entry.stream))
    }

    #[inline(always)]
    fn with_info<R>(&self, id: &ClientId, read: impl FnOnce(&Info) -> R) -> Option<R> {
        self.clients.get(id).map(|entry| read(&entry.info))
    }

    #[inline(always)]
    fn with_info_by_key<R>(&self, key: ClientId, read: impl FnOnce(&Info) -> R) -> Option<R> {
        self.with_info(&key, read)
    }
}

/// There is no such thing as a pin: every lookup takes its shard's lock.
impl Lookups for &DashmapPair {
    type Key = ClientId;

    #[inline(always)]
    fn with_stream<R>(&self, node: &NodeId, read: impl FnOnce(&Stream) -> R) -> Option<R> {
        (**self).with_stream(node, read)
    }

    #[inline(always)]
    fn with_info<R>(&self, id: &ClientId, read: impl FnOnce(&Info) -> R) -> Option<R> {
        (**self).with_info(id, read)
    }

    #[inline(always)]
    fn with_info_by_key<R>(&self, key: ClientId, read: impl FnOnce(&Info) -> R) -> Option<R> {
        (**self).with_info_by_key(key, read)
    }
}

impl Peer for DashmapPair {
    const NAME: &'static str = "dashmap x2";
    type Pinned<'a> = &'a Self;

    fn with_capacity(clients: usize) -> Self {
        let map = || RandomState::new();
        Self {
            clients: DashMap::with_capacity_and_hasher_and_shard_amount(clients, map(), SHARDS),
            streams: DashMap::with_capacity_and_hasher_and_shard_amount(clients, map(), SHARDS),
        }
    }

    fn pinned(&self) -> &Self {
        self
    }

    fn connect(&self, client: Client) -> ClientId {
        let Client { id, node, info, stream } = client;
        if let Some(old) = self.clients.insert(id, ClientEntry { info, node })
            && old.node != node
        {
            self.remove_stream(&old.node, id);
        }
        if let Some(old) = self.streams.insert(node, StreamEntry { stream, owner: id })
            && old.owner != id
        {
            // The older client, unless it has moved to another node id meanwhile.
            self.clients.remove_if(&old.owner, |_, entry| entry.node == node);
        }
        id
    }

    fn disconnect(&self, id: ClientId) -> bool {
        let Some((_, entry)) = self.clients.remove(&id) else {
            return false;
        };
        self.remove_stream(&entry.node, id);
        true
    }

    fn each_stream(&self, mut visit: impl FnMut(&Stream)) {
        self.streams.iter().for_each(|entry| visit(&entry.stream));
    }

    fn each_client(&self, mut visit: impl FnMut(ClientId, &Info)) {
        self.clients.iter().for_each(|entry| visit(*entry.key(), &entry.info));
    }

    fn len(&self) -> usize {
        self.clients.len()
    }
}
