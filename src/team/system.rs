//! How the system schedules a thread.

use crate::probe::SystemTime;

/// The scheduling of the calling thread since it began, where the system tells: Linux does, in `/proc` (proc(5)).
pub fn time_of_thread() -> Option<SystemTime> {
    let schedule = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    let status = std::fs::read_to_string("/proc/thread-self/status").ok()?;
    parse(&schedule, &status)
}

/// The scheduling by nanoseconds on a processor, nanoseconds ready to run, and turns; and the lines of `status`.
fn parse(schedule: &str, status: &str) -> Option<SystemTime> {
    let taken = schedule.split_whitespace().nth(1)?.parse().ok()?;
    let switches = status.lines().find_map(|line| line.strip_prefix("nonvoluntary_ctxt_switches:"))?;
    Some(SystemTime { taken, switches: switches.trim().parse().ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_system_tells_is_read() {
        let status = "Name:\tx\nvoluntary_ctxt_switches:\t7\nnonvoluntary_ctxt_switches:\t3\n";
        assert_eq!(parse("900 55 4\n", status), Some(SystemTime { taken: 55, switches: 3 }));
        assert_eq!((parse("", status), parse("1 2 3", "Name:\tx")), (None, None));
        #[cfg(target_os = "linux")]
        assert!(time_of_thread().is_some());
    }
}
