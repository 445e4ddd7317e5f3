use super::*;
use crate::train::record::Evaluation;
use serde_json::json;

/// A run with this test accuracy; its epochs take half a second each and have these validation
/// accuracies.
fn run(seed: u64, accuracy: f64, validation: &[f64]) -> TrainRecord {
    let epoch = |(index, accuracy): (usize, &f64)| {
        json!({"epoch": index + 1, "train_loss": 0.5, "train_accuracy": 0.9, "seconds": 0.5,
               "samples_per_second": 1e5, "validation_loss": 0.5, "validation_accuracy": accuracy})
    };
    let epochs: Vec<_> = validation.iter().enumerate().map(epoch).collect();
    let machine = json!({"cpu": "c", "cores": 2, "instruction_set": "AVX2", "os": "linux x86_64"});
    serde_json::from_value(json!({
        "schema": "fallline.train/1", "recipe": "r", "seed": seed, "threads": 2, "machine": machine,
        "model": {"parameters": 3, "train_flops_per_sample": 12.0}, "epochs": epochs,
        "test": {"loss": 0.1, "accuracy": accuracy}, "train_seconds": 0.5 * validation.len() as f64,
        "stop_reason": "epochs"
    }))
    .unwrap()
}

fn recipe(target: Option<f64>, seeds: &[u64]) -> RecipeRecord {
    RecipeRecord {
        recipe: "r".into(),
        summary: "s".into(),
        settings: "name = \"r\"\n".into(),
        data: "mnist".into(),
        target,
        target_loss: None,
        seeds: seeds.to_vec(),
        runs: Vec::new(),
        accuracy: None,
        values: None,
        loss: None,
        train_seconds: None,
        seconds_to_accuracy: None,
        verdict: Verdict::Unfinished,
    }
}

fn record(recipes: Vec<RecipeRecord>, until_accuracy: Option<f64>) -> ReproduceRecord {
    let command = "fallline reproduce r".to_string();
    ReproduceRecord { recipes, ..ReproduceRecord::new(&[], command, 2, until_accuracy) }
}

/// The verdict on these test accuracies.
fn verdict(target: Option<f64>, accuracies: &[f64]) -> Verdict {
    let seeds: Vec<u64> = (1..=accuracies.len() as u64).collect();
    let mut record = record(vec![recipe(target, &seeds)], None);
    for (&seed, &accuracy) in seeds.iter().zip(accuracies) {
        assert!(!record.is_complete() && !record.has_missed());
        record.add(0, run(seed, accuracy, &[0.5]));
    }
    assert!(record.is_complete());
    assert_eq!(record.has_missed(), record.recipes[0].verdict == Verdict::Missed);
    record.recipes[0].verdict
}

#[test]
fn the_mean_is_compared_with_the_target() {
    assert_eq!(verdict(Some(0.98), &[0.97, 0.99]), Verdict::Met);
    assert_eq!(verdict(Some(0.98), &[0.97, 0.9899]), Verdict::Missed);
    assert_eq!(verdict(Some(0.98), &[0.9799]), Verdict::Missed);
    assert_eq!(verdict(None, &[0.1, 0.2]), Verdict::NoTarget);
    // Ten times this number do not sum up to ten times it.
    let tenth = [0.9811; 10];
    assert!(tenth.iter().sum::<f64>() / 10.0 < 0.9811);
    assert_eq!(verdict(Some(0.9811), &tenth), Verdict::Met);
}

/// A loss that is not finite has no mean, and meets nothing.
#[test]
fn the_mean_loss_is_compared_with_the_loss_to_come_down_to() {
    let verdict = |target_loss: f64, losses: &[f64]| {
        let of_loss = RecipeRecord { target_loss: Some(target_loss), ..recipe(None, &[7, 8]) };
        let mut record = record(vec![of_loss], None);
        for (&seed, &loss) in [7, 8].iter().zip(losses) {
            record.add(0, TrainRecord { test: Some(Evaluation::new(loss, 0.5)), ..run(seed, 0.5, &[]) });
        }
        let json = serde_json::to_string(&record).unwrap();
        let finite = losses.iter().all(|loss| loss.is_finite());
        assert!(!finite || serde_json::from_str::<ReproduceRecord>(&json).unwrap() == record);
        (record.recipes[0].verdict, record.recipes[0].loss.map(|loss| loss.mean))
    };
    assert_eq!(verdict(1.5, &[1.0, 2.0]), (Verdict::Met, Some(1.5)));
    assert_eq!(verdict(1.49, &[1.0, 2.0]), (Verdict::Missed, Some(1.5)));
    assert_eq!(verdict(1.5, &[1.0, f64::NAN]), (Verdict::Missed, None));
    assert_eq!(verdict(1.5, &[1.0]), (Verdict::Unfinished, Some(1.0)));
}

#[test]
fn missing_seeds_are_named_and_leave_no_verdict() {
    let mut record = record(vec![recipe(Some(0.5), &[7, 8, 9]), recipe(Some(0.5), &[1])], None);
    record.add(0, run(7, 0.75, &[0.5]));
    record.add(0, run(8, 0.25, &[0.5, 0.5]));
    let first = &record.recipes[0];
    assert_eq!((first.missing(), first.verdict), (vec![9], Verdict::Unfinished));
    assert_eq!((first.accuracy.unwrap().mean, first.train_seconds), (0.5, Some(0.75)));
    assert_eq!((record.recipes[1].missing(), record.recipes[1].accuracy), (vec![1], None));
    assert!(!record.is_complete() && !record.has_missed());
}

