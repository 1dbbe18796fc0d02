//! The two linked tables, and everything that is done to them together.
//!
//! A name leads through its table to slots; the slot's state word says whether a client lives there.
//! Because both tables lead to the same word, one step of it ends the client in both (A).
//!
//! | file | what it does here |
//! |---|---|
//! | `connect` | the owner's way in: fill, enter, arm, drive, collect |
//! | `drive` | what anyone may do for a newcomer: compete, commit |
//! | `settle` | what follows on a takeover's commit: evict; and on an end that was begun |
//! | `end` | the way out: disconnect, close, unlink |
//! | `alias` | further names in the node table |
//! | `attach` | streams and infos that replace earlier ones |
//! | `lookup` | names to live clients |
//!
//! No user type is hashed here: callers pass hashes, and growth keeps to them.

use core::ptr::NonNull;

use crate::custody::Custody;
use crate::entry::SLOT_BITS;
use crate::places::Places;
use crate::policy::Policy;
use crate::reclaim::{Late, Panics, Pin, Reclaimer, Tally};
use crate::slots::{Facts, MAX_SLOTS, Slots};
use crate::sync::{AtomicU32, Ordering};
use crate::table::Table;

mod alias;
mod attach;
mod connect;
mod drive;
mod end;
mod lookup;
mod settle;

pub(crate) use alias::AliasRefusal;
pub(crate) use connect::Refused;
pub(crate) use lookup::Glance;

/// Settings that were checked by the builder.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    pub(crate) max_clients: Option<usize>,
    pub(crate) capacity: usize,
    pub(crate) shards: usize,
    pub(crate) policy: Policy,
    /// How many threads are likely to work at once: stripes of what is striped.
    pub(crate) stripes: usize,
}

/// A table's entry has room for the number of any slot.
const _: () = assert!(MAX_SLOTS <= 1 << SLOT_BITS);

/// See the module.
pub(crate) struct Tandem<Id, Node, Info, Stream> {
    pub(crate) slots: Slots<Id, Node, Info, Stream>,
    pub(crate) ids: Table,
    pub(crate) nodes: Table,
    pub(crate) places: Places,
    policy: Policy,
    /// 1 once the registry went, and with it every guard.
    abandoned: AtomicU32,
    custody: Custody,
    late: Late,
    reclaimer: Reclaimer,
}

/// One call's pin, and the panics of user code that it has met.
pub(crate) struct Call<'p> {
    pub(crate) pin: Pin<'p>,
    pub(crate) panics: Panics,
}

impl Call<'_> {
    /// Ends the call: unpins, and continues the first panic.
    pub(crate) fn finish(self) {
        let Self { pin, panics } = self;
        drop(pin);
        panics.resume();
    }
}

impl<Id, Node, Info, Stream> Tandem<Id, Node, Info, Stream> {
    pub(crate) fn new(settings: Settings) -> Self {
        let Settings { max_clients, capacity, shards, policy, stripes } = settings;
        Self {
            // The builder keeps capacities to the number of slots, which is less.
            slots: Slots::new(capacity as u32, stripes),
            ids: Table::new(shards, capacity),
            nodes: Table::new(shards, capacity),
            places: Places::new(max_clients, stripes),
            policy,
            abandoned: AtomicU32::new(0),
            custody: Custody::new(),
            late: Late::new(),
            reclaimer: Reclaimer::new(),
        }
    }

    #[inline]
    pub(crate) fn pin(&self) -> Pin<'_> {
        self.reclaimer.pin()
    }

    pub(crate) fn call(&self) -> Call<'_> {
        Call { pin: self.pin(), panics: Panics::default() }
    }

    /// A writer's share of disposing of what is ripe. Users' `Drop` runs: no pin, no half-done state.
    pub(crate) fn tidy(&self) {
        self.reclaimer.tidy(&self.slots).resume();
        self.late.take().resume();
    }

    /// The same for a call that would lose its arguments or its outcome to a panic: that is left to
    /// the next call of the other kind.
    pub(crate) fn tidy_with_care(&self) {
        self.late.keep(self.reclaimer.tidy(&self.slots));
    }

    pub(crate) fn flush(&self) -> Tally {
        let (tally, panics) = self.reclaimer.flush(&self.slots);
        panics.resume();
        self.late.take().resume();
        tally
    }

    pub(crate) fn retired(&self) -> usize {
        self.reclaimer.outstanding()
    }

    pub(crate) fn bytes(&self) -> usize {
        let pin = self.pin();
        let tables = self.ids.bytes(&pin) + self.nodes.bytes(&pin);
        let counts = self.places.bytes() + self.custody.bytes();
        size_of::<Self>() + self.slots.bytes() + tables + counts + self.reclaimer.bytes()
    }

    /// Gives up what no live client and no outstanding handle needs.
    ///
    /// # Safety
    ///
    /// No guard is out, and no other call is under way. What was removed may be dropped meanwhile: it
    /// touches its own slots, the piles and the free lists.
    pub(crate) unsafe fn shrink(&self) {
        self.flush();
        let pin = self.reclaimer.pin();
        // SAFETY: the caller's promise: nobody is in the tables, allocates or looks up.
        unsafe {
            // Before the slots: what is left in old levels may lead to any of them (`Slots::plain`).
            self.ids.shrink(&pin);
            self.nodes.shrink(&pin);
            self.slots.shrink();
        }
    }

    /// Touches what a writer will need of both tables, so that these cache misses overlap with others.
    #[inline]
    fn prefetch_chains(&self, facts: Facts, pin: &Pin<'_>) {
        if let Some(id) = facts.id() {
            self.ids.prefetch_all(id, pin);
        }
        self.nodes.prefetch_all(facts.node(), pin);
    }

    fn is_abandoned(&self) -> bool {
        // Acquire: pairs with the Release in `Owner::drop`.
        self.abandoned.load(Ordering::Acquire) == 1
    }
}

