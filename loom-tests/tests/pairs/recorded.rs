//! How many executions each pair of mutators was seen to have, and what is too few. The tables are written by
//!
//! ```sh
//! RUSTFLAGS="--cfg loom" cargo test -p loom-tests --release --target-dir target/loom --test pairs -- \
//!     record --exact --ignored
//! ```
//!
//! The models are the same on every machine: what changes here says which races a change of the code has
//! made smaller or larger.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;

use tandem_registry::Policy;

use crate::operation::{MUTATORS, Operation};

/// A table, and where in it.
pub type Place = (usize, [usize; 2]);

type Table = [[usize; MUTATORS.len()]; MUTATORS.len()];

/// Under takeover, and under reject. A row is of one operation on the spawned thread, against each on the
/// other; 0 is a pair that is not run.
#[rustfmt::skip]
const RECORDED: [Table; 2] = [
[
    [ 999,  999,  999,  999,   15,  171,  397,  363,  363,  363,   37,   37,   37,  206,   99,   27,    4,  999],
    [ 999,  999,  999,  999,   15,  999,  397,  363,  363,  363,   37,   37,   37,  206,   99,   27,    4,  999],
    [ 999,  999,  999,  999,   15,  171,  397,  999,  999,  999,   39,   39,   39,  206,   99,   27,    4,  999],
    [ 999,  999,  999,  999,   15,  171,  397,  531,  531,  531,   37,   37,   37,  206,  999,   27,    4,  999],
    [  27,   27,   27,   43,  999,   15,  999,    6,    6,    6,    1,    1,    1,   31,    7,    1,    4,   88],
    [ 999,  999,  999,  999,   15,  999,  999,  814,  814,  814,   10,   10,   10,   10,  999,  456,    4,  999],
    [ 999,  999,  999,  999,  999,  999,  999,  999,  999,  999,   15,   15,   15,   49,  999,  519,    5,  999],
    [ 999,  457,  999,  999,    1,   61,   61,  189,  189,  189,   42,   42,   42,  161,   61,   22,    5,  306],
    [ 198,  198,  594,  202,    1,   61,   61,   76,   76,   76,   29,   29,   29,  161,   61,   22,    4,  193],
    [ 198,  198,  594,  202,    1,   61,   61,   76,   76,    0,   29,   29,   29,  161,   61,   22,    8,  193],
    [  88,   88,   88,   88,    1,    1,    1,   41,   41,   41,   43,   27,   15,    1,    1,    1,    4,   41],
    [  88,   88,   88,   88,    1,    1,    1,   41,   41,   41,   27,   27,   15,    1,    1,    1,    7,   41],
    [  88,   88,   88,   88,    1,    1,    1,   41,   41,   41,   15,   15,   27,    1,    1,    1,    4,   41],
    [ 634,  634,  634,  634,   37,   20,  172,  288,  288,  288,   15,   15,   15,  999,   20,    6,    4,  288],
    [ 999,  999,  999,  999,    7,  999,  999,  999,  999,  999,   15,   15,   15,   10,  999,  519,    4,  999],
    [ 294,  294,  294,  294,    1,  999,  999,  148,  148,  148,    6,    6,    6,    1,  999,   38,    4,  156],
    [   4,    4,    4,    4,    4,    4,    7,    7,    4,   24,    4,   17,    4,    4,    4,    4,    4,    4],
    [ 999,  999,  999,  999,   97,  999,  999,  561,  561,  561,   42,   42,   42,  582,  999,   27,    4,  999],
],
[
    [ 999,  549,  999,  999,   15,   27,   38,  314,  314,  314,    6,    6,    6,    7,    7,    1,    4,  194],
    [ 318,  999,  999,   27,   15,  999,   38,  314,  314,  314,    6,    6,    6,    7,    7,    1,    4,  194],
    [ 999,  999,  999,  999,   15,   27,   38,  999,  999,  999,    6,    6,    6,    7,    7,    1,    4,  500],
    [ 999,   27,  999,  999,   15,   27,   38,  513,  513,  513,    6,    6,    6,    7,   15,    1,    4,  522],
    [  27,   27,   27,   27,  999,   27,  999,    6,    6,    6,    1,    1,    1,   31,    7,    1,    4,   84],
    [  27,  999,   27,   27,   15,  999,  999,  116,  116,  116,    6,    6,    6,    7,  999,   65,    4,  194],
    [  30,   30,   30,   30,  999,  999,  999,  353,  353,  353,   10,   10,   10,   37,  999,  128,    5,  300],
    [ 654,   41,  999,  847,    1,   32,   32,    0,    0,    0,    0,    0,    0,  161,   32,    0,    0,    0],
    [  41,   41,  282,   54,    1,   32,   32,    0,    0,    0,    0,    0,    0,  161,   32,    0,    0,    0],
    [  41,   41,  282,   54,    1,   32,   32,    0,    0,    0,    0,    0,    0,  161,   32,    0,    0,    0],
    [   1,    1,    1,    1,    1,    1,    1,    0,    0,    0,    0,    0,    0,    1,    1,    0,    0,    0],
    [   1,    1,    1,    1,    1,    1,    1,    0,    0,    0,    0,    0,    0,    1,    1,    0,    0,    0],
    [   1,    1,    1,    1,    1,    1,    1,    0,    0,    0,    0,    0,    0,    1,    1,    0,    0,    0],
    [   7,    7,    7,    7,   37,    7,   82,  288,  288,  288,   15,   15,   15,  999,    7,    6,    4,  288],
    [   7,    7,    7,    8,    7,  999,  999,  406,  406,  406,   10,   10,   10,    7,  999,  128,    4,  999],
    [   1,    1,    1,    1,    1,  370,  370,    0,    0,    0,    0,    0,    0,    1,  370,    0,    0,    0],
    [   4,    4,    4,    4,    4,    4,    7,    0,    0,    0,    0,    0,    0,    4,    4,    0,    0,    0],
    [ 600,  600,  999,  999,   82,  457,  999,    0,    0,    0,    0,    0,    0,  582,  999,    0,    0,    0],
],
];

