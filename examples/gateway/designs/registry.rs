//! On `tandem_registry`: a client and its stream end in one atomic step.

use std::{net::SocketAddr, sync::Arc};

use tandem_registry::{ConnectErrorKind, NewClient, Registry, Session};

use super::{Design, Newcomer};
use crate::{
    outbound::{ConnId, Outbound},
    protocol::Reason,
};

/// The registry keeps the links, the pool's limit and the order of takeovers by itself.
pub struct Tandem {
    registry: Arc<Registry<ConnId, String, SocketAddr, Outbound>>,
}

impl Design for Tandem {
    type Membership = Session<ConnId, String, SocketAddr, Outbound>;

    fn new(max_clients: usize) -> Self {
        let registry = Registry::builder()
            .max_clients(max_clients)
            .build()
            .expect("the flags allow no limit beyond the registry's");
        Self { registry: Arc::new(registry) }
    }

    fn join(&self, newcomer: Newcomer) -> Result<Self::Membership, Reason> {
        let Newcomer { id, node, peer, stream } = newcomer;
        let client = NewClient::new(id, node, peer).stream(stream);
        let (session, displaced) =
            self.registry.session(client).map_err(|error| match error.kind() {
                ConnectErrorKind::Full => Reason::Full,
                _ => Reason::Unavailable,
            })?;
        for removed in displaced {
            if let Some(stream) = removed.stream() {
                stream.evict();
            }
        }
        Ok(session)
    }

    fn with_stream<R>(&self, node: &str, f: impl FnOnce(&Outbound) -> R) -> Option<R> {
        self.registry.with_stream(node, f)
    }

    fn clients(&self) -> usize {
        self.registry.len()
    }

    fn settle(&self) {
        self.registry.flush();
    }
}
