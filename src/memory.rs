//! Whether memory suffices, asked before it is taken.

mod bytes;
mod check;
mod fallible;
mod limits;

pub use bytes::{size, status_bytes};
use check::room;
pub use check::{check, refused};

pub use fallible::{copied, filled, is_refusable, refusable, reserve, reserved};
pub use limits::{Bound, Room};

/// Bytes that can be taken for large buffers without swapping and within all limits, where the system
/// tells.
pub fn available() -> Option<usize> {
    room().map(|room| usize::try_from(room.bytes).unwrap_or(usize::MAX))
}

/// Resident memory of this process in bytes: now, and at its highest since [`forget_peak`] or the
/// start. None where the system does not tell.
pub fn resident() -> Option<[u64; 2]> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    Some([status_bytes(&status, "VmRSS:")?, status_bytes(&status, "VmHWM:")?])
}

/// Lets the highest resident memory begin anew, where the system can.
pub fn forget_peak() {
    // 5 resets the high-water mark (proc(5)). Where this fails, the mark stays an upper bound.
    std::fs::write("/proc/self/clear_refs", "5").ok();
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::check::within;

    #[test]
    fn what_is_more_than_is_left_is_refused_with_the_limit() {
        let room = |bytes| Some(Room { bytes, bound: Bound::Free });
        within("a model", 4 << 20, room(4 << 20)).unwrap();
        within("a model", usize::MAX, None).unwrap();
        let refused = within("a model", 9 << 20, room(4 << 20)).unwrap_err().to_string();
        assert_eq!(refused, "memory for a model: expected at most the 4 MiB that are free, found 9 MiB");
        let space = Some(Room { bytes: 400 << 10, bound: Bound::AddressSpace });
        let refused = within("a model", 500 << 10, space).unwrap_err().to_string();
        assert!(refused.ends_with("at most the 400 KiB that `ulimit -v` leaves, found 500 KiB"), "{refused}");
    }

    #[test]
    fn the_system_tells_what_is_left() {
        let said = super::refused("a model", 1 << 20).to_string();
        assert!(said.starts_with("memory for a model: expected what the system gives"), "{said}");
        if cfg!(target_os = "linux") {
            assert!(available().is_some_and(|bytes| bytes > 0), "{said}");
        }
    }

    #[test]
    fn resident_memory_is_read_where_the_system_tells() {
        let status = "Name:\tx\nVmHWM:\t    2048 kB\nVmRSS:\t    1024 kB\n";
        assert_eq!(status_bytes(status, "VmRSS:"), Some(1 << 20));
        assert_eq!((status_bytes(status, "VmSwap:"), status_bytes("VmRSS: 1 MB", "VmRSS:")), (None, None));
        if let Some([now, highest]) = resident() {
            assert!(now > 0 && highest > 0);
        }
    }
}
