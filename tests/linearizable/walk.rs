//! The checker of iterations (H): what each owes, in the same search as all else.
//!
//! An iteration is recorded as its beginning, each visit with the time between two calls of `next`, and its
//! end. The beginning, in the search, is a moment of its recorded time; from then on the iteration *owes* each client that is
//! live then, until that ends or is visited; at the end it may owe none. A visit is right at a moment of
//! its own time at which that incarnation is live, with that info and stream, and only once. So this
//! refutes an iteration that leaves out a client that was live throughout, that shows one twice, that
//! shows one that had ended before or began after, or that shows it as it never was then; in every order
//! that the other calls leave open, growth and takeovers included. An iteration of streams owes those that
//! have one all the time.
//!
//! It never raises a false alarm, as the moments are the search's to choose. What it cannot refute: an order
//! of visits (none is promised), visits of what came meanwhile that could as well have been left out, and
//! what differs only between two moments of one recorded time.

use super::history::Tag;
use super::spec::Client;

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Walk {
    thread: usize,
    streams: bool,
    owed: Vec<Tag>,
    visited: Vec<Tag>,
}

/// The iterations under way, one of each thread at most.
#[derive(Clone, PartialEq, Eq, Hash, Default, Debug)]
pub struct Walks(Vec<Walk>);

impl Walks {
    pub fn begin(&mut self, thread: usize, streams: bool, live: &[Client]) {
        // One whose end was left out, when a history is made shorter, is over all the same.
        self.0.retain(|walk| walk.thread != thread);
        let owed = live.iter().filter(|client| !streams || client.stream.is_some());
        let owed = owed.map(|client| client.tag).collect();
        self.0.push(Walk { thread, streams, owed, visited: Vec::new() });
    }

    /// `false`: it was visited before.
    pub fn visit(&mut self, thread: usize, tag: Tag) -> bool {
        let Some(walk) = self.0.iter_mut().find(|walk| walk.thread == thread) else {
            // Only its visits are left, when a history is made shorter.
            return true;
        };
        walk.owed.retain(|&owed| owed != tag);
        let again = walk.visited.contains(&tag);
        walk.visited.push(tag);
        !again
    }

    /// Without this thread's, if that owes nothing.
    pub fn end(&self, thread: usize) -> Option<Self> {
        let at = self.0.iter().position(|walk| walk.thread == thread)?;
        let mut walks = self.clone();
        walks.0.remove(at).owed.is_empty().then_some(walks)
    }

    pub fn has_ended(&mut self, tag: Tag) {
        for walk in &mut self.0 {
            walk.owed.retain(|&owed| owed != tag);
        }
    }

    pub fn has_no_stream(&mut self, tag: Tag) {
        for walk in self.0.iter_mut().filter(|walk| walk.streams) {
            walk.owed.retain(|&owed| owed != tag);
        }
    }
}
