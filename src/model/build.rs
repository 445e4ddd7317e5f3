//! Making a model from its configuration: shapes checked, parameters placed and initialised.

mod blocks;
mod tied;

use super::inputs::{Inputs, Origin};
use super::network::{Model, PlacedLayer};
use super::normalisation::Seen;
use super::recipe::{LayerConfig, MOST_PARAMETERS, ModelConfig, Tie, find_layer};
use crate::kernels::image::Image;
use crate::layers::{Built, Incoming, LayerSettings, Node, Shape, with_pool};
use crate::rng::{self, Purpose};
use crate::tensor::{Arena, Buffer};
use crate::{Error, Result, init, memory};

impl Model {
    /// A network for samples of shape `input` (height, width, channels), freshly initialised; each
    /// parameter draws from its own stream of `seed`.
    ///
    /// # Errors
    /// [`Error::Shape`] if the layers do not fit together, the last one does not give `classes`
    /// outputs though the loss takes targets, or the parameters are absurdly many; [`Error::Mismatch`] if the loss does not fit the
    /// outputs, or a normalisation by batch follows a layer that saves something for its backward pass.
    pub fn build(config: &ModelConfig, input: [usize; 3], classes: usize, seed: u64) -> Result<Model> {
        check_input(input)?;
        // A tied output layer stands at the end of a network that begins with an embedding.
        if let Some((_, expected, found)) = config.untied() {
            return Err(Error::Mismatch { what: "layers of the model".into(), expected, found });
        }
        // A layer that keeps something from its forward pass to its backward pass keeps it for the rows
        // under way; with normalisation by batch, all others come in between.
        let normalises = |layer: &LayerSettings| layer.kind().reads_batch();
        let fuses_pools = find_layer(&config.layers, normalises).is_none();
        let mut builder = Builder { fuses_pools, tie: config.tie(), ..Builder::default() };
        let data = Flow { from: Origin::Data, shape: Shape::Image(Image::data(input)) };
        let shape = builder.sequence(&config.layers, "", data)?.shape;
        builder.tie_ends();
        let Builder { layers, arena, .. } = builder;
        // Without targets no number of outputs is wrong.
        let classes = match shape {
            Shape::Features(outputs) if !config.loss.takes_targets() => outputs,
            _ => classes,
        };
        // A sequence has so many outputs at each position.
        let fits = shape.channels() == classes;
        if !fits || layers.is_empty() {
            return Err(Error::Shape {
                index: config.layers.len().saturating_sub(1),
                layer: layers.last().map_or("none".into(), |last| last.layer.kind()),
                expected: format!("{classes} outputs, one for each class"),
                found: if layers.is_empty() { "no layers".into() } else { shape.to_string() },
            });
        }
        check_saved(&layers)?;
        config.loss.check(classes)?;
        memory::check("the parameters", arena.len().saturating_mul(size_of::<f32>()))?;
        let parameters = Buffer::try_zeros("the parameters", arena.len())?;
        let mut model =
            Model { layers, parameters, input, config: config.clone(), seen: Seen::default(), initial: None };
        model.draw(seed)?;
        Ok(model)
    }

