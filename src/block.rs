//! What overflows from a line: an immutable list of entries that is replaced whole.

use core::ptr::{self, NonNull};

use crate::entry::Entry;
use crate::reclaim::{Header, Pin};
use crate::sync::Witness;

/// The entries of a chain that its line has no place for. Immutable.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Block {
    header: Header,
    witness: Witness,
    frozen: bool,
    entries: Vec<Entry>,
}

/// The two blocks that are no allocations.
struct Sentinels([Block; 2]);

// SAFETY: nobody writes to a sentinel: it is never retired, so the link in its header stays null.
unsafe impl Sync for Sentinels {}

static SENTINELS: Sentinels = Sentinels([Block::sentinel(false), Block::sentinel(true)]);

impl Block {
    const fn sentinel(frozen: bool) -> Self {
        Self {
            header: Header::new(Self::dispose),
            witness: Witness::of_a_static(),
            frozen,
            entries: Vec::new(),
        }
    }

    /// In a chain without overflow. Null is a chain that is not made yet.
    pub(crate) fn none() -> *mut Self {
        ptr::from_ref(&SENTINELS.0[0]).cast_mut()
    }

    /// In a chain that was frozen without overflow.
    pub(crate) fn frozen_none() -> *mut Self {
        ptr::from_ref(&SENTINELS.0[1]).cast_mut()
    }

    pub(crate) fn boxed(frozen: bool, entries: Vec<Entry>) -> *mut Self {
        if entries.is_empty() {
            return if frozen { Self::frozen_none() } else { Self::none() };
        }
        let (header, witness) = (Header::new(Self::dispose), Witness::new());
        Box::into_raw(Box::new(Self { header, witness, frozen, entries }))
    }

    pub(crate) fn is_frozen(&self) -> bool {
        self.witness.read();
        self.frozen
    }

    pub(crate) fn entries(&self) -> &[Entry] {
        self.witness.read();
        &self.entries
    }

    fn is_sentinel(block: *mut Self) -> bool {
        block.is_null() || ptr::eq(block, Self::none()) || ptr::eq(block, Self::frozen_none())
    }

    unsafe fn dispose(header: NonNull<Header>) {
        // SAFETY: the header is the first field (`repr(C)`) of a block from `boxed`, disposed of once.
        drop(unsafe { Box::from_raw(header.cast::<Self>().as_ptr()) });
    }

    /// Frees a block that was never visible, or is not any more.
    ///
    /// # Safety
    ///
    /// Nobody else can reach it.
    pub(crate) unsafe fn free(block: *mut Self) {
        if !Self::is_sentinel(block) {
            // SAFETY: made by `boxed`, ours by the caller's promise.
            drop(unsafe { Box::from_raw(block) });
        }
    }

    /// Retires a block that an exchange has just taken out of its line.
    pub(crate) fn retire(block: *mut Self, pin: &Pin<'_>) {
        if !Self::is_sentinel(block) {
            // SAFETY: unlinked by the caller's exchange, which only one thread can win; the header is
            // its first field.
            unsafe { pin.retire(NonNull::new_unchecked(block).cast()) };
        }
    }
}
