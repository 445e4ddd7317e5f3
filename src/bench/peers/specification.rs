//! The task that a peer is to train, and the files that it reads.

use std::path::PathBuf;

use serde::Serialize;

use super::files::{DataFiles, Windows};
use super::network::Network;
use crate::data::{Samples, Targets};
use crate::kernels::activation::Activation;
use crate::layers::LayerSettings;
use crate::linear::Penalty;
use crate::losses::Loss;
use crate::model::Recipe;
use crate::model::recipe::{
    ConstraintConfig, GradientConfig, HyperValue, LayerConfig, Optimizer, find_layer,
};

/// The task of a peer: the recipe, as far as other frameworks can follow it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Specification {
    #[serde(flatten)]
    pub data: DataFiles,
    /// The scale of the input: the network sees (value / scale - mean) / deviation.
    pub scale: f32,
    pub mean: f32,
    pub deviation: f32,
    /// Features of a sample, then the output features of each dense layer; empty if there is a `network`.
    pub widths: Vec<usize>,
    /// The activation behind every dense layer but the last.
    pub activation: &'static str,
    pub loss: &'static str,
    /// The rule: "sgd", with or without momentum, "adam" or "adamw".
    pub optimizer: &'static str,
    pub hyper: Hyper,
    /// Samples of a step; a last short batch is left out.
    pub batch: usize,
    pub threads: usize,
    /// The part of each target that is spread over all classes.
    pub label_smoothing: f32,
    /// A gradient whose Euclidean norm, over all parameters, is larger is scaled down to it.
    pub clip_norm: Option<f32>,
    /// The network, if it has layers of images or sequences.
    pub network: Option<Network>,
    /// How samples lie in the files, if not one behind the other with a class each.
    pub windows: Option<Windows>,
    /// A saved model that the training begins with; without it the weights are random.
    pub initial: Option<PathBuf>,
}

/// The hyper-parameters of all rules; those of another rule are 0.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Hyper {
    pub learning_rate: f64,
    pub momentum: f64,
    pub nesterov: bool,
    pub beta1: f64,
    pub beta2: f64,
    pub epsilon: f64,
    pub weight_decay: f64,
}

impl Specification {
    /// The task of `recipe` on `samples`, which are in the files `data`, on so many threads.
    ///
    /// # Errors
    /// The reason, if a peer cannot train the same.
    pub fn of(
        recipe: &Recipe,
        samples: &Samples,
        data: &DataFiles,
        threads: usize,
    ) -> Result<Specification, String> {
        let label_smoothing = label_smoothing(&recipe.model.loss)?;
        let clip_norm = recipe.gradient.clip_norm;
        let clipped = GradientConfig { clip_norm, ..GradientConfig::default() };
        if recipe.gradient != clipped || recipe.constraint != ConstraintConfig::default() {
            return Err("the peers clip gradients by their norm alone, and have no constraint".to_string());
        }
        if recipe.model.penalty() != Penalty::default() {
            return Err("the peers have no penalty on the weights".to_string());
        }
        if !recipe.augment.is_off() {
            return Err("the peers take the samples as they are".to_string());
        }
        if !recipe.train.freeze.is_empty() {
            return Err("the peers train all layers".to_string());
        }
        if recipe.train.carry_state {
            return Err("the peers begin each sample with a state of zeros".to_string());
        }
        if !samples.weights().is_empty() {
            return Err("the peers count all samples alike".to_string());
        }
        let sees_behind = |layer: &LayerSettings| {
            let is = |key, value| layer.values().get(key) == Some(&HyperValue::Choice(value));
            is("causal", false) || is("bidirectional", true)
        };
        let is_causal = matches!(samples.targets(), Targets::Tokens(_))
            && find_layer(&recipe.model.layers, sees_behind).is_none();
        if !samples.lengths().is_empty() && !is_causal {
            return Err("the peers take padding for positions that count".to_string());
        }
        let network = Network::of(&recipe.model.layers, samples.shape())?;
        let (widths, activation) = if network.is_some() {
            (Vec::new(), Activation::IDENTITY)
        } else {
            let (units, activation) = dense_layers(&recipe.model.layers)?;
            (std::iter::once(samples.features_per_sample()).chain(units).collect(), activation)
        };
        let (optimizer, hyper) = rule(&recipe.optimizer)?;
        Ok(Specification {
            data: data.clone(),
            scale: recipe.data.scale_of(samples.element_type()),
            mean: recipe.data.mean,
            deviation: recipe.data.deviation,
            widths,
            activation: activation.name(),
            loss: recipe.model.loss.name(),
            label_smoothing,
            optimizer,
            hyper,
            batch: recipe.train.batch.min(samples.len()),
            threads,
            clip_norm,
            network,
            windows: Windows::of(samples),
            initial: None,
        })
    }
}

