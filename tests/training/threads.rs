//! Training gives the same bits with any number of threads. Built with debug assertions, where memory shared by
//! workers records who claims what, the same tests are a race detector.

#[cfg(debug_assertions)]
#[path = "claims.rs"]
mod claims;
#[path = "../common/mod.rs"]
pub mod common;

use crate::common::compare::bits;
use crate::common::runs::{self, build, recorded};
use fallline::data::DataSet;
use fallline::engine::model::Recipe;
use fallline::engine::model::recipe::OPTIMIZERS;
use fallline::engine::team::Team;
use fallline::engine::train;

const TRAIN_SAMPLES: usize = 2000;
const TEST_SAMPLES: usize = 301;
const THREADS: [usize; 4] = [1, 2, 3, 8];

fn digits() -> &'static DataSet {
    runs::digits(TRAIN_SAMPLES, TEST_SAMPLES)
}

/// The first `samples` training digits, and all test digits.
fn some_digits(samples: usize) -> DataSet {
    let train = digits().train.take(&Vec::from_iter(0..samples)).unwrap();
    DataSet { train, ..digits().clone() }
}

/// Everything that a run computes, bit by bit.
#[derive(Clone, Debug, PartialEq)]
struct Outcome {
    /// The loss of each step.
    steps: Vec<u64>,
    /// Loss and accuracy of each epoch and, last, of the test samples.
    epochs: Vec<[u64; 2]>,
    /// Of gradient, update and parameters of each layer in each epoch.
    norms: Vec<[u64; 3]>,
    tensors: Vec<(String, Vec<u32>)>,
    /// Of some test samples: fewer than a worker takes at once, and no multiple of anything.
    probabilities: Vec<u32>,
}

fn outcome(recipe: &Recipe, data: &DataSet, threads: usize) -> Outcome {
    let team = Team::new(threads).unwrap();
    let mut model = build(recipe, data);
    let (record, recorder) = recorded(&mut model, data, recipe, threads).unwrap();
    let test = train::evaluate(&model, &data.test, &recipe.data, &team).unwrap();
    // A text has a validation part instead of a test; a model knows no autoregression of what it was trained on.
    let mut of_run = record.test.clone().or(record.validation.clone());
    let series = of_run.as_mut().and_then(|test| test.series.as_mut());
    series.into_iter().for_each(|series| series.autoregression = None);
    assert_eq!(of_run.as_ref(), Some(&test));
    let images = data.test.clone().first(data.test.len().min(37)).unwrap();
    let probabilities = train::predict(&model, &images, &recipe.data, &team).unwrap();
    let norms = record.epochs.iter().flat_map(|epoch| &epoch.layers);
    let norms = norms.map(|norms| [norms.gradient, norms.update, norms.parameters].map(f64::to_bits));
    let norms = norms.collect();
    let epochs =
        record.epochs.iter().map(|epoch| [epoch.train_loss, epoch.train_accuracy.unwrap_or(f64::NAN)]);
    Outcome {
        steps: recorder.losses.into_iter().map(f64::to_bits).collect(),
        norms,
        epochs: epochs
            .chain([[test.loss, test.accuracy.unwrap_or(f64::NAN)]])
            .map(|pair| pair.map(f64::to_bits))
            .collect(),
        tensors: model.tensors().into_iter().map(|tensor| (tensor.name, bits(&tensor.values))).collect(),
        probabilities: bits(&probabilities.concat()),
    }
}

/// What differs between two outcomes, if anything does.
fn difference(one: &Outcome, other: &Outcome) -> Option<String> {
    if let Some(step) = (0..one.steps.len()).find(|&i| other.steps.get(i) != Some(&one.steps[i])) {
        return Some(format!("the loss of step {} of {}", step + 1, one.steps.len()));
    }
    for (a, b) in one.tensors.iter().zip(&other.tensors) {
        let wrong = a.1.iter().zip(&b.1).filter(|(a, b)| a != b).count();
        if wrong > 0 {
            return Some(format!("{wrong} of {} elements of {}", a.1.len(), a.0));
        }
    }
    (one != other).then(|| "epochs, norms or predictions".into())
}

