//! One index: from the hash of a name to the slots that may bear it.
//!
//! The table is sharded by hash. It knows slots and hashes, no keys, no liveness and no second table:
//! whether a slot that it finds is a live client of that name is for its user to say. What it promises
//! is in `bucket`; what growth keeps of it, in `grow`.

use core::any::type_name;
use core::ptr::NonNull;

use crossbeam_utils::CachePadded;

use crate::bucket::{Count, Line, Outcome};
use crate::control::Control;
use crate::entry::{Entry, TAG_BITS, Tag};
use crate::grow::Array;
use crate::reclaim::Pin;
use crate::sync::{AtomicPtr, AtomicU32, Ordering, fence};

/// A hash of which all bits are good, whatever the hasher: shard, line, home and tag are parts of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hash(u64);

impl Hash {
    /// What a hasher made by `S` returned. Those of this crate's default need no mixing. Of another type of
    /// the same name, this one's hashes may be worse, and chains longer.
    #[inline(always)]
    pub(crate) fn by<S>(hash: u64) -> Self {
        if type_name::<S>() == type_name::<ahash::RandomState>() {
            Self(hash)
        } else {
            Self::mixed(hash)
        }
    }

    /// Fibonacci hashing, folded: a hasher that passes integers through has its entropy in the low
    /// bits, one that multiplies in the high ones.
    #[inline(always)]
    const fn mixed(hash: u64) -> Self {
        let product = hash as u128 * 0x9e37_79b9_7f4a_7c15;
        Self(product as u64 ^ (product >> 64) as u64)
    }

    /// The low half; the shard is chosen by the high one.
    #[inline(always)]
    const fn tag(self) -> Tag {
        Tag::of(self.0)
    }
}

#[derive(Debug)]
pub(crate) struct Table {
    shards: Box<[CachePadded<Shard>]>,
    /// One less than their number, a power of two, times the size of one.
    mask: usize,
}

/// The size of a shard, as a power of two.
const SHARD_BITS: u32 = size_of::<CachePadded<Shard>>().ilog2();

const _: () = assert!(size_of::<CachePadded<Shard>>() == 1 << SHARD_BITS);

/// The arrays of a shard. So that a lookup finds its line by one dependent load, the two last fields
/// are a hint at what `current` leads to; its line says whether the hint was good ([`Control::is_of`]).
#[derive(Debug)]
struct Shard {
    /// The oldest array that has a line not yet moved.
    current: AtomicPtr<Array>,
    /// The first line of `current`, or of its successor if every line of `current` has moved.
    lines: AtomicPtr<Line>,
    /// The `shift` of that array, or for a moment that of an older one, which is larger.
    shift: AtomicU32,
}

/// Where an entry of a hash probably is.
#[derive(Clone, Copy)]
pub(crate) struct Hint<'p> {
    table: &'p Table,
    hash: Hash,
    line: &'p Line,
    /// The line is the right one if this is the `shift` of its array.
    shift: u32,
}

/// Where a scan was, and the control word from before it.
#[derive(Clone, Copy)]
pub(crate) struct Stamp<'p> {
    line: &'p Line,
    control: Control,
}

impl Stamp<'_> {
    /// Whether no takeover and no split of the chain came since the scan began.
    #[inline(always)]
    pub(crate) fn holds(&self) -> bool {
        self.line.control().is_still(self.control)
    }
}

impl Table {
    /// `shards` is a power of two; room for `capacity` entries before anything grows.
    pub(crate) fn new(shards: usize, capacity: usize) -> Self {
        let lines = (capacity.div_ceil(shards) / 3).next_power_of_two();
        let bits = lines.ilog2().min(TAG_BITS);
        Self {
            shards: (0..shards).map(|_| CachePadded::new(Shard::new(bits))).collect(),
            mask: (shards - 1) << SHARD_BITS,
        }
    }

    #[inline(always)]
    fn shard(&self, hash: Hash) -> &Shard {
        // A whole shard's bytes times the upper half of the hash, cut to the number of shards.
        let offset = (hash.0 >> (u32::BITS - SHARD_BITS)) as usize & self.mask;
        debug_assert!(offset / size_of::<CachePadded<Shard>>() < self.shards.len());
        // SAFETY: the mask leaves multiples of a shard's size that are below the size of all, see `new`.
        unsafe { &*self.shards.as_ptr().byte_add(offset) }
    }

