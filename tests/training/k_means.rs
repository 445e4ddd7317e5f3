//! k-means against scikit-learn's in `tests/golden/kmeans.json`, which `scripts/golden/kmeans.py` made: Lloyd's algorithm,
//! the gradient of the inertia, and descent.

use crate::common::golden::{self, count, integers, numbers, text};
use fallline::data::Samples;
use fallline::engine::clustering::{self, MOST_ITERATIONS, Points};
use fallline::engine::kernels::reference::{minimum, squared_distances};
use fallline::settings::{KMeans, ModelConfig};
use fallline::{Curve, LayerConfig, Loss, Model, Optimizer, Schedule, TargetsRef, Trainer};
use serde_json::Value;

/// Of an inertia, relative.
const TOLERANCE: f64 = 1e-6;

/// Samples, the weight of each or none, and the first centres.
struct Given {
    x: Vec<f32>,
    features: usize,
    weights: Vec<f32>,
    first: Vec<f32>,
}

impl Given {
    fn of(set: &Value, case: &Value) -> Given {
        let singles = |value: &Value| numbers(value).into_iter().map(|x| x as f32).collect::<Vec<f32>>();
        let (x, features) = (singles(&set["x"]), count(&set["features"]));
        let weights = if case["weights"].is_null() { Vec::new() } else { singles(&case["weights"]) };
        let row = |index: u64| x[index as usize * features..(index as usize + 1) * features].to_vec();
        let first = integers(&case["first"]).into_iter().flat_map(row).collect();
        Given { x, features, weights, first }
    }

    fn read(&self, sample: usize, row: &mut [f32]) {
        row.copy_from_slice(&self.x[sample * self.features..(sample + 1) * self.features]);
    }

    fn samples(&self) -> Samples {
        let samples = Samples::from_rows(self.x.clone(), self.features).without_targets().unwrap();
        if self.weights.is_empty() { samples } else { samples.with_weights(self.weights.clone()).unwrap() }
    }

    /// A model whose centres are the first ones.
    fn model(&self) -> Model {
        let clusters = self.first.len() / self.features;
        let mut model = Model::k_means(self.features, KMeans::new(clusters)).unwrap();
        model.parts_mut().1[..self.first.len()].copy_from_slice(&self.first);
        model
    }
}

fn each_case(mut each: impl FnMut(&str, &Given, &Value)) {
    let file = golden::read("kmeans.json");
    let mut seen = 0;
    for set in file["sets"].as_array().unwrap() {
        for case in golden::cases(set) {
            let name = format!("{}, {} clusters", text(&set["name"]), case["clusters"]);
            each(&name, &Given::of(set, case), case);
            seen += 1;
        }
    }
    assert_eq!(seen, 9);
}

fn relative(found: f64, expected: &Value) -> f64 {
    let expected = expected.as_f64().unwrap();
    (found - expected) / expected
}

#[test]
fn lloyds_algorithm_is_that_of_scikit_learn() {
    each_case(|name, given, case| {
        let read = |sample: usize, row: &mut [f32]| given.read(sample, row);
        let points = Points::new([given.x.len() / given.features, given.features], &given.weights, &read);
        let found = clustering::lloyd(&points, &given.first, MOST_ITERATIONS).unwrap();
        let labels: Vec<u64> = found.assignment.nearest.iter().map(|&place| place.into()).collect();
        assert!(found.converged, "{name}");
        assert_eq!(labels, integers(&case["labels"]), "{name}");
        let excess = relative(found.assignment.inertia, &case["inertia"]);
        assert!(excess.abs() < TOLERANCE, "{name}: {excess:.1e}");
        let centres = found.centres.iter().zip(numbers(&case["centres"]));
        assert!(centres.into_iter().all(|(one, other)| (one - other).abs() < 1e-6), "{name}");
        // It would be seen if it stopped early, wherever it takes more than one iteration to the end.
        if found.iterations > 2 {
            let early = clustering::lloyd(&points, &given.first, 1).unwrap();
            assert!(relative(early.assignment.inertia, &case["inertia"]).abs() > TOLERANCE, "{name}");
        }
    });
}

/// One step of all samples by a rate of 1 moves each centre by its gradient.
#[test]
fn the_gradient_is_that_of_pytorch() {
    each_case(|name, given, case| {
        let mut model = given.model();
        let samples = given.samples();
        let trainer = Trainer::new().optimizer(Optimizer::sgd(1.0)).batch(samples.len()).epochs(1);
        let record = trainer.fit(&mut model, &samples).unwrap();
        let first = relative(record.epochs[0].train_loss, &case["first_inertia"]);
        assert!(first.abs() < TOLERANCE, "{name}: {first:.1e}");
        let moved = given.first.iter().zip(model.storage());
        let gradient: Vec<f64> =
            moved.map(|(&before, &after)| f64::from(before) - f64::from(after)).collect();
        let expected = numbers(&case["gradient"]);
        let largest = expected.iter().fold(0.0f64, |most, value| most.max(value.abs()));
        let deviation = |found: &[f64]| {
            let pairs = found.iter().zip(&expected);
            pairs.map(|(found, expected)| (found - expected).abs()).fold(0.0, f64::max) / largest
        };
        assert!(deviation(&gradient) < 1e-5, "{name}: {:.1e}", deviation(&gradient));
        let broken: Vec<f64> = gradient.iter().map(|value| value * 1.001).collect();
        assert!(deviation(&broken) > 1e-5, "{name}");
    });
}

