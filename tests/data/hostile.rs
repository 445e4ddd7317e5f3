//! Random and mutated bytes for the readers of recipes and model files: errors are welcome, panics
//! are not.

use std::collections::BTreeMap;
use std::path::Path;

use fallline::engine::model::recipe::{Override, SCHEDULES};
use fallline::engine::model::{NamedTensor, Recipe, checkpoint, saved};
use fallline::engine::optim::schedule::Span;
use proptest::prelude::*;

/// A small model file, as bytes.
fn model_file() -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("m");
    let tensor = |name: &str, shape: &[usize]| {
        let count = shape.iter().product();
        NamedTensor { name: name.into(), shape: shape.to_vec(), values: vec![0.5; count] }
    };
    let metadata = BTreeMap::from([
        ("recipe".to_string(), Recipe::built_in("digits-mlp").unwrap().to_toml()),
        ("input".to_string(), "28x28x1".to_string()),
        ("classes".to_string(), "10".to_string()),
    ]);
    checkpoint::save(&path, &[tensor("0.weight", &[3, 4]), tensor("0.bias", &[3])], &metadata).unwrap();
    std::fs::read(&path).unwrap()
}

/// A change of some bytes: at a place between 0 and 1, these are put in or written over.
fn mutation() -> impl Strategy<Value = (f64, Vec<u8>, bool)> {
    (0.0..1.0, proptest::collection::vec(any::<u8>(), 0..6), any::<bool>())
}

fn mutated(original: &[u8], changes: &[(f64, Vec<u8>, bool)]) -> Vec<u8> {
    let mut bytes = original.to_vec();
    for (place, new, insert) in changes {
        let at = (place * bytes.len() as f64) as usize;
        let removed = if *insert { at } else { (at + new.len()).min(bytes.len()) };
        bytes.splice(at..removed, new.iter().copied());
    }
    bytes
}

