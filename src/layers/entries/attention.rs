//! `attention`: self-attention of several heads, with the dense layers before and behind it; and `cross-attention`, of the target
//! of a sequence to its source.

use super::part;
use super::position::image_of;
use crate::hyper::{HyperParameter, HyperValues, above_one, unit_open};
use crate::init::Init;
use crate::kernels::activation::Activation;
use crate::kernels::image::Image;
use crate::layers::attention::Attention;
use crate::layers::dense::Dense;
use crate::layers::kind::{Input, LayerKind, Misfit, Refusal};
use crate::layers::node::Node;
use crate::layers::position_dense::PositionDense;
use crate::layers::shape::{Incoming, Shape};
use crate::layers::windows;

/// The most heads.
pub(super) const MOST_HEADS: usize = 1024;

/// The most numbers of a query.
const MOST_WIDTH: usize = 1 << 16;

/// The names of weight and bias of the layers before and behind, as torch.nn.MultiheadAttention has them.
const NAMES: [[&str; 2]; 2] = [["in_proj_weight", "in_proj_bias"], ["out_proj.weight", "out_proj.bias"]];

const HEADS: HyperParameter =
    HyperParameter::integer("heads", 1, [1, MOST_HEADS], "heads side by side").required();
const KV_HEADS: HyperParameter = HyperParameter::integer(
    "kv_heads",
    0,
    [0, MOST_HEADS],
    "heads of keys and values, each for a group of heads; 0 is as many as `heads`",
);
const HEAD_WIDTH: HyperParameter = HyperParameter::integer(
    "head_width",
    0,
    [0, MOST_WIDTH],
    "d, the numbers of a query; 0 is the channels by the heads",
);
const DROPOUT: HyperParameter = HyperParameter::number(
    "dropout",
    0.0,
    unit_open(),
    "the rate at which weights of the softmax are dropped in training",
);
const BIAS: HyperParameter = HyperParameter::choice("bias", true, "whether there are b1 and b2");
const WEIGHT_INIT: HyperParameter = HyperParameter::weight_init("weight_init", "what W1 and W2 begin as");
const BIAS_INIT: HyperParameter =
    HyperParameter::bias_init("bias_init", "what b1 and b2 begin as").only_with("bias");

/// What recipes call it.
pub(in crate::layers) static KIND: LayerKind = LayerKind::of_chain("attention", make)
    .formula("W2 concat over heads of softmax(q kᵀ / √d) v, with q, k and v of W1 x + b1, + b2")
    .source("Vaswani et al. 2017; Dao et al. 2022; Ainslie et al. 2023; as torch.nn.MultiheadAttention")
    .input(Input::Image)
    .hyper_parameters(&[
        HEADS,
        KV_HEADS,
        HEAD_WIDTH,
        HyperParameter::choice("causal", false, "whether a position sees itself and those before it alone"),
        DROPOUT,
        HyperParameter::choice("rotary", false, "whether queries and keys are turned by their position"),
        HyperParameter::single(
            "rotary_base",
            10_000.0,
            above_one(),
            "pair i of a query is turned by position · base^(-2 i / d)",
        )
        .only_with("rotary"),
        BIAS,
        WEIGHT_INIT,
        BIAS_INIT,
        part::SOURCE,
        part::PART_OR_ZEROS,
    ])
    .differs_in_training_where(|settings| settings.number("dropout") > 0.0)
    .conflict(conflict)
    .output(output)
    .fan_in(all_weights);

/// Of the target to the source.
pub(in crate::layers) static CROSS: LayerKind = LayerKind::of_chain("cross-attention", make_cross)
    .formula("as attention, with q of the target's positions, k and v of the source's; 0 at the source's")
    .source("Vaswani et al. 2017; as torch.nn.MultiheadAttention")
    .input(Input::Image)
    .hyper_parameters(&[
        HyperParameter::integer(
            "source",
            1,
            [1, part::MOST_POSITIONS],
            "positions of the source, before those of the target",
        )
        .required(),
        HEADS,
        KV_HEADS,
        HEAD_WIDTH,
        DROPOUT,
        BIAS,
        WEIGHT_INIT,
        BIAS_INIT,
    ])
    .differs_in_training_where(|settings| settings.number("dropout") > 0.0)
    .conflict(conflict_of_heads)
    .output(output_of_heads)
    .fan_in(all_weights);

