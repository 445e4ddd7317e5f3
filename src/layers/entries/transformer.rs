//! `transformer-block`: self-attention and two dense layers at each position, each with a way past it (Vaswani et al.:
//! Attention Is All You Need, 2017; normalised before: Xiong et al.: On Layer Normalization in the Transformer
//! Architecture, 2020; SwiGLU: Shazeer: GLU Variants Improve Transformer, 2020).

use super::position::{self, image_of};
use super::{attention, normalisation, part};
use crate::hyper::{HyperParameter, HyperValue, HyperValues, unit_open};
use crate::kernels::activation::{self, Activation};
use crate::kernels::image::Image;
use crate::layers::kind::{Branch, Input, LayerKind, LayerSettings, Refusal};
use crate::layers::merge::Add;
use crate::layers::shape::Shape;
use crate::layers::{dropout, gated};

/// The most hidden units of the dense layers.
const MOST_HIDDEN: usize = 1 << 20;

/// Hidden units for each channel, where nothing is said.
const HIDDEN: usize = 4;

/// Of them, with a gate, two thirds: as many parameters then.
const GATED: [usize; 2] = [8, 3];

const NORMS: [&str; 2] = ["layer", "rms"];
const ORDERS: [&str; 2] = ["before", "after"];
const FUNCTIONS: [&str; 4] = ["gelu", "relu", "silu", "swiglu"];

pub(super) const HEADS: HyperParameter =
    HyperParameter::integer("heads", 1, [1, attention::MOST_HEADS], "heads of the attention").required();
pub(super) const KV_HEADS: HyperParameter = HyperParameter::integer(
    "kv_heads",
    0,
    [0, attention::MOST_HEADS],
    "heads of keys and values, each for a group of heads; 0 is as many as `heads`",
);
pub(super) const ROTARY: HyperParameter =
    HyperParameter::choice("rotary", false, "whether queries and keys are turned by their position");
pub(super) const HIDDEN_UNITS: HyperParameter = HyperParameter::integer(
    "hidden",
    0,
    [0, MOST_HIDDEN],
    "hidden units of the dense layers; 0 is four for each channel, with `swiglu` eight thirds",
);
pub(super) const FUNCTION: HyperParameter =
    HyperParameter::name("function", "gelu", &FUNCTIONS, "what the hidden units go through");
pub(super) const NORM: HyperParameter = HyperParameter::name(
    "norm",
    "layer",
    &NORMS,
    "layer normalisation of each position, or by its root mean square",
);
pub(super) const NORMALISE: HyperParameter = HyperParameter::name(
    "normalise",
    "before",
    &ORDERS,
    "before attention and dense layers, or after the sums",
);
pub(super) const BIAS: HyperParameter =
    HyperParameter::choice("bias", true, "whether attention and dense layers have biases");
pub(super) const DROPOUT: HyperParameter = HyperParameter::number(
    "dropout",
    0.0,
    unit_open(),
    "the rate of dropout behind attention and dense layers",
);
pub(super) const ATTENTION_DROPOUT: HyperParameter = HyperParameter::number(
    "attention_dropout",
    0.0,
    unit_open(),
    "the rate at which weights of the attention's softmax are dropped",
);

const ABOUT: &[HyperParameter] = &[
    HEADS,
    KV_HEADS,
    HyperParameter::choice("causal", true, "whether a position sees itself and those before it alone"),
    ROTARY,
    HIDDEN_UNITS,
    FUNCTION,
    NORM,
    NORMALISE,
    BIAS,
    DROPOUT,
    ATTENTION_DROPOUT,
    part::SOURCE,
    part::PART,
];

/// What recipes call it.
pub(in crate::layers) static KIND: LayerKind = LayerKind::of_stack("transformer-block", make)
    .formula("x + attention(norm(x)), then x + W2 gelu(W1 norm(x)) at each position")
    .source("Vaswani et al. 2017; Xiong et al. 2020; Shazeer 2020")
    .input(Input::Image)
    .differs_in_training_where(drops)
    .hyper_parameters(ABOUT)
    .conflict(part::conflict)
    .output(output)
    .fan_in(|_, input| input.channels());

/// Whether anything is dropped in training.
pub(super) fn drops(settings: &HyperValues) -> bool {
    settings.number("dropout") > 0.0 || settings.number("attention_dropout") > 0.0
}

/// The attention with its way past it: no name that a recipe knows.
static ATTENTION: LayerKind = LayerKind::of_branch("transformer-attention", |settings, input| {
    branch(settings, input, vec![("attention", attention_of(settings))])
})
.input(Input::Image)
.hyper_parameters(ABOUT)
.output(output);

