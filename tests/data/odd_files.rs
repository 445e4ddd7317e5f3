//! Files as systems have them: limits of their size, named pipes, folders of many users, mounted files,
//! names that are no text.

use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use crate::common::program::{command, fallline, names};
use crate::common::small_recipe::RECIPE;
use fallline::engine::atomic_file;

/// How long another program may take, on a machine that is busy.
const PATIENCE: Duration = Duration::from_secs(60);

const BENCH: &str = "bench r.toml --data d --batch 16 --threads 1 --seconds 0.01";

/// The program with a command line without spaces in its words, not started yet.
fn started_by(folder: &Path, line: &str) -> Command {
    command(folder, &line.split(' ').collect::<Vec<_>>())
}

fn errors(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[track_caller]
fn succeeds(output: &Output) {
    assert_eq!(output.status.code(), Some(0), "{}", errors(output));
}

/// A folder with a data set, a recipe, a model and results.
fn workplace() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    fs::write(path.join("r.toml"), RECIPE).unwrap();
    for line in [
        "data generate digits --out d --train 48 --test 24",
        "train r.toml --data d -q --save m.st --json t.json",
        &format!("{BENCH} --json b.json"),
    ] {
        succeeds(&started_by(path, line).output().unwrap());
    }
    folder
}

fn named_pipe(folder: &Path, name: &str) {
    assert!(Command::new("mkfifo").arg(folder.join(name)).status().unwrap().success());
}

/// The outcome of a program that must end soon.
#[track_caller]
fn ended(mut child: Child, what: &str) -> Output {
    let begun = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if begun.elapsed() > PATIENCE {
            child.kill().unwrap();
            child.wait().unwrap();
            panic!("{what}: does not end");
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    child.wait_with_output().unwrap()
}

/// Starts the program and waits until it says that it waits for another one.
#[track_caller]
fn waiting(mut command: Command, what: &str, awaited: &str) -> Child {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut errors = BufReader::new(child.stderr.take().unwrap());
    let (sender, receiver) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let mut line = String::new();
        errors.read_line(&mut line).unwrap();
        sender.send((line, errors.into_inner())).ok();
    });
    match receiver.recv_timeout(PATIENCE) {
        Ok((line, errors)) => {
            assert!(line.ends_with(awaited), "{what}: {line}");
            child.stderr = Some(errors);
            child
        }
        Err(_) => {
            child.kill().unwrap();
            child.wait().unwrap();
            panic!("{what}: waits without a word");
        }
    }
}

fn terminate(child: &Child) {
    assert!(Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap().success());
}

const NO_READER: &str = ": waiting for a program that reads this pipe\n";
const NO_WRITER: &str = ": waiting for a program that writes to this pipe\n";

#[test]
fn a_file_that_may_not_grow_is_an_error_that_leaves_nothing() {
    let folder = workplace();
    let path = folder.path();
    let before = names(path);
    let limited = |line: &str| {
        // Blocks of 512 or 1024 bytes.
        let script = format!("ulimit -f 1; exec \"$0\" {line}");
        let program = env!("CARGO_BIN_EXE_fallline");
        let mut command = started_by(path, "");
        command.env("TMPDIR", path);
        let mut shell = Command::new("sh");
        shell.args(["-c", &script, program]).current_dir(path);
        shell.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        shell.env_remove("FALLLINE_DATA").output().unwrap()
    };
    for line in [
        "train r.toml --data d -q --save m.st",
        "train r.toml --data d -q --save new.st",
        "train r.toml --data d -q --json new.json",
        "train r.toml --data d -q --folds 12 --json new.json",
        "eval --model m.st --data d --mistakes 24 --json new.json",
        "eval --model m.st --data d --sheet new.png",
        "data show r.toml --data d --sheet new.png",
        "report t.json --out new.html",
        "reproduce r.toml --data d --seeds 2 --json new.json",
        &format!("{BENCH} --json new.json"),
        "recipes show mnist-cnn > printed",
    ] {
        let output = limited(line);
        let text = errors(&output);
        assert_eq!(output.status.code(), Some(2), "{line}: {:?} {text}", output.status);
        assert!(text.starts_with("error: ") && text.contains("File too large"), "{line}: {text}");
        assert_eq!(text.lines().count(), 1, "{line}: {text}");
        fs::remove_file(path.join("printed")).ok();
        let left: Vec<String> = names(path).into_iter().filter(|name| !before.contains(name)).collect();
        assert!(left.is_empty(), "{line}: {left:?}");
    }
    // The old model is still there.
    succeeds(&fallline(path, &["eval", "--model", "m.st", "--data", "d"]));
    // A data set, events and pages have folders of their own.
    for (line, place) in [
        ("data generate digits --out new --train 48 --test 24", "new"),
        ("train r.toml --data d -q --report new", "new"),
        ("train r.toml --data d -q --tensorboard new --epochs 60", "new/small-sgd-seed1"),
        ("reproduce r.toml --data d --seeds 1 --out new", "new"),
    ] {
        let output = limited(line);
        assert_eq!(output.status.code(), Some(2), "{line}: {:?} {}", output.status, errors(&output));
        let left = names(&path.join(place));
        assert!(!left.iter().any(|name| name.ends_with(".tmp")), "{line}: {left:?}");
        fs::remove_dir_all(path.join("new")).unwrap();
    }
}