    fn draw(&mut self, seed: u64) -> Result<()> {
        let drawn: Vec<_> = self.specs().filter_map(|(_, spec)| spec.init.map(|init| (spec, init))).collect();
        for (number, (spec, init)) in drawn.iter().enumerate() {
            let mut values = memory::filled("initial values", 0.0, spec.shape.iter().product())?;
            // Each number of a kernel's window goes to an output of its own, as in PyTorch.
            let fan_out = spec.shape[0] * spec.shape.iter().skip(2).product::<usize>();
            let fan_in = spec.shape[1..].iter().product();
            let mut stream = rng::stream(seed, Purpose::Init, number as u64);
            init::fill(init, &mut values, fan_in, fan_out, &mut stream);
            spec.store(&mut self.parameters, &values);
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
    from: Origin,
    shape: Shape,
}

impl Flow {
    fn incoming(self) -> Incoming {
        Incoming { shape: self.shape, is_data: self.from == Origin::Data }
    }
}

/// Layers, placed one after the other.
#[derive(Default)]
struct Builder {
    layers: Vec<PlacedLayer>,
    arena: Arena,
    /// Whether convolutions of few channels are done with their pools.
    fuses_pools: bool,
    /// The matrix that the embedding at the front and the output layer have in common, if they do.
    tie: Option<Tie>,
}

impl Builder {
    /// Places a list of layers, whose modules have numbers behind `prefix`. Returns what the last gives.
    fn sequence(&mut self, configs: &[LayerConfig], prefix: &str, input: Flow) -> Result<Flow> {
        let (mut flow, mut module, mut pool_is_done) = (input, 0, false);
        for (index, config) in configs.iter().enumerate() {
            let incoming = flow.incoming();
            let output = config.output(index, incoming)?;
            let name = format!("{prefix}{module}");
            match config {
                // A module of its own, but not a layer.
                LayerConfig::Of(settings) if std::mem::take(&mut pool_is_done) => {
                    module += settings.modules()
                }
                LayerConfig::Of(settings) => {
                    let input = Incoming { shape: settings.takes(index, incoming)?, ..incoming };
                    let next =
                        configs.get(index + 1).filter(|_| self.fuses_pools).and_then(LayerConfig::settings);
                    let pooled = next.and_then(|next| with_pool(settings, next, input));
                    pool_is_done = pooled.is_some();
                    let built = match pooled {
                        Some(node) => Built::Nodes(vec![node]),
                        None => self.built_of(settings, index, input)?,
                    };
                    match built {
                        Built::Nodes(nodes) => {
                            // Behind the first is its activation, a module of its own.
                            for (number, node) in nodes.into_iter().enumerate() {
                                let (reads, each) = (Inputs::one(flow.from), settings.fan_in(input.shape));
                                let name = format!("{prefix}{module}");
                                flow.from = self.place(index, node, reads, name, each)?;
                                module += if number == 0 { settings.modules() } else { 1 };
                            }
                            if !pool_is_done {
                                self.check_last(index, output)?;
                            }
                        }
                        other => {
                            let input = Flow { shape: input.shape, ..flow };
                            let each = settings.fan_in(input.shape);
                            flow.from = self.built(other, index, &name, input, each)?;
                            self.check_last(index, output)?;
                            module += settings.modules();
                        }
                    }
                }
                LayerConfig::Residual(block) => {
                    flow.from = self.residual(block, index, &name, flow, output)?;
                    module += 1;
                }
            }
            flow.shape = output;
        }
        Ok(flow)
    }

    /// That the layer placed last gives what its kind says of it.
    fn check_last(&self, index: usize, output: Shape) -> Result<()> {
        let Some(PlacedLayer { layer, .. }) = self.layers.last() else { return Ok(()) };
        let given = layer.image().map_or(Shape::Features(layer.outputs()), Shape::Image);
        if given == output {
            return Ok(());
        }
        Err(Error::Shape {
            index,
            layer: layer.kind(),
            expected: format!("{output}, which its kind says that it gives"),
            found: given.to_string(),
        })
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
    ) -> Result<Origin> {
        let len = checked_len(index, &layer, each, self.arena.len())?;
        self.layers.push(PlacedLayer { layer, inputs, module, storage: self.arena.place(len), tied: None });
        Ok(Origin::Output(self.layers.len() - 1))
    }
}

/// Checks that no layer saves something of some rows for its backward pass where a normalisation by batch
/// follows: in training other rows overwrite the same memory before it is read.
fn check_saved(layers: &[PlacedLayer]) -> Result<()> {
    let is_norm = |placed: &PlacedLayer| placed.layer.as_batch_norm().is_some();
    let Some(last) = layers.iter().rposition(is_norm) else { return Ok(()) };
    let name = |index: usize| format!("layer {} ({})", layers[index].module, layers[index].layer.kind());
    match layers[..last].iter().position(|placed| placed.layer.saved_len(1) > 0) {
        Some(index) => Err(Error::Mismatch {
            what: name(index),
            expected: "no normalisation by batch after a layer that saves something for its backward pass; behind \
                       recurrent layers and attention take `layer-norm` with `by_position = true`, or `rms-norm`"
                .into(),
            found: name(last),
        }),
        None => Ok(()),
    }
}

pub(crate) fn check_input(input: [usize; 3]) -> Result<()> {
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

/// The storage that a layer needs, after a check that it and what is placed already are not absurd.
/// `inputs`, the numbers that go into each of its outputs, and these outputs bound it.
fn checked_len(index: usize, layer: &Node, inputs: usize, placed: usize) -> Result<usize> {
    let outputs = layer.image().map_or(layer.outputs(), |image| image.channels);
    let (inputs, outputs) = (inputs as u128, outputs as u128);
    // Each group has its own padding.
    let bound = if layer.has_parameters() { (inputs + 16) * (outputs + 16) } else { 0 };
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
