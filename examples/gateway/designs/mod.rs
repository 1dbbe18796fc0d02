//! Three ways to keep `ConnId -> client` and node id `-> stream` in step, behind one trait.

mod careful;
mod naive;
mod registry;

use std::net::SocketAddr;

pub use self::{careful::Careful, naive::Naive, registry::Tandem};
use crate::{
    outbound::{ConnId, Outbound},
    protocol::Reason,
};

/// A connection that asks to be let in under a node id.
pub struct Newcomer {
    pub id: ConnId,
    pub node: String,
    pub peer: SocketAddr,
    pub stream: Outbound,
}

/// What the gateway asks of its bookkeeping.
pub trait Design: Send + Sync + 'static {
    /// Ends the client when it is dropped, also by a panic and by a cancelled task.
    type Membership: Send + 'static;

    /// At most `max_clients` clients at a time.
    fn new(max_clients: usize) -> Self;

    /// Lets a client in. An older client of the same node id loses it and is told so.
    fn join(&self, newcomer: Newcomer) -> Result<Self::Membership, Reason>;

    /// Calls `f` with the stream of a node id: the hot path. `None` if there is no such node.
    fn with_stream<R>(&self, node: &str, f: impl FnOnce(&Outbound) -> R) -> Option<R>;

    /// How many clients there are, by the design's own count.
    fn clients(&self) -> usize;

    /// Lets go of what ended clients left behind and is merely waiting to be dropped.
    fn settle(&self) {}
}
