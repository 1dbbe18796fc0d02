//! What is run on a weakened ordering: the loom models one by one, likely killers first, then the thread
//! sanitizer.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::is_past;
use super::sites::{Loom, Site};
use crate::Result;
use crate::scratch::{self, End, Ran};

/// Which models see most of a file: the races they are of. All others follow.
const NEAR: [(&str, &[&str]); 24] = [
    ("src/places", &["capacity", "close"]),
    ("src/custody", &["outlived_registry"]),
    ("src/aim", &["away_from_home", "stale_level", "takeover_lookup"]),
    ("src/bucket", &["away_from_home", "takeover_lookup", "connect_connect", "growth"]),
    ("src/control", &["takeover_lookup", "growth"]),
    ("src/level", &["leaving_level", "growth", "stale_level"]),
    ("src/grow", &["leaving_level", "growth"]),
    ("src/shard", &["leaving_level", "growth"]),
    ("src/table", &["leaving_level", "growth"]),
    ("src/slots/heirs", &["connect_connect", "takeover_lookup", "aliases", "capacity"]),
    ("src/slots", &["iteration_connect", "reuse_removed", "stale_key", "connect_connect"]),
    ("src/stack", &["free_slots"]),
    ("src/list", &["aliases", "connect_connect"]),
    ("src/swing", &["attach_disconnect"]),
    ("src/segments", &["segments"]),
    ("src/sync/pool", &["thread_numbers"]),
    ("src/tandem/alias", &["aliases"]),
    ("src/tandem/attach", &["attach_disconnect"]),
    ("src/tandem/drive", &["connect_connect", "aliases"]),
    ("src/tandem/settle", &["aliases", "connect_connect"]),
    ("src/tandem", &["outlived_registry", "capacity", "connect_connect", "takeover_lookup"]),
    ("src/reclaim/queue", &["reclaimer_batches"]),
    ("src/reclaim/pile", &["reclaimer_batches"]),
    ("src/reclaim", &["reclaimer", "reclaimer_another_flushes", "reclaimer_number_handed_on"]),
];

/// A loom model and how long it takes on the code as it is.
#[derive(Clone, Serialize, Deserialize)]
struct Model {
    /// The file that it is in.
    race: String,
    name: String,
    seconds: f64,
}

impl Model {
    fn path(&self) -> String {
        format!("{}::{}", self.race, self.name)
    }
}

/// The scratch copy and what is known of the layers there.
pub struct Layers {
    tree: PathBuf,
    scratch: PathBuf,
    host: String,
    models: Vec<Model>,
}

/// What became of a site.
#[derive(Serialize, Deserialize)]
pub enum Verdict {
    /// By which check, after so many seconds of running, and what it said.
    Killed { by: String, seconds: f64, said: String },
    /// So many checks were finished, and so many were not, as the time was up.
    Survived { finished: usize, unfinished: usize, seconds: f64 },
    /// A change that no compiler takes says nothing.
    DoesNotCompile,
}

/// A test target with the models of all files in it.
const ALL: &str = "all_races";

fn all(tree: &Path) -> Result<String> {
    let mut races = Vec::new();
    for file in fs::read_dir(tree.join("loom-tests/tests"))? {
        let path = file?.path();
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        // The pairs are a campaign of their own.
        let is_one = path.extension().is_some_and(|extension| extension == "rs");
        if is_one && ![ALL, "pairs"].contains(&name.as_str()) {
            races.push(name);
        }
    }
    races.sort();
    let mut text = "//! All models.\n#![cfg(loom)]\n#![allow(missing_docs)]\n".to_owned();
    for race in races {
        writeln!(text, "#[path = \"{race}.rs\"]\nmod {race};")?;
    }
    Ok(text)
}

/// Models too large to be completed are cut after this, whatever their own limit.
const CUT: &str = "10";

/// From how many seconds on a model waits until all others have run.
const SLOW: f64 = 3.0;