fn check(recipe: &Recipe, data: &DataSet) {
    let alone = outcome(recipe, data, THREADS[0]);
    let batches = data.train.len().div_ceil(recipe.train.batch);
    assert_eq!(alone.steps.len(), batches * recipe.train.epochs, "{}", recipe.name);
    for threads in &THREADS[1..] {
        if let Some(what) = difference(&alone, &outcome(recipe, data, *threads)) {
            panic!("{what} with {threads} threads in\n{}", recipe.to_toml());
        }
    }
}

#[test]
fn built_in_recipes() {
    for name in Recipe::built_in_names() {
        // The same layers as in mnist-mlp-512, but minutes of work.
        if name == "mnist-mlp-2048" {
            continue;
        }
        let mut recipe = Recipe::built_in(name).unwrap();
        recipe.train.epochs = 1;
        if name == "mnist-mlp-deep" {
            recipe.model.layers.drain(1..3);
        }
        let (recipe, data) = runs::small(&recipe, TRAIN_SAMPLES, TEST_SAMPLES);
        check(&recipe, &data);
    }
}

/// The networks: narrow and wide, activations fused and apart, one layer and several.
const NETWORKS: [(&str, &[(usize, &str)]); 6] = [
    ("cross-entropy", &[(1, "tanh"), (10, "identity")]),
    ("cross-entropy", &[(33, "gelu"), (130, "relu"), (10, "identity")]),
    ("mean-squared-error", &[(130, "leaky-relu"), (33, "sigmoid"), (10, "identity")]),
    ("cross-entropy", &[(130, "silu"), (130, "softplus"), (1, "elu"), (10, "identity")]),
    ("mean-squared-error", &[(10, "sigmoid")]),
    ("cross-entropy", &[(10, "relu"), (10, "silu")]),
];

/// Batch sizes and numbers of samples: alone, fewer rows than a tile has, and more than the batch
/// size up to which layers are split by features; short last batches on either side of it; all at
/// once.
const BATCHES: [(usize, usize); 7] =
    [(1, 40), (7, 201), (64, 500), (129, 300), (300, 700), (300, 450), (1100, 1100)];

const SOME_OPTIMIZERS: [&str; 3] = [
    "name = \"momentum\"\nlearning_rate = 0.02",
    "name = \"adam\"",
    "name = \"nesterov\"\nlearning_rate = 0.01",
];

fn recipe(network: usize, optimizer: usize, batch: usize) -> Recipe {
    let (loss, layers) = NETWORKS[network];
    let layer = |(units, activation): &(usize, &str)| {
        format!("[[model.layers]]\ntype = \"dense\"\nunits = {units}\nactivation = \"{activation}\"\n")
    };
    let toml = format!(
        "name = \"network-{network}\"\n[data]\nset = \"digits\"\nmean = 0.13\ndeviation = 0.31\n\
         [model]\nloss = \"{loss}\"\n{}[optimizer]\n{}\n[train]\nepochs = 2\nbatch = {batch}\n",
        layers.iter().map(layer).collect::<String>(),
        SOME_OPTIMIZERS[optimizer % SOME_OPTIMIZERS.len()],
    );
    Recipe::parse(&toml, "test recipe").unwrap_or_else(|error| panic!("{error}\n{toml}"))
}

#[test]
fn networks_and_batches() {
    for network in 0..NETWORKS.len() {
        for (turn, (batch, samples)) in BATCHES.into_iter().enumerate() {
            check(&recipe(network, network + turn, batch), &some_digits(samples));
        }
    }
}

/// So many parameters that the rows which go through both passes together are four times as many: on
/// one thread this batch takes two blocks of them, on more one.
#[test]
fn a_large_network() {
    let toml = "name = \"large\"\n[data]\nset = \"digits\"\n[model]\n\
                [[model.layers]]\ntype = \"dense\"\nunits = 1200\nactivation = \"relu\"\n\
                [[model.layers]]\ntype = \"dense\"\nunits = 1200\nactivation = \"tanh\"\n\
                [[model.layers]]\ntype = \"dense\"\nunits = 10\n\
                [optimizer]\nname = \"momentum\"\n[train]\nepochs = 1\nbatch = 600\n";
    check(&Recipe::parse(toml, "test recipe").unwrap(), &some_digits(600));
}

