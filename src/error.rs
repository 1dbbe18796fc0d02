//! Errors. Each hands back what was passed in, and is an `Error` whatever the user's types are.

use core::fmt;
use std::error::Error;

use crate::client::NewClient;

/// Why a [`connect`](crate::Registry::connect) was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ConnectErrorKind {
    /// A live client has this client id, and the policy is [`Reject`](crate::Policy::Reject).
    IdTaken,
    /// A live client has this node id, as node id or alias, and the policy is
    /// [`Reject`](crate::Policy::Reject).
    NodeTaken,
    /// `max_clients` places are taken, and no client is displaced whose place could be had.
    Full,
    /// The registry was closed.
    Closed,
    /// Every slot is in use or not reclaimed yet: 2^27 of them.
    Exhausted,
}

impl fmt::Display for ConnectErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::IdTaken => "a live client has this client id",
            Self::NodeTaken => "a live client has this node id",
            Self::Full => "the maximum number of clients is reached",
            Self::Closed => "the registry is closed",
            Self::Exhausted => "every slot is in use",
        })
    }
}

/// Why an [`add_alias`](crate::Registry::add_alias) was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AliasErrorKind {
    /// The client has ended.
    ClientGone,
    /// The name is the node id of a live client, which an alias never takes.
    NodeId,
    /// Another client has this alias, and the policy is [`Reject`](crate::Policy::Reject).
    Taken,
    /// Every slot is in use or not reclaimed yet: 2^27 of them.
    Exhausted,
}

impl fmt::Display for AliasErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ClientGone => "the client has ended",
            Self::NodeId => "the name is a live client's node id",
            Self::Taken => "another client has this alias",
            Self::Exhausted => "every slot is in use",
        })
    }
}

/// A connect that was refused. Nothing was changed, and the client comes back.
pub struct ConnectError<Id, Node, Info, Stream> {
    kind: ConnectErrorKind,
    // Boxed: the error is as small as a result's happy side needs it to be.
    rejected: Box<NewClient<Id, Node, Info, Stream>>,
}

impl<Id, Node, Info, Stream> ConnectError<Id, Node, Info, Stream> {
    pub(crate) fn new(kind: ConnectErrorKind, rejected: NewClient<Id, Node, Info, Stream>) -> Self {
        Self { kind, rejected: Box::new(rejected) }
    }

    /// Why it was refused.
    #[must_use]
    pub fn kind(&self) -> ConnectErrorKind {
        self.kind
    }

    /// What was refused.
    #[must_use]
    pub fn rejected(&self) -> &NewClient<Id, Node, Info, Stream> {
        &self.rejected
    }

    /// What was refused, back.
    #[must_use]
    pub fn into_rejected(self) -> NewClient<Id, Node, Info, Stream> {
        *self.rejected
    }
}

impl<Id, Node, Info, Stream> fmt::Debug for ConnectError<Id, Node, Info, Stream> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectError").field("kind", &self.kind).finish_non_exhaustive()
    }
}

impl<Id, Node, Info, Stream> fmt::Display for ConnectError<Id, Node, Info, Stream> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the connect was refused: {}", self.kind)
    }
}

impl<Id, Node, Info, Stream> Error for ConnectError<Id, Node, Info, Stream> {}

/// An alias that was refused. Nothing was changed, and the name comes back.
#[derive(PartialEq, Eq)]
pub struct AliasError<Node> {
    kind: AliasErrorKind,
    rejected: Node,
}

impl<Node> AliasError<Node> {
    pub(crate) fn new(kind: AliasErrorKind, rejected: Node) -> Self {
        Self { kind, rejected }
    }

    /// Why it was refused.
    #[must_use]
    pub fn kind(&self) -> AliasErrorKind {
        self.kind
    }

    /// What was refused.
    #[must_use]
    pub fn rejected(&self) -> &Node {
        &self.rejected
    }

    /// What was refused, back.
    #[must_use]
    pub fn into_rejected(self) -> Node {
        self.rejected
    }
}

impl<Node> fmt::Debug for AliasError<Node> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AliasError").field("kind", &self.kind).finish_non_exhaustive()
    }
}

impl<Node> fmt::Display for AliasError<Node> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the alias was refused: {}", self.kind)
    }
}

