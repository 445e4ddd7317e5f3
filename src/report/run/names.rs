//! Names that tell runs apart.

use std::collections::HashMap;

use crate::report::numbers::counted;
use crate::train::TrainRecord;

/// The further parts of a name, beside recipe, optimizer and seed, if these are not enough.
const FURTHER: [fn(&TrainRecord) -> Option<String>; 4] = [
    |record| record.epochs.last()?.learning_rate.map(|rate| format!("learning rate {rate}")),
    |record| Some(format!("batch {}", record.batch?)),
    |record| Some(counted(record.epochs_begun(), "epoch")),
    |record| Some(counted(record.threads, "thread")),
];

/// A name for each run, all different: recipe, optimizer and seed; where that does not tell them
/// apart, further parts that do; names that are still equal are numbered.
pub fn names(records: &[TrainRecord]) -> Vec<String> {
    let mut names: Vec<String> = records.iter().map(plain).collect();
    for part in FURTHER {
        let parts: Vec<Option<String>> = records.iter().map(part).collect();
        let longer: Vec<String> = names
            .iter()
            .zip(&parts)
            .map(|(name, part)| part.as_ref().map_or(name.clone(), |part| format!("{name}, {part}")))
            .collect();
        // Only a part that tells some runs apart is worth its room, and only in their names.
        let kinds = kinds(&names, &longer);
        for (name, longer) in names.iter_mut().zip(longer) {
            if kinds[name.as_str()] > 1 {
                *name = longer;
            }
        }
    }
    numbered(names)
}

fn plain(record: &TrainRecord) -> String {
    let optimizer = record.optimizer.as_ref().map(|name| format!(" {name}")).unwrap_or_default();
    format!("{}{optimizer}, seed {}", record.recipe, record.seed)
}

/// How many different longer names there are for each name.
fn kinds(names: &[String], longer: &[String]) -> HashMap<String, usize> {
    let mut all: HashMap<String, Vec<&String>> = HashMap::new();
    for (name, longer) in names.iter().zip(longer) {
        let seen = all.entry(name.clone()).or_default();
        if !seen.contains(&longer) {
            seen.push(longer);
        }
    }
    all.into_iter().map(|(name, seen)| (name, seen.len())).collect()
}

/// The second of equal names ends with "(2)", and so on.
fn numbered(names: Vec<String>) -> Vec<String> {
    let mut seen: HashMap<String, usize> = HashMap::new();
    names
        .into_iter()
        .map(|name| {
            let count = seen.entry(name.clone()).and_modify(|count| *count += 1).or_insert(1);
            if *count == 1 { name } else { format!("{name} ({count})") }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::samples::train_record;

    #[test]
    fn names_are_as_long_as_it_takes() {
        let first = train_record();
        let other_seed = TrainRecord { seed: 2, ..first.clone() };
        let texts = names(&[first.clone(), other_seed.clone()]);
        assert_eq!(texts, ["mnist-mlp adam, seed 1", "mnist-mlp adam, seed 2"]);

        let mut faster = first.clone();
        faster.epochs[1].learning_rate = Some(0.01);
        let larger = TrainRecord { batch: Some(128), ..first.clone() };
        let texts = names(&[first.clone(), faster, larger, other_seed]);
        let expected = [
            "mnist-mlp adam, seed 1, learning rate 0.001, batch 64",
            "mnist-mlp adam, seed 1, learning rate 0.01",
            "mnist-mlp adam, seed 1, learning rate 0.001, batch 128",
            "mnist-mlp adam, seed 2",
        ];
        assert_eq!(texts, expected);
    }

    #[test]
    fn equal_runs_are_numbered() {
        let mut old = train_record();
        (old.optimizer, old.batch) = (None, None);
        let texts = names(&[old.clone(), old.clone(), train_record(), old]);
        let old = "mnist-mlp, seed 1";
        let expected = [old, "mnist-mlp, seed 1 (2)", "mnist-mlp adam, seed 1", "mnist-mlp, seed 1 (3)"];
        assert_eq!(texts, expected);
    }
}
