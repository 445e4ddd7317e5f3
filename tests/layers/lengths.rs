//! Sequences of different lengths: what lies behind the length of one changes nothing, and a padded sequence gives what it
//! gives in a network of as many positions.

use crate::common::golden_network;
use crate::common::splitmix::uniform;
use fallline::data::{Features, NO_TOKEN, Samples, Targets, Tokens};
use fallline::engine::data::batches;
use fallline::engine::model::{Model, Recipe};
use fallline::engine::team::Team;
use fallline::engine::train::{self, Session};
use fallline::{Optimizer, Predictor, Trainer};

const POSITIONS: usize = 19;
const CHANNELS: usize = 6;
const CLASSES: usize = 3;
const LENGTHS: [u32; 7] = [1, 19, 8, 3, 17, 9, 2];

/// Layers that leave out what does not count, each behind others that do.
const NETWORKS: [&str; 6] = [
    r#"{ type = "lstm", units = 4, bidirectional = true }, { type = "gru", units = 16, bidirectional = true, returns = "last" }"#,
    r#"{ type = "rnn", units = 16, bidirectional = true }, { type = "global-average-pool" }"#,
    r#"{ type = "attention", heads = 2 }, { type = "position-dense", units = 9, activation = "gelu" },
       { type = "attention", heads = 3, kv_heads = 1 }, { type = "global-average-pool" }"#,
    r#"{ type = "transformer-block", heads = 3, rotary = true, causal = true, function = "swiglu" }, { type = "last-position" }"#,
    r#"{ type = "position-dense", units = 8, activation = "tanh" },
       { type = "transformer-block", heads = 2, normalise = "after" }, { type = "rms-norm" },
       { type = "lstm", units = 6, returns = "last" }"#,
    r#"{ type = "residual", layers = [{ type = "position-dense", units = 6, activation = "relu" }, { type = "gru", units = 6 }] },
       { type = "global-max-pool" }"#,
];

/// A source of one position: of the shortest sequence there is no target, and it can't be a network's own.
const PARTS: &str = r#"{ type = "position-dense", units = 8 },
       { type = "transformer-block", heads = 2, causal = false, source = 1, part = "source" },
       { type = "decoder-block", heads = 2, source = 1, hidden = 12 },
       { type = "attention", heads = 2, source = 1, part = "target" }, { type = "global-average-pool" }"#;

fn recipe(layers: &str) -> Recipe {
    let layers = format!("layers = [{layers}, {{ type = \"dense\", units = {CLASSES} }}]");
    golden_network::recipe(&layers, "name = \"sgd\"\nlearning_rate = 1.0", LENGTHS.len())
}

/// The network of so many positions: its initial values do not depend on how many.
fn model(layers: &str, positions: usize) -> Model {
    Model::build(&recipe(layers).model, [1, positions, CHANNELS], CLASSES, 3).unwrap()
}

/// Sequences `[samples, POSITIONS, CHANNELS]`, with numbers of this size behind their lengths.
fn sequences(padding: f32) -> Vec<f32> {
    let mut x = uniform(5, LENGTHS.len() * POSITIONS * CHANNELS);
    for (x, length) in x.chunks_exact_mut(POSITIONS * CHANNELS).zip(LENGTHS) {
        x[length as usize * CHANNELS..].iter_mut().for_each(|x| *x *= padding);
    }
    x
}

/// What counts of a sequence.
fn short(x: &[f32], sample: usize) -> &[f32] {
    &x[sample * POSITIONS * CHANNELS..][..LENGTHS[sample] as usize * CHANNELS]
}

fn labels() -> Vec<u8> {
    (0..LENGTHS.len()).map(|sample| (sample % CLASSES) as u8).collect()
}

fn values(model: &Model) -> Vec<f32> {
    model.tensors().into_iter().flat_map(|tensor| tensor.values).collect()
}

/// The parameters after a step of gradient descent with the rate 1.
fn stepped(mut model: Model, x: &[f32], labels: &[u8], lengths: Option<&[u32]>, threads: usize) -> Vec<f32> {
    let trainer = Trainer::new().optimizer(Optimizer::sgd(1.0)).batch(labels.len()).threads(threads);
    let mut steps = trainer.steps(&mut model).unwrap();
    match lengths {
        Some(lengths) => steps.step_sequences(x, labels, lengths).unwrap(),
        None => steps.step(x, labels).unwrap(),
    };
    drop(steps);
    values(&model)
}