impl<Node> Error for AliasError<Node> {}

/// Defines an error that has one cause: the client is gone.
macro_rules! gone {
    ($(#[$doc:meta])* $name:ident, $message:literal) => {
        $(#[$doc])*
        #[derive(PartialEq, Eq)]
        pub struct $name<T>(pub(crate) T);

        impl<T> $name<T> {
            /// What was refused.
            #[must_use]
            pub fn rejected(&self) -> &T {
                &self.0
            }

            /// What was refused, back.
            #[must_use]
            pub fn into_rejected(self) -> T {
                self.0
            }
        }

        impl<T> fmt::Debug for $name<T> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($name)).finish_non_exhaustive()
            }
        }

        impl<T> fmt::Display for $name<T> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str($message)
            }
        }

        impl<T> Error for $name<T> {}
    };
}

gone! {
    /// The client that a stream was to be attached to has ended. The stream comes back.
    AttachError,
    "the stream was refused: the client has ended"
}

gone! {
    /// The client whose info was to be replaced has ended. The info comes back.
    UpdateError,
    "the info was refused: the client has ended"
}

/// Which setting of a [`Builder`](crate::Builder) is out of range.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum BuildErrorKind {
    /// `shards` is 0 or above [`MAX_SHARDS`](crate::Registry::MAX_SHARDS).
    Shards,
    /// `capacity` is above [`MAX_CLIENTS`](crate::Registry::MAX_CLIENTS).
    Capacity,
    /// `max_clients` is above [`MAX_CLIENTS`](crate::Registry::MAX_CLIENTS).
    MaxClients,
}

/// A setting that is out of range.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildError {
    pub(crate) kind: BuildErrorKind,
    pub(crate) value: usize,
}

impl BuildError {
    /// Which setting it is.
    #[must_use]
    pub fn kind(&self) -> BuildErrorKind {
        self.kind
    }
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (setting, least, most) = match self.kind {
            BuildErrorKind::Shards => ("shards", 1, crate::builder::MAX_SHARDS),
            BuildErrorKind::Capacity => ("capacity", 0, crate::builder::MAX_CLIENTS),
            BuildErrorKind::MaxClients => ("max_clients", 0, crate::builder::MAX_CLIENTS),
        };
        write!(f, "{setting} is {}, but must be from {least} to {most}", self.value)
    }
}

impl Error for BuildError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_says_what_was_wrong() {
        use {AliasErrorKind as Alias, BuildErrorKind as Build, ConnectErrorKind as Connect};
        let connects = [
            (Connect::IdTaken, "the connect was refused: a live client has this client id"),
            (Connect::NodeTaken, "the connect was refused: a live client has this node id"),
            (Connect::Full, "the connect was refused: the maximum number of clients is reached"),
            (Connect::Closed, "the connect was refused: the registry is closed"),
            (Connect::Exhausted, "the connect was refused: every slot is in use"),
        ];
        for (kind, text) in connects {
            let error = ConnectError::new(kind, NewClient::<_, _, _, ()>::new(1, 2, 3));
            assert_eq!((error.kind(), error.to_string().as_str()), (kind, text));
        }
        let aliases = [
            (Alias::ClientGone, "the alias was refused: the client has ended"),
            (Alias::NodeId, "the alias was refused: the name is a live client's node id"),
            (Alias::Taken, "the alias was refused: another client has this alias"),
            (Alias::Exhausted, "the alias was refused: every slot is in use"),
        ];
        for (kind, text) in aliases {
            let error = AliasError::new(kind, "name");
            assert_eq!((error.kind(), error.to_string().as_str()), (kind, text));
        }
        let builds = [
            (Build::Shards, "shards is 4000000000, but must be from 1 to 4096"),
            (Build::Capacity, "capacity is 4000000000, but must be from 0 to 134217728"),
            (Build::MaxClients, "max_clients is 4000000000, but must be from 0 to 134217728"),
        ];
        for (kind, text) in builds {
            assert_eq!(BuildError { kind, value: 4_000_000_000 }.to_string(), text);
        }
        assert_eq!(AttachError(1).to_string(), "the stream was refused: the client has ended");
        assert_eq!(UpdateError(1).to_string(), "the info was refused: the client has ended");
    }
}
