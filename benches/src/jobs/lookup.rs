//! Lookups: by node id, by client id, by key, and of names that nobody has.
//!
//! Dependent lookups need each answer before the next one can begin, and so show what one lookup takes.
//! Independent ones overlap in the processor as far as the design lets them.

use std::{hint::black_box, time::Duration};

use super::{Amount, Contender, Filled, Job, Unit};
use crate::{
    peers::{Lookups, Peer},
    population::Population,
    race::race,
};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Names {
    Node,
    NodeDependent,
    NodeAbsent,
    /// [`BATCH`] nodes at a time, where a design can.
    NodeBatch,
    Id,
    IdDependent,
    IdAbsent,
    /// By `ClientKey`; the peers have nothing better than the client id.
    Key,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Pin {
    Each,
    Once,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Lookup {
    pub names: Names,
    pub pin: Pin,
}

/// How many nodes a message is sent to at once.
const BATCH: usize = 16;

impl Job for Lookup {
    fn all() -> Vec<Self> {
        use Names::{Id, IdAbsent, IdDependent, Key, Node, NodeAbsent, NodeBatch, NodeDependent};
        let names = [NodeDependent, Node, NodeAbsent, NodeBatch, IdDependent, Id, IdAbsent, Key];
        let pins = |names| [Pin::Each, Pin::Once].map(|pin| Self { names, pin });
        // A batch with a pin for each would not be a batch.
        let real = |job: &Self| job.names != NodeBatch || job.pin == Pin::Once;
        names.into_iter().flat_map(pins).filter(real).collect()
    }

    fn name(self) -> String {
        let names = match self.names {
            Names::Node => "by node",
            Names::NodeDependent => "by node, dependent",
            Names::NodeAbsent => "miss, by node",
            Names::NodeBatch => "by node, 16 at once",
            Names::Id => "by id",
            Names::IdDependent => "by id, dependent",
            Names::IdAbsent => "miss, by id",
            Names::Key => "by key",
        };
        let pin = match self.pin {
            Pin::Each => "a pin each",
            Pin::Once => "one pin",
        };
        format!("{names}, {pin}")
    }

    fn unit(self, threads: usize) -> Unit {
        if threads == 1 { Unit::Nanos } else { Unit::MillionsPerSecond }
    }
}

impl<P: Peer> Contender<Lookup> for Filled<P> {
    fn name(&self) -> &'static str {
        P::NAME
    }

    fn clients(&self) -> usize {
        self.population.len()
    }

    fn run(&mut self, job: Lookup, amount: Amount) -> Duration {
        let mut places = self.places(amount);
        let (peer, population, keys) = (&self.peer, &self.population, &self.keys);
        let look_up = |place: &mut usize, count| {
            match job.pin {
                Pin::Each => look_up(peer, job.names, population, keys, *place, count),
                Pin::Once => look_up(&peer.pinned(), job.names, population, keys, *place, count),
            }
            *place = (*place + count as usize) % population.len();
        };
        race(
            &mut places,
            |place| look_up(place, amount.warm_up),
            |place| look_up(place, amount.each),
        )
    }
}

/// `count` lookups along the cycle from `place` on.
fn look_up<L: Lookups>(
    design: &L,
    names: Names,
    population: &Population,
    keys: &[L::Key],
    place: usize,
    count: u64,
) {
    let word = |stream: &crate::population::Stream| u64::from(stream.next.0[0]);
    match names {
        Names::Node => {
            let found = |node: &_| design.with_stream(node, word).expect("it is connected");
            black_box(sum(&population.nodes, place, count, found));
        }
        Names::NodeDependent => {
            let mut node = population.nodes[place];
            for _ in 0..count {
                node = design.with_stream(&node, |stream| stream.next).expect("it is connected");
            }
            black_box(node);
        }
        Names::NodeAbsent => {
            let found = |node: &_| u64::from(design.with_stream(node, word).is_some());
            assert_eq!(sum(&population.absent_nodes, place, count, found), 0);
        }
        Names::NodeBatch => {
            let mut sum = 0u64;
            let mut left = count as usize;
            let mut nodes = &population.nodes[place..];
            while left > 0 {
                let size = BATCH.min(left).min(nodes.len());
                let (batch, rest) = nodes.split_at(size);
                design.with_streams(batch, |stream| sum += word(stream.expect("it is connected")));
                nodes = if rest.is_empty() { &population.nodes } else { rest };
                left -= size;
            }
            black_box(sum);
        }
        Names::Id => {
            let found = |id: &_| design.with_info(id, |info| info.next).expect("it is connected");
            black_box(sum(&population.ids, place, count, found));
        }
        Names::IdDependent => {
            let mut id = population.ids[place];
            for _ in 0..count {
                id = design.with_info(&id, |info| info.next).expect("it is connected");
            }
            black_box(id);
        }
        Names::IdAbsent => {
            let found = |id: &_| u64::from(design.with_info(id, |info| info.next).is_some());
            assert_eq!(sum(&population.absent_ids, place, count, found), 0);
        }
        Names::Key => {
            let found =
                |&key: &_| design.with_info_by_key(key, |info| info.next).expect("it is connected");
            black_box(sum(keys, place, count, found));
        }
    }
}

/// What `look_up` finds for `count` names from `place` on, round and round. The innermost loop is one over a
/// slice, as an iterator that has to wrap around costs more than some of the lookups.
fn sum<T>(names: &[T], place: usize, count: u64, look_up: impl Fn(&T) -> u64) -> u64 {
    let mut sum = 0_u64;
    let mut left = count as usize;
    let mut ahead = &names[place..];
    while left > 0 {
        let now = &ahead[..left.min(ahead.len())];
        for name in now {
            sum = sum.wrapping_add(look_up(name));
        }
        left -= now.len();
        ahead = names;
    }
    sum
}
