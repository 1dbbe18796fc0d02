//! Histories of real threads against the sequential model of the contract: is there an order of atomic
//! steps, within the time that each call took, in which every answer is right?
//!
//! Threads yield at random atomic operations of the registry (feature `steps`); without that, hardly any
//! two calls of such short histories overlap. `HISTORIES` sets how many are checked.

mod fixtures;

mod linearizable {
    mod check;
    mod record;
    mod spec;

    use std::env;
    use std::time::Instant;

    use tandem_registry::Policy;

    use check::{is_linearizable, minimized};
    use record::Recorder;

    /// Histories of each kind, unless `HISTORIES` says otherwise.
    const HISTORIES: u64 = 50_000;

    fn check_all(name: &str, policy: Policy, crowded: bool) {
        let wanted = env::var("HISTORIES").ok().and_then(|text| text.parse().ok());
        let wanted = wanted.unwrap_or(HISTORIES);
        let start = Instant::now();
        let recorder = Recorder::new(policy, crowded);
        let (mut overlapping, mut longest) = (0, 0);
        for seed in 0..wanted {
            let history = recorder.record(seed);
            overlapping += u64::from(history.overlaps());
            let (right, orders) = is_linearizable(&history, policy);
            longest = longest.max(orders);
            assert!(right, "seed {seed}: no order explains\n{}", minimized(history, policy));
        }
        println!(
            "{name}: {wanted} histories, {}% of them overlapping, at most {longest} states, {:.1?}",
            100 * overlapping / wanted.max(1),
            start.elapsed(),
        );
        assert!(2 * overlapping >= wanted, "{overlapping} of {wanted} histories overlap");
    }

    #[test]
    fn takeovers() {
        check_all("takeover", Policy::Takeover, false);
    }

    #[test]
    fn takeovers_of_two_names() {
        check_all("takeover, two names", Policy::Takeover, true);
    }

    #[test]
    fn rejections() {
        check_all("reject", Policy::Reject, false);
    }

    #[test]
    fn rejections_of_two_names() {
        check_all("reject, two names", Policy::Reject, true);
    }
}