/// An activation before any dense layer, and layers without bias.
#[test]
fn unusual_networks() {
    let layers = "[[model.layers]]\ntype = \"sigmoid\"\n\
                  [[model.layers]]\ntype = \"dense\"\nunits = 130\nbias = false\n\
                  [[model.layers]]\ntype = \"softplus\"\n\
                  [[model.layers]]\ntype = \"tanh\"\n\
                  [[model.layers]]\ntype = \"dense\"\nunits = 10\nbias = false\n";
    for batch in [20, 200] {
        let toml = format!(
            "name = \"unusual\"\n[data]\nset = \"digits\"\n[model]\n{layers}\
             [optimizer]\nname = \"adam\"\n[train]\nepochs = 2\nbatch = {batch}\n"
        );
        check(&Recipe::parse(&toml, "test recipe").unwrap(), &some_digits(333));
    }
}

/// Every update rule, also with the settings that take other loops.
#[test]
fn update_rules() {
    let defaults = OPTIMIZERS.iter().map(|kind| format!("name = \"{}\"", kind.name));
    let others = [
        "name = \"sgd\"\nweight_decay = 0.01",
        "name = \"momentum\"\ndampening = 0.3\nweight_decay = 0.01",
        "name = \"adagrad\"\nlearning_rate_decay = 0.1\ninitial_accumulator = 0.1\nweight_decay = 0.01",
        "name = \"rmsprop\"\nmomentum = 0.5\nweight_decay = 0.01",
        "name = \"rmsprop\"\ncentered = true",
        "name = \"rmsprop\"\ncentered = true\nmomentum = 0.5",
        "name = \"adamw\"\namsgrad = true",
        "name = \"lion\"\nweight_decay = 0.01",
        "name = \"lamb\"\nweight_decay = 0.01",
        "name = \"muon\"\nnesterov = false\nadam_last_layer = false\nnewton_schulz_steps = 4",
        "name = \"adafactor\"\nweight_decay = 0.01\nthreshold = 2.0",
        "name = \"schedule-free-adamw\"\nwarmup_steps = 5\nweight_decay = 0.01",
        "name = \"lbfgs\"\nhistory_size = 2\nweight_decay = 0.01",
        "name = \"cg\"\nformula = \"fletcher-reeves\"",
        "name = \"cg\"\nformula = \"hestenes-stiefel\"",
        "name = \"lbfgs\"\nrestarts = 2",
    ];
    // More than go through both passes together on one thread, and fewer than on three.
    let data = some_digits(200);
    let full = OPTIMIZERS.iter().filter(|kind| kind.full_batch).map(|kind| format!("\"{}\"", kind.name));
    let full: Vec<String> = full.collect();
    assert_eq!(full.len(), 6);
    for optimizer in defaults.chain(others.map(String::from)) {
        // Few points; and there are more parameters than a full covariance is for.
        let few = [
            ("\"annealing\"", "\nsteps = 5"),
            ("\"genetic\"", "\npopulation = 6"),
            ("\"cma-es\"", "\npopulation = 4\ncovariance = \"diagonal\""),
        ];
        let few = few.iter().find(|(name, _)| optimizer.contains(name)).map_or("", |(_, keys)| *keys);
        let optimizer = optimizer + few;
        let is_full = full.iter().any(|name| optimizer.contains(name));
        let length = if is_full { "epochs = 6\nbatch = \"all\"" } else { "epochs = 2\nbatch = 33" };
        let toml = format!(
            "name = \"rules\"\n[data]\nset = \"digits\"\n[model]\n\
             [[model.layers]]\ntype = \"dense\"\nunits = 33\nactivation = \"relu\"\n\
             [[model.layers]]\ntype = \"dense\"\nunits = 10\n\
             [optimizer]\n{optimizer}\n[train]\n{length}\n"
        );
        check(&Recipe::parse(&toml, "test recipe").unwrap(), &data);
    }
}

