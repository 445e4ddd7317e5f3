//! Making a model from its configuration: shapes checked, parameters placed and initialised.

mod blocks;

use super::inputs::{Input, Inputs};
use super::network::{Model, PlacedLayer};
use super::normalisation::Seen;
use super::recipe::{
    ConvolutionConfig, ConvolutionTransposeConfig, LayerConfig, ModelConfig, NormalisationConfig, Over,
    find_layer,
};
use crate::kernels::activation::Activation;
use crate::kernels::image::{Image, Patches};
use crate::layers::{
    BatchNorm, Convolution, Dense, Depthwise, Dropout, Elementwise, Flatten, GlobalAverage, GroupNorm,
    Grouped, Layer, LayerNorm, NarrowConvolution, Node, Pointwise, Pool, Pooling, Shape, Transposed,
    WeightNorm,
};
use crate::rng::{self, Purpose};
use crate::tensor::{Buffer, Layout};
use crate::{Error, Result, init, memory};

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
        // A layer that keeps something from its forward pass to its backward pass keeps it for the rows
        // under way; with normalisation by batch, all others come in between.
        let normalises = |layer: &LayerConfig| {
            matches!(layer, LayerConfig::Normalisation(NormalisationConfig { over: Over::Batch { .. }, .. }))
        };
        let narrows = find_layer(&config.layers, normalises).is_none();
        let mut builder = Builder { narrows, ..Builder::default() };
        let data = Flow { from: Input::Data, shape: Shape::Image(Image::data(input)) };
        let shape = builder.sequence(&config.layers, "", data)?.shape;
        let Builder { layers, layout, .. } = builder;
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
        let parameters = Buffer::try_zeros("the parameters", layout.len())?;
        let mut model = Model { layers, parameters, input, config: config.clone(), seen: Seen::default() };
        model.initialise(seed)?;
        Ok(model)
    }

    fn initialise(&mut self, seed: u64) -> Result<()> {
        let drawn: Vec<_> = self.specs().filter_map(|(_, spec)| spec.init.map(|init| (spec, init))).collect();
        for (number, (spec, init)) in drawn.iter().enumerate() {
            let mut values = memory::filled("initial values", 0.0, spec.shape.iter().product())?;
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
        Ok(())
    }
}

/// What a layer may read: where it lies, and its shape.
#[derive(Clone, Copy)]
struct Flow {
    from: Input,
    shape: Shape,
}

/// Layers, placed one after the other.
#[derive(Default)]
struct Builder {
    layers: Vec<PlacedLayer>,
    layout: Layout,
    /// Whether convolutions of few channels are done with their pools.
    narrows: bool,
}

impl Builder {
    /// Places a list of layers, whose modules have numbers behind `prefix`. Returns what the last gives.
    fn sequence(&mut self, configs: &[LayerConfig], prefix: &str, input: Flow) -> Result<Flow> {
        let (mut flow, mut module, mut pool_is_done) = (input, 0, false);
        for (index, config) in configs.iter().enumerate() {
            let first = flow.from == Input::Data;
            let output = config.output(index, flow.shape, first)?;
            flow.shape = config.takes(flow.shape, first);
            if std::mem::take(&mut pool_is_done) {
                // A module of its own, but not a layer.
                (flow.shape, module) = (output, module + modules(config));
                continue;
            }
            let next = configs.get(index + 1).filter(|_| self.narrows);
            let pooled = next.and_then(|next| narrow(config, next, flow.shape, first));
            pool_is_done = pooled.is_some();
            let name = |module| format!("{prefix}{module}");
            match (config, output) {
                (LayerConfig::Residual(block), _) => {
                    flow.from = self.residual(block, index, &name(module), flow, output)?;
                    module += 1;
                }
                (&LayerConfig::SqueezeExcite { reduction }, Shape::Image(image)) => {
                    flow.from = self.squeeze_excite(reduction, index, &name(module), flow, image)?;
                    module += 1;
                }
                _ => {
                    for layer in
                        pooled.map_or_else(|| realise(config, flow.shape, first), |layer| vec![layer])
                    {
                        let (reads, each) = (Inputs::one(flow.from), inputs(config, flow.shape));
                        flow.from = self.place(index, layer, reads, name(module), each)?;
                        module += modules(config);
                    }
                }
            }
            flow.shape = output;
        }
        Ok(flow)
    }

