//! Which calls a history is made of, and how often each comes.

use crate::fixtures::rng::Rng;

/// What sort of call.
#[derive(Clone, Copy)]
pub enum Kind {
    Connect,
    Disconnect,
    Change,
    Alias,
    Route,
    Name,
    LookUp,
    Walk,
    Flush,
    Close,
}

/// How many of each there are in so many, more or less.
const KINDS: [(Kind, u64); 10] = [
    (Kind::Connect, 11),
    (Kind::Disconnect, 5),
    (Kind::Change, 6),
    (Kind::Alias, 4),
    (Kind::Route, 4),
    (Kind::Name, 2),
    (Kind::LookUp, 4),
    (Kind::Walk, 3),
    (Kind::Flush, 2),
    (Kind::Close, 1),
];

/// Which names there are in a history, and which sorts of calls.
#[derive(Clone, Copy)]
pub struct Menu {
    pub names: u64,
    pub bystanders: u8,
    /// Whatever is done by a client's key is done to the same one, and by the same alias.
    pub of_one: bool,
    weights: [u64; KINDS.len()],
}

impl Menu {
    /// Some sorts are left out, others come often: few sorts meet each other more often than all do
    /// (A. Groce et al., "Swarm Testing", ISSTA 2012).
    pub fn new(names: u64, bystanders: u8, rng: &mut Rng) -> Self {
        let mut weights = KINDS.map(|(_, weight)| weight * [0, 1, 1, 3][rng.below(4) as usize]);
        // Something has to be done.
        weights[0] = weights[0].max(3);
        Self { names, bystanders, of_one: rng.one_in(3), weights }
    }

    /// The alias that all are about, if they are about one: the last name, which of two is a node id as well.
    pub fn the_alias(&self) -> Option<u8> {
        self.of_one.then_some(self.names as u8 - 1)
    }

    pub fn choose(&self, rng: &mut Rng) -> Kind {
        let mut at = rng.below(self.weights.iter().sum());
        let mut kinds = KINDS.iter().zip(self.weights);
        let kind = kinds.find(|&(_, weight)| match at.checked_sub(weight) {
            Some(rest) => {
                at = rest;
                false
            }
            None => true,
        });
        kind.expect("a weight is chosen from all").0.0
    }
}
