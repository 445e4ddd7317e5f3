//! Samples that have weights: what they change in a step, a training and an evaluation, and what they do not.
//! `scripts/golden/weights.py` made `tests/golden/weights.json`.

use std::sync::Mutex;

use crate::common::compare::{bits, largest_deviation, widened};
use crate::common::{golden, splitmix};
use fallline::{Activation, Loss, Model, Optimizer, Samples, Trainer};
use serde_json::Value;

const DIMS: [u64; 3] = [6, 5, 3];
const WIDTH: usize = 6;
const CLASSES: usize = 3;

/// The seeds of weights and target values, as in the script.
const SAMPLE_WEIGHTS: u64 = 500;
const VALUES: u64 = 501;

fn x(count: usize) -> Vec<f32> {
    splitmix::uniform(splitmix::INPUTS, count * WIDTH)
}

fn y(count: usize) -> Vec<f32> {
    splitmix::uniform(VALUES, count * CLASSES)
}

fn labels(count: usize) -> Vec<u8> {
    splitmix::labels(count, CLASSES as u64)
}

/// Weights in [0, 2), of every fifth sample 0.
fn weights(count: usize) -> Vec<f32> {
    let number = |(place, u): (usize, f32)| if place.is_multiple_of(5) { 0.0 } else { u + 1.0 };
    splitmix::uniform(SAMPLE_WEIGHTS, count).into_iter().enumerate().map(number).collect()
}

fn cross_entropy(class_weights: &[f32]) -> Loss {
    Loss::cross_entropy().with("class_weights", class_weights.to_vec()).unwrap()
}

fn model(loss: Loss) -> Model {
    let layers = Model::sequential(WIDTH).dense(5, Activation::TANH).dense(CLASSES, Activation::IDENTITY);
    let mut model = layers.loss(loss).build().unwrap();
    golden::initialise(&mut model, &DIMS);
    model
}

fn parameters(model: &Model) -> Vec<f32> {
    model.tensors().into_iter().flat_map(|tensor| tensor.values).collect()
}

/// The largest difference of two models' parameters.
fn distance(one: &Model, other: &Model) -> f64 {
    let (one, other) = (parameters(one), parameters(other));
    one.iter().zip(&other).map(|(a, b)| f64::from((a - b).abs())).fold(0.0, f64::max)
}

/// Samples with classes, or with values if `loss` is one of these, and with weights if there are some.
fn samples(loss: &Loss, count: usize, weights: &[f32]) -> Samples {
    let rows = Samples::from_rows(x(count), WIDTH);
    let samples =
        if *loss == Loss::MEAN_SQUARED_ERROR { rows.values(y(count)) } else { rows.classes(labels(count)) };
    if weights.is_empty() {
        samples.unwrap()
    } else {
        samples.unwrap().with_weights(weights.to_vec()).unwrap()
    }
}

fn sgd(rate: f64, batch: usize) -> Trainer {
    Trainer::new().optimizer(Optimizer::sgd(rate)).batch(batch).shuffle(false).threads(2)
}

/// The losses of the steps of a case, and the model after them.
fn stepped(file: &Value, case: &Value, weighted: bool) -> (Vec<f64>, Model) {
    let [count, batch] = ["samples", "batch"].map(|key| golden::count(&file[key]));
    let class_weights: Vec<f32> =
        golden::numbers(&case["class_weights"]).into_iter().map(|w| w as f32).collect();
    let are_values = golden::text(&case["loss"]) == "mean_squared_error";
    let mut model = model(if are_values { Loss::MEAN_SQUARED_ERROR } else { cross_entropy(&class_weights) });
    let rate = case["learning_rate"].as_f64().unwrap();
    let rule = Optimizer::named(golden::text(&case["optimizer"])).unwrap().rate(rate);
    let mut steps = sgd(rate, batch).optimizer(rule).steps(&mut model).unwrap();
    let (x, y, labels, weights) = (x(count), y(count), labels(count), weights(count));
    let (mut losses, mut start) = (Vec::new(), 0);
    for _ in golden::numbers(&case["losses"]) {
        let end = (start + batch).min(count);
        let weights = if weighted { weights[start..end].to_vec() } else { vec![1.0; end - start] };
        let x = &x[start * WIDTH..end * WIDTH];
        let record = if are_values {
            steps.step_weighted(x, &y[start * CLASSES..end * CLASSES], &weights)
        } else {
            steps.step_weighted(x, &labels[start..end], &weights)
        };
        losses.push(record.unwrap().loss);
        start = if end == count { 0 } else { end };
    }
    drop(steps);
    (losses, model)
}

