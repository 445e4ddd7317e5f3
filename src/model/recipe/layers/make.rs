//! Layers as a program writes them: the defaults are those of a recipe.

use super::config::{LayerConfig, ResidualConfig};
use crate::error::{Error, Result};
use crate::hyper::{HyperParameter, HyperValue, HyperValues};
use crate::kernels::activation::Activation;
use crate::layers::{LayerKind, LayerSettings, RESIDUAL};

/// What may be set of a residual block besides its layers.
const OF_RESIDUAL: &[HyperParameter] =
    &[HyperParameter::activation("activation", "what the sum goes through")];

impl LayerConfig {
    /// A dense layer of `units` outputs, with a bias: Kaiming's or Xavier's initial weights, by the activation,
    /// and no bias at first.
    pub fn dense(units: usize, activation: Activation) -> LayerConfig {
        made("dense", [("units", units.into()), ("activation", activation.into())])
    }

    /// A convolution with a bias: `channels` come out, of windows of `kernel` x `kernel` pixels, one pixel apart
    /// and without padding. [`with`](LayerConfig::with) sets others: `.with("padding", 1)`.
    pub fn convolution(channels: usize, kernel: usize, activation: Activation) -> LayerConfig {
        convolution("conv", channels, kernel, activation)
    }

    /// A transposed convolution with a bias, by which images grow: each pixel is spread over `kernel` x `kernel` pixels,
    /// `stride` apart, without padding; `channels` come out.
    pub fn convolution_transpose(
        channels: usize,
        kernel: usize,
        stride: usize,
        activation: Activation,
    ) -> LayerConfig {
        let settings = [
            ("channels", channels.into()),
            ("kernel", kernel.into()),
            ("stride", stride.into()),
            ("activation", activation.into()),
        ];
        made("conv-transpose", settings)
    }

    /// The largest number of each channel in windows of `kernel` x `kernel` pixels, side by side.
    pub fn max_pool(kernel: usize) -> LayerConfig {
        made("max-pool", [("kernel", kernel.into())])
    }

    /// The mean instead.
    pub fn average_pool(kernel: usize) -> LayerConfig {
        made("average-pool", [("kernel", kernel.into())])
    }

    /// The mean of each channel of an image, as features.
    pub fn global_average_pool() -> LayerConfig {
        made("global-average-pool", [])
    }

    /// The numbers of an image as features, channel by channel.
    pub fn flatten() -> LayerConfig {
        made("flatten", [])
    }

    /// A convolution of sequences, which are images of one row, with a bias: windows of `kernel` positions, one
    /// apart and without padding.
    pub fn convolution_1d(channels: usize, kernel: usize, activation: Activation) -> LayerConfig {
        convolution("conv-1d", channels, kernel, activation)
    }

    /// The largest number of each channel of a sequence in windows of `kernel` positions, side by side.
    pub fn max_pool_1d(kernel: usize) -> LayerConfig {
        made("max-pool-1d", [("kernel", kernel.into())])
    }

    /// The mean instead.
    pub fn average_pool_1d(kernel: usize) -> LayerConfig {
        made("average-pool-1d", [("kernel", kernel.into())])
    }

    /// Normalisation by batch, with the ε and momentum of PyTorch.
    pub fn batch_norm() -> LayerConfig {
        made("batch-norm", [])
    }

    /// Normalisation of each sample.
    pub fn layer_norm() -> LayerConfig {
        made("layer-norm", [])
    }

    /// Normalisation of each sample in so many groups of channels.
    pub fn group_norm(groups: usize) -> LayerConfig {
        made("group-norm", [("groups", groups.into())])
    }

    /// Dropout of single numbers with this probability, in [0, 1).
    pub fn dropout(rate: f64) -> LayerConfig {
        made("dropout", [("rate", rate.into())])
    }

    /// Each channel of an image times a gate, which two dense layers find from the means of all channels, with a hidden
    /// unit for every `reduction` of them.
    pub fn squeeze_excite(reduction: usize) -> LayerConfig {
        made("squeeze-excite", [("reduction", reduction.into())])
    }

    /// All products of 1 to `degree` features, each of which may come several times.
    pub fn polynomial_features(degree: usize) -> LayerConfig {
        made("polynomial-features", [("degree", degree.into())])
    }

    /// So many features that are drawn once and not trained, by which the products of two samples approximate the kernel
    /// exp(-gamma ‖x - x'‖²); a `gamma` of 0 is one over the features of a sample. They are drawn with the seed of the model,
    /// unless [`with`](LayerConfig::with) sets a `seed` of their own.
    pub fn random_fourier_features(components: usize, gamma: f32) -> LayerConfig {
        made("random-fourier-features", [("components", components.into()), ("gamma", gamma.into())])
    }

