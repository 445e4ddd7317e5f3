//! The file of recorded fingerprints: a name and a hash on each line.

use std::collections::BTreeMap;
use std::path::PathBuf;

const VARIABLE: &str = "FALLLINE_RECORD_FINGERPRINTS";

/// What to do about a difference that is meant to be.
pub const HOW_TO: &str =
    "if these are to be other bits: FALLLINE_RECORD_FINGERPRINTS=1 cargo test --release --test fingerprints";

fn path() -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "tests", "fingerprints", "fingerprints.txt"].iter().collect()
}

/// Whether fingerprints are to be recorded, not compared.
pub fn is_asked_for() -> bool {
    std::env::var_os(VARIABLE).is_some_and(|value| value == "1")
}

pub fn read() -> BTreeMap<String, String> {
    let text = std::fs::read_to_string(path()).unwrap_or_else(|error| panic!("{error}; {HOW_TO}"));
    let line = |line: &str| {
        let (name, hash) = line.split_once(' ').unwrap_or_else(|| panic!("no name and hash: {line}"));
        (name.to_string(), hash.to_string())
    };
    text.lines().map(line).collect()
}

pub fn write(fingerprints: impl Iterator<Item = (String, String)>) {
    let lines: String = fingerprints.map(|(name, hash)| format!("{name} {hash}\n")).collect();
    std::fs::write(path(), lines).unwrap();
}