#[test]
fn the_time_to_an_accuracy_is_that_of_the_first_epoch_with_it() {
    let run = |validation: &[f64]| run(1, 0.9, validation);
    let found = time_to(&run(&[0.6, 0.9, 0.8]), 0.7).unwrap();
    assert_eq!(found, Reached { seconds: 1.0, epochs: 2, accuracy: 0.9 });
    assert_eq!(time_to(&run(&[0.6, 0.9]), 0.6).unwrap().epochs, 1);
    assert_eq!(time_to(&run(&[0.6, 0.9]), 0.91), None);
    let mut thinned = run(&[0.6, 0.6, 0.9]);
    thinned.epochs.remove(1);
    assert_eq!(time_to(&thinned, 0.7).unwrap(), Reached { seconds: 1.5, epochs: 3, accuracy: 0.9 });
}

/// The means are those of all runs, or there are none.
#[test]
fn values_have_means_of_their_own() {
    let mut record = record(vec![recipe(None, &[7, 8, 9])], None);
    let of_values = |seed: u64, rmse: f64, r_squared: f64| {
        let values = ValueMetrics { rmse, mae: 1.0, r_squared, outputs: Vec::new() };
        let test = Evaluation { accuracy: None, values: Some(values), ..Evaluation::new(0.5, 0.0) };
        TrainRecord { test: Some(test), ..run(seed, 0.0, &[]) }
    };
    record.add(0, of_values(7, 2.0, 0.5));
    record.add(0, of_values(8, 4.0, 0.75));
    let ValueEstimates { rmse, r_squared } = record.recipes[0].values.unwrap();
    assert_eq!((rmse.mean, rmse.deviation), (3.0, Some(2f64.sqrt())));
    assert_eq!((r_squared.mean, record.recipes[0].accuracy), (0.625, None));
    let json = serde_json::to_string(&record).unwrap();
    assert_eq!(serde_json::from_str::<ReproduceRecord>(&json).unwrap(), record);
    record.add(0, of_values(9, f64::INFINITY, f64::NEG_INFINITY));
    assert_eq!((record.recipes[0].values, record.recipes[0].verdict), (None, Verdict::NoTarget));
}

/// A run without a test counts as missed whatever the others reach.
#[test]
fn a_run_without_a_test_misses_the_target() {
    let mut record = record(vec![recipe(Some(0.5), &[7, 8]), recipe(None, &[7])], None);
    let lost = TrainRecord { test: None, ..run(7, 0.9, &[]) };
    record.add(0, lost.clone());
    record.add(0, run(8, 0.9, &[0.5]));
    record.add(1, lost);
    assert_eq!(record.recipes[0].accuracy.unwrap().mean, 0.9);
    assert_eq!((record.recipes[0].verdict, record.recipes[1].verdict), {
        (Verdict::Missed, Verdict::NoTarget)
    });
}

#[test]
fn a_run_that_never_gets_there_counts_as_endless() {
    let until = |validations: &[&[f64]]| {
        let seeds: Vec<u64> = (0..validations.len() as u64).collect();
        // The target of the test accuracy, which is missed, does not matter.
        let mut record = record(vec![recipe(Some(1.0), &seeds)], Some(0.9));
        for (&seed, validation) in seeds.iter().zip(validations) {
            record.add(0, run(seed, 0.8, validation));
        }
        (record.recipes[0].seconds_to_accuracy, record.recipes[0].verdict)
    };
    assert_eq!(until(&[&[0.9], &[0.8, 0.9], &[0.8, 0.8, 0.9]]), (Some(1.0), Verdict::Met));
    assert_eq!(until(&[&[0.9], &[0.8, 0.9], &[0.8, 0.8, 0.8]]), (Some(1.0), Verdict::Missed));
    assert_eq!(until(&[&[0.9], &[0.8, 0.8], &[0.8, 0.8, 0.8]]), (None, Verdict::Missed));
}

#[test]
fn the_record_has_the_documented_keys_and_is_read_back() {
    let mut record = record(vec![recipe(Some(0.5), &[7, 8])], Some(0.4));
    record.machine =
        Machine { cpu: "c".into(), cores: 2, instruction_set: "AVX2".into(), os: "linux x86_64".into() };
    record.add(0, run(7, 0.75, &[0.5]));
    record.add(0, run(8, 0.25, &[0.5]));
    let mut json = serde_json::to_value(&record).unwrap();
    assert_eq!(serde_json::from_value::<ReproduceRecord>(json.clone()).unwrap(), record);
    let runs = json["recipes"][0].as_object_mut().unwrap().remove("runs").unwrap();
    assert_eq!(runs[1], serde_json::to_value(&record.recipes[0].runs[1]).unwrap());
    let interval = record.recipes[0].accuracy.unwrap().interval.unwrap();
    let expected = json!({
        "schema": "fallline.reproduce/1", "version": env!("CARGO_PKG_VERSION"),
        "command": "fallline reproduce r",
        "machine": {"cpu": "c", "cores": 2, "instruction_set": "AVX2", "os": "linux x86_64"},
        "threads": 2, "until_accuracy": 0.4,
        "recipes": [{
            "recipe": "r", "summary": "s", "settings": "name = \"r\"\n", "data": "mnist", "target": 0.5,
            "seeds": [7, 8],
            "accuracy": {"mean": 0.5, "deviation": 0.125f64.sqrt(), "interval": interval},
            "train_seconds": 0.5, "seconds_to_accuracy": 0.5, "verdict": "met"
        }]
    });
    assert_eq!(json, expected);
    assert!(serde_json::from_value::<Verdict>("perhaps".into()).is_err());
}
