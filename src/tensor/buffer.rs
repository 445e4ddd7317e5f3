//! Storage that starts on a cache line and holds zeros until written.

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;

use super::layout::ALIGNMENT;
use crate::Result;
use crate::memory::{refusable, refused};

/// A huge page, in bytes.
const HUGE: usize = 2 << 20;

/// From this size on, in bytes, a buffer consists of whole huge pages.
const HUGE_WORTH: usize = 128 << 10;

/// Plain numbers, for which all bits zero is a value.
pub trait Number: Copy + Send + Sync + 'static {}
impl Number for f32 {}
impl Number for f64 {}
impl Number for u32 {}
impl Number for u8 {}

/// A fixed-length array of numbers, aligned to [`ALIGNMENT`] bytes and zero at first.
pub struct Buffer<T: Number> {
    start: NonNull<T>,
    len: usize,
}

// Safety: a buffer owns its memory as a `Vec` does.
unsafe impl<T: Number> Send for Buffer<T> {}
unsafe impl<T: Number> Sync for Buffer<T> {}

impl<T: Number> Buffer<T> {
    /// A buffer of `len` zeros. Where they may be many, [`try_zeros`](Buffer::try_zeros) is better.
    ///
    /// # Panics
    /// If `len` elements are more than the address space holds.
    pub fn zeros(len: usize) -> Self {
        let layout = Self::layout(len).expect("a buffer smaller than the address space");
        Self::of(len, layout).unwrap_or_else(|| handle_alloc_error(layout))
    }

    /// A buffer of `len` zeros; `what` names them in the error.
    ///
    /// # Errors
    /// [`crate::Error::Mismatch`] with the size if the system refuses the memory.
    pub fn try_zeros(what: &str, len: usize) -> Result<Self> {
        let made = Self::layout(len).and_then(|layout| refusable(|| Self::of(len, layout)));
        made.ok_or_else(|| refused(what, len.saturating_mul(size_of::<T>())))
    }

    /// Zeros in memory of this layout, which is that of `len` of them; none if the system refuses it.
    fn of(len: usize, layout: Layout) -> Option<Self> {
        if len == 0 {
            return Some(Buffer { start: NonNull::dangling(), len });
        }
        // Safety: the layout's size is not zero.
        let pointer = unsafe { alloc(layout) }.cast::<T>();
        let start = NonNull::new(pointer)?;
        // The advice must precede the first write, which decides on the size of pages.
        advise_huge_pages(pointer.cast(), layout.size());
        // Safety: within the allocation; all bits zero is a number.
        unsafe { pointer.write_bytes(0, len) };
        Some(Buffer { start, len })
    }

    /// The layout of `len` elements; none if they are more than the address space holds.
    fn layout(len: usize) -> Option<Layout> {
        let array = Layout::array::<T>(len).ok()?;
        let large = array.size() >= HUGE_WORTH;
        let aligned = array.align_to(if large { HUGE } else { ALIGNMENT }).ok()?;
        Some(if large { aligned.pad_to_align() } else { aligned })
    }
}

/// Asks the system for pages of 2 MiB: a step goes through megabytes in strides, and small pages make
/// every stride a miss of the address cache. Only advice; refusal changes nothing.
pub(crate) fn advise_huge_pages(start: *const u8, len: usize) {
    #[cfg(target_os = "linux")]
    {
        /// Smaller memory is not worth a system call.
        const WORTH: usize = 1 << 20;
        const PAGE: usize = 4096;
        let first = (start as usize).next_multiple_of(PAGE);
        let end = (start as usize + len) / PAGE * PAGE;
        if len >= WORTH && !start.is_null() {
            // Safety: whole pages within one allocation; the advice does not change their content.
            unsafe { libc::madvise(first as *mut libc::c_void, end - first, libc::MADV_HUGEPAGE) };
        }
    }
    #[cfg(not(target_os = "linux"))]
    let _ = (start, len);
}

/// Moves `data` `[bytes]`, which is read in random order from now on, to pages of 2 MiB where the system can.
pub fn prefer_huge_pages(data: &[u8]) {
    advise_huge_pages(data.as_ptr(), data.len());
    #[cfg(target_os = "linux")]
    {
        /// The advice `MADV_COLLAPSE`, since Linux 6.1.
        const COLLAPSE: libc::c_int = 25;
        const HUGE: usize = 2 << 20;
        let first = (data.as_ptr() as usize).next_multiple_of(HUGE);
        let end = (data.as_ptr() as usize + data.len()) / HUGE * HUGE;
        if first < end {
            // Safety: whole pages within one allocation; the call does not change their content.
            unsafe { libc::madvise(first as *mut libc::c_void, end - first, COLLAPSE) };
        }
    }
}

impl<T: Number> Drop for Buffer<T> {
    fn drop(&mut self) {
        if let Some(layout) = Self::layout(self.len).filter(|_| self.len > 0) {
            // Safety: allocated in `of` with this very layout.
            unsafe { dealloc(self.start.as_ptr().cast(), layout) }
        }
    }
}

impl<T: Number> Deref for Buffer<T> {
    type Target = [T];
    fn deref(&self) -> &[T] {
        // Safety: `len` initialised elements lie at `start`.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.len) }
    }
}

impl<T: Number> DerefMut for Buffer<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        // Safety: as above, and `self` is borrowed mutably.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr(), self.len) }
    }
}

impl<T: Number> Clone for Buffer<T> {
    fn clone(&self) -> Self {
        let mut copy = Buffer::zeros(self.len);
        copy.copy_from_slice(self);
        copy
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_are_aligned_zeroed_and_independent() {
        for len in [0, 1, 15, 16, 1000] {
            let mut a = Buffer::<f32>::zeros(len);
            assert!(a.is_empty() || (a.as_ptr() as usize).is_multiple_of(ALIGNMENT));
            assert!(a.iter().all(|&x| x == 0.0));
            a.fill(1.0);
            let mut b = a.clone();
            b.fill(2.0);
            assert!(a.iter().all(|&x| x == 1.0));
        }
    }

    #[test]
    fn memory_that_no_system_has_is_an_error() {
        for len in [usize::MAX, isize::MAX as usize / 4, 1 << 50] {
            let refused = Buffer::<f32>::try_zeros("the moons", len).map(drop).unwrap_err().to_string();
            assert!(refused.starts_with("memory for the moons: expected what the system gives"), "{refused}");
        }
        assert!(Buffer::<u8>::try_zeros("x", 0).is_ok_and(|none| none.is_empty()));
    }
}
