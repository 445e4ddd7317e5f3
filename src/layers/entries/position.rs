//! `position-dense`: a dense layer at each position.

use super::dense::{MOST_UNITS, weighted};
use super::part;
use crate::hyper::{HyperParameter, HyperValues};
use crate::kernels::activation::Activation;
use crate::kernels::image::Image;
use crate::layers::kind::{Input, LayerKind, LayerSettings, Refusal};
use crate::layers::node::Node;
use crate::layers::position_dense::PositionDense;
use crate::layers::shape::{Incoming, Shape};
use crate::layers::windows;

/// What recipes call it.
pub(in crate::layers) static DENSE: LayerKind = LayerKind::of_node("position-dense", make)
    .formula("activation(W x + b) at each position of a sequence, or pixel of an image")
    .source("as torch.nn.Linear, which acts on the last dimension")
    .input(Input::Image)
    .hyper_parameters(&[
        HyperParameter::integer(
            "units",
            0,
            [0, MOST_UNITS],
            "the channels that come out; 0 is the tokens of a text, of the last layer",
        ),
        HyperParameter::activation("activation", "what the sums go through"),
        HyperParameter::weight_init("weight_init", "what W begins as"),
        HyperParameter::choice("bias", true, "whether there is a b"),
        HyperParameter::bias_init("bias_init", "what b begins as").only_with("bias"),
        part::SOURCE,
        part::PART_OR_ZEROS,
    ])
    .conflict(part::conflict)
    .ends_in_activation()
    .output(|settings, input| {
        let units = settings.integer("units");
        if units == 0 {
            let expected =
                "`units` above 0: only the last layer of a model of a text has as many as there are tokens";
            return Err(Refusal { expected: expected.into(), found: Some("0".into()) });
        }
        part::check(settings, image_of(input).pixels())?;
        let output = image_of(input).with_channels(units);
        windows::check_size(output.columns() as u128)?;
        Ok(Shape::Image(output))
    })
    .fan_in(|_, input| input.channels());

/// So many outputs at each position, with this activation.
pub(in crate::layers) fn of(units: usize, activation: Activation, bias: bool) -> LayerSettings {
    LayerSettings::of(&DENSE).having("units", units).having("activation", activation).having("bias", bias)
}

/// The image whose pixels are positions; the table lets nothing else in.
pub(super) fn image_of(input: Shape) -> Image {
    input.image().unwrap_or(Image::data([1, 1, input.features()]))
}

#[doc(hidden)]
impl LayerSettings {
    /// A dense layer of each position of which nothing was said, with so many outputs; any other as it is.
    pub fn of_outputs(self, outputs: usize) -> LayerSettings {
        let is_unsaid = *self.kind() == DENSE && self.values().integer("units") == 0;
        if is_unsaid { self.having("units", outputs) } else { self }
    }
}

fn make(settings: &HyperValues, input: Incoming) -> Node {
    let image = image_of(input.shape);
    let dense = weighted(settings, input, [image.channels, settings.integer("units")]);
    let layer = PositionDense::new(image, dense, ["weight", "bias"]);
    Node::layer(Box::new(layer.within(part::range(settings, image.pixels()))))
}
