//! What the seeded bugs are, and what has to be true of them together.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use super::killer::Killer;
use crate::Result;

/// One patch.
pub struct Mutant {
    pub name: String,
    pub letter: String,
    pub bug: String,
    pub killer: Killer,
    pub is_quick: bool,
    pub patch: String,
}

/// How many there are to be, of all letters and of each.
const LEAST: usize = 25;
const LEAST_OF_A_LETTER: usize = 2;

/// All of `mutants/`, by name. An error if they are too few, if a letter has too few or no quick one, or if
/// two change the same line.
pub fn read(root: &Path) -> Result<Vec<Mutant>> {
    let mut mutants = Vec::new();
    for file in fs::read_dir(root.join("mutants"))? {
        let path = file?.path();
        if path.extension().is_some_and(|extension| extension == "patch") {
            mutants.push(parse(&path)?);
        }
    }
    mutants.sort_by(|a, b| a.name.cmp(&b.name));
    let faults = faults(root, &mutants)?;
    if faults.is_empty() { Ok(mutants) } else { Err(faults.join("\n       ").into()) }
}

fn parse(path: &Path) -> Result<Mutant> {
    let patch = fs::read_to_string(path)?;
    let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let (header, _) = patch.split_once("\n\n").ok_or_else(|| format!("{name}: no header"))?;
    let value = |label: &str| {
        let line = header.lines().find_map(|line| line.strip_prefix(label));
        line.map(|value| value.trim().to_owned())
    };
    let field = |label: &str| value(label).ok_or_else(|| format!("{name}: no {label}"));
    Ok(Mutant {
        letter: field("Letter:")?,
        bug: field("Bug:")?,
        killer: Killer::parse(&field("Killed by:")?).map_err(|error| format!("{name}: {error}"))?,
        is_quick: value("Quick:").is_some_and(|value| value == "yes"),
        patch,
        name,
    })
}

fn faults(root: &Path, mutants: &[Mutant]) -> Result<Vec<String>> {
    let mut faults = Vec::new();
    if mutants.len() < LEAST {
        faults.push(format!("{} seeded bugs, {LEAST} are wanted", mutants.len()));
    }
    for letter in 'A'..='J' {
        let of_letter = || mutants.iter().filter(|mutant| mutant.letter == letter.to_string());
        if of_letter().count() < LEAST_OF_A_LETTER {
            faults.push(format!("{letter}: fewer than {LEAST_OF_A_LETTER} seeded bugs"));
        }
        if !of_letter().any(|mutant| mutant.is_quick) {
            faults.push(format!("{letter}: no seeded bug is `Quick: yes`"));
        }
    }
    let mut changed = BTreeMap::new();
    for mutant in mutants {
        for place in places(root, mutant)? {
            let at = format!("{}:{}", place.0, place.1);
            if let Some(other) = changed.insert(place, &mutant.name)
                && *other != mutant.name
            {
                faults.push(format!("{other} and {} both change {at}", mutant.name));
            }
        }
    }
    Ok(faults)
}

/// The lines that a patch removes, or adds something after, in the files as they are now.
fn places(root: &Path, mutant: &Mutant) -> Result<Vec<(String, usize)>> {
    let (mut places, mut file) = (Vec::new(), String::new());
    let mut lines = mutant.patch.lines().peekable();
    while let Some(line) = lines.next() {
        if let Some(name) = line.strip_prefix("+++ b/") {
            file = name.to_owned();
        }
        if !line.starts_with("@@ ") {
            continue;
        }
        // The old side of a hunk, and which of its lines it changes.
        let (mut old, mut touched) = (Vec::new(), Vec::new());
        while let Some(line) = lines.next_if(|line| !line.starts_with(['@', 'd'])) {
            match line.split_at_checked(1) {
                Some(("-", text)) => {
                    touched.push(old.len());
                    old.push(text);
                }
                Some(("+", _)) => {
                    // Next to a line that goes, it takes that line's place.
                    let after = old.len().saturating_sub(1);
                    if touched.last() != Some(&after) {
                        touched.push(after);
                    }
                }
                Some((_, text)) => old.push(text),
                None => old.push(""),
            }
        }
        let text = fs::read_to_string(root.join(&file))?;
        let text: Vec<&str> = text.lines().collect();
        let start = text.windows(old.len()).position(|window| window == old);
        let start = start.ok_or_else(|| format!("{} does not apply any more", mutant.name))?;
        places.extend(touched.into_iter().map(|at| (file.clone(), start + at + 1)));
    }
    Ok(places)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_seeded_bug_can_be_sown() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace is above");
        read(root).expect("they are as they should be");
    }
}
