//! What acts on all incoming weights of an output, in training: adaptive clipping, constraints, weight
//! normalisation. Losses against those of optax and PyTorch: `scripts/golden/per_output.py` made
//! `tests/golden/per_output.json`.

use std::path::Path;

use crate::common::compare::{bits_of, largest_deviation, widened};
use crate::common::golden::{self, count, integers, numbers, text};
use crate::common::runs::{digits, epoch, first_losses, run, trained};
use crate::common::splitmix;
use fallline::data::Samples;
use fallline::engine::kernels::products::panels;
use fallline::engine::kernels::reference;
use fallline::engine::kernels::update::columns;
use fallline::engine::model::recipe::{ConstraintConfig, GradientConfig, OPTIMIZERS, OptimizerKind};
use fallline::engine::model::{Model, NamedTensor, Recipe, saved};
use fallline::engine::team::Team;
use fallline::engine::train::{self, Session};
use serde_json::Value;

/// Relative, of each of the losses.
const TOLERANCE: f64 = 2e-5;

const CLASSES: usize = 10;
/// The samples of which the file holds a fingerprint.
const SAMPLES: usize = 6400;

fn recipe(case: &Value) -> Recipe {
    let mut recipe =
        golden::recipe(case, &golden::activations(case), &golden::momentum(case), count(&case["batch"]));
    for layer in &mut recipe.model.layers {
        *layer = layer.clone().with("weight_norm", case["weight_norm"].as_bool().unwrap()).unwrap();
    }
    let number = |table: &str, key: &str| case[table][key].as_f64().map(|value| value as f32);
    recipe.gradient = GradientConfig {
        l1: number("gradient", "l1").unwrap(),
        clip_value: number("gradient", "clip_value"),
        clip_adaptive: number("gradient", "clip_adaptive"),
        clip_norm: number("gradient", "clip_norm"),
    };
    recipe.constraint = ConstraintConfig {
        clip_weights: number("constraint", "clip_weights"),
        max_norm: number("constraint", "max_norm"),
    };
    recipe
}

fn norm(values: &[f32]) -> f64 {
    values.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>().sqrt()
}

/// Gives a model the golden files' initial values; with normalised weights, v has those of the weights
/// and g their norms.
fn initialise(model: &mut Model, case: &Value) {
    let dims = integers(&case["dims"]);
    if !case["weight_norm"].as_bool().unwrap() {
        return golden::initialise(model, &dims);
    }
    let mut tensors = Vec::new();
    for (layer, pair) in dims.windows(2).enumerate() {
        let (inputs, outputs) = (pair[0] as usize, pair[1] as usize);
        let mut tensor = |name: &str, shape: &[usize], values| {
            let name = format!("{}.{name}", 2 * layer);
            tensors.push(NamedTensor { name, shape: shape.to_vec(), values });
        };
        let v = splitmix::weights(layer as u64, outputs, inputs);
        let g = v.chunks(inputs).map(|row| norm(row) as f32).collect();
        tensor("parametrizations.weight.original0", &[outputs, 1], g);
        tensor("parametrizations.weight.original1", &[outputs, inputs], v);
        tensor("bias", &[outputs], splitmix::biases(layer as u64, outputs));
    }
    model.load_tensors(Path::new("golden"), tensors).expect("the tensors of this model");
}

/// The losses of as many steps as the other framework took.
fn losses(case: &Value, samples: &Samples, recipe: &Recipe, threads: usize) -> Vec<f64> {
    let mut model = Model::build(&recipe.model, samples.shape(), CLASSES, 1).unwrap();
    initialise(&mut model, case);
    let team = Team::new(threads).unwrap();
    let mut session = Session::new(&mut model, samples, recipe, &team).unwrap();
    first_losses(&mut session, numbers(&case["losses"]).len())
}

/// The settings that a case has, each 1 % larger and each left out.
fn others(recipe: &Recipe) -> Vec<Recipe> {
    let mut others = Vec::new();
    for factor in [Some(1.01), None] {
        let change = |value: Option<f32>| value.zip(factor).map(|(value, by)| value * by);
        for key in 0..6 {
            let mut other = recipe.clone();
            match key {
                0 => other.gradient.l1 *= factor.unwrap_or(0.0),
                1 => other.gradient.clip_value = change(recipe.gradient.clip_value),
                2 => other.gradient.clip_adaptive = change(recipe.gradient.clip_adaptive),
                3 => other.gradient.clip_norm = change(recipe.gradient.clip_norm),
                4 => other.constraint.clip_weights = change(recipe.constraint.clip_weights),
                _ => other.constraint.max_norm = change(recipe.constraint.max_norm),
            }
            if other != *recipe {
                others.push(other);
            }
        }
    }
    others
}

