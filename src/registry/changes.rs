//! What changes of a client that stays: its stream, its info, its aliases. All by key.

use core::hash::{BuildHasher, Hash};

use equivalent::Equivalent;

use super::Registry;
use crate::error::{AliasError, AliasErrorKind, AttachError, UpdateError};
use crate::key::{ClientKey, StreamKey};
use crate::removed::Detached;
use crate::tandem::AliasRefusal;

impl<Id, Node, Info, Stream, S> Registry<Id, Node, Info, Stream, S>
where
    Id: Hash + Eq,
    Node: Hash + Eq,
    S: BuildHasher,
{
    /// Gives a client a stream, in place of the one it may have, which is retired at once. The node id
    /// and the aliases lead to the new stream without a gap.
    ///
    /// # Consistency
    ///
    /// One atomic step. It comes before the end of the client, whose [`Removed`](crate::Removed) then shows the new
    /// stream, or fails. Lock-free.
    ///
    /// # Complexity
    ///
    /// O(1), one allocation.
    ///
    /// # Errors
    ///
    /// If the client has ended: the stream comes back.
    ///
    /// ```
    /// # use tandem_registry::{NewClient, Registry};
    /// # let registry: Registry<u64, &str, (), &str> = Registry::new();
    /// let key = registry.connect(NewClient::new(1, "node-a", ())).unwrap().key;
    /// registry.attach_stream(key, "stream").unwrap();
    /// assert_eq!(registry.stream_cloned(&"node-a"), Some("stream"));
    /// drop(registry.disconnect_key(key));
    /// assert_eq!(registry.attach_stream(key, "late").unwrap_err().into_rejected(), "late");
    /// ```
    pub fn attach_stream(
        &self,
        key: ClientKey,
        stream: Stream,
    ) -> Result<StreamKey, AttachError<Stream>> {
        let Some(address) = self.address(key) else {
            return Err(AttachError(stream));
        };
        self.tandem.tidy_with_care();
        let mut call = self.tandem.call();
        match self.tandem.attach(address, stream, &mut call) {
            Ok(sequence) => Ok(StreamKey { client: key, sequence }),
            Err(stream) => Err(AttachError(stream)),
        }
    }

    /// Takes a stream from its client, which stays: for a stream that failed. `None`: that very stream is
    /// no longer its client's, because another was attached, it was detached, or the client has ended.
    ///
    /// # Consistency
    ///
    /// One atomic step, exact to the stream (B). Lock-free.
    ///
    /// # Complexity
    ///
    /// O(1).
    ///
    /// ```
    /// # use tandem_registry::{NewClient, Registry};
    /// # let registry: Registry<u64, &str, (), &str> = Registry::new();
    /// let stream_key =
    ///     registry.connect(NewClient::new(1, "node-a", ()).stream("s")).unwrap().stream_key.unwrap();
    /// assert_eq!(*registry.detach_stream(stream_key).unwrap(), "s");
    /// assert!(registry.detach_stream(stream_key).is_none());
    /// ```
    pub fn detach_stream(&self, key: StreamKey) -> Option<Detached<Id, Node, Info, Stream>> {
        let address = self.address(key.client)?;
        let mut call = self.tandem.call();
        let stream = self.tandem.detach(address, key.sequence, &mut call)?;
        Some(Detached::new(key, self.tandem.share(&call.pin), stream))
    }

    /// Replaces a client's info, and retires the old one at once.
    ///
    /// # Consistency
    ///
    /// One atomic step, before the end of the client or not at all. Lock-free.
    ///
    /// # Complexity
    ///
    /// O(1), one allocation.
    ///
    /// # Errors
    ///
    /// If the client has ended: the info comes back.
    ///
    /// ```
    /// # use tandem_registry::{NewClient, Registry};
    /// # let registry: Registry<u64, &str, &str, ()> = Registry::new();
    /// let key = registry.connect(NewClient::new(1, "node-a", "guest")).unwrap().key;
    /// registry.update_info(key, "member").unwrap();
    /// assert_eq!(registry.pin().client(&1).unwrap().info(), &"member");
    /// ```
    pub fn update_info(&self, key: ClientKey, info: Info) -> Result<(), UpdateError<Info>> {
        let Some(address) = self.address(key) else {
            return Err(UpdateError(info));
        };
        self.tandem.tidy_with_care();
        let mut call = self.tandem.call();
        self.tandem.update(address, info, &mut call).map_err(UpdateError)
    }

    /// Gives a client a further name, by which it is found like by its node id, until the client ends,
    /// [`remove_alias`](Self::remove_alias), or a newer owner takes the name.
    ///
    /// An alias never takes a node id, and taking an alias never ends a client: under
    /// [`Takeover`](crate::Policy::Takeover) the newer owner gets the name and the older one stays without
    /// it, under [`Reject`](crate::Policy::Reject) the newer one is refused. A name that the client has as
    /// alias already is no error.
    ///
    /// # Consistency
    ///
    /// Without a conflict one atomic step, otherwise two, like a takeover by `connect`. Lock-free.
    ///
    /// # Complexity
    ///
    /// O(aliases of the client).
    ///
    /// # Errors
    ///
    /// [`AliasError`], with the name back.
    ///
    /// # Panics
    ///
    /// If the `Hash` or `Eq` of a name panics. The client does not get the alias then, but an older owner may
    /// have lost it.
    ///
    /// ```
    /// # use tandem_registry::{AliasErrorKind, NewClient, Registry};
    /// # let registry: Registry<u64, &str, (), &str> = Registry::new();
    /// let a = registry.connect(NewClient::new(1, "node-a", ()).stream("a")).unwrap().key;
    /// let b = registry.connect(NewClient::new(2, "node-b", ()).stream("b")).unwrap().key;
    /// registry.add_alias(a, "name").unwrap();
    /// registry.add_alias(b, "name").unwrap();
    /// assert_eq!(registry.stream_cloned(&"name"), Some("b"));
    /// assert_eq!(registry.add_alias(b, "node-a").unwrap_err().kind(), AliasErrorKind::NodeId);
    /// ```
    pub fn add_alias(&self, key: ClientKey, name: Node) -> Result<(), AliasError<Node>> {
        let Some(address) = self.address(key) else {
            return Err(AliasError::new(AliasErrorKind::ClientGone, name));
        };
        let hash = self.hash_of(&name);
        self.tandem.tidy_with_care();
        let mut call = self.tandem.call();
        let Err((refusal, name)) = self.tandem.add_alias(address, hash, name, &mut call) else {
            return Ok(());
        };
        let kind = match refusal {
            AliasRefusal::Gone => AliasErrorKind::ClientGone,
            AliasRefusal::NodeId => AliasErrorKind::NodeId,
            AliasRefusal::Taken => AliasErrorKind::Taken,
            AliasRefusal::Exhausted => AliasErrorKind::Exhausted,
            AliasRefusal::Panicked => {
                call.finish();
                unreachable!("the call continues the panic")
            }
        };
        Err(AliasError::new(kind, name))
    }

    /// Takes a further name from a client. `false`: it does not have that alias.
    ///
    /// # Consistency
    ///
    /// One atomic step. Lock-free.
    ///
    /// # Complexity
    ///
    /// O(1) expected.
    ///
    /// ```
    /// # use tandem_registry::{NewClient, Registry};
    /// # let registry: Registry<u64, &str, (), ()> = Registry::new();
    /// let key = registry.connect(NewClient::new(1, "node-a", ()).alias("name")).unwrap().key;
    /// assert!(registry.remove_alias(key, &"name"));
    /// assert!(!registry.remove_alias(key, &"name"));
    /// assert!(!registry.remove_alias(key, &"node-a")); // a node id is no alias
    /// ```
    pub fn remove_alias<Q>(&self, key: ClientKey, name: &Q) -> bool
    where
        Q: ?Sized + Hash + Equivalent<Node>,
    {
        let Some(address) = self.address(key) else {
            return false;
        };
        let hash = self.hash_of(name);
        self.tandem.tidy_with_care();
        let mut call = self.tandem.call();
        let is_name = |other: &Node| name.equivalent(other);
        let removed = self.tandem.remove_alias(address, hash, is_name, &mut call);
        call.finish();
        removed
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use crate::{NewClient, Registry};

    #[test]
    fn a_client_forgets_the_aliases_that_have_gone() {
        let registry = Registry::<u64, u64, (), ()>::new();
        let key = registry.connect(NewClient::new(1, 1, ())).unwrap().key;
        // What its end looks at.
        let listed = || {
            let tandem = &registry.tandem;
            tandem.slots.names(key.slot).read(&tandem.pin()).len()
        };
        registry.add_alias(key, 2).unwrap();
        for alias in 3..1_000 {
            registry.add_alias(key, alias).unwrap();
            assert_eq!(listed(), 2, "the first and the latest");
            assert!(registry.remove_alias(key, &alias));
        }
    }
}