impl<Id, Node, Info, Stream> Drop for Tandem<Id, Node, Info, Stream> {
    fn drop(&mut self) {
        let mut panics = Panics::default();
        // SAFETY: `&mut self`, so no guard is out.
        unsafe { self.reclaimer.drain(&self.slots, &mut panics) };
        panics.resume();
    }
}

/// The registry's own hold on the tandem.
pub(crate) struct Owner<Id, Node, Info, Stream>(NonNull<Tandem<Id, Node, Info, Stream>>);

// SAFETY: an owner and a shared reference, respectively, of a `Tandem`.
unsafe impl<Id, Node, Info, Stream> Send for Owner<Id, Node, Info, Stream> where
    Tandem<Id, Node, Info, Stream>: Send + Sync
{
}
// SAFETY: as above.
unsafe impl<Id, Node, Info, Stream> Sync for Owner<Id, Node, Info, Stream> where
    Tandem<Id, Node, Info, Stream>: Send + Sync
{
}

impl<Id, Node, Info, Stream> Owner<Id, Node, Info, Stream> {
    pub(crate) fn new(tandem: Tandem<Id, Node, Info, Stream>) -> Self {
        Self(NonNull::from(Box::leak(Box::new(tandem))))
    }

    /// See [`Tandem::shrink`].
    pub(crate) fn shrink(&mut self) {
        // SAFETY: `&mut self`: guards and calls borrow the registry, so there are none.
        unsafe { Tandem::shrink(self) };
    }

    /// Another hold on the memory, for something that may outlive the registry.
    pub(crate) fn share(&self, pin: &Pin<'_>) -> Share<Id, Node, Info, Stream> {
        let number = pin.thread();
        self.custody.hand_out(number);
        Share { tandem: self.0, number }
    }
}

impl<Id, Node, Info, Stream> core::ops::Deref for Owner<Id, Node, Info, Stream> {
    type Target = Tandem<Id, Node, Info, Stream>;

    #[inline(always)]
    fn deref(&self) -> &Self::Target {
        // SAFETY: allocated by `new`, freed by the last hold, of which this is one.
        unsafe { self.0.as_ref() }
    }
}

impl<Id, Node, Info, Stream> Drop for Owner<Id, Node, Info, Stream> {
    fn drop(&mut self) {
        let mut panics = Panics::default();
        // Release: whoever sees it is ordered after the last guard.
        self.abandoned.store(1, Ordering::Release);
        self.drop_live(&mut panics);
        // SAFETY: guards borrow the registry, so none is left; handles reach no garbage.
        unsafe { self.reclaimer.drain(&self.slots, &mut panics) };
        if self.custody.leave() {
            // SAFETY: the last hold, see `Custody`.
            panics.run(|| drop(unsafe { Box::from_raw(self.0.as_ptr()) }));
        }
        panics.resume();
    }
}

/// A hold on the tandem's memory that may outlive the registry.
pub(crate) struct Share<Id, Node, Info, Stream> {
    tandem: NonNull<Tandem<Id, Node, Info, Stream>>,
    number: u32,
}

// SAFETY: a shared reference to a `Tandem`, and what it drops may be sent.
unsafe impl<Id, Node, Info, Stream> Send for Share<Id, Node, Info, Stream> where
    Tandem<Id, Node, Info, Stream>: Send + Sync
{
}
// SAFETY: as above.
unsafe impl<Id, Node, Info, Stream> Sync for Share<Id, Node, Info, Stream> where
    Tandem<Id, Node, Info, Stream>: Send + Sync
{
}

impl<Id, Node, Info, Stream> Share<Id, Node, Info, Stream> {
    pub(crate) fn slots(&self) -> &Slots<Id, Node, Info, Stream> {
        // SAFETY: the memory is there as long as a hold is.
        unsafe { &self.tandem.as_ref().slots }
    }

    /// Disposes of something that only the holder has: `retire` while there may be guards, else `now`.
    pub(crate) fn dispose(
        self,
        retire: impl FnOnce(&Slots<Id, Node, Info, Stream>, &Pin<'_>),
        now: impl FnOnce(&Slots<Id, Node, Info, Stream>, &mut Panics),
    ) {
        let mut panics = Panics::default();
        {
            // SAFETY: as in `slots`. The reference ends before the hold does.
            let tandem = unsafe { self.tandem.as_ref() };
            if tandem.is_abandoned() {
                now(&tandem.slots, &mut panics);
            } else {
                retire(&tandem.slots, &tandem.pin());
                panics.run(|| tandem.tidy());
            }
            if !tandem.custody.take_back(self.number) {
                return panics.resume();
            }
        }
        // SAFETY: `take_back` says that this was the last hold.
        panics.run(|| drop(unsafe { Box::from_raw(self.tandem.as_ptr()) }));
        panics.resume();
    }
}