/// The dense layers with theirs.
static DENSE: LayerKind = LayerKind::of_branch("transformer-dense", |settings, input| {
    branch(settings, input, dense_of(settings, input))
})
.input(Input::Image)
.hyper_parameters(ABOUT)
.output(output);

pub(super) fn output(settings: &HyperValues, input: Shape) -> Result<Shape, Refusal> {
    let Image { height, width, channels, .. } = image_of(input);
    part::check(settings, height * width)?;
    attention::check(channels, settings.integer("heads"), settings.integer("kv_heads"), 0)?;
    Ok(Shape::Image(Image::new(height, width, channels)))
}

/// Both halves; where normalisation comes after the sums, each with its own behind it.
fn make(settings: &HyperValues, _: Shape) -> Vec<(&'static str, LayerSettings)> {
    let values = || settings.iter().map(|(_, value)| value.clone()).collect::<Vec<HyperValue>>();
    let half = |kind| LayerSettings::with_values(kind, values());
    let mut layers = vec![("attend", half(&ATTENTION)), ("compute", half(&DENSE))];
    if is(settings, "normalise", "after") {
        layers.insert(1, ("attend_norm", norm(settings)));
        layers.push(("compute_norm", norm(settings)));
    }
    layers
}

/// Whether the name under a key is this one.
pub(super) fn is(settings: &HyperValues, key: &str, name: &str) -> bool {
    matches!(settings.get(key), Some(HyperValue::Name(found)) if *found == name)
}

pub(super) fn norm(settings: &HyperValues) -> LayerSettings {
    let norm = match is(settings, "norm", "rms") {
        true => LayerSettings::of(&normalisation::RMS),
        false => LayerSettings::of(&normalisation::LAYER).having("by_position", true),
    };
    part::of_block(norm, settings)
}

/// Layers with a normalisation before and a dropout behind them, as the settings say, and the sum with their input.
pub(super) fn branch(
    settings: &HyperValues,
    input: Shape,
    mut layers: Vec<(&'static str, LayerSettings)>,
) -> Branch {
    if is(settings, "normalise", "before") {
        layers.insert(0, ("norm", norm(settings)));
    }
    if settings.number("dropout") > 0.0 {
        layers
            .push(("dropout", LayerSettings::of(&dropout::KIND).having("rate", settings.number("dropout"))));
    }
    let Image { height, width, channels, .. } = image_of(input);
    let image = Some(Image::new(height, width, channels));
    Branch { layers, merge: Box::new(Add { features: channels, activation: Activation::IDENTITY, image }) }
}

pub(super) fn attention_of(settings: &HyperValues) -> LayerSettings {
    // That of a decoder, which has no such key, is.
    let causal = settings.get("causal") != Some(&HyperValue::Choice(false));
    part::of_block(LayerSettings::of(&attention::KIND), settings)
        .having("heads", settings.integer("heads"))
        .having("kv_heads", settings.integer("kv_heads"))
        .having("causal", causal)
        .having("rotary", settings.choice("rotary"))
        .having("dropout", settings.number("attention_dropout"))
        .having("bias", settings.choice("bias"))
}

pub(super) fn dense_of(settings: &HyperValues, input: Shape) -> Vec<(&'static str, LayerSettings)> {
    let (channels, bias) = (input.channels(), settings.choice("bias"));
    let gated = is(settings, "function", "swiglu");
    let hidden = match settings.integer("hidden") {
        0 if gated => (GATED[0] * channels).div_ceil(GATED[1]),
        0 => HIDDEN * channels,
        hidden => hidden,
    };
    let dense = |units, function| part::of_block(position::of(units, function, bias), settings);
    let down = ("down", dense(channels, Activation::IDENTITY));
    if gated {
        let up = dense(2 * hidden, Activation::IDENTITY);
        return vec![("up", up), ("gate", LayerSettings::of(&gated::SWIGLU)), down];
    }
    let name = activation::ALL.into_iter().find(|entry| is(settings, "function", entry.name));
    let function = name.map_or(Activation::IDENTITY, |entry| Activation::of(entry, 0.0));
    vec![("up", dense(hidden, function)), down]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_dropouts_reach_their_layers() {
        let block = LayerSettings::of(&KIND).having("dropout", 0.1).having("attention_dropout", 0.25);
        let input = Shape::Image(Image::new(1, 5, 8));
        assert_eq!(attention_of(block.values()).values().number("dropout"), 0.25);
        let half = branch(block.values(), input, Vec::new());
        let [.., (name, last)] = &half.layers[..] else { panic!("no layers") };
        assert_eq!((*name, last.values().number("rate")), ("dropout", 0.1));
    }
}
