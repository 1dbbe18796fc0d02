//! The search for an order (J. M. Wing, C. Gong, "Testing and Verifying Concurrent Objects", JPDC 17,
//! 1993, with the memory of G. Lowe, "Testing for Linearizability", CCPE 29(4), 2017).

use std::collections::HashSet;

use ahash::RandomState;

use super::history::{Event, History};
use super::spec::{Phase, Rules, State};

#[derive(Clone, PartialEq, Eq, Hash)]
struct Point {
    /// For each thread: its next call, and how far that is.
    at: Vec<(u8, Phase)>,
    state: State,
}

/// Whether some order explains the history, and how many points the search met.
pub fn is_linearizable(history: &History, rules: Rules) -> (bool, usize) {
    search(history, rules, State::is_look)
}

/// What only looks, as `is_look` says, takes effect as soon as that is right, and nothing else is tried there: in an
/// order where it comes later, it can be moved to the front. No state changes by that, and it delays nobody.
pub fn search(history: &History, rules: Rules, is_look: impl Fn(&Event) -> bool) -> (bool, usize) {
    let start = Point { at: vec![(0, Phase::Called); history.0.len()], state: State::default() };
    let mut seen: HashSet<Point, RandomState> = HashSet::default();
    let mut left = vec![start];
    while let Some(point) = left.pop() {
        let pending = || {
            let threads = history.0.iter().zip(&point.at).enumerate();
            threads.filter_map(|(thread, (events, &(next, phase)))| {
                events.get(usize::from(next)).map(|event| (thread, event, phase))
            })
        };
        // A call cannot begin after another that has not taken effect returned.
        let Some(deadline) = pending().map(|(_, event, _)| event.returned).min() else {
            return (true, seen.len());
        };
        let steps = |(thread, event, phase)| {
            let steps = point.state.steps(thread, event, phase, rules).into_iter();
            steps.map(move |step| (thread, step))
        };
        let may_begin = || pending().filter(|(_, event, _)| event.called < deadline);
        let mut looks = may_begin().filter(|(_, event, _)| is_look(event));
        let look = looks.find_map(|pending| steps(pending).next());
        let all = || may_begin().flat_map(steps);
        let tried = look.map_or_else(|| Vec::from_iter(all()), |look| vec![look]);
        for (thread, (state, phase)) in tried {
            let mut next = Point { at: point.at.clone(), state };
            next.at[thread] = match phase {
                Phase::Returned => (next.at[thread].0 + 1, Phase::Called),
                phase => (next.at[thread].0, phase),
            };
            if seen.insert(next.clone()) {
                left.push(next);
            }
        }
    }
    (false, seen.len())
}