/// Rules for whole parameters, with layers that are tall, wide and square, of several units each and
/// without bias, and with all that comes between a gradient and its update.
#[test]
fn whole_parameters() {
    let layers = "[[model.layers]]\ntype = \"dense\"\nunits = 130\n\
                  [[model.layers]]\ntype = \"tanh\"\n\
                  [[model.layers]]\ntype = \"dense\"\nunits = 130\nbias = false\n\
                  [[model.layers]]\ntype = \"dense\"\nunits = 145\nactivation = \"relu\"\n\
                  [[model.layers]]\ntype = \"dense\"\nunits = 10\n";
    let between = ["", "[gradient]\nl1 = 1e-4\nclip_value = 0.1\nclip_norm = 0.1\n"];
    for optimizer in [
        "name = \"lamb\"",
        "name = \"adafactor\"",
        "name = \"muon\"",
        "name = \"muon\"\nadam_last_layer = false",
    ] {
        for (between, train) in between.into_iter().zip(["batch = 64", "batch = 40\naccumulate = 4"]) {
            let toml = format!(
                "name = \"whole\"\n[data]\nset = \"digits\"\n[model]\n{layers}{between}\
                 [optimizer]\n{optimizer}\n[train]\nepochs = 1\n{train}\n"
            );
            let recipe = Recipe::parse(&toml, "test recipe").unwrap();
            let data = some_digits(250);
            let alone = outcome(&recipe, &data, 1);
            for threads in &THREADS[1..] {
                let what = difference(&alone, &outcome(&recipe, &data, *threads));
                assert_eq!(what, None, "with {threads} threads in\n{toml}");
            }
        }
    }
}

/// What acts on all incoming weights of an output: units are whole columns then, and the bias is one.
#[test]
fn whole_columns() {
    let tables = [
        "[gradient]\nclip_adaptive = 0.01\n",
        "[gradient]\nclip_adaptive = 0.01\nclip_norm = 0.1\n[constraint]\nmax_norm = 1.2\n",
        "[constraint]\nclip_weights = 0.05\nmax_norm = 1.0\n",
    ];
    for (turn, (batch, samples)) in BATCHES.into_iter().enumerate() {
        for normed in [false, true] {
            let optimizer = SOME_OPTIMIZERS[turn % SOME_OPTIMIZERS.len()];
            let toml = format!(
                "name = \"whole-columns\"\n[data]\nset = \"digits\"\n[model]\n\
                 [[model.layers]]\ntype = \"dense\"\nunits = 130\nactivation = \"tanh\"\nweight_norm = {normed}\n\
                 [[model.layers]]\ntype = \"dense\"\nunits = 33\nactivation = \"gelu\"\nbias = false\n\
                 [[model.layers]]\ntype = \"dense\"\nunits = 10\nweight_norm = {normed}\n\
                 [optimizer]\n{optimizer}\n[train]\nepochs = 2\nbatch = {batch}\n{}",
                tables[turn % tables.len()]
            );
            check(&Recipe::parse(&toml, "test recipe").unwrap(), &some_digits(samples));
        }
    }
}

