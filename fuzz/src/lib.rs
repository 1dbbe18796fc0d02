//! Arbitrary operations of one thread on a registry and on the sequential model of the tests, side by side:
//! what [`input`] makes of the bytes is run by the tests' own `lockstep`, or by `unlawful` if the names lie.
//!
//! The fuzz targets only call into here, and into `tandem_registry_schedule` for several threads, so that
//! `tests/corpus.rs` can replay their inputs without libFuzzer.

mod hashing;
pub mod input;
mod unlawful;

#[allow(dead_code, reason = "shared with the tests, which use more of it")]
#[path = "../../tests/fixtures"]
mod fixtures {
    pub mod hashers;
    pub mod lockstep;
    pub mod model;
    pub mod ops;
    pub mod rng;
    pub mod tracked;
    pub mod unruly;
}

use fixtures::{lockstep::Lockstep, tracked::Ledger, unruly};
use input::Names;
pub use input::Ops;
use unlawful::Unlawful;

thread_local! {
    // One for each thread, so that tests which run side by side don't count each other's values. It is
    // leaked because a value may outlive all else if the registry is wrong.
    static LEDGER: &'static Ledger = Box::leak(Box::default());
}

/// Runs the operations. Panics as soon as the registry and the model disagree, or with names that lie, as
/// soon as it does what not even they excuse.
pub fn ops(input: Ops) {
    let Ops { setup, hashing, names, ops } = input;
    let ledger = LEDGER.with(|ledger| *ledger);
    if let Names::Unlawful { seed, lies_one_in } = names {
        unruly::lie(u64::from(seed) << 32, lies_one_in);
        let mut unlawful = Unlawful::new(setup, hashing, ledger);
        unlawful.run(&mut ops.into_iter());
        unlawful.finish(seed % 2 == 0);
        unruly::lie(0, 0);
    } else {
        let mut lockstep = Lockstep::new(setup, hashing, ledger);
        lockstep.run(&mut ops.into_iter());
        lockstep.finish();
    }
}
