//! Trainings in which each row of a batch goes on with the states that the batch before has left.

use std::path::Path;

use crate::common::compare::{bits_of, close};
use crate::common::golden::{self, count, numbers, text};
use crate::common::golden_network::tensors;
use crate::common::runs;
use crate::common::splitmix::{INPUTS, WEIGHTS, uniform};
use fallline::data::{DataSet, Origin, Targets, Tokens};
use fallline::engine::model::{Model, NamedTensor, Recipe};
use fallline::engine::team::Team;
use fallline::engine::train::{self, Order};
use fallline::{Optimizer, Samples, TargetsRef, Trainer};

/// Of the largest number, or of 1.
const TOLERANCE: f64 = 3e-6;

/// The recipe of a network with these layers and a dense layer at each position.
fn recipe_of(layers: &str, classes: usize, train: &str) -> Result<Recipe, fallline::Error> {
    let text = format!(
        "name = \"carried\"\ndata.set = \"folder\"\nmodel.layers = [{layers} {{ type = \"position-dense\", units = {classes} }}]\n\
         optimizer = {{ name = \"sgd\", learning_rate = 0.5 }}\n[train]\n{train}\n"
    );
    Recipe::parse(&text, "carried")
}

fn recipe(layers: &str, classes: usize, train: &str) -> Recipe {
    recipe_of(layers, classes, train).unwrap()
}

/// Sequences `[samples, positions, channels]` with a class at each position.
fn sequences(x: Vec<f32>, [positions, channels]: [usize; 2], ids: Vec<u32>, classes: usize) -> Samples {
    let tokens = Tokens { ids, positions, step: positions, vocabulary: classes };
    Samples::floats(x, [1, positions, channels], Targets::Tokens(tokens), classes).unwrap()
}

