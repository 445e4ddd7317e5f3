//! Time that goes on after an interruption.

use std::time::{Duration, Instant};

use crate::Result;
use crate::checkpoint::Archive;

/// A clock that was begun, perhaps in an earlier process.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    since: Instant,
    /// What it showed then.
    before: Duration,
}

impl Clock {
    /// A clock that shows this much.
    pub fn at(before: Duration) -> Clock {
        Clock { since: Instant::now(), before }
    }

    pub fn elapsed(&self) -> Duration {
        self.before.saturating_add(self.since.elapsed())
    }

    pub fn seconds(&self) -> f64 {
        self.elapsed().as_secs_f64()
    }
}

/// Saves a duration, or restores it.
///
/// # Errors
/// Those of the archive.
pub fn visit(archive: &mut Archive, name: &str, duration: &mut Option<Duration>) -> Result<()> {
    let mut seconds = duration.map(|duration| duration.as_secs_f64());
    archive.maybe(name, &mut seconds)?;
    *duration = seconds.map(|seconds| Duration::try_from_secs_f64(seconds).unwrap_or_default());
    Ok(())
}
