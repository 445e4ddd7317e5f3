//! `reproduce --checkpoint` and `--resume`: interrupted trainings go on, and those that are done are not run again.

use std::fs;
use std::path::Path;
use std::process::{Output, Stdio};
use std::thread::sleep;
use std::time::Duration;

use serde_json::Value;

use crate::common::program::{command, fails, fallline, json, names, succeeds};
use crate::working::Working;

/// A few samples, and a target that is met.
const TINY: [&str; 7] = [
    "reproduce",
    "digits-mlp",
    "--set=data.train_samples=50",
    "--set=data.test_samples=20",
    "--set=train.batch=9",
    "--set=data.validation=10",
    "--set=target=0.01",
];

fn with<'a>(base: &[&'a str], more: &[&'a str]) -> Vec<&'a str> {
    [base, more].concat()
}

fn error(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// The results without times, rates, threads, machine and command.
fn timeless(path: &Path) -> Value {
    let mut record = json(path);
    let removed = |value: &mut Value, keys: &[&str]| {
        keys.iter().for_each(|key| _ = value.as_object_mut().unwrap().remove(*key).unwrap());
    };
    removed(&mut record, &["command", "threads", "machine"]);
    for recipe in record["recipes"].as_array_mut().unwrap() {
        removed(recipe, &["train_seconds"]);
        recipe.as_object_mut().unwrap().remove("seconds_to_accuracy");
        for run in recipe["runs"].as_array_mut().unwrap() {
            removed(run, &["train_seconds", "threads", "machine"]);
            for epoch in run["epochs"].as_array_mut().unwrap() {
                removed(epoch, &["seconds", "samples_per_second"]);
            }
        }
    }
    record
}

/// What a folder holds when three trainings are done.
const DONE: [&str; 5] = [
    "digits-mlp-seed-1.json",
    "digits-mlp-seed-2.json",
    "digits-mlp-seed-3.json",
    "lock",
    "reproduction.json",
];

#[test]
fn a_reproduction_goes_on_after_a_signal() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let long = with(&TINY, &["--seeds=3", "--set=train.epochs=400"]);
    succeeds(path, &with(&long, &["--threads=1", "--json=whole.json"]));
    fs::create_dir(path.join("elsewhere")).unwrap();
    let kept = ["--checkpoint=kept", "--checkpoint-every=700steps", "--json=m.json", "--out=page"];
    for (signal, code) in [("TERM", 143), ("INT", 130)] {
        let mut first = command(path, &with(&long, &with(&kept, &["--threads=2"])));
        let mut working = Working::start(&mut first, "seed 1 ");
        working.send(signal);
        let answer = working.hears("stopping");
        assert!(answer.contains("stopping: keeping the state of the training under way; "), "{answer}");
        let ended = working.end();
        assert_eq!(ended.code, Some(code), "{ended:?}");
        assert!(ended.out.contains("digits-mlp: 1 of 3 done, seeds 2, 3 missing\n"), "{ended:?}");
        assert!(ended.out.ends_with("`fallline reproduce --resume kept` goes on\n"), "{ended:?}");
        assert_eq!(
            names(&path.join("kept")),
            ["digits-mlp-seed-1.json", "digits-mlp-seed-2", "lock", "reproduction.json"]
        );
        assert!(path.join("m.json.partial").exists() && !path.join("m.json").exists());
        // As recorded, but for the threads; from another folder.
        let output = fallline(&path.join("elsewhere"), &["reproduce", "--resume=../kept", "--threads=1"]);
        let said = error(&output);
        assert_eq!(output.status.code(), Some(0), "{said}");
        assert!(said.contains("going on in ../kept: 1 of 3 trainings done\n"), "{said}");
        assert!(said.contains("going on from ../kept/digits-mlp-seed-2/checkpoint-"), "{said}");
        assert!(names(&path.join("elsewhere")).is_empty() && !path.join("m.json.partial").exists());
        assert_eq!(timeless(&path.join("m.json")), timeless(&path.join("whole.json")));
        assert_eq!(json(&path.join("m.json")), json(&path.join("page/reproduce.json")));
        assert_eq!(names(&path.join("kept")), DONE);
        // What is done is told once more, and nothing is trained.
        let before = json(&path.join("m.json"))["recipes"].clone();
        succeeds(path, &["reproduce", "--resume=kept"]);
        assert_eq!(
            json(&path.join("m.json"))["recipes"],
            before,
            "the times, too, are those of the first time"
        );
        fs::remove_dir_all(path.join("kept")).unwrap();
        fs::remove_file(path.join("m.json")).unwrap();
    }
}

/// How far a reproduction has come: ten thousand for each training that is done, and the steps of the one under way.
fn progress(folder: &Path) -> u64 {
    // A folder may go while it is looked at.
    let listed = |folder: &Path| -> Vec<String> {
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
    };
    let step =
        |name: &String| name.strip_prefix("checkpoint-")?.strip_suffix(".safetensors")?.parse::<u64>().ok();
    let steps = |name: &String| listed(&folder.join(name)).iter().filter_map(step).max().unwrap_or(0);
    let all = listed(folder);
    let done = all.iter().filter(|name| name.ends_with(".json") && name.contains("-seed-")).count() as u64;
    10_000 * done + all.iter().map(steps).max().unwrap_or(0)
}

/// Kills the program again and again while it works at `arguments`, each time so many steps further or in the next training,
/// and then lets it come to its end.
fn after_kills(path: &Path, arguments: &[&str], stride: u64) -> Output {
    let kept = path.join("kept");
    let mut killed = 0;
    for round in 0..12 {
        let before = progress(&kept);
        let mut first = command(path, arguments);
        let mut child = first.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        while progress(&kept) < before + stride && child.try_wait().unwrap().is_none() {
            sleep(Duration::from_millis(1));
        }
        sleep(Duration::from_micros(700 * round));
        child.kill().unwrap();
        killed += usize::from(child.wait().unwrap().code().is_none());
    }
    assert!(killed > 4, "killed {killed} times");
    fallline(path, arguments)
}

/// What a killed process has written is whole, at whatever moment it was killed.
#[test]
fn a_reproduction_goes_on_after_it_was_killed() {
    for (until, stride) in [(None, 40), (Some("--until-accuracy=0.4"), 15)] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        let all: Vec<&str> = ["--seeds=3", "--set=train.epochs=40"].into_iter().chain(until).collect();
        let base = with(&TINY, &all);
        let whole = fallline(path, &with(&base, &["--threads=1", "--json=whole.json"]));
        let again =
            with(&base, &["--threads=2", "--resume=kept", "--checkpoint-every=3steps", "--json=m.json"]);
        let output = after_kills(path, &again, stride);
        let said = error(&output);
        assert_eq!(output.status.code(), whole.status.code(), "{said}");
        assert!(!said.contains("warning"), "{said}");
        assert_eq!(timeless(&path.join("m.json")), timeless(&path.join("whole.json")));
        assert_eq!(names(&path.join("kept")), DONE);
    }
}

