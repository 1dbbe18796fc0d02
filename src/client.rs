//! What goes into `connect`, and what comes out of it.

use core::fmt;

use crate::error::AliasError;
use crate::key::{ClientKey, StreamKey};
use crate::removed::Removed;

/// A client to be connected: what [`Registry::connect`](crate::Registry::connect) takes, and what its
/// error hands back.
///
/// ```
/// # use tandem_registry::{NewClient, Registry};
/// # let registry: Registry<u64, &str, &str, &str> = Registry::new();
/// let client = NewClient::new(1, "node-a", "info").stream("stream").alias("https://node-a/");
/// registry.connect(client).unwrap();
/// assert_eq!(registry.stream_cloned(&"https://node-a/"), Some("stream"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct NewClient<Id, Node, Info, Stream> {
    /// The client id: who it is.
    pub id: Id,
    /// The node id: where messages for it are sent.
    pub node: Node,
    /// Whatever else is to be known of it.
    pub info: Info,
    /// The outbound stream, if it is there yet.
    pub stream: Option<Stream>,
    /// Further names of the stream.
    pub aliases: Vec<Node>,
}

impl<Id, Node, Info, Stream> NewClient<Id, Node, Info, Stream> {
    /// A client without stream and aliases.
    #[must_use]
    pub fn new(id: Id, node: Node, info: Info) -> Self {
        Self { id, node, info, stream: None, aliases: Vec::new() }
    }

    /// With this outbound stream.
    #[must_use]
    pub fn stream(mut self, stream: Stream) -> Self {
        self.stream = Some(stream);
        self
    }

    /// With a further name, besides those given before.
    #[must_use]
    pub fn alias(mut self, name: Node) -> Self {
        self.aliases.push(name);
        self
    }
}

/// A client that was connected.
#[non_exhaustive]
pub struct Connected<Id, Node, Info, Stream> {
    /// Names this incarnation of the client.
    pub key: ClientKey,
    /// Names the stream that was given along, if one was.
    pub stream_key: Option<StreamKey>,
    /// Who was evicted for it, to be closed.
    pub displaced: Displaced<Id, Node, Info, Stream>,
    /// The aliases that it did not get. Each is added right after the client is live, in a step of its
    /// own, and refused as [`Registry::add_alias`](crate::Registry::add_alias) says.
    pub refused_aliases: Vec<AliasError<Node>>,
}

impl<Id, Node, Info, Stream> fmt::Debug for Connected<Id, Node, Info, Stream> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connected")
            .field("key", &self.key)
            .field("stream_key", &self.stream_key)
            .field("displaced", &self.displaced)
            .field("refused_aliases", &self.refused_aliases.len())
            .finish()
    }
}

/// The clients that a takeover evicted: at most one that had the client id, and one that had the node
/// id. One that had both is in `by_id`.
///
/// ```
/// # use tandem_registry::{NewClient, Registry};
/// # let registry: Registry<u64, &str, (), &str> = Registry::new();
/// registry.connect(NewClient::new(1, "node-a", ()).stream("old")).unwrap();
/// let connected = registry.connect(NewClient::new(2, "node-a", ()).stream("new")).unwrap();
/// for evicted in connected.displaced {
///     assert_eq!((evicted.id(), evicted.stream()), (&1, Some(&"old"))); // say goodbye, close it
/// }
/// ```
#[must_use = "an evicted client's stream is to be closed"]
pub struct Displaced<Id, Node, Info, Stream> {
    /// The one that had the newcomer's client id.
    pub by_id: Option<Removed<Id, Node, Info, Stream>>,
    /// Another one, that had the newcomer's node id.
    pub by_node: Option<Removed<Id, Node, Info, Stream>>,
}

impl<Id, Node, Info, Stream> Displaced<Id, Node, Info, Stream> {
    /// How many were evicted: 0, 1 or 2.
    #[must_use]
    pub fn len(&self) -> usize {
        usize::from(self.by_id.is_some()) + usize::from(self.by_node.is_some())
    }

    /// Whether nobody was in the way.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<Id, Node, Info, Stream> fmt::Debug for Displaced<Id, Node, Info, Stream> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Displaced")
            .field("by_id", &self.by_id)
            .field("by_node", &self.by_node)
            .finish()
    }
}

impl<Id, Node, Info, Stream> IntoIterator for Displaced<Id, Node, Info, Stream> {
    type Item = Removed<Id, Node, Info, Stream>;
    type IntoIter = core::iter::Flatten<core::array::IntoIter<Option<Self::Item>, 2>>;

    fn into_iter(self) -> Self::IntoIter {
        [self.by_id, self.by_node].into_iter().flatten()
    }
}
