//! `squeeze-excite`: each channel of an image times a gate, which two dense layers find from the means of all channels
//! (Hu, Shen, Sun: Squeeze-and-Excitation Networks, 2018).

use super::convolution::MOST_CHANNELS;
use super::dense;
use crate::hyper::{HyperParameter, HyperValues};
use crate::kernels::activation::Activation;
use crate::kernels::image::{Image, Window};
use crate::layers::kind::{Branch, Input, LayerKind, LayerSettings};
use crate::layers::merge::Scale;
use crate::layers::pool;
use crate::layers::shape::Shape;
use crate::layers::windows;

/// `reduction` where a recipe says nothing: that of the paper.
const REDUCTION: usize = 16;

/// What recipes call it.
pub(in crate::layers) static KIND: LayerKind = LayerKind::of_branch("squeeze-excite", make)
    .formula("x times a gate for each channel, sigmoid(W2 relu(W1 mean(x) + b1) + b2)")
    .source("Hu, Shen, Sun 2018")
    .input(Input::Image)
    .hyper_parameters(&[HyperParameter::integer(
        "reduction",
        REDUCTION,
        [1, MOST_CHANNELS],
        "channels for each hidden unit",
    )])
    .output(|_, input| windows::placed(Window::plain(1, 1), input, input.channels()).map(Shape::Image));

/// The mean of all pixels, then as many hidden units as `reduction` channels make, at least one, and a number from 0 to
/// 1 for each channel.
fn make(settings: &HyperValues, input: Shape) -> Branch {
    let channels = input.channels();
    let hidden = (channels / settings.integer("reduction")).max(1);
    // The table lets nothing but images in; what comes out is padded, which data are not.
    let image = input.image().unwrap_or(Image::data([1, 1, channels]));
    let image = Image::new(image.height, image.width, channels);
    Branch {
        layers: vec![
            ("pool", LayerSettings::of(&pool::GLOBAL_AVERAGE)),
            ("fc1", dense::of(hidden, Activation::RELU)),
            ("fc2", dense::of(channels, Activation::SIGMOID)),
        ],
        merge: Box::new(Scale { image }),
    }
}