#[test]
fn a_damaged_record_is_said_and_its_training_run_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let base = with(&TINY, &["--seeds=3", "--set=train.epochs=3", "--json=m.json"]);
    succeeds(path, &with(&base, &["--checkpoint=kept"]));
    let whole = timeless(&path.join("m.json"));
    let record = path.join("kept/digits-mlp-seed-2.json");
    let text = fs::read_to_string(&record).unwrap();
    let of_first = fs::read_to_string(path.join("kept/digits-mlp-seed-1.json")).unwrap();
    let changed = text.replace("\"stop_reason\": \"epochs\"", "\"stop_reason\": \"epoch\"");
    assert_ne!(changed, text);
    for (damaged, why) in [
        (&*changed, "key `content`: expected content with the checksum "),
        (&text[..text.len() / 2], "expected the whole of a JSON file"),
        ("", "expected the whole of a JSON file"),
        (&*of_first, "expected the training of digits-mlp from seed 2, found that of digits-mlp from seed 1"),
    ] {
        fs::write(&record, damaged).unwrap();
        let output = fallline(path, &["reproduce", "--resume=kept"]);
        let said = error(&output);
        assert_eq!(output.status.code(), Some(0), "{said}");
        assert!(said.contains("warning: kept/digits-mlp-seed-2.json: ") && said.contains(why), "{said}");
        assert!(said.contains("; digits-mlp, seed 2 (2 of 3) is trained again\n"), "{said}");
        assert_eq!(said.matches("warning").count(), 1, "{said}");
        assert_eq!(timeless(&path.join("m.json")), whole);
        assert_eq!(names(&path.join("kept")), DONE);
    }
    // What was asked for cannot be made up.
    let state = path.join("kept/reproduction.json");
    let text = fs::read_to_string(&state).unwrap().replace("\"program\": \"", "\"program\": \"9");
    fs::write(&state, text).unwrap();
    fails(
        path,
        &["reproduce", "--resume=kept"],
        "kept/reproduction.json: key `content`: expected content with",
    );
    fails(
        path,
        &with(&base, &["--resume=kept"]),
        "kept/reproduction.json: key `content`: expected content with",
    );
}

