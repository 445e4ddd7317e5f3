//! The losses against PyTorch's in `tests/golden/losses.json`, which `scripts/golden/losses.py` made; and
//! what training with them comes to.

use std::sync::OnceLock;
use std::sync::atomic::AtomicBool;

use crate::common::golden::{self, count, numbers, text};
use crate::common::observer::Recorder;
use crate::common::splitmix;
use fallline::data::{self, DataSet, Origin, Samples, source};
use fallline::engine::kernels::loss::Rows;
use fallline::engine::kernels::reference;
use fallline::engine::losses::{Loss, Scores, Targets};
use fallline::engine::model::recipe::Override;
use fallline::engine::model::{Model, Recipe};
use fallline::engine::team::Team;
use fallline::engine::train::{self, Session, metrics};
use serde_json::Value;

/// Of a value, relative to it if it is above 1; of a gradient, relative to the largest of its row, or to
/// that of a whole sample if it is more.
const TOLERANCE: f64 = 5e-7;

/// A digits network with this loss; `loss` as a recipe writes it.
fn recipe(loss: &str, changes: &[&str]) -> Recipe {
    let loss = format!("model.loss={loss}");
    let changes: Vec<Override> =
        [&loss[..]].iter().chain(changes).map(|change| change.parse().unwrap()).collect();
    Recipe::load("digits-mlp", &changes).unwrap()
}

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
        "cross-entropy" => with("label_smoothing", loss.single("label_smoothing") + 1e-3),
        "focal" => with("gamma", loss.single("gamma") + 1e-3),
        "kl-divergence" => Loss::cross_entropy().with("label_smoothing", 1e-3).unwrap(),
        "huber" => with("delta", loss.single("delta") * 1.001),
        "hinge" => with("margin", loss.single("margin") * 1.001),
        "mean-squared-error" => Loss::huber(100.0),
        "mean-absolute-error" => Loss::huber(0.001),
        _ => Loss::MEAN_SQUARED_ERROR,
    }
}

#[test]
fn agree_with_pytorch() {
    let file = golden::read("losses.json");
    assert_eq!(golden::cases(&file).len(), 29);
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

fn digits() -> &'static DataSet {
    static DIGITS: OnceLock<DataSet> = OnceLock::new();
    DIGITS.get_or_init(|| source::generate_digits([2000, 500], 1).unwrap())
}

fn build(recipe: &Recipe, data: &DataSet, outputs: usize) -> Model {
    Model::build(&recipe.model, data.train.shape(), outputs, recipe.train.seed).unwrap()
}

/// The losses of all steps, the test accuracy, and every bit of the model after training.
fn trained(recipe: &Recipe, data: &DataSet, threads: usize) -> (Vec<f64>, f64, Vec<u32>) {
    let mut model = build(recipe, data, data.classes);
    let (stop, mut recorder) = (AtomicBool::new(false), Recorder::default());
    let team = Team::new(threads).unwrap();
    let record = train::run(&mut model, data, recipe, &team, &stop, &mut recorder).unwrap();
    let bits = model.storage().iter().map(|x| x.to_bits()).collect();
    (recorder.losses, record.test.unwrap().accuracy.unwrap_or(f64::NAN), bits)
}

/// Every loss teaches the digits, and the same on one thread and on three.
#[test]
fn digits_are_learnt_by_each_loss() {
    let weights = "[1, 2, 1, 0.5, 1, 1, 1, 3, 1, 1]";
    let weighted = &format!("{{type='cross-entropy', class_weights={weights}}}")[..];
    // With an accuracy that is a little below what was reached. Absolute error draws all outputs to 0,
    // the median of a one-hot column, where an accuracy has no meaning: the loss is 0.1 there.
    for (loss, least) in [
        ("cross-entropy", 0.87),
        ("{type='cross-entropy', label_smoothing=0.1}", 0.87),
        (weighted, 0.87),
        ("binary-cross-entropy", 0.86),
        ("mean-squared-error", 0.78),
        ("mean-absolute-error", 0.0),
        ("{type='huber', delta=0.5}", 0.78),
        ("hinge", 0.86),
        ("{type='hinge', squared=true}", 0.83),
        ("kl-divergence", 0.87),
        ("poisson", 0.83),
        ("log-cosh", 0.78),
        ("focal", 0.87),
    ] {
        let recipe = recipe(loss, &["train.epochs=10", "optimizer.learning_rate=0.001"]);
        let (losses, accuracy, bits) = trained(&recipe, digits(), 1);
        println!("{loss}: {accuracy}");
        assert!(accuracy > least, "{loss}: {accuracy}");
        if loss == "mean-absolute-error" {
            assert!(losses[0] > 0.2 && *losses.last().unwrap() < 0.11, "{losses:?}");
        }
        assert!((losses, accuracy, bits) == trained(&recipe, digits(), 3), "{loss} on three threads");
    }
}