#[test]
fn steps_on_weighted_samples_are_those_of_pytorch() {
    let file = golden::read("weights.json");
    let count = golden::count(&file["samples"]);
    assert_eq!(splitmix::fingerprint(&weights(count)), file["weight_fingerprint"].as_u64().unwrap());
    for case in golden::cases(&file) {
        let name = golden::text(&case["name"]);
        let deviations = |weighted: bool| {
            let (losses, model) = stepped(&file, case, weighted);
            let expected = golden::numbers(&case["parameters"]);
            let found = widened(&parameters(&model));
            [golden::loss_deviation(&losses, case), largest_deviation(&found, &expected, 0.1)]
        };
        let [losses, last] = deviations(true);
        assert!(losses < 2e-6 && last < 2e-5, "{name}: {losses:e} {last:e}");
        // Without the weights the numbers are others.
        let [losses, last] = deviations(false);
        assert!(losses > 1e-2 && last > 1e-2, "{name}: {losses:e} {last:e}");
    }
}

/// The weighted mean loss of one dense layer, in f64. `parameters`: weights `[CLASSES, WIDTH]`, then biases.
fn mean_of_linear(parameters: &[f64], loss: &Loss, class_weights: &[f32], weights: &[f32]) -> f64 {
    let count = weights.len();
    let (x, y, labels) = (x(count), y(count), labels(count));
    let (mut sum, mut divisor) = (0.0, 0.0);
    for sample in 0..count {
        let outputs: Vec<f64> = (0..CLASSES)
            .map(|class| {
                let products = (0..WIDTH)
                    .map(|i| parameters[class * WIDTH + i] * f64::from(x[sample * WIDTH + i]))
                    .sum::<f64>();
                products + parameters[CLASSES * WIDTH + class]
            })
            .collect();
        let (weight, label) = (f64::from(weights[sample]), usize::from(labels[sample]));
        if *loss == Loss::MEAN_SQUARED_ERROR {
            let square = |class: usize| (outputs[class] - f64::from(y[sample * CLASSES + class])).powi(2);
            sum += weight * (0..CLASSES).map(square).sum::<f64>() / CLASSES as f64;
            divisor += weight;
        } else {
            let of_class = class_weights.get(label).map_or(1.0, |&weight| f64::from(weight));
            let log_sum = outputs.iter().map(|y| y.exp()).sum::<f64>().ln();
            sum += weight * of_class * (log_sum - outputs[label]);
            divisor += weight * of_class;
        }
    }
    sum / divisor
}

#[test]
fn gradients_are_the_finite_differences_of_the_weighted_mean() {
    const COUNT: usize = 23;
    let class_weights = [0.5, 2.0, 1.25];
    for (loss, class_weights) in [
        (cross_entropy(&[]), &[][..]),
        (cross_entropy(&class_weights), &class_weights),
        (Loss::MEAN_SQUARED_ERROR, &[]),
    ] {
        let weights = weights(COUNT);
        let of_weights = |used: &[f32]| -> f64 {
            let layers = Model::sequential(WIDTH).dense(CLASSES, Activation::IDENTITY);
            let mut model = layers.loss(loss.clone()).build().unwrap();
            golden::initialise(&mut model, &[WIDTH as u64, CLASSES as u64]);
            let before = widened(&parameters(&model));
            // With a rate of 1 the gradient is what a step takes off.
            let (trainer, samples) = (sgd(1.0, COUNT).epochs(1), samples(&loss, COUNT, used));
            trainer.fit(&mut model, &samples).unwrap();
            let after = widened(&parameters(&model));
            let difference = |place: usize| {
                let at = |h: f64| {
                    let mut moved = before.clone();
                    moved[place] += h;
                    mean_of_linear(&moved, &loss, class_weights, &weights)
                };
                (at(1e-5) - at(-1e-5)) / 2e-5
            };
            let errors =
                (0..before.len()).map(|place| (before[place] - after[place] - difference(place)).abs());
            errors.fold(0.0, f64::max)
        };
        let error = of_weights(&weights);
        assert!(error < 1e-6, "{loss:?}: {error:e}");
        // Gradients of the plain mean are others.
        assert!(of_weights(&[]) > 1e-2, "{loss:?}");
    }
}

