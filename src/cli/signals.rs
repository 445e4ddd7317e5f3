//! What a signal does: Ctrl-C (SIGINT), a request to terminate (SIGTERM), a terminal that hangs up (SIGHUP).
//!
//! It ends the program at once, unless work is under way that can come to an end of its own. Then the first
//! one asks for that, and is answered at once; the next one ends the program.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, mpsc};
use std::thread;
use std::time::Duration;

use crate::report::progress::Line;
use crate::{atomic_file, pipe};

/// How long a line that cannot be written holds things up.
const PATIENCE: Duration = Duration::from_millis(200);

/// A signal that ends programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    Interrupt,
    Terminate,
    HangUp,
}

impl Signal {
    /// The system's name.
    pub fn name(self) -> &'static str {
        match self {
            Signal::Interrupt => "SIGINT",
            Signal::Terminate => "SIGTERM",
            Signal::HangUp => "SIGHUP",
        }
    }

    /// What people call it.
    pub fn text(self) -> &'static str {
        match self {
            Signal::Interrupt => "Ctrl-C",
            other => other.name(),
        }
    }

    /// The exit code of a program that it has ended: 128 and its number, as shells have it.
    pub fn exit_code(self) -> u8 {
        128 + match self {
            Signal::HangUp => 1,
            Signal::Interrupt => 2,
            Signal::Terminate => 15,
        }
    }

    /// The answer to the first one, which work that does `what` to end has been asked by.
    fn answer(self, what: &str) -> String {
        match self {
            Signal::Interrupt => format!("stopping: {what}; Ctrl-C again ends at once"),
            other => format!("{}: stopping: {what}; another signal ends at once", other.name()),
        }
    }
}

/// Work that a signal asks to come to an end.
#[derive(Clone)]
pub struct Stop {
    flag: Arc<AtomicBool>,
    first: Arc<OnceLock<Signal>>,
}

impl Stop {
    /// Set by the first signal.
    pub fn flag(&self) -> &AtomicBool {
        &self.flag
    }

    /// The first signal, once there is one.
    pub fn signal(&self) -> Option<Signal> {
        self.first.get().copied()
    }
}

/// What is under way.
#[derive(Clone)]
struct Work {
    line: Line,
    /// What is still done after the first signal; none for work that is not asked.
    stop: Option<(Stop, &'static str)>,
}

static WORK: Mutex<Option<Work>> = Mutex::new(None);

fn begin(work: Work) {
    *WORK.lock().unwrap_or_else(PoisonError::into_inner) = Some(work);
}

/// From now on the first signal sets the flag of what is returned, and is answered through `line` with
/// what is still done: "testing and saving".
pub fn listen(line: Line, what: &'static str) -> Stop {
    let stop = Stop { flag: Arc::default(), first: Arc::default() };
    pipe::give_up_when(Arc::clone(&stop.flag));
    begin(Work { line, stop: Some((stop.clone(), what)) });
    stop
}

/// From now on a signal removes `line` before it ends the program.
pub fn show(line: Line) {
    begin(Work { line, stop: None });
}

fn received(signal: Signal) {
    let work = WORK.lock().unwrap_or_else(PoisonError::into_inner).clone();
    match work {
        Some(Work { line, stop: Some((stop, what)) }) if stop.first.set(signal).is_ok() => {
            // Said before the work can be over.
            soon(move || line.announce(&signal.answer(what)));
            stop.flag.store(true, Relaxed);
        }
        work => end(signal, work.map(|work| work.line)),
    }
}

/// Ends the program at once. Everything that is to be tidied up is, here.
fn end(signal: Signal, line: Option<Line>) -> ! {
    if let Some(line) = line {
        soon(move || line.clear());
    }
    atomic_file::remove_temporaries();
    std::process::exit(signal.exit_code().into())
}

/// Does what usually takes no time, and does not wait for it where standard error is a pipe that is full.
fn soon(work: impl FnOnce() + Send + 'static) {
    let (done, is_done) = mpsc::channel();
    thread::spawn(move || {
        work();
        done.send(()).ok();
    });
    is_done.recv_timeout(PATIENCE).ok();
}

/// Begins to listen for signals, in a thread of its own.
///
/// # Errors
/// If the system refuses.
#[cfg(unix)]
pub fn install() -> std::io::Result<()> {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
    use signal_hook::iterator::Signals;

    let mut wanted = vec![SIGINT, SIGTERM];
    // `nohup` has hang-ups ignored, and that shall stay so.
    if !is_ignored(SIGHUP) {
        wanted.push(SIGHUP);
    }
    let mut signals = Signals::new(wanted)?;
    let listen = move || {
        for number in signals.forever() {
            received(match number {
                SIGTERM => Signal::Terminate,
                SIGHUP => Signal::HangUp,
                _ => Signal::Interrupt,
            });
        }
    };
    thread::Builder::new().name("fallline-signals".into()).spawn(listen).map(drop)
}

/// Begins to listen for Ctrl-C, in a thread of its own.
///
/// # Errors
/// If the system refuses.
#[cfg(not(unix))]
pub fn install() -> std::io::Result<()> {
    ctrlc::set_handler(|| received(Signal::Interrupt)).map_err(std::io::Error::other)
}

/// Whether this process was started with a signal ignored; no where the system does not tell.
#[cfg(unix)]
fn is_ignored(signal: i32) -> bool {
    std::fs::read_to_string("/proc/self/status").is_ok_and(|status| is_in_mask(&status, signal))
}

#[cfg(unix)]
fn is_in_mask(status: &str, signal: i32) -> bool {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask >> (signal - 1) & 1 == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals_name_themselves() {
        assert_eq!(
            Signal::Interrupt.answer("testing and saving"),
            "stopping: testing and saving; Ctrl-C again ends at once"
        );
        assert_eq!(
            Signal::Terminate.answer("testing and saving"),
            "SIGTERM: stopping: testing and saving; another signal ends at once"
        );
        let codes = [Signal::HangUp, Signal::Interrupt, Signal::Terminate].map(Signal::exit_code);
        assert_eq!(codes, [129, 130, 143]);
    }

    #[cfg(unix)]
    #[test]
    fn ignored_signals_are_read_from_their_mask() {
        let status = "Name:\tx\nSigBlk:\t0000000000004000\nSigIgn:\t0000000000000001\n";
        assert!(is_in_mask(status, 1) && !is_in_mask(status, 2) && !is_in_mask(status, 15));
        assert!(!is_in_mask("SigIgn:\tx\n", 1) && !is_in_mask("", 1));
    }
}
