//! A fuzzing campaign: both targets for a given time, beside each other, on a corpus that grows from one
//! campaign to the next, and a report.
//!
//! What a campaign finds worth keeping stays below `fuzz/target`, minimised. Into the corpus of the
//! repository, which the tests replay, goes only what reaches code that no other input of it reaches.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use crate::{Result, scratch};

#[derive(Args)]
pub struct Options {
    /// For how long each target runs.
    #[arg(long)]
    seconds: u64,
    /// Only this one.
    #[arg(long)]
    target: Option<Target>,
    /// Where the report goes.
    #[arg(long, default_value = "target/fuzz-report.md")]
    report: PathBuf,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Target {
    Ops,
    Schedule,
}

impl Target {
    const fn name(self) -> &'static str {
        match self {
            Self::Ops => "ops",
            Self::Schedule => "schedule",
        }
    }

    /// Longer inputs take longer and show nothing more.
    const fn longest(self) -> usize {
        match self {
            Self::Ops => 1024,
            Self::Schedule => 160,
        }
    }
}

/// What came of one target.
#[derive(Default)]
struct Outcome {
    executions: u64,
    seconds: f64,
    /// Edges of the control flow that were reached, of all that there are.
    reached: u64,
    edges: u64,
    kept: usize,
    added: usize,
    /// The inputs that failed, and what was printed before.
    findings: Vec<(String, String)>,
}

/// Runs the targets. `true`: nothing was found.
pub fn run(root: &Path, options: &Options) -> Result<bool> {
    let targets = [Target::Ops, Target::Schedule].into_iter();
    let chosen = targets.filter(|&target| options.target.is_none_or(|only| only == target));
    let chosen: Vec<_> = chosen.collect();
    for &target in &chosen {
        if !cargo_fuzz(root, "build", target).status()?.success() {
            let name = target.name();
            return Err(format!("{name} does not build; is cargo-fuzz installed?").into());
        }
    }
    let before = scratch::processor_time()?;
    let bars = MultiProgress::new();
    let outcomes: Vec<_> = thread::scope(|scope| {
        let start = |&target| {
            let bars = bars.clone();
            scope.spawn(move || {
                campaign(root, target, options.seconds, &bars).map_err(|error| error.to_string())
            })
        };
        let started: Vec<_> = chosen.iter().map(start).collect();
        started.into_iter().map(|one| one.join().expect("it does not panic")).collect()
    });
    let mut report = format!("# Fuzzing, {} s for each target\n\n", options.seconds);
    report += "| target | executions | in a second | edges reached | inputs kept | added to the repository | findings |\n";
    report += "|---|---:|---:|---:|---:|---:|---:|\n";
    let (mut details, mut clean) = (String::new(), true);
    for (target, outcome) in chosen.into_iter().zip(outcomes) {
        let outcome = outcome?;
        let Outcome { executions, seconds, reached, edges, kept, added, findings } = &outcome;
        let rate = *executions as f64 / seconds.max(1.0);
        writeln!(
            report,
            "| {} | {executions} | {rate:.0} | {reached} of {edges} | {kept} | {added} | {} |",
            target.name(),
            findings.len(),
        )?;
        for (input, output) in findings {
            write!(details, "\n## {}: `{input}`\n\n```text\n{output}```\n", target.name())?;
        }
        clean &= findings.is_empty();
    }
    // What a machine with other work has given it; the seconds of the clock say little.
    let used = scratch::processor_time()?.saturating_sub(before);
    writeln!(report, "\n{:.2} processor hours, minimising included.", used.as_secs_f64() / 3600.0)?;
    report += &details;
    let path = root.join(&options.report);
    fs::create_dir_all(path.parent().unwrap_or(root))?;
    fs::write(&path, &report)?;
    println!("{report}\n(also in {})", options.report.display());
    Ok(clean)
}

fn campaign(root: &Path, target: Target, seconds: u64, bars: &MultiProgress) -> Result<Outcome> {
    let name = target.name();
    let corpus = root.join("fuzz/corpus").join(name);
    let kept = root.join("fuzz/target/campaign").join(name);
    let artifacts = root.join("fuzz/artifacts").join(name);
    fs::create_dir_all(&kept)?;
    let known = files(&artifacts);
    let mut outcome = fuzz(root, target, &[&kept, &corpus], seconds, bars)?;
    let output = std::mem::take(&mut outcome.findings);
    let output = output.into_iter().next().unwrap_or_default().1;
    for input in files(&artifacts).difference(&known) {
        let input = format!("fuzz/artifacts/{name}/{input}");
        outcome.findings.push((input, output.clone()));
    }
    if outcome.findings.is_empty() && !output.is_empty() {
        outcome.findings.push(("no input".to_owned(), output));
    }
    let mut minimise = cargo_fuzz(root, "cmin", target);
    minimise.arg(&kept).args(["--", "-detect_leaks=0"]);
    quietly(minimise)?;
    let before = files(&corpus);
    let mut add = cargo_fuzz(root, "run", target);
    add.args([&corpus, &kept]);
    // Of two inputs that reach the same code, one is enough, however often they do.
    add.args(["--", "-merge=1", "-use_counters=0", "-detect_leaks=0"]);
    add.arg(format!("-max_len={}", target.longest()));
    quietly(add)?;
    (outcome.kept, outcome.added) = (files(&kept).len(), show_to_git(&corpus, &before)?);
    Ok(outcome)
}

