//! `cargo xtask`: the checks of this repository that take longer than its tests.

mod mutants;
mod pairs;

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
    /// Explores every unordered pair of public operations under loom, and prints a matrix.
    Pairs {
        /// How often a thread is interrupted at most.
        #[arg(long, default_value_t = 3)]
        preemptions: usize,
        /// After how long a model of a pair is cut.
        #[arg(long, default_value_t = 10)]
        seconds_per_pair: u64,
    },
}

fn main() -> ExitCode {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace is above");
    let passed = match Options::parse().check {
        Check::Mutants { only } => mutants::run(root, &only),
        Check::Pairs { preemptions, seconds_per_pair } => {
            pairs::run(root, preemptions, seconds_per_pair)
        }
    };
    match passed {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