#[test]
fn a_pipe_without_a_reader_is_waited_for_with_a_word_and_one_signal_ends_it() {
    let folder = workplace();
    let path = folder.path();
    named_pipe(path, "p");
    for line in [
        "train r.toml --data d -q --save p",
        "train r.toml --data d -q --json p",
        "train r.toml --data d -q --folds 2 --json p",
        "eval --model m.st --data d --json p",
        "eval --model m.st --data d --sheet p",
        "predict --model m.st --labels d/t10k-labels-idx1-ubyte --sheet p d/t10k-images-idx3-ubyte",
        "data show r.toml --data d --sheet p",
        "report t.json --out p",
        "reproduce r.toml --data d --seeds 1 --json p",
        &format!("{BENCH} --json p"),
        &format!("{BENCH} --csv p"),
    ] {
        let child = waiting(started_by(path, line), line, NO_READER);
        terminate(&child);
        let output = ended(child, line);
        assert!(!output.status.success(), "{line}");
        if line.contains("--save") {
            // Nothing is lost by that: what was trained is beside the pipe.
            let text = errors(&output);
            let place = text.split_once("; it is saved in ").unwrap_or_else(|| panic!("{text}")).1;
            let model = place.strip_suffix(" instead\n").unwrap();
            succeeds(&fallline(path, &["eval", "--data", "d", "--model", model]));
        }
    }

    // A reader that comes late gets all.
    let line = "train r.toml --data d -q --save p";
    let child = waiting(started_by(path, line), line, NO_READER);
    let mut model = Vec::new();
    fs::File::open(path.join("p")).unwrap().read_to_end(&mut model).unwrap();
    succeeds(&ended(child, line));
    assert!(model == fs::read(path.join("m.st")).unwrap());
}

