//! One job on all designs in turn, round after round.
//!
//! Rounds are interleaved (A B C A B C ...), and designs are compared within a round: whatever else the
//! machine does meanwhile falls on all of them. The median of the rounds' ratios is what counts.

use std::time::Duration;

use crate::jobs::{Amount, Field, Job};

/// How long to measure.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    pub rounds: usize,
    /// What one design's part of one round should take.
    pub turn: Duration,
}

/// What one design did, round by round, in operations per second of all threads together.
pub struct Rates {
    pub design: &'static str,
    pub rounds: Vec<f64>,
}

impl Rates {
    pub fn median(&self) -> f64 {
        median(self.rounds.clone())
    }

    /// How many times as fast as another design: the median over the rounds.
    pub fn ratio_to(&self, other: &Rates) -> f64 {
        median(self.rounds.iter().zip(&other.rounds).map(|(ours, theirs)| ours / theirs).collect())
    }
}

/// Runs one job on every design, in turns.
pub fn measure<J: Job>(field: &mut Field<J>, job: J, threads: usize, plan: Plan) -> Vec<Rates> {
    let mut turns: Vec<(Amount, Rates)> = Vec::new();
    for design in &mut *field {
        let clients = design.clients() as u64;
        // Long enough to come through all clients, so that the first guess isn't one of cold caches.
        let trial = Amount { threads, each: clients.max(2_000), warm_up: clients };
        let each = trial.each as f64 / design.run(job, trial).as_secs_f64();
        let each = (each * plan.turn.as_secs_f64()) as u64;
        // Iterations are whole ones.
        let each = (each / clients).max(1) * clients;
        let warm_up = clients.min(each);
        let rates = Rates { design: design.name(), rounds: Vec::new() };
        turns.push((Amount { threads, each, warm_up }, rates));
    }
    for _ in 0..plan.rounds {
        for (design, (amount, rates)) in field.iter_mut().zip(&mut turns) {
            let time = design.run(job, *amount);
            let operations = amount.each * threads as u64;
            rates.rounds.push(operations as f64 / time.as_secs_f64());
        }
    }
    turns.into_iter().map(|(_, rates)| rates).collect()
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => f64::NAN,
        odd if odd % 2 == 1 => values[middle],
        _ => f64::midpoint(values[middle - 1], values[middle]),
    }
}
