//! `fallline data`, as far as it can be tried without a network.

use std::path::{Path, PathBuf};

use crate::common;
use clap::Parser;
use fallline::cli::data::{self, DataCommand};
use fallline::data::idx::{Elements, Idx};
use fallline::data::inspect::{self, Values, Verdict};
use fallline::data::{folder, source};

#[derive(Parser)]
struct Program {
    #[command(subcommand)]
    command: DataCommand,
}

/// Runs `fallline data ARGUMENTS`; the error as the user sees it.
fn run(arguments: &[&str]) -> Result<(), String> {
    let program =
        Program::try_parse_from([&["data"], arguments].concat()).map_err(|error| error.to_string())?;
    data::run(program.command).map_err(|error| format!("{error:#}"))
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn generated() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("digits");
    run(&["generate", "digits", "--out", text(&out), "--train", "50", "--test", "20"]).unwrap();
    (folder, out)
}

#[test]
fn generated_digits_are_read_back_and_follow_from_the_seed() {
    let (folder, out) = generated();
    let set = fallline::data::load("digits", Some(folder.path())).unwrap();
    let made = source::generate_digits([50, 20], source::DIGITS_SEED).unwrap();
    assert_eq!((&set.train, &set.test), (&made.train, &made.test));
    assert_ne!(made.train.row_bytes(0), made.test.row_bytes(0));

    let other = folder.path().join("other");
    let arguments = ["generate", "digits", "--out", text(&other), "--train", "50", "--test", "20"];
    run(&[&arguments[..], &["--seed", "2", "--gzip"]].concat()).unwrap();
    assert!(other.join("train-images-idx3-ubyte.gz").exists());
    assert_ne!(folder::read("x", &other, None).unwrap().train, set.train);

    run(&["verify", text(&out)]).unwrap();
    run(&["verify", text(folder.path())]).unwrap();
    run(&["info", text(folder.path())]).unwrap();
}

#[test]
fn generate_replaces_nothing_unless_forced() {
    let (_folder, out) = generated();
    let before = std::fs::read(out.join("train-images-idx3-ubyte")).unwrap();
    let arguments = ["generate", "digits", "--out", text(&out), "--train", "5", "--test", "5"];
    let error = run(&arguments).unwrap_err();
    assert!(
        error.contains("train-images-idx3-ubyte: cannot replace: it exists; --force replaces it"),
        "{error}"
    );
    assert_eq!(std::fs::read(out.join("train-images-idx3-ubyte")).unwrap(), before);
    run(&[&arguments[..], &["--force"]].concat()).unwrap();
    assert_eq!(folder::read("x", &out, None).unwrap().train.len(), 5);
    assert!(run(&["generate", "digits", "--out", text(&out), "--train", "0"]).is_err());
}

#[test]
fn verify_finds_what_is_wrong() {
    /// What is said in the end, and what is done to the folder.
    type Case = (&'static str, fn(&Path));
    let cases: [Case; 4] = [
        ("1 file is wrong", |out| std::fs::write(out.join("t10k-images-idx3-ubyte"), "x").unwrap()),
        ("1 file is wrong", |out| std::fs::remove_file(out.join("t10k-labels-idx1-ubyte")).unwrap()),
        ("1 file is wrong", |out| {
            let labels = Idx { dimensions: vec![49], elements: Elements::U8(vec![0; 49]) };
            labels.write(&out.join("train-labels-idx1-ubyte"), false).unwrap();
        }),
        // In a folder of that name, the published content is expected.
        ("4 files are wrong", |out| {
            std::fs::rename(out, out.with_file_name("mnist")).unwrap();
        }),
    ];
    for (expected, spoil) in cases {
        let (folder, out) = generated();
        spoil(&out);
        let error = run(&["verify", text(folder.path())]).unwrap_err();
        assert!(error.ends_with(expected), "{error}");
    }
    let empty = tempfile::tempdir().unwrap();
    assert!(run(&["verify", text(empty.path())]).unwrap_err().ends_with("found none of them"));
    assert!(run(&["verify", "no-such-folder"]).unwrap_err().contains("cannot read the folder"));
    assert!(run(&["info", text(empty.path())]).is_err());
}

#[test]
fn info_counts_and_averages() {
    let folder = tempfile::tempdir().unwrap();
    let images = Idx { dimensions: vec![2, 1, 2], elements: Elements::I16(vec![-2, 2, 4, 8]) };
    images.write(&folder.path().join("train-images-idx3-short"), true).unwrap();
    let labels = Idx { dimensions: vec![3], elements: Elements::U8(vec![7, 1, 7]) };
    labels.write(&folder.path().join("train-labels"), false).unwrap();
    let info = inspect::info(folder.path()).unwrap();
    assert_eq!((info[0].role, info[0].bytes, &info[0].dimensions[..]), ("train images", 8, &[2, 1, 2][..]));
    // Mean 3; squares of distances 25 + 1 + 1 + 25.
    assert!(
        matches!(info[0].values, Values::Moments { mean: 3.0, standard_deviation } if (standard_deviation - 13f64.sqrt()).abs() < 1e-12)
    );
    assert!(matches!(&info[1].values, Values::Histogram(counts) if *counts == [(1, 1), (7, 2)]));
}

#[test]
fn the_real_mnist_is_recognised_and_one_changed_pixel_is_not() {
    let Some(set) = common::mnist() else { return };
    let folder = tempfile::tempdir().unwrap();
    folder::write(&set, folder.path(), false, false).unwrap();
    let outcomes = inspect::verify(folder.path()).unwrap();
    assert!(
        outcomes.iter().all(|check| *check.outcome.as_ref().unwrap() == Verdict::Published { set: "mnist" })
    );
    // The same files are not those of another set, wherever they lie.
    let error = fallline::data::load("fashion-mnist", Some(folder.path())).map(|set| set.origin);
    assert_ne!(error.ok(), Some(fallline::data::Origin::Folder(folder.path().into())));

    let path = folder.path().join("t10k-images-idx3-ubyte");
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[1000] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    let outcomes = inspect::verify(folder.path()).unwrap();
    let error = outcomes[2].outcome.as_ref().unwrap_err().to_string();
    assert!(
        error.contains(
            "expected 0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7 as published"
        ),
        "{error}"
    );
    assert_eq!(outcomes.iter().filter(|check| check.outcome.is_ok()).count(), 3);
}
