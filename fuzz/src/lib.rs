//! Drives a registry and a sequential model through the same operations, whatever they are, and compares
//! all that the two say. Every value in the registry counts its drop: in the end as many have been
//! dropped as were made, so that a leak is found without the help of a sanitizer.
//!
//! - [`input`]: what any bytes mean;
//! - `drive`: the two side by side, and what each operation means for them;
//! - `change`: the operations that change something;
//! - `handed_out`: keys and values that the registry gave away;
//! - `hold`: guards, and what they reached, kept over the operations that follow;
//! - `check`: lookups and iterations, compared with the model.
//!
//! The fuzz targets only call into here, so that `tests/corpus.rs` can replay their inputs without
//! libFuzzer.

mod change;
mod check;
mod drive;
mod handed_out;
mod hold;
pub mod input;

#[allow(dead_code, reason = "shared with the tests, which use more of it")]
#[path = "../../tests/fixtures"]
mod fixtures {
    pub mod hashers;
    pub mod model;
    pub mod rng;
    pub mod tracked;
}

use std::hash::BuildHasher;

use fixtures::{
    hashers::{FewBits, Identity},
    tracked::Ledger,
};
pub use input::Ops;
use input::{Hashing, Op, Setup};

thread_local! {
    // One for each thread, so that tests which run side by side don't count each other's values. It is
    // leaked because a value may outlive all else if the registry is wrong.
    static LEDGER: &'static Ledger = Box::leak(Box::default());
}

/// Runs the operations. Panics as soon as the registry and the model disagree.
pub fn ops(input: Ops) {
    let Ops { setup, ops } = input;
    match setup.hashing {
        Hashing::Seeded => run(setup, ahash::RandomState::with_seeds(1, 2, 3, 4), ops),
        Hashing::FewBits(bits) => run(setup, FewBits(u32::from(bits)), ops),
        Hashing::Identity => run(setup, Identity, ops),
    }
}

fn run(setup: Setup, hasher: impl BuildHasher, ops: Vec<Op>) {
    let ledger = LEDGER.with(|ledger| *ledger);
    let mut drive = drive::Drive::new(setup, hasher, ledger);
    drive.run(&mut ops.into_iter(), usize::MAX);
    drive.finish();
}