    /// Places a layer with so many numbers going into each output, part of number `index` of its list.
    /// Returns where what it gives lies.
    fn place(
        &mut self,
        index: usize,
        layer: Node,
        inputs: Inputs,
        module: String,
        each: usize,
    ) -> Result<Input> {
        let len = checked_len(index, &layer, each, self.layout.len())?;
        self.layers.push(PlacedLayer { layer, inputs, module, storage: self.layout.place(len) });
        Ok(Input::Output(self.layers.len() - 1))
    }
}

pub(super) fn check_input(input: [usize; 3]) -> Result<()> {
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
        | LayerConfig::Convolution(ConvolutionConfig { activation, .. })
        | LayerConfig::ConvolutionTranspose(ConvolutionTransposeConfig { activation, .. })
        | LayerConfig::Normalisation(NormalisationConfig { activation, .. }) => *activation,
        _ => Activation::IDENTITY,
    }
}

/// Whether an activation is computed by the layer before it.
fn fuses(config: &LayerConfig) -> bool {
    let activation = own_activation(config);
    activation != Activation::IDENTITY && activation.derivative_from_output()
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
            Patches { input, window: config.window }.inputs() / config.groups
        }
        (LayerConfig::ConvolutionTranspose(config), Shape::Image(input)) => config.inputs(input),
        // What these have is little, and counted as it is.
        (LayerConfig::Of(_), _) => 0,
        // Weight, bias and running statistics.
        (LayerConfig::Normalisation(_), _) => 4,
        _ => input.features(),
    }
}

/// The one layer that a convolution and the entry after it are, if that is a max-pool which it can do at
/// the same time.
fn narrow(config: &LayerConfig, next: &LayerConfig, input: Shape, first: bool) -> Option<Node> {
    let (LayerConfig::Convolution(config), LayerConfig::MaxPool(window), Shape::Image(input)) =
        (config, next, input)
    else {
        return None;
    };
    if config.groups > 1 {
        return None;
    }
    let patches = Patches { input, window: config.window };
    let patch = Dense {
        inputs: patches.inputs(),
        outputs: config.channels,
        bias: config.bias,
        activation: config.activation,
        weight_init: config.weight_init,
        bias_init: config.bias_init,
        input_gradient: !first,
        whole_columns: false,
        by_inputs: false,
    };
    Some(Node::layer(Box::new(NarrowConvolution::new(Convolution { patches, patch }, *window)?)))
}

