//! `tied-output`: an output layer whose weights are the table of the embedding at the front (Press, Wolf: Using the Output
//! Embedding to Improve Language Models, 2017).

use super::embedding::MOST_ROWS;
use super::position::image_of;
use crate::hyper::{HyperParameter, HyperValues};
use crate::init::Init;
use crate::kernels::activation::Activation;
use crate::layers::dense::Dense;
use crate::layers::embedding::Embedding;
use crate::layers::kind::{Input, LayerKind, LayerSettings, Refusal};
use crate::layers::node::Node;
use crate::layers::position_dense::PositionDense;
use crate::layers::shape::{Incoming, Shape};
use crate::layers::windows;

/// What recipes call it.
pub(in crate::layers) static KIND: LayerKind =
    LayerKind::of_node("tied-output", |settings, Incoming { shape, .. }| node(settings, shape, Init::Zeros))
        .formula("W x + b at each position of a sequence, W the table of the `embedding` at the front")
        .source("Press, Wolf 2017; as nanoGPT's lm_head")
        .input(Input::Sequence)
        .behind(|_| Some("an `embedding` with `shared = true` first, whose table it has"))
        .hyper_parameters(&[
            HyperParameter::integer(
                "units",
                0,
                [0, MOST_ROWS],
                "the channels that come out; 0 is the rows of the table, which they have to be",
            ),
            HyperParameter::choice("bias", false, "whether there is a b"),
            HyperParameter::bias_init("bias_init", "what b begins as").only_with("bias"),
        ])
        .output(|settings, input| {
            let units = settings.integer("units");
            if units == 0 {
                let expected = "an `embedding` with `shared = true` first, whose rows are known";
                return Err(Refusal { expected: expected.into(), found: Some("none".into()) });
            }
            let output = image_of(input).with_channels(units);
            windows::check_size(output.columns() as u128)?;
            Ok(Shape::Image(output))
        })
        .fan_in(|_, input| input.channels());

fn node(settings: &HyperValues, input: Shape, weight_init: Init) -> Node {
    let image = image_of(input);
    let dense = Dense {
        inputs: image.channels,
        outputs: settings.integer("units"),
        bias: settings.choice("bias"),
        activation: Activation::IDENTITY,
        weight_init,
        bias_init: settings.init("bias_init"),
        input_gradient: true,
        whole_columns: false,
        by_inputs: false,
        sparse_input: false,
    };
    Node::layer(Box::new(PositionDense::new(image, dense, ["weight", "bias"]).tied()))
}

#[doc(hidden)]
impl LayerSettings {
    /// Whether it is an output layer whose weights are the table of the embedding at the front.
    pub fn is_tied_output(&self) -> bool {
        *self.kind() == KIND
    }

    /// A tied output layer of which nothing was said, with so many outputs; any other as it is.
    pub fn of_rows(self, rows: usize) -> LayerSettings {
        let is_unsaid = self.is_tied_output() && self.values().integer("units") == 0;
        if is_unsaid { self.having("units", rows) } else { self }
    }

    /// The tied output layer for an input that it takes, with the initial values of the table.
    pub fn tied_output(&self, input: Shape, init: Init) -> Node {
        node(self.values(), input, init)
    }

    /// The embedding of an input that it takes, if it is one whose table can be that of the output layer, too; and what its
    /// table begins as.
    pub fn tied_embedding(&self, input: Shape) -> Option<Embedding> {
        match self.embedded() {
            Some((tables, true)) if tables.len() == 1 => Some(Embedding::tied(input.features(), tables[0])),
            _ => None,
        }
    }
}
