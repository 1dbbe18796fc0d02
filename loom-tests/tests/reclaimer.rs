//! G: the reclaimer that ships, by itself. Loom sees a slot that is reclaimed while a guard can reach it
//! as a race on its cell.
#![cfg(loom)]

use std::sync::Arc;

use loom::thread;
use loom_tests::model;
use tandem_registry::reclaimer::{Slots, be_thread};

/// Reads on thread number 1, while `write` runs on number 0.
fn race(slots: u32, read: fn(&Slots), write: fn(&Slots)) {
    let slots = Arc::new(Slots::new(slots));
    let reader = {
        let slots = Arc::clone(&slots);
        thread::spawn(move || {
            be_thread(1);
            read(&slots);
        })
    };
    write(&slots);
    reader.join().unwrap();
    assert_eq!(slots.flush(), 0, "no guard is left");
    let reclaimed = slots.reclaimed();
    let (linked, retired) = reclaimed.split_last().unwrap();
    assert!(*linked == 0 && retired.iter().all(|&times| times == 1), "{reclaimed:?}");
}

#[test]
fn a_pin_against_a_flush() {
    model("reclaimer: a pin against a flush", 3, 1_008).crossbeam(2, 10_456).check(|| {
        race(
            2,
            |slots| {
                let guard = slots.pin();
                assert!(guard.read() < 2);
                assert!(guard.read() < 2);
            },
            |slots| {
                slots.replace(1);
                slots.flush();
            },
        );
    });
}

/// The same with the writer as the spawned thread, which tries other orders: a pin that was taken after
/// the stamp and before the reclaimer looked.
#[test]
fn a_flush_against_a_pin() {
    model("reclaimer: a flush against a pin", 3, 396).crossbeam(2, 17_111).check(|| {
        let slots = Arc::new(Slots::new(2));
        let writer = {
            let slots = Arc::clone(&slots);
            thread::spawn(move || {
                be_thread(1);
                slots.replace(1);
                slots.flush();
            })
        };
        let guard = slots.pin();
        assert!(guard.read() < 2);
        drop(guard);
        writer.join().unwrap();
        assert_eq!(slots.flush(), 0);
        assert_eq!(slots.reclaimed(), [1, 0]);
    });
}

#[test]
fn a_pin_against_a_writer_that_tidies() {
    model("reclaimer: a pin against a writer that tidies", 3, 4_433).crossbeam(2, 1_943).check(
        || {
            race(
                3,
                |slots| assert!(slots.pin().read() < 3),
                |slots| {
                    for slot in 1..3 {
                        slots.replace(slot);
                        slots.tidy();
                    }
                },
            );
        },
    );
}

/// The second pin is in the record of the first: what was read under the first comes before the disposal,
/// though the reclaimer sees only the second.
#[test]
fn two_pins_in_a_row_against_a_flush() {
    model("reclaimer: two pins in a row against a flush", 3, 2_644).crossbeam(2, 11_437).check(
        || {
            race(
                2,
                |slots| {
                    assert!(slots.pin().read() < 2);
                    assert!(slots.pin().read() < 2);
                },
                |slots| {
                    slots.replace(1);
                    slots.flush();
                },
            );
        },
    );
}

/// The inner guard keeps what it can reach when the outer one goes first.
#[test]
fn nested_pins_against_a_flush() {
    model("reclaimer: nested pins against a flush", 3, 4_633).crossbeam(2, 10_456).check(|| {
        race(
            2,
            |slots| {
                let outer = slots.pin();
                assert!(outer.read() < 2);
                let inner = slots.pin();
                drop(outer);
                assert!(inner.read() < 2);
            },
            |slots| {
                slots.replace(1);
                slots.flush();
            },
        );
    });
}

/// One more than lie together.
#[test]
fn three_nested_pins_against_a_flush() {
    model("reclaimer: three nested pins against a flush", 3, 10_019).crossbeam(2, 9_796).check(
        || {
            race(
                2,
                |slots| {
                    let [outer, middle, inner] = [(); 3].map(|()| slots.pin());
                    drop((outer, middle));
                    assert!(inner.read() < 2);
                },
                |slots| {
                    slots.replace(1);
                    slots.flush();
                },
            );
        },
    );
}

#[test]
fn a_renewed_pin_against_a_flush() {
    model("reclaimer: a renewed pin against a flush", 3, 1_986).crossbeam(1, 6_684).check(|| {
        race(
            2,
            |slots| {
                let mut guard = slots.pin();
                assert!(guard.read() < 2);
                guard.repin();
                assert!(guard.read() < 2);
            },
            |slots| {
                slots.replace(1);
                slots.flush();
            },
        );
    });
}

/// Each is reclaimed once, whoever gets to it.
fn replace_and_reclaim() {
    let slots = Arc::new(Slots::new(3));
    let other = {
        let slots = Arc::clone(&slots);
        thread::spawn(move || {
            be_thread(1);
            slots.replace(1);
            slots.tidy();
        })
    };
    slots.replace(2);
    slots.flush();
    other.join().unwrap();
    slots.drain();
    assert_eq!(slots.reclaimed().iter().sum::<usize>(), 2);
    assert!(slots.reclaimed().iter().all(|&times| times <= 1));
}

#[test]
fn two_writers() {
    model("reclaimer: two writers", 2, 175_508).crossbeam(2, 22_016).check(replace_and_reclaim);
}

#[test]
fn two_writers_deeper() {
    model("reclaimer: two writers, deeper", 3, 19_999).cut_at(20_000).check(replace_and_reclaim);
}

/// What another has retired and not closed is anyone's to flush.
#[test]
fn two_flushes() {
    model("reclaimer: two flushes", 3, 117_512).crossbeam(1, 18_766).check(|| {
        race(
            2,
            |slots| {
                slots.flush();
            },
            |slots| {
                slots.replace(1);
                slots.flush();
            },
        );
    });
}
