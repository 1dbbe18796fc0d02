//! Memory from the system itself, where parts of an allocation can be given back.
//!
//! An allocator frees what it handed out whole. What a peak left around its survivors goes back by
//! pages, which the system replaces by zeros when they are touched again.

/// Bytes from which on an allocation is worth a mapping of its own.
#[cfg(not(test))]
pub(crate) const LEAST: usize = 1 << 17;
#[cfg(test)]
pub(crate) const LEAST: usize = 1 << 14;

/// The alignment of every mapping, on all systems that have them.
pub(crate) const ALIGN: usize = 1 << 12;

pub(crate) use system::{IS_HERE, discard, map, size, unmap};

#[cfg(all(target_os = "linux", target_pointer_width = "64", not(any(loom, miri))))]
mod system {
    use core::ptr::{self, NonNull};
    use core::sync::atomic::{AtomicUsize, Ordering};

    pub(crate) const IS_HERE: bool = true;

    /// Bytes of a page.
    pub(crate) fn size() -> usize {
        static SIZE: AtomicUsize = AtomicUsize::new(0);
        // Relaxed: everyone finds the same.
        match SIZE.load(Ordering::Relaxed) {
            0 => {
                // SAFETY: asks for a constant of the system.
                let size = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
                let size = usize::try_from(size).expect("the system has pages");
                SIZE.store(size, Ordering::Relaxed);
                size
            }
            size => size,
        }
    }

    /// `bytes` zero bytes, untouched. `None`: there is no more memory.
    pub(crate) fn map(bytes: usize) -> Option<NonNull<u8>> {
        let access = libc::PROT_READ | libc::PROT_WRITE;
        let kind = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
        // SAFETY: a new mapping, wherever the system likes.
        let start = unsafe { libc::mmap(ptr::null_mut(), bytes, access, kind, -1, 0) };
        if start == libc::MAP_FAILED { None } else { NonNull::new(start.cast()) }
    }

    /// Ends a mapping.
    ///
    /// # Safety
    ///
    /// `map(bytes)` returned `start`, and nobody uses it any more.
    pub(crate) unsafe fn unmap(start: NonNull<u8>, bytes: usize) {
        // SAFETY: the caller's promise. It cannot fail for a whole mapping.
        unsafe { libc::munmap(start.as_ptr().cast(), bytes) };
    }

    /// Gives whole pages of a mapping back; they are zero when they are touched again.
    ///
    /// # Safety
    ///
    /// They lie in a mapping of `map`, and nobody uses them meanwhile, but for atomics that nobody writes to: who
    /// reads one finds it as it was, or zero.
    pub(crate) unsafe fn discard(start: NonNull<u8>, bytes: usize) {
        // SAFETY: the caller's promise: private and anonymous, so that what comes back is zeros. Should
        // the system refuse, the pages stay as they are, which is as good.
        unsafe { libc::madvise(start.as_ptr().cast(), bytes, libc::MADV_DONTNEED) };
    }
}

#[cfg(not(all(target_os = "linux", target_pointer_width = "64", not(any(loom, miri)))))]
mod system {
    use core::ptr::NonNull;

    pub(crate) const IS_HERE: bool = false;

    pub(crate) fn size() -> usize {
        super::ALIGN
    }

    pub(crate) fn map(_bytes: usize) -> Option<NonNull<u8>> {
        None
    }

    pub(crate) unsafe fn unmap(_start: NonNull<u8>, _bytes: usize) {}

    pub(crate) unsafe fn discard(_start: NonNull<u8>, _bytes: usize) {}
}