/// Samples as often as their weights, which are whole numbers.
fn repeated(samples: &Samples, weights: &[f32]) -> Samples {
    let indices: Vec<usize> =
        weights.iter().enumerate().flat_map(|(index, &weight)| vec![index; weight as usize]).collect();
    let plain = samples.take(&indices).unwrap();
    plain.with_weights(vec![1.0; indices.len()]).unwrap()
}

#[test]
fn a_weight_of_two_is_the_same_sample_twice_and_one_of_zero_none() {
    const COUNT: usize = 60;
    let weights: Vec<f32> = (0..COUNT).map(|index| (index % 4) as f32).collect();
    for loss in [cross_entropy(&[]), cross_entropy(&[0.5, 2.0, 1.25]), Loss::MEAN_SQUARED_ERROR] {
        let weighted = samples(&loss, COUNT, &weights);
        let repeated = repeated(&weighted, &weights);
        assert_eq!(repeated.len(), 90);
        let trained = |samples: &Samples, rule: Optimizer| {
            let mut model = model(loss.clone());
            let record = sgd(0.5, samples.len()).optimizer(rule).epochs(30).fit(&mut model, samples).unwrap();
            (model, record)
        };
        for rule in [Optimizer::sgd(0.5), Optimizer::named("momentum").unwrap().rate(0.1)] {
            let (one, record) = trained(&weighted, rule.clone());
            let (other, expected) = trained(&repeated, rule.clone());
            let distance_of_both = distance(&one, &other);
            assert!(distance_of_both < 1e-5, "{loss:?}: {distance_of_both:e}");
            for (epoch, expected) in record.epochs.iter().zip(&expected.epochs) {
                assert!((epoch.train_loss / expected.train_loss - 1.0).abs() < 1e-5, "{loss:?}");
            }
            let (plain, _) = trained(&samples(&loss, COUNT, &[]), rule);
            assert!(distance(&plain, &other) > 1e-2, "{loss:?}: weights matter");

            let trainer = Trainer::new().threads(2);
            let found = trainer.evaluate(&one, &weighted).unwrap();
            let expected = trainer.evaluate(&one, &repeated).unwrap();
            assert!((found.loss / expected.loss - 1.0).abs() < 1e-6, "{loss:?}");
            // All samples are equal parts of the accuracy.
            let unweighted = trainer.evaluate(&one, &samples(&loss, COUNT, &[])).unwrap();
            assert_eq!(found.accuracy, unweighted.accuracy);
            assert!((found.loss / unweighted.loss - 1.0).abs() > 1e-3, "{loss:?}");
        }
    }
}

/// A search along lines sees the weighted loss, too.
#[test]
fn a_search_minimises_the_weighted_mean() {
    let weights: Vec<f32> = (0..60).map(|index| (index % 4) as f32).collect();
    let weighted = samples(&Loss::MEAN_SQUARED_ERROR, 60, &weights);
    let loss = |samples: &Samples| {
        let layers = Model::sequential(WIDTH).dense(CLASSES, Activation::IDENTITY);
        let mut model = layers.loss(Loss::MEAN_SQUARED_ERROR).build().unwrap();
        golden::initialise(&mut model, &[WIDTH as u64, CLASSES as u64]);
        let trainer = Trainer::new().optimizer(Optimizer::named("lbfgs").unwrap()).epochs(60).threads(2);
        trainer.fit(&mut model, samples).unwrap();
        trainer.evaluate(&model, &weighted).unwrap().loss
    };
    let (found, expected) = (loss(&weighted), loss(&repeated(&weighted, &weights)));
    assert!((found / expected - 1.0).abs() < 2e-6, "{found} {expected}");
    assert!(loss(&samples(&Loss::MEAN_SQUARED_ERROR, 60, &[])) / expected > 1.0 + 1e-3, "weights matter");
}

