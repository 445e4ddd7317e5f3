//! What the size of the first weights does to the gradients of a deep network.

use super::networks::Network;
use super::trials::{gradients, norm, ratio};
use crate::data::Samples;
use crate::error::Result;
use crate::kernels::activation::Activation;

/// How many times as large as usual weights are.
const GAINS: [f32; 8] = [0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0];
/// The first layer's gradient over the last one's that counts as exploding.
const EXPLODING: f64 = 10.0;

/// An activation's networks.
pub(super) struct Scaled {
    pub name: &'static str,
    /// For each size of the weights: the first layer's gradient over the last one's, and the norm of all.
    pub points: Vec<(f32, f64, f64)>,
}

impl Scaled {
    /// The least of the sizes with which gradients explode; NaN if they do with none.
    pub(super) fn explodes_from(&self) -> f64 {
        let found = self.points.iter().find(|(_, ratio, _)| *ratio > EXPLODING);
        found.map_or(f64::NAN, |&(gain, ..)| f64::from(gain))
    }
}

pub(super) fn scaled(samples: &Samples) -> Result<Vec<Scaled>> {
    let activations =
        [("sigmoid", Activation::SIGMOID), ("tanh", Activation::TANH), ("ReLU", Activation::RELU)];
    let of = |(name, activation)| -> Result<Scaled> {
        let point = |gain: f32| -> Result<(f32, f64, f64)> {
            let own = gradients(Network::plain(activation).scaled(gain), |trainer| trainer, samples)?;
            Ok((gain, ratio(&own), norm(&own)))
        };
        Ok(Scaled { name, points: GAINS.into_iter().map(point).collect::<Result<_>>()? })
    };
    activations.into_iter().map(of).collect()
}
