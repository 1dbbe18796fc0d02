//! The pool by itself, for this crate's own models.

#![allow(missing_docs)]

use super::{Node, Pool};
use crate::sync::UnsafeCell;

/// Places that belong to whoever has their number.
#[derive(Debug)]
pub struct Numbers {
    pool: Pool,
    places: Vec<UnsafeCell<()>>,
}

// SAFETY: there is nothing in the cells.
unsafe impl Sync for Numbers {}

/// A number that is taken.
#[derive(Debug)]
pub struct Taken<'n> {
    numbers: &'n Numbers,
    node: &'static Node,
}

impl Numbers {
    #[must_use]
    pub fn new(places: usize) -> Self {
        let place = |_| {
            let cell = UnsafeCell::new(());
            // Loom does not see the first write.
            cell.with_mut(|_| ());
            cell
        };
        Self { pool: Pool::new(), places: (0..places).map(place).collect() }
    }

    /// Takes a number, and does to its place what only its owner does.
    pub fn take(&self) -> Taken<'_> {
        let taken = Taken { numbers: self, node: self.pool.take() };
        taken.use_it();
        taken
    }
}

impl Taken<'_> {
    #[must_use]
    pub fn value(&self) -> u32 {
        self.node.value()
    }

    fn use_it(&self) {
        self.numbers.places[self.value() as usize].with_mut(|_| ());
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        self.use_it();
        // As one does who knows only the number.
        let node = self.numbers.pool.find(self.value()).expect("it is on the list");
        node.give_back();
    }
}
