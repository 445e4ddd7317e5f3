//! An activation as a layer of its own: for those whose derivative needs the input (GELU, SiLU),
//! and wherever one does not follow a dense layer or a convolution.

use std::sync::LazyLock;

use super::in_order::Along;
use super::kind::{LayerKind, LayerSettings};
use super::layer::{Backward, Forward, Layer};
use super::shape::Shape;
use crate::hyper::{HyperParameter, HyperValues, non_negative, positive};
use crate::kernels::activation::{self, Activation, Entry, Limit, Parameter};
use crate::kernels::image::Image;

/// A layer for each of the activations, in the order of their table.
static KINDS: LazyLock<Vec<LayerKind>> = LazyLock::new(|| {
    let kind = |entry: &Entry| {
        let kind = LayerKind::new(entry.name, make).formula(entry.formula).source(entry.source);
        kind.hyper_parameters(parameters(entry.parameter))
    };
    activation::ALL.into_iter().map(kind).collect()
});

/// The activations as layers; the identity is none.
pub(super) fn kinds() -> impl Iterator<Item = &'static LayerKind> {
    KINDS.iter().filter(|kind| kind.name() != Activation::IDENTITY.name())
}

/// The parameter of an activation, as what may be set of its layer.
fn parameters(parameter: Option<Parameter>) -> &'static [HyperParameter] {
    let Some(Parameter { key, default, limit }) = parameter else { return &[] };
    let range = match limit {
        Limit::Positive => positive(),
        Limit::NonNegative => non_negative(),
    };
    // Once for each activation, as long as the process lives.
    Vec::leak(vec![HyperParameter::single(key, default, range, "the number of the formula")])
}

impl LayerSettings {
    /// An activation as a layer; the identity is none that a recipe can have.
    pub fn of_activation(activation: Activation) -> LayerSettings {
        let index = activation::ALL.iter().position(|entry| entry.name == activation.name());
        let settings = LayerSettings::of(&KINDS[index.unwrap_or(0)]);
        match activation.parameter() {
            Some((key, value)) => settings.having(key, value),
            None => settings,
        }
    }

    /// The activation, if the layer is nothing else.
    pub fn as_activation(&self) -> Option<Activation> {
        let index = KINDS.iter().position(|kind| kind == self.kind())?;
        Some(activation_of(activation::ALL[index], self.values()))
    }
}

fn activation_of(entry: &'static Entry, settings: &HyperValues) -> Activation {
    Activation::of(entry, entry.parameter.map_or(0.0, |own| settings.single(own.key)))
}

fn make(settings: &HyperValues, input: Shape) -> Box<dyn Layer> {
    let entry = activation::ALL.into_iter().find(|entry| entry.name == settings.kind());
    let activation = entry.map_or(Activation::IDENTITY, |entry| activation_of(entry, settings));
    Box::new(Elementwise { features: input.channels(), activation, image: input.image() })
}

/// `y = activation(x)`, element by element.
#[derive(Clone, Debug)]
pub struct Elementwise {
    /// Of a sample, or of a pixel if samples are images.
    pub features: usize,
    pub activation: Activation,
    /// Input and output if samples are images.
    pub image: Option<Image>,
}

impl Layer for Elementwise {
    fn kind(&self) -> String {
        self.activation.name().into()
    }

    fn outputs(&self) -> usize {
        self.image.map_or(self.features, |image| image.features())
    }

    fn image(&self) -> Option<Image> {
        self.image
    }

    fn forward(&self, Forward { mut y, x, .. }: Forward) {
        for row in 0..y.rows() {
            let (y, x) = (y.row(row), x.row(row));
            match self.image {
                // All pixels at once, which is faster than one by one.
                Some(_) => activation::forward(self.activation, y, x),
                None => activation::forward(self.activation, &mut y[..self.features], &x[..self.features]),
            }
            // Padding stays zero, which an activation need not make of it; the first layer's input
            // has none.
            let pitch = self.image.map_or(y.len(), |image| image.pitch);
            y.chunks_exact_mut(pitch).for_each(|pixel| pixel[self.features..].fill(0.0));
        }
    }

    fn along(&self) -> Along<'_> {
        Along::Apart
    }

    fn prepares_gradient(&self) -> bool {
        false
    }

    fn backward(&self, Backward { dx, dy, x, y, .. }: Backward) {
        let Some(mut dx) = dx else { return };
        let dy = dy.as_ref();
        let saved = if self.activation.derivative_from_output() { y } else { x };
        for row in 0..dx.rows() {
            activation::backward(self.activation, dx.row(row), dy.row(row), saved.row(row));
        }
    }
}
