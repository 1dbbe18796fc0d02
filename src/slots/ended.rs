//! A record on its way out: read by the one who ended it, then reclaimed.

use core::mem::MaybeUninit;
use core::ptr::NonNull;

use super::{Facts, Hot, Slots, Warm};
use crate::reclaim::{Header, Panics, Pin, Slab};
use crate::state::{Phase, Word};
use crate::swing::{Current, Swung};
use crate::sync::{AtomicU32, Ordering, ThreadNumber, UnsafeCell};

/// A dead slot, in the hands of the one who ended it. Owes the reclaimer a [`Slots::retire_ended`].
#[derive(Debug)]
pub(crate) struct Ended<Info, Stream> {
    pub(crate) slot: u32,
    pub(crate) word: Word,
    info: Current<NonNull<Swung<Info>>>,
    stream: Current<NonNull<Swung<Stream>>>,
}

/// A value that was taken out of a live client. Owes the reclaimer a [`Slots::retire_loose`].
#[derive(Debug)]
pub(crate) enum Loose<T> {
    /// The one in the slot, which stays taken until it is reclaimed.
    First {
        slot: u32,
        value: NonNull<T>,
        dispose: unsafe fn(NonNull<Header>),
    },
    Swung(NonNull<Swung<T>>),
}

impl<T> Loose<T> {
    pub(crate) fn value(&self) -> &T {
        match self {
            // SAFETY: not retired before `self` is consumed by `retire_loose`; its slot is kept by
            // `holds`.
            Self::First { value, .. } => unsafe { value.as_ref() },
            // SAFETY: not retired before `self` is consumed by `retire_loose`.
            Self::Swung(swung) => unsafe { &swung.as_ref().value },
        }
    }
}

/// Drops what is in a cell.
///
/// # Safety
///
/// It is initialized, the caller's alone, and not used again.
unsafe fn drop_in<T>(cell: &UnsafeCell<MaybeUninit<T>>) {
    // SAFETY: the caller's promise.
    cell.with_mut(|cell| unsafe { (*cell).assume_init_drop() });
}

/// Garbage that stands for the first value of a slot.
#[repr(C)]
struct First<Id, Node, Info, Stream> {
    header: Header,
    slots: NonNull<Slots<Id, Node, Info, Stream>>,
    slot: u32,
}

impl<Id, Node, Info, Stream> First<Id, Node, Info, Stream> {
    /// # Safety
    ///
    /// The header is that of a `First`, whose slot's first value is no longer the slot's.
    unsafe fn dispose<T>(
        header: NonNull<Header>,
        cell: impl Fn(&Hot<Node, Stream>, &Warm<Id, Info>) -> *const UnsafeCell<MaybeUninit<T>>,
    ) {
        // SAFETY: made by `retire_loose`, disposed of once; the slots outlive all garbage (`Tandem`).
        let (slots, slot) = unsafe {
            let first = Box::from_raw(header.cast::<Self>().as_ptr());
            (first.slots.as_ref(), first.slot)
        };
        let mut panics = Panics::default();
        panics.run(|| {
            let cell = cell(slots.hot(slot), slots.warm(slot));
            // SAFETY: initialized by `fill`, taken out by the exchange that made this item, and no
            // guard can reach it any more.
            unsafe { drop_in(&*cell) };
        });
        slots.let_go(slot);
        panics.resume();
    }

    unsafe fn dispose_stream(header: NonNull<Header>) {
        // SAFETY: an item for a stream.
        unsafe { Self::dispose(header, |hot, _| &raw const hot.stream) };
    }

    unsafe fn dispose_info(header: NonNull<Header>) {
        // SAFETY: an item for an info.
        unsafe { Self::dispose(header, |_, warm| &raw const warm.info) };
    }
}

impl<Id, Node, Info, Stream> Slots<Id, Node, Info, Stream> {
    /// # Safety
    ///
    /// `old` was taken out of the slot's stream pointer, by the caller.
    pub(super) unsafe fn loosen_stream(
        &self,
        slot: u32,
        old: Current<NonNull<Swung<Stream>>>,
    ) -> Option<Loose<Stream>> {
        let value = || self.hot(slot).stream.with(|cell| cell.cast::<Stream>());
        self.loosen(slot, old, value, First::<Id, Node, Info, Stream>::dispose_stream)
    }

    /// # Safety
    ///
    /// `old` was taken out of the slot's info pointer, by the caller.
    pub(super) unsafe fn loosen_info(
        &self,
        slot: u32,
        old: Current<NonNull<Swung<Info>>>,
    ) -> Option<Loose<Info>> {
        let value = || self.warm(slot).info.with(|cell| cell.cast::<Info>());
        self.loosen(slot, old, value, First::<Id, Node, Info, Stream>::dispose_info)
    }

