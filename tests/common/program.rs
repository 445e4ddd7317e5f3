//! Running the program as a user in a folder of their own: no data sets, no cache, no peers but what
//! lies there.

use std::path::Path;
use std::process::{Command, Output};

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
