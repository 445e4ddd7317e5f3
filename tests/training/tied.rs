//! Language models whose output layer has the weights of the embedding: their steps against PyTorch and against finite
//! differences of a naive network in f64, their bits on any number of threads, their files, and what is refused.

use std::path::Path;

use fallline::data::{DataSet, Features, NO_TOKEN, Origin, Samples, Targets, Tokens};
use fallline::engine::model::{Model, NamedTensor, Recipe};
use fallline::engine::team::Team;
use fallline::engine::train;
use fallline::generate::{Generator, Sampling};
use fallline::{Activation, LayerConfig, Optimizer, TargetsRef, Trainer};
use serde_json::Value;

use crate::common::compare::{bits, close, widened};
use crate::common::golden::{self, count, integers, numbers, text};
use crate::common::runs;
use crate::common::splitmix::{LABELS, SplitMix64, WEIGHTS, uniform};

/// Of a few steps in f32.
const TRAINED: f64 = 2e-5;
/// Of gradients, which are differences of parameters before and after a step.
const GRADIENTS: f64 = 5e-6;
/// The seed of the codes, as in the script.
const CODES: u64 = 600;

fn named(name: &str) -> LayerConfig {
    LayerConfig::named(name).unwrap()
}

/// Tokens below `rows`; of targets every seventh does not count.
fn tokens(positions: usize, rows: usize) -> (Vec<f32>, Vec<u32>) {
    let drawn = |seed| SplitMix64(seed).take(positions).map(|z| z % rows as u64);
    let targets = drawn(LABELS).enumerate().map(|(at, id)| if at % 7 == 0 { NO_TOKEN } else { id as u32 });
    (drawn(CODES).map(|code| code as f32).collect(), targets.collect())
}

/// An embedding with this table, these layers, and the output layer that is tied to it.
fn model(positions: usize, table: [usize; 2], between: Vec<LayerConfig>, bias: bool) -> Model {
    let embedding = LayerConfig::embedding(&[table]).with("shared", true).unwrap();
    let begun = Model::sequential(positions).layer(embedding);
    let all = between.into_iter().fold(begun, |model, layer| model.layer(layer));
    all.layer(named("tied-output").with("bias", bias).unwrap()).build().unwrap()
}

/// The losses before each step of a case of the golden file, and the tied matrix behind the last.
fn steps_of(file: &Value, case: &Value, threads: usize) -> [Vec<f64>; 2] {
    let (batch, positions) = (count(&file["batch"]), count(&file["positions"]));
    let [rows, width] = <[u64; 2]>::try_from(integers(&case["table"])).unwrap().map(|side| side as usize);
    let between = match text(&case["middle"]) {
        "none" => vec![],
        "dense" => {
            let dense = named("position-dense").with("units", width).unwrap();
            vec![dense.with("activation", Activation::TANH).unwrap()]
        }
        kind => vec![named(kind).with("units", width).unwrap()],
    };
    let mut model = model(positions, [rows, width], between, case["bias"].as_bool().unwrap());
    let names: Vec<&str> = case["names"].as_array().unwrap().iter().map(text).collect();
    let tensors = model.tensors().into_iter().map(|NamedTensor { name, shape, values }| {
        let number = names.iter().position(|other| *other == name).unwrap_or_else(|| panic!("{name}"));
        let drawn = uniform(WEIGHTS + number as u64, values.len());
        NamedTensor { name, shape, values: drawn.into_iter().map(|value| 0.5 * value).collect() }
    });
    let tensors: Vec<NamedTensor> = tensors.collect();
    assert_eq!(tensors.len(), names.len(), "one matrix for both layers");
    model.load_tensors(Path::new("golden"), tensors).unwrap();
    let rate = case["rule"]["lr"].as_f64().unwrap();
    let is_sgd = text(&case["rule"]["name"]) == "sgd";
    let optimizer = if is_sgd { Optimizer::sgd(rate) } else { Optimizer::adam(rate) };
    let (codes, targets) = tokens(batch * positions, rows);
    let trainer = Trainer::new().optimizer(optimizer).batch(batch).threads(threads);
    let mut steps = trainer.steps(&mut model).unwrap();
    let mut step = || steps.step(&codes[..], TargetsRef::Tokens(&targets)).unwrap().loss;
    let losses = numbers(&case["losses"]).iter().map(|_| step()).collect();
    drop(steps);
    let tied = model.tensors().into_iter().find(|tensor| tensor.shape == [rows, width]).unwrap();
    [losses, widened(&tied.values)]
}