#[test]
fn a_padded_sequence_gives_what_it_gives_alone() {
    for layers in NETWORKS.into_iter().chain([PARTS]) {
        let x = sequences(1.0);
        let mut padded = vec![f32::NAN; LENGTHS.len() * CLASSES];
        let predictor = Predictor::new(model(layers, POSITIONS)).unwrap();
        predictor.predict_sequences(&x, &LENGTHS, &mut padded).unwrap();
        for (sample, padded) in padded.chunks_exact(CLASSES).enumerate() {
            if layers == PARTS && LENGTHS[sample] == 1 {
                continue;
            }
            let mut alone = [f32::NAN; CLASSES];
            let predictor = Predictor::new(model(layers, LENGTHS[sample] as usize)).unwrap();
            predictor.predict(short(&x, sample), &mut alone).unwrap();
            assert_eq!(padded, alone, "{layers}: {sample}");
        }
        // What the test would not see if lengths did not matter.
        let mut whole = vec![f32::NAN; LENGTHS.len() * CLASSES];
        predictor.predict(&x, &mut whole).unwrap();
        assert_ne!(padded, whole, "{layers}");
    }
}

#[test]
fn gradients_of_padded_sequences_are_those_of_each_alone() {
    for layers in NETWORKS {
        let (x, labels) = (sequences(1.0), labels());
        let before = values(&model(layers, POSITIONS));
        let after = stepped(model(layers, POSITIONS), &x, &labels, Some(&LENGTHS), 2);
        let mut mean = vec![0.0; before.len()];
        for (sample, &length) in LENGTHS.iter().enumerate() {
            let alone = model(layers, length as usize);
            let alone = stepped(alone, short(&x, sample), &labels[sample..=sample], None, 1);
            for ((mean, after), before) in mean.iter_mut().zip(&alone).zip(&before) {
                *mean += f64::from(before - after) / LENGTHS.len() as f64;
            }
        }
        let largest = mean.iter().fold(0.0f64, |largest, x| largest.max(x.abs()));
        for ((mean, after), before) in mean.iter().zip(&after).zip(&before) {
            let found = f64::from(before - after);
            assert!((found - mean).abs() < 1e-5 * largest.max(1.0), "{layers}: {found} {mean}");
        }
    }
}

#[test]
fn padding_and_threads_change_no_bit() {
    for layers in NETWORKS.into_iter().chain([PARTS]) {
        let labels = labels();
        let of = |padding: f32, threads: usize| {
            let model = model(layers, POSITIONS);
            stepped(model, &sequences(padding), &labels, Some(&LENGTHS), threads)
        };
        let expected = of(1.0, 1);
        for (padding, threads) in [(100.0, 1), (-3.0, 2), (0.0, 3)] {
            assert_eq!(of(padding, threads), expected, "{layers}: {padding}, {threads} threads");
        }
    }
}

const VOCABULARY: usize = 7;

/// Lines of tokens, each with its length and with targets as far as that reaches.
fn lines(order: &[usize], has_lengths: bool) -> Samples {
    let (mut inputs, mut ids, mut lengths) = (Vec::new(), Vec::new(), Vec::new());
    for &line in order {
        let length = 1 + line * 31 % POSITIONS;
        for position in 0..POSITIONS {
            let counts = position < length;
            inputs.push(if counts { ((line + position * position) % VOCABULARY) as u8 } else { 0 });
            ids.push(if counts { ((line * 3 + position) % VOCABULARY) as u32 } else { NO_TOKEN });
        }
        lengths.push(length as u32);
    }
    let tokens = Tokens { ids, positions: POSITIONS, step: POSITIONS, vocabulary: VOCABULARY };
    let (features, targets) = (Features::Bytes(inputs), Targets::Tokens(tokens));
    let samples = Samples::windows(features, POSITIONS, POSITIONS, targets, order.len()).unwrap();
    if has_lengths { samples.with_lengths(lengths).unwrap() } else { samples }
}

