//! Making a model from its configuration: shapes checked, parameters placed and initialised.

use super::recipe::{ConvolutionConfig, LayerConfig, Shape};
use super::{Model, ModelConfig, PlacedLayer};
use crate::init;
use crate::kernels::activation::Activation;
use crate::kernels::image::{Image, Patches};
use crate::layers::{
    Convolution, Dense, Elementwise, Flatten, GlobalAverage, Layer, NarrowConvolution, Pool, Pooling,
    WeightNorm,
};
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
        check_input(input)?;
        let mut layers: Vec<PlacedLayer> = Vec::new();
        let mut layout = Layout::default();
        let mut shape = Shape::Image(Image::data(input));
        let mut module = 0;
        let mut pool_is_done = false;
        for (index, layer_config) in config.layers.iter().enumerate() {
            let output = layer_config.output(index, shape, index == 0)?;
            if std::mem::take(&mut pool_is_done) {
                // A module of its own, but not a layer.
                (shape, module) = (output, module + modules(layer_config));
                continue;
            }
            let pooled =
                config.layers.get(index + 1).and_then(|next| narrow(layer_config, next, shape, index == 0));
            pool_is_done = pooled.is_some();
            for layer in
                pooled.map_or_else(|| realise(layer_config, shape, layers.is_empty()), |layer| vec![layer])
            {
                let len = checked_len(index, layer.as_ref(), inputs(layer_config, shape), layout.len())?;
                layers.push(PlacedLayer { layer, module, storage: layout.place(len) });
                module += modules(layer_config);
            }
            shape = output;
        }
        if shape != Shape::Features(classes) || layers.is_empty() {
            return Err(Error::Shape {
                index: config.layers.len().saturating_sub(1),
                layer: layers.last().map_or("none".into(), |last| last.layer.kind()),
                expected: format!("{classes} outputs, one for each class"),
                found: if layers.is_empty() { "no layers".into() } else { shape.to_string() },
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
            // Each number of a kernel's window goes to an output of its own, as in PyTorch.
            let fan_out = spec.shape[0] * spec.shape.iter().skip(2).product::<usize>();
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

fn check_input(input: [usize; 3]) -> Result<()> {
    let product = input.iter().try_fold(1usize, |product, &size| product.checked_mul(size));
    if product.is_some_and(|features| (1..=MOST_PARAMETERS).contains(&features)) {
        return Ok(());
    }
    Err(Error::Shape {
        index: 0,
        layer: "input".into(),
        expected: "at least one feature, and no more than memory holds".into(),
        found: format!("{input:?}"),
    })
}

/// The activation that is part of an entry of a recipe, and not a layer of its own.
fn own_activation(config: &LayerConfig) -> Activation {
    match config {
        LayerConfig::Dense { activation, .. }
        | LayerConfig::Convolution(ConvolutionConfig { activation, .. }) => *activation,
        _ => Activation::Identity,
    }
}

/// Whether an activation is computed by the layer before it.
fn fuses(config: &LayerConfig) -> bool {
    let activation = own_activation(config);
    activation != Activation::Identity && activation.derivative_from_output()
}

/// How many modules each layer of an entry is in PyTorch's `Sequential`: a fused activation is one of its
/// own, and so is the `Flatten` after a global pool.
fn modules(config: &LayerConfig) -> usize {
    if fuses(config) || *config == LayerConfig::GlobalAveragePool { 2 } else { 1 }
}

/// Numbers that go into each output of an entry.
fn inputs(config: &LayerConfig, input: Shape) -> usize {
    match (config, input) {
        (LayerConfig::Convolution(config), Shape::Image(input)) => {
            Patches { input, window: config.window }.inputs()
        }
        _ => input.features(),
    }
}

/// A convolution as a layer, with this activation.
fn convolution(config: &ConvolutionConfig, input: Image, first: bool, activation: Activation) -> Convolution {
    let patches = Patches { input, window: config.window };
    let patch = Dense {
        inputs: patches.inputs(),
        outputs: config.channels,
        bias: config.bias,
        activation,
        weight_init: config.weight_init,
        bias_init: config.bias_init,
        input_gradient: !first,
        whole_columns: false,
    };
    Convolution { patches, patch }
}

/// The one layer that a convolution and the entry after it are, if that is a max-pool which it can do at
/// the same time.
fn narrow(config: &LayerConfig, next: &LayerConfig, input: Shape, first: bool) -> Option<Box<dyn Layer>> {
    let (LayerConfig::Convolution(config), LayerConfig::MaxPool(window), Shape::Image(input)) =
        (config, next, input)
    else {
        return None;
    };
    let layer = NarrowConvolution::new(convolution(config, input, first, config.activation), *window)?;
    Some(Box::new(layer))
}

/// The layers that one entry of a recipe, whose input has been checked, stands for.
fn realise(config: &LayerConfig, input: Shape, first: bool) -> Vec<Box<dyn Layer>> {
    let activation = own_activation(config);
    let apart = activation != Activation::Identity && !fuses(config);
    // That of a layer with weights, before its activation if that is a layer of its own.
    let own = if apart { Activation::Identity } else { activation };
    let dense = |outputs, weight_init, bias_init, bias| Dense {
        inputs: inputs(config, input),
        outputs,
        bias,
        activation: own,
        weight_init,
        bias_init,
        input_gradient: !first,
        whole_columns: false,
    };
    let layer: Box<dyn Layer> = match (config, input) {
        (&LayerConfig::Activation(activation), Shape::Image(image)) if !first => {
            Box::new(Elementwise { features: image.channels, activation, image: Some(image) })
        }
        (&LayerConfig::Activation(activation), shape) => {
            Box::new(Elementwise { features: shape.features(), activation, image: None })
        }
        (&LayerConfig::Dense { units, weight_init, bias_init, bias, weight_norm, .. }, _) => {
            let dense = dense(units, weight_init, bias_init, bias);
            if weight_norm { Box::new(WeightNorm::new(dense)) } else { Box::new(dense) }
        }
        (LayerConfig::Convolution(config), Shape::Image(input)) => {
            Box::new(convolution(config, input, first, own))
        }
        (&LayerConfig::MaxPool(window), Shape::Image(input)) => {
            Box::new(Pool { input, pooling: Pooling::Max, window })
        }
        (&LayerConfig::AveragePool(window), Shape::Image(input)) => {
            Box::new(Pool { input, pooling: Pooling::Average, window })
        }
        (LayerConfig::GlobalAveragePool, Shape::Image(input)) => Box::new(GlobalAverage { input }),
        (LayerConfig::Flatten, Shape::Image(input)) => Box::new(Flatten { input }),
        (_, Shape::Features(_)) => unreachable!("`LayerConfig::output` refuses layers of images here"),
    };
    let after = apart.then(|| -> Box<dyn Layer> {
        let features = layer.image().map_or(layer.outputs(), |image| image.channels);
        Box::new(Elementwise { features, activation, image: layer.image() })
    });
    [layer].into_iter().chain(after).collect()
}

/// The storage that a layer needs, after a check that it and what is placed already are not absurd.
/// `inputs`, the numbers that go into each of its outputs, and these outputs bound it.
fn checked_len(index: usize, layer: &dyn Layer, inputs: usize, placed: usize) -> Result<usize> {
    let outputs = layer.image().map_or(layer.outputs(), |image| image.channels);
    let (inputs, outputs) = (inputs as u128, outputs as u128);
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
