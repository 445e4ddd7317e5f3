//! The program's allocator: the system's, except that memory which it refuses ends the program with an error
//! message and the exit code of every other error, not with an abort.
//!
//! What is large is asked for in a way that may be refused (`memory::filled`, [`super::Buffer::try_zeros`]),
//! and its error names it. This is for all the rest, in crates too, where nobody can handle a refusal.

use std::alloc::{GlobalAlloc, Layout, System};

use crate::memory;

/// The allocator for a program's `#[global_allocator]`.
pub struct Allocator;

// Safety: every request goes to the system's allocator as it is, and so does every answer.
unsafe impl GlobalAlloc for Allocator {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // Safety: the caller's promises are those that `System` asks for; the same below.
        given(unsafe { System.alloc(layout) }, layout.size())
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        given(unsafe { System.alloc_zeroed(layout) }, layout.size())
    }

    #[inline]
    unsafe fn realloc(&self, start: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        given(unsafe { System.realloc(start, layout, size) }, size)
    }

    #[inline]
    unsafe fn dealloc(&self, start: *mut u8, layout: Layout) {
        unsafe { System.dealloc(start, layout) }
    }
}

/// Makes the allocator reserve sparingly where the address space is limited: every thread's own heap would reserve
/// 64 MiB of it. To be called before the first thread is started.
pub fn heed_limits() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    if address_space().is_some() {
        // Safety: a setting of the allocator; where it is refused, all stays as it was.
        unsafe { libc::mallopt(libc::M_ARENA_MAX, 1) };
    }
}

#[inline]
fn given(start: *mut u8, size: usize) -> *mut u8 {
    if start.is_null() && !memory::is_refusable() {
        end(size);
    }
    start
}

/// Prints that `size` bytes were refused and ends the process. Nothing here may need memory, or wait for a lock
/// that this thread may hold: so no `eprintln`, and no destructors of statics.
#[cold]
fn end(size: usize) {
    #[cfg(unix)]
    {
        use std::io::{Cursor, Write};
        use std::sync::atomic::{AtomicBool, Ordering};

        /// The exit code of every error.
        const FAILURE: i32 = 2;
        static ENDS: AtomicBool = AtomicBool::new(false);

        if ENDS.swap(true, Ordering::Relaxed) {
            // Another thread is printing it.
            loop {
                std::thread::yield_now();
            }
        }
        let mut line = [0; 200];
        let mut text = Cursor::new(&mut line[..]);
        let needed = size.div_ceil(1 << 10);
        let limit = address_space();
        // The line is long enough; were it not, it would be cut.
        let _ = match limit {
            Some(limit) => writeln!(
                text,
                "error: memory: expected what the system gives (`ulimit -v` is {} KiB), found a request for {needed} KiB more",
                limit >> 10
            ),
            None => writeln!(
                text,
                "error: memory: expected what the system gives, found a request for {needed} KiB more"
            ),
        };
        let written = text.position() as usize;
        // Safety: the bytes are there; a progress bar's line is ended first.
        unsafe {
            if libc::isatty(libc::STDERR_FILENO) == 1 {
                libc::write(libc::STDERR_FILENO, c"\n".as_ptr().cast(), 1);
            }
            libc::write(libc::STDERR_FILENO, line.as_ptr().cast(), written);
            libc::_exit(FAILURE)
        }
    }
    // On other systems Rust's own way follows: a message and an abort.
    #[cfg(not(unix))]
    let _ = size;
}

/// The limit of the address space in bytes, if there is one.
#[cfg(unix)]
fn address_space() -> Option<u64> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // Safety: `limit` is there to be written to.
    let asked = unsafe { libc::getrlimit(libc::RLIMIT_AS, &mut limit) };
    (asked == 0 && limit.rlim_cur != libc::RLIM_INFINITY).then_some(limit.rlim_cur)
}
