//! A million random operations, one after the other, on a registry and on the two-map model: both
//! have to say the same, and every value has to be dropped once.
//!
//! A failure prints the seed of its episode. `OPERATIONS=n` sets how many there are in all.

mod fixtures;

use std::hash::BuildHasher;

use fixtures::{
    hashers::FewBits,
    lockstep::{Lockstep, Setup},
    model::Policy,
    ops::Op,
    rng::Rng,
    tracked::Ledger,
};

/// In all four configurations together, unless `OPERATIONS` says otherwise.
const OPERATIONS: usize = 1_000_000;
/// Short enough that most episodes see the registry being filled, used and ended.
const EPISODE: usize = 2_500;

/// Names the episode when a check in it fails.
struct Episode {
    name: &'static str,
    seed: u64,
}

impl Drop for Episode {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("failed in an episode of `{}`, seed {}", self.name, self.seed);
        }
    }
}

/// Small, so that most operations meet something.
const IDS: u64 = 24;
const NAMES: u64 = 32;

fn setup(rng: &mut Rng, policy: Policy, limited: bool) -> Setup {
    Setup {
        policy,
        max_clients: limited.then(|| 1 + rng.below(20) as usize),
        shards: 1 << rng.below(4),
        capacity: [0, 0, 5, 100][rng.below(4) as usize],
        ids: IDS,
        names: NAMES,
        // The operations ask often enough.
        audit_every: usize::MAX,
    }
}

/// Runs one episode and returns how many operations it had.
fn episode<S: BuildHasher>(
    name: &'static str,
    seed: u64,
    setup: Setup,
    hasher: S,
    ledger: &'static Ledger,
) -> usize {
    let _episode = Episode { name, seed };
    let mut rng = Rng::new(seed);
    let mut bytes = std::iter::from_fn(|| Some(rng.next_u64() as u8));
    let mut lockstep = Lockstep::new(setup, hasher, ledger);
    let mut count = 0;
    // After a close little is left to be seen.
    while count < EPISODE && !lockstep.is_closed() {
        let mut ops = std::iter::from_fn(|| Op::decode(&mut bytes)).take(50);
        count += lockstep.run(&mut ops);
    }
    lockstep.finish();
    count
}

fn run<S: BuildHasher>(
    name: &'static str,
    first_seed: u64,
    ledger: &'static Ledger,
    setup: impl Fn(&mut Rng) -> Setup,
    hasher: impl Fn(&mut Rng) -> S,
) {
    let wanted = std::env::var("OPERATIONS").ok().and_then(|text| text.parse().ok());
    let wanted: usize = wanted.unwrap_or(OPERATIONS) / 4;
    let (mut count, mut episodes) = (0, 0);
    while count < wanted {
        let seed = first_seed + episodes;
        let mut rng = Rng::new(!seed);
        let setup = setup(&mut rng);
        count += episode(name, seed, setup, hasher(&mut rng), ledger);
        episodes += 1;
    }
    println!(
        "{name}: {count} operations in {episodes} episodes, {} values made and dropped",
        ledger.made()
    );
    ledger.assert_balanced();
}

#[test]
fn takeover_without_a_limit() {
    static LEDGER: Ledger = Ledger::new();
    let setup = |rng: &mut Rng| setup(rng, Policy::Takeover, false);
    run("takeover", 10_000, &LEDGER, setup, |_| FewBits(64));
}

#[test]
fn takeover_with_a_limit() {
    static LEDGER: Ledger = Ledger::new();
    let setup = |rng: &mut Rng| setup(rng, Policy::Takeover, true);
    run("takeover, limited", 20_000, &LEDGER, setup, |_| FewBits(64));
}

#[test]
fn reject_with_and_without_a_limit() {
    static LEDGER: Ledger = Ledger::new();
    let setup = |rng: &mut Rng| {
        let limited = rng.one_in(2);
        setup(rng, Policy::Reject, limited)
    };
    run("reject", 30_000, &LEDGER, setup, |_| FewBits(64));
}

#[test]
fn colliding_hashes() {
    static LEDGER: Ledger = Ledger::new();
    let setup = |rng: &mut Rng| {
        let policy = if rng.one_in(2) { Policy::Reject } else { Policy::Takeover };
        let limited = rng.one_in(2);
        setup(rng, policy, limited)
    };
    run("collisions", 40_000, &LEDGER, setup, |rng| FewBits(rng.below(4) as u32));
}
