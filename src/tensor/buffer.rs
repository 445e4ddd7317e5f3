//! Storage that starts on a cache line and holds zeros until written.

use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;

use super::ALIGNMENT;

/// Plain numbers, for which all bits zero is a value.
pub trait Number: Copy + Send + Sync + 'static {}
impl Number for f32 {}
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
    /// `len` zeros.
    ///
    /// # Panics
    /// If `len` elements are more than the address space holds.
    pub fn zeros(len: usize) -> Self {
        if len == 0 {
            return Buffer { start: NonNull::dangling(), len };
        }
        let layout = Self::layout(len);
        // Safety: the layout's size is not zero.
        let pointer = unsafe { alloc_zeroed(layout) }.cast::<T>();
        Buffer { start: NonNull::new(pointer).unwrap_or_else(|| handle_alloc_error(layout)), len }
    }

    fn layout(len: usize) -> Layout {
        let array = Layout::array::<T>(len).expect("a buffer smaller than the address space");
        array.align_to(ALIGNMENT).expect("a power of two")
    }
}

impl<T: Number> Drop for Buffer<T> {
    fn drop(&mut self) {
        if self.len > 0 {
            // Safety: allocated in `zeros` with this very layout.
            unsafe { dealloc(self.start.as_ptr().cast(), Self::layout(self.len)) }
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
            assert!(a.is_empty() || a.as_ptr() as usize % ALIGNMENT == 0);
            assert!(a.iter().all(|&x| x == 0.0));
            a.fill(1.0);
            let mut b = a.clone();
            b.fill(2.0);
            assert!(a.iter().all(|&x| x == 1.0));
        }
    }
}
