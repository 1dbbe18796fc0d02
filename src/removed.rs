//! What ended, in the hands of the caller: a client, or a stream alone.

use core::fmt;
use core::ops::Deref;

use crate::key::{ClientKey, StreamKey};
use crate::slots::{Ended, Loose};
use crate::tandem::Share;

/// A client that was retired, owned by whoever retired it.
///
/// No lookup finds it any more; readers that found it before may still be using it, which is why its
/// id, node id, info and stream are there by reference. Say goodbye, close the stream; there is no
/// guard in it, so it may be sent, kept across an `await`, and outlive the registry. Dropping it
/// passes the values to the reclaimer, which drops them when the last of those readers is done; if the
/// registry is gone, they are dropped at once.
///
/// # Panics
///
/// Dropping it may run the `Drop` of values that were retired earlier, and continues their panic, after
/// all of them were dropped.
///
/// ```
/// # use tandem_registry::{NewClient, Registry};
/// # let registry: Registry<u64, &str, &str, &str> = Registry::new();
/// registry.connect(NewClient::new(1, "node-a", "info").stream("stream")).unwrap();
/// let removed = registry.disconnect(&1).unwrap();
/// drop(registry);
/// assert_eq!((removed.id(), removed.node()), (&1, &"node-a"));
/// assert_eq!((removed.info(), removed.stream()), (&"info", Some(&"stream")));
/// ```
#[must_use = "the client's stream is to be closed"]
pub struct Removed<Id, Node, Info, Stream> {
    key: ClientKey,
    /// Taken by the drop alone.
    held: Option<(Share<Id, Node, Info, Stream>, Ended<Info, Stream>)>,
}

// SAFETY: what is in `Ended` is the caller's own values, which other threads may be reading; they are
// sent and dropped as the registry's bounds allow.
unsafe impl<Id, Node, Info, Stream> Send for Removed<Id, Node, Info, Stream>
where
    Id: Send + Sync,
    Node: Send + Sync,
    Info: Send + Sync,
    Stream: Send + Sync,
{
}
// SAFETY: as above; it gives shared references only.
unsafe impl<Id, Node, Info, Stream> Sync for Removed<Id, Node, Info, Stream>
where
    Id: Send + Sync,
    Node: Send + Sync,
    Info: Send + Sync,
    Stream: Send + Sync,
{
}

impl<Id, Node, Info, Stream> Removed<Id, Node, Info, Stream> {
    pub(crate) fn new(
        key: ClientKey,
        share: Share<Id, Node, Info, Stream>,
        ended: Ended<Info, Stream>,
    ) -> Self {
        Self { key, held: Some((share, ended)) }
    }

    fn held(&self) -> &(Share<Id, Node, Info, Stream>, Ended<Info, Stream>) {
        self.held.as_ref().expect("taken by the drop alone")
    }

    /// Names the incarnation that ended.
    #[must_use]
    pub fn key(&self) -> ClientKey {
        self.key
    }

    /// Its client id.
    #[must_use]
    pub fn id(&self) -> &Id {
        let (share, ended) = self.held();
        share.slots().id_of(ended)
    }

    /// Its node id.
    #[must_use]
    pub fn node(&self) -> &Node {
        let (share, ended) = self.held();
        share.slots().node_of(ended)
    }

    /// Its last info.
    #[must_use]
    pub fn info(&self) -> &Info {
        let (share, ended) = self.held();
        share.slots().info_of(ended)
    }

    /// Its last stream, if it had one.
    #[must_use]
    pub fn stream(&self) -> Option<&Stream> {
        let (share, ended) = self.held();
        share.slots().stream_of(ended).map(|(stream, _)| stream)
    }

    /// Names its last stream.
    #[must_use]
    pub fn stream_key(&self) -> Option<StreamKey> {
        let (share, ended) = self.held();
        let (_, sequence) = share.slots().stream_of(ended)?;
        Some(StreamKey { client: self.key, sequence })
    }
}

