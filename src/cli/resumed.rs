//! What is said of the checkpoints of a training.

use std::path::Path;

use crate::foreign::shortened;
use crate::report::progress::Line;
use crate::train::Resumed;
use crate::{Error, Result};

/// Says what a training goes on from; only what is wrong with it if `quiet`.
pub fn resumed(line: &Line, from: &Resumed, quiet: bool) {
    from.damaged.iter().for_each(|error| line.announce(&format!("warning: {error}; it is passed over")));
    other_program(line, from.path, from.program);
    if !quiet {
        let (path, step, epoch) = (from.path.display(), from.step, from.epoch);
        line.announce(&format!("going on from {path}: step {step}, epoch {epoch}"));
    }
}

/// Warns of what another version of the program has made, if it has.
pub fn other_program(line: &Line, path: &Path, program: &str) {
    let own = env!("CARGO_PKG_VERSION");
    if program != own {
        let (path, program) = (path.display(), shortened(program));
        let what = format!("was made by fallline {program}, this is {own}: results may differ in bits");
        line.announce(&format!("warning: {path} {what}"));
    }
}

/// Warns of a checkpoint that could not be written.
pub fn checkpoint(line: &Line, written: Result<&Path, &Error>) {
    if let Err(error) = written {
        let what = "no checkpoint is written, those before it are still there";
        line.announce(&format!("warning: {error}; {what}"));
    }
}