/// One command line in a loop begins, goes on and is done; and there may be more seeds.
#[test]
fn the_first_command_is_accepted_again_and_seeds_may_be_more() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let base = with(&TINY, &["--set=train.epochs=3"]);
    succeeds(path, &with(&base, &["--seeds=4", "--json=whole.json"]));
    let again = with(&base, &["--seeds=2", "--resume=kept", "--keep=1", "--json=m.json"]);
    for _ in 0..2 {
        succeeds(path, &again);
        assert_eq!(names(&path.join("kept")), [DONE[0], DONE[1], DONE[3], DONE[4]]);
    }
    let output = fallline(path, &["reproduce", "--resume=kept", "--seeds=4"]);
    assert!(error(&output).contains("going on in kept: 2 of 4 trainings done\n"), "{output:?}");
    assert_eq!(timeless(&path.join("m.json")), timeless(&path.join("whole.json")));
    fails(path, &again, "digits-mlp: `reproduce.seeds (--seeds)`: expected at least 4, as in");
    // Recorded with the larger number.
    succeeds(path, &["reproduce", "--resume=kept", "--json=other.json"]);
    assert_eq!(timeless(&path.join("other.json")), timeless(&path.join("whole.json")));
}

/// Two recipes of one name, and what a recipe reads, from elsewhere.
#[test]
fn recipes_with_tables_go_on_from_elsewhere() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    fs::create_dir_all(path.join("a/data")).unwrap();
    fs::create_dir(path.join("elsewhere")).unwrap();
    let rows: String =
        (0..60).map(|i| format!("{},{},{}\n", i % 7, ["red", "green"][i % 2], i % 3)).collect();
    fs::write(path.join("a/t.csv"), format!("size,colour,kind\n{rows}")).unwrap();
    let recipe = "name = 'my.net'\ndata = { file = 't.csv', target = 'kind' }\n\
                  model.layers = [{ type = 'dense', units = 3 }]\noptimizer.name = 'adam'\n\
                  train = { epochs = 2, batch = 8 }\nreproduce.seeds = 2\n";
    fs::write(path.join("a/r.toml"), recipe).unwrap();
    let train = ["reproduce", "a/r.toml", "a/r.toml", "--checkpoint=kept", "--json=m.json"];
    succeeds(path, &train);
    let whole = timeless(&path.join("m.json"));
    let all = [
        "lock",
        "my-net-2-seed-1.json",
        "my-net-2-seed-2.json",
        "my-net-seed-1.json",
        "my-net-seed-2.json",
        "reproduction.json",
    ];
    assert_eq!(names(&path.join("kept")), all);
    fs::remove_file(path.join("kept/my-net-2-seed-1.json")).unwrap();
    fs::remove_file(path.join("m.json")).unwrap();
    succeeds(&path.join("elsewhere"), &["reproduce", "--resume=../kept"]);
    assert_eq!(timeless(&path.join("m.json")), whole);
    fs::write(path.join("a/t.csv"), format!("size,colour,kind\n{}", rows.replace('6', "5"))).unwrap();
    fails(path, &["reproduce", "--resume=kept"], "samples: expected those of the ");
}

