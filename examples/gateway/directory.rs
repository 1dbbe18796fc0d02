//! Who may receive what, as the load knows it from its own sockets, and judges the gateway by.
//!
//! Every JOIN of a client is a new incarnation, and the replies put them in order: once the
//! gateway has said OK to one, no earlier one may hear what is sent from then on. So a sender
//! stamps its message with the node id it means and the oldest incarnation that may still hear
//! it, and the socket that receives it compares that with what it has itself been.

use std::{
    fmt,
    sync::atomic::{AtomicU64, Ordering::SeqCst},
};

/// A node id of the load: one of the names that a client goes by in its life.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Name {
    pub client: u32,
    pub generation: u32,
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "c{}.{}", self.client, self.generation)
    }
}

/// For every client, the name it goes by and the oldest incarnation that may hear what is sent.
pub struct Directory(Box<[AtomicU64]>);

impl Directory {
    pub fn new(clients: u32) -> Self {
        Self((0..clients).map(|_| AtomicU64::new(0)).collect())
    }

    pub fn clients(&self) -> u32 {
        self.0.len() as u32
    }

    /// To be called once the gateway has confirmed it, by the client itself.
    pub fn publish(&self, name: Name, oldest: u32) {
        let word = u64::from(name.generation) << 32 | u64::from(oldest);
        self.0[name.client as usize].store(word, SeqCst);
    }

    pub fn look_up(&self, client: u32) -> (Name, u32) {
        let word = self.0[client as usize].load(SeqCst);
        (Name { client, generation: (word >> 32) as u32 }, word as u32)
    }
}

/// The text of a message: for whom it is.
pub struct Stamp {
    pub name: Name,
    pub oldest: u32,
}

impl fmt::Display for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.name, self.oldest)
    }
}

/// A name that a socket has joined under, and as which incarnation of its client.
pub struct Claim {
    node: String,
    incarnation: u32,
}

impl Claim {
    pub fn new(name: Name, incarnation: u32) -> Self {
        Self { node: name.to_string(), incarnation }
    }

    /// Whether a message with this text may arrive here. A garbled one may nowhere.
    pub fn admits(&self, text: &str) -> bool {
        text.split_once(' ').is_some_and(|(node, oldest)| {
            node == self.node && oldest.parse().is_ok_and(|oldest: u32| oldest <= self.incarnation)
        })
    }
}
