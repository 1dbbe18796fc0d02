//! What a newcomer may do to a client that has its name.

/// What `connect` does when a live client has the newcomer's client id or node id (C).
///
/// ```
/// # use tandem_registry::{ConnectErrorKind, NewClient, Policy, Registry};
/// let registry: Registry<u64, &str, (), ()> =
///     Registry::builder().on_conflict(Policy::Reject).build().unwrap();
/// registry.connect(NewClient::new(1, "node-a", ())).unwrap();
/// let refused = registry.connect(NewClient::new(2, "node-a", ())).unwrap_err();
/// assert_eq!(refused.kind(), ConnectErrorKind::NodeTaken);
/// assert_eq!(refused.into_rejected().id, 2);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Policy {
    /// The newcomer wins: the older client is evicted and handed back to be closed.
    #[default]
    Takeover,
    /// The older client stays: the newcomer gets an error, and its arguments back.
    Reject,
}