/// A single layer on these digits with class weights and smoothing, in one batch that is computed in
/// blocks: their mean is over all of it, and so is the gradient.
#[test]
fn a_batch_in_blocks_has_one_divisor() {
    const SAMPLES: usize = 700;
    let weights: Vec<f64> = (0..10).map(|class| 0.25 * f64::from(class)).collect();
    let loss = format!("{{type='cross-entropy', label_smoothing=0.125, class_weights={weights:?}}}");
    let layers = "model.layers=[{type='dense', units=10, weight_init='zeros'}]";
    let train = ["train.epochs=1", "train.batch=700", "optimizer.name=sgd", "optimizer.learning_rate=1"];
    let recipe = recipe(&loss, &[&[layers], &train[..]].concat());
    let samples = digits().train.take(&Vec::from_iter(0..SAMPLES)).unwrap();
    let labels = samples.labels().unwrap();

    // All logits are 0 at first.
    let rows = labels.iter().map(|&label| {
        reference::cross_entropy(&[0.0; 10], &reference::one_hot(label.into(), 10), &weights, 0.125)
    });
    let (mut sum, mut gradient) = (0.0, [0.0; 10]);
    for (value, row) in rows {
        sum += value;
        gradient.iter_mut().zip(row).for_each(|(total, d)| *total += d);
    }
    let divisor: f64 = labels.iter().map(|&label| weights[usize::from(label)]).sum();
    for threads in [1, 3] {
        let mut model = build(&recipe, digits(), 10);
        let (stop, mut recorder) = (AtomicBool::new(false), Recorder::default());
        let team = Team::new(threads).unwrap();
        let mut session = Session::new(&mut model, &samples, &recipe, &team).unwrap();
        let record = session.epoch(&stop, &mut recorder).unwrap();
        assert_eq!(recorder.losses, [record.train_loss]);
        assert!((record.train_loss - sum / divisor).abs() < 1e-6, "{} {}", record.train_loss, sum / divisor);
        // With a learning rate of 1 the biases are what the gradient was, turned around.
        let tensors = model.tensors();
        let bias = &tensors.iter().find(|tensor| tensor.name == "0.bias").unwrap().values;
        for (bias, gradient) in bias.iter().zip(gradient) {
            let expected = -gradient / divisor;
            assert!((f64::from(*bias) - expected).abs() < 1e-6, "{bias} {expected}");
            // By the number of samples it would be another.
            assert!((f64::from(*bias) + gradient / SAMPLES as f64).abs() > 1e-6 || gradient == 0.0);
        }
    }
}

#[test]
fn batches_without_any_weight_change_nothing() {
    // Batches of one, of which only the nines count, and teach little, so that each has a loss.
    let loss = "{type='cross-entropy', class_weights=[0,0,0,0,0,0,0,0,0,1]}";
    let train = ["train.epochs=1", "train.batch=1", "train.shuffle=false"];
    let slow_sgd = ["optimizer.name=sgd", "optimizer.learning_rate=1e-4"];
    let recipe = recipe(loss, &[&train[..], &slow_sgd].concat());
    let samples = digits().train.take(&Vec::from_iter(0..100)).unwrap();
    let mut model = build(&recipe, digits(), 10);
    let mut recorder = Recorder::default();
    let team = Team::new(1).unwrap();
    let mut session = Session::new(&mut model, &samples, &recipe, &team).unwrap();
    let record = session.epoch(&AtomicBool::new(false), &mut recorder).unwrap();
    for (loss, &label) in recorder.losses.iter().zip(samples.labels().unwrap()) {
        assert_eq!(*loss == 0.0, label != 9, "{loss} {label}");
    }
    let nines = samples.labels().unwrap().iter().filter(|&&label| label == 9).count();
    assert!((record.train_loss - recorder.losses.iter().sum::<f64>() / nines as f64).abs() < 1e-12);
}

