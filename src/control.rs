//! The control word of a line: what a scan reads before and after.
//!
//! ```text
//!  63       2    1       0
//! +----------+-------+------+
//! | version  | moved | made |
//! +----------+-------+------+
//! ```

use crate::sync::{AtomicU64, Ordering, fence};

/// The chain is made, or being made.
const MADE: u64 = 1;

/// The chain has moved to the next level.
const MOVED: u64 = 1 << 1;

/// Raised by each takeover before it commits (D).
const VERSION: u64 = 1 << 2;

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

    /// Whether it is that of a line that was made and has not moved.
    #[inline(always)]
    pub(crate) const fn is_in_use(self) -> bool {
        self.0 & (MADE | MOVED) == MADE
    }
}

impl ControlWord {
    /// That of a line that is not made: all zero.
    pub(crate) fn blank() -> Self {
        Self(AtomicU64::new(0))
    }

    /// Makes it that of a line that is made.
    pub(crate) fn make(&self) {
        // Relaxed, twice: whoever looks at the line comes by the level's own publication, or by the mark
        // of its parent (`set_moved`, Release). What a late helper sets is set already.
        if self.0.load(Ordering::Relaxed) == 0 {
            self.0.fetch_or(MADE, Ordering::Relaxed);
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
        // Release: the children are made before (Acquire in `read`).
        self.0.fetch_or(MOVED, Ordering::Release) & MOVED == 0
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn it_is_in_use_from_its_making_to_its_move() {
        let word = ControlWord::blank();
        assert!(!word.read().is_in_use());
        for _ in 0..3 {
            word.make();
            let before = word.read();
            assert!(before.is_in_use() && !before.is_moved());
            assert!(word.is_still(before) && word.raise() && !word.is_still(before));
        }
        let before = word.read();
        assert!(word.set_moved() && !word.set_moved() && !word.raise());
        assert!(!word.is_still(before));
        assert!(word.read().is_moved() && !word.read().is_in_use());
    }
}
