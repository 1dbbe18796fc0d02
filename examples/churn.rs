//! Churn: threads connect ever-new clients over the same number of places, take over or are refused, look up,
//! attach and detach, name and disconnect. In the end as many values have been dropped as were made, and
//! memory is what it was.
//!
//! A plain program with few dependencies, so that it runs under a sanitizer as it is.

use std::hash::{BuildHasher, DefaultHasher, Hasher, RandomState};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Instant;

use clap::Parser;
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use tandem_registry::{ClientKey, NewClient, Policy, Registry, Session, StreamKey};

static MADE: AtomicU64 = AtomicU64::new(0);
static DROPPED: AtomicU64 = AtomicU64::new(0);

/// Instead of a node, in streams that were attached later: to whom, nobody knows any more.
const ATTACHED: u64 = u64::MAX;

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

/// What an update replaces whole: whoever sees two halves that differ has seen half of one.
struct Info(u64, u64);

impl Info {
    fn check(&self) {
        assert_eq!(self.0, self.1, "half an update");
    }
}

type Clients = Registry<u64, u64, Info, Stream, Few>;

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
    /// Refuses who wants a name that is taken, instead of a takeover.
    #[arg(long)]
    reject: bool,
    /// The most clients that there may be at once; without it there is no limit.
    #[arg(long)]
    max_clients: Option<usize>,
}

impl Options {
    fn registry(&self) -> Clients {
        let hasher = Few { seed: RandomState::new(), mask: u64::MAX >> (64 - self.hash_bits) };
        let policy = if self.reject { Policy::Reject } else { Policy::Takeover };
        let builder = Registry::builder().hasher(hasher).on_conflict(policy);
        let builder = match self.max_clients {
            Some(max) => builder.max_clients(max),
            None => builder,
        };
        builder.build().expect("the settings are in range")
    }
}

/// One thread's part.
struct Churn<'c> {
    clients: &'c Arc<Clients>,
    nodes: u64,
    rng: SmallRng,
    /// Of whom it connected and attached last.
    key: Option<ClientKey>,
    stream_key: Option<StreamKey>,
    session: Option<Session<u64, u64, Info, Stream, Few>>,
    refused: u64,
}