fn language(layers: &str, train: &str) -> Recipe {
    let text = format!(
        r#"
        name = "lines"
        data.set = "folder"
        model.layers = [
            {{ type = "embedding", shared = true, categories = {VOCABULARY}, widths = 12, weight_init = "normal" }},
            {layers},
            {{ type = "position-dense", units = {VOCABULARY} }},
        ]
        optimizer = {{ name = "adam", learning_rate = 0.01 }}
        gradient.clip_norm = 1.0
        train = {{ batch = 8, {train} }}
        "#
    );
    Recipe::parse(&text, "lines").unwrap()
}

/// The parameters after two epochs, and the loss of the samples.
fn learnt(recipe: &Recipe, samples: &Samples, threads: usize) -> (Vec<f32>, f64) {
    let team = Team::new(threads).unwrap();
    let mut model = Model::build(&recipe.model, [1, 1, POSITIONS], VOCABULARY, 1).unwrap();
    let mut session = Session::new(&mut model, samples, recipe, &team).unwrap();
    (0..2).for_each(|_| {
        crate::common::runs::epoch(&mut session).unwrap();
    });
    drop(session);
    let loss = train::evaluate(&model, samples, &recipe.data, &team).unwrap().loss;
    (values(&model), loss)
}

const CAUSAL: [&str; 2] = [
    r#"{ type = "position-embedding" },
       { type = "transformer-block", heads = 3, causal = true, dropout = 0.2, attention_dropout = 0.1 },
       { type = "layer-norm", by_position = true }"#,
    r#"{ type = "lstm", units = 9 }, { type = "dropout", rate = 0.1 }, { type = "gru", units = 16 }"#,
];

/// Layers in which no position sees those behind it: with lengths less is computed, and nothing changes. The batches are
/// those of buckets.
#[test]
fn what_is_left_out_changes_no_parameter() {
    let count = 45;
    let lengths: Vec<u32> = (0..count).map(|line| 1 + (line * 31 % POSITIONS) as u32).collect();
    let mut order = Vec::new();
    batches::order(count, 1, 0, true, &mut order);
    batches::bucket(&mut order, &lengths, 8, 1, 0);
    let order: Vec<usize> = order.into_iter().map(|line| line as usize).collect();
    for layers in CAUSAL {
        let recipe = language(layers, "shuffle = false");
        let expected = learnt(&recipe, &lines(&order, false), 1);
        for threads in [1, 2, 3] {
            assert_eq!(learnt(&recipe, &lines(&order, true), threads), expected, "{layers}: {threads}");
        }
        let again = language(layers, "shuffle = false, accumulate = 2");
        let accumulated = [false, true].map(|has_lengths| learnt(&again, &lines(&order, has_lengths), 2));
        assert_eq!(accumulated[0], accumulated[1], "{layers}");
    }
}

/// Batches of buckets are others, and do not depend on threads.
#[test]
fn buckets_train_the_same_on_any_number_of_threads() {
    let order = Vec::from_iter(0..45);
    let samples = lines(&order, true);
    let plain = language(CAUSAL[1], "shuffle = true");
    let bucketed = language(CAUSAL[1], "buckets = true");
    let expected = learnt(&bucketed, &samples, 1);
    assert_ne!(learnt(&plain, &samples, 1), expected);
    for threads in [2, 3] {
        assert_eq!(learnt(&bucketed, &samples, threads), expected);
    }
    // Without lengths there is nothing to sort by.
    let mut model = Model::build(&bucketed.model, [1, 1, POSITIONS], VOCABULARY, 1).unwrap();
    let team = Team::new(1).unwrap();
    let refused = Session::new(&mut model, &lines(&order, false), &bucketed, &team).err().unwrap();
    assert!(refused.to_string().contains("`train.buckets`"), "{refused}");
}

#[test]
fn lengths_that_do_not_fit_are_refused() {
    let predictor = Predictor::new(model(NETWORKS[0], POSITIONS)).unwrap();
    let x = sequences(1.0);
    let mut out = vec![0.0; LENGTHS.len() * CLASSES];
    let mut refused =
        |lengths: &[u32]| predictor.predict_sequences(&x, lengths, &mut out).unwrap_err().to_string();
    assert_eq!(refused(&[1, 2]), "lengths of samples: expected 7, one for each, found 2");
    let range = "lengths of samples: expected from 1 to the 19 positions, found";
    assert_eq!(refused(&[1, 1, 0, 1, 1, 1, 1]), format!("{range} 0 at index 2"));
    assert_eq!(refused(&[1, 1, 1, 1, 1, 1, 20]), format!("{range} 20 at index 6"));
}