    fn loosen<T>(
        &self,
        slot: u32,
        old: Current<NonNull<Swung<T>>>,
        value: impl FnOnce() -> *const T,
        dispose: unsafe fn(NonNull<Header>),
    ) -> Option<Loose<T>> {
        match old {
            Current::First => {
                // Relaxed: the caller's pin keeps the slot from being reclaimed before, and the
                // pile it goes on then orders the count.
                self.cold(slot).holds.fetch_add(1, Ordering::Relaxed);
                let value = NonNull::new(value().cast_mut()).expect("a record has an address");
                Some(Loose::First { slot, value, dispose })
            }
            Current::Swung(swung) => Some(Loose::Swung(swung)),
            Current::Nothing | Current::Closed => None,
        }
    }

    /// Retires a value that a client no longer has.
    pub(crate) fn retire_loose<T>(&self, loose: Loose<T>, pin: &Pin<'_>) {
        let header = self.header_of(loose);
        // SAFETY: unlinked by the exchange that made it loose, and consumed here.
        unsafe { pin.retire(header) };
    }

    fn header_of<T>(&self, loose: Loose<T>) -> NonNull<Header> {
        match loose {
            Loose::Swung(swung) => swung.cast(),
            Loose::First { slot, dispose, .. } => {
                let first = Box::new(First {
                    header: Header::new(dispose),
                    slots: NonNull::from(self),
                    slot,
                });
                NonNull::from(Box::leak(first)).cast()
            }
        }
    }

    /// Drops a value that a client no longer has, at once.
    ///
    /// # Safety
    ///
    /// No guard can reach it.
    pub(crate) unsafe fn drop_loose<T>(&self, loose: Loose<T>) {
        match loose {
            // SAFETY: a header is disposed of once, here, and the caller vouches for the rest.
            Loose::Swung(swung) => unsafe { drop(Box::from_raw(swung.as_ptr())) },
            Loose::First { dispose, .. } => {
                let header = self.header_of(loose);
                // SAFETY: as above.
                unsafe { dispose(header) };
            }
        }
    }

    /// Takes a dead client's last stream and info: no attach and no update gets in any more.
    ///
    /// # Safety
    ///
    /// `word` is the slot's last word, dead, and the caller is the only one who ends this incarnation.
    pub(crate) unsafe fn take_ended(&self, slot: u32, word: Word) -> Ended<Info, Stream> {
        let cold = self.cold(slot);
        // Without the mark nothing was swung while the word was live, and nothing can be now.
        let (info, stream) = if word.is_swung() {
            // SAFETY: infos and streams are swung here (`Live`); the caller is the only ender.
            unsafe { (cold.info_swing.close(), cold.stream_swing.close()) }
        } else {
            (Current::First, Current::First)
        };
        Ended { slot, word, info, stream }
    }

    /// The facts of a slot that the caller ended.
    pub(crate) fn facts_of_ended(&self, slot: u32) -> Facts {
        let facts = &self.cold(slot).facts;
        // SAFETY: filled, and not reclaimed before the caller retires it.
        facts.with(|cell| unsafe { (*cell).assume_init_read() })
    }

    pub(crate) fn id_of<'a>(&'a self, ended: &'a Ended<Info, Stream>) -> &'a Id {
        let cell = &self.warm(ended.slot).id;
        // SAFETY: `ended` keeps the record from being retired; a client's has an id.
        cell.with(|cell| unsafe { (*cell).assume_init_ref() })
    }

    pub(crate) fn node_of<'a>(&'a self, ended: &'a Ended<Info, Stream>) -> &'a Node {
        let cell = &self.hot(ended.slot).node;
        // SAFETY: `ended` keeps the record from being retired.
        cell.with(|cell| unsafe { (*cell).assume_init_ref() })
    }

    pub(crate) fn info_of<'a>(&'a self, ended: &'a Ended<Info, Stream>) -> &'a Info {
        match &ended.info {
            // SAFETY: the last info is `ended`'s until it is retired.
            Current::Swung(swung) => unsafe { &swung.as_ref().value },
            _ => {
                let cell = &self.warm(ended.slot).info;
                // SAFETY: `ended` keeps the record; without another info the first is in it.
                cell.with(|cell| unsafe { (*cell).assume_init_ref() })
            }
        }
    }

