//! Making a model from its configuration: shapes checked, parameters placed and initialised.

use super::recipe::LayerConfig;
use super::{Model, ModelConfig, PlacedLayer};
use crate::init;
use crate::kernels::activation::Activation;
use crate::layers::{Dense, Elementwise, Layer, WeightNorm};
use crate::memory;
use crate::rng::{self, Purpose};
use crate::tensor::{Buffer, Layout};
use crate::{Error, Result};

/// The most parameters a model may have: 4 GiB of them, before any optimizer.
const MOST_PARAMETERS: usize = 1 << 30;

impl Model {
    /// A network for samples of shape `input` (height, width, channels), freshly initialised; each
    /// parameter draws from its own stream of `seed`.
    ///
    /// # Errors
    /// [`Error::Shape`] if the layers do not fit together, the last one does not give `classes`
    /// outputs, or the parameters are absurdly many; [`Error::Mismatch`] if the loss does not fit the
    /// outputs.
    pub fn build(config: &ModelConfig, input: [usize; 3], classes: usize, seed: u64) -> Result<Model> {
        let features = features(input)?;
        let mut layers: Vec<PlacedLayer> = Vec::new();
        let mut layout = Layout::default();
        let mut width = features;
        let mut module = 0;
        for (index, layer_config) in config.layers.iter().enumerate() {
            for layer in realise(layer_config, width, layers.is_empty()) {
                let len = checked_len(index, layer.as_ref(), width, layout.len())?;
                width = layer.outputs();
                layers.push(PlacedLayer { layer, module, storage: layout.place(len) });
                // A fused activation counts as a module of its own, as in PyTorch's `Sequential`.
                module += if fuses(layer_config) { 2 } else { 1 };
            }
        }
        if width != classes || layers.is_empty() {
            return Err(Error::Shape {
                index: config.layers.len().saturating_sub(1),
                layer: layers.last().map_or("none".into(), |last| last.layer.kind()),
                expected: format!("{classes} outputs, one for each class"),
                found: if layers.is_empty() { "no layers".into() } else { width.to_string() },
            });
        }
        config.loss.check(classes)?;
        memory::check("the parameters", layout.len().saturating_mul(size_of::<f32>()))?;
        let parameters = Buffer::zeros(layout.len());
        let mut model = Model { layers, parameters, input, loss: config.loss.clone() };
        model.initialise(seed);
        Ok(model)
    }

    fn initialise(&mut self, seed: u64) {
        let drawn: Vec<_> = self.specs().filter_map(|(_, spec)| spec.init.map(|init| (spec, init))).collect();
        for (number, (spec, init)) in drawn.iter().enumerate() {
            let mut values = vec![0.0; spec.shape.iter().product()];
            let fan_out = spec.shape[0];
            let fan_in = spec.shape[1..].iter().product();
            let mut stream = rng::stream(seed, Purpose::Init, number as u64);
            init::fill(init, &mut values, fan_in, fan_out, &mut stream);
            self.set(spec, &values);
        }
        for placed in &self.layers {
            placed.layer.complete(&mut self.parameters[placed.storage.clone()]);
        }
    }
}

/// Features of a sample.
fn features(input: [usize; 3]) -> Result<usize> {
    let product = input.iter().try_fold(1usize, |product, &size| product.checked_mul(size));
    product.filter(|&features| features > 0 && features <= MOST_PARAMETERS).ok_or_else(|| Error::Shape {
        index: 0,
        layer: "input".into(),
        expected: "at least one feature, and no more than memory holds".into(),
        found: format!("{input:?}"),
    })
}

/// Whether an activation is computed by the dense layer before it.
fn fuses(config: &LayerConfig) -> bool {
    matches!(config, LayerConfig::Dense { activation, .. }
        if *activation != Activation::Identity && activation.derivative_from_output())
}

/// The layers that one entry of a recipe stands for.
fn realise(config: &LayerConfig, width: usize, first: bool) -> Vec<Box<dyn Layer>> {
    match *config {
        LayerConfig::Activation(activation) => vec![Box::new(Elementwise { features: width, activation })],
        LayerConfig::Dense { units, activation, weight_init, bias_init, bias, weight_norm } => {
            let apart = activation != Activation::Identity && !fuses(config);
            let dense = Dense {
                inputs: width,
                outputs: units,
                bias,
                activation: if apart { Activation::Identity } else { activation },
                weight_init,
                bias_init,
                input_gradient: !first,
                whole_columns: false,
            };
            let dense: Box<dyn Layer> =
                if weight_norm { Box::new(WeightNorm::new(dense)) } else { Box::new(dense) };
            let mut layers = vec![dense];
            if apart {
                layers.push(Box::new(Elementwise { features: units, activation }));
            }
            layers
        }
    }
}

/// The storage that a layer needs, after a check that it and what is placed already are not absurd.
/// `width` and the layer's outputs bound every size the layer computes.
fn checked_len(index: usize, layer: &dyn Layer, width: usize, placed: usize) -> Result<usize> {
    let (inputs, outputs) = (width as u128, layer.outputs() as u128);
    let bound = if layer.units() == 0 { 0 } else { (inputs + 16) * (outputs + 16) };
    if bound + placed as u128 > MOST_PARAMETERS as u128 {
        return Err(Error::Shape {
            index,
            layer: layer.kind(),
            expected: format!("a model of at most {MOST_PARAMETERS} parameters"),
            found: format!("{inputs} x {outputs} in this layer alone"),
        });
    }
    Ok(layer.storage_len())
}
