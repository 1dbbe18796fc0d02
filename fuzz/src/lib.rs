//! Arbitrary operations of one thread on a registry and on the sequential model of the tests, side by side:
//! what [`input`] makes of the bytes is run by the tests' own `lockstep`.
//!
//! The fuzz targets only call into here, and into `tandem_registry_schedule` for several threads, so that
//! `tests/corpus.rs` can replay their inputs without libFuzzer.

pub mod input;

#[allow(dead_code, reason = "shared with the tests, which use more of it")]
#[path = "../../tests/fixtures"]
mod fixtures {
    pub mod hashers;
    pub mod lockstep;
    pub mod model;
    pub mod ops;
    pub mod rng;
    pub mod tracked;
}

use std::hash::BuildHasher;

use fixtures::{
    hashers::{FewBits, Identity},
    lockstep::{Lockstep, Setup},
    ops::Op,
    tracked::Ledger,
};
use input::Hashing;
pub use input::Ops;

thread_local! {
    // One for each thread, so that tests which run side by side don't count each other's values. It is
    // leaked because a value may outlive all else if the registry is wrong.
    static LEDGER: &'static Ledger = Box::leak(Box::default());
}

/// Runs the operations. Panics as soon as the registry and the model disagree.
pub fn ops(input: Ops) {
    let Ops { setup, hashing, ops } = input;
    match hashing {
        Hashing::Seeded => run(setup, ahash::RandomState::with_seeds(1, 2, 3, 4), ops),
        Hashing::FewBits(bits) => run(setup, FewBits(u32::from(bits)), ops),
        Hashing::Identity => run(setup, Identity, ops),
    }
}

fn run(setup: Setup, hasher: impl BuildHasher, ops: Vec<Op>) {
    let ledger = LEDGER.with(|ledger| *ledger);
    let mut lockstep = Lockstep::new(setup, hasher, ledger);
    lockstep.run(&mut ops.into_iter());
    lockstep.finish();
}