#[test]
fn steps_are_those_of_optax_and_pytorch() {
    let file = golden::read("per_output.json");
    let (pixels, labels) = splitmix::made_up_data(SAMPLES);
    assert_eq!(splitmix::byte_fingerprint(&pixels), file["data"]["byte_fingerprint"]);
    let cases = golden::cases(&file);
    assert_eq!(cases.len(), 9);
    for case in cases {
        let name = text(&case["name"]);
        assert_eq!(numbers(&case["losses"]).len(), 40);
        let samples = golden::samples(case, &pixels, &labels);
        let recipe = recipe(case);
        let one = losses(case, &samples, &recipe, 1);
        let right = golden::loss_deviation(&one, case);
        assert_eq!(losses(case, &samples, &recipe, 3), one, "{name}, 3 threads");
        let wrong: Vec<f64> = others(&recipe)
            .iter()
            .map(|other| golden::loss_deviation(&losses(case, &samples, other, 2), case))
            .collect();
        println!("{name}: {right:.1e}; with other settings {wrong:?}");
        assert!(right <= TOLERANCE, "{name}: {right:e}");
        assert!(wrong.iter().all(|&wrong| wrong > TOLERANCE), "{name}: {wrong:?}");
        let plain = recipe.gradient == GradientConfig::default() && recipe.constraint == Default::default();
        assert_eq!(wrong.is_empty(), plain, "{name}");
    }
    // Without normalised weights, other losses.
    let case = &cases[6];
    let mut plain = case.clone();
    plain["weight_norm"] = false.into();
    let samples = golden::samples(case, &pixels, &labels);
    assert!(golden::loss_deviation(&losses(&plain, &samples, &recipe(&plain), 2), case) > TOLERANCE);
}

/// One gradient alone, of which some columns are clipped, some not, some zero.
#[test]
fn clipped_gradients_are_those_of_optax() {
    let file = golden::read("per_output.json");
    for case in file["clipped"].as_array().unwrap() {
        let (out, inputs) = (count(&case["out"]), count(&case["in"]));
        let limit = case["limit"].as_f64().unwrap();
        let mut weight = splitmix::uniform(splitmix::PARAMETERS, out * inputs);
        let mut gradient = splitmix::uniform(splitmix::GRADIENTS, out * inputs);
        for (row, values) in gradient.chunks_mut(inputs).enumerate() {
            let scale = if row == 2 { 0.0 } else { 0.001 * 4f32.powi(row as i32 % 5) };
            values.iter_mut().for_each(|value| *value *= scale);
        }
        weight[inputs..3 * inputs].fill(0.0);
        let bias = splitmix::biases(0, out);
        let mut of_bias = splitmix::uniform(splitmix::INPUTS, out);

        let (mut twin, mut twin_of_bias) = (widened(&gradient), widened(&of_bias));
        for (gradient, weight) in twin.chunks_mut(inputs).zip(widened(&weight).chunks(inputs)) {
            reference::clip_adaptively(gradient, weight, limit);
        }
        reference::clip_adaptively(&mut twin_of_bias, &widened(&bias), limit);

        let pack = |matrix: &[f32]| {
            let mut packed = vec![0.0; panels::packed_len(out, inputs)];
            panels::pack(&mut packed, matrix, out, inputs);
            packed
        };
        let (mut packed, parameters) = (pack(&gradient), pack(&weight));
        let panel = 16 * inputs;
        for (gradient, weight) in packed.chunks_mut(panel).zip(parameters.chunks(panel)) {
            columns::clip_adaptively(gradient, weight, limit as f32);
        }
        let before = gradient.clone();
        panels::unpack(&mut gradient, &packed, out, inputs);
        columns::clip_vector_adaptively(&mut of_bias, &bias, limit as f32);

        let [exact, exact_of_bias] = ["weight", "bias"].map(|key| numbers(&case[key]));
        let near =
            |values: &[f64], exact: &[f64], tolerance| largest_deviation(values, exact, 0.0) <= tolerance;
        assert!(near(&twin, &exact, 1e-11) && near(&twin_of_bias, &exact_of_bias, 1e-11));
        assert!(near(&widened(&gradient), &exact, 1e-6) && near(&widened(&of_bias), &exact_of_bias, 1e-6));
        let kept = before.iter().zip(&gradient).filter(|(a, b)| a == b).count();
        assert!(kept > inputs && kept < out * inputs, "{kept}");
        assert!(!near(&widened(&before), &exact, 1e-6));
    }
}

