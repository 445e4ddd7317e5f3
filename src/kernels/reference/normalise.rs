//! The naive twin of the normalisations, in PyTorch's layout: `x` `[rows, channels, pixels]`.

use super::activations::{activation, activation_derivative};
use crate::kernels::activation::Activation;

/// The sets over which mean and variance are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Over {
    /// Each channel of all rows.
    Batch,
    /// All numbers of a row.
    Layer,
    /// The channels of a row in so many groups.
    Groups(usize),
}

/// `y = activation((x - mean) / sqrt(variance + epsilon) · weight + bias)`.
#[derive(Clone, Debug)]
pub struct Normalisation {
    pub over: Over,
    pub channels: usize,
    pub pixels: usize,
    pub epsilon: f64,
    /// The weights, `[channels]`; of layer normalisation `[channels, pixels]`.
    pub weight: Vec<f64>,
    /// The bias, of the shape of `weight`.
    pub bias: Vec<f64>,
    pub activation: Activation,
}

/// The gradients at `x`.
#[derive(Clone, Debug)]
pub struct NormalisationGradients {
    pub x: Vec<f64>,
    pub weight: Vec<f64>,
    pub bias: Vec<f64>,
}

impl Normalisation {
    /// The index of the set of numbers that this one is normalised with.
    fn set(&self, index: usize) -> usize {
        let (channel, row) = (index / self.pixels % self.channels, index / self.pixels / self.channels);
        match self.over {
            Over::Batch => channel,
            Over::Layer => row,
            Over::Groups(groups) => row * groups + channel / (self.channels / groups),
        }
    }

    /// The index of a number's weight.
    fn place(&self, index: usize) -> usize {
        match self.over {
            Over::Layer => index % (self.channels * self.pixels),
            _ => index / self.pixels % self.channels,
        }
    }

    /// The mean of the values of each set.
    fn means(&self, values: &[f64]) -> Vec<f64> {
        let sets = (0..values.len()).map(|index| self.set(index) + 1).max().unwrap_or(0);
        let (mut sums, mut counts) = (vec![0.0; sets], vec![0.0; sets]);
        for (index, value) in values.iter().enumerate() {
            sums[self.set(index)] += value;
            counts[self.set(index)] += 1.0;
        }
        sums.iter().zip(counts).map(|(sum, count)| sum / count).collect()
    }

    /// Mean and (biased) variance of each set, given `x`, `[rows, channels, pixels]`.
    pub fn moments(&self, x: &[f64]) -> [Vec<f64>; 2] {
        let means = self.means(x);
        let deviations = x.iter().enumerate().map(|(index, x)| (x - means[self.set(index)]).powi(2));
        let variances = self.means(&deviations.collect::<Vec<_>>());
        [means, variances]
    }

    /// The normalised numbers, and one over the standard deviation of each one's set.
    fn normalised(&self, x: &[f64]) -> [Vec<f64>; 2] {
        let [means, variances] = self.moments(x);
        let rate = |index: usize| 1.0 / (variances[self.set(index)] + self.epsilon).sqrt();
        let rates: Vec<f64> = (0..x.len()).map(rate).collect();
        let normalised = x.iter().enumerate().map(|(index, x)| (x - means[self.set(index)]) * rates[index]);
        [normalised.collect(), rates]
    }

    fn scaled(&self, normalised: &[f64]) -> Vec<f64> {
        let scaled =
            |(index, x): (usize, &f64)| x * self.weight[self.place(index)] + self.bias[self.place(index)];
        normalised.iter().enumerate().map(scaled).collect()
    }

    /// The output of `x`, `[rows, channels, pixels]`.
    pub fn forward(&self, x: &[f64]) -> Vec<f64> {
        let [normalised, _] = self.normalised(x);
        self.scaled(&normalised).into_iter().map(|z| activation(self.activation, z)).collect()
    }

    /// The gradients at `x`, `[rows, channels, pixels]`, given `dy`, that of the output.
    pub fn backward(&self, dy: &[f64], x: &[f64]) -> NormalisationGradients {
        let [normalised, rates] = self.normalised(x);
        let scaled = self.scaled(&normalised);
        let dz: Vec<f64> =
            dy.iter().zip(&scaled).map(|(dy, &z)| dy * activation_derivative(self.activation, z)).collect();
        let (mut weight, mut bias) = (vec![0.0; self.weight.len()], vec![0.0; self.bias.len()]);
        for (index, dz) in dz.iter().enumerate() {
            weight[self.place(index)] += dz * normalised[index];
            bias[self.place(index)] += dz;
        }
        let of: Vec<f64> =
            dz.iter().enumerate().map(|(index, dz)| dz * self.weight[self.place(index)]).collect();
        let products: Vec<f64> = of.iter().zip(&normalised).map(|(of, x)| of * x).collect();
        let (means, along) = (self.means(&of), self.means(&products));
        let dx = |index: usize| {
            let set = self.set(index);
            rates[index] * (of[index] - means[set] - normalised[index] * along[set])
        };
        NormalisationGradients { x: (0..x.len()).map(dx).collect(), weight, bias }
    }
}
