//! How each layer is written, by its name: the table of all that are built in.

use super::layer::{Layer, Write};
use super::{activations, attention, dense, images, normalisation, recurrent, sequences};
use crate::layers::LayerKind;

/// How a layer becomes nodes.
#[derive(Clone, Copy)]
pub enum Writer {
    /// By a function, with the activation that the layer ends in behind it.
    Then(Write),
    /// By a function that writes its activation, too.
    Whole(Write),
    /// As the layers that it is made of.
    Parts,
}

/// All but the activations, which have a list of their own.
static WRITERS: [(&str, Writer); 39] = [
    ("dense", Writer::Then(dense::dense)),
    ("conv", Writer::Then(images::convolution)),
    ("conv-1d", Writer::Then(images::convolution)),
    ("conv-transpose", Writer::Then(images::transposed)),
    ("max-pool", Writer::Then(images::max_pool)),
    ("max-pool-1d", Writer::Then(images::max_pool)),
    ("average-pool", Writer::Then(images::average_pool)),
    ("average-pool-1d", Writer::Then(images::average_pool)),
    ("global-average-pool", Writer::Then(images::global_average)),
    ("global-max-pool", Writer::Then(images::global_max)),
    ("flatten", Writer::Then(images::flatten)),
    ("squeeze-excite", Writer::Parts),
    ("batch-norm", Writer::Then(normalisation::batch)),
    ("layer-norm", Writer::Then(normalisation::layer)),
    ("group-norm", Writer::Then(normalisation::group)),
    ("dropout", Writer::Then(activations::unchanged)),
    ("prelu", Writer::Then(activations::prelu)),
    ("glu", Writer::Then(activations::gated)),
    ("swiglu", Writer::Then(activations::gated)),
    ("squared-distances", Writer::Then(dense::squared_distances)),
    ("embedding", Writer::Then(sequences::embedding)),
    ("polynomial-features", Writer::Then(dense::polynomial)),
    ("random-fourier-features", Writer::Then(dense::fourier)),
    ("position-dense", Writer::Whole(dense::position_dense)),
    ("tied-output", Writer::Then(dense::tied_output)),
    ("rms-norm", Writer::Then(normalisation::rms)),
    ("position-embedding", Writer::Then(sequences::positions)),
    ("sinusoidal-positions", Writer::Then(sequences::positions)),
    ("rnn", Writer::Then(recurrent::rnn)),
    ("lstm", Writer::Then(recurrent::lstm)),
    ("gru", Writer::Then(recurrent::gru)),
    ("attention", Writer::Then(attention::own)),
    ("transformer-block", Writer::Parts),
    ("cross-attention", Writer::Then(attention::cross)),
    ("decoder-block", Writer::Parts),
    ("rows", Writer::Then(sequences::rows)),
    ("permute", Writer::Then(sequences::permute)),
    ("last-position", Writer::Then(sequences::last_position)),
    ("factor-product", Writer::Then(dense::factor_product)),
];

/// How a layer is written, if it is one that is built in and a name of recipes.
pub fn writer(layer: &Layer) -> Option<Writer> {
    let kind = layer.settings.kind();
    // A program may call its own layer by the same name.
    if LayerKind::built_in(kind.name()) != Some(kind) {
        return None;
    }
    if layer.settings.as_activation().is_some() {
        return Some(Writer::Then(activations::layer));
    }
    named(kind.name())
}

fn named(name: &str) -> Option<Writer> {
    WRITERS.iter().find(|(known, _)| *known == name).map(|(_, writer)| *writer)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::onnx::export::graph::Graph;
    use crate::kernels::activation::{self, Activation};
    use crate::layers::{LayerSettings, Shape};

    #[test]
    fn every_built_in_layer_is_written() {
        let built_in =
            || LayerKind::all().into_iter().filter(|kind| LayerKind::built_in(kind.name()).is_some());
        for kind in built_in() {
            let settings = LayerSettings::of(kind);
            let shape = Shape::Features(1);
            let layer = Layer { settings: &settings, module: "0", input: shape, output: shape, tied: None };
            assert!(writer(&layer).is_some(), "`{}` has no entry in the table of ONNX", kind.name());
        }
        let is_layer = |name: &str| built_in().any(|kind| kind.name() == name);
        for (name, _) in WRITERS {
            assert!(is_layer(name), "{name} is no layer");
        }
    }

    #[test]
    fn every_activation_is_written() {
        for entry in activation::ALL {
            for opset in [13, 20] {
                let mut graph = Graph::new(opset, Vec::new());
                let y = activations::apply(&mut graph, Activation::of(entry, 0.5), "x");
                assert_eq!(y == "x", entry.name == "identity", "{}", entry.name);
            }
        }
    }
}