impl Layers {
    /// Takes the times of all models on the code as it is, once: `models` keeps them. `None`: the time was up
    /// before it had them all.
    pub fn new(root: &Path, until: Option<Instant>) -> Result<Option<Self>> {
        let scratch = root.join("target/orderings");
        let tree = scratch.join("tree");
        scratch::copy_tracked(root, &tree)?;
        fs::write(tree.join("loom-tests/tests").join(ALL).with_extension("rs"), all(&tree)?)?;
        let version = Command::new("rustc").arg("-vV").output()?;
        let version = String::from_utf8(version.stdout)?;
        let host = version.lines().find_map(|line| line.strip_prefix("host: "));
        let mut layers = Self {
            host: host.ok_or("rustc does not name its host")?.to_owned(),
            tree,
            scratch,
            models: Vec::new(),
        };
        Ok(layers.measure(until)?.map(|models| {
            layers.models = models;
            layers
        }))
    }

    fn measure(&self, until: Option<Instant>) -> Result<Option<Vec<Model>>> {
        let kept = self.scratch.join("models.json");
        let known: Vec<Model> = match fs::read(&kept) {
            Ok(text) => serde_json::from_slice(&text)?,
            Err(_) => Vec::new(),
        };
        let program = self.build(Loom::Plain)?.ok_or("the models do not compile")?;
        let list = Command::new(&program).args(["--list", "--format", "terse"]).output()?;
        let list = String::from_utf8(list.stdout)?;
        let mut models = Vec::new();
        for path in list.lines().filter_map(|line| line.strip_suffix(": test")) {
            let (race, name) = path.split_once("::").ok_or("a model outside of its race's file")?;
            let mut model = Model { race: race.to_owned(), name: name.to_owned(), seconds: 0.0 };
            let is_it = |known: &&Model| known.path() == path;
            model.seconds = if let Some(model) = known.iter().find(is_it) {
                model.seconds
            } else {
                if is_past(until) {
                    return Ok(None);
                }
                eprintln!("{path}, as it is");
                let ran = self.explore(&program, &model, Duration::from_secs(3_600))?;
                if let End::Badly(_) = ran.end {
                    return Err(format!("{path} fails as it is").into());
                }
                ran.took.as_secs_f64()
            };
            models.push(model);
            // Now, as this takes long, and may be ended.
            let others = known
                .iter()
                .filter(|known| models.iter().all(|model: &Model| model.path() != known.path()));
            let all: Vec<_> = models.iter().chain(others).collect();
            fs::write(&kept, serde_json::to_vec_pretty(&all)?)?;
        }
        Ok(Some(models))
    }

    /// The program with all models: one, as most of what they are made of is the same. `None`: it does not
    /// compile.
    fn build(&self, loom: Loom) -> Result<Option<PathBuf>> {
        let (target, flags) = match loom {
            Loom::Plain => ("loom", "--cfg loom"),
            Loom::OnCrossbeam => ("loom-crossbeam", "--cfg loom --cfg crossbeam_loom"),
        };
        let mut cargo = scratch::cargo(&self.tree, self.scratch.join(target));
        cargo.env("RUSTFLAGS", flags).env("CARGO_PROFILE_RELEASE_INCREMENTAL", "true");
        cargo.args(["test", "--no-run", "-p", "loom-tests", "--release", "--test", ALL]);
        let programs = scratch::build(&mut cargo, Stdio::null())?;
        Ok(programs.and_then(|mut programs| programs.pop()).map(|(_, program)| program))
    }

    fn explore(&self, program: &Path, model: &Model, limit: Duration) -> Result<Ran> {
        let mut run = Command::new(program);
        run.args(["--exact", &model.path(), "--nocapture", "--test-threads=1"]);
        // A weaker ordering changes how many executions there are, and a model that is cut sooner has fewer.
        run.env("LOOM_SECONDS", CUT).env("LOOM_COUNTS", "ignored");
        scratch::run(&run, limit, &self.scratch.join("log"))
    }

    /// Fast models first, then the others; of each kind those of the races that are near first.
    fn order(&self, site: &Site) -> Vec<&Model> {
        let near = NEAR.iter().find(|(file, _)| site.file.starts_with(file));
        let near = near.map_or(&[][..], |(_, races)| races);
        let mut order: Vec<&Model> = self.models.iter().collect();
        order.sort_by(|a, b| {
            let kind = |model: &Model| (model.seconds > SLOW, !near.contains(&model.race.as_str()));
            kind(a).cmp(&kind(b)).then(a.seconds.total_cmp(&b.seconds))
        });
        order
    }

