//! Seeded bugs: each a patch with a header that names the letter it breaks and the check that must see it.

mod catalogue;
mod killer;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use crate::{Result, scratch};
use catalogue::Mutant;
use killer::{End, Killer};

/// Which to run.
#[derive(clap::Args)]
pub struct Options {
    /// Only patches whose name contains this.
    #[arg(long, default_value = "")]
    pub only: String,
    /// Only those that are quickly found: at least one of each letter. Their checks are taken to pass without a
    /// bug, as where this is run, `.ci/run`, they are run for themselves.
    #[arg(long)]
    pub quick: bool,
}

/// Runs every mutant that is wanted. `true`: all were killed.
pub fn run(root: &Path, options: &Options) -> Result<bool> {
    let mutants = catalogue::read(root)?;
    let is_wanted = |mutant: &&Mutant| {
        mutant.name.contains(&options.only) && (mutant.is_quick || !options.quick)
    };
    let wanted: Vec<&Mutant> = mutants.iter().filter(is_wanted).collect();
    if !options.quick {
        try_clean(root, wanted.iter().map(|mutant| &mutant.killer).collect())?;
    }
    println!("| mutant | letter | layer | seconds | killed |\n|---|---|---|---:|---|");
    let mut killed = 0;
    for mutant in &wanted {
        let start = Instant::now();
        let dies = try_one(root, mutant)?;
        let Mutant { name, letter, killer, bug, .. } = mutant;
        let verdict = if dies { "yes".to_owned() } else { format!("NO: {bug}") };
        let (killer, took) = (&killer.text, start.elapsed().as_secs());
        println!("| {name} | {letter} | {killer} | {took} | {verdict} |");
        killed += usize::from(dies);
    }
    println!("\n{killed} of {} killed", wanted.len());
    Ok(killed == wanted.len() && killed > 0)
}

/// Runs each check on the copy as it is: one that fails there would kill whatever it is given.
fn try_clean(root: &Path, killers: BTreeSet<&Killer>) -> Result<()> {
    let (scratch, tree) = copy(root)?;
    for (at, killer) in killers.iter().enumerate() {
        let start = Instant::now();
        let end = killer.run(&scratch, &tree)?;
        let (text, took) = (&killer.text, start.elapsed().as_secs());
        eprintln!("without a bug, {} of {}: {text}, {took} s", at + 1, killers.len());
        match end {
            End::Passes => {}
            End::Fails => return Err(format!("{text} fails without a bug").into()),
            End::DoesNotCompile => {
                return Err(format!("{text} does not compile without a bug").into());
            }
        }
    }
    Ok(())
}

/// Where things are built, and a clean copy of the repository there.
fn copy(root: &Path) -> Result<(PathBuf, PathBuf)> {
    let scratch = root.join("target/mutants");
    let tree = scratch.join("tree");
    scratch::copy_tracked(root, &tree)?;
    Ok((scratch, tree))
}

/// Whether the check fails on a copy with the bug. A patch that does not apply, or does not compile, is an
/// error.
fn try_one(root: &Path, mutant: &Mutant) -> Result<bool> {
    let (scratch, tree) = copy(root)?;
    let patch = scratch.join("patch");
    fs::write(&patch, &mutant.patch)?;
    let mut apply = Command::new("git");
    // Not as a part of the repository around it.
    apply.args(["apply", "--whitespace=nowarn"]).arg(&patch).current_dir(&tree);
    apply.env("GIT_CEILING_DIRECTORIES", &scratch);
    if !apply.status()?.success() {
        return Err(format!("{} does not apply any more", mutant.name).into());
    }
    match mutant.killer.run(&scratch, &tree)? {
        End::DoesNotCompile => Err(format!("{} does not compile", mutant.name).into()),
        end => Ok(end == End::Fails),
    }
}
