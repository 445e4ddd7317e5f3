//! The deep networks: always twelve dense layers, with what goes between them.

use crate::error::Result;
use crate::init::Init;
use crate::kernels::activation::Activation;
use crate::model::recipe::LayerConfig;
use crate::model::{Model, ModelBuilder};

/// Dense layers, the last one of which gives the classes.
pub(super) const LAYERS: usize = 12;
/// Units of the layers before it.
pub(super) const UNITS: usize = 32;
const CLASSES: usize = 10;
/// Pixels of the digits, along a side, of which one is made.
pub(super) const POOLED: usize = 4;

/// What the layers are made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Plain,
    WeightNorm,
    /// A normalisation between each layer and its activation; the last layer, which has none, begins as usual.
    BatchNorm,
    /// All layers but the first and the last are blocks of two, around which a link leads.
    Residual,
}

/// A network, before its weights are drawn.
#[derive(Clone, Copy, Debug)]
pub(super) struct Network {
    pub form: Form,
    pub activation: Activation,
    /// What weights begin as, if not what suits the activation.
    pub init: Option<Init>,
}

impl Network {
    pub(super) const fn plain(activation: Activation) -> Network {
        Network { form: Form::Plain, activation, init: None }
    }

    pub(super) const fn with(self, form: Form) -> Network {
        Network { form, ..self }
    }

    /// The same with weights so many times as large as those that suit the activation.
    pub(super) fn scaled(self, gain: f32) -> Network {
        let init = match Init::before(self.activation) {
            Init::KaimingUniform { gain: own } => Init::KaimingNormal { gain: gain * own },
            _ => Init::XavierNormal { gain },
        };
        Network { init: Some(init), ..self }
    }

    pub(super) fn build(self) -> Result<Model> {
        let digits = Model::of_images([28, 28, 1]).layer(LayerConfig::average_pool(POOLED)).flatten();
        self.layers()?.into_iter().fold(digits, ModelBuilder::layer).build()
    }

    fn layers(self) -> Result<Vec<LayerConfig>> {
        let mut layers = Vec::new();
        match self.form {
            Form::Plain | Form::WeightNorm => {
                for _ in 1..LAYERS {
                    layers.push(self.dense(UNITS, self.activation)?);
                }
            }
            Form::BatchNorm => {
                for _ in 1..LAYERS {
                    // A bias would be taken away again.
                    layers.push(self.dense(UNITS, Activation::IDENTITY)?.with("bias", false)?);
                    layers.push(LayerConfig::batch_norm().with("activation", self.activation)?);
                }
            }
            Form::Residual => {
                layers.push(self.dense(UNITS, self.activation)?);
                for _ in 1..LAYERS / 2 {
                    let inner = [self.activation, Activation::IDENTITY];
                    let inner = inner.map(|activation| self.dense(UNITS, activation));
                    let inner = inner.into_iter().collect::<Result<Vec<LayerConfig>>>()?;
                    layers.push(LayerConfig::residual(inner, Activation::IDENTITY));
                }
            }
        }
        // Behind it nothing would take the size of its weights out.
        let init = if self.form == Form::BatchNorm { None } else { self.init };
        layers.push(Network { init, ..self }.dense(CLASSES, Activation::IDENTITY)?);
        Ok(layers)
    }

    fn dense(self, units: usize, activation: Activation) -> Result<LayerConfig> {
        let layer = LayerConfig::dense(units, activation);
        let layer = layer.with("weight_norm", self.form == Form::WeightNorm)?;
        match self.init {
            Some(init) => layer.with("weight_init", init),
            None => Ok(layer),
        }
    }

    /// Layers with parameters from one dense layer to the next.
    pub(super) fn every(self) -> usize {
        if self.form == Form::BatchNorm { 2 } else { 1 }
    }
}
