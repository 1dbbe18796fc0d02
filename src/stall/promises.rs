//! Places that are promised to newcomers, which do not come to use them (E).

use std::cell::Cell;
use std::hash::{Hash, Hasher};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::thread;

use ahash::RandomState;

use super::{Paced, STEPS, Stage, after};
use crate::steps::with_hook;
use crate::{NewClient, Registry};

/// One of the two clients that a newcomer displaces ends meanwhile, its place promised to another newcomer that
/// is refused: there is the place of the one that stays.
#[test]
fn a_newcomer_of_two_clients_has_the_place_of_either() {
    for k in 0.. {
        let stage = Arc::new(Stage::new(|builder| builder.max_clients(2), false));
        let on = |act: fn(&Stage)| {
            let stage = Arc::clone(&stage);
            move || act(&stage)
        };
        let both = |stage: &Stage| {
            let newcomer = NewClient::new(2, 1, 0).stream(stage.stream());
            assert!(stage.registry.connect(newcomer).is_ok());
        };
        let (newcomer, was_stopped) = Paced::run(after(k), on(both));
        // Promised, unless the newcomer has got that place by now, or has ended the client.
        let (mut heir, mut is_on_its_way) = Paced::run(after(0), on(|stage| stage.connect(2, 2)));
        let two = stage.registry.key(&2).unwrap();
        while is_on_its_way && !stage.registry.tandem().slots.is_promised(two.slot) {
            is_on_its_way = heir.go_on(after(0));
        }
        // Dead, and with its place.
        let end = |stage: &Stage| drop(stage.registry.disconnect(&2));
        let (mut ender, mut is_on_its_way) = Paced::run(after(0), on(end));
        while is_on_its_way && stage.registry.key(&2).is_some() {
            is_on_its_way = ender.go_on(after(0));
        }
        heir.finish();
        newcomer.finish();
        ender.finish();
        Arc::into_inner(stage).unwrap().check(&format!("stopped at step {k}"));
        if !was_stopped {
            return;
        }
    }
}

thread_local! {
    /// How many more comparisons on this thread return.
    static RETURN: Cell<usize> = const { Cell::new(usize::MAX) };
}

struct Touchy(u64);

impl Hash for Touchy {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

impl PartialEq for Touchy {
    fn eq(&self, other: &Self) -> bool {
        // Without the message of a panic: there are thousands.
        let left =
            RETURN.get().checked_sub(1).unwrap_or_else(|| resume_unwind(Box::new("an `Eq`")));
        RETURN.set(left);
        self.0 == other.0
    }
}

impl Eq for Touchy {}

/// A newcomer needs no place but that of the client it displaces, though that is promised to another newcomer,
/// which a panic of its `Eq` keeps from taking it (E, I).
#[test]
fn a_place_is_not_lost_with_the_newcomer_it_is_promised_to() {
    for returns in 0..4 {
        for k in 0.. {
            let hasher = RandomState::with_seeds(1, 2, 3, 4);
            let registry = Registry::builder().shards(1).hasher(hasher).max_clients(1).build();
            let registry = Arc::new(registry.unwrap());
            let connect = |id| registry.connect(NewClient::new(Touchy(1), id, ()).stream(()));
            connect(1).unwrap();
            let (other, was_stopped) = {
                let registry = Arc::clone(&registry);
                let connect =
                    move || drop(registry.connect(NewClient::new(Touchy(1), 2, ()).stream(())));
                Paced::run(after(k), move || {
                    RETURN.set(returns);
                    let _ = catch_unwind(AssertUnwindSafe(connect));
                })
            };
            let what = format!(
                "while another is stopped at step {k}, before an `Eq` panics after {returns}"
            );
            // Else it is being removed after the panic, and has its place until then.
            let has_older = registry.key(&Touchy(1)).is_some();
            assert!(connect(3).is_ok() || !has_older, "{what}");
            other.finish();
            // None, if the other got as far as to displace that one before it panicked.
            assert_eq!(registry.len(), registry.pin().iter().count(), "{what}");
            drop(registry.disconnect(&Touchy(1)));
            assert_eq!(registry.len(), 0, "{what}");
            if !was_stopped {
                break;
            }
        }
    }
}

/// A panic of its `Eq` has a newcomer spare the client whose place it was promised, and it gives the place back in
/// the end. Nobody waits for that (F, I).
#[test]
fn a_place_that_is_not_given_back_yet_is_in_nobodys_way() {
    for returns in 0..4 {
        for k in 0.. {
            let hasher = RandomState::with_seeds(1, 2, 3, 4);
            let registry = Registry::builder().shards(1).hasher(hasher).max_clients(1).build();
            let registry = Arc::new(registry.unwrap());
            let newcomer = |id, node| NewClient::new(Touchy(id), node, ()).stream(());
            // Of one with an alias the newcomer's owner asks once more, after the commit.
            let older = NewClient::new(Touchy(1), 1, ()).stream(()).alias(11);
            registry.connect(older).unwrap();
            let (other, was_stopped) = {
                let registry = Arc::clone(&registry);
                let connect = move || drop(registry.connect(newcomer(1, 2)));
                Paced::run(after(k), move || {
                    RETURN.set(returns);
                    let _ = catch_unwind(AssertUnwindSafe(connect));
                })
            };
            let what =
                format!("a newcomer is stopped at step {k}, its `Eq` panics after {returns}");
            let mut steps = 0;
            let waits = format!("{what}, another waits for it");
            let hook = move || {
                steps += 1;
                assert!(steps < STEPS || thread::panicking(), "{waits}");
            };
            drop(with_hook(hook, || registry.connect(newcomer(3, 1))));
            other.finish();
            assert_eq!(registry.len(), registry.pin().iter().count(), "{what}");
            assert!(registry.len() <= 2, "{what}");
            if !was_stopped {
                break;
            }
        }
    }
}

/// The same, where it is another that panics, while it carries the newcomer on: its owner, stopped meanwhile, takes
/// no place twice. Where nobody panics, the other gets no place beside the newcomer's, wherever that is (E, I).
#[test]
fn a_place_that_another_gave_back_is_given_back_once() {
    for returns in (0..6).chain([usize::MAX]) {
        for k in 0.. {
            let hasher = RandomState::with_seeds(1, 2, 3, 4);
            let registry = Registry::builder().shards(1).hasher(hasher).max_clients(1).build();
            let registry = Arc::new(registry.unwrap());
            let newcomer = |id, node| NewClient::new(Touchy(id), node, ()).stream(());
            registry.connect(newcomer(1, 1).alias(11)).unwrap();
            let (owner, was_stopped) = {
                let registry = Arc::clone(&registry);
                Paced::run(after(k), move || drop(registry.connect(newcomer(1, 2))))
            };
            RETURN.set(returns);
            let connect = || drop(registry.connect(newcomer(3, 1)));
            let panicked = catch_unwind(AssertUnwindSafe(connect)).is_err();
            RETURN.set(usize::MAX);
            owner.finish();
            let what = format!(
                "a newcomer is stopped at step {k}, another's `Eq` panics after {returns}: {panicked}"
            );
            assert_eq!(registry.len(), registry.pin().iter().count(), "{what}");
            assert!(registry.len() <= 1 + usize::from(panicked), "{what}");
            drop(registry.disconnect(&Touchy(1)));
            drop(registry.disconnect(&Touchy(3)));
            drop(registry.disconnect(&Touchy(1)));
            assert_eq!(registry.len(), 0, "{what}");
            if !was_stopped {
                break;
            }
        }
    }
}