#[test]
fn steps_are_those_of_pytorch() {
    let file = golden::read("tied.json");
    for case in golden::cases(&file) {
        let name = format!("{} {}", text(&case["name"]), text(&case["rule"]["name"]));
        let expected = ["losses", "weights"].map(|key| numbers(&case[key]));
        let agrees = |found: &[Vec<f64>; 2]| {
            found.iter().zip(&expected).all(|(found, expected)| {
                found.len() == expected.len()
                    && found.iter().zip(expected).all(|(found, expected)| (found - expected).abs() <= TRAINED)
            })
        };
        let found = steps_of(&file, case, 1);
        assert!(agrees(&found), "{name}: {found:?}\n{expected:?}");
        assert_eq!(steps_of(&file, case, 2), found, "{name}");
        let mut wrong = found.clone();
        wrong[1][0] += 1e-4;
        assert!(!agrees(&wrong));
    }
}

/// Embedding, a dense layer with tanh, and the tied output layer.
struct Naive {
    width: usize,
    /// `[rows, width]`, the only copy.
    tied: Vec<f64>,
    /// `[rows]`
    bias: Vec<f64>,
    /// `[width, width]` and `[width]`
    dense: [Vec<f64>; 2],
}

impl Naive {
    fn of(model: &Model, [_, width]: [usize; 2]) -> Naive {
        let tensors = model.tensors();
        let values = |name: &str| widened(&tensors.iter().find(|tensor| tensor.name == name).unwrap().values);
        let dense = [values("1.weight"), values("1.bias")];
        Naive { width, tied: values("3.weight"), bias: values("3.bias"), dense }
    }

    /// The mean cross-entropy of the positions that count.
    fn loss(&self, codes: &[f32], targets: &[u32]) -> f64 {
        let product = |w: &[f64], b: &[f64], x: &[f64]| -> Vec<f64> {
            let row = |(w, b): (&[f64], &f64)| b + w.iter().zip(x).map(|(w, x)| w * x).sum::<f64>();
            w.chunks_exact(self.width).zip(b).map(row).collect()
        };
        let (mut sum, mut counted) = (0.0, 0);
        for (&code, &target) in codes.iter().zip(targets).filter(|(_, target)| **target != NO_TOKEN) {
            let x = &self.tied[code as usize * self.width..][..self.width];
            let hidden: Vec<f64> =
                product(&self.dense[0], &self.dense[1], x).iter().map(|x| x.tanh()).collect();
            let outputs = product(&self.tied, &self.bias, &hidden);
            sum += outputs.iter().map(|x| x.exp()).sum::<f64>().ln() - outputs[target as usize];
            counted += 1;
        }
        sum / f64::from(counted)
    }
}

