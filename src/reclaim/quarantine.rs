//! The reclaimer that loom sees: what is retired stays in quarantine until the earliest moment at which
//! an epoch could legally let it go, and then goes at the next writer's call. That is earlier than any
//! real epoch, so a model that is sound here is sound there.
//!
//! Its books are not loom's: they are kept between two steps of the model, under a lock that is never
//! contended. What a real epoch orders (the end of a pin before the disposal of what it kept) goes
//! through one modelled word.

use core::ptr::NonNull;
use std::collections::{BTreeMap, HashSet};
use std::sync::Mutex;

use super::{Header, Panics, Slab, Tally};
use crate::sync::{AtomicU32, AtomicUsize, Ordering};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Item {
    Slot(u32),
    Header(NonNull<Header>),
}

#[derive(Debug, Default)]
struct Books {
    /// Counts pins taken.
    clock: u64,
    pins: HashSet<u64>,
    /// What is retired, with the clock of its retirement.
    retired: BTreeMap<u64, Vec<(u64, Item)>>,
    held: HashSet<Item>,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Reclaimer {
    books: Mutex<Books>,
    /// Every end of a pin, in the order of the model.
    ended: AtomicUsize,
}

// SAFETY: items are sent as the values in them may be, which the registry's own bounds see to.
unsafe impl Send for Reclaimer {}
// SAFETY: as above.
unsafe impl Sync for Reclaimer {}

/// See `epoch::Pin`.
pub(crate) struct Pin<'r> {
    reclaimer: &'r Reclaimer,
    taken: u64,
}

impl Reclaimer {
    pub(crate) fn new() -> Self {
        Self { books: Mutex::default(), ended: AtomicUsize::new(0) }
    }

    fn books(&self) -> std::sync::MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    pub(crate) fn pin(&self) -> Pin<'_> {
        let mut books = self.books();
        books.clock += 1;
        let taken = books.clock;
        books.pins.insert(taken);
        Pin { reclaimer: self, taken }
    }

    pub(crate) fn outstanding(&self) -> usize {
        self.books().held.len()
    }

    pub(crate) fn bytes(&self) -> usize {
        0
    }

    /// What no pin can reach any more.
    fn ripe(&self) -> Vec<Item> {
        let mut books = self.books();
        let oldest = books.pins.iter().copied().min().unwrap_or(u64::MAX);
        let Books { retired, held, .. } = &mut *books;
        let later = retired.split_off(&oldest);
        let ripe = core::mem::replace(retired, later);
        let items: Vec<Item> = ripe.into_values().flatten().map(|(_, item)| item).collect();
        for item in &items {
            held.remove(item);
        }
        items
    }

    fn dispose<S: Slab>(&self, slab: &S, items: Vec<Item>, panics: &mut Panics) -> usize {
        if !items.is_empty() {
            // A read-modify-write, so that it reads the latest: every pin that kept these has ended.
            self.ended.fetch_add(0, Ordering::AcqRel);
        }
        let disposed = items.len();
        for item in items {
            match item {
                // SAFETY: retired once (`retire_item` checks), and every older pin has ended.
                Item::Slot(slot) => panics.run(|| unsafe { slab.reclaim(slot) }),
                // SAFETY: likewise.
                Item::Header(header) => panics.run(|| unsafe { (header.as_ref().dispose)(header) }),
            }
        }
        disposed
    }

    pub(crate) fn tidy<S: Slab>(&self, slab: &S) {
        self.flush(slab);
    }

    pub(crate) fn flush<S: Slab>(&self, slab: &S) -> Tally {
        let mut panics = Panics::default();
        let items = self.ripe();
        let disposed = self.dispose(slab, items, &mut panics);
        panics.resume();
        Tally { disposed, left: self.outstanding() }
    }

    /// See `epoch`.
    ///
    /// # Safety
    ///
    /// No guard can reach any of it any more.
    pub(crate) unsafe fn drain<S: Slab>(&self, slab: &S, panics: &mut Panics) {
        let items = {
            let mut books = self.books();
            books.held.clear();
            core::mem::take(&mut books.retired)
        };
        let items = items.into_values().flatten().map(|(_, item)| item).collect();
        self.dispose(slab, items, panics);
    }

    fn retire_item(&self, item: Item) {
        let mut books = self.books();
        assert!(books.held.insert(item), "{item:?} is retired twice");
        let now = books.clock;
        books.retired.entry(now).or_default().push((now, item));
    }
}

impl Pin<'_> {
    pub(crate) fn thread(&self) -> u32 {
        0
    }

    pub(crate) fn repin(&mut self) {
        *self = self.reclaimer.pin();
    }

    /// See `epoch::Pin`.
    ///
    /// # Safety
    ///
    /// The slot is unlinked, so that only guards taken before can reach it, and is retired once.
    pub(crate) unsafe fn retire_slot(&self, slot: u32, _link: &AtomicU32) {
        self.reclaimer.retire_item(Item::Slot(slot));
    }

    /// See `epoch::Pin`.
    ///
    /// # Safety
    ///
    /// As for a slot.
    pub(crate) unsafe fn retire(&self, header: NonNull<Header>) {
        self.reclaimer.retire_item(Item::Header(header));
    }
}

impl Drop for Pin<'_> {
    fn drop(&mut self) {
        // Release: what this pin read comes before the disposal of what it kept, see `dispose`.
        self.reclaimer.ended.fetch_add(1, Ordering::Release);
        self.reclaimer.books().pins.remove(&self.taken);
    }
}
