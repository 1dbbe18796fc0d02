//! One entry for the layers: each that is wanted is run, one after the other, and what came of it is put in one
//! table.

mod layers;

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use crate::Result;
use layers::{Depth, LAYERS, Layer};

/// Which layers, and how deep.
#[derive(clap::Args)]
pub struct Options {
    /// The share of each layer that goes before every change.
    #[arg(long, conflicts_with = "campaign")]
    quick: bool,
    /// Every layer, also those that have no recorded depth. Those that can go on share so many HOURS; the
    /// others come on top, less than one on two cores.
    #[arg(long, value_name = "HOURS")]
    campaign: Option<f64>,
    /// Only layers whose name contains this.
    #[arg(long, default_value = "")]
    only: String,
    /// Says what would be run, and by which commands.
    #[arg(long)]
    list: bool,
}

/// How a layer came out.
struct Outcome {
    layer: &'static Layer,
    command: String,
    took: Duration,
    end: &'static str,
    passed: bool,
    /// The last that it printed, where most layers say what they counted.
    last: VecDeque<String>,
}

/// How many lines of a layer a campaign keeps: a matrix of all pairs is among them.
const KEPT: usize = 120;

/// `true`: every layer passed. All are run, also after one that failed.
pub fn run(root: &Path, options: &Options) -> Result<bool> {
    let depth = match (options.quick, options.campaign) {
        (true, _) => Depth::Quick,
        (_, Some(_)) => Depth::Campaign,
        _ => Depth::Recorded,
    };
    let hours = options.campaign.unwrap_or_default();
    if depth == Depth::Campaign && (hours <= 0.0 || !hours.is_finite()) {
        return Err("a campaign takes a positive number of hours".into());
    }
    let wanted = LAYERS.iter().filter(|layer| layer.name.contains(&options.only));
    let wanted: Vec<_> = wanted.filter_map(|layer| Some((layer, layer.command(depth)?))).collect();
    if wanted.is_empty() {
        return Err("no such layer at this depth".into());
    }
    let budget = |layer: &Layer| {
        let share = layer.campaign.as_ref().map_or(0, |campaign| campaign.share);
        (hours * 36.0 * share as f64) as u64
    };
    let bar = ProgressBar::new(wanted.len() as u64);
    let style = "{pos}/{len} layers, {elapsed_precise} {wide_bar} {msg}";
    bar.set_style(ProgressStyle::with_template(style)?);
    bar.enable_steady_tick(Duration::from_secs(1));
    let mut outcomes = Vec::new();
    for (layer, command) in wanted {
        let seconds = budget(layer);
        let shown = typed(command, seconds);
        bar.set_message(layer.name);
        say(&bar, &format!("\n== {}: {}\n   {shown}", layer.name, layer.proves));
        if !options.list {
            let outcome = one(root, layer, command, depth, seconds, &bar)?;
            say(&bar, &format!("-- {}: {}, {} s", layer.name, outcome.end, outcome.took.as_secs()));
            outcomes.push(outcome);
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    if options.list {
        return Ok(true);
    }
    let table = table(&outcomes);
    println!("\n{table}");
    if depth == Depth::Campaign {
        let file = keep(root, hours, &table, &outcomes)?;
        println!("kept in {}", file.display());
    }
    Ok(outcomes.iter().all(|outcome| outcome.passed))
}

/// A line above the bar, or where there is no bar, where output goes.
fn say(bar: &ProgressBar, line: &str) {
    bar.suspend(|| println!("{line}"));
}

/// Runs one layer; what it prints goes on, and to a file of its own.
fn one(
    root: &Path,
    layer: &'static Layer,
    command: &str,
    depth: Depth,
    seconds: u64,
    bar: &ProgressBar,
) -> Result<Outcome> {
    let is_endless = depth == Depth::Campaign
        && layer.campaign.as_ref().is_some_and(|campaign| campaign.is_endless);
    let (reader, writer) = io::pipe()?;
    let mut shell = if is_endless {
        // With all that it has started.
        let mut timeout = Command::new("timeout");
        timeout.args(["--kill-after=60", &seconds.max(1).to_string(), "bash"]);
        timeout
    } else {
        Command::new("bash")
    };
    // As the shell's function, so that what is printed can be typed.
    let program = std::env::current_exe()?;
    let script =
        format!("set -euo pipefail\nxtask() {{ '{}' \"$@\"; }}\n{command}", program.display());
    shell.args(["-c", &script]).env("BUDGET", seconds.to_string()).current_dir(root);
    // Some tests provoke panics: their traces would be all that is kept.
    shell.env("RUST_BACKTRACE", "0");
    shell.stdout(writer.try_clone()?).stderr(writer).stdin(std::process::Stdio::null());
    let start = Instant::now();
    let mut child = shell.spawn()?;
    // It holds the ends of the pipe that are for writing.
    drop(shell);
    let logs = root.join("target/verify");
    fs::create_dir_all(&logs)?;
    let mut log = File::create(logs.join(format!("{}.log", layer.name.replace([' ', ','], "-"))))?;
    let mut last = VecDeque::new();
    for line in BufReader::new(reader).split(b'\n') {
        let line = String::from_utf8_lossy(&line?).into_owned();
        writeln!(log, "{line}")?;
        say(bar, &line);
        let build = ["Compiling ", "Downloading ", "Downloaded "];
        let is_build = build.iter().any(|&start| line.trim_start().starts_with(start));
        if !line.trim().is_empty() && !is_build {
            last.truncate(KEPT - 1);
            last.push_front(line);
        }
    }
    let (end, passed) = end(is_endless, child.wait()?.code());
    let command = typed(command, seconds);
    Ok(Outcome { layer, command, took: start.elapsed(), end, passed, last })
}

/// What the exit status of a layer means, and whether that is good enough.
fn end(is_endless: bool, status: Option<i32>) -> (&'static str, bool) {
    match (is_endless, status) {
        (_, Some(0)) => ("passed", true),
        // Of `timeout`.
        (true, Some(124)) => ("until its time was up; survivors so far: see its output", true),
        // Of cargo-mutants. Which of them are justified, `mutants/SURVIVORS.md` says in prose.
        (true, Some(2)) => ("survivors: compare its output to mutants/SURVIVORS.md", true),
        (true, Some(3)) => ("tests that hung: compare its output to mutants/SURVIVORS.md", true),
        _ => ("FAILED", false),
    }
}

/// A command as one would type it.
fn typed(command: &str, seconds: u64) -> String {
    let budget = format!("BUDGET={seconds}; ");
    let budget = if command.contains("BUDGET") { budget.as_str() } else { "" };
    format!("{budget}{}", command.replace("xtask ", "cargo xtask "))
}

fn table(outcomes: &[Outcome]) -> String {
    let mut table = "| layer | what it proves | seconds | |\n|---|---|---:|---|\n".to_owned();
    for Outcome { layer, took, end, .. } in outcomes {
        // Writing to a `String` does not fail.
        let _ =
            writeln!(table, "| {} | {} | {} | {end} |", layer.name, layer.proves, took.as_secs());
    }
    let failed = outcomes.iter().filter(|outcome| !outcome.passed).count();
    let all: u64 = outcomes.iter().map(|outcome| outcome.took.as_secs()).sum();
    let _ = writeln!(table, "\n{} layers in {all} s, {failed} failed", outcomes.len());
    let _ = writeln!(table, "\nCommands:\n");
    for Outcome { layer, command, .. } in outcomes {
        let _ = writeln!(table, "- {}: `{command}`", layer.name);
    }
    table
}

/// Keeps a campaign's table, and the ends of what its layers printed, under its date and time.
fn keep(root: &Path, hours: f64, table: &str, outcomes: &[Outcome]) -> Result<PathBuf> {
    let say = |program: &str, arguments: &[&str]| -> Result<String> {
        let output = Command::new(program).args(arguments).current_dir(root).output()?;
        Ok(String::from_utf8(output.stdout)?.trim().to_owned())
    };
    let when = say("date", &["-u", "+%Y-%m-%d %H%M"])?;
    let commit = say("git", &["describe", "--always", "--dirty"])?;
    let file = root.join("campaigns").join(format!("{}.md", when.replace(' ', "-")));
    fs::create_dir_all(root.join("campaigns"))?;
    let mut text = format!("# Campaign of {when} UTC, {hours} h, on {commit}\n\n{table}");
    for Outcome { layer, last, .. } in outcomes {
        let last: Vec<_> = last.iter().rev().map(String::as_str).collect();
        write!(text, "\n## {}\n\n```text\n{}\n```\n", layer.name, last.join("\n"))?;
    }
    fs::write(&file, text)?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_endless_layer_may_have_survivors() {
        assert!(end(false, Some(0)).1 && end(true, Some(0)).1);
        for status in [Some(1), Some(2), Some(3), Some(4), Some(124), None] {
            assert_eq!(end(false, status), ("FAILED", false), "{status:?}");
        }
        for status in [2, 3, 124] {
            let (end, passed) = end(true, Some(status));
            assert!(passed && end.contains("output"), "{status}: {end}");
        }
        for status in [Some(1), Some(4), Some(137), None] {
            assert_eq!(end(true, status), ("FAILED", false), "{status:?}");
        }
    }

    #[test]
    fn shares_are_hundredths() {
        let shares = LAYERS.iter().filter_map(|layer| layer.campaign.as_ref());
        assert_eq!(shares.map(|campaign| campaign.share).sum::<u64>(), 100);
    }
}
