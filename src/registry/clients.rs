//! Clients come and go: connect, disconnect, close.

use core::hash::{BuildHasher, Hash};

use equivalent::Equivalent;

use super::Registry;
use crate::client::{Connected, Displaced, NewClient};
use crate::error::{ConnectError, ConnectErrorKind};
use crate::key::{ClientKey, StreamKey};
use crate::reclaim::{Panics, attempt};
use crate::removed::Removed;
use crate::slots::{Address, Contents, Ended};
use crate::tandem::{Call, Refused};

impl<Id, Node, Info, Stream, S> Registry<Id, Node, Info, Stream, S>
where
    Id: Hash + Eq,
    Node: Hash + Eq,
    S: BuildHasher,
{
    /// Connects a client: from here on it is found by its client id, its node id and its aliases.
    ///
    /// If a live client has its client id or its node id, the [`Policy`](crate::Policy) decides: under
    /// `Takeover` the older one is evicted and handed over in `displaced`, under `Reject` the newcomer is
    /// refused. An alias of another client that equals the node id is taken from it; that client stays.
    ///
    /// # Consistency
    ///
    /// Without a conflict, one atomic step. A takeover is two: the newcomer is live and owns its names,
    /// then the older client is dead (D). Aliases are added afterwards, each in a step of its own.
    /// Lock-free: a thread that stops in the middle of a connect stops nobody, not even another of the
    /// same names (F).
    ///
    /// # Complexity
    ///
    /// O(1) expected, growth included; each alias O(aliases of the client).
    ///
    /// # Errors
    ///
    /// [`ConnectError`], with the client back: its names are taken, no place is free, the registry is
    /// closed or out of slots. A conflict is reported before a full registry.
    ///
    /// # Panics
    ///
    /// If the `Hash` or `Eq` of an id panics. Nobody is connected then, but who was displaced stays so.
    ///
    /// ```
    /// # use tandem_registry::{ConnectErrorKind, NewClient, Registry};
    /// let registry = Registry::builder().max_clients(1).build().unwrap();
    /// registry.connect(NewClient::new(1, "node-a", ()).stream("old")).unwrap();
    ///
    /// let refused = registry.connect(NewClient::new(2, "node-b", ()).stream("b")).unwrap_err();
    /// assert_eq!(refused.kind(), ConnectErrorKind::Full);
    /// assert_eq!(refused.into_rejected().stream, Some("b"));
    ///
    /// // A takeover needs no free place.
    /// let connected = registry.connect(NewClient::new(2, "node-a", ()).stream("new")).unwrap();
    /// assert_eq!(connected.displaced.by_node.unwrap().stream(), Some(&"old"));
    /// ```
    pub fn connect(
        &self,
        new: NewClient<Id, Node, Info, Stream>,
    ) -> Result<Connected<Id, Node, Info, Stream>, ConnectError<Id, Node, Info, Stream>> {
        let ids = (self.hash_of(&new.id), self.hash_of(&new.node));
        let NewClient { id, node, info, stream, aliases } = new;
        let has_stream = stream.is_some();
        let contents = Contents { id, node, info, stream };
        self.tandem.tidy_with_care();
        let mut call = self.tandem.call();
        let committed = match self.tandem.connect(ids, contents, &mut call) {
            Ok(committed) => committed,
            Err((refused, contents)) => return Err(rejected(refused, contents, aliases, call)),
        };
        let key = self.key_at(committed.address);
        let displaced = Displaced {
            by_id: committed.by_id.map(|ended| self.hand_over(ended, &call)),
            by_node: committed.by_node.map(|ended| self.hand_over(ended, &call)),
        };
        drop(call);
        let added = aliases.into_iter().map(|name| self.add_alias(key, name));
        let refused_aliases = match attempt(|| added.filter_map(Result::err).collect()) {
            Ok(refused) => refused,
            Err(payload) => {
                // The caller gets the panic, not the key: the client must not stay.
                let mut panics = Panics::default();
                panics.keep(payload);
                panics.run(|| drop(self.disconnect_key(key)));
                panics.resume();
                unreachable!("the panic is continued");
            }
        };
        Ok(Connected {
            key,
            stream_key: has_stream.then_some(StreamKey { client: key, sequence: 0 }),
            refused_aliases,
            displaced,
        })
    }

    /// Ends the client with that client id, with its stream and its aliases. `None`: there is none.
    ///
    /// # Consistency
    ///
    /// A lookup, followed by [`disconnect_key`](Self::disconnect_key) of the incarnation that it found: one
    /// that connects in between is not touched.
    ///
    /// # Complexity
    ///
    /// O(1) expected, and O(aliases of the client).
    ///
    /// ```
    /// # use tandem_registry::{NewClient, Registry};
    /// # let registry: Registry<u64, &str, (), &str> = Registry::new();
    /// registry.connect(NewClient::new(1, "node-a", ()).stream("stream")).unwrap();
    /// let removed = registry.disconnect(&1).unwrap();
    /// assert_eq!(removed.stream(), Some(&"stream"));
    /// assert!(registry.pin().stream(&"node-a").is_none());
    /// assert!(registry.disconnect(&1).is_none());
    /// ```
    pub fn disconnect<Q>(&self, id: &Q) -> Option<Removed<Id, Node, Info, Stream>>
    where
        Q: ?Sized + Hash + Equivalent<Id>,
    {
        self.disconnect_key(self.key(id)?)
    }

    /// Ends that incarnation of a client, with its stream and its aliases. `None`: it had ended, or
    /// another call is ending it and has been helped to.
    ///
    /// # Consistency
    ///
    /// One atomic step: before it every lookup finds the client, after it none does (A). Lock-free.
    ///
    /// # Complexity
    ///
    /// O(1), and O(aliases of the client).
    ///
    /// ```
    /// # use tandem_registry::{NewClient, Registry};
    /// # let registry: Registry<u64, &str, (), ()> = Registry::new();
    /// let key = registry.connect(NewClient::new(1, "node-a", ())).unwrap().key;
    /// assert!(registry.disconnect_key(key).is_some());
    /// assert!(registry.disconnect_key(key).is_none());
    /// ```
    pub fn disconnect_key(&self, key: ClientKey) -> Option<Removed<Id, Node, Info, Stream>> {
        let address = self.address(key)?;
        let mut call = self.tandem.call();
        let ended = self.tandem.end(address, &mut call);
        let removed = ended.map(|ended| self.hand_over(ended, &call));
        call.finish();
        removed
    }

    /// Refuses every later connect, and ends every client. A connect that races it is refused, or its
    /// client is among those returned here or ended by someone else.
    ///
    /// # Consistency
    ///
    /// Each client ends in a step of its own. Lock-free.
    ///
    /// # Complexity
    ///
    /// O(slots).
    ///
    /// ```
    /// # use tandem_registry::{ConnectErrorKind, NewClient, Registry};
    /// # let registry: Registry<u64, &str, (), ()> = Registry::new();
    /// registry.connect(NewClient::new(1, "node-a", ())).unwrap();
    /// assert_eq!(registry.close().len(), 1);
    /// let refused = registry.connect(NewClient::new(1, "node-a", ())).unwrap_err();
    /// assert_eq!(refused.kind(), ConnectErrorKind::Closed);
    /// ```
    pub fn close(&self) -> Vec<Removed<Id, Node, Info, Stream>> {
        self.tandem.places.close();
        let mut removed = Vec::new();
        let mut call = self.tandem.call();
        for slot in 0..self.tandem.slots.len() {
            let ended = self.tandem.clear(slot, &mut call);
            removed.extend(ended.map(|ended| self.hand_over(ended, &call)));
        }
        call.finish();
        removed
    }
}

