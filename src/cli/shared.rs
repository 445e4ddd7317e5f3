//! What several commands share.

use std::process::ExitCode;

use crate::model::recipe::Override;
use crate::report::terminal;

/// The exit code of a training that has diverged.
pub(super) const DIVERGED: u8 = 4;

/// A line on standard error.
pub(super) fn say(kind: &str, text: &dyn std::fmt::Display) {
    // Unlike `eprintln!`, this does not panic where standard error is closed or full.
    terminal::print_error(&format!("{kind}: {text}\n")).ok();
}

/// Says that a training has diverged, if it has: an error with an exit code of its own, unless that was
/// `allowed`.
pub(super) fn diverged(text: Option<String>, allowed: bool) -> Option<ExitCode> {
    say(if allowed { "warning" } else { "error" }, &text?);
    (!allowed).then(|| ExitCode::from(DIVERGED))
}

/// What `--set` says.
pub(super) fn settings(texts: &[String]) -> crate::Result<Vec<Override>> {
    texts.iter().map(|text| text.parse()).collect()
}

/// Columns of a terminal that nothing is known of.
pub(super) const COLUMNS: usize = 80;

/// The columns of the terminal that standard output goes to, or what the variable COLUMNS says.
pub(super) fn columns() -> usize {
    terminal::columns().unwrap_or(COLUMNS)
}

/// A word of a command line, in quotes where a shell needs them.
pub(super) fn shell_word(text: &str) -> String {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "-_./=,:+@%".contains(letter);
    match !text.is_empty() && text.chars().all(plain) {
        true => text.to_string(),
        false => format!("'{}'", text.replace('\'', "'\\''")),
    }
}

/// What was typed, in quotes where a shell needs them.
pub(super) fn command_line() -> String {
    let word = |text: String| shell_word(&text);
    let typed = std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned());
    ["fallline".to_string()].into_iter().chain(typed.map(word)).collect::<Vec<_>>().join(" ")
}
