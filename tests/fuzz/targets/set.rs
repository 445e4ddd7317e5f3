//! Settings of the command line (`--set KEY=VALUE`), changing a built-in recipe.

use std::sync::OnceLock;

use fallline::engine::model::Recipe;
use fallline::engine::model::recipe::Override;

use super::recipe;
use crate::bytes;
use crate::harness::{Accepted, Input, Target};
use crate::random::Random;
use crate::text;

pub static TARGET: Target = Target { name: "set", share: 1, seeds, spoil, read, memory };

/// As for a recipe; that of the smallest built-in ones is read too.
fn memory(input: &[u8]) -> usize {
    400 * input.len() + (1 << 20)
}

/// Arguments end where a zero stands: none can be in them. The first one names a recipe.
fn read(input: &Input) -> Result<Accepted, String> {
    let all = String::from_utf8_lossy(input.bytes);
    let mut arguments = all.split('\0');
    let name = arguments.next().unwrap_or_default();
    let name = if Recipe::built_in_names().contains(&name) { name } else { "digits-mlp" };
    let settings: Result<Vec<Override>, _> = arguments.map(str::parse).collect();
    let recipe =
        settings.and_then(|settings| Recipe::load(name, &settings)).map_err(|error| error.to_string())?;
    Ok(Box::new(move || recipe::reads_back(&recipe)))
}

fn seeds() -> Vec<Vec<u8>> {
    let arguments: [&[&str]; 8] = [
        &["digits-mlp"],
        &["digits-mlp", "optimizer.name=adam", "optimizer.beta1=0.8", "train.batch=all"],
        &[
            "digits-cnn",
            "model.layers.0.channels=4",
            "model.loss={ type = 'cross-entropy', label_smoothing = 0.1 }",
        ],
        &["mnist-mlp", "schedule.name=one-cycle", "schedule.pct_start=0.2"],
        &["mnist-mlp", "average.method=ema", "lookahead.steps=5", "gradient.clip_norm=1"],
        &["mnist-fast99", "augment.elastic={ sigma = 4.0, alpha = 34.0 }", "data.validation=0.1"],
        &["mnist-softmax", "optimizer.name=lbfgs", "stop.patience=3", "data.validation=100"],
        &["mnist-lenet5", "schedule.name=step", "schedule.every_epochs=2", "train.accumulate=3"],
    ];
    arguments.iter().map(|arguments| arguments.join("\0").into_bytes()).collect()
}

/// The dotted paths of all values in the recipes that there are.
fn paths() -> &'static [String] {
    static PATHS: OnceLock<Vec<String>> = OnceLock::new();
    PATHS.get_or_init(|| {
        let mut paths = Vec::new();
        for text in recipe::texts() {
            collect(&text.parse::<toml::Table>().unwrap().into(), "", &mut paths);
        }
        paths.sort();
        paths.dedup();
        paths
    })
}

/// Those of them that have values of their own, with these.
fn assignments() -> &'static [String] {
    static ASSIGNMENTS: OnceLock<Vec<String>> = OnceLock::new();
    ASSIGNMENTS.get_or_init(|| {
        let tables: Vec<toml::Value> =
            recipe::texts().iter().map(|text| text.parse::<toml::Table>().unwrap().into()).collect();
        let of = |table: &toml::Value, path: &String| {
            let value = path.split('.').try_fold(table, |value, part| match part.parse::<usize>() {
                Ok(index) => value.get(index),
                Err(_) => value.get(part),
            })?;
            Some(format!("{path}={value}")).filter(|_| !value.is_table())
        };
        let all = tables.iter().flat_map(|table| paths().iter().filter_map(move |path| of(table, path)));
        all.collect()
    })
}

fn collect(value: &toml::Value, path: &str, paths: &mut Vec<String>) {
    let mut inner = |key: &str, value| {
        let path = if path.is_empty() { key.to_string() } else { format!("{path}.{key}") };
        collect(value, &path, paths);
        paths.push(path);
    };
    match value {
        toml::Value::Table(table) => table.iter().for_each(|(key, value)| inner(key, value)),
        toml::Value::Array(items) => {
            items.iter().enumerate().for_each(|(index, value)| inner(&index.to_string(), value));
        }
        _ => {}
    }
}

fn spoil(random: &mut Random, seeds: &[Vec<u8>]) -> Vec<u8> {
    let seed = String::from_utf8_lossy(random.pick::<Vec<u8>>(seeds)).into_owned();
    let mut arguments: Vec<String> = seed.split('\0').map(String::from).collect();
    if random.one_in(3) {
        arguments[0] = random.pick(&Recipe::built_in_names()).to_string();
    }
    for _ in 0..random.few(3) {
        // What is right in one recipe may not be in another.
        if random.one_in(2) {
            arguments.push(random.pick(assignments()).clone());
        } else {
            let value = random.pick(recipe::words());
            arguments.push(format!("{}={value}", random.pick(paths())));
        }
    }
    if random.one_in(4) {
        return arguments.join("\0").into_bytes();
    }
    let at = random.below(arguments.len());
    let words = if random.one_in(2) { paths() } else { recipe::words() };
    text::spoil(random, &mut arguments[at], words);
    let mut bytes = arguments.join("\0").into_bytes();
    if random.one_in(10) {
        bytes::spoil(random, &mut bytes, seeds);
    }
    bytes
}