    /// Where the chain of `hash` is now.
    #[inline(always)]
    fn chain<'p>(&'p self, hash: Hash, pin: &'p Pin<'_>) -> Stamp<'p> {
        let mut array = self.shard(hash).current(pin);
        loop {
            let line = array.line(hash.tag());
            let control = line.control().read();
            if !control.is_moved() {
                return Stamp { line, control };
            }
            array = array.next(pin).expect("a line moves into the next array");
        }
    }

    /// Where to look first.
    #[inline(always)]
    pub(crate) fn hint<'p>(&'p self, hash: Hash, pin: &'p Pin<'_>) -> Hint<'p> {
        let (line, shift) = self.shard(hash).hint(hash.tag(), pin);
        Hint { table: self, hash, line, shift }
    }

    /// How many entries match, and the slot if it is one.
    #[inline(always)]
    pub(crate) fn count<'p>(&'p self, hash: Hash, pin: &'p Pin<'_>) -> (Stamp<'p>, Count) {
        self.hint(hash, pin).count(pin)
    }

    /// The slots of all entries that match, read by the time this returns.
    pub(crate) fn slots<'p>(
        &'p self,
        hash: Hash,
        pin: &'p Pin<'_>,
    ) -> (Stamp<'p>, impl Iterator<Item = u32> + 'p) {
        let stamp = self.chain(hash, pin);
        (stamp, stamp.line.slots(hash.tag(), pin))
    }

    /// Touches the line of `hash` ahead of its use.
    #[inline(always)]
    pub(crate) fn prefetch(&self, hash: Hash, pin: &Pin<'_>) {
        crate::prefetch::read(self.hint(hash, pin).line);
    }

    /// The line that a writer works on, split off from older arrays first.
    fn writable<'p>(&'p self, hash: Hash, pin: &'p Pin<'_>) -> (&'p Array, &'p Line) {
        let shard = self.shard(hash);
        let mut array = shard.current(pin);
        while let Some(next) = array.next(pin) {
            array.help(next, hash.tag(), pin);
            if array.is_moved() {
                shard.advance(pin);
            }
            array = next;
        }
        (array, array.line(hash.tag()))
    }

    /// After a line was found frozen.
    fn see_next() {
        // Acquire fence: whoever froze it (`freeze`, Release) had found the next array, which the next
        // look at `next` finds then, too: so nobody goes round and round here (F).
        fence(Ordering::Acquire);
    }

    pub(crate) fn put(&self, hash: Hash, slot: u32, pin: &Pin<'_>) {
        let entry = Entry::new(hash.tag(), slot);
        loop {
            let (array, line) = self.writable(hash, pin);
            match line.put(entry, pin) {
                Outcome::Frozen => Self::see_next(),
                Outcome::Spilled => return array.count_spilled(),
                _ => return,
            }
        }
    }

    pub(crate) fn remove(&self, hash: Hash, slot: u32, pin: &Pin<'_>) {
        let entry = Entry::new(hash.tag(), slot);
        loop {
            let (array, line) = self.writable(hash, pin);
            match line.remove(entry, pin) {
                Outcome::Frozen => Self::see_next(),
                Outcome::Drained => return array.count_drained(),
                outcome => {
                    debug_assert_ne!(outcome, Outcome::Absent, "an entry is removed once");
                    return;
                }
            }
        }
    }

    /// Raises the version of the chain of `hash`: every scan that began before fails its check.
    pub(crate) fn raise(&self, hash: Hash, pin: &Pin<'_>) {
        while !self.chain(hash, pin).line.control().raise() {}
    }

    pub(crate) fn shards(&self) -> usize {
        self.shards.len()
    }

    /// Bytes of the arrays.
    pub(crate) fn bytes(&self, pin: &Pin<'_>) -> usize {
        let mut bytes = 0;
        for shard in &self.shards {
            let mut array = Some(shard.current(pin));
            while let Some(this) = array {
                bytes += this.bytes();
                array = this.next(pin);
            }
        }
        bytes
    }

    /// Rebuilds every shard no larger than its entries need.
    ///
    /// # Safety
    ///
    /// Nobody uses the table meanwhile.
    pub(crate) unsafe fn shrink(&self, pin: &Pin<'_>) {
        for shard in &self.shards {
            // SAFETY: the caller's promise.
            unsafe { shard.shrink(pin) };
        }
    }
}

impl<'p> Hint<'p> {
    /// The slot of the entry in its home, if it matches: it is in use while the pin is held. Above all slots if
    /// the chain moves.
    #[inline(always)]
    pub(crate) fn at_home(&self) -> Option<u32> {
        self.line.at_home(self.hash.tag())
    }

