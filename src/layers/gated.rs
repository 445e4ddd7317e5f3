//! Gated linear units: y = a · gate(b), with a and b the first and the second half of the input's features, or of each
//! pixel's channels (Dauphin, Fan, Auli, Grangier: Language Modeling with Gated Convolutional Networks, 2017; Shazeer:
//! GLU Variants Improve Transformer, 2020). With the layer before it, `W x + c`, it is `(W x + c) · gate(V x + d)`.

use super::in_order::Along;
use super::kind::{LayerKind, Refusal};
use super::layer::{Backward, Forward, Layer};
use super::shape::Shape;
use crate::hyper::{HyperParameter, HyperValue, HyperValues};
use crate::kernels::activation::{self, Activation};
use crate::kernels::elementwise::gated;
use crate::kernels::image::Image;

/// The gates of `glu`: GLU itself, then GEGLU, ReGLU and the bilinear form.
const GATES: [&str; 4] = ["sigmoid", "gelu", "relu", "identity"];

/// With a sigmoid, or another activation, as `torch.nn.functional.glu`.
pub(super) static GLU: LayerKind = LayerKind::new("glu", make)
    .output(output)
    .formula("a gate(b), a and b the halves of x")
    .source("Dauphin, Fan, Auli, Grangier 2017; Shazeer 2020; as torch.nn.GLU")
    .hyper_parameters(&[HyperParameter::name(
        "gate",
        "sigmoid",
        &GATES,
        "the activation of the second half",
    )]);

/// With SiLU.
pub(super) static SWIGLU: LayerKind = LayerKind::new("swiglu", make)
    .output(output)
    .formula("a silu(b), a and b the halves of x")
    .source("Shazeer 2020");

fn make(settings: &HyperValues, input: Shape) -> Box<dyn Layer> {
    let name = match settings.get("gate") {
        Some(HyperValue::Name(name)) => *name,
        _ => "silu",
    };
    let entry = activation::ALL.into_iter().find(|entry| entry.name == name);
    let gate = entry.map_or(Activation::IDENTITY, |entry| Activation::of(entry, 0.0));
    Box::new(Gated { input, gate })
}

fn output(_: &HyperValues, input: Shape) -> Result<Shape, Refusal> {
    if input.channels().is_multiple_of(2) {
        Ok(input.with_channels(input.channels() / 2))
    } else {
        Err("an even number of channels, or features".into())
    }
}

/// One half of the input times an activation of the other.
#[derive(Clone, Debug)]
pub struct Gated {
    /// Of an even number of channels, or features.
    pub input: Shape,
    pub gate: Activation,
}

impl Gated {
    fn output(&self) -> Shape {
        self.input.with_channels(self.half())
    }

    fn half(&self) -> usize {
        self.input.channels() / 2
    }

    /// Floats from one pixel of the input, and of the output, to the next; features are one pixel.
    fn pitches(&self, x: usize, y: usize) -> [usize; 2] {
        match [self.input.image(), self.output().image()] {
            [Some(input), Some(output)] => [input.pitch, output.pitch],
            _ => [x, y],
        }
    }
}

impl Layer for Gated {
    fn kind(&self) -> String {
        match self.gate.name() {
            "sigmoid" => "glu".into(),
            "silu" => "swiglu".into(),
            gate => format!("glu by {gate}"),
        }
    }

    fn outputs(&self) -> usize {
        self.output().features()
    }

    fn image(&self) -> Option<Image> {
        self.output().image()
    }

    fn scratch_len(&self) -> usize {
        2 * self.half()
    }

    fn forward(&self, Forward { mut y, x, scratch, .. }: Forward) {
        let half = self.half();
        let [of_x, of_y] = self.pitches(x.columns(), y.columns());
        for row in 0..y.rows() {
            let pixels = y.row(row).chunks_exact_mut(of_y).zip(x.row(row).chunks_exact(of_x));
            for (y, x) in pixels {
                let (y, padding) = y.split_at_mut(half);
                gated::forward(y, [&x[..half], &x[half..2 * half]], self.gate, &mut scratch[..half]);
                padding.fill(0.0);
            }
        }
    }

    fn prepares_gradient(&self) -> bool {
        false
    }

    fn along(&self) -> Along<'_> {
        Along::Apart
    }

    /// Inverts the forward pass.
    fn backward(&self, Backward { dx, dy, x, scratch, .. }: Backward) {
        let Some(mut dx) = dx else { return };
        let (dy, half) = (dy.as_ref(), self.half());
        let [of_x, of_y] = self.pitches(dx.columns(), dy.columns());
        for row in 0..dx.rows() {
            let outputs = dy.row(row).chunks_exact(of_y);
            let inputs = x.row(row).chunks_exact(of_x);
            for ((dx, dy), x) in dx.row(row).chunks_exact_mut(of_x).zip(outputs).zip(inputs) {
                let (da, rest) = dx.split_at_mut(half);
                let (db, padding) = rest.split_at_mut(half);
                let (dy, x) = (&dy[..half], [&x[..half], &x[half..2 * half]]);
                gated::backward([da, db], dy, x, self.gate, &mut scratch[..2 * half]);
                padding.fill(0.0);
            }
        }
    }
}