/// A code of each row, and rows that no code stands for; one panel and several, several shards along inputs and outputs.
#[test]
fn the_gradient_is_what_finite_differences_of_the_whole_network_say() {
    const STEP: f64 = 1e-5;
    for (table, positions, batch) in [([3, 4], 5, 3), ([35, 20], 4, 6), ([70, 115], 7, 6)] {
        let [rows, width] = table;
        let dense = named("position-dense").with("units", width).unwrap();
        let between = vec![dense.with("activation", Activation::TANH).unwrap()];
        let mut model = model(positions, table, between, true);
        for tensor in 0..2 {
            // Initial values of an embedding are too small to show anything.
            let mut tensors = model.tensors();
            let place = tensors.iter().position(|own| own.name == ["3.weight", "3.bias"][tensor]).unwrap();
            let values = uniform(40 + tensor as u64, tensors[place].values.len());
            tensors[place].values = values.into_iter().map(|value| 0.4 * value).collect();
            model.load_tensors(Path::new("drawn"), tensors).unwrap();
        }
        let (codes, targets) = tokens(batch * positions, rows);
        let mut naive = Naive::of(&model, table);
        let loss = naive.loss(&codes, &targets);
        let trainer = Trainer::new().optimizer(Optimizer::sgd(1.0)).batch(batch).threads(3);
        let step = trainer.steps(&mut model).unwrap().step(&codes[..], TargetsRef::Tokens(&targets)).unwrap();
        assert!((step.loss - loss).abs() < 1e-6, "{} {loss}", step.loss);
        let after = Naive::of(&model, table).tied;
        assert_eq!(after.len(), rows * width);
        // A prime, so that all rows and all channels come.
        let places: Vec<usize> = (0..400).map(|number| number * 7919 % (rows * width)).collect();
        let found: Vec<f32> = places.iter().map(|&at| (naive.tied[at] - after[at]) as f32).collect();
        let mut difference = |at: usize| {
            let before = naive.tied[at];
            let mut beside = |step: f64| {
                naive.tied[at] = before + step;
                naive.loss(&codes, &targets)
            };
            let slope = (beside(STEP) - beside(-STEP)) / (2.0 * STEP);
            naive.tied[at] = before;
            slope
        };
        let exact: Vec<f64> = places.iter().map(|&at| difference(at)).collect();
        assert!(close(&found, &exact, GRADIENTS), "{table:?}");
        assert!(exact.iter().any(|slope| slope.abs() > 1e-3));
        let mut wrong = found;
        wrong[3] += 1e-4;
        assert!(!close(&wrong, &exact, GRADIENTS));
    }
}

const VOCABULARY: usize = 37;
const CONTEXT: usize = 11;

fn recipe(between: &str, more: &str) -> Recipe {
    let text = format!(
        r#"
        name = "tied"
        data.set = "folder"
        model.layers = [
            {{ type = "embedding", shared = true, categories = {VOCABULARY}, widths = 24, weight_init = {{ type = "normal", deviation = 0.1 }} }},
            {between}
            {{ type = "tied-output", bias = true, bias_init = "uniform" }},
        ]
        {more}
        "#
    );
    Recipe::parse(&text, "tied").unwrap()
}

const ADAM: &str = "optimizer = { name = \"adam\", learning_rate = 0.01 }\ngradient.clip_norm = 1.0\n\
                    train = { epochs = 2, batch = 64 }";

const NETWORKS: [&str; 4] = [
    r#"{ type = "position-embedding" }, { type = "transformer-block", heads = 3, dropout = 0.2 }, { type = "rms-norm" },"#,
    r#"{ type = "lstm", units = 24 },"#,
    r#"{ type = "conv-1d", channels = 24, kernel = 3, padding = "causal" }, { type = "batch-norm", activation = "tanh" },"#,
    "",
];

/// Windows of a stream, of which each target is the next token.
fn samples(count: usize) -> Samples {
    let step = 5;
    let token = |i: usize| ((i * 7919 + 104_729) % 1013 % VOCABULARY) as u32;
    let stream: Vec<u32> = (0..(count - 1) * step + CONTEXT + 1).map(token).collect();
    let ids = stream[1..].to_vec();
    let bytes = stream[..stream.len() - 1].iter().map(|&token| token as u8).collect();
    let tokens = Tokens { ids, positions: CONTEXT, step, vocabulary: VOCABULARY };
    Samples::windows(Features::Bytes(bytes), CONTEXT, step, Targets::Tokens(tokens), count).unwrap()
}

