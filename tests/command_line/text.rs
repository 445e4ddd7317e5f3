//! Models of text as their users meet them: trained, saved, evaluated, written with; and the mistakes that users make.

use std::fs;
use std::path::Path;

use crate::common::program::{fails, fallline, json, succeeds};

/// A language model that trains in no time.
const RECIPE: &str = r#"
name = "small"
[data]
set = "grammar"
characters = 4000
context = 16
stride = 4
[model]
layers = [
    { type = "embedding", shared = true, widths = 16 },
    { type = "position-embedding" },
    { type = "transformer-block", heads = 2 },
    { type = "position-dense" },
]
[optimizer]
name = "adam"
learning_rate = 0.01
[train]
epochs = 2
steps_per_epoch = 20
batch = 16
"#;

fn write(folder: &Path, name: &str, content: impl AsRef<[u8]>) {
    fs::write(folder.join(name), content).unwrap();
}

#[test]
fn a_model_of_text_is_trained_saved_evaluated_and_writes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    write(path, "small.toml", RECIPE);
    let text =
        succeeds(path, &["train", "small.toml", "--save", "m.safetensors", "--json", "run.json", "--quiet"]);
    assert!(text.contains("validation loss"), "{text}");
    let run = json(&path.join("run.json"));
    assert!(run["test"].is_null(), "a text has no test part");
    let validation = &run["validation"];
    let [loss, perplexity] =
        [&validation["loss"], &validation["tokens"]["perplexity"]].map(|number| number.as_f64().unwrap());
    assert!((loss.exp() - perplexity).abs() < 1e-9 * perplexity);
    assert_eq!(run["epochs"][0]["samples"], 320);
    assert_eq!(run["epochs"][0]["positions"], 5120);

    let seen = succeeds(path, &["eval", "--model", "m.safetensors", "--json", "eval.json"]);
    assert!(seen.contains("perplexity") && seen.contains("bits a token"), "{seen}");
    assert_eq!(json(&path.join("eval.json"))["test"]["loss"], validation["loss"]);

    // Another text of the same characters, and what is none.
    write(path, "other.txt", "the cat sees the old dog. ".repeat(30));
    write(path, "odd.txt", "the cat\nsees 7 snowmen");
    let seen = succeeds(path, &["eval", "--model", "m.safetensors", "other.txt"]);
    assert!(seen.contains("windows of other.txt") && seen.contains("perplexity"), "{seen}");
    fails(path, &["eval", "--model", "m.safetensors", "odd.txt"], "odd.txt: line 2, column 6 of the text");
    // A mark before the text is none of it, and a text may be shorter than a window.
    write(path, "marked.txt", "\u{feff}".to_string() + &"the cat sees the old dog. ".repeat(30));
    let marked = succeeds(path, &["eval", "--model", "m.safetensors", "marked.txt", "--json", "marked.json"]);
    assert!(marked.contains("of marked.txt"), "{marked}");
    succeeds(path, &["eval", "--model", "m.safetensors", "other.txt", "--json", "other.json"]);
    let loss = |name: &str| json(&path.join(name))["test"]["loss"].clone();
    assert_eq!(loss("marked.json"), loss("other.json"));
    // All 780 characters but the first are foretold, in windows of 16.
    let other = json(&path.join("other.json"));
    assert_eq!((&other["samples"], &other["test"]["tokens"]["positions"]), (&49.into(), &779.into()));
    write(path, "short.txt", "the");
    succeeds(path, &["eval", "--model", "m.safetensors", "short.txt"]);
    write(path, "short.txt", "t");
    fails(
        path,
        &["eval", "--model", "m.safetensors", "short.txt"],
        "short.txt: tokens of the text: expected at least 2",
    );
    let published = ["eval", "--model", "m.safetensors", "tinyshakespeare"];
    fails(path, &published, "fallline data download tinyshakespeare");
    fails(path, &["predict", "--model", "m.safetensors", "other.txt"], "`fallline generate` writes with it");

    let generate = |more: &[&str]| {
        let arguments = ["generate", "--model", "m.safetensors", "--prompt", "the ", "--tokens", "40"];
        succeeds(path, &[&arguments[..], more].concat())
    };
    let one = generate(&["--json", "text.json"]);
    assert!(one.starts_with("the "), "{one}");
    let record = json(&path.join("text.json"));
    assert_eq!((&record["schema"], &record["tokens"]), (&"fallline.generate/1".into(), &40.into()));
    assert_eq!(record["prompt_tokens"], 4, "one for each character");
    for key in ["seconds", "tokens_per_second", "prompt_seconds", "prompt_tokens_per_second"] {
        assert!(record[key].as_f64().unwrap() > 0.0, "{key}: {}", record[key]);
    }
    // Beside the text, not in it.
    let beside =
        fallline(path, &["generate", "--model", "m.safetensors", "--prompt", "the ", "--tokens", "40"]);
    let beside = String::from_utf8(beside.stderr).unwrap();
    let is_told = beside.contains("40 tokens in ") && beside.contains(", behind a prompt of 4 tokens in ");
    assert!(is_told, "{beside}");
    assert_eq!(
        record["text"].as_str().unwrap().trim_end_matches('\n'),
        one.trim_end_matches(['\n'])
            .lines()
            .filter(|line| !line.starts_with("wrote"))
            .collect::<Vec<_>>()
            .join("\n")
    );
    assert_eq!(generate(&[]).lines().next(), one.lines().next(), "the same seed, the same text");
    assert_ne!(generate(&["--seed", "2"]).lines().next(), one.lines().next());
    let sure = generate(&["--temperature", "0"]);
    assert_eq!(sure.lines().next(), generate(&["--top-k", "1", "--seed", "9"]).lines().next());
    // Longer than the context of 16.
    succeeds(
        path,
        &["generate", "--model", "m.safetensors", "--tokens", "100", "--prompt", &"the ".repeat(20)],
    );
}