    pub(crate) fn stream_of<'a>(
        &'a self,
        ended: &'a Ended<Info, Stream>,
    ) -> Option<(&'a Stream, u64)> {
        match &ended.stream {
            Current::Swung(swung) => {
                // SAFETY: the last stream is `ended`'s until it is retired.
                let swung = unsafe { swung.as_ref() };
                Some((&swung.value, swung.sequence))
            }
            Current::First => {
                let cell = &self.hot(ended.slot).stream;
                // SAFETY: `ended` keeps the record, and the first stream is still in it.
                Some((cell.with(|cell| unsafe { (*cell).assume_init_ref() }), 0))
            }
            Current::Nothing | Current::Closed => None,
        }
    }

    /// Retires a dead client with its last values.
    ///
    /// # Safety
    ///
    /// Its entries are removed.
    pub(crate) unsafe fn retire_ended(&self, ended: Ended<Info, Stream>, pin: &Pin<'_>) {
        // SAFETY: a closed pointer's value and an unlinked slot are out of reach for new guards, and
        // `ended` is consumed.
        unsafe {
            if let Current::Swung(info) = ended.info {
                pin.retire(info.cast());
            }
            if let Current::Swung(stream) = ended.stream {
                pin.retire(stream.cast());
            }
            pin.retire_slot(ended.slot, &self.cold(ended.slot).link);
        }
    }

    /// Retires a dead alias.
    ///
    /// # Safety
    ///
    /// Its entry is removed, and the caller is the only one who ended it.
    pub(crate) unsafe fn retire_alias(&self, slot: u32, pin: &Pin<'_>) {
        // SAFETY: the caller's promise.
        unsafe { pin.retire_slot(slot, &self.cold(slot).link) };
    }

    /// Drops a dead client with its last values, at once.
    ///
    /// # Safety
    ///
    /// No guard can reach it.
    pub(crate) unsafe fn drop_ended(&self, ended: Ended<Info, Stream>, panics: &mut Panics) {
        if let Current::Swung(info) = ended.info {
            // SAFETY: `ended`'s, out of a `Box`, consumed here.
            panics.run(|| unsafe { drop(Box::from_raw(info.as_ptr())) });
        }
        if let Current::Swung(stream) = ended.stream {
            // SAFETY: as above.
            panics.run(|| unsafe { drop(Box::from_raw(stream.as_ptr())) });
        }
        // SAFETY: the caller's promise; `ended` is consumed.
        panics.run(|| unsafe { self.reclaim(ended.slot) });
    }

    /// Drops a dead alias, at once.
    ///
    /// # Safety
    ///
    /// No guard can reach it.
    pub(crate) unsafe fn drop_alias(&self, slot: u32, panics: &mut Panics) {
        // SAFETY: the caller's promise.
        panics.run(|| unsafe { self.reclaim(slot) });
    }

    /// One thing less that keeps a slot; the last one gives it back.
    fn let_go(&self, slot: u32) {
        let cold = self.cold(slot);
        // AcqRel: whoever lets go last is ordered after the others' drops.
        if cold.holds.fetch_sub(1, Ordering::AcqRel) == 1 {
            let stripe = self.stripe(ThreadNumber::current().value());
            self.free[stripe].push(slot, &cold.link);
        }
    }
}

impl<Id, Node, Info, Stream> Slab for Slots<Id, Node, Info, Stream> {
    fn link(&self, slot: u32) -> &AtomicU32 {
        &self.cold(slot).link
    }

    fn prefetch(&self, slot: u32) {
        self.prefetch(slot);
        crate::prefetch::read(self.warm(slot));
        crate::prefetch::read(self.cold(slot));
    }

    unsafe fn reclaim(&self, slot: u32) {
        // Relaxed: the reclaimer's grace period orders us after everyone else.
        let word = Word::from_raw(self.word_of(slot).load(Ordering::Relaxed));
        let (hot, warm, cold) = (self.hot(slot), self.warm(slot), self.cold(slot));
        let mut panics = Panics::default();
        // SAFETY of all: initialized by `fill`, moved out by nobody unless it was given back, reachable
        // by no guard, and dropped once as the slot is reclaimed once.
        let given_back = match word.phase() {
            Phase::RefusedGone => word.is_alias(),
            _ => word.is_refused(),
        };
        if !given_back {
            // SAFETY: see above.
            panics.run(|| unsafe { drop_in(&hot.node) });
        }
        if !given_back && !word.is_alias() {
            // SAFETY: see above; a client has an id.
            panics.run(|| unsafe { drop_in(&warm.id) });
            if cold.info_swing.owns_first() {
                // SAFETY: see above; no update has taken it out.
                panics.run(|| unsafe { drop_in(&warm.info) });
            }
            if cold.stream_swing.owns_first() {
                // SAFETY: see above; it was given, and no attach or detach has taken it out.
                panics.run(|| unsafe { drop_in(&hot.stream) });
            }
        }
        cold.names.clear();
        cold.verdicts.clear();
        self.let_go(slot);
        panics.resume();
    }
}