    /// How many entries match, and the slot if it is one.
    #[inline(always)]
    pub(crate) fn count(&self, pin: &'p Pin<'_>) -> (Stamp<'p>, Count) {
        let control = self.line.control().read();
        let stamp = if control.is_of(self.shift) {
            Stamp { line: self.line, control }
        } else {
            self.table.chain(self.hash, pin)
        };
        (stamp, stamp.line.count(self.hash.tag(), pin))
    }
}

impl Shard {
    fn new(bits: u32) -> Self {
        let array = Array::empty(bits);
        Self {
            lines: AtomicPtr::new(array.start()),
            shift: AtomicU32::new(array.shift()),
            current: AtomicPtr::new(Box::into_raw(array)),
        }
    }

    #[inline(always)]
    fn hint<'p>(&'p self, tag: Tag, _pin: &'p Pin<'_>) -> (&'p Line, u32) {
        // Acquire: pairs with the Release in `advance`, so the lines below are of this array or a later
        // one, which has more.
        let shift = self.shift.load(Ordering::Acquire);
        // Acquire: pairs with the Release in `advance`, for what the lines hold.
        let lines = self.lines.load(Ordering::Acquire);
        // SAFETY: the index is below the number of lines of the array with that shift, and there are that many
        // or more, as said. They are those of an array that the pin keeps: it was retired after `lines`
        // went past it (`advance`).
        (unsafe { &*lines.add(tag.without_last(shift)) }, shift)
    }

    #[inline(always)]
    fn current<'p>(&'p self, _pin: &'p Pin<'_>) -> &'p Array {
        // SAFETY: never null, and an array is retired after `advance` took it out of `current`: the
        // pin keeps what it finds. Acquire: pairs with the Release in `advance`.
        unsafe { &*self.current.load(Ordering::Acquire) }
    }

    /// Goes past every leading array that has moved, and retires it.
    fn advance(&self, pin: &Pin<'_>) {
        loop {
            let array = self.current(pin);
            let Some(next) = array.next(pin) else { return };
            if !array.is_moved() {
                return;
            }
            // Release: hands on what made the lines visible here. Relaxed on failure: it is past `array`,
            // as nothing else takes it from there, and it never returns.
            let _ = self.lines.compare_exchange(
                array.start(),
                next.start(),
                Ordering::Release,
                Ordering::Relaxed,
            );
            // Release: whoever sees this shift sees `lines` at `next` or past it (`hint`).
            self.shift.fetch_min(next.shift(), Ordering::Release);
            let old = core::ptr::from_ref(array).cast_mut();
            let new = core::ptr::from_ref(next).cast_mut();
            // Release: hands on what made `next` visible here. Relaxed on failure: read again.
            let advanced =
                self.current.compare_exchange(old, new, Ordering::Release, Ordering::Relaxed);
            if advanced.is_ok() {
                // SAFETY: `current` and `lines` never return to it, every line says that it has moved,
                // and only one exchange can win.
                unsafe { pin.retire(Array::header(NonNull::new_unchecked(old))) };
            }
        }
    }

    /// # Safety
    ///
    /// As for `Table::shrink`.
    unsafe fn shrink(&self, pin: &Pin<'_>) {
        let mut entries = Vec::new();
        // Relaxed, here and below: nobody else is here.
        let mut at = self.current.load(Ordering::Relaxed);
        while !at.is_null() {
            // SAFETY: no guard is out, so the chain of arrays is ours; each came from
            // `Box::into_raw` and is freed here, once. A retired one is no longer in the chain.
            let mut array = unsafe { Box::from_raw(at) };
            at = array.next_pointer();
            for line in array.lines_mut() {
                if !line.control().read().is_moved() {
                    entries.extend(line.entries());
                }
            }
        }
        let lines = (entries.len() / 3).next_power_of_two();
        let array = Array::empty(lines.ilog2().min(TAG_BITS));
        for entry in entries {
            if array.line(entry.tag()).put(entry, pin) == Outcome::Spilled {
                array.count_spilled();
            }
        }
        // Relaxed, thrice: as above.
        self.lines.store(array.start(), Ordering::Relaxed);
        self.shift.store(array.shift(), Ordering::Relaxed);
        self.current.store(Box::into_raw(array), Ordering::Relaxed);
    }
}

impl Drop for Shard {
    fn drop(&mut self) {
        // Relaxed: `&mut self`.
        let mut at = self.current.load(Ordering::Relaxed);
        while !at.is_null() {
            // SAFETY: as in `shrink`.
            let array = unsafe { Box::from_raw(at) };
            at = array.next_pointer();
        }
    }
}
