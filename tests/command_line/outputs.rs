//! What commands write: never over what they read, never twice, and refused before the work where it
//! cannot be.

use std::path::Path;

use crate::common::program::{self, fallline};
use crate::common::small_recipe::RECIPE;

const DATA: [&str; 4] = [
    "d/train-images-idx3-ubyte",
    "d/train-labels-idx1-ubyte",
    "d/t10k-images-idx3-ubyte",
    "d/t10k-labels-idx1-ubyte",
];

/// Runs a command line without spaces in its words; its exit code and all that it printed.
fn run(folder: &Path, line: &str) -> (i32, String) {
    let output = fallline(folder, &line.split(' ').collect::<Vec<_>>());
    let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    (output.status.code().expect("ended by itself"), text.concat())
}

#[track_caller]
fn succeeds(folder: &Path, line: &str) -> String {
    let (code, text) = run(folder, line);
    assert_eq!(code, 0, "{line}: {text}");
    text
}

/// That a command is refused with this text before it has done any work.
#[track_caller]
fn refused(folder: &Path, line: &str, expected: &str) {
    let (code, text) = run(folder, line);
    assert_eq!(code, 2, "{line}: {text}");
    assert!(text.starts_with("error: ") || text.starts_with("warning: "), "{line}: {text}");
    assert!(text.contains(expected), "{line}: {text}");
}

/// A folder with a data set, a recipe and a model.
fn workplace() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    succeeds(path, "data generate digits --out d --train 48 --test 24");
    std::fs::write(path.join("r.toml"), RECIPE).unwrap();
    succeeds(path, "train r.toml --data d -q --save m.st");
    folder
}

#[test]
fn nothing_is_written_over_what_is_read() {
    let folder = workplace();
    let path = folder.path();
    let before = |name: &str| std::fs::read(path.join(name)).unwrap();
    let kept: Vec<_> = DATA.iter().chain(&["r.toml", "m.st"]).map(|name| (name, before(name))).collect();
    std::fs::hard_link(path.join("r.toml"), path.join("second-name")).unwrap();
    for file in DATA {
        for line in [
            format!("train r.toml --data d --save {file}"),
            format!("train r.toml --data d --folds 2 --json {file}"),
            format!("eval --model m.st --data d --json ./{file}"),
            format!("eval --model m.st --data d --sheet {file}"),
            format!("data show r.toml --data d --sheet {file}"),
            format!("reproduce r.toml --data d --json {file}"),
            format!("bench r.toml --data d --batch 16 --threads 1 --seconds 0.01 --csv {file}"),
        ] {
            refused(path, &line, "which is read");
        }
    }
    for line in [
        "predict --model m.st --labels d/t10k-labels-idx1-ubyte --sheet d/t10k-images-idx3-ubyte d/t10k-images-idx3-ubyte:0",
        "predict --model m.st --labels d/t10k-labels-idx1-ubyte --sheet m.st d/t10k-images-idx3-ubyte",
        "predict --model m.st --labels d/t10k-labels-idx1-ubyte --sheet d/t10k-labels-idx1-ubyte d/t10k-images-idx3-ubyte",
        "bench r.toml --data d --json r.toml",
        "bench r.toml --data d --csv r.toml",
        "train r.toml --data d --json second-name",
        "eval --model m.st --data d --json m.st",
        "reproduce r.toml --data d --json second-name",
    ] {
        refused(path, line, "which is read");
    }
    for (name, content) in kept {
        assert_eq!(before(name), content, "{name}");
    }
}