#[test]
fn a_pipe_without_a_writer_is_waited_for_with_a_word_and_one_signal_ends_it() {
    let folder = workplace();
    let path = folder.path();
    named_pipe(path, "p.toml");
    let slow = BENCH.replace("r.toml", "p.toml");
    for line in [
        "train p.toml --data d -q",
        "reproduce p.toml --data d",
        "data show p.toml --data d",
        "eval --model p.toml --data d",
        "predict --model p.toml d/t10k-images-idx3-ubyte",
        "report p.toml --out new.html",
        &format!("{BENCH} --baseline p.toml"),
        &slow,
    ] {
        let child = waiting(started_by(path, line), line, NO_WRITER);
        terminate(&child);
        assert!(!ended(child, line).status.success(), "{line}");
    }
    // One that is written to is read, once, by whatever needs it more often.
    let line = format!("{slow} --optimizer sgd,adam");
    let child = waiting(started_by(path, &line), &line, NO_WRITER);
    fs::write(path.join("p.toml"), RECIPE).unwrap();
    succeeds(&ended(child, &line));
    // A page of that name cannot be in a pipe.
    named_pipe(path, "report.html");
    let output = fallline(path, &["report", "t.json"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(errors(&output).contains("found another file"), "{}", errors(&output));
}

#[test]
fn sockets_are_no_outputs() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("socket");
    let _socket = std::os::unix::net::UnixListener::bind(&path).unwrap();
    let text = atomic_file::check(&path).unwrap_err().to_string();
    assert!(text.ends_with("socket: cannot write: expected a file, found a socket"), "{text}");
}

#[cfg(target_os = "linux")]
#[test]
fn recipes_may_have_names_that_are_no_text() {
    let folder = workplace();
    let path = folder.path();
    let name = OsStr::from_bytes(b"caf\xe9.toml");
    fs::write(path.join(name), RECIPE).unwrap();
    for (before, after) in [
        ("train", "--data d -q"),
        ("reproduce", "--data d --seeds 1"),
        ("data show", "--data d"),
        ("bench", "--data d --batch 16 --threads 1 --seconds 0.01"),
    ] {
        let mut command = started_by(path, before);
        succeeds(&command.arg(name).args(after.split(' ')).output().unwrap());
    }
    // Nor is such a file written over.
    let mut command = started_by(path, "train --data d --save");
    let output = command.arg(name).arg(name).output().unwrap();
    assert!(errors(&output).contains("which is read"), "{}", errors(&output));
    // The name of a built-in recipe is that of no file.
    succeeds(&fallline(path, &["data", "show", "digits-mlp", "--data", "d", "--sheet", "digits-mlp"]));
}

/// In a folder such as `/tmp` only owners replace files.
#[test]
fn another_users_file_in_a_shared_folder_is_written_in_place() {
    let folder = workplace();
    let path = folder.path();
    let mode = |name: &str, mode| {
        fs::set_permissions(path.join(name), fs::Permissions::from_mode(mode)).unwrap();
    };
    fs::create_dir(path.join("shared")).unwrap();
    fs::write(path.join("shared/m.st"), "old").unwrap();
    for folder in ["", "d"] {
        mode(folder, 0o755);
    }
    for file in names(&path.join("d")) {
        mode(&format!("d/{file}"), 0o644);
    }
    mode("r.toml", 0o644);
    mode("shared", 0o1777);
    mode("shared/m.st", 0o666);
    let as_nobody = |line: &str| started_by(path, line).uid(65_534).gid(65_534).output();
    match as_nobody("recipes") {
        Ok(output) if output.status.success() => {}
        other => {
            eprintln!("skipped: the program cannot be run as another user here ({other:?})");
            return;
        }
    }
    let line = "train r.toml --data d -q --save shared/m.st";
    let before = fs::metadata(path.join("shared/m.st")).unwrap().ino();
    let output = as_nobody(line).unwrap();
    succeeds(&output);
    assert!(errors(&output).contains("will be written in place"), "{}", errors(&output));
    assert_eq!(fs::metadata(path.join("shared/m.st")).unwrap().ino(), before);
    assert!(fs::read(path.join("shared/m.st")).unwrap() == fs::read(path.join("m.st")).unwrap());
    assert_eq!(names(&path.join("shared")), ["m.st"]);

    mode("shared/m.st", 0o644);
    let output = as_nobody(line).unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(output.stdout.is_empty(), "nothing was trained");
    assert!(errors(&output).starts_with("error: shared/m.st: cannot replace: "), "{}", errors(&output));
}

/// As containers do with single files.
#[cfg(target_os = "linux")]
#[test]
fn a_mounted_file_is_written_in_place() {
    let folder = workplace();
    let path = folder.path();
    for name in ["real", "mounted here"] {
        fs::write(path.join(name), "old").unwrap();
    }
    let script = "mount --bind real 'mounted here' || exit 77; exec \"$0\" \"$@\"";
    let inner = started_by(path, "train r.toml --data d -q --save");
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-c", script]).arg(inner.get_program()).args(inner.get_args());
    command.arg("mounted here").current_dir(path).env("HOME", path).env_remove("FALLLINE_DATA");
    let output = match command.output() {
        Ok(output) if [Some(0), Some(2)].contains(&output.status.code()) => output,
        other => {
            eprintln!("skipped: nothing can be mounted here ({other:?})");
            return;
        }
    };
    succeeds(&output);
    assert!(errors(&output).contains("mounted here: cannot be replaced as a whole"), "{}", errors(&output));
    assert!(fs::read(path.join("real")).unwrap() == fs::read(path.join("m.st")).unwrap());
    assert_eq!(fs::read_to_string(path.join("mounted here")).unwrap(), "old");
    assert!(!names(path).iter().any(|name| name.ends_with(".tmp")));
}