    /// Weakens a site and runs what may notice: models for about `budget`, then the thread sanitizer.
    pub fn judge(&self, site: &Site, budget: Duration) -> Result<Verdict> {
        let file = self.tree.join(&site.file);
        let text = fs::read_to_string(&file)?;
        fs::write(&file, site.weaken(&text))?;
        let verdict = self.judge_weakened(site, budget);
        fs::write(&file, text)?;
        verdict
    }

    fn judge_weakened(&self, site: &Site, budget: Duration) -> Result<Verdict> {
        let (mut finished, mut unfinished, mut spent) = (0, 0, Duration::ZERO);
        let mut program = None;
        if let Some(loom) = site.in_loom {
            program = self.build(loom)?;
            if program.is_none() {
                return Ok(Verdict::DoesNotCompile);
            }
        }
        for model in program.iter().flat_map(|_| self.order(site)) {
            let left = budget.saturating_sub(spent);
            if left.is_zero() {
                unfinished += 1;
                continue;
            }
            let ran = self.explore(program.as_deref().expect("there are models"), model, left)?;
            spent += ran.took;
            match ran.end {
                End::Badly(said) => {
                    let by = format!("loom {} {}", model.race, model.name);
                    let (seconds, said) = (ran.took.as_secs_f64(), first_panic(&said));
                    return Ok(Verdict::Killed { by, seconds, said });
                }
                End::Well => finished += 1,
                End::Cut => unfinished += 1,
            }
        }
        let Some(ran) = self.sanitize(site)? else {
            return Ok(Verdict::DoesNotCompile);
        };
        spent += ran.took;
        match ran.end {
            End::Well => finished += 1,
            End::Cut => unfinished += 1,
            End::Badly(said) => {
                let warning =
                    said.lines().find(|line| line.starts_with("WARNING: ThreadSanitizer"));
                let said = warning.map_or_else(|| first_panic(&said), str::to_owned);
                let by = "thread sanitizer, churn".to_owned();
                return Ok(Verdict::Killed { by, seconds: ran.took.as_secs_f64(), said });
            }
        }
        Ok(Verdict::Survived { finished, unfinished, seconds: spent.as_secs_f64() })
    }

    /// `examples/churn` under the thread sanitizer, as in `.ci/sanitize`, shorter.
    fn sanitize(&self, site: &Site) -> Result<Option<Ran>> {
        let mut cargo = scratch::cargo(&self.tree, self.scratch.join("tsan"));
        cargo.env("RUSTC_BOOTSTRAP", "1");
        cargo.env("RUSTFLAGS", "-Zsanitizer=thread -Cunsafe-allow-abi-mismatch=sanitizer");
        cargo.args(["build", "--release", "--example", "churn", "--target", &self.host]);
        if !site.by_default {
            cargo.args(["--features", "crossbeam-epoch"]);
        }
        let Some((_, program)) =
            scratch::build(&mut cargo, Stdio::null())?.and_then(|mut built| built.pop())
        else {
            return Ok(None);
        };
        let suppressions = self.tree.join(".ci/tsan.supp");
        let options = format!("suppressions={} halt_on_error=1", suppressions.display());
        let mut all = Ran { end: End::Well, took: Duration::ZERO };
        // In the last one chains overflow.
        let runs = [
            "--operations 20000",
            "--operations 5000 --reject --max-clients 100",
            "--operations 4000 --hash-bits 5",
        ];
        for flags in runs {
            let mut churn = Command::new(&program);
            churn.args(["--threads", "3", "--nodes", "200"]).args(flags.split(' '));
            churn.env("TSAN_OPTIONS", &options);
            let log = self.scratch.join("log");
            let ran = scratch::run(&churn, Duration::from_secs(120), &log)?;
            all = Ran { end: ran.end, took: all.took + ran.took };
            if !matches!(all.end, End::Well) {
                break;
            }
        }
        Ok(Some(all))
    }
}

/// What the first panic says.
fn first_panic(said: &str) -> String {
    let mut lines = said.lines().skip_while(|line| !line.contains("panicked at"));
    let place = lines.next().unwrap_or("no panic: it was ended by a signal").trim();
    let message = lines.map(str::trim).find(|line| !line.is_empty()).unwrap_or(place);
    message.chars().take(100).collect()
}
