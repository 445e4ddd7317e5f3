//! Files of results as JSON, of `train`, `bench`, `reproduce`, `search` and `profile`: what `report`, `bench --baseline`,
//! `profile --compare` and `--resume` read.

use std::sync::OnceLock;

use fallline::engine::bench::compare::Comparison;
use fallline::engine::bench::profile::compare::ProfileComparison;
use fallline::engine::report::results::{self, Results};
use fallline::engine::report::{bench, profile, reproduce, search};
use serde_json::{Value, json};

use crate::harness::{Accepted, Input, Target};
use crate::random::Random;
use crate::{bench_record, profile_record};
use crate::{bytes, text};

pub static TARGET: Target = Target { name: "results", share: 1, seeds, spoil, read, memory };

/// What the parser makes of a text, entry by entry.
pub fn memory(input: &[u8]) -> usize {
    100 * input.len() + (256 << 10)
}

fn read(input: &Input) -> Result<Accepted, String> {
    let found = results::read(input.path).map_err(|error| error.to_string())?;
    let again = input.path.with_extension("again");
    Ok(Box::new(move || {
        let text = written(&found)?;
        std::fs::write(&again, &text).unwrap();
        // What is shown of it must not fail either.
        match &found {
            Results::Bench(record) => {
                bench::table(record, None);
                Comparison::of(record, record, 0.05);
            }
            Results::Reproduce(record) => drop(reproduce::table(record, None)),
            Results::Profile(record) => {
                profile::table(record, 100, None, Some(&ProfileComparison::of(record, record, 0.05)));
            }
            Results::Search(record) => drop((search::result(record, None), search::page(record))),
            Results::Train(_) => {}
        }
        match results::read(&again) {
            // Not the records: a loss that is no number is not equal to itself.
            Ok(read) if written(&read)? == text => Ok(()),
            Ok(_) => Err("another record is read back".into()),
            Err(error) => Err(format!("it cannot be read back: {error}")),
        }
    }))
}

fn written(results: &Results) -> Result<String, String> {
    let text = match results {
        Results::Train(record) => serde_json::to_string(record),
        Results::Bench(record) => serde_json::to_string(record),
        Results::Reproduce(record) => serde_json::to_string(record),
        Results::Profile(record) => serde_json::to_string(record),
        Results::Search(record) => serde_json::to_string(record),
    };
    text.map_err(|error| error.to_string())
}

/// A run of one epoch with all that a run may have.
fn run() -> Value {
    // A PNG file of one black pixel.
    let png = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg==";
    json!({
        "schema": "fallline.train/1",
        "recipe": "mnist-mlp",
        "data": "mnist",
        "optimizer": "adam",
        "averages": ["ema"],
        "batch": 64,
        "seed": 1,
        "threads": 2,
        "machine": { "cpu": "Processor X", "cores": 2, "instruction_set": "AVX2", "os": "linux x86_64" },
        "model": { "parameters": 101770, "train_flops_per_sample": 409984.0 },
        "epochs": [{
            "epoch": 1, "train_loss": 0.5, "train_accuracy": 0.75, "validation_loss": 0.4,
            "validation_accuracy": 0.8, "seconds": 2.0, "samples_per_second": 30000.0, "samples": 60000,
            "incomplete": true, "learning_rate": 0.001, "evaluations": 3,
            "layers": [{ "layer": "0", "gradient": 0.1, "update": 0.01, "parameters": 3.5 }]
        }],
        "warnings": [{ "trouble": "vanishing", "layer": "0", "epoch": 1, "ratio": 1e-4, "other": "2" }],
        "test": { "loss": 0.3, "accuracy": 0.9 },
        "train_seconds": 4.0,
        "stop_reason": "epochs",
        "best_epoch": 1,
        "validation": { "loss": 0.35, "accuracy": 0.85 },
        "analysis": {
            "confusion": [[5, 1], [1, 0]],
            "classes": [
                { "samples": 6, "precision": 0.8, "recall": 0.8, "f1": 0.8 },
                { "samples": 1, "precision": null, "recall": 0.0, "f1": null }
            ],
            "mistakes": [
                { "index": 17, "label": 1, "predicted": 0, "probability": 0.982, "loss": 4.0, "png": png },
                { "index": 3, "label": 0, "predicted": 1, "probability": 0.6, "loss": 0.9 }
            ]
        }
    })
}

