//! The loom models, each in a process of its own, as many at once as there are processors.
//!
//! Loom maps the stacks of its threads anew for every execution. Tests that run beside each other in one process wait
//! for each other there, and each unmapping interrupts both processors.

use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use crate::{Result, scratch};

/// Which models, and on what.
#[derive(clap::Args)]
pub struct Options {
    /// Only those of these files of `loom-tests/tests`, which alone are built.
    files: Vec<String>,
    /// By what slots and arrays are reclaimed.
    #[arg(long, value_enum, default_value_t = Reclaimer::Quarantine)]
    on: Reclaimer,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Reclaimer {
    /// The models' own, with few steps.
    Quarantine,
    /// The one that ships.
    Shipped,
    /// That of the feature `crossbeam-epoch`.
    Crossbeam,
}

/// A model: its program and its name there.
struct Model {
    program: PathBuf,
    name: String,
}

/// Runs them and prints what they say. `true`: there were some, and none failed.
pub fn run(root: &Path, options: &Options) -> Result<bool> {
    let start = Instant::now();
    let models = build(root, options)?;
    let bar = ProgressBar::new(models.len() as u64);
    bar.set_style(ProgressStyle::with_template("{pos}/{len} {elapsed} {wide_msg}")?);
    bar.enable_steady_tick(Duration::from_secs(1));
    let (next, failed) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let work = || -> std::io::Result<()> {
        while let Some(Model { program, name }) = models.get(next.fetch_add(1, Ordering::Relaxed)) {
            bar.set_message(name.clone());
            let mut model = Command::new(program);
            model.args(["--exact", name, "--nocapture"]).current_dir(root.join("loom-tests"));
            let output = model.output()?;
            let said = String::from_utf8_lossy(&output.stdout).into_owned();
            bar.inc(1);
            if output.status.success() {
                let lines = said.lines().filter(|line| line.contains(" executions"));
                let lines =
                    lines.map(|line| line.rsplit_once(" ... ").map_or(line, |(_, line)| line));
                bar.suspend(|| lines.for_each(|line| println!("{line}")));
            } else {
                let panic = String::from_utf8_lossy(&output.stderr).into_owned();
                bar.suspend(|| println!("{said}{panic}"));
                failed.lock().expect("no panic before").push(name.clone());
            }
        }
        Ok(())
    };
    thread::scope(|scope| {
        let processors = thread::available_parallelism().map_or(1, NonZero::get);
        let workers = Vec::from_iter((0..processors).map(|_| scope.spawn(work)));
        workers.into_iter().try_for_each(|worker| worker.join().expect("it does not panic"))
    })?;
    bar.finish_and_clear();
    let failed = failed.into_inner().expect("no panic before");
    println!("{} models in {} s, {} failed", models.len(), start.elapsed().as_secs(), failed.len());
    failed.iter().for_each(|name| println!("FAILED: {name}"));
    Ok(failed.is_empty() && !models.is_empty())
}

/// Builds the programs, and asks them for their models.
fn build(root: &Path, options: &Options) -> Result<Vec<Model>> {
    let (target, flags) = match options.on {
        Reclaimer::Quarantine => ("target/loom", "--cfg loom"),
        Reclaimer::Shipped => ("target/loom-shipped", "--cfg loom --cfg shipped_reclaimer"),
        Reclaimer::Crossbeam => ("target/loom-crossbeam", "--cfg loom --cfg crossbeam_loom"),
    };
    let mut cargo = scratch::cargo(root, target);
    cargo.args(["test", "-p", "loom-tests", "--release", "--no-run"]).env("RUSTFLAGS", flags);
    for file in &options.files {
        cargo.args(["--test", file]);
    }
    let mut programs =
        scratch::build(&mut cargo, Stdio::inherit())?.ok_or("the models do not build")?;
    // The pairs take longest.
    programs.sort_by_key(|(name, _)| name != "pairs");
    let mut models = Vec::new();
    for (_, program) in programs {
        let mut list = Command::new(&program);
        list.args(["--list", "--format", "terse"]).stderr(Stdio::inherit());
        let listed = String::from_utf8(list.output()?.stdout)?;
        let names = listed.lines().filter_map(|line| line.strip_suffix(": test"));
        models.extend(names.map(|name| Model { program: program.clone(), name: name.to_owned() }));
    }
    Ok(models)
}
