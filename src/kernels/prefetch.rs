//! Fetching memory ahead of its use.

/// Asks for `data` to be brought into the second-level cache. Changes no result.
#[inline]
pub fn prefetch<T>(data: &[T]) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T1, _mm_prefetch};
        /// A cache line.
        const LINE: usize = 64;
        let start = data.as_ptr().cast::<i8>();
        for offset in (0..size_of_val(data)).step_by(LINE) {
            // Safety: a hint; it never faults.
            unsafe { _mm_prefetch::<_MM_HINT_T1>(start.wrapping_add(offset)) }
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = data;
}
