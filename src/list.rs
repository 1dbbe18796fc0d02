//! A small list behind one pointer: immutable, and replaced whole.
//!
//! A client's aliases are on one; the end of the client closes it, so that whoever ended it sees every
//! alias that ever got on. A newcomer's verdicts on its rivals are another.

use core::marker::PhantomData;
use core::ptr::{self, NonNull};

use crate::reclaim::{Header, Pin};
use crate::sync::{AtomicPtr, Ordering, Witness};

#[repr(C)]
struct Block<T> {
    header: Header,
    witness: Witness,
    items: Vec<T>,
}

impl<T> Block<T> {
    fn boxed(items: Vec<T>) -> *mut Header {
        let (header, witness) = (Header::new(Self::dispose), Witness::new());
        Box::into_raw(Box::new(Self { header, witness, items })).cast()
    }

    unsafe fn dispose(header: NonNull<Header>) {
        // SAFETY: the header is the first field (`repr(C)`) of a block from `boxed`, disposed of once.
        drop(unsafe { Box::from_raw(header.cast::<Self>().as_ptr()) });
    }
}

unsafe fn never(_: NonNull<Header>) {}

struct Closed(Header);

// SAFETY: nobody writes to it: it is never retired, so its link stays null.
unsafe impl Sync for Closed {}

static CLOSED: Closed = Closed(Header::new(never));

fn closed() -> *mut Header {
    ptr::from_ref(&CLOSED.0).cast_mut()
}

/// See the module. Blank, it is empty and open.
#[derive(Debug)]
pub(crate) struct List<T> {
    block: AtomicPtr<Header>,
    owns: PhantomData<T>,
}

impl<T: Copy> List<T> {
    pub(crate) fn new() -> Self {
        Self { block: AtomicPtr::new(ptr::null_mut()), owns: PhantomData }
    }

    fn items<'p>(block: *mut Header, _pin: &'p Pin<'_>) -> &'p [T] {
        if block.is_null() || block == closed() {
            return &[];
        }
        // SAFETY: from `boxed`, for this `T`, and retired after it was taken out; the callers read the
        // pointer under the pin.
        let block = unsafe { &*block.cast::<Block<T>>() };
        block.witness.read();
        &block.items
    }

    /// What is on the list; nothing if it is closed.
    pub(crate) fn read<'p>(&self, pin: &'p Pin<'_>) -> &'p [T] {
        // Acquire: pairs with the Release in `add` and `set`.
        Self::items(self.block.load(Ordering::Acquire), pin)
    }

    /// Puts `item` on the list, and takes off what `keep` does not want. `false`: the list is closed.
    pub(crate) fn add(&self, item: T, keep: impl Fn(T) -> bool, pin: &Pin<'_>) -> bool {
        // Acquire, on failure too: pairs with the Release of the exchange below.
        let mut seen = self.block.load(Ordering::Acquire);
        loop {
            if seen == closed() {
                return false;
            }
            let kept = Self::items(seen, pin).iter().copied();
            let mut items: Vec<T> = kept.filter(|&other| keep(other)).collect();
            items.push(item);
            let block = Block::boxed(items);
            // Release: publishes the block to the Acquire in `read` and `close`.
            match self.block.compare_exchange(seen, block, Ordering::Release, Ordering::Acquire) {
                Ok(_) => {
                    Self::retire(seen, pin);
                    return true;
                }
                Err(now) => {
                    Self::free(block);
                    seen = now;
                }
            }
        }
    }

    /// Replaces the list, whose only writer the caller is.
    pub(crate) fn set(&self, items: Vec<T>, pin: &Pin<'_>) {
        // Release: publishes the block to the Acquire in `read`. The old one is the caller's own.
        let old = self.block.swap(Block::boxed(items), Ordering::Release);
        Self::retire(old, pin);
    }

    /// Ends the list and returns what was on it.
    pub(crate) fn close(&self, pin: &Pin<'_>) -> Vec<T> {
        // AcqRel: Acquire for the block; Release so that an `add` that finds the list closed is
        // ordered after the end of the client.
        let last = self.block.swap(closed(), Ordering::AcqRel);
        let items = Self::items(last, pin).to_vec();
        Self::retire(last, pin);
        items
    }

    fn retire(block: *mut Header, pin: &Pin<'_>) {
        match NonNull::new(block) {
            // SAFETY: taken out by the caller's exchange, which only one thread can win.
            Some(header) if block != closed() => unsafe { pin.retire(header) },
            _ => {}
        }
    }

    fn free(block: *mut Header) {
        if !block.is_null() && block != closed() {
            // SAFETY: from `boxed`, for this `T`; the callers know that nobody else can reach it.
            drop(unsafe { Box::from_raw(block.cast::<Block<T>>()) });
        }
    }

    /// Frees what is on the list of a slot that is reclaimed, so that it is empty and open for the next one.
    pub(crate) fn clear(&self) {
        // Relaxed: the grace period orders us after everyone else. The load spares most slots a store.
        let last = self.block.load(Ordering::Relaxed);
        if !last.is_null() {
            self.block.store(ptr::null_mut(), Ordering::Relaxed);
            Self::free(last);
        }
    }
}
