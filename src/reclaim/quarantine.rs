//! The reclaimer that loom sees: what is retired stays in quarantine until the earliest moment at which
//! an epoch could legally let it go, and then goes at the next writer's call. That is no later than any
//! real epoch, so a model that is sound here is sound there.
//!
//! The moment comes in two: first a writer finds that every pin from the retirement, the retirer's own
//! among them, has ended, and announces it; then every pin that may have missed the announcement has
//! ended too. A pin that comes later reads the announcement, and so cannot read what led to the retired.
//!
//! Its books are not loom's: they are kept between two steps of the model, under a lock that is never
//! contended. What a real epoch orders goes through two modelled words.

use core::cell::Cell;
use core::ptr::NonNull;
use std::collections::BTreeSet;
use std::sync::Mutex;

use super::{Header, Panics, Slab, Tally};
use crate::sync::{AtomicU32, AtomicUsize, Ordering, ThreadNumber};

thread_local! {
    static KEEP: Cell<bool> = const { Cell::new(false) };
}

/// Has the reclaimers that are made from now on keep all garbage to their end. For models of races that
/// have nothing to do with reclamation: pins order nothing then, which a model has to try out otherwise.
/// Retiring twice is noticed still. Loom's threads are all on one of the system's.
pub fn keep_garbage(keep: bool) {
    KEEP.set(keep);
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Item {
    Slot(u32),
    Header(NonNull<Header>),
}

#[derive(Debug, Default)]
struct Books {
    /// Counts pins taken.
    clock: u64,
    pins: BTreeSet<u64>,
    retired: Vec<Retired>,
}

#[derive(Debug)]
struct Retired {
    item: Item,
    /// The clock at the retirement.
    at: u64,
    /// The clock after the announcement.
    announced: Option<u64>,
}

impl Books {
    /// Whether every pin that was taken by then has ended.
    fn is_over(&self, then: u64) -> bool {
        self.pins.first().is_none_or(|&oldest| oldest > then)
    }
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Reclaimer {
    keeps: bool,
    books: Mutex<Books>,
    /// Every end of a pin, in the order of the model: before the disposal of what it kept.
    ended: AtomicUsize,
    /// Every announcement: before a later pin.
    announced: AtomicUsize,
}

// SAFETY: items are sent as the values in them may be, which the registry's own bounds see to.
unsafe impl Send for Reclaimer {}
// SAFETY: as above.
unsafe impl Sync for Reclaimer {}

/// See `epoch::Pin`.
pub(crate) struct Pin<'r> {
    reclaimer: &'r Reclaimer,
    number: u32,
    taken: u64,
}

impl Reclaimer {
    pub(crate) fn new() -> Self {
        Self {
            keeps: KEEP.get(),
            books: Mutex::default(),
            ended: AtomicUsize::new(0),
            announced: AtomicUsize::new(0),
        }
    }

    fn books(&self) -> std::sync::MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    pub(crate) fn pin(&self) -> Pin<'_> {
        let number = ThreadNumber::current().value();
        if self.keeps {
            return Pin { reclaimer: self, number, taken: 0 };
        }
        let taken = {
            let mut books = self.books();
            books.clock += 1;
            let taken = books.clock;
            books.pins.insert(taken);
            taken
        };
        // A read-modify-write, so that it reads the latest: what an epoch's own fence does.
        self.announced.fetch_add(0, Ordering::Acquire);
        Pin { reclaimer: self, number, taken }
    }

    pub(crate) fn outstanding(&self) -> usize {
        self.books().retired.len()
    }

    pub(crate) fn bytes(&self) -> usize {
        0
    }

    /// What no pin can reach any more.
    fn ripe(&self) -> Vec<Item> {
        if self.keeps {
            return Vec::new();
        }
        let over: Vec<Item> = {
            let books = self.books();
            let unannounced = books.retired.iter().filter(|retired| retired.announced.is_none());
            let over = unannounced.filter(|retired| books.is_over(retired.at));
            over.map(|retired| retired.item).collect()
        };
        if !over.is_empty() {
            // Read-modify-writes, so that they read the latest: all that those pins did comes before
            // the announcement, and the announcement before the next pin.
            self.ended.fetch_add(0, Ordering::Acquire);
            self.announced.fetch_add(1, Ordering::AcqRel);
        }
        let mut books = self.books();
        let now = books.clock;
        for retired in &mut books.retired {
            if over.contains(&retired.item) {
                retired.announced.get_or_insert(now);
            }
        }
        let all = core::mem::take(&mut books.retired);
        let is_ripe = |retired: &Retired| retired.announced.is_some_and(|then| books.is_over(then));
        let (ripe, kept) = all.into_iter().partition(is_ripe);
        books.retired = kept;
        ripe.into_iter().map(|retired: Retired| retired.item).collect()
    }

    fn dispose<S: Slab>(&self, slab: &S, items: Vec<Item>, panics: &mut Panics) -> usize {
        if !items.is_empty() {
            // What the pins did that kept these, and who announced them, comes before.
            self.ended.fetch_add(0, Ordering::Acquire);
            self.announced.fetch_add(0, Ordering::Acquire);
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

    pub(crate) fn tidy<S: Slab>(&self, slab: &S) -> Panics {
        self.dispose_of_ripe(slab).1
    }

    pub(crate) fn flush<S: Slab>(&self, slab: &S) -> (Tally, Panics) {
        if !self.keeps {
            // Loom does not see the books: this has it try a flush before and after each end of a pin,
            // which is when things become ripe.
            self.ended.fetch_add(0, Ordering::Acquire);
        }
        self.dispose_of_ripe(slab)
    }

    fn dispose_of_ripe<S: Slab>(&self, slab: &S) -> (Tally, Panics) {
        let mut panics = Panics::default();
        let items = self.ripe();
        let disposed = self.dispose(slab, items, &mut panics);
        (Tally { disposed, left: self.outstanding() }, panics)
    }

    /// See `epoch`.
    ///
    /// # Safety
    ///
    /// No guard can reach any of it any more.
    pub(crate) unsafe fn drain<S: Slab>(&self, slab: &S, panics: &mut Panics) {
        let items = core::mem::take(&mut self.books().retired);
        let items = items.into_iter().map(|retired| retired.item).collect();
        self.dispose(slab, items, panics);
    }

    fn retire_item(&self, item: Item) {
        let mut books = self.books();
        let again = books.retired.iter().any(|retired| retired.item == item);
        assert!(!again, "{item:?} is retired twice");
        let at = books.clock;
        books.retired.push(Retired { item, at, announced: None });
    }
}

impl Pin<'_> {
    pub(crate) fn thread(&self) -> u32 {
        self.number
    }

    pub(crate) fn repin(&mut self) {
        let again = self.reclaimer.pin();
        *self = again;
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
        if self.reclaimer.keeps {
            return;
        }
        // Release: what this pin read comes before the disposal of what it kept, see `dispose`.
        self.reclaimer.ended.fetch_add(1, Ordering::Release);
        self.reclaimer.books().pins.remove(&self.taken);
    }
}
