//! Churn: threads connect ever-new clients over the same number of places, take over, look up, attach and
//! disconnect. In the end as many values have been dropped as were made, and memory is what it was.
//!
//! A plain program with few dependencies, so that it runs under a sanitizer as it is.

use std::hash::{BuildHasher, DefaultHasher, Hasher, RandomState};
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Instant;

use clap::Parser;
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use tandem_registry::{NewClient, Registry};

static MADE: AtomicU64 = AtomicU64::new(0);
static DROPPED: AtomicU64 = AtomicU64::new(0);

/// A stream that counts itself and knows whose it is.
struct Stream {
    node: u64,
}

impl Stream {
    fn of(node: u64) -> Self {
        MADE.fetch_add(1, Ordering::Relaxed);
        Self { node }
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        DROPPED.fetch_add(1, Ordering::Relaxed);
    }
}

type Clients = Registry<u64, u64, u64, Stream, Few>;

/// A hasher with few answers, if asked for: chains overflow, and their blocks are replaced all the time.
#[derive(Clone)]
struct Few {
    seed: RandomState,
    mask: u64,
}

impl BuildHasher for Few {
    type Hasher = FewHasher;

    fn build_hasher(&self) -> FewHasher {
        FewHasher { inner: self.seed.build_hasher(), mask: self.mask }
    }
}

struct FewHasher {
    inner: DefaultHasher,
    mask: u64,
}

impl Hasher for FewHasher {
    fn write(&mut self, bytes: &[u8]) {
        self.inner.write(bytes);
    }

    fn finish(&self) -> u64 {
        self.inner.finish() & self.mask
    }
}

/// Connects and disconnects clients over and over, and counts what becomes of them.
#[derive(Parser)]
struct Options {
    /// Threads that do it.
    #[arg(long, default_value_t = 4)]
    threads: u64,
    /// Node ids, each with a client most of the time.
    #[arg(long, default_value_t = 1_000)]
    nodes: u64,
    /// Operations of each thread.
    #[arg(long, default_value_t = 1_000_000)]
    operations: u64,
    /// Of the generator.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many bits a hash has: with few, chains overflow.
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=64))]
    hash_bits: u32,
}

fn churn(clients: &Clients, options: &Options, thread: u64) {
    let mut rng = SmallRng::seed_from_u64(options.seed.wrapping_add(thread));
    let mut key = None;
    for operation in 0..options.operations {
        let node = rng.random_range(0..options.nodes);
        match rng.random_range(0..10_u32) {
            0..=2 => {
                // An id that nobody had before, and a node that most likely has a client: a takeover.
                let id = operation * options.threads + thread;
                let client = NewClient::new(id, node, id).stream(Stream::of(node));
                key = clients.connect(client).ok().map(|connected| connected.key);
            }
            3 => {
                if let Some(key) = clients.key_by_node(&node) {
                    drop(clients.disconnect_key(key));
                }
            }
            4 => {
                if let Some(key) = key {
                    drop(clients.attach_stream(key, Stream::of(u64::MAX)));
                }
            }
            _ => {
                let right = |stream: &Stream| stream.node == node || stream.node == u64::MAX;
                assert!(clients.with_stream(&node, right).unwrap_or(true), "a wrong stream");
            }
        }
    }
}

fn main() -> ExitCode {
    let options = Options::parse();
    let hasher = Few { seed: RandomState::new(), mask: u64::MAX >> (64 - options.hash_bits) };
    let clients: Clients =
        Registry::builder().hasher(hasher).build().expect("the settings are in range");
    // So that what a first pin sets up is there before the threads are.
    drop(clients.pin());
    let start = Instant::now();
    for round in 1..=5 {
        thread::scope(|scope| {
            for thread in 0..options.threads {
                let (clients, options) = (&clients, &options);
                scope.spawn(move || churn(clients, options, thread + round * options.threads));
            }
        });
        let flushed = clients.flush();
        let stats = clients.stats();
        println!(
            "round {round}: {} clients, {} slots, {} KiB, {} retired and not dropped",
            stats.clients,
            stats.slots,
            stats.bytes / 1024,
            flushed.left,
        );
    }
    let rate = (5 * options.threads * options.operations) as f64 / start.elapsed().as_secs_f64();
    drop(clients);
    let (made, dropped) = (MADE.load(Ordering::Relaxed), DROPPED.load(Ordering::Relaxed));
    println!("{:.1} M operations/s; {made} streams made, {dropped} dropped", rate / 1e6);
    if made == dropped { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
