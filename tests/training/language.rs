//! Models of tokens: what padding counts, and that a text written token by token is what the whole network says.

use fallline::data::NO_TOKEN;
use fallline::data::{DataSet, Features, Origin, Samples, Targets, Tokens};
use fallline::engine::model::{Model, Recipe};
use fallline::engine::team::Team;
use fallline::engine::train;
use fallline::generate::{Generator, Sampling};
use fallline::{TargetsRef, Trainer};

use crate::common::runs;

const VOCABULARY: usize = 7;
const CONTEXT: usize = 11;

/// Tokens of no pattern.
fn drawn(count: usize, seed: usize) -> Vec<u32> {
    (0..count).map(|i| ((i * 7919 + seed * 104_729) % 1013 % VOCABULARY) as u32).collect()
}

/// Windows of a stream, of which each target is the next token.
fn samples(count: usize, step: usize) -> Samples {
    let stream = drawn((count - 1) * step + CONTEXT + 1, 3);
    let ids = stream[1..].to_vec();
    let bytes = stream[..stream.len() - 1].iter().map(|&token| token as u8).collect();
    let tokens = Tokens { ids, positions: CONTEXT, step, vocabulary: VOCABULARY };
    Samples::windows(Features::Bytes(bytes), CONTEXT, step, Targets::Tokens(tokens), count).unwrap()
}

/// A language model with these layers between embedding and outputs.
fn recipe(layers: &str) -> Recipe {
    recipe_with(VOCABULARY, layers)
}

/// The same with so many rows of the embedding.
fn recipe_with(categories: usize, layers: &str) -> Recipe {
    let text = format!(
        r#"
        name = "language"
        data.set = "folder"
        model.layers = [
            {{ type = "embedding", shared = true, categories = {categories}, widths = 12, weight_init = "normal" }},
            {layers}
            {{ type = "position-dense", units = {VOCABULARY} }},
        ]
        optimizer = {{ name = "adam", learning_rate = 0.01 }}
        gradient.clip_norm = 1.0
        train = {{ epochs = 2, batch = 8 }}
        "#
    );
    Recipe::parse(&text, "language").unwrap()
}

const NETWORKS: [&str; 8] = [
    r#"{ type = "position-embedding" }, { type = "transformer-block", heads = 3, dropout = 0.2, attention_dropout = 0.1 }, { type = "rms-norm" },"#,
    r#"{ type = "transformer-block", heads = 6, kv_heads = 2, rotary = true, function = "swiglu", normalise = "after" },
       { type = "sinusoidal-positions" },"#,
    r#"{ type = "lstm", units = 9 }, { type = "dropout", rate = 0.1 }, { type = "gru", units = 16 },"#,
    r#"{ type = "lstm", units = 7, layers = 3, dropout = 0.1, initial = "trained" },"#,
    r#"{ type = "rnn", units = 10 }, { type = "layer-norm", by_position = true },"#,
    r#"{ type = "residual", layers = [{ type = "position-dense", units = 12, activation = "gelu" }] },"#,
    // A temporal convolutional network: blocks of causal convolutions, in groups and depthwise too.
    r#"{ type = "residual", activation = "relu", layers = [
           { type = "conv-1d", channels = 12, kernel = 3, padding = "causal", activation = "relu" },
           { type = "dropout", rate = 0.1 },
           { type = "conv-1d", channels = 12, kernel = 2, groups = 12, padding = "causal", activation = "relu" },
       ] },
       { type = "residual", shortcut = [{ type = "conv-1d", channels = 18, kernel = 1 }], layers = [
           { type = "conv-1d", channels = 18, kernel = 3, dilation = 2, groups = 2, padding = "causal", activation = "gelu" },
           { type = "conv-1d", channels = 18, kernel = 2, dilation = 4, padding = "causal", activation = "tanh" },
       ] },"#,
    // In use, what each channel of each position goes through alone.
    r#"{ type = "conv-1d", channels = 12, kernel = 3, padding = "causal" }, { type = "batch-norm", activation = "tanh" },
       { type = "residual", layers = [
           { type = "position-dense", units = 12 }, { type = "batch-norm" }, { type = "prelu", by_channel = true },
       ] },
       { type = "prelu" },"#,
];

fn trained(recipe: &Recipe, samples: &Samples) -> Model {
    let set = DataSet::new("x", VOCABULARY, samples.clone(), samples.clone(), Origin::Generated { seed: 0 });
    runs::trained(recipe, &set.unwrap(), 2).1
}

/// The outputs behind each token, one after the other, are those of the network that sees all of them.
#[test]
fn what_is_generated_in_order_is_what_the_network_says() {
    let (samples, team) = (samples(20, 5), Team::new(2).unwrap());
    for layers in NETWORKS {
        let recipe = recipe(layers);
        let model = trained(&recipe, &samples);
        let all = train::outputs(&model, &samples, &recipe.data, &team).unwrap();
        let tokens: Vec<u32> = samples.row_bytes(0).unwrap().iter().map(|&token| token.into()).collect();
        for count in 1..=CONTEXT {
            let generator = Generator::new(&model, Sampling::default(), &tokens[..count]).unwrap();
            let expected = &all[(count - 1) * VOCABULARY..count * VOCABULARY];
            for (found, expected) in generator.outputs().iter().zip(expected) {
                assert!((found - expected).abs() < 1e-4, "{layers}, {count} tokens: {found} and {expected}");
            }
        }
    }
}

