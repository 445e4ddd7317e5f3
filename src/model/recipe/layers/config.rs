//! The layers of a model, and what comes out of each, given what goes in: checked before anything is allocated.

use crate::error::{Error, Result};
use crate::kernels::activation::Activation;
use crate::kernels::image::Window;
use crate::layers::{Incoming, LayerSettings, RESIDUAL, Shape};

/// The list of a residual block's own layers, and that of its other way, by their keys in a recipe.
pub(super) const LISTS: [&str; 2] = ["layers", "shortcut"];

/// One layer of a model, before the shape of its input is known.
#[derive(Clone, Debug, PartialEq)]
pub enum LayerConfig {
    /// A layer of the table, built in or a program's own.
    Of(LayerSettings),
    Residual(ResidualConfig),
}

/// A residual block: y = activation(layers(x) + shortcut(x)).
#[derive(Clone, Debug, PartialEq)]
pub struct ResidualConfig {
    /// At least one.
    pub layers: Vec<LayerConfig>,
    /// Without any it is x itself.
    pub shortcut: Vec<LayerConfig>,
    pub activation: Activation,
}

impl LayerConfig {
    /// The type, as a recipe calls it.
    pub fn kind(&self) -> &'static str {
        match self {
            LayerConfig::Of(settings) => settings.kind().name(),
            LayerConfig::Residual(_) => RESIDUAL,
        }
    }

    /// The layer with its settings, if it is one of the table.
    pub fn settings(&self) -> Option<&LayerSettings> {
        match self {
            LayerConfig::Of(settings) => Some(settings),
            LayerConfig::Residual(_) => None,
        }
    }

    /// The window of a convolution or a pool.
    pub fn window(&self) -> Option<Window> {
        self.settings().and_then(LayerSettings::own_window)
    }

    /// What goes into the layer, the recipe's number `index`, as it takes it.
    ///
    /// # Errors
    /// [`Error::Shape`] if it cannot be the input; [`Error::Setting`] for what must be set and is not.
    #[doc(hidden)]
    pub fn takes(&self, index: usize, input: Incoming) -> Result<Shape> {
        match self {
            LayerConfig::Of(settings) => settings.takes(index, input),
            LayerConfig::Residual(_) => Ok(input.shape),
        }
    }

    /// What comes out of the layer, the recipe's number `index`.
    ///
    /// # Errors
    /// [`Error::Shape`] if this cannot be the input; [`Error::Setting`] for what must be set and is not.
    #[doc(hidden)]
    pub fn output(&self, index: usize, input: Incoming) -> Result<Shape> {
        match self {
            LayerConfig::Of(settings) => settings.output(index, input),
            LayerConfig::Residual(block) => block.output(index, input),
        }
    }
}

impl ResidualConfig {
    /// What comes out, as [`LayerConfig::output`] says it.
    fn output(&self, index: usize, input: Incoming) -> Result<Shape> {
        let [main, other] = [(&self.layers, LISTS[0]), (&self.shortcut, LISTS[1])].map(|(layers, list)| {
            let inside = |error| in_residual(error, index, list);
            layers.iter().enumerate().try_fold(input.shape, |shape, (index, layer)| {
                let is_data = input.is_data && index == 0;
                layer.output(index, Incoming { shape, is_data }).map_err(inside)
            })
        });
        let (main, mut other) = (main?, other?);
        let itself = self.shortcut.is_empty();
        if itself && input.is_data && matches!(main, Shape::Features(_)) {
            // Dense layers at the front take data as they lie.
            other = Shape::Features(input.shape.features());
        }
        if main.agrees(other) {
            return Ok(main);
        }
        Err(Error::Shape {
            index,
            layer: RESIDUAL.into(),
            expected: format!("a `shortcut` that gives {main}, as `layers` do"),
            found: if itself { format!("none, and an input of {other}") } else { other.to_string() },
        })
    }
}

impl Shape {
    /// Whether the numbers of both can be added up: images of data are not padded, and agree with others.
    fn agrees(self, other: Shape) -> bool {
        match (self, other) {
            (Shape::Image(a), Shape::Image(b)) => {
                [a.height, a.width, a.channels] == [b.height, b.width, b.channels]
            }
            _ => self == other,
        }
    }
}

/// The error of a layer in a list of the residual block of number `index`, in which it says so.
pub fn in_residual(error: Error, index: usize, list: &str) -> Error {
    match error {
        Error::Shape { index: inner, layer, expected, found } => {
            let layer = format!("{RESIDUAL}, {list}.{inner}: {layer}");
            Error::Shape { index, layer, expected, found }
        }
        other => other,
    }
}
