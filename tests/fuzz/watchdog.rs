//! Notices a reader that does not come back.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

/// How long a reader may take for an input, all that the machine does besides included.
pub const DEADLINE: Duration = Duration::from_secs(10);

/// How often it is looked after.
const EVERY: Duration = Duration::from_millis(200);

/// What a worker is at.
pub struct Work {
    /// When it was begun; none between inputs.
    begun: Mutex<Option<Instant>>,
    /// The file that holds the input under way.
    input: PathBuf,
    deadline: Duration,
}

impl Work {
    /// A worker whose input under way lies in this file. If it takes longer than it may, the input is kept
    /// and the process ends: a thread cannot be stopped.
    pub fn watched(input: &Path, deadline: Duration) -> Arc<Work> {
        static ALL: OnceLock<Mutex<Vec<Arc<Work>>>> = OnceLock::new();
        let all = ALL.get_or_init(|| {
            std::thread::spawn(|| {
                loop {
                    std::thread::sleep(EVERY);
                    let all = ALL.get().map(|all| all.lock().unwrap().clone()).unwrap_or_default();
                    if let Some(work) = all.iter().find(|work| work.is_overdue()) {
                        let kept = super::harness::keep(&work.input, "hang");
                        super::harness::say(&format!(
                            "no answer within {:?}: {}",
                            work.deadline,
                            kept.display()
                        ));
                        // The folder of this run, which nothing else would clear away now.
                        work.input.parent().map(std::fs::remove_dir_all);
                        std::process::abort();
                    }
                }
            });
            Mutex::default()
        });
        let work = Arc::new(Work::new(input, deadline));
        all.lock().unwrap().push(Arc::clone(&work));
        work
    }

    fn new(input: &Path, deadline: Duration) -> Work {
        Work { begun: Mutex::new(None), input: input.into(), deadline }
    }

    /// Runs `work` within the deadline.
    pub fn during<T>(&self, work: impl FnOnce() -> T) -> T {
        *self.begun.lock().unwrap() = Some(Instant::now());
        let result = work();
        *self.begun.lock().unwrap() = None;
        result
    }

    fn is_overdue(&self) -> bool {
        self.begun.lock().unwrap().is_some_and(|begun| begun.elapsed() > self.deadline)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_takes_too_long_is_overdue_while_it_lasts() {
        let work = Work::new(Path::new("x"), Duration::from_millis(20));
        assert!(!work.is_overdue());
        assert!(!work.during(|| work.is_overdue()));
        let late = work.during(|| {
            std::thread::sleep(Duration::from_millis(40));
            work.is_overdue()
        });
        assert!(late && !work.is_overdue());
    }
}