/// A training of several blocks, with class weights, clipping and validation: its losses and parameters.
fn in_blocks(samples: &Samples, threads: usize, batch: usize, accumulate: usize) -> Vec<u32> {
    let layers = Model::sequential(WIDTH).dense(40, Activation::RELU).dense(CLASSES, Activation::IDENTITY);
    let mut model = layers.loss(cross_entropy(&[0.5, 2.0, 1.25])).seed(3).build().unwrap();
    let trainer = Trainer::new().optimizer(Optimizer::adam(0.01)).batch(batch).epochs(3).threads(threads);
    let trainer =
        trainer.clip_norm(0.5).validation(0.2).change(|recipe| recipe.train.accumulate = accumulate);
    let record = trainer.fit(&mut model, samples).unwrap();
    let losses = record.epochs.iter().flat_map(|epoch| [epoch.train_loss, epoch.validation_loss.unwrap()]);
    let losses = losses.flat_map(|loss| [loss.to_bits() as u32, (loss.to_bits() >> 32) as u32]);
    losses.chain(bits(&parameters(&model))).collect()
}

#[test]
fn weights_give_the_same_bits_on_any_number_of_threads() {
    let weighted = samples(&cross_entropy(&[]), 1500, &weights(1500));
    let alone = in_blocks(&weighted, 1, 600, 1);
    for threads in [2, 3] {
        assert_eq!(in_blocks(&weighted, threads, 600, 1), alone, "{threads} threads");
    }
    assert_eq!(in_blocks(&weighted, 2, 200, 3), alone, "accumulated");
    assert_ne!(in_blocks(&samples(&cross_entropy(&[]), 1500, &[]), 1, 600, 1), alone);
}

/// Equal weights change no bit of the parameters, if they are powers of two; nor does it matter how large they are.
#[test]
fn equal_weights_are_none() {
    for loss in [cross_entropy(&[]), cross_entropy(&[0.5, 2.0, 1.25]), Loss::MEAN_SQUARED_ERROR] {
        let trained = |weights: &[f32]| {
            let mut model = model(loss.clone());
            let record = sgd(0.3, 20).epochs(10).fit(&mut model, &samples(&loss, 60, weights)).unwrap();
            (model, record.epochs.last().unwrap().train_loss)
        };
        let (plain, expected) = trained(&[]);
        for weight in [1.0, 0.25, 8.0, 3.0, 1e-3, 1.2e-38, 3e38, f32::MAX] {
            let (weighted, loss) = trained(&[weight; 60]);
            assert!((loss / expected - 1.0).abs() < 1e-5, "{weight}: {loss} {expected}");
            if [1.0, 0.25, 8.0].contains(&weight) {
                assert_eq!(bits(&parameters(&weighted)), bits(&parameters(&plain)), "{weight}");
            } else {
                assert!(distance(&weighted, &plain) < 1e-5, "{weight}");
            }
        }
    }
}

#[test]
fn mixtures_weigh_as_much_as_their_parts() {
    let trained = |weights: &[f32], threads: usize, mixup: bool| {
        let pixels = x(300).iter().map(|x| (127.0 * (x + 1.0)) as u8).collect();
        let mut images = Samples::images(pixels, [2, 3, 1], labels(300), CLASSES).unwrap();
        if !weights.is_empty() {
            images = images.with_weights(weights.to_vec()).unwrap();
        }
        let layers = Model::of_images([2, 3, 1]).flatten().dense(CLASSES, Activation::IDENTITY);
        let mut model = layers.seed(1).build().unwrap();
        let trainer = sgd(0.1, 64).epochs(2).threads(threads).change(|recipe| {
            recipe.augment.mixup = mixup.then_some(0.5);
        });
        let record = trainer.fit(&mut model, &images).unwrap();
        (bits(&parameters(&model)), record.epochs[1].train_loss)
    };
    // Mixtures of equal weights have these weights: no bit changes.
    let (plain, loss) = trained(&[], 2, true);
    let (ones, same) = trained(&[1.0; 300], 2, true);
    assert_eq!(ones, plain);
    assert!((loss / same - 1.0).abs() < 1e-12);
    assert_ne!(trained(&[], 2, false).0, plain, "mixup is on");
    let (weighted, loss) = trained(&weights(300), 1, true);
    assert!(loss.is_finite() && weighted != plain);
    assert_eq!(trained(&weights(300), 3, true).0, weighted);
}

