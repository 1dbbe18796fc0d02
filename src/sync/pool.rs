//! A pool of small numbers, lock-free: each is taken by one at a time, who comes after all that the former owner
//! did to the places that it indexes.
//!
//! A number stays on the list for ever, so there are as many as were taken at once.

#[cfg(loom)]
pub mod modelled;

use core::ptr;

#[cfg(not(loom))]
use core::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32};
#[cfg(loom)]
use loom::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32};

use super::{Ordering, Witness};

/// One number.
#[derive(Debug)]
pub(crate) struct Node {
    value: u32,
    /// Of the value.
    witness: Witness,
    taken: AtomicBool,
    next: AtomicPtr<Node>,
}

#[derive(Debug)]
pub(crate) struct Pool {
    nodes: AtomicPtr<Node>,
    issued: AtomicU32,
}

impl Node {
    pub(crate) fn value(&self) -> u32 {
        self.witness.read();
        self.value
    }

    /// By its owner.
    pub(crate) fn give_back(&self) {
        // Release: pairs with the Acquire in `reuse`, so that the next owner of the number sees
        // all that this one left in the places indexed by it.
        self.taken.store(false, Ordering::Release);
    }
}

impl Pool {
    #[cfg(not(loom))]
    pub(crate) const fn new() -> Self {
        Self { nodes: AtomicPtr::new(ptr::null_mut()), issued: AtomicU32::new(0) }
    }

    #[cfg(loom)]
    pub(crate) fn new() -> Self {
        Self { nodes: AtomicPtr::new(ptr::null_mut()), issued: AtomicU32::new(0) }
    }

    /// A number that is free, or one more.
    pub(crate) fn take(&self) -> &'static Node {
        self.reuse().unwrap_or_else(|| self.issue())
    }

    pub(crate) fn find(&self, value: u32) -> Option<&'static Node> {
        self.nodes().find(|node| node.value() == value)
    }

    fn nodes(&self) -> impl Iterator<Item = &'static Node> {
        // Acquire: pairs with the Release in `issue` that published the node, and with those of all nodes behind it,
        // as each exchange of the head continues the release sequence of the one before.
        // SAFETY: nodes are leaked by `issue` and never freed or moved.
        let first = unsafe { self.nodes.load(Ordering::Acquire).as_ref() };
        // Relaxed: ordered by the load of the head.
        // SAFETY: as above.
        core::iter::successors(first, |node| unsafe { node.next.load(Ordering::Relaxed).as_ref() })
    }

    fn reuse(&self) -> Option<&'static Node> {
        self.nodes().find(|node| {
            // Relaxed, on failure too: a stale answer only costs another number. Acquire on success
            // pairs with the Release of the former owner.
            let free = !node.taken.load(Ordering::Relaxed);
            let taken = &node.taken;
            free && taken
                .compare_exchange(false, true, Ordering::Acquire, Ordering::Relaxed)
                .is_ok()
        })
    }

    fn issue(&self) -> &'static Node {
        let node: &'static Node = Box::leak(Box::new(Node {
            // Relaxed: only uniqueness matters.
            value: self.issued.fetch_add(1, Ordering::Relaxed),
            witness: Witness::new(),
            taken: AtomicBool::new(true),
            next: AtomicPtr::new(ptr::null_mut()),
        }));
        // Relaxed, here and on failure: the head is only stored as a link.
        let mut head = self.nodes.load(Ordering::Relaxed);
        loop {
            // Relaxed: published by the exchange below.
            node.next.store(head, Ordering::Relaxed);
            let pointer = ptr::from_ref(node).cast_mut();
            // Release: publishes the node to the Acquire in `nodes`.
            match self.nodes.compare_exchange(head, pointer, Ordering::Release, Ordering::Relaxed) {
                Ok(_) => return node,
                Err(seen) => head = seen,
            }
        }
    }
}