#[test]
fn mistakes_are_told_before_the_first_step() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let base = with(&TINY, &["--seeds=2", "--set=train.epochs=3"]);
    let none = "none: expected trainings to go on with, or the recipes to begin with before --resume";
    fails(path, &["reproduce", "--resume=none"], none);
    for length in ["5", "0steps", "-1epoch"] {
        let option = format!("--checkpoint-every={length}");
        let message = "expected a whole number above 0 with its unit: s, min, h, steps or epochs";
        fails(path, &with(&base, &["--checkpoint=kept", &option]), message);
    }
    fails(path, &with(&base, &["--checkpoint-every=1epoch"]), "--checkpoint <DIR>");
    fails(path, &with(&base, &["--keep=2"]), "--checkpoint <DIR>");
    fails(path, &["reproduce", "--all", "--keep=2"], "--checkpoint <DIR>");
    fails(path, &with(&base, &["--checkpoint=kept", "--resume=kept"]), "cannot be used with");
    let onto = ["--checkpoint=kept", "--json=kept/reproduction.json"];
    fs::create_dir(path.join("kept")).unwrap();
    fails(path, &with(&base, &onto), "kept/reproduction.json, which is read");
    assert_eq!(names(&path.join("kept")), Vec::<String>::new());

    succeeds(path, &with(&base, &["--checkpoint=kept"]));
    let again =
        |more: &[&str], message: &str| fails(path, &with(&base, &with(&["--resume=kept"], more)), message);
    fails(
        path,
        &with(&base, &["--checkpoint=kept"]),
        "kept: expected no trainings of another reproduction (--resume goes on with it; ",
    );
    again(
        &["--set=train.epochs=9"],
        "digits-mlp: `train.epochs`: expected 3, as in the training that goes on, found 9",
    );
    again(&["--set=train.seed=9"], "`train.seed`: expected 1, as in the training that goes on, found 9");
    again(&["--set=target=0.02"], "`target`: expected 0.01, as in");
    again(
        &["--until-accuracy=0.5"],
        "`--until-accuracy`: expected none, as in the reproduction that goes on, found 0.5",
    );
    fails(path, &["reproduce", "--resume=kept", "--set=train.epochs=9"], "`train.epochs`: expected 3, as in");
    fails(
        path,
        &["reproduce", "--resume=kept", "--seeds=1"],
        "`reproduce.seeds (--seeds)`: expected at least 2, as in",
    );
    let twice = with(&["reproduce", "digits-mlp"], &base[1..]);
    let message =
        "recipes: expected those of the reproduction that goes on, digits-mlp, found digits-mlp, digits-mlp";
    fails(path, &with(&twice, &["--resume=kept"]), message);
    // Folders of single trainings.
    let single = ["train", "digits-mlp", "--quiet", "--epochs=1", "--checkpoint=single"];
    succeeds(path, &with(&single, &TINY[2..6]));
    let message = "expected a folder of a reproduction, or one that is empty or not there yet, found checkpoints of a single";
    fails(path, &with(&base, &["--checkpoint=single"]), message);
    fails(path, &with(&base, &["--resume=single"]), message);
    fails(path, &["train", "--resume=kept"], "kept: expected a checkpoint to go on from");
    fs::write(path.join("file"), "").unwrap();
    fails(path, &with(&base, &["--checkpoint=file"]), "file");
    // Numbers that no command would have been given.
    let state = path.join("kept/reproduction.json");
    let text = fs::read_to_string(&state).unwrap();
    let mut kept: Value = serde_json::from_str(&text).unwrap();
    kept["content"]["options"]["seeds"] = 1_000_000_000_000_u64.into();
    kept["checksum"] = crc32c::crc32c(kept["content"].to_string().as_bytes()).into();
    fs::write(&state, kept.to_string()).unwrap();
    fails(
        path,
        &["reproduce", "--resume=kept"],
        "`seeds`: expected a whole number from 1 to 1000, found 1000000000000",
    );
}
