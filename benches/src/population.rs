//! The clients that every design is filled with, and the orders in which they are asked for.
//!
//! Clients are connected in the order of their numbers and asked for in a random order, so that a design
//! which allocates each client apart isn't flattered by an allocator that laid neighbours side by side.

/// What the server calls a client.
pub type ClientId = u64;

/// What routing calls a client: as long as a public key.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct NodeId(pub [u8; 32]);

/// As large as the handle of an outbound stream. It names the node to look up next, so that a walk needs
/// the answer to each lookup before it can begin another.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stream {
    pub next: NodeId,
}

/// As large as what a gateway keeps of a client. It names the client to look up next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Info {
    pub next: ClientId,
    pub rest: [u64; 6],
}

/// One client, as it connects.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Client {
    pub id: ClientId,
    pub node: NodeId,
    pub info: Info,
    pub stream: Stream,
}

impl Client {
    /// The client with this number, whose stream and info lead to the one numbered `next`.
    pub fn numbered(number: u64, next: u64) -> Self {
        Self {
            id: id_of(number),
            node: node_of(number),
            info: Info { next: id_of(next), rest: [number; 6] },
            stream: Stream { next: node_of(next) },
        }
    }
}

/// A client id that tells nothing of the order in which clients came.
pub fn id_of(number: u64) -> ClientId {
    mix(number)
}

/// A node id; cheap enough to be made inside a timed loop.
pub fn node_of(number: u64) -> NodeId {
    let mut bytes = [0; 32];
    for (salt, word) in (1..).zip(bytes.chunks_exact_mut(8)) {
        word.copy_from_slice(&mix(number ^ (salt << 60)).to_le_bytes());
    }
    NodeId(bytes)
}

/// The finalizer of splitmix64: one to one, so that different numbers give different ids.
fn mix(number: u64) -> u64 {
    let z = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A number of clients and one random cycle through all of them.
pub struct Population {
    /// In the order in which they connect.
    pub clients: Vec<Client>,
    /// The cycle, as indices into `clients`: each one's stream and info lead to the next.
    pub cycle: Vec<usize>,
    /// The names of the clients along the cycle, for lookups that don't depend on one another.
    pub nodes: Vec<NodeId>,
    pub ids: Vec<ClientId>,
    /// As many names that nobody has.
    pub absent_nodes: Vec<NodeId>,
    pub absent_ids: Vec<ClientId>,
}

impl Population {
    /// Numbers from here on are given to no client of a population, nor to newcomers.
    const ABSENT: u64 = 1 << 40;

    pub fn new(size: usize, seed: u64) -> Self {
        let mut cycle: Vec<usize> = (0..size).collect();
        fastrand::Rng::with_seed(seed).shuffle(&mut cycle);

        let mut next = vec![0; size];
        for (place, &client) in cycle.iter().enumerate() {
            next[client] = cycle[(place + 1) % size];
        }
        let clients: Vec<Client> =
            (0..).zip(&next).map(|(number, &next)| Client::numbered(number, next as u64)).collect();
        let absent = Self::ABSENT..Self::ABSENT + size as u64;
        Self {
            nodes: cycle.iter().map(|&client| clients[client].node).collect(),
            ids: cycle.iter().map(|&client| clients[client].id).collect(),
            absent_nodes: absent.clone().map(node_of).collect(),
            absent_ids: absent.map(id_of).collect(),
            clients,
            cycle,
        }
    }

    pub fn len(&self) -> usize {
        self.clients.len()
    }

    pub fn is_empty(&self) -> bool {
        self.clients.is_empty()
    }
}
