//! Every design behind one trait, so that all of them do the same job.

pub mod dashmap;
pub mod papaya;
pub mod registry;

use crate::population::{Client, ClientId, Info, NodeId, Stream};

/// Lookups: on the design itself they pin (or lock) one by one, on [`Peer::Pinned`] all under one pin.
pub trait Lookups {
    /// What names one client for good: a `ClientKey`, or the client id where there is nothing better.
    type Key: Copy + Send + Sync;

    fn with_stream<R>(&self, node: &NodeId, read: impl FnOnce(&Stream) -> R) -> Option<R>;
    fn with_info<R>(&self, id: &ClientId, read: impl FnOnce(&Info) -> R) -> Option<R>;
    fn with_info_by_key<R>(&self, key: Self::Key, read: impl FnOnce(&Info) -> R) -> Option<R>;

    /// Many streams at once, where a design has a faster way than one by one.
    #[inline(always)]
    fn with_streams(&self, nodes: &[NodeId], mut read: impl FnMut(Option<&Stream>)) {
        for node in nodes {
            if self.with_stream(node, |stream| read(Some(stream))).is_none() {
                read(None);
            }
        }
    }
}

/// A design: clients by id and streams by node id, in whatever way it keeps the two together.
pub trait Peer: Lookups + Send + Sync + Sized + 'static {
    const NAME: &'static str;

    /// The lookups of one thread under one pin, where the design knows such a thing.
    type Pinned<'a>: Lookups<Key = Self::Key>
    where
        Self: 'a;

    fn with_capacity(clients: usize) -> Self;
    fn pinned(&self) -> Self::Pinned<'_>;

    /// Connects a client. One that has its id or its node id by then is ended.
    fn connect(&self, client: Client) -> Self::Key;
    /// Ends a client: both entries, but never the stream of another client. Says whether it was there.
    fn disconnect(&self, key: Self::Key) -> bool;

    fn each_stream(&self, visit: impl FnMut(&Stream));
    fn each_client(&self, visit: impl FnMut(ClientId, &Info));
    fn len(&self) -> usize;

    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// What the peers keep by client id.
#[derive(Clone, Copy)]
struct ClientEntry {
    info: Info,
    node: NodeId,
}

/// What the peers keep by node id. The owner tells a careful removal whose stream it would take away.
#[derive(Clone, Copy)]
struct StreamEntry {
    stream: Stream,
    owner: ClientId,
}
