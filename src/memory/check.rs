//! Whether memory suffices, and the errors if it does not.

use std::path::Path;

use super::bytes::size;
use super::limits::Room;
use crate::memory::limits;
use crate::{Error, Result};

/// What a run takes beside its large buffers: texts, records, the allocator's own.
pub(super) const BESIDE: u64 = 8 << 20;

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

pub(super) fn within(what: &str, bytes: usize, room: Option<Room>) -> Result<()> {
    match room {
        Some(room) if bytes as u64 > room.bytes => Err(mismatch(what, format!("at most {room}"), bytes)),
        _ => Ok(()),
    }
}

pub(super) fn mismatch(what: &str, expected: String, bytes: usize) -> Error {
    Error::Mismatch { what: format!("memory for {what}"), expected, found: size(bytes as u64) }
}

/// What is left for large buffers, and within what bound; none where the system does not tell.
pub(super) fn room() -> Option<Room> {
    let room = limits::room(Path::new("/"))?;
    Some(Room { bytes: room.bytes.saturating_sub(BESIDE), ..room })
}