/// Reads the bytes both from memory and as the file of a saved model.
fn read_model(bytes: &[u8]) {
    if let Ok((tensors, _)) = checkpoint::parse(bytes, Path::new("m")) {
        for tensor in tensors {
            assert_eq!(tensor.shape.iter().product::<usize>(), tensor.values.len());
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("m");
    std::fs::write(&path, bytes).unwrap();
    if let Err(error) = saved::load(&path) {
        assert!(!error.to_string().is_empty());
    }
}

/// One of each kind.
const SCHEDULE_KEYS: [&str; 24] = [
    "schedule.warmup_epochs",
    "schedule.warmup_steps",
    "schedule.scale",
    "schedule.every_epochs",
    "schedule.every_steps",
    "schedule.gamma",
    "schedule.milestones_epochs",
    "schedule.milestones_steps",
    "schedule.rate",
    "schedule.power",
    "schedule.start_factor",
    "schedule.end_factor",
    "schedule.length_epochs",
    "schedule.length_steps",
    "schedule.first_epochs",
    "schedule.first_steps",
    "schedule.multiplier",
    "schedule.pct_start",
    "schedule.div_factor",
    "schedule.base_momentum",
    "schedule.patience",
    "schedule.threshold",
    "schedule.momentum.scale",
    "schedule.momentum.warmup_epochs",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn random_text_is_no_recipe(text in ".{0,200}") {
        prop_assert!(Recipe::parse(&text, "random").is_err());
    }

    #[test]
    fn random_keys_and_values_are_no_recipe(
        lines in proptest::collection::vec(
            ("[a-z_.\\[\\]]{1,12}", "(=)?", "(-?[0-9]{1,20}|nan|inf|true|\\[\\]|\\{\\}|\"[a-z]{0,5}\")"), 0..8)
    ) {
        let text: String = lines.iter().map(|(key, equals, value)| format!("{key} {equals} {value}\n")).collect();
        prop_assert!(Recipe::parse(&text, "random").is_err());
    }

    #[test]
    fn a_mutated_recipe_is_read_or_refused(
        which in 0usize..8,
        changes in proptest::collection::vec(mutation(), 1..4),
    ) {
        let name = Recipe::built_in_names()[which];
        // The comments are left out so that changes hit what is read.
        let text = Recipe::built_in(name).unwrap().to_toml();
        let text = String::from_utf8_lossy(&mutated(text.as_bytes(), &changes)).into_owned();
        if let Ok(recipe) = Recipe::parse(&text, "mutated") {
            // What is accepted is sound: it can be written and read back.
            prop_assert_eq!(Recipe::parse(&recipe.to_toml(), "copy").unwrap(), recipe);
        }
    }

    #[test]
    fn any_setting_is_applied_or_refused(key in "[a-z0-9_.]{1,30}", value in "\\PC{0,30}") {
        if let Ok(change) = format!("{key}={value}").parse::<Override>() {
            let _ = Recipe::load("digits-mlp", &[change]);
        }
    }

    #[test]
    fn any_value_for_a_known_key_is_applied_or_refused(
        which in 0usize..10,
        value in "(-?[0-9]{1,25}|-?[0-9]e[0-9]{1,4}|nan|-inf|[a-z-]{1,8}|\\[[0-9,]{0,8}\\]|\\{ type = '[a-z]{0,5}' \\})",
    ) {
        let keys = [
            "train.epochs", "train.batch", "train.seed", "data.mean", "data.deviation", "data.train_samples",
            "optimizer.learning_rate", "optimizer.epsilon", "model.layers.0.units", "model.layers.0.activation",
        ];
        let change: Override = format!("{}={value}", keys[which]).parse().unwrap();
        if let Ok(recipe) = Recipe::load("digits-mlp", &[change]) {
            prop_assert_eq!(Recipe::parse(&recipe.to_toml(), "copy").unwrap(), recipe);
        }
    }

    #[test]
    fn any_value_for_a_schedule_is_applied_or_refused(
        name in proptest::sample::select(&SCHEDULES[..]),
        key in proptest::sample::select(&SCHEDULE_KEYS[..]),
        value in "([0-9]{1,20}|-?[0-9](\\.[0-9]{1,3})?(e-?[0-9]{1,3})?|nan|true|cos|\\[[0-9]\\.?[0-9]?(, [0-9]{1,3}){0,2}\\])",
        epochs in 1usize..6,
    ) {
        let settings = [format!("schedule.name={name}"), format!("train.epochs={epochs}"), format!("{key}={value}")];
        let settings: Vec<Override> = settings.iter().filter_map(|text| text.parse().ok()).collect();
        if let Ok(recipe) = Recipe::load("digits-mlp", &settings) {
            prop_assert_eq!(&Recipe::parse(&recipe.to_toml(), "copy").unwrap(), &recipe);
            let run = Span { steps: 7 * epochs as u64, steps_per_epoch: 7 };
            for step in 0..50 {
                let settings = recipe.schedule.settings(step, run, 1.0, Some(0.9));
                prop_assert!((0.0..=1.0 + 1e-12).contains(&settings.learning_rate), "{:?}", settings);
                prop_assert!(settings.momentum.is_none_or(|momentum| (0.0..1.0).contains(&momentum)), "{:?}", settings);
            }
        }
    }

    #[test]
    fn random_bytes_are_no_model(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(checkpoint::parse(&bytes, Path::new("m")).is_err());
        read_model(&bytes);
    }

    #[test]
    fn a_mutated_model_is_read_or_refused(changes in proptest::collection::vec(mutation(), 1..4)) {
        read_model(&mutated(&model_file(), &changes));
    }

    #[test]
    fn a_mutated_header_of_the_right_length_is_read_or_refused(
        place in 0.0f64..1.0,
        new in "[\\[\\]{}:,\"0-9a-zA-Z_]{1,8}",
    ) {
        let mut bytes = model_file();
        let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
        let at = 8 + (place * (length - new.len()) as f64) as usize;
        bytes[at..at + new.len()].copy_from_slice(new.as_bytes());
        read_model(&bytes);
    }
}

/// The generators above reach valid files too, so that the checks behind `Ok` are not idle.
#[test]
fn unchanged_bytes_are_read() {
    let (tensors, metadata) = checkpoint::parse(&mutated(&model_file(), &[]), Path::new("m")).unwrap();
    assert_eq!((tensors.len(), metadata.len()), (2, 3));
}