/// Averages, over several rules and with what else may happen in a step.
#[test]
fn averages() {
    let data = some_digits(200);
    for (optimizer, others) in [
        ("sgd", "[average]\nmethod = \"ema\"\ndecay = 0.9\n"),
        ("adam", "[average]\nmethod = \"swa\"\nstart = 1\n[gradient]\nclip_norm = 0.1\n"),
        ("momentum", "[lookahead]\nsteps = 3\n"),
        ("lion", "[lookahead]\nsteps = 2\n[average]\nmethod = \"ema\"\ndebias = false\nstart = 2\n"),
        ("rmsprop", "[lookahead]\nsteps = 2\n[average]\nmethod = \"swa\"\n[schedule]\nname = \"cosine\"\n"),
        ("lbfgs", "[lookahead]\nsteps = 2\n[average]\nmethod = \"ema\"\n"),
        ("cg", "[lookahead]\nsteps = 1\n[average]\nmethod = \"swa\"\n"),
    ] {
        let batches = ["batch = 33", "batch = 11\naccumulate = 3"];
        for batch in if ["lbfgs", "cg"].contains(&optimizer) { &["batch = \"all\""][..] } else { &batches } {
            let toml = format!(
                "name = \"averages\"\n[data]\nset = \"digits\"\n[model]\n\
                 [[model.layers]]\ntype = \"dense\"\nunits = 130\nactivation = \"relu\"\n\
                 [[model.layers]]\ntype = \"dense\"\nunits = 10\n\
                 [optimizer]\nname = \"{optimizer}\"\n{others}[train]\nepochs = 2\n{batch}\n"
            );
            let recipe =
                Recipe::parse(&toml, "test recipe").unwrap_or_else(|error| panic!("{error}\n{toml}"));
            let alone = outcome(&recipe, &data, THREADS[0]);
            for threads in &THREADS[1..] {
                if let Some(what) = difference(&alone, &outcome(&recipe, &data, *threads)) {
                    panic!("{what} with {threads} threads in\n{toml}");
                }
            }
            let plain = Recipe { lookahead: None, average: None, ..recipe };
            assert!(difference(&alone, &outcome(&plain, &data, 1)).is_some(), "they do nothing in\n{toml}");
        }
    }
}

/// Rows that are made by augmentation, once each, and mixed with rows of other workers: in networks whose
/// input is shared, also where a layer is split by features, and in those where it passes.
#[test]
fn augmentation() {
    let dense = |units: usize| {
        format!("[[model.layers]]\ntype = \"dense\"\nunits = {units}\nactivation = \"relu\"\n")
    };
    let conv = "[[model.layers]]\ntype = \"conv\"\nchannels = 6\nkernel = 5\nstride = 2\n\
                [[model.layers]]\ntype = \"flatten\"\n";
    let moved = "shift = 2\nrotation = 15\nzoom = 0.1\nstretch = 0.1\nshear = 0.1\nnoise = 0.1\n\
                 elastic = { sigma = 4, alpha = 34 }\nerase = { probability = 0.5 }\n";
    let mixed = "mixup = 0.4\nelastic = { sigma = 6, alpha = 30 }\n";
    for network in [dense(33), dense(130), conv.to_string()] {
        for (batch, samples) in [(1, 20), (33, 201), (128, 500), (300, 700)] {
            for augment in [moved, mixed] {
                let toml = format!(
                    "name = \"augmented\"\n[data]\nset = \"digits\"\nvalidation = 0.1\n[model]\n{network}\
                     [[model.layers]]\ntype = \"dense\"\nunits = 10\n[augment]\n{augment}\
                     [optimizer]\nname = \"adam\"\n[train]\nepochs = 2\nbatch = {batch}\n"
                );
                let mut recipe =
                    Recipe::parse(&toml, "test recipe").unwrap_or_else(|error| panic!("{error}\n{toml}"));
                let data = some_digits(samples);
                let alone = outcome(&recipe, &data, THREADS[0]);
                for threads in &THREADS[1..] {
                    if let Some(what) = difference(&alone, &outcome(&recipe, &data, *threads)) {
                        panic!("{what} with {threads} threads in\n{toml}");
                    }
                }
                if batch == 33 {
                    // Batches that make one step are one batch, also to what is mixed.
                    (recipe.train.batch, recipe.train.accumulate) = (11, 3);
                    assert_eq!(difference(&alone, &outcome(&recipe, &data, 3)), None, "{toml}");
                    recipe.augment = Default::default();
                    assert!(
                        difference(&alone, &outcome(&recipe, &data, 1)).is_some(),
                        "nothing done in\n{toml}"
                    );
                }
            }
        }
    }
}

