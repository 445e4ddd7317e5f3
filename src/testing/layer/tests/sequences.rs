//! The layers of sequences, over images of which each pixel is a position too.

use super::passes;
use crate::LayerConfig;
use crate::kernels::activation::Activation;
use crate::kernels::image::Image;
use crate::layers::Shape;

/// Sequences of one position and of several, of whole vectors and of others; and an image.
fn shapes() -> Vec<Shape> {
    [[1, 1, 3], [1, 5, 16], [1, 4, 6], [2, 3, 20]]
        .map(|[height, width, channels]| Shape::Image(Image::new(height, width, channels)))
        .into()
}

fn named(name: &str) -> LayerConfig {
    LayerConfig::named(name).unwrap()
}

#[test]
fn dense_layers_of_each_position_pass() {
    for input in shapes() {
        let dense = || named("position-dense").with("units", 7).unwrap();
        passes(Ok(dense()), input);
        passes(dense().with("bias", false), input);
        passes(dense().with("activation", Activation::TANH), input);
        passes(dense().with("activation", Activation::GELU), input);
        passes(named("position-dense").with("units", 40), input);
    }
}

#[test]
fn norms_of_each_position_pass() {
    for input in shapes().into_iter().chain([Shape::Features(9)]) {
        passes(LayerConfig::layer_norm().with("by_position", true), input);
        passes(Ok(named("rms-norm")), input);
    }
}

#[test]
fn positions_rows_and_the_last_position_pass() {
    for input in shapes() {
        for name in ["position-embedding", "sinusoidal-positions", "rows", "permute", "last-position"] {
            passes(Ok(named(name)), input);
        }
    }
    for width in [4, 10, 34] {
        passes(Ok(named("factor-product")), Shape::Features(width));
    }
}

#[test]
fn recurrent_layers_pass() {
    for input in shapes() {
        for name in ["rnn", "lstm", "gru"] {
            passes(named(name).with("units", 5), input);
            passes(named(name).with("units", 16).and_then(|layer| layer.with("returns", "last")), input);
            passes(named(name).with("units", 16).and_then(|layer| layer.with("bidirectional", true)), input);
        }
    }
}

#[test]
fn attention_passes() {
    let input = Shape::Image(Image::new(3, 4, 8));
    let heads = |heads: usize| named("attention").with("heads", heads).unwrap();
    passes(Ok(heads(2)), input);
    passes(heads(1).with("causal", true), input);
    passes(heads(2).with("causal", true).and_then(|layer| layer.with("rotary", true)), input);
    passes(heads(4).with("kv_heads", 2).and_then(|layer| layer.with("head_width", 6)), input);
}
