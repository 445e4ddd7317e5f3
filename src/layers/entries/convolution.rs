//! `conv` and `conv-1d`: convolutions of images and of sequences, each done by the layer that suits its shape.

use super::dense::weighted;
use crate::hyper::{HyperParameter, HyperValues};
use crate::kernels::image::{Image, Patches};
use crate::layers::convolution::Convolution;
use crate::layers::convolution_pool::ConvolutionPool;
use crate::layers::depthwise::Depthwise;
use crate::layers::grouped::Grouped;
use crate::layers::kind::{Input, LayerKind, LayerSettings, Misfit, Refusal};
use crate::layers::layer::Layer;
use crate::layers::node::Node;
use crate::layers::pointwise::Pointwise;
use crate::layers::pool;
use crate::layers::shape::{Incoming, Shape};
use crate::layers::windows;

/// The most channels that come out.
pub(super) const MOST_CHANNELS: usize = 1 << 16;

/// What the documentation says it computes.
const FORMULA: &str = "activation(Σ w x + b) of each window, `channels` channels";

/// Of images, with windows of height and width.
pub(in crate::layers) static CONV: LayerKind = LayerKind::of_node("conv", make)
    .input(Input::Image)
    .formula(FORMULA)
    .source("LeCun et al. 1989; as torch.nn.Conv2d")
    .hyper_parameters(&parameters(false))
    .ends_in_activation()
    .conflict(conflict)
    .output(output)
    .fan_in(fan_in);

/// Of sequences.
pub(in crate::layers) static CONV_1D: LayerKind = LayerKind::of_node("conv-1d", make)
    .input(Input::Sequence)
    .formula(FORMULA)
    .source("as torch.nn.Conv1d")
    .hyper_parameters(&parameters(true))
    .ends_in_activation()
    .conflict(conflict)
    .output(output)
    .fan_in(fan_in);

const fn parameters(one_dimensional: bool) -> [HyperParameter; 7] {
    let groups =
        "parts of the channels that see nothing of each other; they divide those that come in and out";
    [
        HyperParameter::integer("channels", 1, [1, MOST_CHANNELS], "the channels that come out").required(),
        HyperParameter::window(one_dimensional, false, "what each output sees"),
        HyperParameter::integer("groups", 1, [1, MOST_CHANNELS], groups),
        HyperParameter::activation("activation", "what the sums go through"),
        HyperParameter::weight_init("weight_init", "what w begins as"),
        HyperParameter::choice("bias", true, "whether there is a b"),
        HyperParameter::bias_init("bias_init", "what b begins as").only_with("bias"),
    ]
}

fn conflict(settings: &HyperValues) -> Option<Misfit> {
    let [channels, groups] = ["channels", "groups"].map(|key| settings.integer(key));
    let expected = || format!("an integer that divides `channels` ({channels})");
    (!channels.is_multiple_of(groups)).then(|| ("groups", expected(), groups.to_string()))
}

fn output(settings: &HyperValues, input: Shape) -> Result<Shape, Refusal> {
    let groups = settings.integer("groups");
    if !input.channels().is_multiple_of(groups) {
        let expected = format!("`groups` that divides the {} channels that come in", input.channels());
        return Err(Refusal { expected, found: Some(groups.to_string()) });
    }
    windows::placed(settings.window("window"), input, settings.integer("channels")).map(Shape::Image)
}

fn patches(settings: &HyperValues, input: Shape) -> Patches {
    // The table lets nothing but images in.
    let input = input.image().unwrap_or(Image::data([1, 1, input.features()]));
    Patches { input, window: settings.window("window") }
}

fn fan_in(settings: &HyperValues, input: Shape) -> usize {
    patches(settings, input).inputs() / settings.integer("groups")
}

/// The convolution by patches.
fn by_patches(settings: &HyperValues, input: Incoming) -> Convolution {
    let sides = [fan_in(settings, input.shape), settings.integer("channels")];
    Convolution { patches: patches(settings, input.shape), patch: weighted(settings, input, sides) }
}

fn make(settings: &HyperValues, input: Incoming) -> Node {
    let Convolution { patches, patch } = by_patches(settings, input);
    let (groups, Patches { input, window }) = (settings.integer("groups"), patches);
    let layer: Box<dyn Layer> = if groups == 1 && window.area() == 1 && !window.is_padded() {
        Box::new(Pointwise { input, window, patch })
    } else if groups == 1 {
        Box::new(Convolution { patches, patch })
    } else if groups == input.channels {
        Box::new(Depthwise { input, window, patch })
    } else {
        Box::new(Grouped::new(input, groups, window, patch))
    };
    Node::layer(layer)
}

/// The one layer that a convolution and the layer after it are, if that is a max-pool which it can do at the same time.
pub fn with_pool(settings: &LayerSettings, next: &LayerSettings, input: Incoming) -> Option<Node> {
    let is_pool = [&pool::MAX, &pool::MAX_1D].contains(&next.kind());
    if ![&CONV, &CONV_1D].contains(&settings.kind()) || !is_pool || settings.values().integer("groups") > 1 {
        return None;
    }
    let layer = ConvolutionPool::new(by_patches(settings.values(), input), next.values().window("window"))?;
    Some(Node::layer(Box::new(layer)))
}