/// A network of two dense layers, with these settings.
fn small(layer: &str, optimizer: &str, tables: &str) -> Recipe {
    let toml = format!(
        "name = \"small\"\n[data]\nset = \"digits\"\n[model]\n\
         [[model.layers]]\ntype = \"dense\"\nunits = 70\nactivation = \"relu\"\n{layer}\n\
         [[model.layers]]\ntype = \"dense\"\nunits = 10\n{layer}\n\
         [optimizer]\n{optimizer}\n{tables}"
    );
    Recipe::parse(&toml, "test recipe").unwrap_or_else(|error| panic!("{error}\n{toml}"))
}

/// The largest parameter, and the largest norm of the weights of an output that a forward pass uses.
fn extremes(model: &Model) -> [f64; 2] {
    let tensors = model.tensors();
    let largest = tensors.iter().flat_map(|tensor| &tensor.values).fold(0.0f32, |max, x| max.max(x.abs()));
    let norms = tensors.iter().map(|tensor| match tensor.name.split_once('.').unwrap().1 {
        "weight" => tensor.values.chunks(tensor.shape[1..].iter().product()).map(norm).fold(0.0, f64::max),
        "parametrizations.weight.original0" => {
            tensor.values.iter().fold(0.0, |max: f32, x| max.max(x.abs())).into()
        }
        _ => 0.0,
    });
    [largest.into(), norms.fold(0.0, f64::max)]
}

/// The extremes after each of some steps, one an epoch.
fn after_each_step(recipe: &Recipe, steps: usize) -> Vec<[f64; 2]> {
    let data = digits(60, 100);
    let mut model = Model::build(&recipe.model, data.train.shape(), CLASSES, 1).unwrap();
    let team = Team::new(2).unwrap();
    let mut session = Session::new(&mut model, &data.train, recipe, &team).unwrap();
    let mut step = || {
        epoch(&mut session).unwrap();
        extremes(session.model())
    };
    (0..steps).map(|_| step()).collect()
}

/// The norms of each channel's kernels in a first layer, and of how far a step has moved them.
fn of_channels(recipe: &Recipe) -> Vec<[f64; 2]> {
    let data = digits(60, 100);
    let mut model = Model::build(&recipe.model, data.train.shape(), CLASSES, 1).unwrap();
    let before = model.tensors().remove(0).values;
    let team = Team::new(2).unwrap();
    let mut session = Session::new(&mut model, &data.train, recipe, &team).unwrap();
    epoch(&mut session).unwrap();
    let after = session.model().tensors().remove(0);
    let area = after.shape[1..].iter().product();
    let moved = |(before, after): (&[f32], &[f32])| {
        let change: Vec<f32> = before.iter().zip(after).map(|(before, after)| after - before).collect();
        [norm(before), norm(&change)]
    };
    before.chunks(area).zip(after.values.chunks(area)).map(moved).collect()
}

/// What acts on the incoming weights of an output acts on the kernels of a channel.
#[test]
fn outputs_of_convolutions_are_channels() {
    let network = |tables: &str| {
        let toml = format!(
            "name = \"channels\"\n[data]\nset = \"digits\"\n[model]\n\
             [[model.layers]]\ntype = \"conv\"\nchannels = 20\nkernel = 3\nstride = 2\nactivation = \"relu\"\n\
             [[model.layers]]\ntype = \"conv\"\nchannels = 35\nkernel = 3\nstride = 2\nactivation = \"relu\"\n\
             [[model.layers]]\ntype = \"flatten\"\n\
             [[model.layers]]\ntype = \"dense\"\nunits = 10\n\
             [optimizer]\nname = \"sgd\"\nlearning_rate = 1.0\n[train]\nbatch = 60\n{tables}"
        );
        Recipe::parse(&toml, "test recipe").unwrap_or_else(|error| panic!("{error}\n{toml}"))
    };
    let limit = |weights: f64| 0.001 * weights.max(1e-3);
    let is_within = |[weights, moved]: &[f64; 2]| *moved <= limit(*weights) * 1.001;
    let clipped = of_channels(&network("[gradient]\nclip_adaptive = 0.001\n"));
    assert!(clipped.len() == 20 && clipped.iter().all(is_within), "{clipped:?}");
    assert!(clipped.iter().any(|[weights, moved]| *moved > 0.999 * limit(*weights)), "{clipped:?}");
    assert!(!of_channels(&network("")).iter().all(is_within));

    let held = after_each_step(&network("[constraint]\nmax_norm = 0.4\n"), 3);
    assert!(held.iter().all(|[_, norm]| (0.399..0.400_001).contains(norm)), "{held:?}");
}