/// Longer than the context: a Transformer begins anew with the last half of what it has seen, a recurrent network goes on.
#[test]
fn generation_goes_on_beyond_the_context_and_repeats() {
    let samples = samples(20, 5);
    for layers in NETWORKS {
        let model = trained(&recipe(layers), &samples);
        let write = |seed| -> Vec<u32> {
            let sampling = Sampling { seed, ..Sampling::default() };
            let mut generator = Generator::new(&model, sampling, &drawn(3 * CONTEXT, 1)).unwrap();
            (0..4 * CONTEXT).map(|_| generator.write().unwrap()).collect()
        };
        assert_eq!(write(1), write(1), "{layers}");
        assert_ne!(write(1), write(2), "{layers}");
    }
    let model = trained(&recipe(NETWORKS[0]), &samples);
    for (prompt, message) in [(&[][..], "at least one"), (&[VOCABULARY as u32][..], "below 7")] {
        let error = Generator::new(&model, Sampling::default(), prompt).err().unwrap().to_string();
        assert!(error.contains(message), "{error}");
    }
    let few = Model::build(&recipe_with(5, NETWORKS[4]).model, [1, 1, CONTEXT], VOCABULARY, 1).unwrap();
    Generator::new(&few, Sampling::default(), &[4]).unwrap();
    let error = Generator::new(&few, Sampling::default(), &[5]).err().unwrap().to_string();
    assert!(error.contains("below 5"), "the embedding has no row for it: {error}");
}

/// A bigram model sees one token: its samples are sequences all the same, of one position.
#[test]
fn a_sequence_may_have_one_position() {
    let (stream, team) = (drawn(41, 3), Team::new(2).unwrap());
    let bytes = stream[..40].iter().map(|&token| token as u8).collect();
    let tokens = Tokens { ids: stream[1..].to_vec(), positions: 1, step: 1, vocabulary: VOCABULARY };
    let samples = Samples::windows(Features::Bytes(bytes), 1, 1, Targets::Tokens(tokens), 40).unwrap();
    for layers in [NETWORKS[0], NETWORKS[2]] {
        let recipe = recipe(layers);
        let mut model = trained(&recipe, &samples);
        let seen = train::evaluate(&model, &samples, &recipe.data, &team).unwrap();
        assert_eq!(seen.tokens.unwrap().positions, 40);
        // As a program trains on batches of its own.
        let codes: Vec<f32> = stream[..8].iter().map(|&token| token as f32).collect();
        let mut steps = Trainer::new().batch(8).steps(&mut model).unwrap();
        let step = steps.step(&codes, TargetsRef::Tokens(&stream[1..9])).unwrap();
        assert!(step.loss > 0.0 && step.accuracy.is_some(), "{step:?}");
    }
}

/// A sequence is lost as a whole, however many of its positions have no finite loss.
#[test]
fn samples_without_a_finite_loss_are_counted_not_their_positions() {
    let (samples, team) = (samples(20, 5), Team::new(2).unwrap());
    let recipe = recipe(NETWORKS[4]);
    let mut model = Model::build(&recipe.model, samples.shape(), VOCABULARY, 1).unwrap();
    model.parts_mut().1.fill(f32::NAN);
    let lost = train::evaluate(&model, &samples, &recipe.data, &team).unwrap().not_finite.unwrap();
    assert_eq!((lost.samples, lost.first), (20, 0));
}

