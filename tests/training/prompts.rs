//! Prompts go through a network in chunks, and come out as if their tokens had come one after the other.

use fallline::data::DataSet;
use fallline::data::{Features, Origin, Samples, Targets, Tokens};
use fallline::engine::model::{Model, Recipe};
use fallline::engine::team::Team;
use fallline::engine::train;
use fallline::generate::{Generator, Sampling};

use crate::common::runs;

const VOCABULARY: usize = 19;

/// More than two chunks of 64, and no whole ones.
const CONTEXT: usize = 150;

/// Layers between embedding and outputs, whether these share their weights, and whether the network knows no more than the
/// positions of its context.
const NETWORKS: [(&str, bool, bool); 8] = [
    // Attention of several blocks of keys, by learned positions, with a head at the end that takes each position alone.
    (
        r#"{ type = "position-embedding" }, { type = "transformer-block", heads = 2 },
           { type = "transformer-block", heads = 2 }, { type = "layer-norm", by_position = true },"#,
        true,
        true,
    ),
    // Rotary positions, and keys and values that heads share, of a width that is no whole vector.
    (
        r#"{ type = "transformer-block", heads = 4, kv_heads = 2, rotary = true, function = "swiglu" },
           { type = "transformer-block", heads = 4, kv_heads = 1, rotary = true, normalise = "after" }, { type = "rms-norm" },"#,
        false,
        true,
    ),
    (r#"{ type = "sinusoidal-positions" }, { type = "attention", heads = 3, causal = true },"#, false, true),
    (r#"{ type = "lstm", units = 24, layers = 3, initial = "trained" },"#, true, false),
    (r#"{ type = "gru", units = 9 }, { type = "rnn", units = 20 }, { type = "rms-norm" },"#, false, false),
    // Windows that reach further back than a position, and further than a chunk.
    (
        r#"{ type = "residual", activation = "relu", layers = [
               { type = "conv-1d", channels = 24, kernel = 3, padding = "causal", activation = "gelu" },
               { type = "conv-1d", channels = 24, kernel = 2, groups = 24, dilation = 70, padding = "causal" },
           ] },
           { type = "conv-1d", channels = 18, kernel = 4, groups = 2, dilation = 5, padding = "causal", activation = "tanh" },"#,
        false,
        false,
    ),
    // Attention over states.
    (
        r#"{ type = "gru", units = 24 }, { type = "transformer-block", heads = 3, rotary = true },"#,
        false,
        true,
    ),
    // Nothing that is kept: the last token alone says what comes.
    (
        r#"{ type = "residual", layers = [{ type = "position-dense", units = 24, activation = "gelu" }] },"#,
        true,
        false,
    ),
];

fn recipe(layers: &str, is_tied: bool) -> Recipe {
    let output = match is_tied {
        true => r#"{ type = "tied-output" }"#.into(),
        false => format!(r#"{{ type = "position-dense", units = {VOCABULARY} }}"#),
    };
    let text = format!(
        r#"
        name = "prompts"
        data.set = "folder"
        model.layers = [
            {{ type = "embedding", shared = true, categories = {VOCABULARY}, widths = 24, weight_init = "normal" }},
            {layers}
            {output},
        ]
        optimizer = {{ name = "adam", learning_rate = 0.01 }}
        train = {{ epochs = 1, batch = 4 }}
        "#
    );
    Recipe::parse(&text, "prompts").unwrap()
}

/// Tokens of no pattern.
fn drawn(count: usize) -> Vec<u32> {
    (0..count).map(|i| ((i * 7919 + 104_729) % 1013 % VOCABULARY) as u32).collect()
}

/// Windows of a stream, of which each target is the next token.
fn samples(count: usize) -> Samples {
    let stream = drawn(count * CONTEXT + 1);
    let bytes = stream[..count * CONTEXT].iter().map(|&token| token as u8).collect();
    let tokens =
        Tokens { ids: stream[1..].to_vec(), positions: CONTEXT, step: CONTEXT, vocabulary: VOCABULARY };
    Samples::windows(Features::Bytes(bytes), CONTEXT, CONTEXT, Targets::Tokens(tokens), count).unwrap()
}

/// Each network, trained for a few steps.
fn models() -> Vec<(&'static str, bool, Recipe, Model)> {
    let samples = samples(8);
    let of = |&(layers, is_tied, is_bounded): &(&'static str, bool, bool)| {
        let recipe = recipe(layers, is_tied);
        let origin = Origin::Generated { seed: 0 };
        let set = DataSet::new("x", VOCABULARY, samples.clone(), samples.clone(), origin).unwrap();
        let model = runs::trained(&recipe, &set, 2).1;
        (layers, is_bounded, recipe, model)
    };
    NETWORKS.iter().map(of).collect()
}

fn bits(outputs: &[f32]) -> Vec<u32> {
    outputs.iter().map(|output| output.to_bits()).collect()
}

/// The outputs behind prompts of a chunk, of several, of one token more and of one less are those of tokens that come one after
/// the other, bit for bit, and those of the whole network up to rounding.
#[test]
fn chunks_have_the_bits_of_single_tokens() {
    let (tokens, samples, team) = (drawn(CONTEXT), samples(1), Team::new(2).unwrap());
    for (layers, _, recipe, model) in models() {
        let all = train::outputs(&model, &samples, &recipe.data, &team).unwrap();
        let mut single = Generator::new(&model, Sampling::default(), &tokens[..1]).unwrap();
        for count in 1..=CONTEXT {
            if count > 1 {
                single.read(&tokens[count - 1..count]).unwrap();
            }
            if ![1, 2, 15, 16, 17, 63, 64, 65, 127, 128, 129, CONTEXT].contains(&count) {
                continue;
            }
            let chunked = Generator::new(&model, Sampling::default(), &tokens[..count]).unwrap();
            assert_eq!(bits(chunked.outputs()), bits(single.outputs()), "{layers}, {count} tokens");
            let whole = &all[(count - 1) * VOCABULARY..count * VOCABULARY];
            let largest = whole.iter().fold(1.0f32, |largest, output| largest.max(output.abs()));
            for (found, expected) in chunked.outputs().iter().zip(whole) {
                assert!(
                    (found - expected).abs() < 3e-5 * largest,
                    "{layers}, {count}: {found} and {expected}"
                );
            }
        }
    }
}

/// A chunk may begin anywhere, as where somebody reads on behind what was written; what is written then is the same.
#[test]
fn reading_on_is_reading_at_once() {
    let tokens = drawn(CONTEXT - 20);
    for (layers, _, _, model) in models() {
        let write = |parts: &[usize]| -> Vec<u32> {
            let sampling = Sampling { seed: 3, ..Sampling::default() };
            let mut generator = Generator::new(&model, sampling, &tokens[..parts[0]]).unwrap();
            for pair in parts.windows(2) {
                generator.read(&tokens[pair[0]..pair[1]]).unwrap();
            }
            generator.read(&[]).unwrap();
            (0..20).map(|_| generator.write().unwrap()).collect()
        };
        let at_once = write(&[130]);
        for parts in [&[1, 130][..], &[50, 51, 115, 130], &[64, 128, 130], &[63, 65, 66, 130]] {
            assert_eq!(write(parts), at_once, "{layers} {parts:?}");
        }
    }
}

/// Of a prompt beyond the context a Transformer knows the end, as if it had come token by token; others know all of it.
#[test]
fn prompts_beyond_the_context_begin_anew_with_the_last_half() {
    let tokens = drawn(4 * CONTEXT);
    let half = CONTEXT / 2;
    for (layers, is_bounded, _, model) in models() {
        let mut single = Generator::new(&model, Sampling::default(), &tokens[..1]).unwrap();
        for count in 2..=3 * CONTEXT + 1 {
            single.read(&tokens[count - 1..count]).unwrap();
            let borders =
                [CONTEXT + 1, CONTEXT + half, CONTEXT + half + 1, 2 * CONTEXT + 70, 3 * CONTEXT + 1];
            if !borders.contains(&count) {
                continue;
            }
            let at_once = Generator::new(&model, Sampling::default(), &tokens[..count]).unwrap();
            assert_eq!(bits(at_once.outputs()), bits(single.outputs()), "{layers}, {count} tokens");
            if is_bounded {
                // So many halves are forgotten.
                let first = (count - CONTEXT).div_ceil(half) * half;
                let end = Generator::new(&model, Sampling::default(), &tokens[first..count]).unwrap();
                assert_eq!(bits(end.outputs()), bits(at_once.outputs()), "{layers}, {first}..{count}");
            }
        }
    }
}

#[test]
fn unknown_tokens_are_not_read() {
    let recipe = recipe(NETWORKS[3].0, true);
    let model = Model::build(&recipe.model, [1, 1, CONTEXT], VOCABULARY, 1).unwrap();
    let mut generator = Generator::new(&model, Sampling::default(), &[1, 2]).unwrap();
    let before = bits(generator.outputs());
    let error = generator.read(&[3, VOCABULARY as u32]).unwrap_err().to_string();
    assert!(error.contains("tokens to read: expected below 19"), "{error}");
    assert_eq!(bits(generator.outputs()), before);
    generator.read(&[3]).unwrap();
    let both = Generator::new(&model, Sampling::default(), &[1, 2, 3]).unwrap();
    assert_eq!(bits(generator.outputs()), bits(both.outputs()));
}