/// The layers that one entry of a recipe, whose input has been checked, stands for.
fn realise(config: &LayerConfig, input: Shape, first: bool) -> Vec<Node> {
    let activation = own_activation(config);
    let apart = activation != Activation::IDENTITY && !fuses(config);
    // That of a layer with weights, before its activation if that is a layer of its own.
    let own = if apart { Activation::IDENTITY } else { activation };
    let dense = |outputs, weight_init, bias_init, bias| Dense {
        inputs: inputs(config, input),
        outputs,
        bias,
        activation: own,
        weight_init,
        bias_init,
        input_gradient: !first,
        whole_columns: false,
        by_inputs: false,
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
            let patch = dense(config.channels, config.weight_init, config.bias_init, config.bias);
            convolution(config, input, patch)
        }
        (LayerConfig::ConvolutionTranspose(config), Shape::Image(input)) => {
            let patch = dense(config.channels, config.weight_init, config.bias_init, config.bias);
            Box::new(Transposed::new(input, config.window, config.output_padding, patch))
        }
        (&LayerConfig::MaxPool(window), Shape::Image(input)) => {
            Box::new(Pool { input, pooling: Pooling::Max, window })
        }
        (&LayerConfig::AveragePool(window), Shape::Image(input)) => {
            Box::new(Pool { input, pooling: Pooling::Average, window })
        }
        (LayerConfig::Normalisation(config), shape) => {
            let (image, features) = (between(shape, first), shape.features());
            let own = if apart { Activation::IDENTITY } else { activation };
            return with_own(normalisation(config, image, features, own), apart.then_some(activation));
        }
        (&LayerConfig::Dropout { rate, channels }, shape) => {
            Box::new(Dropout { features: shape.features(), image: between(shape, first), rate, channels })
        }
        (LayerConfig::Of(settings), shape) => {
            settings.make(if first { Shape::Features(shape.features()) } else { shape })
        }
        (LayerConfig::GlobalAveragePool, Shape::Image(input)) => Box::new(GlobalAverage { input }),
        (LayerConfig::Flatten, Shape::Image(input)) => Box::new(Flatten { input }),
        (LayerConfig::Residual(_) | LayerConfig::SqueezeExcite { .. }, _) => unreachable!("several layers"),
        (_, Shape::Features(_)) => unreachable!("`LayerConfig::output` refuses layers of images here"),
    };
    with_own(Node::layer(layer), apart.then_some(activation))
}

/// A layer and, as one of its own, the activation `apart` that follows it.
fn with_own(layer: Node, apart: Option<Activation>) -> Vec<Node> {
    let after = apart.map(|activation| {
        let features = layer.image().map_or(layer.outputs(), |image| image.channels);
        Node::layer(Box::new(Elementwise { features, activation, image: layer.image() }))
    });
    [layer].into_iter().chain(after).collect()
}

/// The layer for a convolution of this image, which `patch` is for one patch.
fn convolution(config: &ConvolutionConfig, input: Image, patch: Dense) -> Box<dyn Layer> {
    let ConvolutionConfig { groups, window, .. } = *config;
    if groups == 1 && window.area() == 1 && !window.is_padded() {
        Box::new(Pointwise { input, window, patch })
    } else if groups == 1 {
        Box::new(Convolution { patches: Patches { input, window }, patch })
    } else if groups == input.channels {
        Box::new(Depthwise { input, window, patch })
    } else {
        Box::new(Grouped::new(input, groups, window, patch))
    }
}

/// The image that a sample is, if it is one and not data, which are taken as features.
fn between(shape: Shape, first: bool) -> Option<Image> {
    match shape {
        Shape::Image(image) if !first => Some(image),
        _ => None,
    }
}

fn normalisation(
    config: &NormalisationConfig,
    image: Option<Image>,
    features: usize,
    activation: Activation,
) -> Node {
    let epsilon = config.epsilon;
    match config.over {
        Over::Batch { momentum } => {
            Node::batch_norm(BatchNorm::new(image, features, epsilon, momentum, activation))
        }
        Over::Layer => Node::layer(Box::new(LayerNorm::new(image, features, epsilon, activation))),
        Over::Groups(groups) => {
            Node::layer(Box::new(GroupNorm::new(image, features, groups, epsilon, activation)))
        }
    }
}

/// The storage that a layer needs, after a check that it and what is placed already are not absurd.
/// `inputs`, the numbers that go into each of its outputs, and these outputs bound it.
fn checked_len(index: usize, layer: &Node, inputs: usize, placed: usize) -> Result<usize> {
    let outputs = layer.image().map_or(layer.outputs(), |image| image.channels);
    let (inputs, outputs) = (inputs as u128, outputs as u128);
    // Each group has its own padding.
    let bound = if layer.sharding().shards() == 0 { 0 } else { (inputs + 16) * (outputs + 16) };
    let bound = bound.max(layer.storage_len() as u128);
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