fn seeds() -> Vec<Vec<u8>> {
    let mut plain = run();
    for key in ["averages", "warnings", "best_epoch", "validation", "analysis"] {
        plain.as_object_mut().unwrap().remove(key);
    }
    let reproduced = json!({
        "schema": "fallline.reproduce/1",
        "version": "0.1.0",
        "command": "fallline reproduce mnist-mlp",
        "machine": run()["machine"],
        "threads": 2,
        "until_accuracy": 0.9,
        "recipes": [{
            "recipe": "mnist-mlp", "summary": "a network", "settings": "name = \"x\"\n", "data": "mnist",
            "target": 0.9, "seeds": [9, 10], "runs": [plain.clone()],
            "accuracy": { "mean": 0.9, "deviation": 0.01, "interval": [0.88, 0.92] },
            "train_seconds": 4.0, "seconds_to_accuracy": 3.0, "verdict": "unfinished"
        }]
    });
    let searched = json!({
        "schema": "fallline.search/1", "version": "0.1.0", "command": "fallline search", "machine": run()["machine"],
        "threads": 2, "recipe": "digits-mlp", "base": "name = \"x\"\n", "data": "digits", "method": "halving", "seed": 1,
        "asked": 4, "folds": 2, "scored_by": "accuracy",
        "over": [
            { "key": "optimizer.learning_rate", "range": "1e-4..0.1:log", "ordered": true, "log": true },
            { "key": "optimizer.name", "range": "adam,sgd", "ordered": false, "log": false }
        ],
        "trials": [
            {
                "trial": 1, "settings": { "optimizer.learning_rate": 0.01, "optimizer.name": "adam" }, "state": "finished",
                "score": 0.9, "deviation": 0.01, "interval": [0.8, 1.0], "accuracy": 0.9, "loss": 0.25, "seconds": 1.5,
                "epochs": 5.0, "scores": [0.89, 0.91], "rungs": [{ "epochs": 1, "score": 0.7 }, { "epochs": 5, "score": 0.9 }]
            },
            {
                "trial": 2, "settings": { "optimizer.learning_rate": 0.1, "optimizer.name": "sgd" }, "state": "diverged",
                "seconds": 0.5, "epochs": 1.0, "scores": [], "reason": "training diverged"
            }
        ],
        "best": 1, "winner": "name = \"x\"\n", "importance": [{ "key": "optimizer.name", "part": 0.5 }]
    });
    let mut tested = searched.clone();
    tested["trials"] = json!([]);
    tested["range_test"] = json!({
        "steps": 300, "points": [{ "rate": 1e-4, "loss": 2.0, "smoothed": 2.0 }, { "rate": 0.1, "loss": 1.0, "smoothed": 1.5 }],
        "least": 0.1, "suggestion": 0.01, "exploded": true
    });
    let mut benched = bench_record::record();
    benched.cases.truncate(2);
    let profiled = serde_json::to_value(profile_record::perceptron()).unwrap();
    let mut valued = plain.clone();
    let metrics = json!({ "rmse": 2.5, "mae": 2.0, "r_squared": 0.75 });
    valued["test"] = json!({ "loss": 0.3, "values": metrics });
    valued["test"]["values"]["outputs"] = json!([metrics, metrics]);
    let output = json!({ "targets": [1.0, -2.5], "predictions": [1.5, null] });
    valued["analysis"] =
        json!({ "mistakes": [], "values": { "samples": [0, 7], "outputs": [output, output] } });
    let mut named = run();
    named["analysis"]["class_names"] = json!(["no", "yes"]);
    let values = [
        run(),
        plain,
        valued,
        named,
        reproduced,
        serde_json::to_value(benched).unwrap(),
        profiled,
        searched,
        tested,
    ];
    let texts = values.iter().flat_map(|value| [value.to_string(), format!("{value:#}")]);
    texts.map(String::into_bytes).collect()
}

fn spoil(random: &mut Random, seeds: &[Vec<u8>]) -> Vec<u8> {
    static WORDS: OnceLock<Vec<String>> = OnceLock::new();
    let words = WORDS.get_or_init(|| {
        let texts = seeds.iter().filter_map(|seed| std::str::from_utf8(seed).ok());
        let names = ["fallline.eval/1 fallline.folds/1 met missed no-target exploding pytorch-eager"];
        text::words(texts.chain(names))
    });
    let seed = random.pick(seeds).clone();
    spoilt(random, seed, seeds, words)
}

/// A JSON text spoilt in its values, its words, or its bytes.
pub fn spoilt(random: &mut Random, seed: Vec<u8>, seeds: &[Vec<u8>], words: &[String]) -> Vec<u8> {
    let mut bytes = seed;
    if let (Ok(mut value), false) = (serde_json::from_slice(&bytes), random.one_in(4)) {
        crate::json::spoil(random, &mut value, words);
        bytes = value.to_string().into_bytes();
        if random.one_in(2) {
            return bytes;
        }
    }
    if let (Ok(text), false) = (std::str::from_utf8(&bytes), random.one_in(4)) {
        let mut text = text.to_string();
        text::spoil(random, &mut text, words);
        return text.into_bytes();
    }
    bytes::spoil(random, &mut bytes, seeds);
    bytes
}
