//! The check that has to see a seeded bug: a layer and a filter of its tests.

use std::path::Path;
use std::process::Stdio;

use crate::{Result, scratch};

/// As a patch names it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Killer {
    pub text: String,
    layer: Layer,
    filter: String,
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Layer {
    /// A file of models.
    Loom(String),
    /// The same on `crossbeam-epoch`.
    Crossbeam(String),
    Contract,
    Linearizable,
    /// `stall` or `unit`.
    Lib,
}

/// How a check ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum End {
    DoesNotCompile,
    Passes,
    Fails,
}

impl Killer {
    pub fn parse(text: &str) -> Result<Self> {
        let words: Vec<&str> = text.split_whitespace().collect();
        let (layer, filter) = match words[..] {
            ["loom", file, filter] => (Layer::Loom(file.to_owned()), filter),
            ["crossbeam", file, filter] => (Layer::Crossbeam(file.to_owned()), filter),
            ["contract", filter] => (Layer::Contract, filter),
            ["linearizable", filter] => (Layer::Linearizable, filter),
            ["stall" | "unit", filter] => (Layer::Lib, filter),
            _ => return Err(format!("no such layer: {text}").into()),
        };
        Ok(Self { text: text.to_owned(), layer, filter: filter.to_owned() })
    }

    /// Builds it in the tree and runs it.
    pub fn run(&self, scratch: &Path, tree: &Path) -> Result<End> {
        if !self.cargo(scratch, tree, true)? {
            return Ok(End::DoesNotCompile);
        }
        Ok(if self.cargo(scratch, tree, false)? { End::Passes } else { End::Fails })
    }

    fn cargo(&self, scratch: &Path, tree: &Path, build_only: bool) -> Result<bool> {
        let target = match self.layer {
            Layer::Loom(_) => "loom",
            Layer::Crossbeam(_) => "crossbeam",
            Layer::Contract | Layer::Lib => "plain",
            Layer::Linearizable => "steps",
        };
        let mut cargo = scratch::cargo(tree, scratch.join(target));
        cargo.arg("test");
        match &self.layer {
            Layer::Loom(file) => {
                cargo.args(["-p", "loom-tests", "--release", "--test", file]);
                cargo.env("RUSTFLAGS", "--cfg loom")
            }
            Layer::Crossbeam(file) => {
                cargo.args(["-p", "loom-tests", "--release", "--test", file]);
                cargo.env("RUSTFLAGS", "--cfg loom --cfg crossbeam_loom")
            }
            Layer::Contract => cargo.args(["--test", "contract"]),
            Layer::Linearizable => cargo.args(["--features", "steps", "--test", "linearizable"]),
            Layer::Lib => cargo.arg("--lib"),
        };
        // That a bug makes a model smaller or larger does not show that it is one.
        cargo.env("LOOM_COUNTS", "ignored");
        cargo.arg(if build_only { "--no-run" } else { &self.filter });
        Ok(cargo.stdout(Stdio::null()).stderr(Stdio::null()).status()?.success())
    }
}