#[test]
fn a_baseline_is_not_written_over_and_files_of_reports_are_not_shared() {
    let folder = workplace();
    let path = folder.path();
    let bench = "bench r.toml --data d --batch 16 --threads 1 --seconds 0.01";
    succeeds(path, &format!("{bench} --json b.json"));
    succeeds(path, &format!("{bench} --json b.json --resume"));
    refused(path, &format!("{bench} --json b.json --baseline b.json"), "b.json, which is read");
    // What is kept until results are whole lies beside them.
    std::fs::copy(path.join("b.json"), path.join("b.json.partial")).unwrap();
    refused(
        path,
        &format!("{bench} --json b.json --baseline b.json.partial"),
        "b.json.partial, which is read",
    );
    refused(path, &format!("{bench} --json b.json --csv b.json.partial"), "twice");
    refused(path, &format!("reproduce r.toml --data d --json {}", "r".repeat(250)), "cannot ");
    std::fs::remove_file(path.join("b.json.partial")).unwrap();
    std::fs::create_dir(path.join("out")).unwrap();
    for name in ["bench.json", "cases.csv", "report.html"] {
        refused(path, &format!("{bench} --out out --json out/{name}"), "twice");
    }
    for name in ["reproduce.json", "report.html"] {
        refused(path, &format!("reproduce r.toml --data d --out out --json out/{name}"), "twice");
    }
    refused(path, "train r.toml --data d --report out --save out/run.json", "twice");
    refused(path, "train r.toml --data d --report out --json out/accuracy.png", "a chart of the report");
    refused(path, "report m.st --out m.st", "which is read");
}

#[test]
fn names_that_cannot_be_written_are_refused_before_the_work() {
    let folder = workplace();
    let path = folder.path();
    std::fs::create_dir(path.join("there")).unwrap();
    for name in ["a".repeat(300).as_str(), "models/", "x/.", "models/m.st", "there"] {
        for option in ["--save", "--json"] {
            refused(path, &format!("train r.toml --data d {option} {name}"), "cannot ");
        }
        refused(path, &format!("eval --model m.st --data d --json {name}"), "cannot ");
        refused(path, &format!("bench r.toml --data d --json {name}"), "cannot ");
    }
}

/// What the program keeps of this machine is an input as well.
#[test]
fn a_calibration_that_is_kept_is_not_written_over() {
    let folder = workplace();
    let path = folder.path();
    let kept = fallline::engine::bench::calibrate::cached_at().expect("a cache folder");
    let kept = path.join("fallline").join(kept.file_name().unwrap());
    std::fs::create_dir_all(kept.parent().unwrap()).unwrap();
    std::fs::write(&kept, "{}").unwrap();
    let kept = kept.strip_prefix(path).unwrap().display();
    let bench = "bench r.toml --data d --batch 16 --threads 1 --seconds 0.01";
    refused(path, &format!("{bench} --json {kept}"), "which is read");
    refused(path, &format!("calibrate --json {kept}"), "which is read");
}

/// Standard output goes on where it is, also in a file, and none of it is lost.
#[cfg(target_os = "linux")]
#[test]
fn what_is_printed_stays_beside_what_is_written_to_standard_output() {
    let folder = workplace();
    let path = folder.path();
    std::fs::write(path.join("log"), "earlier\n").unwrap();
    let log = std::fs::File::options().append(true).open(path.join("log")).unwrap();
    let line = ["train", "r.toml", "--data", "d", "-q", "--json", "/dev/stdout"];
    let status = program::command(path, &line).stdout(log).status().unwrap();
    assert_eq!(status.code(), Some(0));
    let text = std::fs::read_to_string(path.join("log")).unwrap();
    assert!(text.starts_with("earlier\n{"), "{text}");
    assert!(text.ends_with("wrote /dev/stdout\n"), "{text}");
}

#[cfg(unix)]
#[test]
fn a_link_to_a_missing_file_stays_and_the_file_is_made() {
    let folder = workplace();
    let path = folder.path();
    std::fs::create_dir(path.join("real")).unwrap();
    std::os::unix::fs::symlink("real/target.json", path.join("link.json")).unwrap();
    refused(path, "train r.toml --data d --json link.json --save real/target.json", "twice");
    succeeds(path, "train r.toml --data d -q --json link.json");
    assert!(std::fs::symlink_metadata(path.join("link.json")).unwrap().is_symlink());
    let written = std::fs::read_to_string(path.join("real/target.json")).unwrap();
    assert!(written.contains("fallline.train/1"), "{written}");
}
