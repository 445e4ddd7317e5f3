//! Texts that others wrote: how much of them is read, and what of them reaches the terminal.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::process::{Output, Stdio};

use crate::common::program::{command, fallline, limited};
use fallline::engine::model::NamedTensor;
use fallline::engine::model::checkpoint;

/// A name that would set the terminal's title and clear its line, and turn text round.
const HOSTILE: &str = "x\u{1b}]0;title\u{7}\u{1b}[2K\r\u{202e}y";

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// That nothing but ends of lines commands the terminal; gives all that was printed.
#[track_caller]
fn is_harmless(output: &Output) -> String {
    let all = text(&output.stdout) + &text(&output.stderr);
    let commands = |letter: char| (letter.is_control() && letter != '\n') || letter == '\u{202e}';
    assert!(!all.contains(commands), "{all:?}");
    all
}

/// The same, and that the name is there all the same.
#[track_caller]
fn names_harmlessly(output: &Output) -> String {
    let all = is_harmless(output);
    assert!(all.contains("x\u{fffd}]0;title"), "{all:?}");
    all
}

#[track_caller]
fn refused(output: &Output) -> String {
    let errors = text(&output.stderr);
    assert!(output.status.code() == Some(2) && errors.lines().count() == 1, "{output:?}");
    assert!(errors.starts_with("error: "), "{errors}");
    errors
}

const SMALL: [&str; 6] =
    ["--epochs", "1", "--set", "data.train_samples=300", "--set", "data.test_samples=100"];

#[test]
fn names_of_files_do_not_command_the_terminal() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let (model, json) = (format!("{HOSTILE}.st"), format!("{HOSTILE}.json"));
    let train = ["train", "digits-mlp", "--save", &model, "--json", &json];
    assert!(names_harmlessly(&fallline(at, &[&train[..], &SMALL].concat())).contains("wrote x"));
    names_harmlessly(&fallline(
        at,
        &["data", "generate", "digits", "--out", HOSTILE, "--train", "9", "--test", "9"],
    ));
    names_harmlessly(&fallline(at, &["data", "verify", HOSTILE]));
    names_harmlessly(&fallline(at, &["data", "info", HOSTILE]));
    let pictures = format!("{HOSTILE}/t10k-images-idx3-ubyte:2");
    names_harmlessly(&fallline(at, &["predict", "--model", &model, &pictures]));
    let page = format!("{HOSTILE}.html");
    assert!(names_harmlessly(&fallline(at, &["report", &json, "--out", &page])).starts_with("wrote x"));
    is_harmless(&fallline(at, &["eval", "--model", &model, "--data", "no", "--json", HOSTILE]));
    // An argument in a wrong place.
    is_harmless(&fallline(at, &["eval", "--model", &model, HOSTILE]));
    is_harmless(&fallline(at, &["train", "--threads", HOSTILE]));
}

#[test]
fn names_in_files_do_not_command_the_terminal() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    assert!(
        fallline(at, &[&["train", "digits-mlp", "--save", "m.st"], &SMALL[..]].concat()).status.success()
    );
    let (mut tensors, metadata) = checkpoint::load(&at.join("m.st")).unwrap();
    tensors[0].name = HOSTILE.into();
    checkpoint::save(&at.join("bad.st"), &tensors, &metadata).unwrap();
    assert!(
        names_harmlessly(&fallline(at, &["eval", "--model", "bad.st"])).contains("no tensor of this name")
    );

    let bench = ["bench", "digits-mlp", "--batch", "64", "--threads", "1", "--seconds", "0.001"];
    assert!(fallline(at, &[&bench[..], &["--json", "b.json"]].concat()).status.success());
    let record = fs::read_to_string(at.join("b.json")).unwrap();
    let mut record: serde_json::Value = serde_json::from_str(&record).unwrap();
    record["machine"]["cpu"] = HOSTILE.into();
    fs::write(at.join("other.json"), record.to_string()).unwrap();
    // The machine is not that of the baseline, which is a warning with both.
    names_harmlessly(&fallline(at, &[&bench[..], &["--baseline", "other.json"]].concat()));
    record["cases"][0]["recipe"] = HOSTILE.into();
    fs::write(at.join("other.json"), record.to_string()).unwrap();
    let errors = fallline(at, &[&bench[..], &["--baseline", "other.json"]].concat());
    names_harmlessly(&errors);
    refused(&errors);
}

#[test]
fn a_file_of_nothing_but_brackets_is_refused_at_little_cost() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let refusal = |content: &str| {
        fs::write(at.join("v.json"), content).unwrap();
        let errors = refused(&limited(at, 500_000, &["report", "v.json", "--out", "x.html"]));
        assert!(!errors.contains("memory"), "{errors}");
        errors
    };
    let lists = |count: usize| format!("{{\"schema\":[{}[]]}}", "[],".repeat(count));
    assert!(refusal(&lists(20_000_000)).contains("at most 4194304 values"));
    assert!(refusal(&lists(1_000_000)).contains("key `schema`: expected"));
    assert!(refusal(&format!("{{\"schema\":{}", "[".repeat(3_000_000))).contains("the whole of a JSON file"));
    assert!(refusal(&" ".repeat(65 << 20)).contains("expected at most 67108864 bytes, found 68157440"));
    // A pipe tells no length before.
    let mut child = command(at, &["report", "/dev/stdin", "--out", "x.html"]);
    let mut child =
        child.stdin(Stdio::piped()).stderr(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut pipe = child.stdin.take().unwrap();
    let spaces = vec![b' '; 1 << 20];
    while pipe.write_all(&spaces).is_ok() {}
    drop(pipe);
    assert!(refused(&child.wait_with_output().unwrap()).contains("at most 67108864 bytes, found more"));
}

#[test]
fn a_recipe_from_a_pipe_serves_every_case_of_a_benchmark() {
    let folder = tempfile::tempdir().unwrap();
    let recipe = text(&fallline(folder.path(), &["recipes", "show", "digits-mlp"]).stdout);
    let bench = ["bench", "/dev/stdin", "--optimizer", "sgd,adam", "--batch", "8,16", "--threads", "1"];
    let mut child = command(folder.path(), &[&bench[..], &["--seconds", "0.001"]].concat());
    let mut child =
        child.stdin(Stdio::piped()).stderr(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(recipe.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(text(&output.stdout).contains("adam"));
}

#[test]
fn outputs_that_are_not_finite_are_told_and_not_counted() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    assert!(
        fallline(at, &[&["train", "digits-mlp", "--save", "m.st"], &SMALL[..]].concat()).status.success()
    );
    let (tensors, metadata): (Vec<NamedTensor>, BTreeMap<_, _>) = checkpoint::load(&at.join("m.st")).unwrap();
    // Of either sign, so that some outputs are infinite and the probabilities of their classes are none.
    let huge = tensors.into_iter().map(|mut tensor| {
        if tensor.name == "2.weight" {
            let signs = [3e38, -3e38].into_iter().cycle();
            tensor.values.iter_mut().zip(signs).for_each(|(value, huge)| *value = huge);
        }
        tensor
    });
    checkpoint::save(&at.join("huge.st"), &huge.collect::<Vec<_>>(), &metadata).unwrap();
    let output = fallline(at, &["eval", "--model", "huge.st", "--json", "e.json"]);
    let errors = refused(&output);
    assert!(errors.contains("huge.st: expected finite outputs, found others for "), "{errors}");
    assert!(errors.contains(" of 100 test samples, the first of which is "), "{errors}");
    assert!(output.stdout.is_empty() && !at.join("e.json").exists());
}
