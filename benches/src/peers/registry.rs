//! The crate itself: one registry, in which both updates are one.

use tandem_registry::{ClientKey, Guard, NewClient, Registry};

use super::{Lookups, Peer};
use crate::population::{Client, ClientId, Info, NodeId, Stream};

pub struct Tandem(Registry<ClientId, NodeId, Info, Stream>);

pub struct PinnedTandem<'a>(Guard<'a, ClientId, NodeId, Info, Stream>);

impl Lookups for Tandem {
    type Key = ClientKey;

    #[inline(always)]
    fn with_stream<R>(&self, node: &NodeId, read: impl FnOnce(&Stream) -> R) -> Option<R> {
        self.0.with_stream(node, read)
    }

    #[inline(always)]
    fn with_info<R>(&self, id: &ClientId, read: impl FnOnce(&Info) -> R) -> Option<R> {
        self.0.pin().client(id).map(|client| read(client.info()))
    }

    #[inline(always)]
    fn with_info_by_key<R>(&self, key: ClientKey, read: impl FnOnce(&Info) -> R) -> Option<R> {
        self.0.pin().get(key).map(|client| read(client.info()))
    }
}

impl Lookups for PinnedTandem<'_> {
    type Key = ClientKey;

    #[inline(always)]
    fn with_stream<R>(&self, node: &NodeId, read: impl FnOnce(&Stream) -> R) -> Option<R> {
        self.0.stream(node).map(read)
    }

    #[inline(always)]
    fn with_info<R>(&self, id: &ClientId, read: impl FnOnce(&Info) -> R) -> Option<R> {
        self.0.client(id).map(|client| read(client.info()))
    }

    #[inline(always)]
    fn with_info_by_key<R>(&self, key: ClientKey, read: impl FnOnce(&Info) -> R) -> Option<R> {
        self.0.get(key).map(|client| read(client.info()))
    }

    #[inline(always)]
    fn with_streams(&self, nodes: &[NodeId], mut read: impl FnMut(Option<&Stream>)) {
        self.0.routes_batch(nodes, |_, route| read(route.map(|route| route.stream())));
    }
}

impl Peer for Tandem {
    const NAME: &'static str = "registry";
    type Pinned<'a> = PinnedTandem<'a>;

    fn with_capacity(clients: usize) -> Self {
        Self(Registry::builder().capacity(clients).build().expect("a capacity that can be had"))
    }

    fn pinned(&self) -> PinnedTandem<'_> {
        PinnedTandem(self.0.pin())
    }

    fn connect(&self, client: Client) -> ClientKey {
        let Client { id, node, info, stream } = client;
        let connected = self.0.connect(NewClient::new(id, node, info).stream(stream));
        // Whom it displaced is dropped here, as the peers drop what they replaced.
        connected.expect("no limit, and the newcomer wins").key
    }

    fn disconnect(&self, key: ClientKey) -> bool {
        self.0.disconnect_key(key).is_some()
    }

    fn each_stream(&self, mut visit: impl FnMut(&Stream)) {
        self.0.for_each_stream(|_, stream| visit(stream));
    }

    fn each_client(&self, mut visit: impl FnMut(ClientId, &Info)) {
        self.0.pin().iter().for_each(|client| visit(*client.id(), client.info()));
    }

    fn len(&self) -> usize {
        self.0.len()
    }
}
