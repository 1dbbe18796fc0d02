//! A lock-free, sharded, in-process client registry: client id -> client and node id -> outbound
//! stream, linked, so that ending a client retires its stream in the same atomic step.
//!
//! # Guarantees
//!
//! TODO
#![cfg_attr(loom, allow(dead_code))]

mod bucket;
mod builder;
mod client;
mod custody;
mod error;
mod grow;
mod guard;
mod iter;
mod key;
mod list;
mod places;
mod policy;
mod prefetch;
mod reclaim;
mod registry;
mod removed;
mod segments;
mod session;
mod slots;
mod stack;
#[cfg(all(test, not(loom)))]
mod stall;
mod state;
mod stats;
#[cfg(all(not(loom), any(test, feature = "steps")))]
#[doc(hidden)]
pub mod steps;
mod swing;
mod sync;
mod table;
mod tandem;

pub use builder::Builder;
pub use client::{Connected, Displaced, NewClient};
pub use equivalent::Equivalent;
pub use error::{
    AliasError, AliasErrorKind, AttachError, BuildError, BuildErrorKind, ConnectError,
    ConnectErrorKind, UpdateError,
};
pub use guard::{ClientRef, Guard, Route};
pub use iter::Iter;
pub use key::{ClientKey, StreamKey};
pub use policy::Policy;
pub use registry::Registry;
pub use removed::{Detached, Removed};
pub use session::Session;
pub use stats::{Flushed, Stats};
