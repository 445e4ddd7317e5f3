//! The table of cases: each rule, schedule, average, loss, source of data and built-in recipe.

use std::fs;

use fallline::engine::data::source;
use fallline::engine::kernels::simd::isa::Isa;
use fallline::engine::model::Recipe;
use fallline::engine::model::recipe::{OPTIMIZERS, Override, SCHEDULES};
use fallline::engine::train::Every;

use super::{arrays, begun, check, outcome, path, resumed, same};
use crate::common::isa::on_each;
use crate::common::runs;

/// Five steps an epoch, the last of fewer samples than the others.
const BASE: &str = "\
name = \"resumed\"
[data]
set = \"digits\"
[model]
[[model.layers]]
type = \"dense\"
units = 9
activation = \"tanh\"
[[model.layers]]
type = \"dense\"
units = 10
[optimizer]
name = \"adam\"
learning_rate = 0.003
[train]
epochs = 3
batch = 12
";

fn recipe(changes: &[&str]) -> Recipe {
    let overrides: Vec<Override> = changes.iter().map(|change| change.parse().unwrap()).collect();
    Recipe::parse_with(BASE, "test recipe", &overrides).unwrap_or_else(|error| panic!("{error}: {changes:?}"))
}

/// Checks the base with these changes, broken at five places.
fn base(changes: &[&str]) {
    let data = runs::digits(60 - 3, 20);
    let recipe = recipe(changes);
    let data = &match recipe.data.validation {
        // So many more as are set aside.
        Some(_) => runs::digits(77, 20).clone(),
        None => data.clone(),
    };
    check(&changes.join(", "), &recipe, data, 5);
}

/// The rules that move the parameters in each step, with their settings.
#[test]
fn rules() {
    for kind in OPTIMIZERS.iter().filter(|kind| !kind.full_batch) {
        base(&[&format!("optimizer={{name=\"{}\"}}", kind.name)]);
    }
    for settings in [
        "name='sgd', learning_rate=0.1, weight_decay=0.01",
        "name='momentum', learning_rate=0.02, dampening=0.3, weight_decay=0.01",
        "name='adagrad', learning_rate_decay=0.1, initial_accumulator=0.1",
        "name='rmsprop', momentum=0.5, weight_decay=0.01",
        "name='rmsprop', centered=true, momentum=0.5",
        "name='adamw', amsgrad=true",
        "name='lamb', weight_decay=0.01",
        "name='muon', nesterov=false, adam_last_layer=false",
        "name='adafactor', weight_decay=0.01, threshold=2.0",
        "name='schedule-free-adamw', warmup_steps=5, weight_decay=0.01",
    ] {
        base(&[&format!("optimizer={{{settings}}}")]);
    }
}

/// Those that search with all samples: descents along lines, and global methods with restarts and local steps.
#[test]
fn searches() {
    let full = ["train.batch=all", "train.epochs=7", "model.layers.0.units=2"];
    for settings in [
        "name='rprop'",
        "name='lbfgs'",
        "name='lbfgs', history_size=2, weight_decay=0.01",
        "name='lbfgs', restarts=2",
        "name='cg'",
        "name='cg', formula='fletcher-reeves'",
        "name='cg', formula='hestenes-stiefel', restarts=1",
        "name='annealing', steps=4",
        "name='annealing', steps=4, restarts=1",
        "name='genetic', population=6",
        "name='genetic', population=6, restarts=2",
        "name='genetic', population=6, local='lbfgs', local_iterations=2",
        "name='cma-es', population=4, covariance='diagonal'",
        "name='cma-es', population=4, covariance='diagonal', restarts=1",
    ] {
        base(&[&full[..], &[&format!("optimizer={{{settings}}}")]].concat());
    }
    for more in ["lookahead.steps=2", "average.method=swa"] {
        base(&[&full[..], &["optimizer={name='lbfgs'}", more]].concat());
    }
    let names = OPTIMIZERS.iter().filter(|kind| kind.full_batch).map(|kind| kind.name);
    assert_eq!(names.collect::<Vec<_>>().len(), 6);
}

/// A covariance that is full is for few parameters.
#[test]
fn a_full_covariance() {
    let text = "name = \"iris\"\ndata.set = \"iris\"\nmodel.layers = [{ type = \"dense\", units = 3 }]\n\
                optimizer = { name = \"cma-es\", population = 6 }\ntrain = { epochs = 8, batch = \"all\" }\n";
    let recipe = Recipe::parse(text, "test recipe").unwrap();
    let data = runs::data_of(&recipe, 0, 0);
    check("a full covariance", &recipe, &data, 9);
}

