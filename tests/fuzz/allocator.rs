//! The memory that a thread has, counted where it is asked for.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

/// A single request that is refused, as a system without that much memory would: no reader of these small
/// inputs has use for it.
const TOO_LARGE: usize = 4 << 30;

/// The system's allocator, keeping the books of each thread.
pub struct Watched;

thread_local! {
    /// Bytes that this thread has taken and not given back; below zero if it gives back those of others.
    static LIVE: Cell<isize> = const { Cell::new(0) };
    /// The most since [`peak`] was last asked to look.
    static PEAK: Cell<isize> = const { Cell::new(0) };
}

fn count(change: isize) {
    // A thread that is ending has no books any more.
    let live = LIVE.try_with(|live| {
        live.set(live.get().wrapping_add(change));
        live.get()
    });
    if let Ok(live) = live {
        PEAK.try_with(|peak| peak.set(peak.get().max(live))).ok();
    }
}

// Safety: everything is handed on to the system's allocator unchanged, or refused as it may refuse it.
unsafe impl GlobalAlloc for Watched {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // Requests count even if the system refuses them.
        count(layout.size() as isize);
        if layout.size() > TOO_LARGE {
            return std::ptr::null_mut();
        }
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        if layout.size() > TOO_LARGE {
            return std::ptr::null_mut();
        }
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(-(layout.size() as isize));
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // While it grows, the old piece and the new one may both be there.
        count(size as isize);
        count(-(layout.size() as isize));
        if size > TOO_LARGE {
            return std::ptr::null_mut();
        }
        unsafe { System.realloc(pointer, layout, size) }
    }
}

/// What `work` gives, and the most bytes that this thread had at one time during it, beyond those before.
pub fn peak<T>(work: impl FnOnce() -> T) -> (T, usize) {
    let before = LIVE.get();
    PEAK.set(before);
    let result = work();
    (result, usize::try_from(PEAK.get() - before).unwrap_or(0))
}

/// Bytes that this thread has taken and not given back.
pub fn live() -> isize {
    LIVE.get()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_peak_is_that_of_the_work_alone() {
        let (kept, taken) = peak(|| {
            drop(vec![1u8; 3 << 20]);
            vec![1u8; 1 << 20]
        });
        assert!((3 << 20..(3 << 20) + 4096).contains(&taken), "{taken}");
        let before = live();
        drop(kept);
        assert_eq!(before - live(), 1 << 20);
        let (_, grown) = peak(|| {
            let mut bytes = vec![1u8; 1 << 20];
            bytes.reserve_exact(1 << 20);
            bytes
        });
        assert!((3 << 20..(3 << 20) + 4096).contains(&grown), "{grown}");
        let (refused, asked) = peak(|| Vec::<u8>::new().try_reserve_exact(TOO_LARGE + 1).is_err());
        assert!(refused && asked > TOO_LARGE);
    }
}