/// Gives the inputs that were added an ending: without one they would be ignored, as those that a run of the
/// fuzzer alone leaves there. Returns how many they are.
fn show_to_git(corpus: &Path, before: &BTreeSet<String>) -> Result<usize> {
    let after = files(corpus);
    let added: Vec<_> = after.difference(before).collect();
    for name in &added {
        let short = name.get(..16).unwrap_or(name);
        fs::rename(corpus.join(name), corpus.join(format!("{short}.found")))?;
    }
    Ok(added.len())
}

/// What stable has of the instrumentation.
fn cargo_fuzz(root: &Path, command: &str, target: Target) -> Command {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["fuzz", command, "--no-trace-compares", target.name()]);
    cargo.current_dir(root).env("RUSTC_BOOTSTRAP", "1");
    cargo
}

fn quietly(mut command: Command) -> Result<()> {
    let output = command.output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
    }
    Ok(())
}

fn files(folder: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

/// Fuzzes, and shows how it goes. A failure's output is in the findings, without a name as yet.
fn fuzz(
    root: &Path,
    target: Target,
    corpora: &[&Path],
    seconds: u64,
    bars: &MultiProgress,
) -> Result<Outcome> {
    let mut cargo = cargo_fuzz(root, "run", target);
    cargo.args(corpora).args(["--", "-detect_leaks=0", "-print_final_stats=1"]);
    // An input that takes longer is a finding: a call that does not end. Less is no failure, on a machine
    // that has other work.
    cargo.args(["-timeout=300", "-report_slow_units=300"]);
    cargo.arg(format!("-max_total_time={seconds}"));
    cargo.arg(format!("-max_len={}", target.longest()));
    let mut child = cargo.stdout(Stdio::null()).stderr(Stdio::piped()).spawn()?;
    let style = ProgressStyle::with_template("{prefix:8} {bar:30} {pos}/{len} s  {msg}")?;
    let bar = ProgressBar::new(seconds).with_style(style).with_prefix(target.name());
    let bar = bars.add(bar);
    bar.enable_steady_tick(Duration::from_millis(500));
    let (start, mut outcome, mut printed) = (Instant::now(), Outcome::default(), String::new());
    let stderr = child.stderr.take().expect("it is piped");
    for line in BufReader::new(stderr).split(b'\n') {
        let line = String::from_utf8_lossy(&line?).into_owned();
        bar.set_position(start.elapsed().as_secs().min(seconds));
        if outcome.read(&line) {
            bar.set_message(format!("{} runs, {} edges", outcome.executions, outcome.reached));
        } else if !line.is_empty() {
            printed += &line;
            printed.push('\n');
        }
    }
    bar.finish();
    outcome.seconds = start.elapsed().as_secs_f64();
    if !child.wait()?.success() {
        outcome.findings.push((String::new(), printed));
    }
    Ok(outcome)
}

impl Outcome {
    /// Takes in a line of libFuzzer's. `false`: it is none.
    fn read(&mut self, line: &str) -> bool {
        let number = |text: &str| text.trim_matches(|c: char| !c.is_ascii_digit()).parse().ok();
        if let Some(count) = line.strip_prefix("stat::number_of_executed_units:") {
            self.executions = number(count).unwrap_or(self.executions);
            return true;
        }
        if let Some((_, counters)) = line.split_once("INFO: Loaded 1 modules") {
            let edges = counters.split_whitespace().find(|word| word.starts_with('('));
            self.edges = edges.and_then(number).unwrap_or(0);
            return true;
        }
        let mut words = line.split_whitespace();
        let run = words.next().and_then(|word| word.strip_prefix('#')?.parse().ok());
        let Some(run) = run else {
            return line.starts_with("INFO:") || line.starts_with("stat::");
        };
        self.executions = self.executions.max(run);
        let reached = words.skip_while(|&word| word != "cov:").nth(1);
        self.reached = reached.and_then(|word| word.parse().ok()).unwrap_or(self.reached);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_added_gets_an_ending() {
        let corpus = std::env::temp_dir().join(format!("corpus-{}", std::process::id()));
        fs::create_dir_all(&corpus).unwrap();
        fs::write(corpus.join("growth.seed"), "").unwrap();
        let before = files(&corpus);
        fs::write(corpus.join("da39a3ee5e6b4b0d3255bfef95601890afd80709"), "").unwrap();
        assert_eq!(show_to_git(&corpus, &before).unwrap(), 1);
        let names: Vec<_> = files(&corpus).into_iter().collect();
        assert_eq!(names, ["da39a3ee5e6b4b0d.found", "growth.seed"]);
        fs::remove_dir_all(&corpus).unwrap();
    }

    #[test]
    fn what_libfuzzer_prints_is_read() {
        let mut outcome = Outcome::default();
        let lines = [
            "INFO: Loaded 1 modules   (24680 inline 8-bit counters): 24680 [0x55, 0x66), ",
            "#46\tNEW    cov: 3607 ft: 6320 corp: 45/93b lim: 4 exec/s: 1 rss: 399Mb L: 2/4 MS: 1 ",
            "#1024\tpulse  cov: 3611 ft: 6380 corp: 49/102b lim: 4 exec/s: 64 rss: 399Mb",
            "stat::number_of_executed_units: 1057",
        ];
        assert!(lines.into_iter().all(|line| outcome.read(line)));
        assert_eq!((outcome.executions, outcome.reached, outcome.edges), (1057, 3611, 24680));
        assert!(!outcome.read("thread '<unnamed>' panicked at schedule/src/verdict.rs:43:9:"));
    }
}