impl<Id, Node, Info, Stream> Drop for Removed<Id, Node, Info, Stream> {
    fn drop(&mut self) {
        if let Some((share, ended)) = self.held.take() {
            let ended = core::cell::Cell::new(Some(ended));
            let taken = || ended.take().expect("one of the two is called");
            share.dispose(
                // SAFETY: its entries were removed before it was handed over.
                |slots, pin| unsafe { slots.retire_ended(taken(), pin) },
                // SAFETY: the registry is gone, and every guard with it.
                |slots, panics| unsafe { slots.drop_ended(taken(), panics) },
            );
        }
    }
}

impl<Id, Node, Info, Stream> fmt::Debug for Removed<Id, Node, Info, Stream> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Removed")
            .field("key", &self.key)
            .field("stream_key", &self.stream_key())
            .finish_non_exhaustive()
    }
}

/// A stream that was detached from a client that stays, owned by whoever detached it.
///
/// It dereferences to the stream, and is passed to the reclaimer when dropped, as a
/// [`Removed`] is.
///
/// ```
/// # use tandem_registry::{NewClient, Registry};
/// # let registry: Registry<u64, &str, (), &str> = Registry::new();
/// let connected = registry.connect(NewClient::new(1, "node-a", ()).stream("stream")).unwrap();
/// let detached = registry.detach_stream(connected.stream_key.unwrap()).unwrap();
/// assert_eq!(*detached, "stream"); // close it; the client is still connected
/// assert!(registry.contains(&1));
/// ```
#[must_use = "the stream is to be closed"]
pub struct Detached<Id, Node, Info, Stream> {
    key: StreamKey,
    /// Taken by the drop alone.
    held: Option<(Share<Id, Node, Info, Stream>, Loose<Stream>)>,
}

// SAFETY: as for `Removed`.
unsafe impl<Id, Node, Info, Stream> Send for Detached<Id, Node, Info, Stream>
where
    Id: Send + Sync,
    Node: Send + Sync,
    Info: Send + Sync,
    Stream: Send + Sync,
{
}
// SAFETY: as for `Removed`.
unsafe impl<Id, Node, Info, Stream> Sync for Detached<Id, Node, Info, Stream>
where
    Id: Send + Sync,
    Node: Send + Sync,
    Info: Send + Sync,
    Stream: Send + Sync,
{
}

impl<Id, Node, Info, Stream> Detached<Id, Node, Info, Stream> {
    pub(crate) fn new(
        key: StreamKey,
        share: Share<Id, Node, Info, Stream>,
        stream: Loose<Stream>,
    ) -> Self {
        Self { key, held: Some((share, stream)) }
    }

    /// Names the stream, and through it the client that had it.
    #[must_use]
    pub fn key(&self) -> StreamKey {
        self.key
    }
}

impl<Id, Node, Info, Stream> Deref for Detached<Id, Node, Info, Stream> {
    type Target = Stream;

    fn deref(&self) -> &Stream {
        let (_, stream) = self.held.as_ref().expect("taken by the drop alone");
        stream.value()
    }
}

impl<Id, Node, Info, Stream> Drop for Detached<Id, Node, Info, Stream> {
    fn drop(&mut self) {
        if let Some((share, stream)) = self.held.take() {
            let stream = core::cell::Cell::new(Some(stream));
            let taken = || stream.take().expect("one of the two is called");
            share.dispose(
                |slots, pin| slots.retire_loose(taken(), pin),
                // SAFETY: the registry is gone, and every guard with it.
                |slots, panics| panics.run(|| unsafe { slots.drop_loose(taken()) }),
            );
        }
    }
}

impl<Id, Node, Info, Stream> fmt::Debug for Detached<Id, Node, Info, Stream> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Detached").field("key", &self.key).finish_non_exhaustive()
    }
}
