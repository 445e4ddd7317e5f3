//! A network made by a program, layer by layer.

use super::network::Model;
use super::recipe::{LayerConfig, ModelConfig, Recipe};
use crate::clustering::KMeans;
use crate::error::Result;
use crate::kernels::activation::Activation;
use crate::kernels::image::Image;
use crate::layers::{Incoming, Shape};
use crate::linear::Linear;
use crate::losses::Loss;

/// What errors about its settings call a network that a program makes.
const PLACE: &str = "model";

/// A network under construction, from input to output. Made by [`Model::sequential`] or [`Model::of_images`].
#[derive(Clone, Debug)]
pub struct ModelBuilder {
    input: [usize; 3],
    config: ModelConfig,
    seed: u64,
}

impl Model {
    /// Begins a network for samples of so many features; the loss is softmax cross-entropy, unless
    /// [another](ModelBuilder::loss) is named.
    ///
    /// ```
    /// use fallline::{Activation, Loss, Model};
    ///
    /// let model = Model::sequential(8)
    ///     .dense(32, Activation::RELU)
    ///     .dense(1, Activation::IDENTITY)
    ///     .loss(Loss::MEAN_SQUARED_ERROR)
    ///     .build()?;
    /// assert_eq!((model.outputs(), model.parameters()), (1, 8 * 32 + 32 + 32 + 1));
    /// # Ok::<(), fallline::Error>(())
    /// ```
    pub fn sequential(features: usize) -> ModelBuilder {
        Model::of_images([1, 1, features])
    }

    /// A linear fit of samples of so many features; its weights begin at 0.
    ///
    /// # Errors
    /// Those of [`ModelBuilder::build`].
    pub fn linear(features: usize, linear: Linear) -> Result<Model> {
        ModelBuilder { config: ModelConfig::of_linear(linear), ..Model::sequential(features) }.build()
    }

    /// A fit of samples of so many features that is linear in what this layer makes of them:
    /// [`LayerConfig::polynomial_features`] or [`LayerConfig::random_fourier_features`]. Its weights begin at 0.
    ///
    /// ```
    /// use fallline::settings::{Linear, LinearKind};
    /// use fallline::{LayerConfig, Model};
    ///
    /// let parabola = Model::linear_on(1, LayerConfig::polynomial_features(2), Linear::new(LinearKind::Linear, 1))?;
    /// assert_eq!(parabola.parameters(), 3);
    /// # Ok::<(), fallline::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) if it is another layer; those of [`ModelBuilder::build`].
    pub fn linear_on(features: usize, map: LayerConfig, linear: Linear) -> Result<Model> {
        let config = ModelConfig::of_linear_on(map, linear)?;
        ModelBuilder { config, ..Model::sequential(features) }.build()
    }

    /// k-means of samples of so many features. Its centres are zeros until a training with samples begins, which puts them
    /// at some of these.
    ///
    /// # Errors
    /// Those of [`ModelBuilder::build`].
    pub fn k_means(features: usize, k_means: KMeans) -> Result<Model> {
        ModelBuilder { config: ModelConfig::of_k_means(k_means), ..Model::sequential(features) }.build()
    }

    /// Begins a network for images of this height, width and number of channels; else as [`sequential`](Model::sequential).
    pub fn of_images(shape: [usize; 3]) -> ModelBuilder {
        let config = ModelConfig::of_layers(Vec::new(), Loss::default());
        ModelBuilder { input: shape, config, seed: 1 }
    }

    /// The same for sequences of this many positions, each of so many channels: images of one row.
    pub fn of_sequences(length: usize, channels: usize) -> ModelBuilder {
        Model::of_images([1, length, channels])
    }
}

impl ModelBuilder {
    /// Adds a layer of any kind; [`LayerConfig`] has a constructor for each.
    pub fn layer(mut self, layer: LayerConfig) -> ModelBuilder {
        self.config.layers.push(layer);
        self
    }

    /// Adds [`LayerConfig::dense`].
    pub fn dense(self, units: usize, activation: Activation) -> ModelBuilder {
        self.layer(LayerConfig::dense(units, activation))
    }

    /// Adds [`LayerConfig::convolution`].
    pub fn convolution(self, channels: usize, kernel: usize, activation: Activation) -> ModelBuilder {
        self.layer(LayerConfig::convolution(channels, kernel, activation))
    }

    /// Adds [`LayerConfig::max_pool`].
    pub fn max_pool(self, kernel: usize) -> ModelBuilder {
        self.layer(LayerConfig::max_pool(kernel))
    }

    /// Makes features of an image, which a dense layer takes.
    pub fn flatten(self) -> ModelBuilder {
        self.layer(LayerConfig::flatten())
    }

    /// Adds [`LayerConfig::embedding`].
    pub fn embedding(self, tables: &[[usize; 2]]) -> ModelBuilder {
        self.layer(LayerConfig::embedding(tables))
    }

    /// Adds [`LayerConfig::dropout`].
    pub fn dropout(self, rate: f64) -> ModelBuilder {
        self.layer(LayerConfig::dropout(rate))
    }

    /// What training makes small.
    pub fn loss(mut self, loss: Loss) -> ModelBuilder {
        self.config.loss = loss;
        self
    }

    /// The seed of the initial weights; 1 unless it is set.
    pub fn seed(mut self, seed: u64) -> ModelBuilder {
        self.seed = seed;
        self
    }

    /// The network, freshly initialised: the same bits for the same seed.
    ///
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) for a number out of its range, named as in a recipe;
    /// [`Error::Shape`](crate::Error::Shape) if the layers do not fit together or the last one gives
    /// neither features nor a sequence; [`Error::Mismatch`](crate::Error::Mismatch) if the parameters are too many, the loss does not
    /// fit the outputs, or a normalisation by batch follows a layer that [saves](crate::extend::Layer::saved_len)
    /// something.
    pub fn build(self) -> Result<Model> {
        let mut recipe = Recipe::of_model(self.config.with_tied_units());
        recipe.train.seed = self.seed;
        recipe.check(PLACE)?;
        Model::of_config(&recipe.model, self.input, self.seed)
    }
}

impl Model {
    /// A network of layers that have been checked, with as many outputs as the last of them gives.
    ///
    /// # Errors
    /// Those of [`Model::build`].
    #[doc(hidden)]
    pub fn of_config(config: &ModelConfig, input: [usize; 3], seed: u64) -> Result<Model> {
        let outputs = match outputs(&config.layers, input)? {
            Shape::Features(features) => features,
            // As many as each position of a sequence has.
            Shape::Image(image) if image.height == 1 => image.channels,
            // The error of an image at the end is that of a model from a recipe.
            Shape::Image(_) => 0,
        };
        config.parameters(input)?;
        Model::build(config, input, outputs, seed)
    }
}

/// What comes out of the last of some layers.
fn outputs(layers: &[LayerConfig], input: [usize; 3]) -> Result<Shape> {
    super::build::check_input(input)?;
    let mut shape = Shape::Image(Image::data(input));
    for (index, layer) in layers.iter().enumerate() {
        shape = layer.output(index, Incoming { shape, is_data: index == 0 })?;
    }
    Ok(shape)
}
