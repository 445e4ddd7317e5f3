//! The `[model]` table: the network and its loss.

use toml::{Table, Value};

use super::layers::{self, LayerConfig, Over};
use super::loss;
use super::values::table_of;
use crate::error::{Error, Result};
use crate::kernels::image::{Image, Patches};
use crate::layers::{Shape, trained_numbers};
use crate::losses::Loss;
use crate::model::section::Section;

/// The most trained numbers of a model: 4 GiB of them, before any optimizer.
pub(in crate::model) const MOST_PARAMETERS: usize = 1 << 30;

/// The network and what it minimises.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelConfig {
    /// At least one, from input to output.
    pub layers: Vec<LayerConfig>,
    pub loss: Loss,
}

impl ModelConfig {
    pub(super) fn read(mut section: Section) -> Result<ModelConfig> {
        let loss = loss::read(&mut section)?;
        let layers = layers::read_layers(&mut section)?;
        section.finish()?;
        Ok(ModelConfig { layers, loss })
    }

    /// The table, every value written out.
    pub(super) fn table(&self) -> Table {
        let layers: Vec<Value> =
            self.layers.iter().map(|config| layers::write::layer(config).into()).collect();
        table_of([("loss", loss::write(&self.loss).into()), ("layers", layers.into())])
    }

    /// The numbers of the model's running statistics.
    pub(in crate::model) fn statistics(&self, input: [usize; 3]) -> Result<usize> {
        let layers = layers::leaves(&self.layers, Shape::Image(Image::data(input)), true)?;
        // Mean and variance.
        let numbers = |(layer, shape): &(LayerConfig, Shape)| match layer {
            LayerConfig::Normalisation(config) if matches!(config.over, Over::Batch { .. }) => {
                2 * config.scaled(*shape)
            }
            _ => 0,
        };
        Ok(layers.iter().map(numbers).sum())
    }

    /// The trained numbers of the model for samples of this height, width and channels: a bound on its
    /// memory that costs none.
    ///
    /// # Errors
    /// [`Error::Mismatch`] if they are more than 2^30; [`Error::Shape`] if the layers do not fit together.
    pub fn parameters(&self, input: [usize; 3]) -> Result<usize> {
        let mut total = Some(0usize);
        for (layer, shape) in layers::leaves(&self.layers, Shape::Image(Image::data(input)), true)? {
            // Outputs, inputs of each, and what else each has.
            let weights = match (&layer, shape) {
                (LayerConfig::Dense { units, bias, weight_norm, .. }, _) => {
                    (*units, shape.features(), usize::from(*bias) + usize::from(*weight_norm))
                }
                (LayerConfig::Convolution(config), Shape::Image(image)) => {
                    let inputs = Patches { input: image, window: config.window }.inputs() / config.groups;
                    (config.channels, inputs, usize::from(config.bias))
                }
                (LayerConfig::Of(settings), _) => (trained_numbers(&settings.make(shape).parameters()), 1, 0),
                // A weight and a bias.
                (LayerConfig::Normalisation(config), _) => (config.scaled(shape), 2, 0),
                _ => (0, 0, 0),
            };
            let (outputs, inputs, others) = weights;
            let added = inputs.checked_add(others).and_then(|inputs| inputs.checked_mul(outputs));
            total = total.zip(added).and_then(|(total, added)| total.checked_add(added));
        }
        total.filter(|total| *total <= MOST_PARAMETERS).ok_or_else(|| Error::Mismatch {
            what: "trained numbers of the model".to_string(),
            expected: format!("at most {MOST_PARAMETERS}"),
            found: total.map_or("more than can be counted".to_string(), |total| total.to_string()),
        })
    }
}
