//! What the models rest on: where the newest values are read, every order of steps is tried, and nothing else.
#![cfg(loom)]

use std::collections::BTreeSet;
use std::sync::atomic::Ordering::{AcqRel, Relaxed};
use std::sync::{Arc, Mutex};

use loom_tests::{Limits, Reads, explore, spawn};
use tandem_registry::newest::AtomicU32;

/// All that `race` returns, of two words that are 0.
fn outcomes<T: Ord + Clone + Send + 'static>(
    reads: Reads,
    race: impl Fn(Arc<[AtomicU32; 2]>) -> T + Send + Sync + 'static,
) -> BTreeSet<T> {
    let limits = Limits { preemptions: None, executions: None, time: None };
    let all = Arc::new(Mutex::new(BTreeSet::new()));
    let found = Arc::clone(&all);
    explore(limits, reads, true, move || {
        let outcome = race(Arc::new([AtomicU32::new(0), AtomicU32::new(0)]));
        found.lock().unwrap().insert(outcome);
    });
    let all = all.lock().unwrap();
    all.clone()
}

/// Each of two threads writes a word and reads the other.
fn crosswise(words: Arc<[AtomicU32; 2]>) -> (u32, u32) {
    let other = {
        let words = Arc::clone(&words);
        spawn(1, move || {
            words[1].store(1, Relaxed);
            words[0].load(Relaxed)
        })
    };
    words[0].store(1, Relaxed);
    let mine = words[1].load(Relaxed);
    (mine, other.join().unwrap())
}

#[test]
fn of_two_writers_one_at_least_reads_the_other() {
    assert_eq!(outcomes(Reads::Newest, crosswise), [(0, 1), (1, 0), (1, 1)].into());
    assert_eq!(outcomes(Reads::Any, crosswise), [(0, 0), (0, 1), (1, 0), (1, 1)].into());
}

/// Loom by itself has the first thread read before the other's swap alone: it remembers that thread's load as the one
/// access before the swap.
#[test]
fn a_load_hides_no_order_of_a_read_and_a_write_behind_it() {
    let read = outcomes(Reads::Newest, |words| {
        let other = {
            let words = Arc::clone(&words);
            spawn(1, move || {
                words[0].load(Relaxed);
                words[0].swap(1, AcqRel);
            })
        };
        let read = words[0].load(Relaxed);
        other.join().unwrap();
        read
    });
    assert_eq!(read, [0, 1].into());
}

#[test]
fn an_exchange_of_what_is_there_is_told_from_one_of_what_is_not() {
    let won = outcomes(Reads::Newest, |words| {
        let exchange = |words: &[AtomicU32; 2], to| {
            let seen = words[0].load(Relaxed);
            (seen == 0).then(|| words[0].compare_exchange(seen, to, AcqRel, Relaxed))
        };
        let other = {
            let words = Arc::clone(&words);
            spawn(1, move || exchange(&words, 1))
        };
        (exchange(&words, 2), other.join().unwrap())
    });
    let expected = [
        (Some(Ok(0)), None),
        (None, Some(Ok(0))),
        (Some(Ok(0)), Some(Err(2))),
        (Some(Err(1)), Some(Ok(0))),
    ];
    assert_eq!(won, expected.into());
}
