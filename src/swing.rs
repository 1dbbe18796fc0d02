//! The pointer beside a first value: how a stream or an info is replaced while its client lives.
//!
//! The value given to `connect` lies in the slot. A later one is allocated, and one exchange of the
//! pointer makes it current; that exchange is the linearization point of the replacement. The end of a
//! client closes the pointer, so that a replacement either came before and is part of what the ended
//! client shows, or fails with its value handed back.
//!
//! Before the first exchange the client's state word gets its `swung` mark, while live: a client that
//! ends without the mark needs no closing, and a lookup that sees no mark reads no pointer.

use core::ptr::{self, NonNull};

use crate::reclaim::{Header, Pin};
use crate::sync::{AtomicPtr, Ordering, Witness};

/// A value that was allocated to replace an earlier one.
#[repr(C)]
pub(crate) struct Swung<T> {
    header: Header,
    witness: Witness,
    pub(crate) sequence: u64,
    pub(crate) value: T,
}

impl<T> Swung<T> {
    pub(crate) fn new(sequence: u64, value: T) -> Box<Self> {
        let (header, witness) = (Header::new(Self::dispose), Witness::new());
        Box::new(Self { header, witness, sequence, value })
    }

    unsafe fn dispose(header: NonNull<Header>) {
        // SAFETY: the header is the first field (`repr(C)`) of a `Swung<T>` from a `Box`, disposed of
        // once.
        drop(unsafe { Box::from_raw(header.cast::<Self>().as_ptr()) });
    }
}

unsafe fn never(_: NonNull<Header>) {}

struct Sentinels([Header; 3]);

// SAFETY: nobody writes to a sentinel: it is never retired, so its link stays null.
unsafe impl Sync for Sentinels {}

static SENTINELS: Sentinels =
    Sentinels([Header::new(never), Header::new(never), Header::new(never)]);

fn sentinel(index: usize) -> *mut Header {
    ptr::from_ref(&SENTINELS.0[index]).cast_mut()
}

/// What is current. `T` is always the slot's own type for this pointer.
#[derive(Debug)]
pub(crate) enum Current<P> {
    /// The value in the slot.
    First,
    /// No value.
    Nothing,
    Swung(P),
    /// The client ended; the value is its ender's.
    Closed,
}

/// See the module. Blank, it says `First`.
#[derive(Debug)]
pub(crate) struct Swing(AtomicPtr<Header>);

impl Swing {
    pub(crate) fn new() -> Self {
        Self(AtomicPtr::new(ptr::null_mut()))
    }

    /// For a slot being filled.
    pub(crate) fn reset(&self, has_first: bool) {
        let start = if has_first { ptr::null_mut() } else { sentinel(0) };
        // Relaxed: published with the record.
        self.0.store(start, Ordering::Relaxed);
    }

    fn interpret<T>(pointer: *mut Header) -> Current<NonNull<Swung<T>>> {
        match NonNull::new(pointer) {
            None => Current::First,
            Some(_) if pointer == sentinel(0) => Current::Nothing,
            Some(_) if pointer == sentinel(1) || pointer == sentinel(2) => Current::Closed,
            Some(header) => Current::Swung(header.cast()),
        }
    }

    /// # Safety
    ///
    /// Every value swung here was a `T`, and a pin from before `pointer` was read is held for `'p`.
    unsafe fn look<'p, T>(pointer: *mut Header) -> Current<&'p Swung<T>> {
        match Self::interpret::<T>(pointer) {
            Current::Swung(swung) => {
                // SAFETY: a swung value is retired after it was swung out or its client ended, later than the
                // caller's pin.
                let swung = unsafe { swung.as_ref() };
                swung.witness.read();
                Current::Swung(swung)
            }
            Current::First => Current::First,
            Current::Nothing => Current::Nothing,
            Current::Closed => Current::Closed,
        }
    }

    /// What is current now.
    ///
    /// # Safety
    ///
    /// Every value swung here was a `T`, and a pin from before this call is held for `'p`.
    pub(crate) unsafe fn read<'p, T>(&self) -> Current<&'p Swung<T>> {
        // Acquire: pairs with the Release in `swing`, which published the value.
        let pointer = self.0.load(Ordering::Acquire);
        // SAFETY: the caller's promise.
        unsafe { Self::look(pointer) }
    }

    /// Makes `new` current (`None`: no value) if `accepts` what is, and returns that; it is unlinked
    /// then, and the caller's to retire. `Err` hands `new` back.
    ///
    /// # Safety
    ///
    /// Every value swung here was a `T`.
    pub(crate) unsafe fn swing<T>(
        &self,
        new: Option<Box<Swung<T>>>,
        accepts: impl Fn(&Current<&Swung<T>>) -> bool,
        _pin: &Pin<'_>,
    ) -> Result<Current<NonNull<Swung<T>>>, Option<Box<Swung<T>>>> {
        let value = new.map(Box::into_raw);
        let pointer = value.map_or(sentinel(0), <*mut Swung<T>>::cast);
        // Acquire here and below: the value that is compared, and handed on, was published by it.
        let mut seen = self.0.load(Ordering::Acquire);
        loop {
            // SAFETY: the caller's promise, and `_pin`.
            let current = unsafe { Self::look::<T>(seen) };
            if matches!(current, Current::Closed) || !accepts(&current) {
                // SAFETY: from `Box::into_raw` above, never published.
                return Err(value.map(|value| unsafe { Box::from_raw(value) }));
            }
            // Release: publishes the value to the Acquire in `read`. The old one was read with Acquire, and is the
            // same: addresses do not come back while `_pin` holds.
            match self.0.compare_exchange(seen, pointer, Ordering::Release, Ordering::Acquire) {
                Ok(_) => return Ok(Self::interpret(seen)),
                Err(now) => seen = now,
            }
        }
    }

    /// Ends all swinging and returns the last value, which is the caller's now.
    ///
    /// # Safety
    ///
    /// Every value swung here was a `T`, and the caller is the client's only ender.
    pub(crate) unsafe fn close<T>(&self) -> Current<NonNull<Swung<T>>> {
        // Acquire, on failure too: for the last value, which the exchange then finds again.
        let mut seen = self.0.load(Ordering::Acquire);
        loop {
            // What the slot itself still owns has to be known when it is reclaimed.
            let closed = sentinel(if seen.is_null() { 2 } else { 1 });
            // Release: one who finds the pointer closed is ordered after the end (B).
            match self.0.compare_exchange(seen, closed, Ordering::Release, Ordering::Acquire) {
                Ok(_) => {
                    // SAFETY: the caller's now, who has yet to retire it.
                    unsafe { Self::look::<T>(seen) };
                    return Self::interpret(seen);
                }
                Err(now) => seen = now,
            }
        }
    }

    /// Whether the value in the slot is still the slot's to drop.
    pub(crate) fn owns_first(&self) -> bool {
        // Relaxed: asked when the slot is reclaimed, after everyone else is gone.
        let pointer = self.0.load(Ordering::Relaxed);
        pointer.is_null() || pointer == sentinel(2)
    }
}
