//! The process of a peer: lines of JSON to it and from it, bounded in length and in time.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tempfile::TempDir;

use super::framework::{Framework, Unavailable, find_python};
use super::specification::Specification;
use crate::foreign;

/// The longest line that is read from a peer, in bytes; a longer one is read as several.
const LONGEST_LINE: u64 = 1 << 16;
/// The most of a peer's error output that is kept, in bytes.
const KEPT: usize = 4096;
/// The most of a peer's text that is repeated, in characters.
const REPEATED: usize = 300;
/// How long a process that has closed its output may take to end.
const FAREWELL: Duration = Duration::from_secs(1);
/// How long a run may take beyond ten times its time.
const GRACE: Duration = Duration::from_secs(30);

/// The scripts of all peers, which import each other.
const SCRIPTS: [(&str, &str); 6] = [
    ("serve.py", include_str!("../../../scripts/peers/serve.py")),
    ("data.py", include_str!("../../../scripts/peers/data.py")),
    ("torch_peer.py", include_str!("../../../scripts/peers/torch_peer.py")),
    ("torch_sequence.py", include_str!("../../../scripts/peers/torch_sequence.py")),
    ("jax_peer.py", include_str!("../../../scripts/peers/jax_peer.py")),
    ("jax_network.py", include_str!("../../../scripts/peers/jax_network.py")),
];

/// The result of a timed run of a peer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PeerSample {
    pub samples_per_second: f64,
    /// The mean loss of the samples trained on; absent if it was not finite.
    pub loss: Option<f64>,
}

/// A framework in a process of its own, ready to train. The process ends with this value.
pub struct Peer {
    framework: Framework,
    version: String,
    child: Child,
    requests: ChildStdin,
    lines: Receiver<Vec<u8>>,
    complaints: Complaints,
    /// The folder of the scripts, kept as long as the process may read them.
    _scripts: TempDir,
}

/// The first line to a peer.
#[derive(Serialize)]
struct Task<'a> {
    #[serde(flatten)]
    specification: &'a Specification,
    mode: &'a str,
}

/// Every other line to a peer.
#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
enum Request {
    Seconds(f64),
    Steps(u64),
}

/// A line from a peer.
#[derive(Deserialize)]
#[serde(untagged)]
enum Answer<T> {
    Failed { error: String },
    Good(T),
}

/// The answer of a peer that has compiled all it needs.
#[derive(Deserialize)]
struct Ready {
    ready: bool,
    version: String,
}

/// The answer of a peer after a run.
#[derive(Deserialize)]
struct Done {
    samples: u64,
    seconds: f64,
    loss: Option<f64>,
}

impl Peer {
    /// Starts a framework with the Python that [`find_python`] finds, and waits until it is ready.
    ///
    /// # Errors
    /// [`Unavailable`] if there is no Python, a package is missing, or it is not ready in time.
    pub fn start(
        framework: Framework,
        specification: &Specification,
        timeout: Duration,
    ) -> Result<Peer, Unavailable> {
        let python = find_python().map_err(|reason| framework.unavailable(reason))?;
        Peer::start_with(&python, framework, specification, timeout)
    }