/// Layers of images, whose gradients are summed by parts of the batch: batches of one row a part, of
/// several, of more parts than sixteen, and of several blocks; short last batches.
#[test]
fn networks_of_images() {
    let conv = |channels: usize, rest: &str| {
        format!("[[model.layers]]\ntype = \"conv\"\nchannels = {channels}\n{rest}\n")
    };
    let layer = |rest: &str| format!("[[model.layers]]\n{rest}\n");
    let networks = [
        conv(6, "kernel = 5\npadding = 2\nstride = 2\nactivation = \"relu\"")
            + &layer("type = \"max-pool\"\nkernel = 2")
            + &conv(17, "kernel = 3\nactivation = \"tanh\"")
            + &layer("type = \"average-pool\"\nkernel = 2\nstride = 1")
            + &layer("type = \"flatten\"")
            + &layer("type = \"dense\"\nunits = 70\nactivation = \"gelu\""),
        layer("type = \"max-pool\"\nkernel = 3")
            + &conv(20, "kernel = 3\nactivation = \"silu\"")
            + &conv(33, "kernel = 1\nbias = false")
            + &layer("type = \"global-average-pool\""),
        conv(6, "kernel = 5\nstride = 3\nactivation = \"relu\"")
            + &conv(12, "kernel = 3\npadding = 1\ngroups = 6\nactivation = \"tanh\"")
            + &conv(20, "kernel = 3\ngroups = 4\nactivation = \"relu\"")
            + &conv(20, "kernel = 2\nstride = 2\ngroups = 20\nbias = false")
            + &layer("type = \"flatten\""),
        // Wide ones: of the last, whose weights are more than its images, units sum the gradient.
        conv(16, "kernel = 4\nstride = 4\nactivation = \"relu\"")
            + &conv(40, "kernel = 3\npadding = 1\nactivation = \"relu\"")
            + &conv(72, "kernel = 3\npadding = 1\nactivation = \"sigmoid\"")
            + &layer("type = \"max-pool\"\nkernel = 2")
            + &layer("type = \"global-average-pool\""),
        conv(23, "kernel = 3\npadding = 1\nactivation = \"relu\"")
            + &layer("type = \"max-pool\"\nkernel = 2")
            + &conv(7, "kernel = 4\nbias = false")
            + &layer("type = \"max-pool\"\nkernel = 2")
            + &layer("type = \"flatten\"")
            + &layer("type = \"dense\"\nunits = 33\nactivation = \"relu\""),
    ];
    for network in &networks {
        for (batch, samples) in [(1, 20), (7, 40), (64, 150), (300, 700), (2100, 1999)] {
            let toml = format!(
                "name = \"images\"\n[data]\nset = \"digits\"\n[model]\n{network}\
                 [[model.layers]]\ntype = \"dense\"\nunits = 10\n\
                 [optimizer]\nname = \"adam\"\n[train]\nepochs = 2\nbatch = {batch}\n"
            );
            let mut recipe = Recipe::parse(&toml, "test recipe").unwrap();
            check(&recipe, &some_digits(samples));
            if batch == 64 {
                recipe.gradient.clip_norm = Some(0.5);
                check(&recipe, &some_digits(samples));
                // Batches that make one step are one batch.
                recipe.train.batch = 16;
                recipe.train.accumulate = 4;
                let accumulated = outcome(&recipe, &some_digits(samples), 3);
                recipe.train.batch = 64;
                recipe.train.accumulate = 1;
                let at_once = outcome(&recipe, &some_digits(samples), 2);
                assert_eq!(difference(&accumulated, &at_once), None);
            }
        }
    }
}

