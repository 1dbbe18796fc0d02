//! The `gateway` example as a process of its own, for the tests that drive it from outside.
//!
//! Nothing here waits for ever, and no process outlives its test.

use std::{
    env,
    io::{BufRead, BufReader, Read},
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::{
        OnceLock,
        mpsc::{self, Receiver},
    },
    thread,
    time::{Duration, Instant},
};

/// The example's binary, which `cargo test` builds. A test target that is run by its name alone
/// (`--test`) may find none: then it is built here.
pub fn binary() -> &'static PathBuf {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| {
        let test = env::current_exe().expect("a test knows its own path");
        let profile = test.ancestors().nth(2).expect("a test lies in <target>/<profile>/deps");
        let binary =
            profile.join("examples").join("gateway").with_extension(env::consts::EXE_EXTENSION);
        if !binary.exists() {
            let name = match profile.file_name().and_then(|name| name.to_str()) {
                Some("debug") | None => "test",
                Some(name) => name,
            };
            let built = Command::new(env!("CARGO"))
                .args(["build", "--quiet", "--example", "gateway", "--profile", name])
                .current_dir(env!("CARGO_MANIFEST_DIR"))
                .status();
            assert!(
                built.is_ok_and(|status| status.success()) && binary.exists(),
                "no {}: run `cargo build --example gateway` in the tests' profile",
                binary.display()
            );
        }
        binary
    })
}

/// A running gateway, killed when dropped.
pub struct Gateway {
    pub child: Child,
    /// What it prints, line by line.
    pub stdout: Receiver<String>,
    stderr: Receiver<String>,
}

/// How a gateway ended, and what it had still to say.
pub struct Ended {
    pub status: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Gateway {
    pub fn start(command: &mut Command) -> Self {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"));
        let stdout = lines(child.stdout.take().expect("stdout is piped"));
        let stderr = lines(child.stderr.take().expect("stderr is piped"));
        Self { child, stdout, stderr }
    }

    /// Waits until it ends by itself.
    pub fn finish(mut self, patience: Duration) -> Ended {
        let deadline = Instant::now() + patience;
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("a child can be waited for") {
                break status.code();
            }
            assert!(Instant::now() < deadline, "still running after {patience:?}");
            thread::sleep(Duration::from_millis(10));
        };
        Ended { status, stdout: self.stdout.iter().collect(), stderr: self.stderr.iter().collect() }
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        // Either may fail because it has ended already, which is as well.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn lines(source: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, lines) = mpsc::channel();
    thread::spawn(move || {
        let mut source = BufReader::new(source);
        loop {
            let mut line = String::new();
            match source.read_line(&mut line) {
                Ok(1..) if sender.send(line).is_ok() => {}
                _ => return,
            }
        }
    });
    lines
}
