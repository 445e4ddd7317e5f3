//! Whether memory suffices, asked before it is taken.

use crate::{Error, Result};

/// Refuses `bytes` for `what` if the system says that it has less.
///
/// # Errors
/// [`Error::Mismatch`] with both numbers. Where the system cannot be asked, nothing is refused.
pub fn check(what: &str, bytes: usize) -> Result<()> {
    within(what, bytes, available())
}

fn within(what: &str, bytes: usize, available: Option<usize>) -> Result<()> {
    match available {
        Some(available) if bytes > available => Err(Error::Mismatch {
            what: format!("memory for {what}"),
            expected: format!("at most the {} MiB that are free", available >> 20),
            found: format!("{} MiB", bytes >> 20),
        }),
        _ => Ok(()),
    }
}

/// Bytes that can be taken without swapping, where the system tells.
pub fn available() -> Option<usize> {
    parse(&std::fs::read_to_string("/proc/meminfo").ok()?)
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

fn parse(meminfo: &str) -> Option<usize> {
    status_bytes(meminfo, "MemAvailable:")?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn free_memory_is_read_and_compared() {
        let meminfo = "MemTotal:  24 kB\nMemAvailable:     4096 kB\nBuffers: 1 kB\n";
        assert_eq!(parse(meminfo), Some(4 << 20));
        assert_eq!(parse("MemTotal: 24 kB"), None);
        assert!(
            within("a model", 4 << 20, Some(4 << 20)).is_ok() && within("a model", usize::MAX, None).is_ok()
        );
        let refused = within("a model", 9 << 20, Some(4 << 20)).unwrap_err().to_string();
        assert_eq!(refused, "memory for a model: expected at most the 4 MiB that are free, found 9 MiB");
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
