//! Store-load ordering between many readers and a rare reclaimer, at the reclaimer's expense.
//!
//! A reader publishes its pin and then reads; a reclaimer unlinks and then looks for pins. One of them
//! has to see the other, which takes a full fence on both sides, or, where the system can interrupt
//! every running thread of the process with a fence on its behalf, none on the reader's: Linux's
//! `membarrier` (M. Desnoyers et al., "User-Level Implementations of Read-Copy Update", IEEE TPDS 23(2),
//! 2012, where this is the signal- and membarrier-based flavour). What is chosen stays for as long as
//! the registry: both sides must be of one kind.

use crate::sync::{Ordering, Turn, fence};

/// See the module.
#[derive(Debug)]
pub(super) struct Barrier {
    asymmetric: bool,
    turn: Turn,
}

impl Barrier {
    pub(super) fn new() -> Self {
        Self { asymmetric: system::register(), turn: Turn::new() }
    }

    /// With a full fence on both sides, whatever the system offers.
    #[cfg(test)]
    pub(super) fn symmetric() -> Self {
        Self { asymmetric: false, turn: Turn::new() }
    }

    /// The reader's half, after its pin is stored and before it reads what the pin is to keep.
    #[inline(always)]
    pub(super) fn light(&self) {
        if self.asymmetric {
            // SeqCst for the compiler alone, which keeps the order; the processor is told by the partner, `heavy`.
            core::sync::atomic::compiler_fence(Ordering::SeqCst);
        } else {
            self.turn.take();
            // SeqCst. Partner: the fence in `heavy`.
            fence(Ordering::SeqCst);
        }
    }

    /// The reclaimer's half, after what it is about to reclaim was unlinked and before it looks for
    /// pins. `false`: the system refused, and nothing may be concluded from the pins.
    #[must_use]
    pub(super) fn heavy(&self) -> bool {
        self.turn.take();
        // SeqCst. Partner: the fence in `light`, or the system's in every thread that is running; one
        // that is not has been through the scheduler, which is a fence as well.
        fence(Ordering::SeqCst);
        !self.asymmetric || system::interrupt()
    }
}

#[cfg(all(
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64"),
    not(any(loom, miri))
))]
mod system {
    use libc::{
        MEMBARRIER_CMD_PRIVATE_EXPEDITED, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED,
        SYS_membarrier, c_int, syscall,
    };

    fn membarrier(command: c_int) -> bool {
        // SAFETY: the call takes three integers and touches no memory.
        unsafe { syscall(SYS_membarrier, command, 0, 0) == 0 }
    }

    /// Whether this process may interrupt its threads from now on.
    pub(super) fn register() -> bool {
        membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED)
    }

    pub(super) fn interrupt() -> bool {
        // A process that was forked may have to register again.
        membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED)
            || register() && membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED)
    }

    #[test]
    fn a_refusal_is_one() {
        assert!(!membarrier(1 << 30), "there is no such command");
    }
}

#[cfg(not(all(
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64"),
    not(any(loom, miri))
)))]
mod system {
    pub(super) fn register() -> bool {
        false
    }

    pub(super) fn interrupt() -> bool {
        true
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    /// Whether all others are interrupted, nothing here can tell.
    #[test]
    fn what_the_system_has_is_used() {
        let barrier = Barrier::new();
        assert_eq!(barrier.asymmetric, system::register());
        assert!(barrier.heavy() && Barrier::symmetric().heavy());
    }
}
