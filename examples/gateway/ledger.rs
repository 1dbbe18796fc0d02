//! The accounts that no design keeps for itself.
//!
//! Every stream handle that exists is entered here by its own constructor and struck out by its
//! own `Drop`, so what the table calls leaked or dropped twice is nobody's word but the handle's.

use std::{
    collections::HashSet,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

/// Counts clients and stream handles of one gateway.
#[derive(Default)]
pub struct Ledger {
    connects: AtomicU64,
    disconnects: AtomicU64,
    handles: AtomicU64,
    alive: Mutex<HashSet<u64>>,
    double_drops: AtomicU64,
}

impl Ledger {
    /// A ledger for the rest of the process's life: a handle that is dropped once too often, at
    /// whatever time, must still find its ledger to say so.
    pub fn open() -> &'static Self {
        Box::leak(Box::default())
    }

    /// Enters a client that the design let in. Dropping the entry counts its end.
    pub fn enter(&'static self) -> Entry {
        self.connects.fetch_add(1, Relaxed);
        Entry(self)
    }

    /// Enters a new stream handle, under a number that is never used again.
    pub fn handle_made(&self) -> u64 {
        let serial = self.handles.fetch_add(1, Relaxed);
        self.alive().insert(serial);
        serial
    }

    /// Strikes out a stream handle. False if that had been done before.
    pub fn handle_dropped(&self, serial: u64) -> bool {
        let first = self.alive().remove(&serial);
        if !first {
            self.double_drops.fetch_add(1, Relaxed);
        }
        first
    }

    pub fn connects(&self) -> u64 {
        self.connects.load(Relaxed)
    }

    pub fn disconnects(&self) -> u64 {
        self.disconnects.load(Relaxed)
    }

    /// Clients that were let in and have not ended yet.
    pub fn clients(&self) -> u64 {
        // In this order: who comes and goes in between must not count as gone alone.
        let disconnects = self.disconnects();
        self.connects().saturating_sub(disconnects)
    }

    /// Stream handles that were made and not yet dropped.
    pub fn streams(&self) -> usize {
        self.alive().len()
    }

    pub fn double_drops(&self) -> u64 {
        self.double_drops.load(Relaxed)
    }

    fn alive(&self) -> MutexGuard<'_, HashSet<u64>> {
        self.alive.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A client that was let in and has not ended yet.
pub struct Entry(&'static Ledger);

impl Drop for Entry {
    fn drop(&mut self) {
        self.0.disconnects.fetch_add(1, Relaxed);
    }
}