    /// The squared distance to each of so many trained centres.
    pub fn squared_distances(centres: usize) -> LayerConfig {
        made("squared-distances", [("centres", centres.into())])
    }

    /// A trained vector in the place of each of the last numbers of a sample, which are codes: whole ones from 0 on. For each
    /// code, in their order, its categories and the numbers of its vector, as
    /// [`Encoder::embeddings`](crate::data::table::Encoder::embeddings) has them. With `.with("shared", true)` all of a sample
    /// are codes of the one table, and a sequence of vectors comes out.
    pub fn embedding(tables: &[[usize; 2]]) -> LayerConfig {
        let of = |side: usize| tables.iter().map(|table| table[side]).collect::<Vec<usize>>();
        made("embedding", [("categories", of(0).into()), ("widths", of(1).into())])
    }

    /// An activation, but the identity, as a layer of its own.
    pub fn activation(activation: Activation) -> LayerConfig {
        LayerConfig::Of(LayerSettings::of_activation(activation))
    }

    /// A residual block, activation(layers(x) + x).
    pub fn residual(layers: Vec<LayerConfig>, activation: Activation) -> LayerConfig {
        LayerConfig::Residual(ResidualConfig { layers, shortcut: Vec::new(), activation })
    }

    /// A layer of a kind of the table, built in or the program's own, with all its defaults; [`with`](LayerConfig::with)
    /// sets others.
    pub fn of(kind: &'static LayerKind) -> LayerConfig {
        LayerConfig::Of(LayerSettings::of(kind))
    }

    /// The layer of the table of this name, built in or [registered](LayerKind::register), with all its defaults.
    ///
    /// # Errors
    /// [`Error::Unknown`] with the nearest name.
    pub fn named(name: &str) -> Result<LayerConfig> {
        let names = || LayerKind::all().into_iter().map(LayerKind::name);
        let unknown = || Error::unknown("layer", "layer", name, names());
        LayerKind::named(name).map(LayerConfig::of).ok_or_else(unknown)
    }

    /// With this value under its key in a recipe, whatever it is: a number, a choice, a name, an [`Activation`], an
    /// [`Init`](crate::Init), or, under `window`, a [`Window`](crate::Window), of which `kernel`, `stride`, `padding` and
    /// `dilation` set a part on all sides alike. A kernel of a pool is its stride, too.
    ///
    /// ```
    /// use fallline::{Activation, Init, LayerConfig, Window};
    ///
    /// let layer = LayerConfig::convolution(16, 3, Activation::RELU).with("padding", 1)?.with("bias", false)?;
    /// let same = LayerConfig::named("conv")?
    ///     .with("channels", 16)?
    ///     .with("window", Window::square(3, 1, 1, 1))?
    ///     .with("activation", Activation::RELU)?
    ///     .with("bias", false)?;
    /// assert_eq!(layer, same);
    /// assert_ne!(layer, same.with("weight_init", Init::Orthogonal { gain: 1.0 })?);
    /// # Ok::<(), fallline::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Unknown`] if the layer has no such key, with the nearest one; [`Error::Setting`] if its value is of
    /// another kind. Whether it is in its range is found when the model is built.
    pub fn with(self, key: &str, value: impl Into<HyperValue>) -> Result<LayerConfig> {
        match self {
            LayerConfig::Of(settings) => Ok(LayerConfig::Of(settings.with(key, value)?)),
            LayerConfig::Residual(mut block) => {
                let mut values = HyperValues::of(RESIDUAL, OF_RESIDUAL);
                values.set(RESIDUAL, key, value.into())?;
                block.activation = values.activation("activation");
                Ok(LayerConfig::Residual(block))
            }
        }
    }
}

fn convolution(name: &str, channels: usize, kernel: usize, activation: Activation) -> LayerConfig {
    made(name, [("channels", channels.into()), ("kernel", kernel.into()), ("activation", activation.into())])
}

/// A layer that is built in, with some of its settings.
fn made<const N: usize>(name: &str, settings: [(&str, HyperValue); N]) -> LayerConfig {
    let with = |layer: LayerConfig, (key, value)| layer.with(key, value);
    let layer = LayerConfig::named(name).and_then(|layer| settings.into_iter().try_fold(layer, with));
    layer.unwrap_or_else(|error| unreachable!("the table has the layer and its settings: {error}"))
}
