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
//! two calls of such short histories overlap. One of either sort that nothing explains is printed whole and made
//! shorter. If the threads ran free, its calls are then made with the baton, by many schedules, in search of one
//! that replays (`replay`).
//!
//! `HISTORIES=n` sets how many are checked in all, `HISTORY_MODE=baton` or `free` that all are of
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
    mod replay;
    mod shrink;
    mod spec;
    mod stopped;
    mod tampered;
    mod walk;

    use campaign::check_all;
    use record::Mode;
    use replay::{asked_for, replayed, schedule_with};

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

    /// One history, from `HISTORY_SEED`; without that, that a seed and a schedule make the same history again,
    /// and another schedule mostly another.
    #[test]
    fn replay() {
        if let Ok(seed) = std::env::var("HISTORY_SEED") {
            println!("{}", asked_for(&seed).unwrap_or_else(|wrong| panic!("{wrong}")));
            return;
        }
        let mut others = 0;
        for seed in 0..200 {
            let one = |schedule| replayed(seed, Mode::Baton { schedule });
            assert_eq!(one(0), one(0), "seed {seed}");
            assert_eq!(one(1), one(1), "seed {seed}");
            others += u32::from(calls(&one(0)) != calls(&one(1)));
        }
        assert!(others > 100, "only {others} of 200 differ");
    }

    /// What only some schedules do is searched for, and found.
    #[test]
    fn a_schedule_is_found() {
        for seed in 0..8 {
            let one = |schedule| calls(&replayed(seed, Mode::Baton { schedule }));
            let wanted = (1..100).map(one).find(|other| *other != one(0));
            let found = schedule_with(seed, |history| Some(calls(history)) == wanted);
            assert!(found.is_some_and(|at| at > 0 && Some(one(at)) == wanted), "seed {seed}");
        }
    }

    /// Without the line that names the schedule.
    fn calls(history: &Result<String, String>) -> String {
        let (Ok(text) | Err(text)) = history;
        text.lines().skip(1).collect()
    }
}
