//! Weakens each atomic ordering of `src/`, one at a time, and looks who notices.
//!
//! A survivor is either an ordering that is not needed, or a model that is missing, or one of those that
//! `mutants/SURVIVORS.md` names with the reason why no model can tell and why the ordering stays.

mod layers;
mod sites;

use std::collections::hash_map::DefaultHasher;
use std::fs::{self, OpenOptions};
use std::hash::{Hash, Hasher};
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use serde::{Deserialize, Serialize};

use crate::Result;
use layers::{Layers, Verdict};
use sites::Site;

/// Weakens orderings and expects a model to fail.
#[derive(clap::Args)]
pub struct Options {
    /// Only sites of this FILE, or on this LINE of it: `src/places.rs:62`.
    #[arg(long, value_name = "FILE[:LINE]")]
    only: Option<String>,
    /// Lists the sites and does nothing.
    #[arg(long)]
    list: bool,
    /// How much of a processor's time the models of one site get; builds come on top.
    #[arg(long, default_value_t = 120)]
    seconds_per_site: u64,
    /// For how long in all: sites whose turn has not come by then are not run, as yet.
    #[arg(long)]
    seconds: Option<u64>,
    /// Runs what survived before once more, and no new sites.
    #[arg(long)]
    survivors: bool,
    /// At most so many sites that have no result yet.
    #[arg(long)]
    sites: Option<usize>,
}

/// A line of `target/orderings/results.jsonl`; the last one of a name counts, while its file is the same.
#[derive(Serialize, Deserialize)]
struct Known {
    name: String,
    file_hash: u64,
    verdict: Verdict,
}

/// `true`: some were weakened, and each was noticed or is among the justified survivors.
pub fn run(root: &Path, options: &Options) -> Result<bool> {
    let mut sites = sites::find(root)?;
    if let Some(only) = &options.only {
        let (file, line) = match only.rsplit_once(':') {
            Some((file, line)) => (file, Some(line.parse::<usize>()?)),
            None => (only.as_str(), None),
        };
        sites.retain(|site| site.file == file && line.is_none_or(|line| site.line == line));
    }
    if sites.is_empty() {
        return Err("no such site".into());
    }
    if options.list {
        for site in &sites {
            println!("{}:{}  {}", site.file, site.line, site.name);
        }
        println!("{} sites", sites.len());
        return Ok(true);
    }
    let justified = fs::read_to_string(root.join("mutants/SURVIVORS.md")).unwrap_or_default();
    let results = root.join("target/orderings/results.jsonl");
    fs::create_dir_all(root.join("target/orderings"))?;
    let mut known = read(&results)?;
    let bar = ProgressBar::new(sites.len() as u64);
    bar.set_style(ProgressStyle::with_template("{pos}/{len} {elapsed_precise} {wide_msg}")?);
    let mut layers = None;
    let mut left = options.sites.unwrap_or(usize::MAX);
    let until = options.seconds.map(|all| Instant::now() + Duration::from_secs(all));
    for site in &sites {
        bar.set_message(site.name.clone());
        let file_hash = hash_of(&root.join(&site.file))?;
        let before = latest(&known, site, file_hash);
        let wanted = match before {
            Some(before) => options.survivors && matches!(before.verdict, Verdict::Survived { .. }),
            None => !options.survivors,
        };
        if wanted && left > 0 && !is_past(until) {
            let layers = match &mut layers {
                Some(layers) => layers,
                none => match Layers::new(root, until)? {
                    Some(new) => none.insert(new),
                    None => continue,
                },
            };
            left -= 1;
            let verdict = layers.judge(site, Duration::from_secs(options.seconds_per_site))?;
            let new = Known { name: site.name.clone(), file_hash, verdict };
            let mut file = OpenOptions::new().append(true).create(true).open(&results)?;
            writeln!(file, "{}", serde_json::to_string(&new)?)?;
            known.push(new);
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    report(root, &sites, &known, &justified)
}

/// Whether the time is up.
fn is_past(until: Option<Instant>) -> bool {
    until.is_some_and(|until| Instant::now() >= until)
}

/// Prints the matrix.
fn report(root: &Path, sites: &[Site], known: &[Known], justified: &str) -> Result<bool> {
    println!("| ordering | line | who noticed | seconds | what it said |\n|---|---:|---|---:|---|");
    let (mut killed, mut excused, mut survived, mut missing) = (0, 0, 0, 0);
    for site in sites {
        let Some(found) = latest(known, site, hash_of(&root.join(&site.file))?) else {
            missing += 1;
            continue;
        };
        let (name, line) = (&site.name, site.line);
        match &found.verdict {
            Verdict::Killed { by, seconds, said } => {
                killed += 1;
                let said = said.replace('|', "\\|");
                println!("| `{name}` | {line} | {by} | {seconds:.1} | {said} |");
            }
            Verdict::Survived { finished, unfinished, seconds } => {
                let row = format!("| `{name}` |");
                let is_excused = justified.lines().any(|line| line.starts_with(&row));
                excused += usize::from(is_excused);
                survived += usize::from(!is_excused);
                let verdict = if is_excused { "nobody, justified" } else { "NOBODY" };
                let cut = format!("{finished} checks finished, {unfinished} not");
                println!("| `{name}` | {line} | {verdict} | {seconds:.1} | {cut} |");
            }
            Verdict::DoesNotCompile => return Err(format!("{name} does not compile").into()),
        }
    }
    println!(
        "\n{} sites: {killed} noticed, {excused} justified, {survived} survived, {missing} not run yet",
        sites.len()
    );
    if missing == sites.len() {
        return Err("no ordering was weakened, as yet".into());
    }
    Ok(survived == 0)
}

fn read(results: &Path) -> Result<Vec<Known>> {
    let text = fs::read_to_string(results).unwrap_or_default();
    // A line that was cut short by a kill is run again.
    Ok(text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect())
}

fn latest<'k>(known: &'k [Known], site: &Site, file_hash: u64) -> Option<&'k Known> {
    known.iter().rev().find(|known| known.name == site.name && known.file_hash == file_hash)
}

fn hash_of(file: &Path) -> Result<u64> {
    let mut hasher = DefaultHasher::new();
    fs::read(file)?.hash(&mut hasher);
    Ok(hasher.finish())
}
