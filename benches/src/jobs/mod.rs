//! The jobs, written once for all designs.

pub mod churn;
pub mod iterate;
pub mod lookup;

use std::time::Duration;

use crate::{
    peers::{Lookups, Peer, dashmap::DashmapPair, papaya::PapayaPair, registry::Tandem},
    population::Population,
};

/// How a job's result is best told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unit {
    /// Nanoseconds each: what one caller waits.
    Nanos,
    /// Millions per second: what the machine gets done.
    MillionsPerSecond,
}

/// One job, in all its variants.
pub trait Job: Copy + 'static {
    fn all() -> Vec<Self>;
    fn name(self) -> String;
    fn unit(self, threads: usize) -> Unit;
}

/// How much a run does.
#[derive(Clone, Copy, Debug)]
pub struct Amount {
    pub threads: usize,
    /// Timed operations of each thread.
    pub each: u64,
    /// Operations of each thread before it is timed.
    pub warm_up: u64,
}

/// A design that has been filled and stands ready to do jobs of one kind.
pub trait Contender<J: Job> {
    fn name(&self) -> &'static str;
    /// How many clients it holds.
    fn clients(&self) -> usize;
    /// From the first thread's start to the last one's end.
    fn run(&mut self, job: J, amount: Amount) -> Duration;
}

/// The crate first, then those that it is compared with.
pub type Field<J> = Vec<Box<dyn Contender<J>>>;

/// A filled design that is only read.
pub struct Filled<P: Lookups> {
    peer: P,
    population: Population,
    /// Along the population's cycle, as its nodes and ids are.
    keys: Vec<P::Key>,
    /// Where on the cycle the next run starts.
    turn: usize,
}

impl<P: Peer> Filled<P> {
    pub fn new(clients: usize) -> Self {
        let population = Population::new(clients, clients as u64);
        let peer = P::with_capacity(clients);
        let keys: Vec<P::Key> =
            population.clients.iter().map(|&client| peer.connect(client)).collect();
        let keys = population.cycle.iter().map(|&client| keys[client]).collect();
        Self { peer, population, keys, turn: 0 }
    }

    /// Each thread's place on the cycle: far from the others', and other ones than in the last run.
    fn places(&mut self, amount: Amount) -> Vec<usize> {
        let size = self.population.len();
        let places =
            (0..amount.threads).map(|thread| (self.turn + thread * size / amount.threads) % size);
        let places = places.collect();
        self.turn = (self.turn + (amount.warm_up + amount.each) as usize) % size;
        places
    }
}

/// All designs, each holding that many clients, to be looked up in.
pub fn lookups(clients: usize) -> Field<lookup::Lookup> {
    vec![
        Box::new(Filled::<Tandem>::new(clients)),
        Box::new(Filled::<PapayaPair>::new(clients)),
        Box::new(Filled::<DashmapPair>::new(clients)),
    ]
}

/// All designs, each holding that many clients, to be iterated.
pub fn iterations(clients: usize) -> Field<iterate::Iterate> {
    vec![
        Box::new(Filled::<Tandem>::new(clients)),
        Box::new(Filled::<PapayaPair>::new(clients)),
        Box::new(Filled::<DashmapPair>::new(clients)),
    ]
}

/// All designs, each holding that many clients, to be churned.
pub fn churns(clients: usize) -> Field<churn::Churn> {
    vec![
        Box::new(churn::Churned::<Tandem>::new(clients)),
        Box::new(churn::Churned::<PapayaPair>::new(clients)),
        Box::new(churn::Churned::<DashmapPair>::new(clients)),
    ]
}