#[test]
fn lines_of_a_text_are_samples_and_new_lines_are_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let names: String =
        (0..200).map(|i| format!("{}{}\n", ["an", "be", "cor"][i % 3], "na".repeat(i % 4))).collect();
    write(path, "mine.txt", names);
    write(
        path,
        "small.toml",
        RECIPE.replace(
            "set = \"grammar\"\ncharacters = 4000\ncontext = 16\nstride = 4",
            "set = \"text\"\nfile = \"mine.txt\"\nform = \"lines\"",
        ),
    );
    succeeds(path, &["train", "small.toml", "--save", "m.safetensors", "--quiet"]);
    let text = succeeds(path, &["generate", "--model", "m.safetensors", "--tokens", "60"]);
    let names = text.lines().filter(|line| !line.starts_with("wrote")).count();
    assert!(names >= 3, "{text}");
    // Lines may end as in Windows in a prompt, too.
    succeeds(path, &["generate", "--model", "m.safetensors", "--tokens", "3", "--prompt", "an\r\nbe"]);
    // The longest name of the training has nine letters; a recipe that asks for more positions takes longer lines.
    write(path, "long.txt", "corna\nannananana\n");
    let eval = ["eval", "--model", "m.safetensors", "long.txt"];
    let refused = "long.txt: tokens of line 2: expected at most 9";
    fails(path, &eval, refused);
    fails(path, &eval, "as the longest line of the text that it was trained on");
    succeeds(
        path,
        &["train", "small.toml", "--set", "data.context=20", "--save", "m.safetensors", "--quiet"],
    );
    succeeds(path, &eval);
    // None tells what is in another, so that any may be set aside.
    let folds = succeeds(path, &["train", "small.toml", "--epochs", "1", "--folds", "2", "--quiet"]);
    assert!(folds.contains("2 folds: validation accuracy "), "{folds}");
}