impl<Id, Node, Info, Stream, S> Registry<Id, Node, Info, Stream, S> {
    fn hand_over(
        &self,
        ended: Ended<Info, Stream>,
        call: &Call<'_>,
    ) -> Removed<Id, Node, Info, Stream> {
        let key = self.key_at(Address { slot: ended.slot, generation: ended.word.generation() });
        Removed::new(key, self.tandem.share(&call.pin), ended)
    }
}

/// The error of a refused connect; or the panic that cut it short.
fn rejected<Id, Node, Info, Stream>(
    refused: Refused,
    contents: Option<Contents<Id, Node, Info, Stream>>,
    aliases: Vec<Node>,
    call: Call<'_>,
) -> ConnectError<Id, Node, Info, Stream> {
    let kind = match refused {
        Refused::Id => ConnectErrorKind::IdTaken,
        Refused::Node => ConnectErrorKind::NodeTaken,
        Refused::Full => ConnectErrorKind::Full,
        Refused::Closed => ConnectErrorKind::Closed,
        Refused::Exhausted => ConnectErrorKind::Exhausted,
        Refused::Panicked => {
            call.finish();
            unreachable!("the call continues the panic")
        }
    };
    let Contents { id, node, info, stream } =
        contents.expect("a refusal without a panic gives back");
    ConnectError::new(kind, NewClient { id, node, info, stream, aliases })
}
