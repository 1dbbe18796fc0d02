//! What the load's clients count at their sockets.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use serde::Serialize;

/// One counter for each thing that can happen to a client.
#[derive(Default, Serialize)]
pub struct Tally {
    /// Messages that arrived.
    pub delivered: Count,
    /// Of these, messages that arrived where they should not.
    pub misroutes: Count,
    /// `SEND`s that were answered OK.
    pub accepted: Count,
    /// `SEND`s to a node that nobody is.
    pub no_such_node: Count,
    /// `SEND`s to a node that has a stream whose connection is gone. A few are nobody's fault: the
    /// client may end between a lookup without locks and the use of what it found.
    pub dead_routes: Count,
    /// `SEND`s to a node whose queue was full.
    pub slow: Count,
    /// `JOIN`s refused because the pool was full.
    pub refused: Count,
    /// `JOIN`s under a node id whose old socket was still there.
    pub takeovers: Count,
    /// Sockets that left politely.
    pub left: Count,
    /// Sockets that were reset without a word.
    pub crashes: Count,
    /// Bad frames that were answered by an error.
    pub bad_frames: Count,
    /// Connections that could not be made, for want of ports or files as a rule.
    pub unreachable: Count,
    /// Connections that broke, or whose gateway said the wrong thing or nothing.
    pub lost: Count,
}

/// A counter.
#[derive(Default, Serialize)]
#[serde(transparent)]
pub struct Count(AtomicU64);

impl Count {
    pub fn add_one(&self) {
        self.0.fetch_add(1, Relaxed);
    }

    pub fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}