/// Weights for each channel: those of queries, keys, values and of what comes out.
fn all_weights(settings: &HyperValues, input: Shape) -> usize {
    let [heads, kv_heads] = heads(settings);
    2 * (heads + kv_heads) * width(settings, input.channels())
}

/// What no input could make right.
fn conflict(settings: &HyperValues) -> Option<Misfit> {
    let width = settings.integer("head_width");
    let is_odd = settings.choice("rotary") && !width.is_multiple_of(2);
    let odd = || ("head_width", "an even number with `rotary`, which turns pairs".into(), width.to_string());
    conflict_of_heads(settings).or_else(|| is_odd.then(odd)).or_else(|| part::conflict(settings))
}

fn conflict_of_heads(settings: &HyperValues) -> Option<Misfit> {
    let [heads, kv_heads] = heads(settings);
    let divides = heads.is_multiple_of(kv_heads);
    (!divides).then(|| ("kv_heads", format!("a divisor of `heads`, {heads}"), kv_heads.to_string()))
}

/// Heads of queries, and of keys and values.
fn heads(settings: &HyperValues) -> [usize; 2] {
    let [heads, kv_heads] = ["heads", "kv_heads"].map(|key| settings.integer(key));
    [heads, if kv_heads == 0 { heads } else { kv_heads }]
}

/// Numbers of a query, for a position of so many channels.
fn width(settings: &HyperValues, channels: usize) -> usize {
    match settings.integer("head_width") {
        0 => channels / settings.integer("heads"),
        width => width,
    }
}

/// Checks that so many channels make heads of this width, where 0 is the channels by the heads, and that the heads of keys
/// and values, where 0 is as many, divide the others. Returns the width.
pub(super) fn check(channels: usize, heads: usize, kv_heads: usize, width: usize) -> Result<usize, Refusal> {
    if kv_heads > 0 && !heads.is_multiple_of(kv_heads) {
        let expected = format!("`kv_heads` that divide {heads} `heads`");
        return Err(Refusal { expected, found: Some(kv_heads.to_string()) });
    }
    if width > 0 {
        return Ok(width);
    }
    if !channels.is_multiple_of(heads) {
        let expected = format!("channels that are a multiple of {heads}, the heads");
        return Err(Refusal { expected, found: Some(format!("{channels} channels")) });
    }
    Ok(channels / heads)
}

fn output(settings: &HyperValues, input: Shape) -> Result<Shape, Refusal> {
    let output = output_of_heads(settings, input)?;
    let width = width(settings, input.channels());
    if settings.choice("rotary") && !width.is_multiple_of(2) {
        let expected = "channels that make heads of an even width with `rotary`, which turns pairs";
        return Err(Refusal { expected: expected.into(), found: Some(format!("heads of {width}")) });
    }
    Ok(output)
}

fn output_of_heads(settings: &HyperValues, input: Shape) -> Result<Shape, Refusal> {
    let (image, [heads, kv_heads]) = (image_of(input), heads(settings));
    part::check(settings, image.pixels())?;
    let width = check(image.channels, heads, kv_heads, settings.integer("head_width"))?;
    // Queries, keys and values are what is largest.
    let widest = image.with_channels((heads + 2 * kv_heads) * width);
    windows::check_size(widest.pixels() as u128 * widest.pitch as u128)?;
    let output = image.with_channels(image.channels);
    windows::check_size(output.columns() as u128)?;
    Ok(Shape::Image(output))
}

fn make(settings: &HyperValues, input: Incoming) -> Vec<Node> {
    let image = image_of(input.shape);
    let rotary = settings.choice("rotary").then(|| settings.single("rotary_base"));
    let part = part::range(settings, image.pixels());
    let core = core(settings, image, settings.choice("causal"), rotary).between(part.clone(), part.clone());
    let [before, behind] = around(settings, input);
    chain(before.within(part.clone()), core, behind.within(part))
}

fn make_cross(settings: &HyperValues, input: Incoming) -> Vec<Node> {
    let image = image_of(input.shape);
    let source = settings.integer("source");
    let (source, target) = (0..source, source..image.pixels());
    let ([heads, kv_heads], width) = (heads(settings), width(settings, image.channels));
    let (queries, all) = (heads * width, (heads + 2 * kv_heads) * width);
    let [before, behind] = around(settings, input);
    let before = before.in_parts([(target.clone(), 0..queries), (source.clone(), queries..all)]);
    let core = core(settings, image, false, None).between(target.clone(), source);
    chain(before, core, behind.within(target))
}