/// The label smoothing of the only loss that the peers have.
fn label_smoothing(loss: &Loss) -> Result<f32, String> {
    if loss.kind() != Loss::cross_entropy().kind() {
        return Err(format!("the peers have no loss {}", loss.name()));
    }
    if !loss.values().class_weights("class_weights").is_empty() {
        return Err("the peers have no class weights".to_string());
    }
    Ok(loss.values().single("label_smoothing"))
}

/// The output features of each layer, and the activation behind every one but the last.
fn dense_layers(layers: &[LayerConfig]) -> Result<(Vec<usize>, Activation), String> {
    let mut dense: Vec<(usize, Activation)> = Vec::new();
    for (index, layer) in layers.iter().enumerate() {
        let Some(settings) = layer.settings() else { return Err(behind_dense(layer.kind())) };
        match (settings.as_activation(), dense.last_mut()) {
            (Some(own), Some((_, before))) if *before == Activation::IDENTITY => *before = own,
            (Some(own), _) => {
                let name = own.name();
                return Err(format!("the peers have no {name} but one behind a dense layer"));
            }
            (None, _) if settings.kind().name() != "dense" => return Err(behind_dense(layer.kind())),
            (None, _) if !settings.values().choice("bias") => {
                return Err(format!("the peers have no dense layer without bias, as layer {index} is one"));
            }
            (None, _) if settings.values().choice("weight_norm") => {
                return Err(format!("the peers have no weight normalisation, as layer {index} has"));
            }
            (None, _) => {
                dense.push((settings.values().integer("units"), settings.values().activation("activation")))
            }
        }
    }
    let (units, mut activations): (Vec<_>, Vec<_>) = dense.into_iter().unzip();
    if let Some(last) = activations.pop().filter(|last| *last != Activation::IDENTITY) {
        return Err(format!("the peers have no {} behind the last layer", last.name()));
    }
    let activation = activations.first().copied().unwrap_or(Activation::IDENTITY);
    if activations.iter().any(|other| *other != activation) {
        return Err("the peers have one activation for all layers".to_string());
    }
    match activation.parameter() {
        Some(_) => Err(format!("the peers have no {}", activation.name())),
        None => Ok((units, activation)),
    }
}

fn behind_dense(kind: &str) -> String {
    format!("the peers have no {kind} behind dense layers")
}

