//! Line coverage of `src/` by the test-suite.
//!
//! `cargo-llvm-cov` measures; what is counted here is the lines of what ships. A line counts as reached if
//! any test of any build reaches it: the default one, the second reclaimer, the histories with their step
//! hook. Tests within `src/` are no lines of the crate, and what this target does not compile has none.

use std::collections::BTreeMap;
use std::fs;
use std::ops::RangeInclusive;
use std::path::Path;
use std::process::Command;

use syn::spanned::Spanned;
use syn::visit::{self, Visit};

use crate::Result;
use crate::modules::{self, Builds};

/// What runs, each with its environment. The two-map gateway and its tests cover no line of their own.
const RUNS: [&str; 3] = [
    "--lib --test contract --test defects --test differential --test stress --test memory --test static_assertions",
    "--features crossbeam-epoch --lib --test contract",
    "--features steps --test linearizable",
];

/// What has to be reached, in hundredths.
const LEAST: f64 = 95.0;

/// The release that the figures are from; others may count otherwise.
const TOOL: &str = "cargo-llvm-cov 0.9.1";
const HOW: &str = "cargo install cargo-llvm-cov --locked --version 0.9.1 && \
                   rustup component add llvm-tools";

/// Measures the coverage.
#[derive(clap::Args)]
pub struct Options {
    /// Only reports what was measured before.
    #[arg(long)]
    report: bool,
    /// Lists the lines that no test reaches.
    #[arg(long)]
    lines: bool,
}

/// `true`: enough lines are reached.
pub fn run(root: &Path, options: &Options) -> Result<bool> {
    let measured = root.join("target/coverage.lcov");
    if !options.report {
        measure(root, &measured)?;
    }
    let reached = read(root, &fs::read_to_string(measured)?)?;
    let (mut all, mut hit) = (0, 0);
    println!("| file | lines | reached | |\n|---|---:|---:|---:|");
    for module in modules::read(root)?.iter().filter(|module| module.builds.ship()) {
        let Some(lines) = reached.get(&module.name) else {
            continue;
        };
        let mut tests = TestOnly { builds: module.builds, lines: Vec::new() };
        tests.visit_file(&module.syntax);
        let counts = |line: &u64| !tests.lines.iter().any(|range| range.contains(line));
        let lines: Vec<_> = lines.iter().filter(|(line, _)| counts(line)).collect();
        if lines.is_empty() {
            continue;
        }
        let missed = lines.iter().filter(|(_, times)| **times == 0);
        let missed: Vec<_> = missed.map(|(line, _)| line.to_string()).collect();
        let here = lines.len() - missed.len();
        println!(
            "| {} | {} | {here} | {:.1}% |",
            module.name,
            lines.len(),
            share(here, lines.len())
        );
        if options.lines && !missed.is_empty() {
            println!("  not reached: {}", missed.join(", "));
        }
        all += lines.len();
        hit += here;
    }
    let reached = share(hit, all);
    println!("\n{hit} of {all} lines reached: {reached:.2}%, at least {LEAST}% are wanted");
    Ok(all > 0 && reached >= LEAST)
}

fn share(part: usize, of: usize) -> f64 {
    100.0 * part as f64 / of.max(1) as f64
}

fn measure(root: &Path, to: &Path) -> Result<()> {
    let tool = |arguments: &[&str]| {
        let mut cargo = Command::new(env!("CARGO"));
        cargo.arg("llvm-cov").args(arguments).current_dir(root);
        cargo
    };
    let version = String::from_utf8(tool(&["--version"]).output()?.stdout)?;
    if version.trim() != TOOL {
        return Err(format!("this needs {TOOL}: {HOW}").into());
    }
    let run = |mut command: Command| -> Result<()> {
        let status = command.status()?;
        if status.success() { Ok(()) } else { Err(format!("{command:?}: {status}").into()) }
    };
    run(tool(&["clean", "--workspace"]))?;
    for arguments in RUNS {
        let mut command = tool(&["--no-report", "-p", "tandem-registry"]);
        command.args(arguments.split(' '));
        // Some of them, as they reach no line more.
        command.env("HISTORIES", "500");
        run(command)?;
    }
    let mut report = tool(&["report", "--lcov", "--output-path"]);
    report.arg(to);
    run(report)
}

/// How often each line of each file was reached, out of `lcov`'s format.
fn read(root: &Path, lcov: &str) -> Result<BTreeMap<String, BTreeMap<u64, u64>>> {
    let mut files = BTreeMap::<String, BTreeMap<u64, u64>>::new();
    let mut file = None;
    for line in lcov.lines() {
        if let Some(name) = line.strip_prefix("SF:") {
            let name = Path::new(name).strip_prefix(root).unwrap_or(Path::new(name));
            file = Some(name.to_string_lossy().into_owned());
        } else if let Some((line, times)) =
            line.strip_prefix("DA:").and_then(|data| data.split_once(','))
        {
            let file = file.clone().ok_or("lcov: a line of no file")?;
            *files.entry(file).or_default().entry(line.parse()?).or_default() +=
                times.parse::<u64>()?;
        }
    }
    Ok(files)
}

/// The lines of a file that users do not have.
struct TestOnly {
    builds: Builds,
    lines: Vec<RangeInclusive<u64>>,
}

impl TestOnly {
    /// Notes the lines of something, if its attributes keep it from what ships.
    fn look(&mut self, attributes: &[syn::Attribute], spanned: &impl Spanned) {
        if !self.builds.under(attributes).ship() {
            let span = spanned.span();
            self.lines.push(span.start().line as u64..=span.end().line as u64);
        }
    }
}

impl<'ast> Visit<'ast> for TestOnly {
    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        self.look(&item.attrs, item);
        visit::visit_item_mod(self, item);
    }

    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        self.look(&item.attrs, item);
        visit::visit_item_fn(self, item);
    }

    fn visit_item_impl(&mut self, item: &'ast syn::ItemImpl) {
        self.look(&item.attrs, item);
        visit::visit_item_impl(self, item);
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        self.look(&item.attrs, item);
        visit::visit_impl_item_fn(self, item);
    }
}