/// A model keeps its vocabulary, and is tried by that though its text has moved or is another one.
#[test]
fn the_text_of_a_model_may_move_or_change() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let text = "the cat sees the old dog.\n".repeat(60);
    write(path, "mine.txt", &text);
    let data = "set = \"text\"\nfile = \"mine.txt\"\ncontext = 16";
    write(
        path,
        "small.toml",
        RECIPE.replace("set = \"grammar\"\ncharacters = 4000\ncontext = 16\nstride = 4", data),
    );
    let train = ["train", "small.toml", "--save", "m.safetensors", "--json", "run.json", "--quiet"];
    succeeds(path, &train);
    let eval = |more: &[&'static str]| [&["eval", "--model", "m.safetensors"][..], more].concat();
    succeeds(path, &eval(&["--json", "eval.json"]));
    let loss = json(&path.join("eval.json"))["test"]["loss"].clone();
    assert_eq!(loss, json(&path.join("run.json"))["validation"]["loss"]);
    // As many characters, but others: they are not taken for those of the model.
    write(path, "mine.txt", text.replace('c', "C"));
    fails(
        path,
        &eval(&[]),
        "mine.txt: line 1, column 5 of the text: expected one of the 13 characters of the vocabulary",
    );
    fs::create_dir(path.join("texts")).unwrap();
    fs::rename(path.join("mine.txt"), path.join("texts/mine.txt")).unwrap();
    write(path, "texts/mine.txt", &text);
    let hint = "(name the text: `fallline eval --model m.safetensors FILE`, or its folder: `--data DIR`)";
    fails(path, &eval(&[]), hint);
    succeeds(path, &eval(&["--data", "texts", "--json", "eval.json"]));
    assert_eq!(json(&path.join("eval.json"))["test"]["loss"], loss);
    succeeds(path, &eval(&["texts/mine.txt"]));
}

/// Who has a text and does not say so is told how to.
#[test]
fn a_text_that_is_taken_for_a_table_is_told_as_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    write(path, "prose.txt", "The cat sat on the mat, and the dog too.\nIt rained.\n");
    let command = "for a language model: `fallline train chars-transformer --set data.file=prose.txt`";
    fails(path, &["train", "prose.txt"], command);
    let recipe =
        |data: &str| RECIPE.replace("set = \"grammar\"\ncharacters = 4000\ncontext = 16\nstride = 4", data);
    write(path, "table.toml", recipe("file = \"prose.txt\""));
    fails(path, &["train", "table.toml"], "(a text is read with `set = \"text\"`)");
    write(path, "table.toml", recipe("file = \"prose.txt\"\ncontext = 16"));
    fails(path, &["train", "table.toml"], "`data.set`: expected `text`");
    write(path, "table.toml", recipe("set = \"text\""));
    fails(path, &["train", "table.toml"], "`data.file`: expected the path of a text");
}

#[test]
fn texts_that_are_none_are_refused_with_the_place() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let recipe = |keys: &str| {
        let data = format!("set = \"text\"\nfile = \"a.txt\"\n{keys}");
        RECIPE.replace("set = \"grammar\"\ncharacters = 4000\ncontext = 16\nstride = 4", &data)
    };
    write(path, "stream.toml", recipe("context = 16"));
    write(path, "lines.toml", recipe("form = \"lines\"\ncontext = 5"));
    write(path, "bytes.toml", recipe("unit = \"bytes\"\ncontext = 16"));
    for (content, name, message) in [
        (&b""[..], "stream.toml", "a.txt"),
        (b"abc", "stream.toml", "17"),
        (b"abc\xff\xfe def", "stream.toml", "byte 3"),
        (b"abcdefghij\nabc\n", "lines.toml", "line 1"),
    ] {
        write(path, "a.txt", content);
        let [_, error] = fails(path, &["train", name, "--quiet"], "");
        assert!(error.contains(message), "{name}: {error}");
    }
    write(path, "a.txt", (0..400u32).map(|i| (i * 37 % 256) as u8).collect::<Vec<u8>>());
    succeeds(path, &["train", "bytes.toml", "--quiet"]);
    fails(path, &["train", "stream.toml", "--set", "data.validation=0.1"], "`data.held`");
    fails(path, &["train", "stream.toml", "--set", "data.scale=2"], "not scaled");
    fails(path, &["train", "stream.toml", "--set", "data.unit=letters"], "unknown unit of texts `letters`");
    fs::remove_file(path.join("a.txt")).unwrap();
    fails(path, &["train", "stream.toml"], "a.txt");
}