/// The trainer of the recipe for a table.
fn trainer(epochs: usize) -> Trainer {
    Trainer::new()
        .optimizer(Optimizer::sgd(0.5))
        .schedule(Schedule::of(Curve::Cosine { end_factor: 0.0 }))
        .batch(256)
        .epochs(epochs)
}

#[test]
fn descent_comes_as_near_as_lloyds_algorithm() {
    each_case(|name, given, case| {
        let (mut model, samples) = (given.model(), given.samples());
        trainer(1000).fit(&mut model, &samples).unwrap();
        let inertia = trainer(1).evaluate(&model, &samples).unwrap().loss;
        let excess = relative(inertia, &case["inertia"]);
        println!("{name}: {excess:.1e}");
        assert!(excess < 0.01, "{name}: {excess:.4}");
        // Few steps are not enough, where there is something to do; to one mean they are.
        let mut short = given.model();
        trainer(1).fit(&mut short, &samples).unwrap();
        let is_one = given.first.len() == given.features;
        if !is_one && relative(case["first_inertia"].as_f64().unwrap(), &case["inertia"]) > 0.1 {
            let excess = relative(trainer(1).evaluate(&short, &samples).unwrap().loss, &case["inertia"]);
            assert!(excess > 0.01, "{name}: {excess:.4}");
        }
    });
}

/// Centres are put at samples by the seed, once, and Lloyd's algorithm begins at the same ones.
#[test]
fn centres_begin_at_samples() {
    let file = golden::read("kmeans.json");
    let set = &file["sets"][1];
    let given = Given::of(set, &golden::cases(set)[0]);
    let samples = given.samples();
    let placed = |seed| {
        let mut model = Model::k_means(given.features, KMeans::new(5)).unwrap();
        trainer(1).seed(seed).place_centres(&mut model, &samples).unwrap();
        model.tensors()[0].values.clone()
    };
    let centres = placed(1);
    assert!(centres == placed(1) && centres != placed(2));
    for centre in centres.chunks_exact(given.features) {
        assert!(given.x.chunks_exact(given.features).any(|row| row == centre));
    }
    let mut model = Model::k_means(given.features, KMeans::new(5)).unwrap();
    assert!(model.storage().iter().all(|&value| value == 0.0));
    let trained = trainer(300);
    let record = trained.fit(&mut model, &samples).unwrap();
    let lloyd = trained.lloyd(&model, &samples).unwrap().unwrap();
    assert!((record.epochs[0].train_loss - lloyd.first).abs() < 1e-5 * lloyd.first, "{lloyd:?}");
    assert!(lloyd.excess.unwrap() < 0.05 && lloyd.converged && lloyd.inertia < lloyd.first, "{lloyd:?}");
    assert_eq!(lloyd.sizes.iter().map(|sizes| sizes.lloyd).sum::<usize>(), samples.len());
    // What was trained goes on where it is.
    let before = model.tensors()[0].values.clone();
    trained.place_centres(&mut model, &samples).unwrap();
    assert_eq!(model.tensors()[0].values, before);
    // A training that hardly moves is seen.
    let mut short = Model::k_means(given.features, KMeans::new(5)).unwrap();
    let still = Trainer::new().optimizer(Optimizer::sgd(1e-6)).epochs(1);
    still.fit(&mut short, &samples).unwrap();
    assert!(still.lloyd(&short, &samples).unwrap().unwrap().excess.unwrap() > 0.05);
}

#[test]
fn any_number_of_threads_and_samples_that_are_cut_anywhere_give_the_same_bits() {
    let file = golden::read("kmeans.json");
    let set = &file["sets"][2];
    let given = Given::of(set, &golden::cases(set)[1]);
    let samples = given.samples();
    let trained = |threads| {
        let mut model = given.model();
        let trainer = Trainer::new().optimizer(Optimizer::adam(0.02)).batch(100).epochs(3).threads(threads);
        trainer.fit(&mut model, &samples).unwrap();
        model.storage().iter().map(|value| value.to_bits()).collect::<Vec<u32>>()
    };
    let one = trained(1);
    assert!(one == trained(2) && one == trained(3) && one == trained(7));
}

