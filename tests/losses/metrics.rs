//! Metrics against scikit-learn's in `tests/golden/metrics.json`, which `scripts/golden/metrics.py` made.

use crate::common::golden::{self, count, numbers};
use crate::common::splitmix;
use fallline::data::Unit;
use fallline::engine::train::metrics::{area_under_curve, balanced_accuracy, log_loss, value_metrics};
use serde_json::Value;

/// The seed of target values.
const TARGETS: u64 = 320;

/// Relative; both sides are in f64.
const TOLERANCE: f64 = 1e-12;

/// Outputs `[rows, classes]`, and labels `[rows]`.
fn outputs_and_labels(case: &Value) -> (Vec<f32>, Vec<u8>) {
    let (rows, classes) = (count(&case["rows"]), count(&case["classes"]));
    let scale = case["scale"].as_f64().unwrap() as f32;
    let step = case.get("step").map(|step| step.as_f64().unwrap() as f32);
    let output = |u: &f32| step.map_or(scale * u, |step| (scale * u / step).round_ties_even() * step);
    let outputs = splitmix::uniform(splitmix::INPUTS, rows * classes).iter().map(output).collect();
    let labels = case.get("labels").map_or_else(
        || splitmix::labels(rows, classes as u64),
        |labels| golden::integers(labels).into_iter().map(|label| label as u8).collect(),
    );
    (outputs, labels)
}

/// The first largest output of each row against its label.
fn confusion(outputs: &[f32], labels: &[u8], classes: usize) -> Vec<Vec<usize>> {
    let mut confusion = vec![vec![0; classes]; classes];
    for (row, &label) in outputs.chunks(classes).zip(labels) {
        let largest = (0..classes).fold(0, |best, class| if row[class] > row[best] { class } else { best });
        confusion[usize::from(label)][largest] += 1;
    }
    confusion
}

fn is_close(found: f64, expected: &Value) -> bool {
    let expected = expected.as_f64().expect("a number");
    (found - expected).abs() <= TOLERANCE * expected.abs().max(1e-3)
}

#[test]
fn metrics_of_classes_are_those_of_scikit_learn() {
    let file = golden::read("metrics.json");
    let mut areas = 0;
    for case in golden::cases(&file).iter().filter(|case| case.get("classes").is_some()) {
        let classes = count(&case["classes"]);
        let (outputs, labels) = outputs_and_labels(case);
        let confusion = confusion(&outputs, &labels, classes);
        let flat: Vec<f64> = confusion.iter().flatten().map(|&count| count as f64).collect();
        assert_eq!(flat, numbers(&case["confusion"]));
        let found = balanced_accuracy(&confusion);
        assert!(is_close(found, &case["balanced_accuracy"]), "balanced accuracy {found}: {case}");
        let found = log_loss(&outputs, classes, &labels);
        assert!(is_close(found, &case["log_loss"]), "log loss {found}: {case}");
        let found = area_under_curve(&outputs, classes, &labels);
        match case.get("auc") {
            None => assert_eq!(found, None, "{case}"),
            Some(expected) => {
                let found = found.unwrap();
                assert!(is_close(found, expected), "AUC {found}: {case}");
                // The comparison sees a single output of another size.
                let mut other = outputs.clone();
                other[0] = 10.0;
                assert!(!is_close(area_under_curve(&other, classes, &labels).unwrap(), expected), "{case}");
                assert!(!is_close(log_loss(&other, classes, &labels), &case["log_loss"]), "{case}");
                areas += 1;
            }
        }
    }
    assert!(areas >= 5, "{areas} cases with an area");
}

#[test]
fn metrics_of_values_are_those_of_scikit_learn() {
    let file = golden::read("metrics.json");
    let mut cases = 0;
    for case in golden::cases(&file).iter().filter(|case| case.get("width").is_some()) {
        let (rows, width) = (count(&case["rows"]), count(&case["width"]));
        let targets = splitmix::uniform(TARGETS, rows * width);
        let inputs = splitmix::uniform(splitmix::INPUTS, rows * width);
        let outputs: Vec<f32> = targets.iter().zip(inputs).map(|(t, u)| t + 0.3 * u).collect();
        let units = case["units"].as_array().unwrap().iter().map(numbers);
        let units: Vec<Unit> = units.map(|unit| Unit { factor: unit[0], offset: unit[1] }).collect();
        let found = value_metrics(&outputs, &targets, width, &units);
        let all = [("rmse", found.rmse), ("mae", found.mae), ("r_squared", found.r_squared)];
        for (name, value) in all {
            assert!(is_close(value, &case[name]), "{name} {value}: {case}");
        }
        assert_eq!(found.outputs.len(), if width > 1 { width } else { 0 });
        for (index, output) in found.outputs.iter().enumerate() {
            let all = [("rmse", output.rmse), ("mae", output.mae), ("r_squared", output.r_squared)];
            for (name, value) in all {
                assert!(is_close(value, &case["outputs"][name][index]), "{name} {index} {value}: {case}");
            }
        }
        // Other units, or an output that is off, are seen.
        if !units.is_empty() {
            assert!(!is_close(value_metrics(&outputs, &targets, width, &[]).rmse, &case["rmse"]), "{case}");
        }
        let mut other = outputs.clone();
        other[0] += 0.5;
        let other = value_metrics(&other, &targets, width, &units);
        assert!(!is_close(other.rmse, &case["rmse"]) && !is_close(other.r_squared, &case["r_squared"]));
        cases += 1;
    }
    assert!(cases >= 3, "{cases} cases of values");
}
