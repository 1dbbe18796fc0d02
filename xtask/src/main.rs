//! `cargo xtask`: the checks of this repository that take longer than its tests.

mod coverage;
mod fuzz;
mod loom;
mod modules;
mod mutants;
mod orderings;
mod pairs;
mod reads;
mod scratch;
mod unbounded;
mod verify;

use std::error::Error;
use std::path::Path;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Checks of tandem-registry.
#[derive(Parser)]
struct Options {
    #[command(subcommand)]
    check: Check,
}

#[derive(Subcommand)]
enum Check {
    /// Seeds each bug of `mutants/` into a copy, and expects the layer that it names to find it.
    Mutants(mutants::Options),
    /// Measures which lines of `src/` the tests reach, and fails below 95%.
    Coverage(coverage::Options),
    /// Fuzzes both targets for a given time, keeps what is new and writes a report.
    Fuzz(fuzz::Options),
    /// Runs the loom models, each in a process of its own.
    Loom(loom::Options),
    /// Weakens each atomic ordering of `src/` in a copy, and expects a model to notice.
    Orderings(orderings::Options),
    /// Explores every unordered pair of public operations under loom, and prints a matrix.
    Pairs(pairs::Options),
    /// Explores every loom model without a bound of preemptions, and prints which were completed.
    Unbounded(unbounded::Options),
    /// Runs the layers, most other checks of this program among them: without a flag those that have a
    /// recorded depth, at that depth.
    Verify(verify::Options),
}

fn main() -> ExitCode {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace is above");
    let passed = match Options::parse().check {
        Check::Loom(options) => loom::run(root, &options),
        Check::Mutants(options) => mutants::run(root, &options),
        Check::Coverage(options) => coverage::run(root, &options),
        Check::Fuzz(options) => fuzz::run(root, &options),
        Check::Orderings(options) => orderings::run(root, &options),
        Check::Pairs(options) => pairs::run(root, &options),
        Check::Unbounded(options) => unbounded::run(root, &options),
        Check::Verify(options) => verify::run(root, &options),
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
