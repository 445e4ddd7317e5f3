//! `batch-norm`, `layer-norm` and `group-norm`.

use super::part;
use crate::hyper::{HyperParameter, HyperValues, divisor, unit_positive};
use crate::kernels::activation::Activation;
use crate::layers::batch_norm::BatchNorm;
use crate::layers::group_norm::GroupNorm;
use crate::layers::kind::{LayerKind, Refusal};
use crate::layers::layer::Layer;
use crate::layers::layer_norm::LayerNorm;
use crate::layers::node::Node;
use crate::layers::position_norm::PositionNorm;
use crate::layers::shape::{Incoming, Shape};

/// The most groups.
const MOST_GROUPS: usize = 1 << 20;

/// Weight, bias and running statistics.
const NUMBERS: usize = 4;

const FORMULA: &str = "activation((x - mean) / √(variance + epsilon) · w + b)";

/// As PyTorch's.
const EPSILON: HyperParameter =
    HyperParameter::number("epsilon", 1e-5, divisor(), "what is added to each variance");
const ACTIVATION: HyperParameter = HyperParameter::activation("activation", "what the numbers go through");

/// Over each channel of all samples of a batch.
pub(in crate::layers) static BATCH: LayerKind = LayerKind::of_node("batch-norm", by_batch)
    .formula(FORMULA)
    .over_batch()
    .source("Ioffe, Szegedy 2015")
    .hyper_parameters(&[
        EPSILON,
        ACTIVATION,
        HyperParameter::number(
            "momentum",
            0.1,
            unit_positive(),
            "the part of the running statistics that a batch renews",
        ),
    ])
    .ends_in_activation()
    .differs_in_training()
    .fan_in(|_, _| NUMBERS);

/// Over all numbers of a sample.
pub(in crate::layers) static LAYER: LayerKind = LayerKind::new("layer-norm", by_sample)
    .formula(FORMULA)
    .source("Ba, Kiros, Hinton 2016")
    .hyper_parameters(&[
        EPSILON,
        ACTIVATION,
        HyperParameter::choice(
            "by_position",
            false,
            "whether the channels of each position, or pixel, are normalised by themselves",
        ),
        part::SOURCE.only_with("by_position"),
        part::PART.only_with("by_position"),
    ])
    .conflict(|settings| {
        let refused =
            settings.choice("by_position") && settings.activation("activation") != Activation::IDENTITY;
        let of_activation =
            || ("activation", "none with `by_position`: a layer of its own".into(), "one".into());
        refused.then(of_activation).or_else(|| part::conflict(settings))
    })
    .output(
        |settings, input| {
            if settings.choice("by_position") { by_position(settings, input) } else { Ok(input) }
        },
    )
    .ends_in_activation()
    .fan_in(|_, _| NUMBERS);

/// Of the channels of each position, by their root mean square.
pub(in crate::layers) static RMS: LayerKind = LayerKind::new("rms-norm", |settings, input| {
    let part = part::range(settings, positions(input));
    Box::new(PositionNorm::new(input, false, settings.number("epsilon")).within(part))
})
.formula("x / √(mean(x²) + epsilon) · w, of the channels of each position")
.source("Zhang, Sennrich 2019; as torch.nn.RMSNorm")
.hyper_parameters(&[EPSILON, part::SOURCE, part::PART])
.conflict(part::conflict)
.output(by_position)
.fan_in(|_, _| NUMBERS);

/// What comes out of a layer between two layers: data are not padded, and it is.
fn by_position(settings: &HyperValues, input: Shape) -> Result<Shape, Refusal> {
    part::check(settings, positions(input))?;
    Ok(input.with_channels(input.channels()))
}

/// Features are one position.
fn positions(input: Shape) -> usize {
    input.image().map_or(1, |image| image.pixels())
}

/// Over the channels of a sample, in groups.
pub(in crate::layers) static GROUP: LayerKind = LayerKind::new("group-norm", by_group)
    .formula(FORMULA)
    .source("Wu, He 2018")
    .hyper_parameters(&[
        EPSILON,
        ACTIVATION,
        HyperParameter::integer("groups", 1, [1, MOST_GROUPS], "they divide the channels, or features")
            .required(),
    ])
    .ends_in_activation()
    .output(grouped)
    .fan_in(|_, _| NUMBERS);

fn by_batch(settings: &HyperValues, Incoming { shape, .. }: Incoming) -> Node {
    let [epsilon, momentum] = ["epsilon", "momentum"].map(|key| settings.number(key));
    let activation = settings.activation("activation");
    Node::batch_norm(BatchNorm::new(shape.image(), shape.features(), epsilon, momentum, activation))
}

fn by_sample(settings: &HyperValues, input: Shape) -> Box<dyn Layer> {
    let (epsilon, activation) = (settings.number("epsilon"), settings.activation("activation"));
    if settings.choice("by_position") {
        let part = part::range(settings, positions(input));
        return Box::new(PositionNorm::new(input, true, epsilon).within(part));
    }
    Box::new(LayerNorm::new(input.image(), input.features(), epsilon, activation))
}

fn by_group(settings: &HyperValues, input: Shape) -> Box<dyn Layer> {
    let (epsilon, activation) = (settings.number("epsilon"), settings.activation("activation"));
    let groups = settings.integer("groups");
    Box::new(GroupNorm::new(input.image(), input.features(), groups, epsilon, activation))
}

fn grouped(settings: &HyperValues, input: Shape) -> Result<Shape, Refusal> {
    let (channels, groups) = (input.channels(), settings.integer("groups"));
    if channels.is_multiple_of(groups) {
        return Ok(input);
    }
    let expected = format!("`groups` that divide the {channels} channels or features");
    Err(Refusal { expected, found: Some(groups.to_string()) })
}
