//! What does not fit, in one error.

use std::path::Path;

use crate::error::Error;

/// Letters of a name that errors show.
const LONGEST_NAME: usize = 120;

/// A node that no layer stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misfit {
    pub node: usize,
    /// Of the node, or of what it gives where it has none.
    pub name: String,
    pub operator: String,
    pub reason: String,
}

/// A name of a file on one line, and not too long.
pub fn shown(name: &str) -> String {
    let letters = name.chars().map(|letter| if letter.is_control() { ' ' } else { letter });
    let shown: String = letters.clone().take(LONGEST_NAME).collect();
    if letters.count() > LONGEST_NAME { format!("{shown}...") } else { shown }
}

/// The error that lists all of them, a line for each.
pub fn error(path: &Path, misfits: &[Misfit]) -> Error {
    let line = |misfit: &Misfit| {
        let Misfit { name, operator, reason, .. } = misfit;
        format!("\n  {} ({}): {reason}", shown(name), shown(operator))
    };
    let count = if misfits.len() == 1 {
        "one that does not".into()
    } else {
        format!("{} that do not", misfits.len())
    };
    let found = misfits.iter().map(line).collect::<String>();
    format_error(path, "graph", "operators that layers of fallline stand for", format!("{count}:{found}"))
}

/// An error about the file, or a part of it.
pub fn format_error(path: &Path, place: &str, expected: &str, found: impl Into<String>) -> Error {
    let (place, expected, found) = (shown(place), expected.to_string(), found.into());
    Error::Format { path: path.to_path_buf(), place, expected, found }
}