/// Blocks, in which several layers read one output: of images, with a shortcut of its own or none, in each
/// other, at the front; and of features, wide ones at the front among them, which are split.
#[test]
fn networks_of_blocks() {
    let block = |layers: &str, shortcut: &str, activation: &str| {
        format!(
            "{{ type = \"residual\", activation = \"{activation}\", layers = [{layers}], shortcut = [{shortcut}] }}"
        )
    };
    let conv = |channels: usize, stride: usize| {
        format!(
            "{{ type = \"conv\", channels = {channels}, kernel = 3, stride = {stride}, padding = 1, activation = \"tanh\" }}"
        )
    };
    let dense = |units: usize| format!("{{ type = \"dense\", units = {units}, activation = \"tanh\" }}");
    let gates = "{ type = \"squeeze-excite\", reduction = 2 }";
    let mean = "{ type = \"global-average-pool\" }";
    let norm = "{ type = \"batch-norm\", activation = \"relu\" }";
    let drop = "{ type = \"dropout\", rate = 0.2 }";
    let networks = [
        [
            block(&conv(6, 2), "{ type = \"conv\", channels = 6, kernel = 1, stride = 2 }", "relu"),
            block(&format!("{gates}, {}", block(&conv(6, 1), "", "identity")), "", "gelu"),
            block(&conv(17, 2), &conv(17, 2), "relu"),
            mean.to_string(),
        ],
        [
            block(&format!("{}, {}", dense(70), dense(65)), &dense(65), "relu"),
            block(&format!("{}, {}", dense(3), dense(65)), "", "identity"),
            block(&dense(65), "", "silu"),
            dense(20),
        ],
        // Segments of the rows pass end inside blocks; the first normalisation adds to the gradient of its
        // input.
        [
            conv(6, 2),
            block(&format!("{norm}, {}, {drop}, {norm}, {}", conv(9, 1), conv(6, 1)), "", "relu"),
            block(&format!("{}, {norm}, {gates}", conv(7, 2)), &format!("{}, {norm}", conv(7, 2)), "relu"),
            mean.to_string(),
        ],
    ];
    for network in &networks {
        for (batch, samples) in [(1, 10), (7, 40), (64, 150), (300, 700), (600, 500)] {
            let toml = format!(
                "name = \"blocks\"\n[data]\nset = \"digits\"\n[model]\n\
                 layers = [{}, {{ type = \"dense\", units = 10 }}]\n\
                 [optimizer]\nname = \"adam\"\n[train]\nepochs = 2\nbatch = {batch}\n",
                network.join(", ")
            );
            let recipe = Recipe::parse(&toml, "test recipe").unwrap();
            check(&recipe, &some_digits(samples));
        }
    }
}

/// Normalisation by batch, whose statistics cross the workers' rows, and dropout: behind layers split by
/// features, between layers of images, in batches of several parts, of a row a part, short last ones, blocks
/// of a batch, with averages of the parameters and their running statistics.
#[test]
fn normalised_networks() {
    let layer = |rest: &str| format!("[[model.layers]]\n{rest}\n");
    let conv = |channels: usize, rest: &str| {
        layer(&format!("type = \"conv\"\nchannels = {channels}\nkernel = 3\nbias = false\n{rest}"))
    };
    let norm = |rest: &str| layer(&format!("type = \"batch-norm\"\n{rest}"));
    let networks = [
        layer("type = \"dense\"\nunits = 130\nbias = false")
            + &norm("activation = \"relu\"")
            + &layer("type = \"dropout\"\nrate = 0.2")
            + &layer("type = \"dense\"\nunits = 33\nactivation = \"gelu\"")
            + &layer("type = \"layer-norm\"")
            + &norm("momentum = 0.5"),
        norm("")
            + &layer("type = \"dropout\"")
            + &layer("type = \"group-norm\"\ngroups = 7\nactivation = \"tanh\""),
        conv(6, "stride = 2\npadding = 1")
            + &norm("activation = \"relu\"")
            + &layer("type = \"dropout\"\nchannels = true\nrate = 0.3")
            + &layer("type = \"max-pool\"\nkernel = 2")
            + &conv(17, "activation = \"tanh\"")
            + &layer("type = \"dropout\"\nrate = 0.1")
            + &conv(20, "")
            + &norm("activation = \"silu\"")
            + &norm("")
            + &layer("type = \"flatten\"")
            + &layer("type = \"dense\"\nunits = 40\nbias = false")
            + &norm("activation = \"relu\""),
        layer("type = \"average-pool\"\nkernel = 2")
            + &layer("type = \"layer-norm\"\nactivation = \"relu\"")
            + &layer("type = \"group-norm\"\ngroups = 1")
            + &layer("type = \"dropout\"\nchannels = true")
            + &layer("type = \"flatten\""),
    ];
    let averages = [
        "[average]\nmethod = \"ema\"\ndecay = 0.9\n",
        "[lookahead]\nsteps = 2\n[average]\nmethod = \"swa\"\n",
        "[lookahead]\nsteps = 2\n[gradient]\nclip_norm = 0.5\n",
        "[gradient]\nclip_adaptive = 0.05\n[constraint]\nmax_norm = 2.0\n",
    ];
    for (turn, network) in networks.iter().enumerate() {
        for (batch, samples) in [(2, 20), (7, 40), (64, 150), (300, 700), (2100, 1999)] {
            let (optimizer, averages) =
                (SOME_OPTIMIZERS[turn % 3], averages[(turn + batch) % averages.len()]);
            let toml = format!(
                "name = \"normalised\"\n[data]\nset = \"digits\"\n[model]\n{network}\
                 [[model.layers]]\ntype = \"dense\"\nunits = 10\n{averages}\
                 [optimizer]\n{optimizer}\n[train]\nepochs = 2\nbatch = {batch}\n"
            );
            let mut recipe = Recipe::parse(&toml, "test recipe").unwrap();
            let data = some_digits(samples);
            check(&recipe, &data);
            if batch == 64 {
                let whole = outcome(&recipe, &data, 1);
                // Batches that make one step are normalised one by one.
                (recipe.train.batch, recipe.train.accumulate) = (16, 4);
                let accumulated = outcome(&recipe, &data, 1);
                assert_eq!(difference(&accumulated, &outcome(&recipe, &data, 3)), None);
                assert_eq!(difference(&accumulated, &whole).is_none(), turn == 3, "{turn}");
            }
        }
    }
}

