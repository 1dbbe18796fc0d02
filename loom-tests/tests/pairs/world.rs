//! What the pairs run on: two clients, `A` with an alias and a session, and `B`.
//!
//! Four shards and these names keep every chain within its line, whatever a pair adds; but for `Crowded`.

use loom_tests::{Counted, Fixed, Ledger, Small, SmallRemoved, small};
use std::sync::Arc;
use tandem_registry::{ClientKey, Policy, Session, StreamKey};

/// Client id and node id of `A` and of `B`.
pub const A: (u64, u64) = (1, 1);
pub const B: (u64, u64) = (2, 2);
/// The alias of `A`, and one that is free.
pub const ALIAS: u64 = 3;
pub const FREE: u64 = 5;
/// Client id and node id of one who ended before.
const GONE: (u64, u64) = (6, 8);
/// Both of one who is there for the place alone, besides the number of who brings it along.
pub const HOLDER: u64 = 9;
/// All client ids, and all node ids and aliases, that occur.
const IDS: [u64; 4] = [1, 2, 5, 6];
const NODES: [u64; 6] = [1, 2, 3, 5, 7, 8];

/// What a registry does about names that are taken, and how much room it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Setting {
    Takeover,
    /// Takeover, in one line that is full: the next entry spills, and the table begins to grow.
    Crowded,
    Reject,
    /// Takeover, with a place for each of the two clients and no more.
    FullTakeover,
    FullReject,
}

impl Setting {
    pub const ALL: [Self; 5] =
        [Self::Takeover, Self::Crowded, Self::Reject, Self::FullTakeover, Self::FullReject];

    pub fn policy(self) -> Policy {
        match self {
            Self::Takeover | Self::Crowded | Self::FullTakeover => Policy::Takeover,
            Self::Reject | Self::FullReject => Policy::Reject,
        }
    }

    pub fn is_full(self) -> bool {
        matches!(self, Self::FullTakeover | Self::FullReject)
    }
}

pub struct World {
    pub registry: Arc<Small>,
    pub ledger: Ledger,
    pub a: ClientKey,
    pub b: ClientKey,
    /// The first stream of `A`.
    pub stream: StreamKey,
    session: Option<Session<u64, u64, u64, Counted, Fixed>>,
}

impl World {
    pub fn new(setting: Setting) -> Self {
        let ledger = Ledger::default();
        let builder = match setting {
            Setting::Crowded => small().capacity(5),
            _ => small().capacity(9).shards(4),
        };
        let builder = builder.on_conflict(setting.policy());
        let builder = if setting.is_full() { builder.max_clients(2) } else { builder };
        let registry = Arc::new(builder.build().unwrap());
        let client = ledger.client(A.0, A.1, 0).alias(ALIAS);
        let (session, _) = registry.session(client).unwrap();
        let (a, stream) = (session.key(), session.stream_key().unwrap());
        let b = ledger.connect(&registry, B.0, B.1, 1);
        Self { registry, ledger, a, b, stream, session: Some(session) }
    }

    /// The session of `A`, once.
    pub fn session(&mut self) -> Session<u64, u64, u64, Counted, Fixed> {
        self.session.take().expect("one operation ends it")
    }

    /// Somebody who ended before.
    pub fn ended(&self, number: u64) -> SmallRemoved {
        let key = self.ledger.connect(&self.registry, GONE.0, GONE.1, number);
        self.registry.disconnect_key(key).expect("it is live")
    }

    /// Lets `A` live without its session.
    pub fn release_session(&mut self) {
        let _ = self.session.take().map(Session::into_key);
    }

    /// Who is found, by every name there is.
    pub fn state(&self) -> String {
        let guard = self.registry.pin();
        let ids = IDS.map(|id| guard.client(&id).map(|client| *client.info()));
        let nodes = NODES.map(|node| {
            let client = guard.client_by_node(&node)?;
            Some((*client.info(), client.stream().map(|stream| stream.of)))
        });
        let [len, met] = [self.registry.len(), guard.iter().count()];
        assert_eq!(len, met, "places taken, and clients met on a walk");
        format!("{ids:?} {nodes:?} {len} {}", self.registry.is_closed())
    }

    /// Ends the world: every stream is dropped, once.
    pub fn settle(mut self) {
        self.release_session();
        let Self { registry, ledger, .. } = self;
        drop(registry);
        ledger.settle();
    }
}
