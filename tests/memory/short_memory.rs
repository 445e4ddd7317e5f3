//! Running the program where the system gives it little: address space, threads. Whatever is refused, it ends
//! with its result or with one error.

#![cfg(target_os = "linux")]

#[path = "../common/mod.rs"]
pub mod common;

use std::path::Path;
use std::process::Output;

use crate::common::program::{command, fallline, limited};

/// That the program has ended with its result, or with one line that says what is wrong; whether it is the
/// latter.
#[track_caller]
fn is_refused(output: &Output, about: &str) -> bool {
    let errors = String::from_utf8_lossy(&output.stderr);
    match output.status.code() {
        Some(0) => false,
        Some(2) => {
            let lines = errors.lines().filter(|line| line.starts_with("error: ")).count();
            assert!(
                lines == 1 && errors.ends_with('\n') && !errors.contains("panicked"),
                "{about}: {errors}"
            );
            true
        }
        code => panic!("{about}: exit code {code:?}: {errors}"),
    }
}

const SMALL: [&str; 4] = ["--set", "data.train_samples=64", "--set", "data.test_samples=20"];

/// A small model, saved.
fn with_model() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let train = ["train", "--quiet", "--epochs", "1", "--save", "m"];
    let output = fallline(folder.path(), &[&train[..], &SMALL[..]].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let generate = ["data", "generate", "digits", "--out", "d", "--train", "20", "--test", "20"];
    assert!(fallline(folder.path(), &generate).status.success());
    folder
}

/// The least address space, in steps of 2 MiB, within which the program starts at all.
fn least(folder: &Path) -> u32 {
    let starts = |&kib: &u32| limited(folder, kib, &["--version"]).status.success();
    (4_096..1 << 20).step_by(2_048).find(starts).expect("it starts within a GiB")
}

#[test]
fn little_memory_is_an_error_and_never_an_abort() {
    let folder = with_model();
    let least = least(folder.path());
    let large = ["train", "--quiet", "--epochs", "1", "--set", "model.layers.0.units=6000", "--threads", "2"];
    let large = [&large[..], &SMALL[..]].concat();
    let bench = ["bench", "digits-mlp", "--batch", "2000", "--threads", "2", "--seconds", "0.001"];
    let predict = ["predict", "--model", "m", "--threads", "2", "d/t10k-images-idx3-ubyte"];
    let commands: [(&[&str], u32); 4] = [
        (&large, 100 << 10),
        (&["eval", "--model", "m", "--threads", "3"], 30 << 10),
        (&predict, 20 << 10),
        (&bench, 30 << 10),
    ];
    for (arguments, most) in commands {
        let refused = (0..most).step_by(most as usize / 16).filter(|&more| {
            let output = limited(folder.path(), least + more, arguments);
            is_refused(&output, &format!("{arguments:?} within {least} + {more} KiB"))
        });
        assert!(refused.count() > 0, "{arguments:?}: the limits are too wide to show anything");
    }
}

#[test]
fn threads_that_the_system_does_not_start_are_an_error_that_says_so() {
    let folder = with_model();
    let refused = |arguments: &[&str]| {
        // A stack that no address space holds.
        let output = command(folder.path(), arguments).env("RUST_MIN_STACK", "1000000000000000").output();
        let output = output.unwrap();
        assert!(is_refused(&output, &format!("{arguments:?}")), "{arguments:?}");
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let eval = refused(&["eval", "--model", "m", "--data", "d", "--threads", "3"]);
    assert!(
        eval.starts_with(
            "error: threads to start: expected one that listens for signals, found a refusal of the system ("
        ),
        "{eval}"
    );
    assert!(eval.contains("os error") && eval.contains("`ulimit -u`"), "{eval}");
    for arguments in [
        &["train", "digits-mlp", "--quiet"][..],
        &["data", "generate", "digits", "--out", "e", "--train", "20", "--test", "20"],
        &["predict", "--model", "m", "d/t10k-images-idx3-ubyte:0"],
        &["bench", "digits-mlp", "--seconds", "0.01"],
        &["calibrate"],
        &["reproduce", "digits-mlp"],
    ] {
        refused(arguments);
    }
}
