//! The outbound stream handle: what a design stores under a node id, and routes messages by.

use std::{mem, sync::Arc};

use tokio::sync::{Notify, mpsc};

use crate::{ledger::Ledger, protocol::Frame};

/// Number of a connection, never reused while the gateway runs.
pub type ConnId = u64;

/// One client's way out: the queue of its connection, and the bell that ends it.
///
/// The queue is bounded and nobody waits for room in it: a slow receiver costs its senders an
/// `ERR`, never their time.
pub struct Outbound {
    serial: u64,
    connection: ConnId,
    ledger: &'static Ledger,
    /// Taken by the first drop.
    parts: Option<(mpsc::Sender<Frame>, Arc<Notify>)>,
}

/// What became of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Handed {
    Over,
    /// The queue was full: the message is dropped and its sender told.
    Slow,
    /// The connection behind this handle is gone.
    Dead,
}

impl Outbound {
    pub fn new(
        ledger: &'static Ledger,
        connection: ConnId,
        queue: mpsc::Sender<Frame>,
        evicted: Arc<Notify>,
    ) -> Self {
        let parts = Some((queue, evicted));
        Self { serial: ledger.handle_made(), connection, ledger, parts }
    }

    /// The connection that this handle leads to.
    pub fn connection(&self) -> ConnId {
        self.connection
    }

    /// Puts a frame into the queue, if there is room.
    pub fn hand(&self, frame: Frame) -> Handed {
        match self.parts.as_ref().map(|(queue, _)| queue.try_send(frame)) {
            Some(Ok(())) => Handed::Over,
            Some(Err(mpsc::error::TrySendError::Full(_))) => Handed::Slow,
            Some(Err(mpsc::error::TrySendError::Closed(_))) | None => Handed::Dead,
        }
    }

    /// Tells the connection that its node id was taken over, so that it says so and closes.
    pub fn evict(&self) {
        if let Some((_, evicted)) = &self.parts {
            evicted.notify_one();
        }
    }
}

impl Drop for Outbound {
    fn drop(&mut self) {
        let parts = self.parts.take();
        // A second drop, of a bitwise copy, is to be counted, not to free its parts again.
        if !self.ledger.handle_dropped(self.serial) {
            mem::forget(parts);
        }
    }
}
