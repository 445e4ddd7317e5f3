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

fn parse(meminfo: &str) -> Option<usize> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<usize>().ok()?.checked_mul(1024)
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
}
