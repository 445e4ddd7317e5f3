//! Whether memory suffices, asked before it is taken.

mod limits;

use std::path::Path;

pub use limits::{Bound, Room};

use crate::{Error, Result};

/// What a run takes beside its large buffers: texts, records, the allocator's own.
const BESIDE: u64 = 8 << 20;

/// Refuses `bytes` for `what` if that is more than the smallest of these leaves: the machine's free
/// memory, the limits of the control groups (as containers have them), of the address space and of the
/// data segment. A few MiB of it are left for what is too small to be asked for.
///
/// # Errors
/// [`Error::Mismatch`] with both numbers, and which of the limits it is. Where the system cannot be
/// asked, nothing is refused.
pub fn check(what: &str, bytes: usize) -> Result<()> {
    within(what, bytes, room())
}

/// The error for `bytes` that were asked for and that the system did not give.
pub fn refused(what: &str, bytes: usize) -> Error {
    let left = room().map_or(String::new(), |room| format!(", at most {room}"));
    mismatch(what, format!("what the system gives{left}"), bytes)
}

fn within(what: &str, bytes: usize, room: Option<Room>) -> Result<()> {
    match room {
        Some(room) if bytes as u64 > room.bytes => Err(mismatch(what, format!("at most {room}"), bytes)),
        _ => Ok(()),
    }
}

fn mismatch(what: &str, expected: String, bytes: usize) -> Error {
    Error::Mismatch { what: format!("memory for {what}"), expected, found: size(bytes as u64) }
}

/// What is left for large buffers, and within what bound; none where the system does not tell.
fn room() -> Option<Room> {
    let room = limits::room(Path::new("/"))?;
    Some(Room { bytes: room.bytes.saturating_sub(BESIDE), ..room })
}

/// Bytes that can be taken for large buffers without swapping and within all limits, where the system
/// tells.
pub fn available() -> Option<usize> {
    room().map(|room| usize::try_from(room.bytes).unwrap_or(usize::MAX))
}

/// "476 MiB", or "12 KiB" below a mebibyte.
pub fn size(bytes: u64) -> String {
    if bytes < 1 << 20 { format!("{} KiB", bytes >> 10) } else { format!("{} MiB", bytes >> 20) }
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

/// A line of `/proc/PID/status`, in bytes.
pub fn status_bytes(status: &str, key: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(key))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

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
