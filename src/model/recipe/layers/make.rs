//! Layers as a program writes them: the defaults are those of a recipe.

use super::blocks::ResidualConfig;
use super::images::ConvolutionConfig;
use super::normalisation::{NormalisationConfig, Over};
use super::transposed::ConvolutionTransposeConfig;
use super::{LayerConfig, default_weight_init, normalisation};
use crate::error::{Error, Result};
use crate::hyper::HyperValue;
use crate::init::Init;
use crate::kernels::activation::Activation;
use crate::kernels::image::Window;
use crate::layers::{LayerKind, LayerSettings};

impl LayerConfig {
    /// A dense layer of `units` outputs, with a bias: Kaiming's or Xavier's initial weights, by the activation,
    /// and no bias at first.
    pub fn dense(units: usize, activation: Activation) -> LayerConfig {
        LayerConfig::Dense {
            units,
            activation,
            weight_init: default_weight_init(activation),
            bias_init: Init::Zeros,
            bias: true,
            weight_norm: false,
        }
    }

    /// A convolution with a bias: `channels` come out, of windows of `kernel` x `kernel` pixels, one pixel apart
    /// and without padding. [`ConvolutionConfig::new`] is for others.
    pub fn convolution(channels: usize, kernel: usize, activation: Activation) -> LayerConfig {
        LayerConfig::Convolution(ConvolutionConfig::new(channels, kernel, activation))
    }

    /// A transposed convolution with a bias, by which images grow: each pixel is spread over `kernel` x `kernel` pixels,
    /// `stride` apart, without padding; `channels` come out.
    pub fn convolution_transpose(
        channels: usize,
        kernel: usize,
        stride: usize,
        activation: Activation,
    ) -> LayerConfig {
        let config = ConvolutionTransposeConfig::new(channels, kernel, stride, activation);
        LayerConfig::ConvolutionTranspose(config)
    }

    /// The largest number of each channel in windows of `kernel` x `kernel` pixels, side by side.
    pub fn max_pool(kernel: usize) -> LayerConfig {
        LayerConfig::MaxPool(Window::plain(kernel, kernel))
    }

    /// The mean instead.
    pub fn average_pool(kernel: usize) -> LayerConfig {
        LayerConfig::AveragePool(Window::plain(kernel, kernel))
    }

    /// A convolution of sequences, which are images of one row, with a bias: windows of `kernel` positions, one
    /// apart and without padding.
    pub fn convolution_1d(channels: usize, kernel: usize, activation: Activation) -> LayerConfig {
        let window = Window::line(kernel, 1, 0, 1);
        LayerConfig::Convolution(ConvolutionConfig {
            window,
            ..ConvolutionConfig::new(channels, kernel, activation)
        })
    }

    /// The largest number of each channel of a sequence in windows of `kernel` positions, side by side.
    pub fn max_pool_1d(kernel: usize) -> LayerConfig {
        LayerConfig::MaxPool(Window::line(kernel, kernel, 0, 1))
    }

    /// The mean instead.
    pub fn average_pool_1d(kernel: usize) -> LayerConfig {
        LayerConfig::AveragePool(Window::line(kernel, kernel, 0, 1))
    }

    /// Normalisation by batch, with the ε and momentum of PyTorch.
    pub fn batch_norm() -> LayerConfig {
        LayerConfig::over(Over::Batch { momentum: normalisation::MOMENTUM })
    }

    /// Normalisation of each sample.
    pub fn layer_norm() -> LayerConfig {
        LayerConfig::over(Over::Layer)
    }

    /// Normalisation of each sample in so many groups of channels.
    pub fn group_norm(groups: usize) -> LayerConfig {
        LayerConfig::over(Over::Groups(groups))
    }

    /// Dropout of single numbers with this probability, in [0, 1).
    pub fn dropout(rate: f64) -> LayerConfig {
        LayerConfig::Dropout { rate, channels: false }
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

    /// With this value of a hyper-parameter, by its key in a recipe: of a layer of the table.
    ///
    /// # Errors
    /// [`Error::Unknown`] if the layer has no such key, with the nearest one; [`Error::Setting`] if its value is of
    /// another kind.
    pub fn with(self, key: &str, value: impl Into<HyperValue>) -> Result<LayerConfig> {
        match self {
            LayerConfig::Of(settings) => Ok(LayerConfig::Of(settings.with(key, value)?)),
            other => Err(Error::Setting {
                place: "layer".into(),
                key: key.chars().take(40).collect(),
                expected: "a layer of the table; others have their settings as fields".into(),
                found: other.kind().into(),
            }),
        }
    }

    fn over(over: Over) -> LayerConfig {
        let (epsilon, activation) = (normalisation::EPSILON, Activation::IDENTITY);
        LayerConfig::Normalisation(NormalisationConfig { over, epsilon, activation })
    }
}

impl ConvolutionConfig {
    /// A convolution with a bias, windows of `kernel` x `kernel` pixels one pixel apart, no padding and one group:
    /// what differs is set afterwards.
    pub fn new(channels: usize, kernel: usize, activation: Activation) -> ConvolutionConfig {
        ConvolutionConfig {
            channels,
            window: Window::plain(kernel, 1),
            groups: 1,
            activation,
            weight_init: default_weight_init(activation),
            bias_init: Init::Zeros,
            bias: true,
        }
    }
}
