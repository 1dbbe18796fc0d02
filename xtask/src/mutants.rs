//! Seeded bugs: each a patch with a header that names the letter it breaks and the check that must see it.

mod catalogue;

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use crate::{Result, scratch};
use catalogue::Mutant;

/// Which to run.
#[derive(clap::Args)]
pub struct Options {
    /// Only patches whose name contains this.
    #[arg(long, default_value = "")]
    pub only: String,
    /// Only those that are quickly found: at least one of each letter.
    #[arg(long)]
    pub quick: bool,
}

/// Runs every mutant that is wanted. `true`: all were killed.
pub fn run(root: &Path, options: &Options) -> Result<bool> {
    let mutants = catalogue::read(root)?;
    let (mut killed, mut all) = (0, 0);
    println!("| mutant | letter | layer | seconds | killed |\n|---|---|---|---:|---|");
    let is_wanted = |mutant: &&Mutant| {
        mutant.name.contains(&options.only) && (mutant.is_quick || !options.quick)
    };
    for mutant in mutants.iter().filter(is_wanted) {
        let start = Instant::now();
        let dies = try_one(root, mutant)?;
        let Mutant { name, letter, killer, bug, .. } = mutant;
        let verdict = if dies { "yes".to_owned() } else { format!("NO: {bug}") };
        println!("| {name} | {letter} | {killer} | {} | {verdict} |", start.elapsed().as_secs());
        killed += usize::from(dies);
        all += 1;
    }
    println!("\n{killed} of {all} killed");
    Ok(killed == all && all > 0)
}

/// Whether the check fails on a copy with the bug. A patch that does not apply, or does not compile, is an
/// error.
fn try_one(root: &Path, mutant: &Mutant) -> Result<bool> {
    let scratch = root.join("target/mutants");
    let tree = scratch.join("tree");
    scratch::copy_tracked(root, &tree)?;
    let patch = scratch.join("patch");
    fs::write(&patch, &mutant.patch)?;
    let mut apply = Command::new("git");
    // Not as a part of the repository around it.
    apply.args(["apply", "--whitespace=nowarn"]).arg(&patch).current_dir(&tree);
    apply.env("GIT_CEILING_DIRECTORIES", &scratch);
    if !apply.status()?.success() {
        return Err(format!("{} does not apply any more", mutant.name).into());
    }
    let mut words = mutant.killer.split_whitespace();
    let layer = words.next().ok_or_else(|| format!("{}: no layer", mutant.name))?;
    let rest: Vec<&str> = words.collect();
    let check = |build_only: bool| -> Result<bool> {
        let mut cargo = Command::new(env!("CARGO"));
        cargo.arg("test").current_dir(&tree);
        let (target, filter) = match (layer, rest.as_slice()) {
            ("loom", [file, filter]) => {
                cargo.args(["-p", "loom-tests", "--release", "--test", file]);
                cargo.env("RUSTFLAGS", "--cfg loom");
                ("loom", *filter)
            }
            ("contract", [filter]) => {
                cargo.args(["--test", "contract"]);
                ("plain", *filter)
            }
            ("linearizable", [filter]) => {
                cargo.args(["--features", "steps", "--test", "linearizable"]);
                ("steps", *filter)
            }
            ("stall" | "unit", [filter]) => {
                cargo.args(["--lib"]);
                ("plain", *filter)
            }
            _ => return Err(format!("{}: no such layer: {}", mutant.name, mutant.killer).into()),
        };
        cargo.env("CARGO_TARGET_DIR", scratch.join(target));
        cargo.stdout(Stdio::null()).stderr(Stdio::null());
        if build_only {
            cargo.arg("--no-run");
        } else {
            cargo.arg(filter);
        }
        Ok(cargo.status()?.success())
    };
    if !check(true)? {
        return Err(format!("{} does not compile", mutant.name).into());
    }
    Ok(!check(false)?)
}
