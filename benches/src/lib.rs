//! The same jobs on `tandem-registry` and on what a server would use otherwise: two concurrent maps
//! that are updated one after the other.
//!
//! - [`population`]: the clients, and the orders in which they are asked for;
//! - [`peers`]: every design behind one trait, written as its experts would;
//! - [`jobs`]: lookups, churn and iteration, written once for all designs;
//! - [`race`]: threads that start together, timed from the first start to the last end;
//! - [`rounds`]: all designs in turn, and the ratios of each round;
//! - [`report`]: what came of it, as Markdown.
//!
//! The Criterion targets watch one design over time; `src/bin/table.rs` compares designs, and
//! `src/bin/instructions.rs` counts what they execute.

pub mod jobs;
pub mod peers;
pub mod population;
pub mod race;
pub mod report;
pub mod rounds;
