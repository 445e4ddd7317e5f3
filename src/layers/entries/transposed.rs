//! `conv-transpose`: the transposed convolution.

use super::convolution::MOST_CHANNELS;
use super::dense::weighted;
use crate::hyper::{HyperParameter, HyperValues, MOST_PIXELS, padding_text, pair_text};
use crate::kernels::image::Image;
use crate::layers::kind::{Input, LayerKind, Misfit, Refusal};
use crate::layers::node::Node;
use crate::layers::shape::{Incoming, Shape};
use crate::layers::transposed::Transposed;
use crate::layers::windows;

/// The key of the pixels more below the output and to its right.
const OUTPUT_PADDING: &str = "output_padding";

/// What recipes call it.
pub(in crate::layers) static KIND: LayerKind = LayerKind::of_node("conv-transpose", make)
    .input(Input::Image)
    .formula("activation(Σ w x + b), each pixel of x spread over its window, `channels` channels")
    .source("as torch.nn.ConvTranspose2d")
    .hyper_parameters(&[
        HyperParameter::integer("channels", 1, [1, MOST_CHANNELS], "the channels that come out").required(),
        HyperParameter::window(false, false, "what each pixel that comes in is spread over"),
        HyperParameter::pair(
            OUTPUT_PADDING,
            [0, 0],
            [0, MOST_PIXELS - 1],
            "pixels more below the output and to its right, fewer than the stride",
        ),
        HyperParameter::activation("activation", "what the sums go through"),
        HyperParameter::weight_init("weight_init", "what w begins as"),
        HyperParameter::choice("bias", true, "whether there is a b"),
        HyperParameter::bias_init("bias_init", "what b begins as").only_with("bias"),
    ])
    .ends_in_activation()
    .conflict(conflict)
    .output(output)
    .fan_in(fan_in);

fn conflict(settings: &HyperValues) -> Option<Misfit> {
    let (window, pixels) = (settings.window("window"), settings.pair(OUTPUT_PADDING));
    let is_less = pixels[0] < window.stride[0] && pixels[1] < window.stride[1];
    let expected = || format!("less than `stride` ({}) on each side", pair_text(window.stride, window));
    (!is_less).then(|| (OUTPUT_PADDING, expected(), pair_text(pixels, window)))
}

/// What comes out, checked before anything is allocated.
fn output(settings: &HyperValues, input: Shape) -> Result<Shape, Refusal> {
    let Shape::Image(input) = input else { return Err("an image".into()) };
    let (window, channels) = (settings.window("window"), settings.integer("channels"));
    let Some(output) = window.transposed(input, channels, settings.pair(OUTPUT_PADDING)) else {
        let stride = pair_text(window.stride, window);
        let expected = format!(
            "`padding` that leaves pixels of what kernel {window} and stride {stride} make of an image of {input}"
        );
        return Err(Refusal { expected, found: Some(padding_text(window)) });
    };
    // The frame around the output and what is made of one pixel are memory too.
    let [down, across] = window.sides();
    let framed = down.framed(output.height) as u128 * across.framed(output.width) as u128;
    let patch = window.area() as u128 * channels as u128;
    windows::check_size((framed * output.pitch as u128).max(patch))?;
    Ok(Shape::Image(output))
}

/// Numbers that are added up for each output where all of the window sees the input.
fn fan_in(settings: &HyperValues, input: Shape) -> usize {
    settings.window("window").area().saturating_mul(input.channels())
}

fn make(settings: &HyperValues, input: Incoming) -> Node {
    let sides = [fan_in(settings, input.shape), settings.integer("channels")];
    let patch = weighted(settings, input, sides);
    // The table lets nothing but images in.
    let input = input.shape.image().unwrap_or(Image::data([1, 1, input.shape.features()]));
    let (window, output_padding) = (settings.window("window"), settings.pair(OUTPUT_PADDING));
    Node::layer(Box::new(Transposed::new(input, window, output_padding, patch)))
}
