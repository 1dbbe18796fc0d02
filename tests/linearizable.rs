//! Histories of real threads against the sequential model of the contract: is there an order of atomic
//! steps, within the time that each call took, in which every answer is right?
//!
//! Half of them are made with a baton: one thread runs at a time, and a seed decides at which atomic
//! operations of the registry (feature `steps`) another goes on. Such a history replays from its seed:
//!
//! ```text
//! HISTORY_SEED=... cargo test --features steps --test linearizable replay -- --nocapture
//! ```
//!
//! In the other half the threads run free and yield at random such operations; without that, hardly any
//! two calls of such short histories overlap. Such a history does not replay: its seed makes the same
//! calls, and not when they meet. One of either sort that nothing explains is printed whole and made
//! shorter. `HISTORIES=n` sets how many are checked in all, `HISTORY_MODE=baton` or `free` that all are of
//! one sort. Of each kind and sort, half have to overlap, and some have to grow their tables (`campaign`);
//! for a campaign:
//!
//! ```text
//! HISTORIES=10000000 cargo test --features steps --test linearizable -- --nocapture
//! ```

mod fixtures;

mod linearizable {
    mod asleep;
    mod baton;
    mod calls;
    mod campaign;
    mod check;
    mod closing;
    mod history;
    mod late;
    mod looks;
    mod menu;
    mod record;
    mod shrink;
    mod spec;
    mod stopped;
    mod walk;

    use campaign::{check_all, replayed};

    #[test]
    fn takeovers() {
        check_all("takeover", 0);
    }

    #[test]
    fn rejections() {
        check_all("reject", 1);
    }

    #[test]
    fn takeovers_of_two_names() {
        check_all("takeover, two names", 2);
    }

    #[test]
    fn rejections_of_two_names() {
        check_all("reject, two names", 3);
    }

    /// One history, from `HISTORY_SEED`; without that, that a seed makes the same history again.
    #[test]
    fn replay() {
        if let Ok(seed) = std::env::var("HISTORY_SEED") {
            let seed = seed.parse().expect("HISTORY_SEED is a number");
            println!("{}", replayed(seed).unwrap_or_else(|wrong| panic!("{wrong}")));
        } else {
            for seed in 0..200 {
                assert_eq!(replayed(seed), replayed(seed), "seed {seed}");
            }
        }
    }
}
