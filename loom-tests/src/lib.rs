//! What the models share: a small registry, values that count themselves, and a checker.
//!
//! Loom remembers one last access per object. A thread that loads a word and then exchanges it hides, by
//! its own load, that another had read the word before, and that order of the two is never tried, unless the
//! newest values alone are read (`Reads`). So a thread that only reads is the spawned one here: it runs
//! second, and every write before its reads is tried behind them. Two writers run in both orders, where they
//! are not each other's mirror image.
//!
//! The models run under `RUSTFLAGS="--cfg loom"`; without it this crate is empty.
#![cfg(loom)]

mod model;
mod recorded;

use std::cell::Cell;
use std::hash::{BuildHasher, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use loom::thread::{self, JoinHandle};
use tandem_registry::{Builder, ClientKey, Guard, NewClient, Registry, Removed, reclaimer};

pub use model::{Explored, Limits, Model, Reads, explore, model};

/// The registry of the models: ids and node ids are small numbers.
pub type Small = Registry<u64, u64, u64, Counted, Fixed>;
/// Its builder.
pub type SmallBuilder = Builder<u64, u64, u64, Counted, Fixed>;
/// Its guard.
pub type SmallGuard<'r> = Guard<'r, u64, u64, u64, Counted, Fixed>;
/// What it hands back.
pub type SmallRemoved = Removed<u64, u64, u64, Counted>;

thread_local! {
    static ROTATION: Cell<u64> = const { Cell::new(0) };
}

/// Has the names that this thread hashes from now on go so much farther: which of two entries lies first in a line
/// is then another. Names that collide still do.
pub(crate) fn rotate_names(rotation: u64) {
    ROTATION.set(rotation);
}

/// A hasher without a seed: a model must be the same in every execution. Names with the same
/// [`Fixed::LAST`] bits can be made to collide.
#[derive(Clone, Copy, Debug)]
pub struct Fixed {
    mask: u64,
}

impl Fixed {
    const LAST: u64 = 0xf;

    /// Names collide if their last hexadecimal digits are the same.
    #[must_use]
    pub fn colliding() -> Self {
        Self { mask: Self::LAST }
    }
}

impl Default for Fixed {
    fn default() -> Self {
        Self { mask: u64::MAX }
    }
}

/// See [`Fixed`].
#[derive(Debug)]
pub struct FixedHasher {
    mask: u64,
    value: u64,
}

impl BuildHasher for Fixed {
    type Hasher = FixedHasher;

    fn build_hasher(&self) -> FixedHasher {
        FixedHasher { mask: self.mask, value: 0 }
    }
}

impl Hasher for FixedHasher {
    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.value = (self.value << 8) | u64::from(byte);
        }
    }

    fn write_u64(&mut self, value: u64) {
        self.value = value;
    }

    fn finish(&self) -> u64 {
        self.value.wrapping_add(ROTATION.get()) & self.mask
    }
}

/// A stream that knows whose it is and counts its drops.
#[derive(Debug)]
pub struct Counted {
    /// Of which connection.
    pub of: u64,
    drops: Arc<AtomicUsize>,
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.drops.fetch_add(1, Ordering::Relaxed);
    }
}

/// Makes streams and checks at the end that each was dropped once.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    made: Arc<AtomicUsize>,
    drops: Arc<AtomicUsize>,
}

impl Ledger {
    /// A stream of connection `of`.
    #[must_use]
    pub fn stream(&self, of: u64) -> Counted {
        self.made.fetch_add(1, Ordering::Relaxed);
        Counted { of, drops: Arc::clone(&self.drops) }
    }

    /// A client with a stream of connection `of`.
    #[must_use]
    pub fn client(&self, id: u64, node: u64, of: u64) -> NewClient<u64, u64, u64, Counted> {
        NewClient::new(id, node, of).stream(self.stream(of))
    }

    /// Connects that client, whom nobody may refuse.
    pub fn connect(&self, registry: &Small, id: u64, node: u64, of: u64) -> ClientKey {
        registry.connect(self.client(id, node, of)).expect("nothing refuses it").key
    }

    /// Every stream was dropped, once.
    pub fn settle(&self) {
        let made = self.made.load(Ordering::Relaxed);
        assert_eq!(self.drops.load(Ordering::Relaxed), made, "drops of {made} streams");
    }
}

/// A builder with one shard, and room so that nothing grows.
pub fn small() -> SmallBuilder {
    Registry::builder().shards(1).capacity(8).hasher(Fixed::default())
}

/// Runs `f` on a thread of that number: the first is 0, and no two have the same.
pub fn spawn<T: 'static>(number: u32, f: impl FnOnce() -> T + 'static) -> JoinHandle<T> {
    thread::spawn(move || {
        reclaimer::be_thread(number);
        f()
    })
}

/// Whose stream the route of a node leads to.
#[must_use]
pub fn routed(guard: &SmallGuard<'_>, node: u64) -> Option<u64> {
    guard.stream(&node).map(|stream| stream.of)
}
