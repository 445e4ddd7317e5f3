//! `dense`: the fully connected layer.

use crate::hyper::{HyperParameter, HyperValues};
use crate::init::Init;
use crate::kernels::activation::Activation;
use crate::layers::dense::Dense;
use crate::layers::kind::{Input, LayerKind, LayerSettings, Misfit};
use crate::layers::node::Node;
use crate::layers::shape::{Incoming, Shape};
use crate::layers::weight_norm::WeightNorm;

/// The most output features.
pub(super) const MOST_UNITS: usize = 1 << 20;

/// What recipes call it.
pub(in crate::layers) static KIND: LayerKind = LayerKind::of_node("dense", make)
    .formula("activation(W x + b), `units` features")
    .input(Input::Features)
    .hyper_parameters(&[
        HyperParameter::integer("units", 1, [1, MOST_UNITS], "the features that come out").required(),
        HyperParameter::activation("activation", "what the sums go through"),
        HyperParameter::weight_init("weight_init", "what W begins as"),
        HyperParameter::choice("bias", true, "whether there is a b"),
        HyperParameter::choice(
            "weight_norm",
            false,
            "whether W is g V / ‖V‖, for each output by itself, with g and V trained",
        ),
        HyperParameter::bias_init("bias_init", "what b begins as").only_with("bias"),
    ])
    .ends_in_activation()
    .conflict(conflict)
    .output(|settings, _| Ok(Shape::Features(settings.integer("units"))))
    .fan_in(|_, input| input.features());

/// So many outputs, with this activation.
pub(in crate::layers) fn of(units: usize, activation: Activation) -> LayerSettings {
    LayerSettings::of(&KIND).having("units", units).having("activation", activation)
}

fn conflict(settings: &HyperValues) -> Option<Misfit> {
    let is_zero = match settings.init("weight_init") {
        Init::Zeros | Init::Constant(0.0) => true,
        Init::Normal { mean, deviation } => mean == 0.0 && deviation == 0.0,
        _ => false,
    };
    let expected = "none that is all zeros with `weight_norm`, which divides by the norm";
    (is_zero && settings.choice("weight_norm")).then(|| ("weight_init", expected.into(), "one".into()))
}

fn make(settings: &HyperValues, input: Incoming) -> Node {
    let dense = weighted(settings, input, [input.shape.features(), settings.integer("units")]);
    Node::layer(if settings.choice("weight_norm") {
        Box::new(WeightNorm::new(dense))
    } else {
        Box::new(dense)
    })
}

/// The layer of so many inputs and outputs for settings that have its keys, without a weight norm.
pub(super) fn weighted(settings: &HyperValues, input: Incoming, [inputs, outputs]: [usize; 2]) -> Dense {
    Dense {
        inputs,
        outputs,
        bias: settings.choice("bias"),
        activation: settings.activation("activation"),
        weight_init: settings.init("weight_init"),
        bias_init: settings.init("bias_init"),
        input_gradient: !input.is_data,
        whole_columns: false,
        by_inputs: false,
        sparse_input: false,
    }
}