#[test]
fn schedules() {
    for name in SCHEDULES {
        base(&[&format!("schedule.name={name}")]);
    }
    base(&["schedule.name=cosine", "schedule.warmup_epochs=1"]);
    base(&["schedule.name=plateau", "schedule.patience=0", "schedule.threshold=0.5", "train.epochs=5"]);
    let of_validation = ["schedule.name=plateau", "schedule.patience=0", "schedule.threshold=0.5"];
    base(&[&of_validation[..], &["data.validation=17", "train.epochs=5"]].concat());
    base(&["optimizer={name='momentum', learning_rate=0.05}", "schedule.name=one-cycle"]);
}

#[test]
fn averages() {
    for changes in [
        &["average.method=ema", "average.decay=0.9"][..],
        &["average.method=ema", "average.debias=false", "average.start=2"],
        &["average.method=swa", "average.start=1"],
        &["average.method=swa", "average.start=2", "data.validation=17"],
        &["lookahead.steps=3"],
        &["lookahead.steps=2", "average.method=ema"],
    ] {
        base(changes);
    }
}

/// What is taken in which order and how it is changed, with what comes between gradients and updates.
#[test]
fn batches_and_gradients() {
    let norm = "model.layers=[{type='dense', units=9, bias=false}, {type='batch-norm', activation='relu'}, \
                {type='dropout', rate=0.3}, {type='dense', units=10}]";
    for changes in [
        &["train.accumulate=2", "train.batch=6"][..],
        &["train.steps_per_epoch=3"],
        &["train.shuffle=false"],
        &["train.batch=1", "train.steps_per_epoch=5", "train.epochs=2"],
        &["augment.shift=2", "augment.rotation=10", "augment.noise=0.1"],
        &["augment.mixup=0.4"],
        &["augment.mixup=0.4", "augment.shift=1", "train.accumulate=3", "train.batch=4"],
        &["augment.elastic={sigma=4, alpha=34}", "augment.erase={probability=0.5}"],
        &["gradient.clip_norm=0.1", "gradient.l1=1e-4"],
        &["gradient.clip_adaptive=0.01", "constraint.max_norm=1.2"],
        &["constraint.clip_weights=0.05"],
        &[norm],
        &[norm, "average.method=swa", "average.start=1", "lookahead.steps=2"],
        &["model.layers.0.weight_norm=true"],
    ] {
        base(changes);
    }
}

/// Layers that stay as they are, with what would change them.
#[test]
fn frozen_layers() {
    let norm = "model.layers=[{type='dense', units=9, bias=false}, {type='batch-norm', activation='relu'}, \
                {type='dense', units=10}]";
    for changes in [
        &["train.freeze=0", "optimizer={name='adamw', weight_decay=0.1}"][..],
        &["train.freeze=2", "average.method=ema", "average.decay=0.9", "lookahead.steps=3"],
        &["train.freeze=all-but-last", "average.method=swa", "average.start=2"],
        &[norm, "train.freeze=1", "gradient.clip_norm=0.1"],
        &[norm, "train.freeze=0", "optimizer.name=muon"],
        &["train.freeze=0", "optimizer.name=schedule-free-adamw"],
        &[
            "train.freeze=0",
            "train.batch=all",
            "train.epochs=7",
            "optimizer={name='lbfgs', weight_decay=0.01}",
        ],
        &["train.freeze=0", "train.batch=all", "train.epochs=7", "optimizer={name='genetic', population=6}"],
    ] {
        base(changes);
    }
}

/// Rules that end a training, also within an epoch, and what they remember.
#[test]
fn stopping() {
    for changes in [
        &["stop.steps=8"][..],
        &["stop.steps=10"],
        &["stop.loss=2.2", "train.epochs=6"],
        &["stop.tolerance=0.5", "stop.tolerance_epochs=2", "train.epochs=6"],
        &[
            "data.validation=17",
            "stop.patience=1",
            "optimizer={name='sgd', learning_rate=3}",
            "train.epochs=6",
        ],
        &["data.validation=17", "stop.patience=2", "train.epochs=5"],
    ] {
        base(changes);
    }
}