/// Convolutions in groups with what acts on whole parameters or on all incoming weights of an output.
#[test]
fn whole_parameters_of_groups() {
    let conv = |rest: &str| format!("[[model.layers]]\ntype = \"conv\"\nchannels = 20\n{rest}\n");
    let layers = conv("kernel = 5\nstride = 3\nactivation = \"relu\"")
        + &conv("kernel = 3\ngroups = 20\nactivation = \"relu\"")
        + &conv("kernel = 3\ngroups = 4\nactivation = \"relu\"");
    for optimizer in [
        "\"lamb\"",
        "\"muon\"",
        "\"adam\"\n[gradient]\nclip_adaptive = 0.01\n[constraint]\nmax_norm = 0.9",
        "\"sgd\"\n[gradient]\nclip_norm = 0.1\n[average]\nmethod = \"ema\"",
    ] {
        let toml = format!(
            "name = \"groups\"\n[data]\nset = \"digits\"\n[model]\n{layers}\
             [[model.layers]]\ntype = \"global-average-pool\"\n\
             [[model.layers]]\ntype = \"dense\"\nunits = 10\n\
             [train]\nepochs = 2\nbatch = 33\n[optimizer]\nname = {optimizer}\n"
        );
        check(&Recipe::parse(&toml, "test recipe").unwrap(), &some_digits(150));
    }
}

#[test]
fn a_difference_is_seen() {
    let data = some_digits(128);
    let recipe = recipe(1, 1, 64);
    let right = outcome(&recipe, &data, 2);
    assert_eq!(difference(&right, &outcome(&recipe, &data, 2)), None);
    let mut other_seed = recipe.clone();
    other_seed.train.seed += 1;
    assert!(difference(&right, &outcome(&other_seed, &data, 2)).is_some());
    let [mut last_bit, mut prediction] = [right.clone(), right.clone()];
    last_bit.tensors[3].1[7] ^= 1;
    assert_eq!(difference(&right, &last_bit), Some("1 of 130 elements of 2.bias".into()));
    prediction.probabilities[369] ^= 1;
    assert_eq!(difference(&right, &prediction), Some("epochs, norms or predictions".into()));
    let mut norm = right.clone();
    assert_eq!(norm.norms.len(), 2 * 3, "two epochs of three layers");
    norm.norms[5][1] ^= 1;
    assert_eq!(difference(&right, &norm), Some("epochs, norms or predictions".into()));
}
