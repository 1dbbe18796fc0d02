//! Seeded bugs: each a patch with a header that names the letter it breaks and the check that must see it.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use crate::{Result, scratch};

/// One patch.
struct Mutant {
    name: String,
    letter: String,
    bug: String,
    /// A layer and a filter of its tests.
    killer: String,
    patch: String,
}

/// Runs every mutant whose name contains `only`. `true`: all were killed.
pub fn run(root: &Path, only: &str) -> Result<bool> {
    let mut names: Vec<_> =
        fs::read_dir(root.join("mutants"))?.map(|file| Ok(file?.path())).collect::<Result<_>>()?;
    names.sort();
    let (mut killed, mut all) = (0, 0);
    println!("| mutant | letter | layer | seconds | killed |\n|---|---|---|---:|---|");
    names.retain(|path| path.extension().is_some_and(|extension| extension == "patch"));
    for path in names.iter().filter(|path| path.to_string_lossy().contains(only)) {
        let mutant = read(path)?;
        let start = Instant::now();
        let dies = try_one(root, &mutant)?;
        let Mutant { name, letter, killer, bug, .. } = &mutant;
        let verdict = if dies { "yes".to_owned() } else { format!("NO: {bug}") };
        println!("| {name} | {letter} | {killer} | {} | {verdict} |", start.elapsed().as_secs());
        killed += usize::from(dies);
        all += 1;
    }
    println!("\n{killed} of {all} killed");
    Ok(killed == all && all > 0)
}

fn read(path: &Path) -> Result<Mutant> {
    let text = fs::read_to_string(path)?;
    let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let (header, _) = text.split_once("\n\n").ok_or_else(|| format!("{name}: no header"))?;
    let field = |label: &str| {
        let line = header.lines().find_map(|line| line.strip_prefix(label));
        line.map(|value| value.trim().to_owned()).ok_or_else(|| format!("{name}: no {label}"))
    };
    Ok(Mutant {
        letter: field("Letter:")?,
        bug: field("Bug:")?,
        killer: field("Killed by:")?,
        patch: text.clone(),
        name,
    })
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
            ("stall", [filter]) => {
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