    /// [`start`](Peer::start) with this Python.
    ///
    /// # Errors
    /// Those of [`start`](Peer::start).
    pub fn start_with(
        python: &Path,
        framework: Framework,
        specification: &Specification,
        timeout: Duration,
    ) -> Result<Peer, Unavailable> {
        let (script, mode) = framework.script();
        let scripts = write_scripts()
            .map_err(|error| framework.unavailable(format!("its scripts cannot be written: {error}")))?;
        let mut child = Command::new(python)
            .arg(scripts.path().join(script))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| {
                framework.unavailable(format!("{} cannot be started: {error}", python.display()))
            })?;
        let streams = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (Some(requests), Some(output), Some(errors)) = streams else {
            unreachable!("all three streams are piped");
        };
        // One line at most waits here; a process that says more is held up by its full pipe.
        let (sender, lines) = sync_channel(1);
        let reader = thread::Builder::new().spawn(move || read_lines(output, &sender));
        let complaints = match reader.and_then(|_| Complaints::listen(errors)) {
            Ok(complaints) => complaints,
            Err(error) => {
                // No caller would wait for it.
                child.kill().and_then(|()| child.wait().map(drop)).ok();
                return Err(framework.unavailable(format!("no thread can be started for it: {error}")));
            }
        };
        let version = String::new();
        let mut peer = Peer { framework, version, child, requests, lines, complaints, _scripts: scripts };
        let ready: Ready = peer.ask(&Task { specification, mode }, timeout)?;
        if !ready.ready {
            return Err(peer.failed("it says that it is not ready".to_string()));
        }
        peer.version = cleaned(&ready.version);
        Ok(peer)
    }

    pub fn framework(&self) -> Framework {
        self.framework
    }

    /// The framework's version: "2.15.0+cpu".
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Makes it train for about `time`.
    ///
    /// # Errors
    /// [`Unavailable`] if it fails, or takes more than ten times as long and half a minute; the peer
    /// is of no use then.
    pub fn run(&mut self, time: Duration) -> Result<PeerSample, Unavailable> {
        let timeout = time.saturating_mul(10).saturating_add(GRACE);
        self.train(&Request::Seconds(time.as_secs_f64()), timeout)
    }

    /// Makes it train for exactly so many steps, at least one.
    ///
    /// # Errors
    /// [`Unavailable`] if it fails or takes longer than `timeout`; the peer is of no use then.
    pub fn steps(&mut self, steps: u64, timeout: Duration) -> Result<PeerSample, Unavailable> {
        self.train(&Request::Steps(steps), timeout)
    }

    fn train(&mut self, request: &Request, timeout: Duration) -> Result<PeerSample, Unavailable> {
        let done: Done = self.ask(request, timeout)?;
        let samples_per_second = done.samples as f64 / done.seconds;
        if done.samples == 0 || !(samples_per_second.is_finite() && samples_per_second > 0.0) {
            let reason = format!("it claims {} samples in {} s", done.samples, done.seconds);
            return Err(self.failed(reason));
        }
        Ok(PeerSample { samples_per_second, loss: done.loss })
    }

    /// The highest resident memory of the process so far in bytes, where the system tells.
    pub fn peak_memory_bytes(&self) -> Option<u64> {
        highest_resident(&std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).ok()?)
    }

    /// Sends a line and waits for the answer.
    fn ask<T: DeserializeOwned>(
        &mut self,
        line: &impl Serialize,
        timeout: Duration,
    ) -> Result<T, Unavailable> {
        let mut line = match serde_json::to_vec(line) {
            Ok(line) => line,
            Err(error) => return Err(self.failed(format!("it cannot be told what to do: {error}"))),
        };
        line.push(b'\n');
        // If the process is gone, its answer will be missing, and the reason is found out there.
        let _ = self.requests.write_all(&line).and_then(|()| self.requests.flush());
        match self.lines.recv_timeout(timeout) {
            Ok(line) => match foreign::json(&line) {
                Ok(Answer::Good(answer)) => Ok(answer),
                Ok(Answer::Failed { error }) => Err(self.framework.unavailable(cleaned(&error))),
                Err(_) => {
                    let line = cleaned(&String::from_utf8_lossy(&line));
                    Err(self.failed(format!("it answers `{line}`, which makes no sense")))
                }
            },
            Err(RecvTimeoutError::Timeout) => {
                Err(self.failed(format!("it does not answer within {} s", timeout.as_secs_f64())))
            }
            Err(RecvTimeoutError::Disconnected) => {
                let how = match self.wait_for_end() {
                    Some(status) => format!("it has ended ({status})"),
                    None => "it has closed its output".to_string(),
                };
                Err(self.failed(how))
            }
        }
    }

    /// The status with which the process has ended, if it does so soon.
    fn wait_for_end(&mut self) -> Option<ExitStatus> {
        let begun = Instant::now();
        while begun.elapsed() < FAREWELL {
            if let Ok(Some(status)) = self.child.try_wait() {
                return Some(status);
            }
            thread::sleep(Duration::from_millis(5));
        }
        None
    }

    /// Ends the process; returns the reason, with the end of its error output.
    fn failed(&mut self, reason: String) -> Unavailable {
        self.end();
        let said = self.complaints.last_lines();
        let said = if said.is_empty() { said } else { format!("; its last words: {said}") };
        self.framework.unavailable(reason + &said)
    }

    fn end(&mut self) {
        // Both fail only if it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.end();
    }
}

