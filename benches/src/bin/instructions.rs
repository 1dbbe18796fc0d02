//! Counts the instructions of each job, on one thread, under valgrind's callgrind. A count says little of
//! time: nothing of misses and of what overlaps. But it is the same on a busy machine, so it can have a limit.

use std::{
    env, fs,
    path::Path,
    process::{Command, ExitCode},
};

use clap::Parser;
use tandem_registry_benches::{
    jobs::{self, Amount, Field, Job},
    peers::{Peer, registry::Tandem},
};

const CLIENTS: usize = 1_000;
/// Whole iterations; so many that what a turn begins and ends with does not count.
const EACH: u64 = 10 * CLIENTS as u64;

/// What was counted of the crate, for one operation of each job. It varies by some hundredths with
/// the seeds of the hashes, more with compilers and processors; a tenth more is too much.
const COUNTED: [(&str, f64); 20] = [
    ("by node, dependent, a pin each", 112.0),
    ("by node, dependent, one pin", 75.0),
    ("by node, a pin each", 140.0),
    ("by node, one pin", 77.0),
    ("miss, by node, a pin each", 121.0),
    ("miss, by node, one pin", 57.0),
    ("by node, 16 at once, one pin", 79.0),
    ("by id, dependent, a pin each", 106.0),
    ("by id, dependent, one pin", 52.0),
    ("by id, a pin each", 111.0),
    ("by id, one pin", 45.0),
    ("miss, by id, a pin each", 79.0),
    ("miss, by id, one pin", 33.0),
    ("by key, a pin each", 110.0),
    ("by key, one pin", 41.0),
    ("every stream", 23.4),
    ("every client", 25.1),
    ("connect + disconnect", 3513.0),
    ("takeover: new id, same node", 6689.0),
    ("takeover: same id, same node", 7309.0),
];

/// The instructions that each design takes for one operation of each job, as a Markdown table. Fails if the
/// crate takes a tenth more than was recorded for x86-64.
#[derive(Parser)]
struct Options {
    /// Only this design.
    #[arg(long)]
    design: Option<String>,
    /// What valgrind is to run: each turn once.
    #[arg(long, hide = true)]
    take_turns: bool,
}

/// One design's turn at one job.
struct Turn {
    job: String,
    design: &'static str,
}

/// Gives each design its turn at each job of a kind, in an order that is always the same.
fn take<J: Job>(mut field: Field<J>, options: &Options, turns: &mut Vec<Turn>) {
    for job in J::all() {
        for design in &mut field {
            if options.design.as_ref().is_some_and(|only| only != design.name()) {
                continue;
            }
            if options.take_turns {
                design.run(job, Amount { threads: 1, each: EACH, warm_up: CLIENTS as u64 });
            }
            turns.push(Turn { job: job.name(), design: design.name() });
        }
    }
}

fn take_all(options: &Options) -> Vec<Turn> {
    let mut turns = Vec::new();
    take(jobs::lookups(CLIENTS), options, &mut turns);
    take(jobs::iterations(CLIENTS), options, &mut turns);
    take(jobs::churns(CLIENTS), options, &mut turns);
    turns
}

/// Runs this program again, under callgrind. It counts only what is timed, and writes a file at the end of
/// each turn: their counts, in order.
fn count(options: &Options, folder: &Path) -> Result<Vec<u64>, Box<dyn std::error::Error>> {
    const TIMED: &str = "tandem_registry_benches::race::timed";
    let mut valgrind = Command::new("valgrind");
    valgrind.args(["--tool=callgrind", "--quiet"]);
    valgrind.arg(format!("--toggle-collect={TIMED}")).arg(format!("--dump-after={TIMED}"));
    valgrind.arg(format!("--callgrind-out-file={}", folder.join("turn").display()));
    valgrind.arg(env::current_exe()?).arg("--take-turns");
    if let Some(design) = &options.design {
        valgrind.arg("--design").arg(design);
    }
    let status = valgrind.status().map_err(|error| format!("valgrind does not start: {error}"))?;
    if !status.success() {
        return Err(format!("valgrind ended with {status}").into());
    }
    let mut counts = Vec::new();
    while let Ok(text) = fs::read_to_string(folder.join(format!("turn.{}", counts.len() + 1))) {
        let total = text.lines().find_map(|line| line.strip_prefix("totals: "));
        counts.push(total.ok_or("callgrind has written no total")?.parse()?);
    }
    Ok(counts)
}

fn run(options: &Options) -> Result<bool, Box<dyn std::error::Error>> {
    let turns = take_all(options);
    if options.take_turns {
        return Ok(true);
    }
    if turns.is_empty() {
        return Err("there is no such design".into());
    }
    let folder = tempfile::tempdir()?;
    let counts = count(options, folder.path())?;
    if counts.len() != turns.len() {
        return Err(format!("{} turns were counted, of {}", counts.len(), turns.len()).into());
    }
    println!("| job | design | instructions | recorded |\n|---|---|---:|---:|");
    let mut is_within = true;
    for (Turn { job, design }, count) in turns.into_iter().zip(counts) {
        let each = count as f64 / EACH as f64;
        if design != Tandem::NAME || !cfg!(target_arch = "x86_64") {
            println!("| {job} | {design} | {each:.1} | |");
            continue;
        }
        let recorded = COUNTED.into_iter().find(|(name, _)| *name == job);
        let (_, recorded) = recorded.ok_or_else(|| format!("nothing is recorded for: {job}"))?;
        let is_too_much = each > recorded * 1.1;
        println!(
            "| {job} | {design} | {each:.1} | {recorded}{} |",
            if is_too_much { ", exceeded" } else { "" },
        );
        is_within &= !is_too_much;
    }
    Ok(is_within)
}

fn main() -> ExitCode {
    match run(&Options::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
