//! What lookups find, for as long as their guard is held.

use core::fmt;
use core::ptr;

use crate::key::{ClientKey, StreamKey};
use crate::slots::{Address, Live, Plain};
use crate::swing::Current;

/// Where messages for a node go.
pub struct Route<'g, Stream> {
    pub(crate) stream: &'g Stream,
    pub(crate) key: StreamKey,
}

impl<'g, Stream> Route<'g, Stream> {
    /// The stream.
    #[must_use]
    pub fn stream(&self) -> &'g Stream {
        self.stream
    }

    /// Names the client, for what is to be done to exactly this incarnation.
    #[must_use]
    pub fn key(&self) -> ClientKey {
        self.key.client
    }

    /// Names the stream, to be detached should sending fail.
    #[must_use]
    pub fn stream_key(&self) -> StreamKey {
        self.key
    }
}

impl<Stream> Route<'_, Stream> {
    /// As [`ClientRef::apart`].
    #[inline(always)]
    pub(crate) fn apart(found: Option<Self>) -> Option<Self> {
        let Self { stream, key: StreamKey { client, sequence } } = found?;
        Some(Self { stream, key: StreamKey { client, sequence } })
    }
}

impl<Stream> Clone for Route<'_, Stream> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<Stream> Copy for Route<'_, Stream> {}

impl<Stream> fmt::Debug for Route<'_, Stream> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Route").field("stream_key", &self.key).finish_non_exhaustive()
    }
}

/// A client that was live when it was found, with the info and the stream that it had then.
pub struct ClientRef<'g, Id, Node, Info, Stream> {
    id: &'g Id,
    node: &'g Node,
    info: &'g Info,
    /// And its sequence.
    stream: Option<(&'g Stream, u64)>,
    address: Address,
    registry: u32,
}

impl<'g, Id, Node, Info, Stream> ClientRef<'g, Id, Node, Info, Stream> {
    /// `None`: the client ended before its info or stream was read.
    #[inline]
    pub(crate) fn new(live: Live<'g, Id, Node, Info, Stream>, registry: u32) -> Option<Self> {
        let mut info = live.info()?;
        let stream = loop {
            let stream = match live.stream() {
                Current::Swung(stream) => Some(stream),
                Current::First | Current::Nothing => None,
                Current::Closed => return None,
            };
            // Both at one moment, that of the stream's read: an info that was replaced is not current
            // again. Another one means that an update got on.
            let again = live.info()?;
            if ptr::eq(info, again) {
                break stream;
            }
            info = again;
        };
        let (id, node, address) = (live.id(), live.node(), live.address());
        Some(Self { id, node, info, stream, address, registry })
    }

    #[inline(always)]
    pub(crate) fn plain(plain: Plain<'g, Id, Node, Info, Stream>, registry: u32) -> Self {
        Self::of(plain, plain.profile(), plain.routing(), registry)
    }

    /// Addresses only: what the caller does not ask for is not read.
    #[inline(always)]
    pub(crate) fn of(
        plain: Plain<'g, Id, Node, Info, Stream>,
        (id, info): (&'g Id, &'g Info),
        (node, stream): (&'g Node, &'g Stream),
        registry: u32,
    ) -> Self {
        Self { id, node, info, stream: Some((stream, 0)), address: plain.address(), registry }
    }

    /// The same, field by field. What a call returned is in memory, and with it whatever else that place may hold:
    /// by this, the compiler can keep that in registers.
    #[inline(always)]
    pub(crate) fn apart(found: Option<Self>) -> Option<Self> {
        let Self { id, node, info, stream, address, registry } = found?;
        Some(Self { id, node, info, stream, address, registry })
    }

    /// Names this incarnation.
    #[must_use]
    #[inline]
    pub fn key(&self) -> ClientKey {
        let Address { generation, slot } = self.address;
        ClientKey { generation, slot, registry: self.registry }
    }

    /// Its client id.
    #[must_use]
    #[inline]
    pub fn id(&self) -> &'g Id {
        self.id
    }

    /// Its node id.
    #[must_use]
    #[inline]
    pub fn node(&self) -> &'g Node {
        self.node
    }

    /// Its info.
    #[must_use]
    #[inline]
    pub fn info(&self) -> &'g Info {
        self.info
    }

    /// Its stream, if it has one.
    #[must_use]
    #[inline]
    pub fn stream(&self) -> Option<&'g Stream> {
        self.stream.map(|(stream, _)| stream)
    }

    /// Names its stream.
    #[must_use]
    #[inline]
    pub fn stream_key(&self) -> Option<StreamKey> {
        self.stream.map(|(_, sequence)| StreamKey { client: self.key(), sequence })
    }
}

impl<Id, Node, Info, Stream> Clone for ClientRef<'_, Id, Node, Info, Stream> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<Id, Node, Info, Stream> Copy for ClientRef<'_, Id, Node, Info, Stream> {}

impl<Id, Node, Info, Stream> fmt::Debug for ClientRef<'_, Id, Node, Info, Stream> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientRef")
            .field("key", &self.key())
            .field("stream_key", &self.stream_key())
            .finish_non_exhaustive()
    }
}