#[test]
fn a_step_without_weight_has_no_loss_and_no_gradient() {
    for class_weights in [&[][..], &[0.5, 2.0, 1.25]] {
        let mut model = model(cross_entropy(class_weights));
        let before = bits(&parameters(&model));
        let mut steps = sgd(0.5, 8).steps(&mut model).unwrap();
        let record = steps.step_weighted(&x(8), &labels(8), &[0.0; 8]).unwrap();
        assert_eq!((record.loss, record.gradient_norm), (0.0, 0.0));
        assert!(record.accuracy.is_some());
        assert_eq!(bits(&parameters(steps.model())), before);
        let record = steps.step_weighted(&x(8), &labels(8), &[1.0; 8]).unwrap();
        assert!(record.loss > 0.0 && record.gradient_norm > 0.0);
        assert_ne!(bits(&parameters(steps.model())), before);
    }
    // A training that begins with such steps neither has diverged nor has come to its end.
    let mut weights = vec![0.0; 40];
    weights[20..].fill(1.0);
    for batch in [1, 8, 20] {
        let mut model = model(cross_entropy(&[]));
        let trainer = sgd(0.1, batch).epochs(4).change(|recipe| recipe.stop.gradient_norm = Some(1e-9));
        let record = trainer.fit(&mut model, &samples(&cross_entropy(&[]), 40, &weights)).unwrap();
        assert_eq!((record.epochs.len(), record.stop_reason.as_str()), (4, "epochs"), "batches of {batch}");
        assert!(record.epochs[3].train_loss < record.epochs[0].train_loss);
    }
}

/// A sample without weight is not there, even if its loss is not finite.
#[test]
fn a_sample_without_weight_may_have_any_loss() {
    let (mut features, labels) = (x(8), labels(8));
    features[..WIDTH].fill(f32::MAX);
    let linear = || {
        let mut model = Model::sequential(WIDTH).dense(CLASSES, Activation::IDENTITY).build().unwrap();
        golden::initialise(&mut model, &[WIDTH as u64, CLASSES as u64]);
        model
    };
    let mut weights = vec![1.0; 8];
    let trainer = sgd(0.1, 8);
    let mut lost = linear();
    assert!(trainer.steps(&mut lost).unwrap().step_weighted(&features, &labels, &weights).is_err());

    weights[0] = 0.0;
    let (mut model, mut other) = (linear(), linear());
    let record = trainer.steps(&mut model).unwrap().step_weighted(&features, &labels, &weights).unwrap();
    let without = trainer.steps(&mut other).unwrap().step(&features[WIDTH..], &labels[1..]).unwrap();
    assert!((record.loss / without.loss - 1.0).abs() < 1e-6 && distance(&model, &other) < 1e-6);

    let of = |weights: Vec<f32>| {
        let rows = Samples::from_rows(features.clone(), WIDTH).classes(labels.clone()).unwrap();
        trainer.evaluate(&linear(), &rows.with_weights(weights).unwrap()).unwrap()
    };
    let seen = of(weights);
    assert!(seen.loss.is_finite() && seen.not_finite.is_none());
    assert!(of(vec![1.0; 8]).not_finite.is_some());
}

