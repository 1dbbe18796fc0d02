//! The layers as data. A command is what one would type at the root of the repository; `xtask` in it is this
//! program, and `$BUDGET` the seconds that a campaign gives it.

/// How deep to look.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    Quick,
    Recorded,
    Campaign,
}

/// One way of looking for bugs.
pub struct Layer {
    pub name: &'static str,
    pub proves: &'static str,
    /// The share of it that goes before every change.
    pub quick: Option<&'static str>,
    /// As deep as what is recorded in the repository.
    pub recorded: Option<&'static str>,
    pub campaign: Option<Campaign>,
}

/// What a layer does with more time.
pub struct Campaign {
    pub command: &'static str,
    /// Of a campaign's hours, in hundredths.
    pub share: u64,
    /// Of cargo-mutants: it goes on for as long as it is let, and what survives is no failure.
    pub is_endless: bool,
}

impl Layer {
    /// Its command at a depth.
    pub fn command(&self, depth: Depth) -> Option<&'static str> {
        match depth {
            Depth::Quick => self.quick,
            Depth::Recorded => self.recorded,
            Depth::Campaign => self.campaign.as_ref().map(|campaign| campaign.command),
        }
    }
}

const fn bounded(share: u64, command: &'static str) -> Option<Campaign> {
    Some(Campaign { command, share, is_endless: false })
}

const fn endless(share: u64, command: &'static str) -> Option<Campaign> {
    Some(Campaign { command, share, is_endless: true })
}

const LOOM: &str = "xtask loom";
const SHIPPED: &str = "xtask loom --on shipped";
// These build the files alone that have a model for it: each file is a program of its own.
const CROSSBEAM: &str = "xtask loom --on crossbeam aliases attach_detach_disconnect attach_disconnect \
                         capacity close disconnect_lookup iteration_connect outlived_registry \
                         reclaimer reuse_removed stale_key stale_level takeover_lookup";
/// A share of it.
const CROSSBEAM_QUICK: &str = "xtask loom --on crossbeam capacity disconnect_lookup \
                               outlived_registry reclaimer reuse_removed";
const HISTORIES: &str = "cargo test --features steps --test linearizable -- --nocapture";
const STALL: &str = "cargo test --lib stall -- --nocapture";
const CORPORA: &str = "cargo test --manifest-path fuzz/Cargo.toml";

