//! The control word of a line: what a scan reads before and after.
//!
//! ```text
//!  63       8    7     6     0
//! +----------+-------+-------+
//! | version  | moved | shift |
//! +----------+-------+-------+
//! ```

use crate::sync::{AtomicU64, Ordering, fence};

/// The shift of the line's level, of which no two are the same; 0 in a line that is not made.
const SHIFT: u64 = 0b111_1111;

/// The chain has moved to the next level.
const MOVED: u64 = 1 << 7;

/// Raised by each takeover before it commits (D).
const VERSION: u64 = 1 << 8;

#[derive(Debug)]
#[repr(transparent)]
pub(crate) struct ControlWord(AtomicU64);

/// A control word as it was before a scan.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Control(u64);

impl Control {
    pub(crate) const fn is_moved(self) -> bool {
        self.0 & MOVED != 0
    }

    /// Whether it is that of a line of the level with this shift, and has not moved.
    #[inline(always)]
    pub(crate) const fn is_of(self, shift: u32) -> bool {
        // Both in the last byte, as processors compare bytes.
        self.0 as u8 == shift as u8
    }
}

impl ControlWord {
    /// That of a line that is not made: all zero.
    pub(crate) fn blank() -> Self {
        Self(AtomicU64::new(0))
    }

    /// Makes it that of a line of the level with this shift.
    pub(crate) fn make(&self, shift: u32) {
        debug_assert!(0 < shift && u64::from(shift) <= SHIFT);
        // Relaxed, twice: whoever looks at the line comes by the level's own publication, or by the mark
        // of its parent (`set_moved`, Release). What a late helper sets is set already.
        if self.0.load(Ordering::Relaxed) == 0 {
            self.0.fetch_or(u64::from(shift), Ordering::Relaxed);
        }
    }

    #[inline(always)]
    pub(crate) fn read(&self) -> Control {
        // Acquire: the scan that follows stays behind it, and one that sees `MOVED` sees the children
        // made (Release in `set_moved`).
        Control(self.0.load(Ordering::Acquire))
    }

    /// Whether no takeover and no split came since `before`: what a miss needs (D).
    #[inline(always)]
    pub(crate) fn is_still(&self, before: Control) -> bool {
        // Acquire fence: what the scan read, down to the state words, stays before the load. If a word
        // that it read was written by or after a takeover's commit, the raise that came before that
        // commit (`raise`, Release) is seen here.
        fence(Ordering::Acquire);
        self.0.load(Ordering::Relaxed) == before.0
    }

    /// Raises the version. `false`: the chain has moved.
    pub(crate) fn raise(&self) -> bool {
        // Relaxed, here and on failure: the value is only compared and counted up.
        let mut seen = self.0.load(Ordering::Relaxed);
        while seen & MOVED == 0 {
            let next = seen + VERSION;
            // Release: pairs with the fence in `is_still`, by way of the commit that follows.
            match self.0.compare_exchange(seen, next, Ordering::Release, Ordering::Relaxed) {
                Ok(_) => return true,
                Err(now) => seen = now,
            }
        }
        false
    }

    /// Sends every later scan to the children. `true`: this call did it.
    pub(crate) fn set_moved(&self) -> bool {
        // Release: the children are made before (Acquire in `read`). Acquire: for the caller, who
        // may go on to retire the array.
        self.0.fetch_or(MOVED, Ordering::AcqRel) & MOVED == 0
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn it_is_of_one_level_whatever_its_version() {
        for shift in 1..u32::BITS {
            let word = ControlWord::blank();
            assert!(!word.read().is_of(shift));
            word.make(shift);
            for _ in 0..3 {
                let before = word.read();
                for other in 0..u32::BITS {
                    assert_eq!(before.is_of(other), other == shift);
                }
                assert!(word.is_still(before) && word.raise() && !word.is_still(before));
            }
            let before = word.read();
            assert!(word.set_moved() && !word.set_moved() && !word.raise());
            assert!(!word.is_still(before));
            assert!(word.read().is_moved() && !word.read().is_of(shift));
        }
    }
}