impl Churn<'_> {
    /// A node id.
    fn node(&mut self) -> u64 {
        self.rng.random_range(0..self.nodes)
    }

    /// A name that is nobody's node id.
    fn alias(&mut self) -> u64 {
        self.nodes + self.node()
    }

    /// Whether `stream` may be found by that name.
    fn is_right(&self, name: u64, stream: &Stream) -> bool {
        [name, ATTACHED].contains(&stream.node) || name >= self.nodes
    }

    /// `id` is one that nobody had before, while the node most likely has a client: a conflict.
    fn operation(&mut self, id: u64) {
        let node = self.node();
        match self.rng.random_range(0..20_u32) {
            0..=4 => self.connect(id, node),
            5 => self.open_session(id, node),
            6..=7 => {
                if let Some(key) = self.clients.key_by_node(&node) {
                    drop(self.clients.disconnect_key(key));
                }
            }
            8..=9 => {
                if let Some(key) = self.key {
                    self.stream_key = self.clients.attach_stream(key, Stream::of(ATTACHED)).ok();
                }
            }
            10 => {
                if let Some(key) = self.stream_key.take() {
                    drop(self.clients.detach_stream(key));
                }
            }
            11 => {
                if let Some(key) = self.clients.key_by_node(&node) {
                    drop(self.clients.update_info(key, Info(id, id)));
                }
            }
            12..=13 => self.name(),
            14 if self.rng.random_range(0..64_u32) == 0 => self.walk(),
            14..=15 => self.look_around(node),
            _ => {
                let right = |stream: &Stream| self.is_right(node, stream);
                assert!(self.clients.with_stream(&node, right).unwrap_or(true), "a wrong stream");
            }
        }
    }

    fn connect(&mut self, id: u64, node: u64) {
        let client = NewClient::new(id, node, Info(id, id)).stream(Stream::of(node));
        let connected = self.clients.connect(client).ok();
        self.refused += u64::from(connected.is_none());
        self.key = connected.map(|connected| connected.key);
    }

    /// The one before ends with that, unless somebody else has ended it.
    fn open_session(&mut self, id: u64, node: u64) {
        let alias = self.alias();
        let client = NewClient::new(id, node, Info(id, id)).stream(Stream::of(node)).alias(alias);
        self.session = self.clients.session(client).ok().map(|(session, _)| session);
        self.refused += u64::from(self.session.is_none());
    }

    /// Gives a client an alias, or takes one from it.
    fn name(&mut self) {
        let alias = self.alias();
        if let Some(key) = self.clients.key_by_node(&alias) {
            self.clients.remove_alias(key, &alias);
        } else if let Some(key) = self.key {
            drop(self.clients.add_alias(key, alias));
        }
    }

    /// Lookups of one guard, by each sort of name.
    fn look_around(&mut self, node: u64) {
        let names = [node, self.alias(), self.node(), self.alias()];
        let guard = self.clients.pin();
        guard.routes_batch(&names, |at, route| {
            let right = route.is_none_or(|route| self.is_right(names[at], route.stream()));
            assert!(right, "a wrong stream");
        });
        if let Some(client) = guard.client_by_node(&node) {
            assert_eq!(*client.node(), node);
            client.info().check();
        }
        if let Some(client) = self.key.and_then(|key| guard.get(key)) {
            client.info().check();
        }
    }

    /// All clients, and all streams.
    fn walk(&self) {
        for client in self.clients.pin().iter() {
            client.info().check();
            let right = client.stream().is_none_or(|it| self.is_right(*client.node(), it));
            assert!(right, "a wrong stream");
        }
        self.clients.for_each_stream(|_, stream| {
            assert!(stream.node < self.nodes || stream.node == ATTACHED, "no stream");
        });
    }
}

/// Runs one thread's operations. How many connects were refused.
fn churn(clients: &Arc<Clients>, options: &Options, round: u64, thread: u64) -> u64 {
    let Options { threads, nodes, operations, seed, .. } = *options;
    let rng = SmallRng::seed_from_u64(seed.wrapping_add(round * threads + thread));
    let (key, stream_key, session) = (None, None, None);
    let mut churn = Churn { clients, nodes, rng, key, stream_key, session, refused: 0 };
    for operation in 0..operations {
        churn.operation((round * operations + operation) * threads + thread);
    }
    churn.refused
}

fn main() -> ExitCode {
    let options = Options::parse();
    let clients = Arc::new(options.registry());
    // So that what a first pin sets up is there before the threads are.
    drop(clients.pin());
    let start = Instant::now();
    for round in 1..=5 {
        let refused: u64 = thread::scope(|scope| {
            let threads = (0..options.threads).map(|thread| {
                let (clients, options) = (&clients, &options);
                scope.spawn(move || churn(clients, options, round, thread))
            });
            let threads: Vec<_> = threads.collect();
            threads.into_iter().map(|thread| thread.join().expect("it did not panic")).sum()
        });
        let flushed = clients.flush();
        let stats = clients.stats();
        println!(
            "round {round}: {} clients, {refused} refused, {} slots, {} KiB, {} retired and not dropped",
            stats.clients,
            stats.slots,
            stats.bytes / 1024,
            flushed.left,
        );
        assert!(options.max_clients.is_none_or(|max| stats.clients <= max), "too many clients");
    }
    let rate = (5 * options.threads * options.operations) as f64 / start.elapsed().as_secs_f64();
    drop(clients);
    let (made, dropped) = (MADE.load(Ordering::Relaxed), DROPPED.load(Ordering::Relaxed));
    println!("{:.2} M operations/s; {made} streams made, {dropped} dropped", rate / 1e6);
    if made == dropped { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
