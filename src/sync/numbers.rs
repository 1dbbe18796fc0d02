//! Numbers of threads: what is kept for each thread stands in arrays indexed by these.
//!
//! A thread claims a number at its first call and gives it back when its thread-locals go, or takes one for
//! a single call if they are going already.

use core::cell::Cell;

use super::pool::{Node, Pool};
use super::thread_local;

static POOL: Pool = Pool::new();

/// Gives its number back when dropped.
#[derive(Debug)]
struct Claim(&'static Node);

impl Drop for Claim {
    fn drop(&mut self) {
        self.0.give_back();
    }
}

/// Number and claim of this thread. The number is read on every pin, without a check whether
/// the destructors of this thread have begun: a `Cell` has none. Afterwards it is `NONE`.
const NONE: u32 = u32::MAX;

thread_local! {
    static NUMBER: Cell<u32> = const { Cell::new(NONE) };
    static CLAIM: Held = const { Held(Cell::new(None)) };
}

struct Held(Cell<Option<Claim>>);

impl Drop for Held {
    fn drop(&mut self) {
        NUMBER.set(NONE);
        #[cfg(feature = "crossbeam-epoch")]
        if HELD.get() > 0 {
            core::mem::forget(self.0.take());
        }
    }
}

/// A small number that no other living thread has, for as long as this value is held. A number that
/// is given back goes to its next owner with all that the former one did to the places it indexes.
///
/// While this thread's destructors run it has a claim of its own, and `PASSING`.
#[derive(Debug)]
pub(crate) struct ThreadNumber(u32);

const PASSING: u32 = 1 << 31;

impl ThreadNumber {
    #[inline(always)]
    pub(crate) fn current() -> Self {
        match NUMBER.get() {
            NONE => claim(),
            value => {
                #[cfg(feature = "crossbeam-epoch")]
                HELD.set(HELD.get() + 1);
                Self(value)
            }
        }
    }

    #[inline(always)]
    pub(crate) fn value(&self) -> u32 {
        self.0 & !PASSING
    }
}

impl Drop for ThreadNumber {
    #[inline(always)]
    fn drop(&mut self) {
        if self.0 & PASSING != 0 {
            give_back(self.value());
        } else {
            #[cfg(feature = "crossbeam-epoch")]
            self.leave();
        }
    }
}

#[cfg(feature = "crossbeam-epoch")]
impl ThreadNumber {
    fn leave(&self) {
        HELD.set(HELD.get() - 1);
        if HELD.get() == 0 && NUMBER.get() != self.0 {
            // The last of those that outlived the claim.
            give_back(self.0);
        }
    }
}

// `crossbeam-epoch` lets one thread at a time use what a number indexes: a guard that a thread-local
// holds may outlive the claim, and keeps the number until it goes. The crate's own reclaimer does not
// mind: each pin has a record of its own.
#[cfg(feature = "crossbeam-epoch")]
thread_local! {
    /// How many `ThreadNumber`s are held that are of the claim.
    static HELD: Cell<u32> = const { Cell::new(0) };
}

#[cold]
fn give_back(value: u32) {
    drop(POOL.find(value).map(Claim));
}

#[cold]
fn claim() -> ThreadNumber {
    let node = POOL.take();
    let mut claim = Some(Claim(node));
    let kept = CLAIM.try_with(|held| held.0.set(claim.take())).is_ok();
    if kept {
        NUMBER.set(node.value());
        #[cfg(feature = "crossbeam-epoch")]
        HELD.set(HELD.get() + 1);
        return ThreadNumber(node.value());
    }
    core::mem::forget(claim);
    ThreadNumber(node.value() | PASSING)
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use std::collections::HashSet;
    use std::sync::{Barrier, Mutex, mpsc};
    use std::thread;

    use super::*;

    /// Far more than there are threads at once, whatever other tests do.
    const MANY: u32 = 500;

    #[test]
    fn threads_that_live_together_have_different_numbers() {
        let together = Barrier::new(8);
        let numbers = Mutex::new(HashSet::new());
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    let number = ThreadNumber::current().value();
                    numbers.lock().unwrap().insert(number);
                    together.wait();
                    assert_eq!(ThreadNumber::current().value(), number, "and keep them");
                });
            }
        });
        assert_eq!(numbers.into_inner().unwrap().len(), 8);
    }

    #[test]
    fn a_number_is_given_back_with_its_thread() {
        for _ in 0..2 * MANY {
            let number = thread::spawn(|| ThreadNumber::current().value()).join().unwrap();
            assert!(number < MANY);
        }
    }

    /// Runs in the destructor of a thread-local that ends after the crate's own.
    struct Late(Option<Box<dyn FnOnce() + Send>>);

    impl Drop for Late {
        fn drop(&mut self) {
            self.0.take().unwrap()();
        }
    }

    fn late(run: impl FnOnce() + Send + 'static) -> thread::JoinHandle<()> {
        std::thread_local! {
            static LATE: std::cell::OnceCell<Late> = const { std::cell::OnceCell::new() };
        }
        thread::spawn(|| {
            // The first that is used is the last to go.
            LATE.with(|late| assert!(late.set(Late(Some(Box::new(run)))).is_ok()));
            assert!(ThreadNumber::current().value() < MANY);
        })
    }

    #[test]
    fn one_that_was_taken_in_passing_is_given_back() {
        let mine = ThreadNumber::current();
        for _ in 0..2 * MANY {
            let (said, number) = mpsc::channel();
            late(move || said.send(ThreadNumber::current().value()).unwrap()).join().unwrap();
            let number = number.recv().unwrap();
            assert!(number < MANY && number != mine.value(), "and no other is");
        }
    }

    #[test]
    fn one_that_was_taken_in_passing_is_nobody_elses() {
        let other = || thread::spawn(|| ThreadNumber::current().value()).join().unwrap();
        for _ in 0..10 {
            let (said, number) = mpsc::channel();
            let (end, ended) = mpsc::channel::<()>();
            let passing = late(move || {
                let number = ThreadNumber::current();
                said.send(number.value()).unwrap();
                ended.recv().unwrap_err();
            });
            let number = number.recv().unwrap();
            assert_ne!(other(), number);
            drop(end);
            passing.join().unwrap();
        }
    }

    /// Holds a number beyond the claim, and to the end of a channel.
    #[cfg(feature = "crossbeam-epoch")]
    struct Keeper {
        number: Cell<Option<ThreadNumber>>,
        said: mpsc::Sender<u32>,
        ended: mpsc::Receiver<()>,
    }

    #[cfg(feature = "crossbeam-epoch")]
    impl Drop for Keeper {
        fn drop(&mut self) {
            let number = self.number.take().unwrap();
            self.said.send(number.value()).unwrap();
            self.ended.recv().unwrap_err();
        }
    }

    #[cfg(feature = "crossbeam-epoch")]
    #[test]
    fn one_that_is_held_beyond_the_claim_is_nobody_elses_until_then() {
        std::thread_local! {
            static KEEPER: std::cell::OnceCell<Keeper> = const { std::cell::OnceCell::new() };
        }
        for _ in 0..2 * MANY {
            let (said, number) = mpsc::channel();
            let (end, ended) = mpsc::channel::<()>();
            let keeping = thread::spawn(move || {
                KEEPER.with(|keeper| {
                    let keeper =
                        keeper.get_or_init(|| Keeper { number: Cell::new(None), said, ended });
                    keeper.number.set(Some(ThreadNumber::current()));
                });
            });
            let number = number.recv().unwrap();
            let other = thread::spawn(|| ThreadNumber::current().value()).join().unwrap();
            assert!(number < MANY && other != number);
            drop(end);
            keeping.join().unwrap();
        }
    }
}