/// By every rule, with gradients clipped by their norm and not, in one block and several.
#[test]
fn constraints_hold_after_each_step() {
    // Those that search along lines, or average by themselves, refuse constraints.
    let averages = |kind: &OptimizerKind| kind.name == "schedule-free-adamw";
    let kinds = OPTIMIZERS.iter().filter(|kind| !kind.searches() && !averages(kind));
    let rules = kinds.map(|kind| format!("name = \"{}\"\nlearning_rate = 0.03", kind.name));
    for (turn, rule) in rules.enumerate() {
        let layer = ["", "weight_norm = true"][turn % 2];
        let train = ["[train]\nbatch = 60\n", "[train]\nbatch = 20\naccumulate = 3\n"][turn / 2 % 2];
        let clip = ["", "[gradient]\nclip_norm = 10.0\n"][turn / 4 % 2];
        for (clip_weights, max_norm) in [(Some(0.05), None), (None, Some(0.6)), (Some(0.3), Some(0.5))] {
            let mut recipe = small(layer, &rule, &format!("{train}{clip}"));
            let free = after_each_step(&recipe, 3);
            recipe.constraint = ConstraintConfig { clip_weights, max_norm };
            for [largest, norm] in after_each_step(&recipe, 3) {
                let within = |value: f64, limit: Option<f32>| {
                    limit.is_none_or(|limit| value <= f64::from(limit) * 1.000_001)
                };
                assert!(within(largest, clip_weights) && within(norm, max_norm), "{rule}: {largest} {norm}");
                // The constraint is reached.
                let reached = |value: f64, limit: Option<f32>| {
                    limit.is_some_and(|limit| value > 0.999 * f64::from(limit))
                };
                assert!(
                    reached(largest, clip_weights) || reached(norm, max_norm),
                    "{rule}: {largest} {norm}"
                );
            }
            // It would not hold by itself.
            assert!(free.iter().all(|[largest, norm]| *largest > 0.05 && *norm > 0.6), "{rule}: {free:?}");
        }
    }
}

/// Limits that nothing reaches change no bit; those that something reaches do.
#[test]
fn what_does_not_act_changes_nothing() {
    let data = digits(300, 100);
    for layer in ["", "weight_norm = true"] {
        for batch in ["batch = 50", "batch = 300"] {
            let train = format!("[train]\nepochs = 2\n{batch}\n");
            let plain = small(layer, "name = \"adam\"", &train);
            let expected = bits_of(&trained(&plain, data, 2).1);
            let with = |[adaptive, weights, norm]: [f32; 3]| {
                let mut recipe = plain.clone();
                recipe.gradient.clip_adaptive = Some(adaptive);
                recipe.constraint = ConstraintConfig { clip_weights: Some(weights), max_norm: Some(norm) };
                bits_of(&trained(&recipe, data, 2).1)
            };
            assert_eq!(with([1e6; 3]), expected);
            for acting in [[1e-3, 1e6, 1e6], [1e6, 0.05, 1e6], [1e6, 1e6, 0.5]] {
                assert_ne!(with(acting), expected, "{acting:?}");
            }
        }
    }
}

