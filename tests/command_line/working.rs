//! The program at work, and what signals do to it.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStdout, Command, Stdio};

/// The program at work.
pub struct Working {
    child: Child,
    out: BufReader<ChildStdout>,
}

/// Sends a signal, by its name without SIG.
pub fn signal(child: &Child, name: &str) {
    let id = child.id().to_string();
    assert!(Command::new("kill").args([&format!("-{name}"), &id]).status().unwrap().success());
}

/// How it ended.
#[derive(Debug)]
pub struct Ended {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Working {
    /// Starts it, and waits for a line of its output that has `mark` in it.
    pub fn start(command: &mut Command, mark: &str) -> Working {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        while !line.contains(mark) {
            line.clear();
            assert!(out.read_line(&mut line).unwrap() > 0, "it ended without `{mark}`");
        }
        Working { child, out }
    }

    pub fn send(&self, signal: &str) {
        self::signal(&self.child, signal);
    }

    /// Reads its error output up to a line that has `mark` in it, and gives that line.
    pub fn hears(&mut self, mark: &str) -> String {
        let err = self.child.stderr.as_mut().unwrap();
        let mut text = String::new();
        while !(text.ends_with('\n') && text.contains(mark)) {
            let mut byte = [0];
            assert!(err.read(&mut byte).unwrap() > 0, "it ended without `{mark}`: {text}");
            text.push(char::from(byte[0]));
        }
        text.lines().last().unwrap().to_string()
    }

    pub fn end(mut self) -> Ended {
        let (mut out, mut err) = (String::new(), String::new());
        self.out.read_to_string(&mut out).unwrap();
        self.child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
        Ended { code: self.child.wait().unwrap().code(), out, err }
    }
}