fn write_scripts() -> std::io::Result<TempDir> {
    let folder = tempfile::Builder::new().prefix("fallline-peer-").tempdir()?;
    for (name, text) in SCRIPTS {
        std::fs::write(folder.path().join(name), text)?;
    }
    Ok(folder)
}

/// Sends every line until the end of the stream, or until the receiver is gone.
fn read_lines(stream: impl Read, sender: &SyncSender<Vec<u8>>) {
    let mut reader = BufReader::new(stream);
    loop {
        let mut line = Vec::new();
        match reader.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut line) {
            Ok(read) if read > 0 && sender.send(line).is_ok() => {}
            _ => return,
        }
    }
}

/// The end of a process's error output.
struct Complaints {
    kept: Arc<Mutex<Vec<u8>>>,
    /// The channel that is disconnected when the output has ended.
    ended: Receiver<()>,
}

impl Complaints {
    fn listen(mut stream: impl Read + Send + 'static) -> io::Result<Complaints> {
        let kept = Arc::new(Mutex::new(Vec::new()));
        let (sender, ended) = sync_channel(0);
        let shared = Arc::clone(&kept);
        thread::Builder::new().spawn(move || {
            let _open = sender;
            let mut block = [0; KEPT];
            while let Ok(read @ 1..) = stream.read(&mut block) {
                let mut kept = shared.lock().unwrap_or_else(PoisonError::into_inner);
                kept.extend_from_slice(&block[..read]);
                let excess = kept.len().saturating_sub(KEPT);
                kept.drain(..excess);
            }
        })?;
        Ok(Complaints { kept, ended })
    }

    /// The last three lines that are not empty, in one; waits a little for the end of the output.
    fn last_lines(&self) -> String {
        let _ = self.ended.recv_timeout(FAREWELL);
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let text = String::from_utf8_lossy(&kept);
        let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        cleaned(&lines[lines.len().saturating_sub(3)..].join(" / "))
    }
}

/// A process's text, fit to be printed: one line without control characters, not too long.
fn cleaned(text: &str) -> String {
    let text = text.trim();
    let mut clean: String =
        text.chars().take(REPEATED).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if text.chars().nth(REPEATED).is_some() {
        clean.push('…');
    }
    clean
}

/// The line `VmHWM` of `/proc/PID/status` in bytes.
fn highest_resident(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lines_are_cut() {
        let (sender, lines) = sync_channel(4);
        let text = [vec![b'x'; LONGEST_LINE as usize], b"yz\nlast".to_vec()].concat();
        read_lines(&text[..], &sender);
        drop(sender);
        let lengths: Vec<usize> = lines.iter().map(|line| line.len()).collect();
        assert_eq!(lengths, [LONGEST_LINE as usize, 3, 4]);
    }

    #[test]
    fn the_end_of_what_was_said_is_kept() {
        let text: String = (0..10_000).map(|line| format!("line\x1b[31m {line}\n\n")).collect();
        let complaints = Complaints::listen(std::io::Cursor::new(text.into_bytes())).unwrap();
        let said = complaints.last_lines();
        assert_eq!(said, "line [31m 9997 / line [31m 9998 / line [31m 9999");
        assert!(complaints.kept.lock().unwrap().len() <= KEPT);
    }

    #[test]
    fn memory_is_read_from_the_status() {
        assert_eq!(highest_resident("Name: x\nVmHWM:\t  2048 kB\n"), Some(2 << 20));
        assert_eq!(highest_resident("Name: x\n"), None);
    }

    #[test]
    fn requests_are_what_the_scripts_read() {
        let json = |request: &Request| serde_json::to_string(request).unwrap();
        assert_eq!(json(&Request::Seconds(0.5)), r#"{"seconds":0.5}"#);
        assert_eq!(json(&Request::Steps(7)), r#"{"steps":7}"#);
    }
}
