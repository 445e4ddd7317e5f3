//! Running the program as a user in a folder of their own: no data sets, no cache, no peers but what
//! lies there.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

/// The program with these arguments, not started yet.
pub fn command(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fallline"));
    command
        .args(arguments)
        .current_dir(folder)
        .env_remove("FALLLINE_DATA")
        .env_remove("FALLLINE_PEERS_PYTHON")
        .env("XDG_CACHE_HOME", folder)
        .env("HOME", folder);
    command
}

/// Runs the program to its end.
pub fn fallline(folder: &Path, arguments: &[&str]) -> Output {
    command(folder, arguments).output().expect("the program was built for this test")
}

/// The standard output of a program that must have succeeded.
#[track_caller]
pub fn printed(output: Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Runs the program; what it prints.
#[track_caller]
pub fn succeeds(folder: &Path, arguments: &[&str]) -> String {
    let output = fallline(folder, arguments);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Runs the program; it must fail with code 2 and this on its error output. Its standard and its error output.
#[track_caller]
pub fn fails(folder: &Path, arguments: &[&str], message: &str) -> [String; 2] {
    let output = fallline(folder, arguments);
    let [printed, error] = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
    assert_eq!(output.status.code(), Some(2), "{arguments:?}: {error}");
    assert!(error.starts_with("error: ") && error.contains(message), "{arguments:?}: {error}");
    [printed, error]
}

/// Runs the program within so many KiB of address space.
pub fn limited(folder: &Path, kib: u32, arguments: &[&str]) -> Output {
    let mut limited = Command::new("sh");
    let run = command(folder, arguments);
    limited.args(["-c", &format!("ulimit -c 0; ulimit -v {kib}; exec \"$0\" \"$@\"")]);
    limited.arg(run.get_program()).args(run.get_args()).current_dir(folder);
    limited.env_remove("FALLLINE_DATA").env("XDG_CACHE_HOME", folder).env("HOME", folder);
    limited.output().expect("there is a shell")
}

/// A file of JSON.
pub fn json(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

/// The names in a folder, sorted.
pub fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}