fn trained(recipe: &Recipe, samples: &Samples, threads: usize) -> Model {
    let origin = Origin::Generated { seed: 0 };
    let set = DataSet::new("x", VOCABULARY, samples.clone(), samples.clone(), origin).unwrap();
    runs::trained(recipe, &set, threads).1
}

/// A batch of 64 rows of 11 positions takes several blocks on one and on two threads, and others with more: no bit depends
/// on where it is cut, for rules that see numbers by themselves, whole columns or whole matrices.
#[test]
fn bits_are_the_same_on_any_number_of_threads_and_in_any_blocks() {
    let samples = samples(150);
    let rules = [
        ADAM,
        "optimizer = { name = \"momentum\", learning_rate = 0.05 }\ntrain = { epochs = 2, batch = 64, accumulate = 2 }",
        "optimizer = { name = \"muon\" }\ntrain = { epochs = 1, batch = 70 }",
        "optimizer = { name = \"muon\", adam_last_layer = false }\ntrain = { epochs = 1, batch = 64 }",
        "optimizer = { name = \"adafactor\" }\ntrain = { epochs = 1, batch = 64 }",
        "optimizer = { name = \"sgd\", learning_rate = 0.1 }\ngradient.clip_adaptive = 0.01\naverage.method = \"ema\"\n\
         train = { epochs = 1, batch = 64 }",
        "optimizer = { name = \"lamb\", learning_rate = 0.01 }\ntrain = { epochs = 1, batch = 150 }",
        "optimizer = { name = \"adamw\", learning_rate = 0.01 }\nconstraint.max_norm = 0.4\n\
         train = { epochs = 1, batch = 64 }",
    ];
    for (between, rule) in
        NETWORKS.into_iter().map(|layers| (layers, ADAM)).chain(rules.map(|rule| (NETWORKS[1], rule)))
    {
        let recipe = recipe(between, rule);
        let one = trained(&recipe, &samples, 1);
        for threads in [2, 3, 16] {
            let other = trained(&recipe, &samples, threads);
            assert_eq!(bits(one.storage()), bits(other.storage()), "{between} {rule}, {threads} threads");
        }
        let begun = Model::build(&recipe.model, samples.shape(), VOCABULARY, recipe.train.seed).unwrap();
        assert_ne!(bits(one.storage()), bits(begun.storage()));
    }
}

/// One matrix is counted, drawn as the embedding says, saved and loaded; and the copy goes on as the first would.
#[test]
fn there_is_one_matrix() {
    let (samples, recipe) = (samples(40), recipe(NETWORKS[1], ADAM));
    let model = trained(&recipe, &samples, 2);
    let lstm = 4 * 24 * (24 + 24 + 2);
    assert_eq!(model.parameters(), VOCABULARY * 24 + VOCABULARY + lstm);
    assert_eq!(recipe.model.parameters(samples.shape()).unwrap(), model.parameters());
    let rows = model.summary();
    let [first, .., last] = &rows[..] else { panic!("{} rows", rows.len()) };
    assert_eq!((first.parameters, last.parameters), (0, VOCABULARY * 25));
    assert_eq!((&*first.kind, &*last.kind), ("tied embedding 37x24", "tied-output"));
    let begun = Model::build(&recipe.model, samples.shape(), VOCABULARY, 1).unwrap();
    let matrix = begun.tensors().into_iter().find(|tensor| tensor.name == "2.weight").unwrap();
    let square = matrix.values.iter().map(|value| value * value).sum::<f32>() / matrix.values.len() as f32;
    assert!((square.sqrt() - 0.1).abs() < 0.01, "{square}");
    assert_eq!(Recipe::parse(&recipe.to_toml(), "copy").unwrap(), recipe);

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tied.safetensors");
    model.save(&path).unwrap();
    let back = Model::load(&path).unwrap();
    assert_eq!((back.tensors(), bits(back.storage())), (model.tensors(), bits(model.storage())));
    let team = Team::new(2).unwrap();
    let outputs = |model: &Model| bits(&train::outputs(model, &samples, &recipe.data, &team).unwrap());
    assert_eq!(outputs(&back), outputs(&model));
}

