//! Keys: what names one incarnation of a client, or one stream of it, for ever (B).

use core::fmt;

/// Names one incarnation of a client: the one that one successful `connect` brought about.
///
/// A key is never issued twice by the same registry. What is done by key touches that incarnation or
/// nothing, whoever has the client's id or node id by then; a key of another registry names nothing.
///
/// ```
/// # use tandem_registry::{NewClient, Registry};
/// # let registry: Registry<u64, &str, (), ()> = Registry::new();
/// let old = registry.connect(NewClient::new(1, "node-a", ())).unwrap().key;
/// let new = registry.connect(NewClient::new(1, "node-a", ())).unwrap().key;
/// assert!(registry.disconnect_key(old).is_none()); // the late disconnect of the old connection
/// assert_eq!(registry.key(&1), Some(new));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientKey {
    pub(crate) generation: u64,
    pub(crate) slot: u32,
    pub(crate) registry: u32,
}

impl fmt::Debug for ClientKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ClientKey({}#{})", self.slot, self.generation)
    }
}

/// Names one stream of one incarnation of a client: the one given to `connect`, or to one
/// `attach_stream`.
///
/// ```
/// # use tandem_registry::{NewClient, Registry};
/// # let registry: Registry<u64, &str, (), &str> = Registry::new();
/// let connected = registry.connect(NewClient::new(1, "node-a", ()).stream("old")).unwrap();
/// let old = connected.stream_key.unwrap();
/// let new = registry.attach_stream(connected.key, "new").unwrap();
/// assert!(registry.detach_stream(old).is_none()); // a late failure of the old stream
/// assert_eq!(registry.stream_cloned(&"node-a"), Some("new"));
/// assert_eq!(new.client(), old.client());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamKey {
    pub(crate) client: ClientKey,
    pub(crate) sequence: u64,
}

impl StreamKey {
    /// The client that the stream was attached to.
    #[must_use]
    pub fn client(self) -> ClientKey {
        self.client
    }
}

impl fmt::Debug for StreamKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ClientKey { slot, generation, .. } = self.client;
        write!(f, "StreamKey({slot}#{generation}.{})", self.sequence)
    }
}
