//! Hardware counters of a thread, where the system lets a program read them.

pub use imp::Counters;

/// The names of the counters, in the order of [`Counters::read`].
pub const COUNTED: [&str; 3] = ["cycles", "instructions", "cache misses"];

#[cfg(target_os = "linux")]
mod imp {
    use std::io::{Error, ErrorKind};

    use perf_event::events::Hardware;
    use perf_event::{Builder, Counter, Group};

    /// The setting that decides who may count.
    const PARANOID: &str = "/proc/sys/kernel/perf_event_paranoid";

    /// Counters of the thread that opened them.
    pub struct Counters {
        group: Group,
        counters: [Counter; 3],
    }

    impl Counters {
        /// Opens counters of this thread, in the program and not in the system.
        ///
        /// # Errors
        /// Which file or setting forbids it, in a sentence.
        pub fn open() -> Result<Counters, String> {
            let mut group = Group::new().map_err(reason)?;
            let mut add = |event| group.add(&Builder::new(event)).map_err(reason);
            let counters =
                [add(Hardware::CPU_CYCLES)?, add(Hardware::INSTRUCTIONS)?, add(Hardware::CACHE_MISSES)?];
            group.enable().map_err(reason)?;
            Ok(Counters { group, counters })
        }

        /// The counts so far; zeros if the system refuses to tell.
        pub fn read(&mut self) -> [u64; 3] {
            match self.group.read() {
                Ok(data) => [0, 1, 2].map(|index| data[&self.counters[index]]),
                Err(_) => [0; 3],
            }
        }
    }

    fn reason(error: Error) -> String {
        let level = std::fs::read_to_string(PARANOID).unwrap_or_default();
        sentence(&error, level.trim())
    }

    /// The sentence that says what forbids the counters, for this error and the level of [`PARANOID`].
    pub fn sentence(error: &Error, level: &str) -> String {
        match error.kind() {
            ErrorKind::PermissionDenied if level.parse().is_ok_and(|level: i32| level > 2) => format!(
                "{PARANOID} is {level}, which forbids hardware counters; 2 allows a program to see its own"
            ),
            ErrorKind::PermissionDenied => format!(
                "hardware counters are forbidden, though {PARANOID} ({level}) would allow them: a container's seccomp \
                 profile or its capabilities (perf_event_open) do not"
            ),
            ErrorKind::NotFound | ErrorKind::Unsupported => format!(
                "the processor shows no hardware counters here, as in most virtual machines: the hypervisor \
                 would have to pass on its performance monitoring unit ({error})"
            ),
            _ => format!("hardware counters cannot be read: perf_event_open: {error}"),
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod imp {
    /// The counters of a system that has none.
    pub struct Counters(std::convert::Infallible);

    impl Counters {
        /// # Errors
        /// Always.
        pub fn open() -> Result<Counters, String> {
            Err("hardware counters are read through perf_event_open, which Linux alone has".into())
        }

        pub fn read(&mut self) -> [u64; 3] {
            match self.0 {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Where the counters are forbidden, the error says so in words; where not, work is counted.
    #[test]
    fn counters_count_or_say_why_not() {
        match Counters::open() {
            Ok(mut counters) => {
                let before = counters.read();
                let sum: u64 = (0..100_000u64).map(std::hint::black_box).sum();
                assert!(std::hint::black_box(sum) > 0);
                assert!(counters.read()[1] > before[1] + 100_000);
            }
            Err(reason) => assert!(reason.contains("counters"), "{reason}"),
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn what_forbids_them_is_named() {
        use std::io::{Error, ErrorKind};
        let denied = || Error::from(ErrorKind::PermissionDenied);
        let cases = [
            (denied(), "4", "perf_event_paranoid is 4"),
            (denied(), "2", "seccomp"),
            (Error::from(ErrorKind::NotFound), "2", "performance monitoring unit"),
            (Error::other("odd"), "", "odd"),
        ];
        for (error, level, expected) in cases {
            let sentence = imp::sentence(&error, level);
            assert!(sentence.contains(expected) && !sentence.contains('\n'), "{sentence}");
        }
    }
}
