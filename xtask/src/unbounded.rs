//! Every loom model without a bound of preemptions: which of them are completed, and what is seen of the others.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use crate::Result;
use crate::reads::Reads;

/// How far to go.
#[derive(clap::Args)]
pub struct Options {
    /// After how long a model is cut.
    #[arg(long, default_value_t = 10)]
    seconds_per_model: u64,
    /// What a load returns.
    #[arg(long, value_enum, default_value_t = Reads::Any)]
    reads: Reads,
}

/// What was explored of a model.
struct Explored {
    name: String,
    executions: u64,
    is_cut: bool,
}

/// Explores all models and prints a table. `true`: some were explored, and none failed.
pub fn run(root: &Path, options: &Options) -> Result<bool> {
    let start = Instant::now();
    let mut models = Command::new(env!("CARGO"));
    models.args(["test", "-p", "loom-tests", "--release", "--target-dir", "target/loom"]);
    // The pairs have a campaign of their own.
    models.args(["--no-fail-fast", "--", "--nocapture", "--skip", "mutators"]);
    models.env("RUSTFLAGS", "--cfg loom").env("LOOM_PREEMPTIONS", "none");
    models.env("LOOM_SECONDS", options.seconds_per_model.to_string());
    models.env("LOOM_READS", options.reads.name());
    let mut models = models.current_dir(root).stdout(Stdio::piped()).spawn()?;
    let progress = ProgressBar::new_spinner();
    progress.set_style(ProgressStyle::with_template("{spinner} {elapsed} {pos} models {msg}")?);
    progress.enable_steady_tick(Duration::from_secs(1));
    let mut explored = Vec::new();
    for line in BufReader::new(models.stdout.take().expect("piped")).lines() {
        let Some(model) = parse(&line?) else { continue };
        progress.set_message(model.name.clone());
        progress.inc(1);
        explored.push(model);
    }
    let passed = models.wait()?.success();
    progress.finish_and_clear();
    explored.sort_by_key(|model| (model.is_cut, model.executions));
    println!("| model | executions | |\n|---|---:|---|");
    for Explored { name, executions, is_cut } in &explored {
        println!("| `{name}` | {executions} | {} |", if *is_cut { "cut" } else { "complete" });
    }
    let complete = explored.iter().filter(|model| !model.is_cut).count();
    let executions: u64 = explored.iter().map(|model| model.executions).sum();
    println!(
        "\n{} models, {complete} of them complete without a bound, {}: {executions} executions in {} s",
        explored.len(),
        options.reads.said(),
        start.elapsed().as_secs(),
    );
    if explored.is_empty() {
        return Err("no model was seen".into());
    }
    Ok(passed)
}

/// A line that a model prints about itself, behind what the test runner may have begun.
fn parse(line: &str) -> Option<Explored> {
    let (name, rest) = line.split_once(" executions without a bound")?;
    let (name, executions) = name.rsplit_once(": ")?;
    let name = name.rsplit_once(" ... ").map_or(name, |(_, name)| name);
    let is_cut = rest.ends_with(", cut");
    Some(Explored { name: name.to_owned(), executions: executions.parse().ok()?, is_cut })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_says_what_was_seen_of_it() {
        let read = |line: &str| parse(line).map(|it| (it.name, it.executions, it.is_cut));
        let close = |is_cut| Some(("close: a close against another".to_owned(), 90, is_cut));
        let line = "close: a close against another: 90 executions without a bound in 2.0s";
        assert_eq!(read(line), close(false));
        assert_eq!(read(&format!("test a ... {line}, cut")), close(true));
        let line = "close: a close against another: 90 executions without a bound, newest values read in 2.0s";
        assert_eq!(read(line), close(false));
        assert_eq!(read("close: 90 executions at 2 preemptions in 2.0s"), None);
    }
}
