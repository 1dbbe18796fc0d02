//! `cargo xtask`: the checks of this repository that take longer than its tests.

mod mutants;

use std::path::Path;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Checks of tandem-registry.
#[derive(Parser)]
struct Options {
    #[command(subcommand)]
    check: Check,
}

#[derive(Subcommand)]
enum Check {
    /// Seeds each bug of `mutants/` into a copy, and expects the layer that it names to find it.
    Mutants {
        /// Only patches whose name contains this.
        #[arg(long, default_value = "")]
        only: String,
    },
}

fn main() -> ExitCode {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace is above");
    match Options::parse().check {
        Check::Mutants { only } => match mutants::run(root, &only) {
            Ok(true) => ExitCode::SUCCESS,
            Ok(false) => ExitCode::FAILURE,
            Err(error) => {
                eprintln!("error: {error}");
                ExitCode::FAILURE
            }
        },
    }
}
