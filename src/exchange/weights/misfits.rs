//! All tensors that do not fit, in one error.

use std::path::Path;

use crate::Error;
use crate::foreign;

/// The longest name that is shown, in characters.
const LONGEST: usize = 160;

/// What is wrong with a file of tensors for a model.
#[derive(Debug, Default)]
pub struct Misfits {
    lines: Vec<String>,
}

impl Misfits {
    /// A parameter of the model that no tensor is for.
    pub fn missing(&mut self, name: &str, shape: &[usize]) {
        self.lines.push(format!("missing: {name} {shape:?}"));
    }

    /// A tensor that is for no parameter.
    pub fn superfluous(&mut self, name: &str, shape: &[usize]) {
        self.lines.push(format!("superfluous: {} {shape:?}", shown(name)));
    }

    /// A tensor whose shape is not that of its parameter.
    pub fn shape(&mut self, name: &str, found: &[usize], to: &str, expected: &[usize]) {
        self.lines.push(format!("another shape: {} {found:?} for {to} {expected:?}", shown(name)));
    }

    /// A tensor whose numbers are of no type that is read.
    pub fn kind(&mut self, name: &str, kind: &str, to: &str) {
        let name = shown(name);
        self.lines
            .push(format!("another type: {name} of {kind} for {to}, which takes F32, F64, F16 or BF16"));
    }

    /// Two tensors for one parameter.
    pub fn twice(&mut self, first: &str, second: &str, to: &str) {
        self.lines.push(format!("two for one: {} and {} for {to}", shown(first), shown(second)));
    }

    /// The error, if anything is wrong. It has a line for each tensor, and what is advised, if something is.
    pub fn error(self, path: &Path, hint: &str) -> Option<Error> {
        if self.lines.is_empty() {
            return None;
        }
        let count = self.lines.len();
        let hint = if hint.is_empty() { String::new() } else { format!(" ({hint})") };
        let found = format!("{count} that do not fit{hint}:\n  {}", self.lines.join("\n  "));
        Some(Error::Format {
            path: path.into(),
            place: "tensors".into(),
            expected: "one for each parameter of the model, of its shape".into(),
            found,
        })
    }
}

/// A name from a file, without what would make a line of its own.
pub fn shown(name: &str) -> String {
    foreign::line(name, LONGEST)
}
