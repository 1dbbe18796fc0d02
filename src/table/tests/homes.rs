//! What homes say of the entries that are away: never too few while anything goes on, and no more at rest.

use std::sync::atomic::AtomicBool;
use std::thread;

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

use super::*;
use crate::aim::First;
use crate::bucket::Chain;
use crate::entry::Place;
use crate::spot::Spot;

fn hash(tag: u32) -> Hash {
    Hash::of_tag(Tag::of(u64::from(tag)))
}

/// Tags of which the first bits are one of a few, so that homes are crowded.
#[derive(Clone)]
struct Tags {
    heads: Vec<u32>,
    /// How many bits are free.
    free: u32,
}

impl Tags {
    fn new(rng: &mut SmallRng) -> Self {
        let heads = [1, 4, 32, 500][rng.random_range(0..4)];
        let free = [0, 3, 6, 12, 29][rng.random_range(0..5)];
        Self { heads: (0..heads).map(|_| rng.random()).collect(), free }
    }

    fn draw(&self, rng: &mut SmallRng) -> u32 {
        let head = self.heads[rng.random_range(0..self.heads.len())];
        let mask = (1 << self.free) - 1;
        head & !mask | rng.random::<u32>() & mask
    }
}

/// The places of a chain, and how many entries are away from each.
fn homes_of(chain: Chain<'_>, shift: u32) -> Vec<(Place, usize)> {
    // Relaxed: nobody else is here.
    let place = |at: usize| Place(chain.line.places[at].load(Ordering::Relaxed));
    let mut homes: Vec<_> = (0..PLACES).map(|at| (place(at), 0)).collect();
    for entry in chain.entries() {
        let home = &mut homes[Spot::of(entry.tag(), shift).home()];
        home.1 += usize::from(!home.0.holds(entry));
    }
    homes
}

/// What each home would say if it had just been made, and what it says.
fn sayings(table: &Table) -> Vec<(Place, Place)> {
    let mut sayings = Vec::new();
    for array in table.arrays() {
        // SAFETY: not retired, and nobody else is here.
        let array = unsafe { &*array };
        for chain in array.chains().filter(|chain| chain.is_in_use()) {
            for (place, away) in homes_of(chain, array.level().shift()) {
                let fresh = place.entry().map_or(Place::EMPTY, |entry| Place::EMPTY.with(entry));
                let exact = (0..away).fold(fresh, |home, _| home.one_out());
                sayings.push((exact, place));
            }
        }
    }
    sayings
}

/// Two writers put and remove, in a table that grows; readers look for entries that stay.
fn churn(seed: u64) {
    let rng = &mut SmallRng::seed_from_u64(seed);
    let tags = Tags::new(rng);
    let table = Table::new(1 << rng.random_range(0..4), [0, 0, 10, 100][rng.random_range(0..4)]);
    let stay: Vec<u32> = (0..rng.random_range(1..40)).map(|_| tags.draw(rng)).collect();
    let (reclaimer, slots) = (Reclaimer::new(), Slots::<(), (), (), ()>::new(0, 1));
    for (slot, &tag) in (0..).zip(&stay) {
        table.put(hash(tag), slot, &reclaimer.pin());
    }
    let is_over = AtomicBool::new(false);
    let write = |thread: u32| {
        let mut rng = SmallRng::seed_from_u64(seed ^ u64::from(thread));
        let mut mine: Vec<(u32, u32)> = Vec::new();
        for slot in (thread << 16..).take(2_000) {
            let pin = reclaimer.pin();
            if mine.is_empty() || rng.random_ratio(3, 5) {
                let tag = tags.draw(&mut rng);
                table.put(hash(tag), slot, &pin);
                assert!(table.slots(hash(tag), &pin).any(|other| other == slot));
                mine.push((tag, slot));
            } else {
                let (tag, slot) = mine.swap_remove(rng.random_range(0..mine.len()));
                table.remove(hash(tag), slot, &pin);
                assert!(table.slots(hash(tag), &pin).all(|other| other != slot));
            }
            drop(pin);
            reclaimer.tidy(&slots).resume();
        }
    };
    let read = || {
        // Relaxed: whether to go on.
        while !is_over.load(Ordering::Relaxed) {
            for (slot, &tag) in (0..).zip(&stay) {
                let pin = reclaimer.pin();
                let aim = table.aim(hash(tag), &pin);
                assert!(!matches!(aim.first(), First::None), "seed {seed}: first");
                assert!(aim.whole() != Some(None), "seed {seed}: whole");
                assert!(table.count(hash(tag), &pin) != Count::None, "seed {seed}: count");
                let mut all = table.slots(hash(tag), &pin);
                assert!(all.any(|other| other == slot), "seed {seed}: slots");
            }
        }
    };
    thread::scope(|scope| {
        let writers = [1, 2].map(|thread| scope.spawn(move || write(thread)));
        let reader = scope.spawn(read);
        let ends = writers.map(|writer| writer.join());
        is_over.store(true, Ordering::Relaxed);
        reader.join().unwrap();
        ends.into_iter().for_each(|end| end.unwrap());
    });
    for (exact, says) in sayings(&table) {
        // Where there were too many to count, the number may stay.
        assert!(says == exact || says == says.one_out(), "seed {seed}: {says:x?}, not {exact:x?}");
    }
    drop(table);
    // SAFETY: no pin is left, and no slot was retired.
    unsafe { reclaimer.drain(&slots, &mut Panics::default()) };
}

#[test]
fn homes_are_right_through_churn_and_growth() {
    (0..120).for_each(churn);
}

/// J: with a good hash, no home is left with a number that stays, however often all names are replaced.
#[test]
fn homes_do_not_fill_up() {
    const LINES: u32 = 1_024;
    // Nearly as full as a table gets before it grows, which would tell all homes anew.
    const ENTRIES: u32 = LINES * 15 / 4;
    const TURNOVERS: u32 = 200;
    let rng = &mut SmallRng::seed_from_u64(7);
    let reclaimer = Reclaimer::new();
    let table = Table::new(1, LINES as usize * 7 / 2);
    let mut entries: Vec<u32> = (0..ENTRIES).map(|_| rng.random()).collect();
    {
        let pin = reclaimer.pin();
        for (slot, &tag) in (0..).zip(&entries) {
            table.put(hash(tag), slot, &pin);
        }
        for _ in 0..TURNOVERS * ENTRIES {
            let slot = rng.random_range(0..entries.len());
            table.remove(hash(entries[slot]), slot as u32, &pin);
            entries[slot] = rng.random();
            table.put(hash(entries[slot]), slot as u32, &pin);
        }
        assert!(table.level(&pin).next(&pin).is_none(), "the table grew");
        assert!(sayings(&table).into_iter().all(|(exact, says)| exact == says));
    }
    drop(table);
    let slots = Slots::<(), (), (), ()>::new(0, 1);
    // SAFETY: no pin is left, and no slot was retired.
    unsafe { reclaimer.drain(&slots, &mut Panics::default()) };
}