fn core(settings: &HyperValues, image: Image, causal: bool, rotary: Option<f32>) -> Attention {
    let width = width(settings, image.channels);
    Attention::new(image.pixels(), heads(settings), width, causal, rotary)
        .with_dropout(settings.number("dropout"))
}

/// The dense layers that make queries, keys and values, and that mix the heads.
fn around(settings: &HyperValues, input: Incoming) -> [PositionDense; 2] {
    let (image, [heads, kv_heads]) = (image_of(input.shape), heads(settings));
    let width = width(settings, image.channels);
    let projected = (heads + 2 * kv_heads) * width;
    let before = dense(settings, [image.channels, projected], !input.is_data);
    let mixed: Image = image.with_channels(heads * width);
    let behind = dense(settings, [heads * width, image.channels], true);
    [PositionDense::new(image, before, NAMES[0]), PositionDense::new(mixed, behind, NAMES[1])]
}

fn chain(before: PositionDense, core: Attention, behind: PositionDense) -> Vec<Node> {
    vec![Node::layer(Box::new(before)), Node::layer(Box::new(core)), Node::layer(Box::new(behind))]
}

fn dense(settings: &HyperValues, [inputs, outputs]: [usize; 2], input_gradient: bool) -> Dense {
    let [weight_init, bias_init]: [Init; 2] = ["weight_init", "bias_init"].map(|key| settings.init(key));
    Dense {
        inputs,
        outputs,
        bias: settings.choice("bias"),
        activation: Activation::IDENTITY,
        weight_init,
        bias_init,
        input_gradient,
        whole_columns: false,
        by_inputs: false,
        sparse_input: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::LayerConfig;
    use crate::testing::check_layer;

    /// Finite differences, with the weights of the same step dropped, and rows one by one, which have the numbers that they
    /// have together.
    #[test]
    fn attention_with_dropout_passes() {
        let input = Shape::Image(Image::new(3, 4, 8));
        for causal in [false, true] {
            let layer = LayerConfig::named("attention").unwrap().with("heads", 4).unwrap();
            let layer = layer.with("causal", causal).unwrap().with("kv_heads", 2).unwrap();
            let layer = layer.with("dropout", 0.3).unwrap();
            check_layer(&layer, input).unwrap_or_else(|error| panic!("{layer:?}: {error}"));
        }
    }

    fn named(name: &str, settings: &[(&str, crate::hyper::HyperValue)]) -> LayerConfig {
        let with =
            |layer: LayerConfig, (key, value): &(&str, _)| layer.with(key, Clone::clone(value)).unwrap();
        settings.iter().fold(LayerConfig::named(name).unwrap(), with)
    }

    #[test]
    fn attention_of_a_part_and_to_a_source_passes() {
        for (positions, source, channels) in [(2, 1, 4), (7, 3, 8), (9, 5, 20)] {
            let input = Shape::Image(Image::new(1, positions, channels));
            let cross = [("source", source.into()), ("heads", 2usize.into())];
            let cross = named("cross-attention", &cross);
            let dropped = cross.clone().with("dropout", 0.3).unwrap().with("bias", false).unwrap();
            let mut layers = vec![cross, dropped];
            for (part, causal) in [("source", false), ("target", true)] {
                let settings = [
                    ("heads", 2usize.into()),
                    ("causal", causal.into()),
                    ("rotary", true.into()),
                    ("source", source.into()),
                    ("part", part.into()),
                ];
                layers.push(named("attention", &settings));
                let settings = [("source", source.into()), ("part", part.into())];
                layers.push(named("rms-norm", &settings));
                layers.push(named("position-dense", &settings).with("units", 20).unwrap());
                layers.push(LayerConfig::layer_norm().with("by_position", true).unwrap());
                let last = layers.pop().unwrap().with("source", source).unwrap();
                layers.push(last.with("part", part).unwrap());
            }
            for layer in layers {
                check_layer(&layer, input).unwrap_or_else(|error| panic!("{layer:?}: {error}"));
            }
        }
    }
}