#[test]
fn what_cannot_be_written_with_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    write(path, "small.toml", RECIPE);
    succeeds(path, &["train", "small.toml", "--save", "m.safetensors", "--epochs", "1", "--quiet"]);
    let generate = |more: &[&str], message: &str| {
        fails(path, &[&["generate", "--model", "m.safetensors"][..], more].concat(), message);
    };
    generate(&["--prompt", "the ☃"], "character 5 of the prompt (--prompt): expected one of the ");
    generate(&["--prompt", "☃"], " that the model knows: \\n");
    generate(&["--temperature", "-1"], "temperature: expected a number of at least 0");
    generate(&["--top-p", "1.5"], "top-p: expected a number above 0 and at most 1");
    generate(&["--top-k", "0"], "0 is not in 1..");
    let digits =
        ["train", "--set", "data.train_samples=100", "--set", "data.test_samples=10", "--epochs", "1"];
    succeeds(path, &[&digits[..], &["--save", "d.safetensors", "--quiet"]].concat());
    fails(path, &["generate", "--model", "d.safetensors"], "expected one that was trained on a text");
}

/// A text has a validation part, by whose loss trials are ranked and recipes judged.
#[test]
fn a_text_is_searched_and_reproduced_by_the_loss_of_its_validation_part() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    write(path, "small.toml", format!("target_loss = 4.0\n{RECIPE}"));
    let search = ["search", "small.toml", "--method", "grid", "--over", "optimizer.learning_rate=1e-9,0.01"];
    let text = succeeds(path, &[&search[..], &["--json", "search.json"]].concat());
    assert!(text.contains("of the validation part") && text.contains("best: trial 2, loss "), "{text}");
    let record = json(&path.join("search.json"));
    assert_eq!((&record["scored_by"], &record["best"]), (&"negative_loss".into(), &2.into()));
    let best = &record["trials"][1];
    assert_eq!(best["score"].as_f64().map(|score| -score), best["loss"].as_f64());
    fails(path, &[&search[..], &["--folds", "3"]].concat(), "whose end is its validation part");

    let reproduce = ["reproduce", "small.toml", "--seeds", "2", "--json", "all.json"];
    let text = succeeds(path, &reproduce);
    assert!(text.contains("target loss 4.0000: met") && text.contains("mean loss "), "{text}");
    let recipe = &json(&path.join("all.json"))["recipes"][0];
    let losses: Vec<f64> =
        (0..2).map(|run| recipe["runs"][run]["validation"]["loss"].as_f64().unwrap()).collect();
    let mean = recipe["loss"]["mean"].as_f64().unwrap();
    assert!((mean - (losses[0] + losses[1]) / 2.0).abs() < 1e-12, "{recipe}");
    // The validation part is what a training is ended by, too.
    let until = succeeds(path, &["reproduce", "small.toml", "--seeds", "1", "--until-accuracy", "0.01"]);
    assert!(until.contains("1.00 % validation accuracy in 1 of 1 seeds"), "{until}");
    let trained = succeeds(path, &["train", "small.toml", "--quiet", "--set", "target_loss=0.1"]);
    assert!(trained.contains("(target loss 0.1000: not reached)"), "{trained}");
}

#[test]
fn a_text_is_described_and_shown() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    write(path, "small.toml", RECIPE);
    write(path, "t.txt", "ab\nab\n");
    let text = succeeds(path, &["data", "info", "t.txt", "--json", "t.json"]);
    assert!(text.starts_with("t: 6 characters in 2 lines, 6 bytes\nvocabulary: 3 characters; "), "{text}");
    assert!(text.contains("\"\\n\"") && text.contains("33.33 %"), "{text}");
    assert_eq!(json(&path.join("t.json"))["schema"], "fallline.text/1");
    let text = succeeds(path, &["data", "info", "small.toml"]);
    assert!(
        text.contains("windows to learn from") && text.contains("of 16 tokens, one every 4 tokens"),
        "{text}"
    );
    fails(path, &["data", "info", "t.txt", "--delimiter", "comma"], "--delimiter: expected a table");
    let text = succeeds(path, &["data", "show", "small.toml", "--samples", "2"]);
    assert!(text.starts_with("0: \"") && text.lines().count() == 2, "{text}");
    fails(path, &["data", "show", "small.toml", "--sheet", "t.png"], "those of a text");
}

