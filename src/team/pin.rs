//! Threads that stay on one processor.

/// Keeps this thread on one processor from now on; returns whether the system did it. Only Linux can.
///
/// Workers of a [`Team`](super::Team) are left to the system, which knows what else runs.
pub fn pin(processor: usize) -> bool {
    #[cfg(target_os = "linux")]
    {
        if processor >= libc::CPU_SETSIZE as usize {
            return false;
        }
        // Safety: a set of bits for which all zero is a value, and the number was checked.
        unsafe {
            let mut set: libc::cpu_set_t = std::mem::zeroed();
            libc::CPU_SET(processor, &mut set);
            libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &set) == 0
        }
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = processor;
        false
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    /// The processors that this thread may run on, as the system writes them.
    fn allowed() -> String {
        let status = std::fs::read_to_string("/proc/thread-self/status").unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
        line.unwrap().trim().to_string()
    }

    #[test]
    fn a_pinned_thread_has_one_processor_and_the_others_are_left_alone() {
        let before = allowed();
        let last: usize = before.rsplit([',', '-']).next().unwrap().parse().unwrap();
        let pinned = std::thread::spawn(move || (pin(last), allowed())).join().unwrap();
        assert_eq!(pinned, (true, last.to_string()));
        assert_eq!(allowed(), before);
        assert!(!pin(1 << 20) && allowed() == before, "no machine has that one");
    }
}
