//! Networks from one sequence to another: what the parts of a sample see of each other, and that such a network learns.

use fallline::data::tasks::Task;
use fallline::data::{DataSet, Features, Samples};
use fallline::engine::model::{Model, Recipe};
use fallline::engine::team::Team;
use fallline::engine::train;
use fallline::generate::{Generator, Sampling};

use crate::common::runs;

/// Symbols of a source, and as many of a target.
const LENGTH: usize = 6;
const TOKENS: usize = 9;

const ENCODER: &str = r#"{ type = "position-embedding" },
    { type = "transformer-block", heads = 2, causal = false, source = 6, part = "source" },
    { type = "layer-norm", by_position = true, source = 6, part = "source" },"#;

const DECODERS: [&str; 3] = [
    r#"{ type = "decoder-block", heads = 2, source = 6 },"#,
    r#"{ type = "decoder-block", heads = 4, kv_heads = 2, source = 6, rotary = true, function = "swiglu", norm = "rms",
        normalise = "after", bias = false, dropout = 0.1, attention_dropout = 0.1 },"#,
    r#"{ type = "residual", layers = [{ type = "attention", heads = 2, causal = true, source = 6, part = "target" }] },
       { type = "residual", layers = [{ type = "cross-attention", heads = 2, source = 6 }] },
       { type = "rms-norm", source = 6, part = "target" },"#,
];

fn recipe(layers: &str, epochs: usize) -> fallline::Result<Recipe> {
    let text = format!(
        r#"
        name = "reverse"
        data = {{ set = "reverse", length = {LENGTH} }}
        model.layers = [
            {{ type = "embedding", shared = true, categories = {TOKENS}, widths = 16, weight_init = "normal" }},
            {layers}
            {{ type = "position-dense", units = {TOKENS}, source = {LENGTH}, part = "target" }},
        ]
        optimizer = {{ name = "adam", learning_rate = 0.01 }}
        train = {{ epochs = {epochs}, batch = 16 }}
        "#
    );
    Recipe::parse(&text, "reverse")
}

fn set(count: usize) -> DataSet {
    Task::Reverse.data_set([count, 20], LENGTH, 1).unwrap()
}

/// The samples with another token at this position of each of them.
fn changed(samples: &Samples, position: usize) -> Samples {
    let Features::Bytes(bytes) = samples.features() else { panic!("tokens are bytes") };
    let mut bytes = bytes.clone();
    bytes.chunks_exact_mut(2 * LENGTH).for_each(|sample| sample[position] = (sample[position] + 1) % 8);
    let (positions, targets) = (2 * LENGTH, samples.targets().clone());
    Samples::windows(Features::Bytes(bytes), positions, positions, targets, samples.len()).unwrap()
}

/// Every position of the target sees all of the source, and of the target itself and what is before.
#[test]
fn a_target_sees_the_source_and_what_is_before() {
    let (set, team) = (set(32), Team::new(2).unwrap());
    for decoder in DECODERS {
        let recipe = recipe(&format!("{ENCODER} {decoder}"), 1).unwrap();
        let (_, model) = runs::trained(&recipe, &set, 2);
        let outputs = |samples: &Samples| train::outputs(&model, samples, &recipe.data, &team).unwrap();
        let before = outputs(&set.test);
        for position in 0..2 * LENGTH {
            let after = outputs(&changed(&set.test, position));
            for (at, (before, after)) in before.chunks(TOKENS).zip(after.chunks(TOKENS)).enumerate() {
                let at = at % (2 * LENGTH);
                let is_seen = at >= LENGTH && (position < LENGTH || position <= at);
                assert_eq!(before != after, is_seen, "{decoder}: {position} at {at}");
                assert!(at >= LENGTH || before.iter().all(|&y| y == 0.0), "outputs of the source");
            }
        }
    }
}

/// The same bits on any number of threads, which cut a batch of so many positions into other blocks.
#[test]
fn threads_change_no_bit() {
    let set = set(200);
    for decoder in DECODERS {
        let mut recipe = recipe(&format!("{ENCODER} {decoder}"), 2).unwrap();
        recipe.train.batch = 90;
        let [one, others @ ..] = [1, 2, 3].map(|threads| runs::trained(&recipe, &set, threads).1);
        others.iter().for_each(|other| assert_eq!(one.storage(), other.storage(), "{decoder}"));
    }
}

/// Without a source to look at, who guesses is right once in eight times.
#[test]
fn a_short_sequence_is_reversed() {
    let (set, team) = (set(2000), Team::new(2).unwrap());
    let recipe = recipe(&format!("{ENCODER} {}", DECODERS[0]), 4).unwrap();
    let (_, model) = runs::trained(&recipe, &set, 2);
    let seen = train::evaluate(&model, &set.test, &recipe.data, &team).unwrap();
    assert_eq!(seen.tokens.as_ref().unwrap().positions, 20 * LENGTH);
    assert!(seen.accuracy.unwrap() > 0.5, "{:?}", seen.accuracy);
}

#[test]
fn what_does_not_fit_is_refused() {
    let built = |layers: &str| -> String {
        let recipe = match recipe(layers, 1) {
            Ok(recipe) => recipe,
            Err(error) => return error.to_string(),
        };
        Model::build(&recipe.model, [1, 1, 2 * LENGTH], TOKENS, 1).err().expect(layers).to_string()
    };
    for (layers, message) in [
        (r#"{ type = "decoder-block", heads = 2 },"#, "source"),
        (r#"{ type = "decoder-block", heads = 2, source = 12 },"#, "positions behind the 12 of the `source`"),
        (r#"{ type = "cross-attention", heads = 2, source = 13 },"#, "positions behind the 13"),
        (r#"{ type = "cross-attention", heads = 3, source = 6 },"#, "multiple of 3"),
        (r#"{ type = "cross-attention", heads = 2, source = 6, rotary = true },"#, "rotary"),
        (r#"{ type = "transformer-block", heads = 2, part = "source" },"#, "source`: expected at least 1"),
        (r#"{ type = "attention", heads = 2, source = 6 },"#, "beside `source`"),
        (r#"{ type = "layer-norm", source = 6, part = "source" },"#, "by_position"),
        (r#"{ type = "rms-norm", source = 20, part = "source" },"#, "positions behind the 20"),
    ] {
        let found = built(layers);
        assert!(found.contains(message), "{layers}: {found}");
    }
}

#[test]
fn it_is_not_written_token_by_token() {
    let set = set(32);
    for decoder in DECODERS {
        let (_, model) = runs::trained(&recipe(decoder, 1).unwrap(), &set, 1);
        let error = Generator::new(&model, Sampling::default(), &[0]).err().unwrap().to_string();
        assert!(error.contains("positions together"), "{error}");
    }
}
