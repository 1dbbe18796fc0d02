//! Prints the side-by-side table: every design does every job, in one run, in interleaved rounds.

use std::time::Duration;

use clap::Parser;
use tandem_registry_benches::{
    jobs::{self, Field, Job, churn::Churn, lookup::Lookup},
    peers::{Peer, papaya::PapayaPair},
    report::Row,
    rounds::{Plan, measure},
};

/// tandem-registry beside two papaya maps and two dashmaps, as a Markdown table.
#[derive(Parser)]
struct Options {
    /// A smoke test: one small size, few and short rounds. The figures mean little.
    #[arg(long)]
    quick: bool,
    /// How many clients are connected.
    #[arg(long, value_delimiter = ',', default_values_t = [1_000, 100_000])]
    clients: Vec<usize>,
    /// On how many threads.
    #[arg(long, value_delimiter = ',', default_values_t = [1, 2])]
    threads: Vec<usize>,
    /// How many times each design gets its turn.
    #[arg(long, default_value_t = 15)]
    rounds: usize,
    /// How long a turn takes, in milliseconds.
    #[arg(long, default_value_t = 30)]
    turn: u64,
    /// Only jobs whose name contains this.
    #[arg(long, default_value = "")]
    only: String,
}

struct Table {
    options: Options,
    rows: Vec<Row>,
}

impl Table {
    /// Measures and prints one row for every job of a kind and number of threads. Returns their places.
    fn measure<J: Job>(&mut self, field: fn(usize) -> Field<J>, clients: usize) {
        let named = |job: &J| job.name().contains(&self.options.only);
        let jobs: Vec<J> = J::all().into_iter().filter(named).collect();
        if jobs.is_empty() {
            return;
        }
        let turn = Duration::from_millis(self.options.turn);
        let plan = Plan { rounds: self.options.rounds, turn };
        let mut field = field(clients);
        for job in jobs {
            for &threads in &self.options.threads {
                let rates = measure(&mut field, job, threads, plan);
                let (job, unit) = (job.name(), job.unit(threads));
                let row = Row { job, clients, threads, unit, rates };
                if self.rows.is_empty() {
                    println!("{}", row.heading());
                }
                println!("{row}");
                self.rows.push(row);
            }
        }
    }

    /// The worst row of a kind, beside the papaya pair.
    fn worst<J: Job>(&self, counts: impl Fn(&Row) -> bool) -> Option<(f64, &Row)> {
        let names: Vec<_> = J::all().into_iter().map(J::name).collect();
        let rows = self.rows.iter().filter(|row| names.contains(&row.job) && counts(row));
        rows.map(|row| (row.ratio_to(PapayaPair::NAME), row)).min_by(|a, b| a.0.total_cmp(&b.0))
    }
}

fn main() {
    let mut options = Options::parse();
    if options.quick {
        options = Options { clients: vec![1_000], rounds: 3, turn: 2, ..options };
    }
    println!(
        "Each cell: the absolute, and the ratio to the best peer (above 1 is faster). Medians of {} \
         interleaved rounds of {} ms.\n",
        options.rounds, options.turn
    );
    let mut table = Table { options, rows: Vec::new() };
    for clients in table.options.clients.clone() {
        table.measure(jobs::lookups, clients);
        table.measure(jobs::iterations, clients);
        table.measure(jobs::churns, clients);
    }

    println!();
    let pair = PapayaPair::NAME;
    if let Some((ratio, row)) = table.worst::<Lookup>(|_| true) {
        println!("Worst lookup beside {pair}: {ratio:.2}x ({}, {} clients)", row.job, row.clients);
    }
    let two_threads = |row: &Row| row.threads == 2 && row.job == Churn::Fresh.name();
    if let Some((ratio, row)) = table.worst::<Churn>(two_threads) {
        println!(
            "Worst connect + disconnect from two threads beside {pair}: {ratio:.2}x ({} clients)",
            row.clients
        );
    }
}
