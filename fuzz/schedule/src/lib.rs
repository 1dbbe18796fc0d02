//! Several threads on one registry, deterministic to the last step: the input says what each does, and
//! which of them goes on at each atomic operation. What they saw is then held against all that is known
//! of it.
//!
//! - [`input`]: what any bytes mean;
//! - `scheduler`: who goes on, as the bytes say;
//! - `run`: one execution;
//! - `calls`, `lookups`: what one thread does and what it notes down;
//! - `verdict`: whether some order of the calls explains all answers.
//!
//! The threads are tasks of shuttle's, on the build of the crate that `../shuttled` makes. It interleaves
//! and reorders nothing: weak orderings are loom's, not found here.

mod calls;
pub mod input;
mod lookups;
mod run;
mod scheduler;
mod verdict;

#[allow(dead_code, reason = "shared with the tests, which use more of it")]
#[path = "../../../tests/fixtures"]
mod fixtures {
    pub mod hashers;
    pub mod rng;
    pub mod tracked;
}

#[allow(dead_code, reason = "shared with the tests, which use more of it")]
#[path = "../../../tests/linearizable"]
mod linearizable {
    pub mod check;
    pub mod history;
    pub mod shrink;
    pub mod spec;
    pub mod walk;
}

pub use run::schedule;
