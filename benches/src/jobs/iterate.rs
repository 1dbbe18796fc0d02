//! Iteration: a message to every stream, and a look at every client. One operation is one client visited.

use std::{hint::black_box, time::Duration};

use super::{Amount, Contender, Filled, Job, Unit};
use crate::{peers::Peer, race::race};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Iterate {
    Streams,
    Clients,
}

impl Job for Iterate {
    fn all() -> Vec<Self> {
        vec![Self::Streams, Self::Clients]
    }

    fn name(self) -> String {
        match self {
            Self::Streams => "every stream",
            Self::Clients => "every client",
        }
        .to_owned()
    }

    fn unit(self, _threads: usize) -> Unit {
        Unit::MillionsPerSecond
    }
}

impl<P: Peer> Contender<Iterate> for Filled<P> {
    fn name(&self) -> &'static str {
        P::NAME
    }

    fn clients(&self) -> usize {
        self.population.len()
    }

    fn run(&mut self, job: Iterate, amount: Amount) -> Duration {
        let (peer, size) = (&self.peer, self.population.len() as u64);
        let iterate = |operations: u64| {
            // Part of an iteration can't be had: `operations` is a multiple of the size, or rounded up.
            for _ in 0..operations.div_ceil(size) {
                black_box(visit(peer, job));
            }
        };
        let mut threads = vec![(); amount.threads];
        race(&mut threads, |()| iterate(amount.warm_up), |()| iterate(amount.each))
    }
}

fn visit<P: Peer>(peer: &P, job: Iterate) -> u64 {
    let mut sum = 0u64;
    match job {
        Iterate::Streams => peer.each_stream(|stream| sum += u64::from(stream.next.0[0])),
        Iterate::Clients => {
            peer.each_client(|id, info| sum = sum.wrapping_add(id).wrapping_add(info.next));
        }
    }
    sum
}