fn rule(config: &Optimizer) -> Result<(&'static str, Hyper), String> {
    // Hyper-parameters that the rule does not have are 0.
    let number = |key| match config.values().get(key) {
        Some(HyperValue::Number(number)) => *number,
        _ => 0.0,
    };
    let hyper = Hyper {
        learning_rate: config.learning_rate,
        momentum: number("momentum"),
        nesterov: config.name() == "nesterov"
            || config.values().get("nesterov") == Some(&HyperValue::Choice(true)),
        beta1: number("beta1"),
        beta2: number("beta2"),
        epsilon: number("epsilon"),
        weight_decay: number("weight_decay"),
    };
    match config.name() {
        // Its effect in the first step differs between frameworks.
        "momentum" if number("dampening") != 0.0 => {
            Err("the peers have no momentum with dampening".to_string())
        }
        "sgd" | "momentum" | "nesterov" => Ok(("sgd", hyper)),
        "adam" => Ok(("adam", hyper)),
        "adamw" => Ok(("adamw", hyper)),
        other => Err(format!("the peers are not told of the rule {other}")),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Framework;
    use super::*;
    use crate::data::source;
    use crate::data::text::{self, Form, Vocabulary, grammar};
    use std::sync::Arc;

    fn of(recipe: &Recipe) -> Result<Specification, String> {
        let samples = source::generate_digits([30, 10], 1).unwrap().train;
        let files = DataFiles { images: "i".into(), labels: "l".into() };
        Specification::of(recipe, &samples, &files, 2)
    }

    fn with(layers: &str, optimizer: &str) -> Result<Specification, String> {
        let text = format!(
            "name = \"x\"\ndata = {{ set = \"digits\" }}\nmodel = {layers}\noptimizer = {optimizer}\n[train]"
        );
        of(&Recipe::parse(&text, "test").unwrap())
    }

    const SGD: &str = "{ name = \"sgd\" }";
    const ONE: &str = "{ layers = [{ type = \"dense\", units = 10 }] }";

    #[test]
    fn a_plain_network_is_told_in_full() {
        let mut recipe = Recipe::built_in("mnist-mlp-512").unwrap();
        recipe.train.batch = 1000;
        let specification = of(&recipe).unwrap();
        assert_eq!(specification.widths, [784, 512, 512, 10]);
        assert_eq!(specification.batch, 30, "no more than there are samples");
        let json = serde_json::to_value(&specification).unwrap();
        assert_eq!((&json["images"], &json["activation"]), (&"i".into(), &"relu".into()));
        assert_eq!(json["loss"], "cross-entropy");
    }

    /// A small text in windows, or its lines.
    fn text(lines: bool) -> Samples {
        let text = grammar::write(2000, 1);
        let vocabulary = Arc::new(Vocabulary::characters(&[text.as_str()], lines).unwrap());
        let context = if lines { text.lines().map(str::len).max().unwrap() + 1 } else { 64 };
        text::samples_of(&vocabulary, text.as_bytes(), context).unwrap()
    }

    /// The task of a recipe on digits, or on a text if it learns one.
    fn of_own_data(recipe: &Recipe) -> Result<Specification, String> {
        let Some(config) = &recipe.data.text else { return of(recipe) };
        let samples = text(matches!(config.setup.form, Form::Lines { .. }));
        let recipe = recipe.clone().for_samples(&samples).unwrap();
        let files = DataFiles { images: "i".into(), labels: "l".into() };
        Specification::of(&recipe, &samples, &files, 2)
    }

    #[test]
    fn every_built_in_recipe_can_be_told() {
        for name in Recipe::built_in_names() {
            let recipe = Recipe::built_in(name).unwrap();
            let dense = |layer: &LayerConfig| layer.kind() == "dense";
            match of_own_data(&recipe) {
                Err(refused) if name == "iris-logistic" => {
                    assert_eq!(refused, "the peers have no penalty on the weights");
                }
                Err(refused)
                    if [
                        "line",
                        "airline-window",
                        "friedman-ridge",
                        "adding",
                        "recommend",
                        "sunspots",
                        "temperatures",
                    ]
                    .contains(&name) =>
                {
                    assert_eq!(refused, "the peers have no loss mean-squared-error");
                }
                Err(refused) if name == "reverse" => {
                    let parts = "the peers have no layers of a source and a target, as layer 2 is one";
                    assert_eq!(refused, parts);
                }
                Err(refused) => {
                    let augmented = ["mnist-mlp-deep", "mnist-cnn", "mnist-vit"];
                    assert!(augmented.contains(&name), "{name}: {refused}");
                    assert_eq!(refused, "the peers take the samples as they are");
                }
                Ok(told) => {
                    assert_eq!(told.network.is_none(), recipe.model.layers.iter().all(dense), "{name}")
                }
            }
        }
        let lenet = of(&Recipe::built_in("mnist-lenet5").unwrap()).unwrap();
        let network = lenet.network.as_ref().unwrap();
        assert_eq!((network.input, network.modules.len(), lenet.widths.len()), ([28, 28, 1], 12, 0));
        let told = |framework: Framework| framework.differs_for(&lenet);
        assert!(told(Framework::PytorchChannelsLast) && told(Framework::PytorchEager));
        let flat = of(&Recipe::built_in("mnist-mlp").unwrap()).unwrap();
        assert!(!Framework::PytorchChannelsLast.differs_for(&flat) && Framework::Jax.differs_for(&flat));
    }

    #[test]
    fn texts_are_told_as_windows() {
        let recipe = Recipe::built_in("chars-transformer").unwrap();
        let told = of_own_data(&recipe).unwrap();
        assert!(!Framework::PytorchChannelsLast.differs_for(&told));
        assert_eq!((told.optimizer, told.clip_norm, told.hyper.beta2), ("adamw", Some(1.0), 0.99));
        let windows = told.windows.unwrap();
        assert_eq!((windows.features[0], windows.targets.unwrap()[0]), (64, 64));
        let json = serde_json::to_value(&told).unwrap();
        assert_eq!((&json["scale"], &json["network"]["modules"][0]["width"]), (&1.0.into(), &128.into()));
        assert_eq!(json["network"]["input"], serde_json::json!([1, 1, 64]));
        let rows = of(&Recipe::built_in("mnist-rows-lstm").unwrap()).unwrap();
        assert_eq!((rows.windows, rows.clip_norm), (None, Some(1.0)));
    }

    #[test]
    fn rules_are_told_with_their_settings() {
        let rule = |optimizer| with(ONE, optimizer).map(|found| (found.optimizer, found.hyper));
        let nesterov =
            rule("{ name = \"nesterov\", momentum = 0.8, learning_rate = 0.3, weight_decay = 0.1 }");
        let hyper = Hyper {
            learning_rate: 0.3,
            momentum: 0.8,
            nesterov: true,
            weight_decay: 0.1,
            ..Hyper::default()
        };
        assert_eq!(nesterov.unwrap(), ("sgd", hyper));
        let (name, hyper) = rule("{ name = \"adam\", beta1 = 0.5 }").unwrap();
        assert_eq!((name, hyper.beta1, hyper.beta2, hyper.epsilon), ("adam", 0.5, 0.999, 1e-8));
        let refused = rule("{ name = \"momentum\", dampening = 0.1 }").unwrap_err();
        assert_eq!(refused, "the peers have no momentum with dampening");
        let (name, hyper) = rule("{ name = \"adamw\", weight_decay = 0.2 }").unwrap();
        assert_eq!((name, hyper.weight_decay), ("adamw", 0.2));
        let refused = rule("{ name = \"lion\" }").unwrap_err();
        assert_eq!(refused, "the peers are not told of the rule lion");
    }

    #[test]
    fn a_penalty_is_not_left_out() {
        let told = |penalty: f64| {
            with(&format!("{{ kind = \"logistic\", outputs = 10, penalty = {penalty:?} }}"), SGD)
        };
        assert_eq!(told(0.0).unwrap().loss, "cross-entropy");
        assert_eq!(told(0.1).unwrap_err(), "the peers have no penalty on the weights");
    }

    #[test]
    fn an_activation_may_stand_alone() {
        let layers = "{ layers = [{ type = \"dense\", units = 5 }, { type = \"gelu\" }, \
                      { type = \"dense\", units = 4, activation = \"gelu\" }, { type = \"dense\", units = 10 }] }";
        let found = with(layers, SGD).unwrap();
        assert_eq!((found.widths, found.activation), (vec![784, 5, 4, 10], "gelu"));
    }

    #[test]
    fn what_cannot_be_told_is_named() {
        let cases = [
            ("{ type = \"dense\", units = 10, bias = false }", "no dense layer without bias, as layer 0"),
            ("{ type = \"relu\" }, { type = \"dense\", units = 10 }", "no relu but one behind a dense layer"),
            ("{ type = \"dense\", units = 10, activation = \"tanh\" }", "no tanh behind the last layer"),
            (
                "{ type = \"dense\", units = 9, activation = \"elu\" }, { type = \"dense\", units = 10 }",
                "have no elu",
            ),
            (
                "{ type = \"dense\", units = 9, activation = \"silu\" }, { type = \"dense\", units = 9 }, \
                 { type = \"dense\", units = 10 }",
                "one activation for all layers",
            ),
        ];
        for (layers, reason) in cases {
            let refused = with(&format!("{{ layers = [{layers}] }}"), SGD).unwrap_err();
            assert!(refused.contains(reason), "{refused}");
        }
        let mut recipe = Recipe::built_in("digits-mlp").unwrap();
        recipe.model.loss = Loss::MEAN_SQUARED_ERROR;
        assert!(of(&recipe).unwrap_err().contains("no loss"));
        recipe.model.loss = Loss::cross_entropy().with("label_smoothing", 0.1).unwrap();
        assert_eq!(of(&recipe).unwrap().label_smoothing, 0.1);
        recipe.model.loss = recipe.model.loss.with("class_weights", vec![1.0; 10]).unwrap();
        assert!(of(&recipe).unwrap_err().contains("no class weights"));
        recipe.model.loss = Loss::cross_entropy();
        recipe.gradient.clip_value = Some(1.0);
        assert!(of(&recipe).unwrap_err().contains("clip gradients by their norm alone"));
    }
}