/// The file's samples and, of a case, the network before and after its training.
fn case_of(file: &serde_json::Value, case: &serde_json::Value) -> (Recipe, Model, Samples, Vec<NamedTensor>) {
    let [samples, batch, positions, channels, classes, epochs] =
        ["samples", "batch", "positions", "channels", "classes", "epochs"].map(|key| count(&file[key]));
    let layers: Vec<String> = case["layers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|layer| format!("{},", toml::Value::try_from(layer.clone()).unwrap()))
        .collect();
    let train = format!("batch = {batch}\nepochs = {epochs}\ncarry_state = true");
    let recipe = recipe(&layers.concat(), classes, &train);
    let mut model = Model::build(&recipe.model, [1, positions, channels], classes, 1).unwrap();
    let after = case["after"].as_array().unwrap();
    let theirs: Vec<[NamedTensor; 2]> = (WEIGHTS..)
        .zip(tensors(case).zip(after))
        .map(|(seed, ((name, shape), after))| {
            let drawn = uniform(seed, shape.iter().product()).into_iter().map(|value| 0.5 * value).collect();
            let after = numbers(after).into_iter().map(|value| value as f32).collect();
            [drawn, after].map(|values| NamedTensor { name: name.into(), shape: shape.clone(), values })
        })
        .collect();
    let own = model.tensors();
    assert_eq!(own.len(), theirs.len());
    let ordered = |which: usize| -> Vec<NamedTensor> {
        let of = |own: &NamedTensor| theirs.iter().find(|their| their[0].name == own.name).unwrap();
        own.iter().map(|own| of(own)[which].clone()).collect()
    };
    model.load_tensors(Path::new("golden"), ordered(0)).unwrap();
    let x = uniform(INPUTS, samples * positions * channels);
    let ids = golden::integers(&file["targets"]).into_iter().map(|id| id as u32).collect();
    (recipe, model, sequences(x, [positions, channels], ids, classes), ordered(1))
}

#[test]
fn parameters_after_some_steps_are_pytorchs() {
    let file = golden::read("carried.json");
    for case in golden::cases(&file) {
        let (recipe, model, samples, after) = case_of(&file, case);
        let agrees = |carries: bool| {
            let mut model = Model::build(&recipe.model, model.input(), model.classes(), 1).unwrap();
            let (_, first, ..) = case_of(&file, case);
            model.load_tensors(Path::new("golden"), first.tensors()).unwrap();
            let trainer = Trainer::from_recipe(&recipe).carry_state(carries).shuffle(false).threads(2);
            let record = trainer.fit(&mut model, &samples).unwrap();
            let found: Vec<f32> = model.tensors().into_iter().flat_map(|tensor| tensor.values).collect();
            let exact: Vec<f64> = after.iter().flat_map(|of| &of.values).map(|&x| x.into()).collect();
            let losses = numbers(&case["losses"]);
            let of_epoch = losses.chunks(losses.len() / record.epochs.len());
            let losses = of_epoch.zip(&record.epochs).all(|(steps, epoch)| {
                let mean = steps.iter().sum::<f64>() / steps.len() as f64;
                (epoch.train_loss - mean).abs() < 1e-6
            });
            losses && close(&found, &exact, TOLERANCE)
        };
        assert!(agrees(true) && !agrees(false), "{}", text(&case["name"]));
    }
}

/// A stream of two symbols by chance in windows of two positions, each of which is to say the symbol before its own.
fn echoes(windows: usize) -> Samples {
    let numbers = uniform(3, 2 * windows + 1);
    let symbol = |at: usize| u32::from(numbers[at] > 0.0);
    let x = (1..=2 * windows).flat_map(|at| [symbol(at) as f32, 1.0 - symbol(at) as f32]).collect();
    sequences(x, [2, 2], (0..2 * windows).map(symbol).collect(), 2)
}

/// The second position of a window teaches to remember the symbol before, and the first one then knows it from the state that
/// is carried. Without that both symbols are as likely there: log 2 of two positions.
#[test]
fn what_lies_behind_a_window_is_known_by_the_state() {
    let samples = echoes(400);
    let trained = |carries: bool| {
        let recipe = recipe("{ type = \"lstm\", units = 8 },", 2, "batch = 4\nepochs = 10");
        let mut model = Model::build(&recipe.model, [1, 2, 2], 2, 1).unwrap();
        let trainer = Trainer::from_recipe(&recipe).optimizer(Optimizer::adam(0.02)).carry_state(carries);
        let record = trainer.fit(&mut model, &samples).unwrap();
        let last = record.epochs.last().unwrap();
        last.train_loss
    };
    assert!(trained(true) < 0.05);
    assert!(trained(false) > 2f64.ln() / 2.0 - 0.05);
}

/// Windows of noise, each row's a stream.
fn noise(windows: usize) -> Samples {
    let x = uniform(5, windows * 10);
    let ids = x.chunks(2).map(|x| (x[0] > x[1]).into()).collect();
    sequences(x, [5, 2], ids, 2)
}

const LAYERS: [&str; 3] = [
    "{ type = \"lstm\", units = 19, layers = 2, dropout = 0.2, initial = \"trained\" },",
    "{ type = \"gru\", units = 7 }, { type = \"rms-norm\" }, { type = \"rnn\", units = 5, initial = \"trained\" },",
    "{ type = \"residual\", layers = [{ type = \"gru\", units = 2 }] }, { type = \"dropout\", rate = 0.1 },",
];

fn trained(layers: &str, threads: usize, train: &str, samples: &Samples) -> Vec<Vec<u32>> {
    let recipe = recipe(layers, 2, &format!("epochs = 2\ncarry_state = true\n{train}"));
    let mut model = Model::build(&recipe.model, [1, 5, 2], 2, 1).unwrap();
    Trainer::from_recipe(&recipe).threads(threads).fit(&mut model, samples).unwrap();
    vec![bits_of(&model)]
}

/// The batch is several blocks, of other sizes for other numbers of threads.
#[test]
fn bits_depend_neither_on_threads_nor_on_blocks() {
    let samples = noise(901);
    for layers in LAYERS {
        let one = trained(layers, 1, "batch = 300", &samples);
        for threads in [2, 3] {
            assert_eq!(trained(layers, threads, "batch = 300", &samples), one, "{threads} threads");
        }
        assert_eq!(trained(layers, 2, "batch = 100\naccumulate = 3", &samples), one);
        assert_ne!(trained(layers, 2, "batch = 299", &samples), one);
    }
}

/// Windows one after the other have the states, and with them the loss, of one long sequence.
#[test]
fn windows_in_order_are_one_long_sequence() {
    let windows = noise(12);
    let (Targets::Tokens(tokens), fallline::data::Features::Floats(x)) =
        (windows.targets(), windows.features())
    else {
        panic!("floats with tokens")
    };
    let long = sequences(x.clone(), [60, 2], tokens.ids.clone(), 2);
    for layers in LAYERS
        .map(|layers| layers.replace("dropout = 0.2", "dropout = 0.0").replace("rate = 0.1", "rate = 0.0"))
    {
        let still = |carries: bool, samples: &Samples, positions: usize| {
            let recipe = recipe(&layers, 2, "batch = 1\nepochs = 1\nshuffle = false");
            let mut model = Model::build(&recipe.model, [1, positions, 2], 2, 1).unwrap();
            let drawn: Vec<NamedTensor> = (60..)
                .zip(model.tensors())
                .map(|(seed, own)| NamedTensor { values: uniform(seed, own.values.len()), ..own })
                .collect();
            model.load_tensors(Path::new("drawn"), drawn).unwrap();
            let trainer =
                Trainer::from_recipe(&recipe).optimizer(Optimizer::sgd(0.0)).carry_state(carries).threads(1);
            trainer.fit(&mut model, samples).unwrap().epochs[0].train_loss
        };
        let [whole, carried, apart] =
            [still(false, &long, 60), still(true, &windows, 5), still(false, &windows, 5)];
        assert!((whole - carried).abs() < 1e-6, "{whole} {carried}");
        assert!((whole - apart).abs() > 1e-4, "{whole} {apart}");
    }
}

/// A network of these layers, without dropout, for windows of so many positions of noise, with drawn parameters.
fn drawn(layers: &str, positions: usize) -> (Recipe, Model) {
    let recipe = recipe(layers, 2, "batch = 2");
    let mut model = Model::build(&recipe.model, [1, positions, 2], 2, 1).unwrap();
    let drawn: Vec<NamedTensor> = (60..)
        .zip(model.tensors())
        .map(|(seed, own)| NamedTensor { values: uniform(seed, own.values.len()), ..own })
        .collect();
    model.load_tensors(Path::new("drawn"), drawn).unwrap();
    (recipe, model)
}

/// The windows of each stream of an evaluation have the outputs of one long sequence, those that are left over too, and the mean
/// loss is that of the long ones.
#[test]
fn streams_that_are_evaluated_are_long_sequences() {
    let (windows, team) = (noise(40), Team::new(2).unwrap());
    let (Targets::Tokens(tokens), fallline::data::Features::Floats(x)) =
        (windows.targets(), windows.features())
    else {
        panic!("floats with tokens")
    };
    // One stream of all, two of twenty, and of three at most, since none has fewer than sixteen: sixteen, sixteen and eight.
    for (most, length) in [(1, 40), (2, 20), (3, 16), (100, 16)] {
        for layers in LAYERS {
            let (recipe, model) = drawn(layers, 5);
            let order = Order::Streams(most);
            let found = train::outputs_in(order, &model, &windows, &recipe.data, &team).unwrap();
            let apart = train::outputs(&model, &windows, &recipe.data, &team).unwrap();
            let mut expected = Vec::new();
            let mut sum = 0.0;
            for stream in (0..40).step_by(length).map(|first| first..(first + length).min(40)) {
                let positions = 5 * stream.len();
                let (_, model) = drawn(layers, positions);
                let own = 5 * stream.start..5 * stream.end;
                let (x, ids) = (x[2 * own.start..2 * own.end].to_vec(), tokens.ids[own].to_vec());
                let long = sequences(x, [positions, 2], ids, 2);
                expected.extend(train::outputs(&model, &long, &recipe.data, &team).unwrap());
                let seen = train::evaluate(&model, &long, &recipe.data, &team).unwrap();
                sum += seen.loss * stream.len() as f64;
            }
            let exact: Vec<f64> = expected.iter().map(|&y| y.into()).collect();
            assert!(close(&found, &exact, 1e-6), "{layers} {most}");
            assert!(!close(&apart, &exact, 1e-3), "{layers} {most}");
            let seen = train::evaluate_in(order, &model, &windows, &recipe.data, &team).unwrap();
            assert!((seen.loss - sum / 40.0).abs() < 1e-6, "{layers} {most}: {} {}", seen.loss, sum / 40.0);
        }
    }
}

/// However many workers share the streams, and however many streams go through the network together.
#[test]
fn evaluations_in_streams_have_the_same_bits_for_any_number_of_threads() {
    let windows = noise(901);
    for layers in LAYERS {
        let (recipe, model) = drawn(layers, 5);
        for most in [1, 7, 300] {
            let bits = |threads: usize| -> Vec<u32> {
                let team = Team::new(threads).unwrap();
                let order = Order::Streams(most);
                let outputs = train::outputs_in(order, &model, &windows, &recipe.data, &team).unwrap();
                let seen = train::evaluate_in(order, &model, &windows, &recipe.data, &team).unwrap();
                let loss = seen.loss.to_bits();
                let halves = [(loss >> 32) as u32, loss as u32];
                outputs.iter().map(|output| output.to_bits()).chain(halves).collect()
            };
            let one = bits(1);
            for threads in [2, 3, 16] {
                assert!(bits(threads) == one, "{layers}: {most} streams, {threads} threads");
            }
        }
    }
}

/// What a training is tested on goes through in order, as what it trains on does.
#[test]
fn trainings_that_carry_states_are_evaluated_so() {
    let (windows, team) = (noise(64), Team::new(2).unwrap());
    let set = DataSet::new("x", 2, windows.clone(), windows.clone(), Origin::Generated { seed: 0 }).unwrap();
    for carries in [true, false] {
        let train = format!("batch = 2\nepochs = 1\nshuffle = false\ncarry_state = {carries}");
        let recipe = recipe(LAYERS[1], 2, &train);
        let (record, model) = runs::trained(&recipe, &set, 2);
        let loss = |order| train::evaluate_in(order, &model, &windows, &recipe.data, &team).unwrap().loss;
        let [apart, streams] = [Order::Apart, Order::Streams(2)].map(loss);
        assert_ne!(apart, streams);
        let expected = if carries { streams } else { apart };
        assert_eq!(record.test.unwrap().loss, expected, "carries: {carries}");
        let order = Order::of(&recipe.train, &model, &windows);
        assert_eq!(order, if carries { Order::Streams(2) } else { Order::Apart });
        let trainer = Trainer::from_recipe(&recipe).threads(1);
        assert_eq!(trainer.evaluate(&model, &windows).unwrap().loss, expected);
    }
}

/// A program's own batches go on with each other until it says otherwise.
#[test]
fn steps_of_ones_own_carry_states_and_forget_them() {
    let (samples, recipe) = (noise(6), recipe(LAYERS[1], 2, "batch = 2\nepochs = 2\ncarry_state = true"));
    let build = || Model::build(&recipe.model, [1, 5, 2], 2, 1).unwrap();
    let trainer = Trainer::from_recipe(&recipe).threads(2);
    let mut whole = build();
    trainer.fit(&mut whole, &samples).unwrap();
    let own = |forgets: bool| {
        let mut model = build();
        let mut steps = trainer.steps(&mut model).unwrap();
        for _ in 0..2 {
            for step in 0..3 {
                let part = samples.take(&[step, 3 + step]).unwrap();
                let (Targets::Tokens(tokens), fallline::data::Features::Floats(x)) =
                    (part.targets(), part.features())
                else {
                    panic!("floats with tokens")
                };
                steps.step(&x[..], TargetsRef::Tokens(&tokens.ids)).unwrap();
            }
            if forgets {
                steps.forget_states();
            }
        }
        drop(steps);
        bits_of(&model)
    };
    assert_eq!(own(true), bits_of(&whole));
    assert_ne!(own(false), bits_of(&whole));
}

#[test]
fn what_does_not_go_with_carried_states_is_refused() {
    let lstm = "{ type = \"lstm\", units = 4 },";
    let carried = recipe(lstm, 2, "carry_state = true");
    assert!(carried.train.carry_state && !carried.train.shuffle);
    assert_eq!(Recipe::parse(&carried.to_toml(), "copy").unwrap(), carried);
    for (layers, train, expected) in [
        (lstm, "shuffle = true", "train.shuffle"),
        (lstm, "steps_per_epoch = 3", "train.steps_per_epoch"),
        (lstm, "batch = \"all\"", "train.batch"),
        ("{ type = \"lstm\", units = 4, bidirectional = true },", "", "bidirectional"),
        (lstm, "[augment]\nnoise = 0.1", "augment"),
    ] {
        let error = recipe_of(layers, 2, &format!("carry_state = true\n{train}")).unwrap_err().to_string();
        assert!(error.contains(expected) && error.contains("carry_state"), "{error}");
    }
    for (data, expected) in [
        ("data = { set = \"grammar\", context = 8 }", "data.stride"),
        ("data = { set = \"grammar\", form = \"lines\" }", "data.form"),
        ("data.set = \"mnist\"", "data.set"),
        ("data = { set = \"airline\", window = 6, step = 1 }", "data.step"),
    ] {
        let text = format!(
            "name = \"carried\"\n{data}\nmodel.layers = [{lstm} {{ type = \"position-dense\", units = 2 }}]\n\
             optimizer = {{ name = \"sgd\", learning_rate = 0.5 }}\ntrain.carry_state = true\n"
        );
        let error = Recipe::parse(&text, "carried").unwrap_err().to_string();
        assert!(error.contains(expected) && error.contains("carry_state"), "{error}");
    }
    for (layers, batch, expected) in [
        (
            "{ type = \"position-dense\", units = 4 }, { type = \"batch-norm\" }, { type = \"lstm\", units = 4 },",
            2,
            "normalisation by batch",
        ),
        ("{ type = \"position-dense\", units = 4 },", 2, "a recurrent layer of one direction"),
        (lstm, 6, "at most 5 rows"),
    ] {
        let recipe = recipe(layers, 2, &format!("carry_state = true\nbatch = {batch}"));
        let mut model = Model::build(&recipe.model, [1, 5, 2], 2, 1).unwrap();
        let error = Trainer::from_recipe(&recipe).fit(&mut model, &noise(11)).unwrap_err().to_string();
        assert!(error.contains(expected) && error.contains("carry_state"), "{error}");
    }
    // Samples that have others between them.
    let recipe = recipe(lstm, 2, "carry_state = true\nbatch = 2");
    let mut model = Model::build(&recipe.model, [1, 5, 2], 2, 1).unwrap();
    let error = Trainer::from_recipe(&recipe).validation(0.3).fit(&mut model, &noise(30)).unwrap_err();
    assert!(error.to_string().contains("carry_state"), "{error}");
}
