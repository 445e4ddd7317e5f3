//! The one error type of the library. Every variant says what was expected, what came, and where.

use std::path::{Path, PathBuf};

/// The result of every fallible function of the library.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What can go wrong. The text is meant for the person who typed the command.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The operating system refused a file operation.
    #[error("{}: cannot {action}: {source}", path.display())]
    Io {
        path: PathBuf,
        /// What was tried, as a verb: "read", "create", "rename".
        action: &'static str,
        source: std::io::Error,
    },

    /// A file whose bytes are not what its format says.
    #[error("{}: {place}: expected {expected}, found {found}", path.display())]
    Format {
        path: PathBuf,
        /// Where in the file: "byte 4", "gzip stream", "tensor 0.weight".
        place: String,
        expected: String,
        found: String,
    },

    /// Two inputs that must agree and do not.
    #[error("{what}: expected {expected}, found {found}")]
    Mismatch { what: String, expected: String, found: String },

    /// A recipe key or command-line setting with a value that cannot be used.
    #[error("{place}: `{key}`: expected {expected}, found {found}")]
    Setting {
        /// The recipe file, or "command line".
        place: String,
        /// The dotted key, such as `optimizer.beta1`.
        key: String,
        expected: String,
        found: String,
    },

    /// A name that is not known, with the nearest one that is.
    #[error("{place}: unknown {kind} `{name}`{}", suggestion(nearest, known))]
    Unknown {
        place: String,
        /// What kind of name: "recipe", "optimizer", "key", "layer".
        kind: &'static str,
        name: String,
        nearest: Option<String>,
        known: Vec<String>,
    },

    /// A recipe that is not TOML.
    #[error("{place}: not valid TOML: {message}")]
    Syntax { place: String, message: String },

    /// A shape that a layer cannot take.
    #[error("layer {index} ({layer}): expected {expected}, found {found}")]
    Shape { index: usize, layer: String, expected: String, found: String },

    /// A data set that is in none of the searched folders.
    #[error("data set `{name}` not found; looked in {}{hint}", list(searched))]
    DataMissing { name: String, searched: Vec<PathBuf>, hint: String },

    /// A download from which no mirror brought the right bytes.
    #[error("cannot download {file}: {}", reasons.join("; "))]
    Download { file: String, reasons: Vec<String> },

    /// A run whose loss or parameters are no longer finite.
    #[error(
        "training diverged: {what} is {value} at step {step} of epoch {epoch}; the learning rate was {}: \
         try a smaller one",
        rate(*learning_rate)
    )]
    Diverged {
        what: String,
        value: f64,
        step: u64,
        epoch: usize,
        /// The recipe's `optimizer.learning_rate`, which schedules start from.
        learning_rate: f64,
    },
}

impl Error {
    /// An [`Error::Io`] maker for `map_err`.
    pub fn io(path: impl AsRef<Path>, action: &'static str) -> impl FnOnce(std::io::Error) -> Error {
        let path = path.as_ref().to_path_buf();
        move |source| Error::Io { path, action, source }
    }

    /// The error with a hint at the end, if it is one of what was read and not of how it was asked for.
    #[must_use]
    pub fn hinting(self, hint: &str) -> Error {
        match self {
            Error::Format { path, place, expected, found } => {
                Error::Format { path, place, expected, found: format!("{found} ({hint})") }
            }
            Error::Mismatch { what, expected, found } => {
                Error::Mismatch { what, expected, found: format!("{found} ({hint})") }
            }
            other => other,
        }
    }

    /// An [`Error::Unknown`] for `name`, suggesting the nearest of `known` if one is near enough.
    pub fn unknown<'a>(
        place: impl Into<String>,
        kind: &'static str,
        name: &str,
        known: impl IntoIterator<Item = &'a str>,
    ) -> Error {
        let known: Vec<String> = known.into_iter().map(String::from).collect();
        let nearest = known
            .iter()
            .map(|candidate| (strsim::jaro_winkler(name, candidate), candidate))
            .filter(|(similarity, _)| *similarity > NEAR)
            .max_by(|a, b| a.0.total_cmp(&b.0))
            .map(|(_, candidate)| candidate.clone());
        Error::Unknown { place: place.into(), kind, name: name.into(), nearest, known }
    }
}

/// Jaro-Winkler similarity above which a name is worth suggesting.
const NEAR: f64 = 0.75;

fn suggestion(nearest: &Option<String>, known: &[String]) -> String {
    match nearest {
        Some(name) => format!("; did you mean `{name}`?"),
        None => format!("; known: {}", known.join(", ")),
    }
}

/// A learning rate as it is typed: 0.05, 1e10.
pub(crate) fn rate(value: f64) -> String {
    if value == 0.0 || (1e-4..1e6).contains(&value) { value.to_string() } else { format!("{value:e}") }
}

fn list(paths: &[PathBuf]) -> String {
    paths.iter().map(|p| p.display().to_string()).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn learning_rates_stay_short() {
        for (value, text) in [(0.0, "0"), (0.05, "0.05"), (1.0, "1"), (1e10, "1e10"), (2e-6, "2e-6")] {
            assert_eq!(rate(value), text);
        }
    }

    #[test]
    fn a_near_name_is_suggested_and_a_far_one_is_not() {
        let near = Error::unknown("recipe", "optimizer", "adamm", ["sgd", "adam"]);
        assert_eq!(near.to_string(), "recipe: unknown optimizer `adamm`; did you mean `adam`?");
        let far = Error::unknown("recipe", "optimizer", "zzz", ["sgd", "adam"]);
        assert_eq!(far.to_string(), "recipe: unknown optimizer `zzz`; known: sgd, adam");
    }
}