#[test]
fn what_takes_positions_together_cannot_be_generated() {
    let samples = samples(20, 5);
    for (layers, kind) in [
        (r#"{ type = "attention", heads = 2 },"#, "attention"),
        (r#"{ type = "lstm", units = 16, bidirectional = true },"#, "bidirectional lstm"),
        (r#"{ type = "conv-1d", channels = 4, kernel = 3, padding = 1 },"#, "conv"),
        (r#"{ type = "conv-1d", channels = 4, kernel = 3, padding = [0, 2] },"#, "conv"),
        (r#"{ type = "layer-norm" },"#, "layer-norm"),
    ] {
        let model = trained(&recipe(layers), &samples);
        let error = Generator::new(&model, Sampling::default(), &[0]).err().unwrap().to_string();
        assert!(error.contains(kind) && error.contains("positions together"), "{error}");
    }
}

/// Samples whose tokens lie in one stream train as copies of them do.
#[test]
fn windows_that_overlap_are_copies_that_do_not() {
    let recipe = recipe(NETWORKS[0]);
    let overlapping = samples(20, 1);
    let copies = overlapping.take(&Vec::from_iter(0..20)).unwrap();
    assert_eq!((overlapping.step(), copies.step()), (1, CONTEXT));
    let [one, other] = [&overlapping, &copies].map(|samples| trained(&recipe, samples));
    assert_eq!(one.storage(), other.storage());
}

/// Positions that do not count change neither loss nor gradient, whatever stands there.
#[test]
fn padding_counts_nowhere() {
    let padded = |filler: u8| {
        let (count, whole) = (12, drawn(12 * CONTEXT, 5));
        let length = |sample: usize| 2 + sample % (CONTEXT - 2);
        let counts = |place: usize| place % CONTEXT < length(place / CONTEXT);
        let ids = (0..whole.len()).map(|at| if counts(at) { whole[at] } else { NO_TOKEN }).collect();
        let bytes = (0..whole.len()).map(|at| if counts(at) { whole[at] as u8 } else { filler }).collect();
        let tokens = Tokens { ids, positions: CONTEXT, step: CONTEXT, vocabulary: VOCABULARY };
        Samples::windows(Features::Bytes(bytes), CONTEXT, CONTEXT, Targets::Tokens(tokens), count).unwrap()
    };
    let recipe = recipe(NETWORKS[2]);
    let [one, other] = [0, 6].map(|filler| trained(&recipe, &padded(filler)));
    assert_eq!(one.storage(), other.storage());
    let team = Team::new(2).unwrap();
    let seen = train::evaluate(&one, &padded(0), &recipe.data, &team).unwrap();
    let counted: usize = (0..12).map(|sample| 2 + sample % (CONTEXT - 2)).sum();
    let tokens = seen.tokens.unwrap();
    assert_eq!(tokens.positions, counted);
    assert!((tokens.perplexity.ln() - seen.loss).abs() < 1e-9 && tokens.bits > seen.loss);
    // A mask that leaves nothing has no mean.
    let ids = vec![NO_TOKEN; CONTEXT];
    let tokens = Tokens { ids, positions: CONTEXT, step: CONTEXT, vocabulary: VOCABULARY };
    let nothing =
        Samples::windows(Features::Bytes(vec![0; CONTEXT]), CONTEXT, CONTEXT, Targets::Tokens(tokens), 1);
    let error = train::evaluate(&one, &nothing.unwrap(), &recipe.data, &team).unwrap_err().to_string();
    assert!(error.contains("a position that counts"), "{error}");
}

/// More workers than rows of a batch: all bits are those of one.
#[test]
fn sixteen_workers_on_twelve_rows_give_the_same_bits() {
    let samples = samples(12, 5);
    let mut recipe = recipe(NETWORKS[0]);
    recipe.train.batch = 12;
    let set = DataSet::new("x", VOCABULARY, samples.clone(), samples, Origin::Generated { seed: 0 }).unwrap();
    let [one, many] = [1, 16].map(|threads| runs::trained(&recipe, &set, threads).1);
    assert_eq!(one.storage(), many.storage());
}

#[test]
fn targets_that_do_not_fit_are_refused() {
    let samples = samples(4, 5);
    let refused = |layers: &str, samples: &Samples| {
        let model = Model::build(&recipe(layers).model, samples.shape(), VOCABULARY, 1).unwrap();
        let team = Team::new(1).unwrap();
        train::evaluate(&model, samples, &recipe(layers).data, &team).unwrap_err().to_string()
    };
    let images = Samples::images(vec![0; CONTEXT], [1, 1, CONTEXT], vec![1], VOCABULARY).unwrap();
    assert!(refused(NETWORKS[4], &images).contains("one for each of the 11 positions"));
    let tokens = Tokens { ids: vec![0; 5], positions: 5, step: 5, vocabulary: VOCABULARY };
    let short =
        Samples::windows(Features::Bytes(vec![0; CONTEXT]), CONTEXT, CONTEXT, Targets::Tokens(tokens), 1);
    assert!(refused(NETWORKS[4], &short.unwrap()).contains("one for each of the 11 positions"));
    let tokens = Tokens { ids: vec![8; CONTEXT], positions: CONTEXT, step: CONTEXT, vocabulary: 9 };
    let many =
        Samples::windows(Features::Bytes(vec![0; CONTEXT]), CONTEXT, CONTEXT, Targets::Tokens(tokens), 1);
    assert!(refused(NETWORKS[4], &many.unwrap()).contains("below 7"));
    let tokens = Tokens { ids: vec![9; CONTEXT], positions: CONTEXT, step: CONTEXT, vocabulary: 9 };
    let wrong =
        Samples::windows(Features::Bytes(vec![0; CONTEXT]), CONTEXT, CONTEXT, Targets::Tokens(tokens), 1);
    assert!(wrong.unwrap_err().to_string().contains("tokens: expected below 9"));
    // A code that the embedding has no row for, in samples that are not trained on.
    let tokens = Tokens { ids: vec![0; CONTEXT], positions: CONTEXT, step: CONTEXT, vocabulary: VOCABULARY };
    let beyond =
        Samples::windows(Features::Bytes(vec![7; CONTEXT]), CONTEXT, CONTEXT, Targets::Tokens(tokens), 1);
    assert!(refused(NETWORKS[4], &beyond.unwrap()).contains("a whole number from 0 to 6"));
    drop(samples);
}