#[test]
fn the_progress_of_an_epoch_has_the_weighted_mean() {
    struct Steps<'a>(&'a Mutex<Vec<f64>>);
    impl fallline::Observer for Steps<'_> {
        fn step(&mut self, _: u64, loss: f64) {
            self.0.lock().unwrap().push(loss);
        }
    }
    let weights = weights(60);
    let mut model = model(cross_entropy(&[]));
    let losses = Mutex::new(Vec::new());
    let stop = std::sync::atomic::AtomicBool::new(false);
    let weighted = samples(&cross_entropy(&[]), 60, &weights);
    let record = sgd(0.3, 16).epochs(1).fit_with(&mut model, &weighted, &stop, &mut Steps(&losses)).unwrap();
    let losses = losses.into_inner().unwrap();
    let of_steps: Vec<f64> =
        weights.chunks(16).map(|step| step.iter().map(|&w| f64::from(w)).sum()).collect();
    assert_eq!(losses.len(), of_steps.len());
    let sum: f64 = losses.iter().zip(&of_steps).map(|(loss, weight)| loss * weight).sum();
    let mean = sum / of_steps.iter().sum::<f64>();
    assert!((record.epochs[0].train_loss / mean - 1.0).abs() < 1e-12);
    assert!((mean / (losses.iter().sum::<f64>() / losses.len() as f64) - 1.0).abs() > 1e-6);
}

#[test]
fn weights_that_say_nothing_are_refused() {
    let mut model = model(cross_entropy(&[]));
    let before = bits(&parameters(&model));
    let mut steps = sgd(0.5, 8).steps(&mut model).unwrap();
    let mut message =
        |weights: &[f32]| steps.step_weighted(&x(3), &labels(3), weights).unwrap_err().to_string();
    assert_eq!(message(&[1.0; 2]), "weights of the batch: expected 3, one for each, found 2");
    assert_eq!(message(&[]), "weights of the batch: expected 3, one for each, found 0");
    let range = "weights of the batch: expected finite numbers of at least 0, found";
    assert_eq!(message(&[1.0, -0.5, 1.0]), format!("{range} -0.5 at index 1"));
    assert_eq!(message(&[f32::NAN, 1.0, 1.0]), format!("{range} NaN at index 0"));
    assert_eq!(message(&[1.0, 1.0, f32::INFINITY]), format!("{range} inf at index 2"));
    drop(steps);
    assert_eq!(bits(&parameters(&model)), before);

    // Before the first step, and not after an epoch.
    let mut one = vec![0.0; 20];
    one[7] = 1.0;
    let one = samples(&cross_entropy(&[]), 20, &one);
    let error = sgd(0.1, 4).validation(0.3).fit(&mut model, &one).unwrap_err().to_string();
    let is_named = ["to learn from", "set aside"].iter().any(|part| {
        error == format!("weights of the samples {part}: expected at least one above 0, found none")
    });
    assert!(is_named, "{error}");

    // All that have a weight are of a class that has none.
    let label = usize::from(labels(20)[7]);
    let mut class_weights = [1.0; CLASSES];
    class_weights[label] = 0.0;
    let mut weightless = self::model(cross_entropy(&class_weights));
    let expected = "weights of samples: expected one above 0 of a class with a weight above 0, found none";
    let error = sgd(0.1, 4).fit(&mut weightless, &one).unwrap_err().to_string();
    assert_eq!(error, expected);
    assert_eq!(Trainer::new().evaluate(&weightless, &one).unwrap_err().to_string(), expected);
    assert_eq!(bits(&parameters(&model)), before);
}

/// Classes of very different sizes have the same part of the balanced loss.
#[test]
fn balanced_weights_make_rare_classes_count() {
    let mut labels = vec![0; 90];
    labels.extend([1; 8]);
    labels.extend([2; 2]);
    let samples = Samples::from_rows(x(100), WIDTH).classes(labels.clone()).unwrap();
    let weights = samples.balanced_weights().unwrap();
    let balanced = samples.clone().with_weights(weights).unwrap();
    let (trainer, model) = (Trainer::new(), model(cross_entropy(&[])));
    let of_class = |class: u8| {
        let indices: Vec<usize> = (0..100).filter(|&index| labels[index] == class).collect();
        trainer.evaluate(&model, &samples.take(&indices).unwrap()).unwrap().loss
    };
    let mean = [0, 1, 2].map(of_class).iter().sum::<f64>() / 3.0;
    assert!((trainer.evaluate(&model, &balanced).unwrap().loss / mean - 1.0).abs() < 1e-6);
    // As class weights in the loss, which divide in the same way.
    let by_class = self::model(cross_entropy(&[100.0 / 270.0, 100.0 / 24.0, 100.0 / 6.0]));
    assert!((trainer.evaluate(&by_class, &samples).unwrap().loss / mean - 1.0).abs() < 1e-6);
}