/// Batches that the caller hands in, without targets.
#[test]
fn own_steps_take_no_targets() {
    let x = [0.0f32, 0.2, 5.0, 5.2, 0.1, 5.1, 0.3, 4.9];
    let samples = Samples::from_rows(x.to_vec(), 1).without_targets().unwrap();
    let mut model = Model::k_means(1, KMeans::new(2)).unwrap();
    let trainer = Trainer::new().optimizer(Optimizer::sgd(0.5)).batch(8);
    trainer.place_centres(&mut model, &samples).unwrap();
    let mut steps = trainer.steps(&mut model).unwrap();
    let first = steps.step(&x, TargetsRef::None).unwrap().loss;
    let mut last = steps.step(&x, TargetsRef::None).unwrap();
    for _ in 0..40 {
        last = steps.step(&x, TargetsRef::None).unwrap();
    }
    assert!(last.loss < 0.02 && last.loss < first && last.accuracy.is_none(), "{first} {last:?}");
    let refused = steps.step(&x, &[0u8; 8]).unwrap_err().to_string();
    assert!(refused.contains("targets of the loss minimum: expected values, found classes"), "{refused}");
    drop(steps);
    let mut mlp = Model::sequential(1).dense(2, fallline::Activation::IDENTITY).build().unwrap();
    let refused = trainer.steps(&mut mlp).unwrap().step(&x, TargetsRef::None).unwrap_err().to_string();
    assert!(refused.contains("targets of the loss cross-entropy: expected a class"), "{refused}");
    assert!(refused.ends_with("found none"), "{refused}");
    let refused = trainer.fit(&mut mlp, &samples).unwrap_err().to_string();
    assert!(refused.ends_with("found none"), "{refused}");
}

/// A network of the layer and the loss is k-means, whose centres begin elsewhere; and it has the twins' loss.
#[test]
fn the_layer_and_the_loss_are_parts_of_networks() {
    let x: Vec<f32> = (0..60).map(|index| (index * 37 % 101) as f32 / 50.0 - 1.0).collect();
    let samples = Samples::from_rows(x.clone(), 3).without_targets().unwrap();
    let mut model = Model::sequential(3)
        .layer(LayerConfig::squared_distances(4))
        .loss(Loss::named("minimum").unwrap())
        .build()
        .unwrap();
    let before = model.tensors()[0].values.clone();
    let centres: Vec<f64> = before.iter().map(|&c| c.into()).collect();
    let least = |row: &[f32]| {
        let row: Vec<f64> = row.iter().map(|&x| x.into()).collect();
        minimum(&squared_distances(&row, &centres)).0
    };
    let expected = x.chunks_exact(3).map(least).sum::<f64>() / 20.0;
    let seen = trainer(50).evaluate(&model, &samples).unwrap();
    assert!((seen.loss - expected).abs() < 1e-5 * expected && seen.accuracy.is_none(), "{seen:?} {expected}");
    trainer(50).fit(&mut model, &samples).unwrap();
    assert!(trainer(50).evaluate(&model, &samples).unwrap().loss < expected);
    // It is not one of the kind, and nothing stands beside it.
    assert!(trainer(50).lloyd(&model, &samples).unwrap().is_none());
    assert_ne!(model.config(), &ModelConfig::of_k_means(KMeans::new(4)));
    // A network of radial basis functions learns classes.
    let is_near = |row: &[f32]| row.iter().map(|x| x * x).sum::<f32>() < 0.9;
    let labels: Vec<u8> = x.chunks_exact(3).map(|row| u8::from(is_near(row))).collect();
    let classes = Samples::from_rows(x, 3).classes(labels).unwrap();
    let mut network = Model::sequential(3)
        .layer(LayerConfig::squared_distances(8))
        .dense(2, fallline::Activation::IDENTITY)
        .build()
        .unwrap();
    let rbf = Trainer::new().optimizer(Optimizer::adam(0.05)).epochs(1500);
    rbf.fit(&mut network, &classes).unwrap();
    let accuracy = rbf.evaluate(&network, &classes).unwrap().accuracy.unwrap();
    assert!(accuracy > 0.8, "{accuracy}");
}

#[test]
fn more_clusters_than_different_samples_are_refused() {
    let fit = |x: Vec<f32>, clusters| {
        let samples = Samples::from_rows(x, 1).without_targets().unwrap();
        let mut model = Model::k_means(1, KMeans::new(clusters)).unwrap();
        trainer(1).fit(&mut model, &samples).unwrap_err().to_string()
    };
    let few = fit(vec![1.0, 2.0, 3.0], 4);
    assert!(few.contains("`model.clusters`") || few.contains("model.clusters"), "{few}");
    assert!(few.contains("at most 3, as many as there are"), "{few}");
    let same = fit(vec![1.5; 10], 4);
    assert!(same.contains("expected at most 1, as many as there are different samples"), "{same}");
    assert!(Model::k_means(1, KMeans::new(0)).err().unwrap().to_string().contains("clusters"));
}
