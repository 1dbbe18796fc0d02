//! Every unordered pair of public operations under loom, deeper than CI goes, as a matrix.

use std::collections::BTreeMap;
use std::error::Error;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use indicatif::{ProgressBar, ProgressStyle};

use crate::reads::Reads;

/// How deep to look, and for how long.
#[derive(clap::Args)]
pub struct Options {
    /// How often a thread is interrupted at most.
    #[arg(long, default_value_t = 3)]
    preemptions: usize,
    /// What a load returns.
    #[arg(long, value_enum, default_value_t = Reads::Newest)]
    reads: Reads,
    /// Only pairs of these operations, as the matrix names them.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// After how long a model of a pair is cut.
    #[arg(long, default_value_t = 10)]
    seconds_per_pair: u64,
    /// For how long in all: pairs whose turn has not come by then are not run.
    #[arg(long)]
    seconds: Option<u64>,
}

/// What was explored of a pair, in whatever role and under whatever policy.
#[derive(Default)]
struct Cell {
    executions: usize,
    cut: bool,
    /// Something of it was not run, as the time was up.
    left: bool,
}

/// Explores all pairs and prints the matrix. `true`: some were explored, and no pair failed.
pub fn run(root: &Path, options: &Options) -> Result<bool, Box<dyn Error>> {
    let start = Instant::now();
    let mut campaign = Command::new("cargo");
    campaign.args(["test", "-p", "loom-tests", "--release", "--target-dir", "target/loom"]);
    campaign.args(["--test", "pairs", "--", "campaign", "--exact", "--ignored", "--nocapture"]);
    campaign.env("RUSTFLAGS", "--cfg loom").current_dir(root).stdout(Stdio::piped());
    campaign
        .env("LOOM_READS", options.reads.name())
        .env("PAIRS_PREEMPTIONS", options.preemptions.to_string());
    campaign.env("PAIRS_SECONDS_PER_PAIR", options.seconds_per_pair.to_string());
    if !options.only.is_empty() {
        campaign.env("PAIRS_ONLY", options.only.join(","));
    }
    if let Some(seconds) = options.seconds {
        campaign.env("PAIRS_SECONDS", seconds.to_string());
    }
    let mut campaign = campaign.spawn()?;
    let progress = ProgressBar::new_spinner();
    progress.set_style(ProgressStyle::with_template("{spinner} {elapsed} {pos} pairs {msg}")?);
    let mut cells = BTreeMap::new();
    let mut names: Vec<String> = Vec::new();
    for line in BufReader::new(campaign.stdout.take().expect("piped")).lines() {
        let line = line?;
        let words: Vec<&str> = line.split_whitespace().collect();
        let ["pair:", one, other, policy, executions, how] = words[..] else {
            continue;
        };
        let mut at = [one, other].map(|name| {
            names.iter().position(|known| known == name).unwrap_or_else(|| {
                names.push(name.to_owned());
                names.len() - 1
            })
        });
        at.sort_unstable();
        let cell: &mut Cell = cells.entry(at).or_default();
        cell.executions += executions.parse::<usize>()?;
        if how == "left" {
            cell.left = true;
            continue;
        }
        cell.cut |= how == "cut";
        progress.set_message(format!("{one} against {other}, {policy}"));
        progress.inc(1);
    }
    let explored = progress.position();
    progress.finish_and_clear();
    let passed = campaign.wait()?.success();
    print(&names, &cells);
    let executions: usize = cells.values().map(|cell| cell.executions).sum();
    let complete = cells.values().filter(|cell| !cell.cut && !cell.left).count();
    let left = cells.values().filter(|cell| cell.left).count();
    println!(
        "\n{} pairs, {complete} of them complete, {left} not run or not in each way, at {} preemptions, {}: \
         {explored} models, {executions} executions in {} s",
        cells.len(),
        options.preemptions,
        options.reads.said(),
        start.elapsed().as_secs(),
    );
    if explored == 0 {
        return Err("no model of a pair was seen".into());
    }
    Ok(passed)
}

fn print(names: &[String], cells: &BTreeMap<[usize; 2], Cell>) {
    println!(
        "Executions of each pair; `*`: cut, `-`: not run, or not in each way. Columns are numbered as the rows are.\n"
    );
    let numbers: Vec<String> = (1..=names.len()).map(|number| number.to_string()).collect();
    println!("| | {} |\n|---|{}", numbers.join(" | "), "---:|".repeat(names.len()));
    for (row, name) in names.iter().enumerate() {
        let columns = (0..names.len()).map(|column| match cells.get(&[row, column]) {
            Some(Cell { executions, cut, left }) => {
                let mark = |is: bool, mark| if is { mark } else { "" };
                let executions = if *executions > 0 { short(*executions) } else { String::new() };
                format!("{executions}{}{}", mark(*cut, "*"), mark(*left, "-"))
            }
            None => String::new(),
        });
        println!("| {} {name} | {} |", row + 1, columns.collect::<Vec<_>>().join(" | "));
    }
}

fn short(executions: usize) -> String {
    match executions {
        0..10_000 => executions.to_string(),
        10_000..10_000_000 => format!("{}k", executions / 1_000),
        _ => format!("{}M", executions / 1_000_000),
    }
}
