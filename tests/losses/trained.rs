//! What training with the losses comes to.

use std::sync::atomic::AtomicBool;

use crate::common::compare::bits;
use crate::common::observer::Recorder;
use crate::common::runs::{build, digits, recorded, run};
use crate::common::splitmix;
use crate::recipe;
use fallline::data::{DataSet, Origin, Samples, Targets};
use fallline::engine::kernels::reference;
use fallline::engine::model::{Model, Recipe};
use fallline::engine::team::Team;
use fallline::engine::train::{Session, metrics};

fn drawn() -> &'static DataSet {
    digits(2000, 500)
}

/// The losses of all steps, the test accuracy, and every bit of the model after training.
fn trained(recipe: &Recipe, data: &DataSet, threads: usize) -> (Vec<f64>, f64, Vec<u32>) {
    let mut model = build(recipe, data);
    let (record, recorder) = recorded(&mut model, data, recipe, threads).unwrap();
    let bits = bits(model.storage());
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
        let (losses, accuracy, bits) = trained(&recipe, drawn(), 1);
        println!("{loss}: {accuracy}");
        assert!(accuracy > least, "{loss}: {accuracy}");
        if loss == "mean-absolute-error" {
            assert!(losses[0] > 0.2 && *losses.last().unwrap() < 0.11, "{losses:?}");
        }
        assert!((losses, accuracy, bits) == trained(&recipe, drawn(), 3), "{loss} on three threads");
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
    let samples = drawn().train.take(&Vec::from_iter(0..SAMPLES)).unwrap();
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
        let mut model = build(&recipe, drawn());
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
    let samples = drawn().train.take(&Vec::from_iter(0..100)).unwrap();
    let mut model = build(&recipe, drawn());
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
    Samples::floats(x, [1, 1, 5], Targets::Values { values, width: 2 }, 2).unwrap()
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

            let mut model = build(&recipe, &data);
            let team = Team::new(2).unwrap();
            let before = metrics::of_values(&model, &data.test, &recipe.data, &team).unwrap();
            run(&mut model, &data, &recipe, 2).unwrap();
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
        run(&mut model, data, &recipe, 1).unwrap_err().to_string()
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
        message(weights, drawn(), 10),
        "`model.loss.class_weights`: expected 10 weights, one for each class, found 2"
    );
}