/// A model begins with the weights that it has without normalisation, and g as their norms.
#[test]
fn normalised_models_begin_as_others() {
    let [plain, normed] = ["", "weight_norm = true"].map(|layer| {
        let recipe = small(layer, "name = \"sgd\"", "");
        Model::build(&recipe.model, [28, 28, 1], CLASSES, 7).unwrap()
    });
    assert_eq!(normed.parameters(), plain.parameters() + 80);
    let tensor = |model: &Model, name: &str| {
        model.tensors().into_iter().find(|tensor| tensor.name == name).unwrap_or_else(|| panic!("{name}"))
    };
    for layer in [0, 2] {
        let weight = tensor(&plain, &format!("{layer}.weight"));
        let v = tensor(&normed, &format!("{layer}.parametrizations.weight.original1"));
        assert_eq!((&v.values, &v.shape), (&weight.values, &weight.shape));
        let g = tensor(&normed, &format!("{layer}.parametrizations.weight.original0"));
        assert_eq!(g.shape, [weight.shape[0], 1]);
        for (g, row) in g.values.iter().zip(weight.values.chunks(weight.shape[1])) {
            assert!((f64::from(*g) - norm(row)).abs() < 1e-6 * norm(row));
        }
        assert_eq!(tensor(&plain, &format!("{layer}.bias")), tensor(&normed, &format!("{layer}.bias")));
    }
    // The same network, but for rounding.
    let data = digits(50, 100);
    let loss = |model: &Model| {
        let recipe = small("", "name = \"sgd\"", "");
        train::evaluate(model, &data.test, &recipe.data, &Team::new(2).unwrap()).unwrap().loss
    };
    assert!((loss(&plain) - loss(&normed)).abs() < 1e-6 * loss(&plain));
}

/// The naive forward pass of a network of two layers with normalised weights.
fn naive_outputs(model: &Model, samples: &Samples) -> Vec<f64> {
    let tensors = model.tensors();
    let values = |name: &str| -> Vec<f64> {
        let tensor = tensors.iter().find(|tensor| tensor.name == name).unwrap();
        widened(&tensor.values)
    };
    let layer = |module: usize, activation| reference::WeightNorm {
        g: values(&format!("{module}.parametrizations.weight.original0")),
        v: values(&format!("{module}.parametrizations.weight.original1")),
        bias: values(&format!("{module}.bias")),
        activation,
    };
    use fallline::engine::kernels::activation::Activation;
    let pixels = (0..samples.len()).flat_map(|i| samples.row_bytes(i).unwrap());
    let x: Vec<f64> = pixels.map(|&byte| f64::from(byte) / 255.0).collect();
    layer(2, Activation::IDENTITY).forward(&layer(0, Activation::RELU).forward(&x))
}

/// Evaluation sees the weights that the parameters stand for: at first, after training, of the best
/// epoch, and out of a file.
#[test]
fn evaluation_sees_the_weights_of_the_parameters() {
    let data = digits(400, 100);
    let mut recipe = small(
        "weight_norm = true",
        "name = \"momentum\"\nlearning_rate = 0.3",
        "[train]\nepochs = 6\nbatch = 20\n[stop]\npatience = 6\n",
    );
    recipe.data.validation = Some(fallline::engine::model::recipe::Held::Count(100));
    let team = Team::new(2).unwrap();
    let agrees = |model: &Model, other: &Model| {
        let outputs = train::outputs(model, &data.test, &recipe.data, &team).unwrap();
        let exact = naive_outputs(other, &data.test);
        let largest = exact.iter().fold(1.0f64, |max, x| max.max(x.abs()));
        outputs.len() == exact.len()
            && outputs.iter().zip(&exact).all(|(&a, b)| (f64::from(a) - b).abs() < 1e-5 * largest)
    };
    let mut model = Model::build(&recipe.model, data.train.shape(), CLASSES, 1).unwrap();
    assert!(agrees(&model, &model));
    let before = model.storage().to_vec();
    let record = run(&mut model, data, &recipe, 2).unwrap();
    assert!(agrees(&model, &model));
    // The best epoch was not the last one, so that its parameters were taken back.
    let best = record.best_epoch.unwrap();
    assert!(best < record.epochs.len(), "epoch {best}");
    assert_eq!(record.validation.unwrap().loss, record.epochs[best - 1].validation_loss.unwrap());
    assert_eq!(
        record.test.as_ref(),
        Some(&train::evaluate(&model, &data.test, &recipe.data, &team).unwrap())
    );

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    saved::save(&path, &model, &recipe, data.train.shape(), CLASSES, data.train.element_type()).unwrap();
    let loaded = saved::load(&path).unwrap();
    assert_eq!(loaded.recipe, recipe);
    assert_eq!(bits_of(&loaded.model), bits_of(&model));
    assert!(agrees(&loaded.model, &model));
    assert_eq!(
        train::outputs(&loaded.model, &data.test, &recipe.data, &team).unwrap(),
        train::outputs(&model, &data.test, &recipe.data, &team).unwrap()
    );
    let first = Model::build(&recipe.model, data.train.shape(), CLASSES, 1).unwrap();
    assert_eq!(first.storage(), before);
    assert!(!agrees(&model, &first));
}