/// Values that are a linear function of the features, with some noise: `[samples, 2]`.
fn linear(samples: usize, seed: u64) -> Samples {
    let x = splitmix::uniform(seed, samples * 5);
    let noise = splitmix::uniform(seed + 1, samples * 2);
    let row = |(x, noise): (&[f32], &[f32])| {
        let [y0, y1] = [x[0] - 2.0 * x[1] + 0.5, 0.5 * x[2] + x[4] - 1.0];
        [y0 + 0.05 * noise[0], y1 + 0.05 * noise[1]]
    };
    let values = x.chunks_exact(5).zip(noise.chunks_exact(2)).flat_map(row).collect();
    Samples::floats(x, [1, 1, 5], data::Targets::Values { values, width: 2 }, 2).unwrap()
}

/// Regression on values: a batch in several blocks, samples shuffled.
#[test]
fn values_are_learnt() {
    let data =
        DataSet::new("line", 2, linear(900, 50), linear(200, 60), Origin::Generated { seed: 0 }).unwrap();
    for loss in ["mean-squared-error", "mean-absolute-error", "huber"] {
        for batch in ["train.batch=32", "train.batch=300"] {
            let changes = [
                "model.layers=[{type='dense', units=2}]",
                "data.mean=0.0",
                "data.deviation=1.0",
                "optimizer.name=adam",
                "optimizer.learning_rate=0.02",
                "train.epochs=60",
                batch,
            ];
            let recipe = recipe(loss, &changes);
            let (losses, accuracy, bits) = trained(&recipe, &data, 1);
            assert!(accuracy.is_nan());
            let (other_losses, _, other_bits) = trained(&recipe, &data, 3);
            assert!(losses == other_losses && bits == other_bits, "{loss} on three threads");

            let mut model = build(&recipe, &data, 2);
            let team = Team::new(2).unwrap();
            let before = metrics::of_values(&model, &data.test, &recipe.data, &team).unwrap();
            train::run(&mut model, &data, &recipe, &team, &AtomicBool::new(false), &mut Recorder::default())
                .unwrap();
            let after = metrics::of_values(&model, &data.test, &recipe.data, &team).unwrap();
            println!("{loss} {batch}: {after:?}, before {before:?}");
            // The noise is uniform on ±0.05: its deviation is 0.029.
            assert!(before.rmse > 0.5 && after.rmse < 0.04, "{before:?} {after:?}");
            assert!(before.r_squared < 0.5 && after.r_squared > 0.99, "{before:?} {after:?}");
        }
    }
}

#[test]
fn what_does_not_fit_is_refused_before_training() {
    let data =
        DataSet::new("line", 2, linear(90, 50), linear(20, 60), Origin::Generated { seed: 0 }).unwrap();
    let message = |loss: &str, data: &DataSet, outputs: usize| {
        let recipe = recipe(loss, &[&format!("model.layers=[{{type='dense', units={outputs}}}]")]);
        let mut model = match Model::build(&recipe.model, data.train.shape(), outputs, 1) {
            Ok(model) => model,
            Err(error) => return error.to_string(),
        };
        let team = Team::new(1).unwrap();
        let result =
            train::run(&mut model, data, &recipe, &team, &AtomicBool::new(false), &mut Recorder::default());
        result.unwrap_err().to_string()
    };
    assert_eq!(
        message("mean-squared-error", &data, 3),
        "target values: expected 3 a sample, one for each output, found 2"
    );
    assert_eq!(message("hinge", &data, 2), "targets of the loss hinge: expected classes, found values");
    let probabilities = message("cross-entropy", &data, 2);
    assert!(
        probabilities.starts_with("targets of the loss cross-entropy: expected numbers in [0, 1], found ")
    );
    let weights = "{type='cross-entropy', class_weights=[1, 2]}";
    assert_eq!(
        message(weights, digits(), 10),
        "`model.loss.class_weights`: expected 10 weights, one for each class, found 2"
    );
}