#[test]
fn losses() {
    for loss in [
        "{type='cross-entropy', label_smoothing=0.1}",
        "{type='cross-entropy', class_weights=[1, 2, 1, 0.5, 1, 1, 1, 3, 1, 1]}",
        "'binary-cross-entropy'",
        "'mean-squared-error'",
        "'mean-absolute-error'",
        "{type='huber', delta=0.5}",
        "'hinge'",
        "{type='hinge', squared=true}",
        "'kl-divergence'",
        "'poisson'",
        "'log-cosh'",
        "'focal'",
    ] {
        base(&[&format!("model.loss={loss}")]);
    }
}

/// Every network and source of data that a built-in recipe has.
#[test]
fn recipes() {
    for name in Recipe::built_in_names() {
        // The same layers as in mnist-mlp-512, but minutes of work.
        if name == "mnist-mlp-2048" {
            continue;
        }
        let mut recipe = Recipe::built_in(name).unwrap();
        if name == "mnist-mlp-deep" {
            recipe.model.layers.drain(1..3);
        }
        recipe.train.epochs = 2;
        recipe.stop = Default::default();
        let full = recipe.optimizer.kind().full_batch;
        let (mut recipe, data) = runs::small(&recipe, 40, 12);
        if !full {
            recipe.train.accumulate = 1;
            recipe.train.batch = recipe.train.batch.min((data.train.len() / 3).max(2));
        } else {
            recipe.train.epochs = 4;
        }
        check(name, &recipe, &data, 3);
    }
}

/// Samples with weights, and centres that are samples at first.
#[test]
fn weights_and_clusters() {
    let drawn = source::generate_digits([57, 20], 3).unwrap();
    let weights = (0..57).map(|place| (place % 4) as f32 * 0.5).collect();
    let weighted = fallline::data::DataSet { train: drawn.train.with_weights(weights).unwrap(), ..drawn };
    check("weights", &recipe(&[]), &weighted, 5);
    let text = "name = \"clusters\"\ndata.set = \"blobs\"\nmodel = { kind = \"k-means\", clusters = 3 }\n\
                optimizer = { name = \"sgd\", learning_rate = 0.5 }\ntrain = { epochs = 3, batch = 64 }\n";
    let recipe = Recipe::parse(text, "test recipe").unwrap();
    let mut data = runs::data_of(&recipe, 0, 0);
    data.train = data.train.first(200).unwrap();
    check("clusters", &recipe, &data, 5);
}

/// States that go from batch to batch, and batches of samples of about one length.
#[test]
fn sequences() {
    let mut recipe = Recipe::built_in("chars-lstm").unwrap();
    (recipe.train.carry_state, recipe.train.shuffle, recipe.train.epochs) = (true, false, 2);
    let (mut recipe, data) = runs::small(&recipe, 40, 12);
    recipe.train.batch = 2;
    check("carried states", &recipe, &data, 5);
    let mut recipe = Recipe::built_in("names-transformer").unwrap();
    (recipe.train.buckets, recipe.train.epochs) = (true, 2);
    let (mut recipe, data) = runs::small(&recipe, 40, 12);
    recipe.train.batch = 3;
    check("buckets", &recipe, &data, 5);
}

/// What one instruction set has begun goes on on each of them.
#[test]
fn instruction_sets() {
    let layers = "model.layers=[{type='dense', units=33, bias=false}, {type='batch-norm', activation='tanh'}, \
                  {type='dense', units=10}]";
    let recipe = recipe(&[layers, "average.method=ema", "average.decay=0.9"]);
    let (data, folder) = (runs::digits(57, 20), tempfile::tempdir().unwrap());
    let at = |name: &str| folder.path().join(name);
    let last = 15;
    on_each(|begins| {
        let of_one = at(begins.name());
        outcome(&recipe, data, 2, Some(&mut begun(&of_one, Every::Steps(4))), None);
    });
    let whole = outcome(&recipe, data, 1, None, None);
    on_each(|goes_on| {
        for begins in Isa::available() {
            let (place, of_one) = (at(&format!("{}-{}", begins.name(), goes_on.name())), at(begins.name()));
            fs::create_dir(&place).unwrap();
            fs::copy(path(&of_one, 8), path(&place, 8)).unwrap();
            let what = format!("begun on {}, going on on {}", begins.name(), goes_on.name());
            same(&what, &outcome(&recipe, data, 2, Some(&mut resumed(&place)), None), &whole);
            assert!(arrays(&path(&place, last)) == arrays(&path(&of_one, last)), "{what}: arrays differ");
        }
    });
}
