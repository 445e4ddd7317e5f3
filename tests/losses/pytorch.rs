//! The losses against PyTorch's in `tests/golden/losses.json`, which `scripts/golden/losses.py` made.

use crate::common::golden::{self, count, numbers, text};
use crate::common::splitmix;
use crate::recipe;
use fallline::engine::kernels::loss::Rows;
use fallline::engine::losses::{Loss, Scores, Targets};
use serde_json::Value;

/// Of a value, relative to it if it is above 1; of a gradient, relative to the largest of its row, or to
/// that of a whole sample if it is more.
const TOLERANCE: f64 = 5e-7;

/// The loss of a golden case, by way of a recipe.
fn loss_of(case: &Value) -> Loss {
    let mut parameters = format!("type = \"{}\"", text(&case["loss"]));
    for (key, value) in case["options"].as_object().unwrap() {
        parameters += &format!(", {key} = {value}");
    }
    recipe(&format!("{{{parameters}}}"), &[]).model.loss
}

/// The mean loss of a case and its gradient, as a step computes them.
fn answer(case: &Value, loss: &Loss) -> (f64, Vec<f32>) {
    let (rows, classes) = (count(&case["rows"]), count(&case["classes"]));
    let shape = Rows { classes, stride: classes.next_multiple_of(16) };
    let y: Vec<f32> = splitmix::uniform(splitmix::INPUTS, rows * classes).iter().map(|u| 4.0 * u).collect();
    let mut padded = vec![0.0; rows * shape.stride];
    for (row, y) in padded.chunks_exact_mut(shape.stride).zip(y.chunks_exact(classes)) {
        row[..classes].copy_from_slice(y);
    }
    let labels = splitmix::labels(rows, classes as u64);
    let values: Vec<f32> = case
        .get("values")
        .map_or(Vec::new(), |values| numbers(values).into_iter().map(|x| x as f32).collect());
    let targets = if values.is_empty() { Targets::Classes(&labels) } else { Targets::Values(&values) };
    loss.check(classes).unwrap();
    loss.check_targets(targets, classes).unwrap();

    let loss = loss.function();
    let weight = loss.weight(targets, 0..rows);
    let mut gradient = vec![0.0; padded.len()];
    let (mut losses, mut correct) = (vec![0.0; rows], vec![0; rows]);
    let scores = Scores { losses: &mut losses, correct: &mut correct };
    loss.gradient(&mut gradient, scores, &padded, targets, shape, 1.0 / weight as f32);
    let mean = losses.iter().map(|&loss| f64::from(loss)).sum::<f64>() / weight;
    (mean, gradient.chunks(shape.stride).flat_map(|row| row[..classes].to_vec()).collect())
}

/// The largest deviation from a case, in units of the tolerance.
fn deviation((value, gradient): &(f64, Vec<f32>), case: &Value) -> f64 {
    let expected = case["value"].as_f64().unwrap();
    let of_value = (value - expected).abs() / expected.abs().max(1.0);
    let rows = count(&case["rows"]);
    let pairs = gradient.chunks(count(&case["classes"])).zip(case["gradient"].as_array().unwrap());
    let of_rows = pairs.map(|(found, expected)| {
        let expected = numbers(expected);
        assert_eq!(found.len(), expected.len());
        let largest = expected.iter().fold(1.0 / rows as f64, |max, x| max.max(x.abs()));
        let differences = found.iter().zip(&expected).map(|(f, e)| (f64::from(*f) - e).abs() / largest);
        differences.fold(0.0, f64::max)
    });
    of_rows.fold(of_value, f64::max) / TOLERANCE
}

/// The same kind of loss, a little off.
fn broken(loss: &Loss) -> Loss {
    let with = |key: &str, value: f32| loss.clone().with(key, value).unwrap();
    match loss.name() {
        "cross-entropy" => with("label_smoothing", loss.values().single("label_smoothing") + 1e-3),
        "focal" => with("gamma", loss.values().single("gamma") + 1e-3),
        "kl-divergence" => Loss::cross_entropy().with("label_smoothing", 1e-3).unwrap(),
        "huber" => with("delta", loss.values().single("delta") * 1.001),
        "hinge" => with("margin", loss.values().single("margin") * 1.001),
        "mean-squared-error" => Loss::huber(100.0),
        "mean-absolute-error" => Loss::huber(0.001),
        _ => Loss::MEAN_SQUARED_ERROR,
    }
}

#[test]
fn agree_with_pytorch() {
    let file = golden::read("losses.json");
    assert_eq!(golden::cases(&file).len(), 31);
    for case in golden::cases(&file) {
        let loss = loss_of(case);
        let right = deviation(&answer(case, &loss), case);
        println!("{} {} {}: {right:.3}", case["loss"], case["options"], case["targets"]);
        assert!(right <= 1.0, "{loss:?} {}: {right}", case["targets"]);
        // With one class there is nothing to smooth.
        if case["classes"] != 1 {
            let wrong = deviation(&answer(case, &broken(&loss)), case);
            assert!(wrong > 1.0, "{loss:?}: another loss goes unnoticed: {wrong}");
        }
        let (value, mut gradient) = answer(case, &loss);
        gradient[0] += 1e-5;
        assert!(deviation(&(value, gradient), case) > 1.0);
    }
}
