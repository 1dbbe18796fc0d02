mod homes;

use core::ops::Range;

use super::*;
use crate::entry::Tag;
use crate::reclaim::{Panics, Reclaimer};
use crate::slots::Slots;
use crate::spot::PLACES;

/// A table of two shards and 64 lines, and what puts another entry in a line.
fn with_table(act: impl FnOnce(&Table, &mut dyn FnMut(u64), &Pin<'_>)) {
    let reclaimer = Reclaimer::new();
    let table = Table::new(2, 224);
    {
        let pin = reclaimer.pin();
        let mut slots = 0..;
        let mut put_in = |line| table.put(hash_in(line), slots.next().unwrap(), &pin);
        act(&table, &mut put_in, &pin);
    }
    drop(table);
    let slots = Slots::<(), (), (), ()>::new(0, 1);
    // SAFETY: no pin is left, and no slot was retired.
    unsafe { reclaimer.drain(&slots, &mut Panics::default()) };
}

fn hash_in(line: u64) -> Hash {
    Hash::of_tag(Tag::of(line << 26))
}

/// Many lines are as full as can be, so that the table grows twice while a writer sleeps with its share of
/// the first growth. The array that it moves, the one after that, and the share.
fn grow_twice<'p>(
    table: &'p Table,
    put_in: &mut dyn FnMut(u64),
    pin: &'p Pin<'_>,
) -> (&'p Array, &'p Array, Range<usize>) {
    (0..64).for_each(|line| (0..PLACES).for_each(|_| put_in(line)));
    (0..9).for_each(&mut *put_in);
    let array = table.shards[1].current(pin);
    let next = array.successor(pin).expect("the table grows");
    let share = array.take_share();
    for line in (0..32).rev().cycle() {
        put_in(line);
        if next.successor(pin).is_some() {
            break;
        }
    }
    (array, next, share)
}

#[test]
fn a_line_that_is_not_made_is_not_split() {
    with_table(|table, put_in, pin| {
        let (array, next, share) = grow_twice(table, put_in, pin);
        put_in(63);
        array.split_share(share, next, pin);
        for line in 32..64 {
            let expected = PLACES + usize::from(line == 63);
            assert_eq!(table.slots(hash_in(line), pin).count(), expected, "line {line}");
        }
    });
}

#[test]
fn a_shard_leaves_no_array_that_has_not_moved() {
    with_table(|table, put_in, pin| {
        let (array, next, _) = grow_twice(table, put_in, pin);
        while !array.is_moved() {
            array.split_some(next, pin);
        }
        put_in(63);
        assert!(ptr::eq(table.shards[1].current(pin), next) && !next.is_moved());
        assert_eq!(table.slots(hash_in(63), pin).count(), PLACES + 1);
    });
}

#[test]
fn a_frozen_line_stays_as_it_is() {
    for entries in [0, 1, PLACES, PLACES + 2] {
        with_table(|table, put_in, pin| {
            (0..entries).for_each(|_| put_in(0));
            let tag = hash_in(0).tag();
            let (chain, spot) = table.shards[0].current(pin).chain(tag);
            assert_eq!(chain.freeze(pin).len(), entries);
            assert_eq!(chain.put(Entry::new(tag, 1_000), spot, pin), Outcome::Frozen);
            for slot in 0..entries as u32 {
                assert_eq!(chain.remove(Entry::new(tag, slot), spot, pin), Outcome::Frozen);
            }
            assert_eq!(chain.slots(tag, pin).count(), entries);
        });
    }
}

/// A writer that stopped between moving a line and counting it holds up neither its shard nor the others.
#[test]
fn a_line_that_is_not_counted_stops_nobody() {
    with_table(|table, put_in, pin| {
        (0..9).for_each(|line| (0..=PLACES).for_each(|_| put_in(line)));
        let array = table.shards[0].current(pin);
        let next = array.successor(pin).expect("the table grows");
        array.split_line_of(hash_in(5).tag(), next, pin);
        array.uncount();
        // A lap around each shard, and one more.
        (0..64).for_each(|_| put_in(63));
        assert!(table.level(pin).next(pin).is_none(), "all lines have moved");
        assert!(table.aim(hash_in(0), pin).stamp().is_some(), "and lookups know");
    });
}

/// Nor do writers that took all of its lines and sleep.
#[test]
fn lines_that_were_taken_and_not_split_stop_nobody() {
    with_table(|table, put_in, pin| {
        (0..9).for_each(|line| (0..=PLACES).for_each(|_| put_in(line)));
        let array = table.shards[1].current(pin);
        let next = array.successor(pin).expect("the table grows");
        let taken: Vec<_> = (0..8).flat_map(|_| array.take_share()).collect();
        assert_eq!(taken, Vec::from_iter(0..32), "each once");
        array.split_some(next, pin);
        array.uncount();
        for share in 1..8 {
            assert!(!array.is_moved(), "{share} shares of 8 have moved");
            array.split_some(next, pin);
        }
        assert!(array.is_moved());
    });
}

/// What has moved is not taken twice.
#[test]
fn a_table_that_grows_can_be_shrunk() {
    with_table(|table, put_in, pin| {
        (0..9).for_each(|line| (0..=PLACES).for_each(|_| put_in(line)));
        let array = table.shards[0].current(pin);
        let next = array.successor(pin).expect("the table grows");
        array.split_line_of(hash_in(5).tag(), next, pin);
        // SAFETY: nobody else is here.
        unsafe { table.shrink(pin) };
        for line in 0..64 {
            let expected = if line < 9 { PLACES + 1 } else { 0 };
            assert_eq!(table.slots(hash_in(line), pin).count(), expected, "line {line}");
        }
    });
}

/// A line that overflows now and then is one that overflows.
#[test]
fn a_line_that_drains_makes_no_table_grow() {
    with_table(|table, put_in, pin| {
        (0..PLACES).for_each(|_| put_in(0));
        for slot in 1_000..1_100 {
            table.put(hash_in(0), slot, pin);
            table.remove(hash_in(0), slot, pin);
        }
        assert_eq!(table.level(pin).len(), 64);
    });
}

/// Entries that no bit tells apart stay together when their line splits.
#[test]
fn a_line_that_overflows_from_its_making_makes_the_table_grow() {
    with_table(|table, put_in, pin| {
        let mut overflow = |line| (0..=PLACES).for_each(|_| put_in(line));
        (0..9).for_each(&mut overflow);
        let level = table.level(pin).next(pin).expect("the table grows");
        for shard in &table.shards {
            let array = shard.current(pin);
            let next = array.successor(pin).expect("the shard grows");
            while !array.is_moved() {
                array.split_some(next, pin);
            }
        }
        // One in eight of 128, and one.
        (9..16).for_each(&mut overflow);
        assert!(level.next(pin).is_none(), "sixteen overflow");
        overflow(16);
        assert!(level.next(pin).is_some(), "seventeen do");
    });
}
