//! The stacks by themselves, for this crate's own models.

#![allow(missing_docs)]

use super::{IndexPile, IndexStack};
use crate::sync::{AtomicU32, Witness};

/// Items of which each is on a stack, on a pile, or somebody's.
#[derive(Debug)]
pub struct Items {
    stack: IndexStack,
    pile: IndexPile,
    items: Vec<(AtomicU32, Witness)>,
}

impl Items {
    /// All are somebody's.
    #[must_use]
    pub fn new(items: u32) -> Self {
        let items = (0..items).map(|_| (AtomicU32::new(0), Witness::new())).collect();
        Self { stack: IndexStack::new(), pile: IndexPile::new(), items }
    }

    fn link(&self, item: u32) -> &AtomicU32 {
        &self.items[item as usize].0
    }

    /// What only the owner of an item does to it.
    fn use_it(&self, item: u32) {
        self.items[item as usize].1.end();
    }

    /// Gives an item up, to the stack.
    pub fn push(&self, item: u32) {
        self.use_it(item);
        self.stack.push(item, self.link(item));
    }

    /// Takes the first item of the stack.
    pub fn pop(&self) -> Option<u32> {
        let item = self.stack.pop(|item| self.link(item));
        item.inspect(|&item| self.use_it(item))
    }

    /// Gives an item up, to the pile.
    pub fn pile_up(&self, item: u32) {
        self.use_it(item);
        self.pile.push(item, self.link(item));
    }

    /// Takes all items of the pile.
    pub fn take(&self) -> Vec<u32> {
        let mut taken = self.pile.take();
        let items = std::iter::from_fn(|| taken.next(|item| self.link(item)));
        items.inspect(|&item| self.use_it(item)).collect()
    }
}
