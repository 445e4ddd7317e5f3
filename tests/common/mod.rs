//! What several test files share. It is `pub` where it is included, so that nobody misses what a program leaves unused.

pub mod bench_record;
pub mod compare;
pub mod crafted;
pub mod csv;
pub mod golden;
pub mod golden_network;
pub mod idx;
pub mod isa;
pub mod observer;
pub mod profile_record;
pub mod program;
pub mod runs;
pub mod small;
pub mod small_recipe;
pub mod splitmix;
pub mod windows;

use std::path::{Path, PathBuf};

use fallline::data::{self, DataSet};
use fallline::engine::error::Error;

/// The real MNIST, where it can be found: as the program finds it, or in `../shared/datasets`.
///
/// Where it is absent the calling test should return, and says so loudly here; with the environment
/// variable `FALLLINE_REQUIRE_MNIST=1` that is a failure instead. Files that are there but broken
/// always are one.
pub fn mnist() -> Option<DataSet> {
    let shared = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/datasets");
    let found = match data::load("mnist", None) {
        Err(Error::DataMissing { .. }) if shared.is_dir() => data::load("mnist", Some(&shared)),
        found => found,
    };
    match found {
        Ok(set) => Some(set),
        Err(missing @ Error::DataMissing { .. }) => {
            let required = std::env::var_os("FALLLINE_REQUIRE_MNIST").is_some_and(|value| value == "1");
            assert!(!required, "FALLLINE_REQUIRE_MNIST=1, but: {missing}");
            eprintln!("\n*** SKIPPED: a test needs the real data; MNIST not found ***\n{missing}\n");
            None
        }
        Err(broken) => panic!("{broken}"),
    }
}

/// The real tables, where there are some; with `FALLLINE_REQUIRE_MNIST=1` they must be there.
pub fn datasets(folder: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/datasets").join(folder);
    if path.is_dir() {
        return Some(path);
    }
    let required = std::env::var_os("FALLLINE_REQUIRE_MNIST").is_some_and(|value| value == "1");
    assert!(!required, "FALLLINE_REQUIRE_MNIST=1, but there are no real {folder}");
    eprintln!("\n*** SKIPPED: a test needs real {folder}; they were not found ***\n");
    None
}