/// All of them, cheap ones first.
pub const LAYERS: [Layer; 16] = [
    Layer {
        name: "stall",
        proves: "F: a thread stopped at any step stops no other",
        // `cargo test`, which `.ci/run` begins with, has it.
        quick: None,
        recorded: Some(STALL),
        campaign: bounded(0, STALL),
    },
    Layer {
        name: "fuzz corpora",
        proves: "A-J: no operation sequence or schedule that was ever found fails again",
        quick: Some(CORPORA),
        recorded: Some(CORPORA),
        campaign: bounded(0, CORPORA),
    },
    Layer {
        name: "histories",
        proves: "A-F, H: what real threads saw has an order that the contract allows",
        quick: Some(HISTORIES),
        recorded: Some(HISTORIES),
        // About 5,000 a second, on two cores.
        campaign: bounded(
            15,
            "HISTORIES=$((BUDGET * 4000)) cargo test --features steps --test linearizable \
             -- --nocapture",
        ),
    },
    Layer {
        name: "sanitizers",
        proves: "G, I: no access out of bounds or after the drop, no leak, no data race",
        quick: Some(".ci/sanitize"),
        recorded: Some(".ci/sanitize && .ci/sanitize crossbeam-epoch"),
        campaign: bounded(0, ".ci/sanitize && .ci/sanitize crossbeam-epoch"),
    },
    Layer {
        name: "seeded bugs",
        proves: "that the layers see a bug of each letter",
        quick: Some("xtask mutants --quick"),
        recorded: Some("xtask mutants"),
        campaign: bounded(0, "xtask mutants"),
    },
    Layer {
        name: "fuzz targets",
        proves: "A-J: new sequences and schedules, for a given time",
        quick: Some(".ci/fuzz"),
        recorded: Some(".ci/fuzz"),
        campaign: bounded(20, "xtask fuzz --seconds $BUDGET"),
    },
    Layer {
        name: "loom",
        proves: "A-H: the named races, in every order of steps; then with old values, where the largest are cut",
        quick: Some(LOOM),
        recorded: Some(LOOM),
        // About a dozen models are cut, two at a time.
        campaign: bounded(10, "LOOM_SECONDS=$((BUDGET / 8)) xtask loom"),
    },
    Layer {
        name: "loom, shipped reclaimer",
        proves: "A-H: on the reclaimer that ships, in every order of steps; those that are small with old values, too",
        quick: Some(SHIPPED),
        recorded: Some(SHIPPED),
        campaign: bounded(0, SHIPPED),
    },
    Layer {
        name: "loom, crossbeam-epoch",
        proves: "A-H: the same under the feature `crossbeam-epoch`, on its collector",
        quick: Some(CROSSBEAM_QUICK),
        recorded: Some(CROSSBEAM),
        campaign: bounded(0, CROSSBEAM),
    },
    Layer {
        name: "loom, no bound",
        proves: "A-H: the named races without a bound; those that take longer are cut, and say so",
        quick: None,
        recorded: None,
        // A third of about a hundred models is complete before, the others are cut, two at a time.
        campaign: bounded(10, "xtask unbounded --seconds-per-model $((BUDGET / 40 + 1))"),
    },
    Layer {
        name: "loom, all pairs",
        proves: "A-D, G, H: every two public operations against each other, cut as their time is up",
        quick: None,
        recorded: None,
        // About 2,400 models, two at a time, of which many are complete before.
        campaign: bounded(
            10,
            "xtask pairs --seconds $BUDGET --seconds-per-pair $((BUDGET / 500 + 1))",
        ),
    },
    Layer {
        name: "loom, triples",
        proves: "A-E, G: every three mutators against each other, in any role, in every order with one preemption",
        quick: None,
        recorded: None,
        campaign: bounded(
            5,
            "RUSTFLAGS='--cfg loom' TRIPLES_SECONDS=$BUDGET cargo test -p loom-tests --release \
             --target-dir target/loom --test pairs -- triples --exact --ignored --nocapture",
        ),
    },
    Layer {
        name: "loom, sequences",
        proves: "A-E, G: every two operations in a row against a mutator, in both roles, with two preemptions",
        quick: None,
        recorded: None,
        campaign: bounded(
            5,
            "RUSTFLAGS='--cfg loom' SEQUENCES_SECONDS=$BUDGET cargo test -p loom-tests --release \
             --target-dir target/loom --test pairs -- sequences::sequences --exact --ignored --nocapture",
        ),
    },
    Layer {
        name: "coverage",
        proves: "that the tests reach 95% of the lines",
        quick: None,
        recorded: Some("xtask coverage"),
        campaign: bounded(0, "xtask coverage"),
    },
    Layer {
        name: "orderings",
        proves: "that each atomic ordering, if weakened, is noticed, or that it is written why not",
        quick: None,
        recorded: None,
        campaign: bounded(15, "xtask orderings --seconds $BUDGET"),
    },
    Layer {
        name: "cargo-mutants",
        proves: "which changes of functions and operators no test notices",
        quick: None,
        recorded: None,
        campaign: endless(
            10,
            "OPERATIONS=80000 cargo mutants --iterate --output target/cargo-mutants",
        ),
    },
];

#[cfg(test)]
mod tests {
    use std::error::Error;
    use std::fs;
    use std::path::Path;

    use super::*;

    #[test]
    fn every_file_with_a_model_for_crossbeam_is_built_for_it() -> Result<(), Box<dyn Error>> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../loom-tests/tests");
        let mut files = 0;
        for file in fs::read_dir(folder)? {
            let path = file?.path();
            if !path.is_file() {
                continue;
            }
            files += 1;
            let text = fs::read_to_string(&path)?;
            let name = path.file_stem().unwrap_or_default().to_string_lossy();
            let is_built = CROSSBEAM.split(' ').any(|file| file == name);
            assert_eq!(is_built, text.contains(".crossbeam("), "{name}");
        }
        assert!(files > 0);
        Ok(())
    }
}
