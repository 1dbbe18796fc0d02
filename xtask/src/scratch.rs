//! A copy of the repository to change things in, and programs that are built from it.
//!
//! The checks that break the code on purpose run on a copy of the files that are tracked, so that nothing
//! is left behind, and build in directories of their own, so that each builds little.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use nix::libc::{SIGKILL, SIGXCPU};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;
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
/// build; `errors` gets what cargo and the compiler say of that.
pub fn build(cargo: &mut Command, errors: Stdio) -> Result<Option<Vec<(String, PathBuf)>>> {
    cargo.args(["--message-format", "json-render-diagnostics", "--quiet"]).stderr(errors);
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

/// How a program ended, and after how much of a processor's time: of the clock's, a busy machine would make
/// anything of it.
pub struct Ran {
    pub end: End,
    pub took: Duration,
}

pub enum End {
    Well,
    /// With all that it printed.
    Badly(String),
    /// It was ended when its time was up.
    Cut,
}

/// The signals that end what has used up its processor time.
const BY_LIMIT: [i32; 2] = [SIGKILL, SIGXCPU];

/// Runs a program for at most so much of a processor's time; what it prints goes to `log`.
pub fn run(program: &Command, limit: Duration, log: &Path) -> Result<Ran> {
    // In whole seconds, as the system has it.
    let limit = Duration::from_secs(limit.as_secs().max(1));
    let out = File::create(log)?;
    let mut limited = Command::new("bash");
    limited.args(["-c", "ulimit -t \"$1\"; shift; exec \"$@\"", "bash"]);
    limited.arg(limit.as_secs().to_string()).arg(program.get_program());
    limited.args(program.get_args());
    for (name, value) in program.get_envs() {
        limited.env(name, value.unwrap_or_default());
    }
    let before = processor_time()?;
    let mut child = limited.stdin(Stdio::null()).stderr(out.try_clone()?).stdout(out).spawn()?;
    // One that waits for ever uses no processor.
    let status = child.wait_timeout(limit * 30 + Duration::from_secs(60))?;
    if status.is_none() {
        child.kill()?;
        child.wait()?;
    }
    let took = processor_time()?.saturating_sub(before);
    let end = match status {
        Some(status) if status.success() => End::Well,
        // By whatever but the limit, which the system counts by itself: how long it took says nothing of that.
        Some(status) if !status.signal().is_some_and(|signal| BY_LIMIT.contains(&signal)) => {
            End::Badly(String::from_utf8_lossy(&fs::read(log)?).into_owned())
        }
        _ => End::Cut,
    };
    Ok(Ran { end, took })
}

/// The processor's time that programs have used which this one has waited for.
pub fn processor_time() -> Result<Duration> {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let total = usage.user_time() + usage.system_time();
    Ok(Duration::from_micros(u64::try_from(total.num_microseconds())?))
}

/// Cargo, in `folder`, building in `target`.
pub fn cargo(folder: &Path, target: impl AsRef<OsStr>) -> Command {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.current_dir(folder).env("CARGO_TARGET_DIR", target);
    cargo
}
