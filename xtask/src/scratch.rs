//! A copy of the repository to change things in, and programs that are built from it.
//!
//! The checks that break the code on purpose run on a copy of the files that are tracked, so that nothing
//! is left behind, and build in directories of their own, so that each builds little.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use wait_timeout::ChildExt;

use crate::Result;

/// The files as they are, not as they were committed. Those that did not change keep their times, so that
/// nothing is built twice.
pub fn copy_tracked(root: &Path, tree: &Path) -> Result<()> {
    let tracked = Command::new("git").args(["ls-files", "-z"]).current_dir(root).output()?;
    for name in String::from_utf8(tracked.stdout)?.split('\0').filter(|name| !name.is_empty()) {
        let (from, to) = (root.join(name), tree.join(name));
        if let (Ok(new), Ok(old)) = (fs::read(&from), fs::read(&to))
            && new == old
        {
            continue;
        }
        fs::create_dir_all(to.parent().expect("a file is somewhere"))?;
        fs::copy(from, to)?;
    }
    Ok(())
}

/// The programs that a cargo command builds: their targets' names and where they are. `None`: it does not
/// compile.
pub fn build(cargo: &mut Command) -> Result<Option<Vec<(String, PathBuf)>>> {
    cargo.args(["--message-format", "json", "--quiet"]).stderr(Stdio::null());
    let output = cargo.output()?;
    if !output.status.success() {
        return Ok(None);
    }
    let mut programs = Vec::new();
    for line in String::from_utf8(output.stdout)?.lines() {
        let message: serde_json::Value = serde_json::from_str(line)?;
        if let (Some(program), Some(name)) =
            (message["executable"].as_str(), message["target"]["name"].as_str())
        {
            programs.push((name.to_owned(), PathBuf::from(program)));
        }
    }
    Ok(Some(programs))
}

/// How a program ended.
pub enum End {
    Well,
    /// With all that it printed.
    Badly(Duration, String),
    /// It was ended when its time was up.
    Cut,
}

/// Runs a program for at most so long; what it prints goes to `log`.
pub fn run(program: &mut Command, limit: Duration, log: &Path) -> Result<End> {
    let start = Instant::now();
    let out = File::create(log)?;
    let mut child = program.stdin(Stdio::null()).stderr(out.try_clone()?).stdout(out).spawn()?;
    match child.wait_timeout(limit)? {
        Some(status) if status.success() => Ok(End::Well),
        Some(_) => {
            let printed = String::from_utf8_lossy(&fs::read(log)?).into_owned();
            Ok(End::Badly(start.elapsed(), printed))
        }
        None => {
            child.kill()?;
            child.wait()?;
            Ok(End::Cut)
        }
    }
}

/// Cargo, in `folder`, building in `target`.
pub fn cargo(folder: &Path, target: impl AsRef<OsStr>) -> Command {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.current_dir(folder).env("CARGO_TARGET_DIR", target);
    cargo
}
