//! Two papaya maps, updated one after the other.

use ahash::RandomState;
use papaya::{Guard, HashMap, HashMapRef, LocalGuard};

use super::{ClientEntry, Lookups, Peer, StreamEntry};
use crate::population::{Client, ClientId, Info, NodeId, Stream};

pub struct PapayaPair {
    clients: HashMap<ClientId, ClientEntry, RandomState>,
    streams: HashMap<NodeId, StreamEntry, RandomState>,
}

type Pinned<'a, K, V> = HashMapRef<'a, K, V, RandomState, LocalGuard<'a>>;

/// Both maps under a pin each: their guards can't be shared, but they are taken only once.
pub struct PinnedPair<'a> {
    clients: Pinned<'a, ClientId, ClientEntry>,
    streams: Pinned<'a, NodeId, StreamEntry>,
}

impl PapayaPair {
    /// Takes `owner`'s stream away, unless another client took the node id over meanwhile.
    fn remove_stream(
        streams: &HashMapRef<'_, NodeId, StreamEntry, RandomState, impl Guard>,
        node: &NodeId,
        owner: ClientId,
    ) {
        // An entry that belongs to another is what the comparison is for: nothing to report.
        let _ = streams.remove_if(node, |_, entry| entry.owner == owner);
    }
}

impl Lookups for PapayaPair {
    type Key = ClientId;

    #[inline(always)]
    fn with_stream<R>(&self, node: &NodeId, read: impl FnOnce(&Stream) -> R) -> Option<R> {
        self.streams.pin().get(node).map(|entry| read(&entry.stream))
    }

    #[inline(always)]
    fn with_info<R>(&self, id: &ClientId, read: impl FnOnce(&Info) -> R) -> Option<R> {
        self.clients.pin().get(id).map(|entry| read(&entry.info))
    }

    #[inline(always)]
    fn with_info_by_key<R>(&self, key: ClientId, read: impl FnOnce(&Info) -> R) -> Option<R> {
        self.with_info(&key, read)
    }
}

impl Lookups for PinnedPair<'_> {
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

impl Peer for PapayaPair {
    const NAME: &'static str = "papaya x2";
    type Pinned<'a> = PinnedPair<'a>;

    fn with_capacity(clients: usize) -> Self {
        Self {
            clients: HashMap::with_capacity_and_hasher(clients, RandomState::new()),
            streams: HashMap::with_capacity_and_hasher(clients, RandomState::new()),
        }
    }

    fn pinned(&self) -> PinnedPair<'_> {
        PinnedPair { clients: self.clients.pin(), streams: self.streams.pin() }
    }

    fn connect(&self, client: Client) -> ClientId {
        let Client { id, node, info, stream } = client;
        let (clients, streams) = (self.clients.pin(), self.streams.pin());
        if let Some(old) = clients.insert(id, ClientEntry { info, node })
            && old.node != node
        {
            Self::remove_stream(&streams, &old.node, id);
        }
        if let Some(old) = streams.insert(node, StreamEntry { stream, owner: id })
            && old.owner != id
        {
            // The older client, unless it has moved to another node id meanwhile.
            let _ = clients.remove_if(&old.owner, |_, entry| entry.node == node);
        }
        id
    }

    fn disconnect(&self, id: ClientId) -> bool {
        let clients = self.clients.pin();
        let Some(entry) = clients.remove(&id) else {
            return false;
        };
        Self::remove_stream(&self.streams.pin(), &entry.node, id);
        true
    }

    fn each_stream(&self, mut visit: impl FnMut(&Stream)) {
        self.streams.pin().values().for_each(|entry| visit(&entry.stream));
    }

    fn each_client(&self, mut visit: impl FnMut(ClientId, &Info)) {
        self.clients.pin().iter().for_each(|(id, entry)| visit(*id, &entry.info));
    }

    fn len(&self) -> usize {
        self.clients.len()
    }
}