/// A bigram model.
#[test]
fn a_sample_may_be_one_token() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    write(path, "small.toml", RECIPE);
    let train = ["train", "small.toml", "--set", "data.context=1", "--save", "m.safetensors", "--quiet"];
    succeeds(path, &train);
    assert!(succeeds(path, &["eval", "--model", "m.safetensors"]).contains("perplexity"));
    succeeds(path, &["generate", "--model", "m.safetensors", "--prompt", "the ", "--tokens", "5"]);
}

#[test]
fn a_model_that_sees_the_answers_is_warned_of() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    write(path, "sees.toml", RECIPE.replace("heads = 2", "heads = 2, causal = false"));
    let options = ["train", "sees.toml", "--json", "run.json", "--save", "m.safetensors", "--epochs", "1"];
    let output = fallline(path, &options);
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(
        output.status.success() && error.contains("sees later positions, among them the answers"),
        "{error}"
    );
    assert!(error.contains("set `causal = true`"), "{error}");
    let warnings = &json(&path.join("run.json"))["warnings"];
    assert_eq!((&warnings[0]["trouble"], &warnings[0]["kind"]), (&"leaking".into(), &"attention".into()));
    fails(path, &["generate", "--model", "m.safetensors"], "positions together");
    // One that does not is not.
    write(path, "small.toml", RECIPE);
    let output = fallline(path, &["train", "small.toml", "--epochs", "1"]);
    assert!(!String::from_utf8(output.stderr).unwrap().contains("later positions"));
}

#[test]
fn networks_that_do_not_suit_a_text_are_refused_with_what_does() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let refused = |layers: [&str; 3], message: &str| {
        let recipe = RECIPE
            .replace("{ type = \"embedding\", shared = true, widths = 16 },", layers[0])
            .replace("{ type = \"position-embedding\" },", layers[1])
            .replace("{ type = \"transformer-block\", heads = 2 },", layers[2]);
        write(path, "small.toml", recipe);
        fails(path, &["train", "small.toml", "--quiet"], message);
    };
    let embedding = "{ type = \"embedding\", shared = true, widths = 16 },";
    let few = "{ type = \"embedding\", shared = true, categories = 8, widths = 16 },";
    refused([few, "", ""], "`categories` at least ");
    let together = "positions of the model's output: expected 16, as many as a sample has: a model of a text begins with";
    refused(["", "", "{ type = \"gru\", units = 8 },"], together);
    refused(
        [embedding, "{ type = \"lstm\", units = 8 },", "{ type = \"batch-norm\" },"],
        "`layer-norm` with `by_position = true`, or `rms-norm`",
    );
}

#[test]
fn a_text_has_a_validation_part_and_no_test() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    write(path, "small.toml", RECIPE);
    let text = succeeds(path, &["train", "small.toml", "--save", "m.safetensors"]);
    assert!(text.contains(" validation windows of 16 tokens") && !text.contains(" test "), "{text}");
    let text = succeeds(path, &["eval", "--model", "m.safetensors"]);
    assert!(text.contains(" validation samples of ") && !text.contains(" test "), "{text}");
    let message = "--mistakes: expected samples with one class each, found a text";
    fails(path, &["eval", "--model", "m.safetensors", "--mistakes", "2"], message);
    // Whether or not the training fails by it.
    let text = succeeds(path, &["train", "small.toml", "--lr", "1e6", "--allow-divergence", "--quiet"]);
    assert!(!text.contains("not tested"), "{text}");
}

/// Prelus by channel and normalisations by batch change each position by itself where a model is in use.
#[test]
fn what_goes_by_channel_is_written_with() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let layers = "{ type = \"conv-1d\", channels = 16, kernel = 3, padding = \"causal\" }, { type = \"batch-norm\" },\n    \
                  { type = \"prelu\", by_channel = true },";
    write(path, "small.toml", RECIPE.replace("{ type = \"transformer-block\", heads = 2 },", layers));
    succeeds(path, &["train", "small.toml", "--save", "m.safetensors", "--quiet"]);
    succeeds(path, &["generate", "--model", "m.safetensors", "--tokens", "20"]);
}