pub fn place(pair: [Operation; 2], policy: Policy) -> Place {
    let at = |operation| {
        let at = MUTATORS.iter().position(|&mutator| mutator == operation);
        at.expect("a mutator")
    };
    (usize::from(policy == Policy::Reject), pair.map(at))
}

/// The pairs that have less than 90% of what is recorded for them, and those of which nothing is.
pub fn shrunk(explored: &BTreeMap<Place, usize>) -> Vec<String> {
    let mut shrunk = Vec::new();
    for (table, rows) in RECORDED.iter().enumerate() {
        for (one, row) in rows.iter().enumerate() {
            for (other, &recorded) in row.iter().enumerate() {
                let found = explored.get(&(table, [one, other])).copied();
                let enough = (recorded * 9).div_ceil(10);
                if (recorded > 0) != found.is_some() || found.is_some_and(|found| found < enough) {
                    let [one, other] = [one, other].map(|at| MUTATORS[at]);
                    let (policy, found) = (["takeover", "reject"][table], found.unwrap_or(0));
                    shrunk.push(format!("{one:?} {other:?}, {policy}: {found} of {recorded}"));
                }
            }
        }
    }
    shrunk
}

/// Writes the tables in this file anew.
pub fn renew(explored: &BTreeMap<Place, usize>) {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/pairs/recorded.rs");
    let text = fs::read_to_string(path).expect("this file");
    let (head, rest) = text.split_once("const RECORDED").expect("the tables");
    let (_, tail) = rest.split_once(";\n\n").expect("an end of them");
    let mut tables = "const RECORDED: [Table; 2] = [\n".to_owned();
    for table in 0..2 {
        tables += "[\n";
        for one in 0..MUTATORS.len() {
            let row = (0..MUTATORS.len()).map(|other| explored.get(&(table, [one, other])));
            let row: Vec<_> = row.map(|it| format!("{:4}", it.copied().unwrap_or(0))).collect();
            writeln!(tables, "    [{}],", row.join(", ")).expect("a string");
        }
        tables += "],\n";
    }
    fs::write(path, format!("{head}{tables}];\n\n{tail}")).expect("this file can be written");
}