/// The outputs behind each token, one after the other, are those of the network that sees all of them.
#[test]
fn what_is_generated_in_order_is_what_the_network_says() {
    let (samples, team) = (samples(20), Team::new(2).unwrap());
    for between in NETWORKS {
        let recipe = recipe(between, ADAM);
        let model = trained(&recipe, &samples, 2);
        let all = train::outputs(&model, &samples, &recipe.data, &team).unwrap();
        let tokens: Vec<u32> = samples.row_bytes(0).unwrap().iter().map(|&token| token.into()).collect();
        for count in 1..=CONTEXT {
            let generator = Generator::new(&model, Sampling::default(), &tokens[..count]).unwrap();
            let expected = &all[(count - 1) * VOCABULARY..count * VOCABULARY];
            for (found, expected) in generator.outputs().iter().zip(expected) {
                assert!((found - expected).abs() < 1e-4, "{between}, {count} tokens: {found} and {expected}");
            }
        }
    }
}

#[test]
fn what_cannot_be_tied_is_refused() {
    const EMBEDDING: &str = r#"{ type = "embedding", shared = true, categories = 37, widths = 24 }"#;
    const OUTPUT: &str = r#"{ type = "tied-output" }"#;
    let read = |layers: &str| {
        let text = format!(
            "name = \"x\"\ndata.set = \"folder\"\nmodel.layers = [{layers}]\noptimizer.name = \"sgd\""
        );
        Recipe::parse(&text, "tied")
    };
    let unread = |layers: &str| read(layers).unwrap_err().to_string();
    for (layers, message) in [
        (format!("{{ type = \"rows\" }}, {OUTPUT}"), "expected an `embedding` with `shared = true` first"),
        (OUTPUT.into(), "expected an `embedding` with `shared = true` first"),
        (
            format!("{{ type = \"embedding\", categories = [5] }}, {OUTPUT}"),
            "expected an `embedding` with `shared = true` first",
        ),
        (format!("{EMBEDDING}, {OUTPUT}, {{ type = \"tanh\" }}"), "once, as the last layer"),
        (format!("{EMBEDDING}, {OUTPUT}, {OUTPUT}"), "2 of them"),
        (
            format!("{EMBEDDING}, {{ type = \"residual\", layers = [{OUTPUT}] }}"),
            "once, as the last layer, which is in no block",
        ),
        (format!("{EMBEDDING}, {{ type = \"tied-output\", units = 36 }}"), "`tied-output` with 37 `units`"),
    ] {
        let error = unread(&layers);
        assert!(error.contains("model.layers") && error.contains(message), "{layers}: {error}");
    }
    let refused = |layers: &str| {
        let recipe = read(layers).unwrap();
        Model::build(&recipe.model, [1, 1, CONTEXT], VOCABULARY, 1).err().unwrap().to_string()
    };
    let width = refused(&format!("{EMBEDDING}, {{ type = \"lstm\", units = 23 }}, {OUTPUT}"));
    assert!(width.contains("expected 24 channels"), "{width}");
    let features = refused(&format!("{EMBEDDING}, {{ type = \"global-average-pool\" }}, {OUTPUT}"));
    assert!(features.contains("a sequence"), "{features}");
    // Programs are told the same.
    let built = |model: fallline::ModelBuilder| model.build().err().unwrap().to_string();
    let alone = built(Model::sequential(5).layer(named("tied-output").with("units", 5).unwrap()));
    assert!(alone.contains("an `embedding` with `shared = true` first"), "{alone}");
}
