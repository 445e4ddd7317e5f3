//! The waiting for the other end of a pipe.

use std::fs::Metadata;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

/// How often whoever waits looks whether it shall stop.
pub(super) const PAUSE: Duration = Duration::from_millis(50);

/// Waiting that is shorter is not told: programs that start together meet within this time.
pub(super) const PATIENCE: Duration = Duration::from_millis(500);

/// What is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Awaited {
    /// A program that reads what is written.
    Reader,
    /// A program that writes what is read.
    Writer,
}

pub(super) static LISTENER: OnceLock<fn(&Path, Awaited)> = OnceLock::new();

pub(super) static STOP: Mutex<Option<Arc<AtomicBool>>> = Mutex::new(None);

/// Has `listener` called from now on when a pipe is waited for, in this process; the first call counts.
pub fn on_waiting(listener: fn(&Path, Awaited)) {
    LISTENER.set(listener).ok();
}

/// Waiting is given up once `stop` is set; without such a flag it never is. The last call counts.
pub fn give_up_when(stop: Arc<AtomicBool>) {
    *STOP.lock().unwrap_or_else(PoisonError::into_inner) = Some(stop);
}

/// Whether waiting is to be given up.
pub(super) fn is_to_stop() -> bool {
    let stop = STOP.lock().unwrap_or_else(PoisonError::into_inner);
    stop.as_ref().is_some_and(|stop| stop.load(Relaxed))
}

/// Whether it is a pipe, named or not.
pub fn is_pipe(metadata: &Metadata) -> bool {
    #[cfg(unix)]
    return std::os::unix::fs::FileTypeExt::is_fifo(&metadata.file_type());
    #[cfg(not(unix))]
    return {
        let _ = metadata;
        false
    };
}

/// The waiting for the other end of one pipe.
pub(super) struct Waiting<'a> {
    path: &'a Path,
    awaited: Awaited,
    /// How long it has lasted.
    so_far: Duration,
    has_told: bool,
}

impl<'a> Waiting<'a> {
    pub(super) fn new(path: &'a Path, awaited: Awaited) -> Waiting<'a> {
        Waiting { path, awaited, so_far: Duration::ZERO, has_told: false }
    }

    /// To be called after each pause of waiting.
    ///
    /// # Errors
    /// [`io::ErrorKind::TimedOut`] if the program is to stop.
    pub(super) fn goes_on(&mut self, pause: Duration) -> io::Result<()> {
        if is_to_stop() {
            let reason = match self.awaited {
                Awaited::Reader => "no program reads this pipe",
                Awaited::Writer => "no program writes to this pipe",
            };
            return Err(io::Error::new(io::ErrorKind::TimedOut, reason));
        }
        self.so_far += pause;
        if self.so_far >= PATIENCE && !self.has_told {
            self.has_told = true;
            if let Some(listener) = LISTENER.get() {
                listener(self.path, self.awaited);
            }
        }
        Ok(())
    }
}
