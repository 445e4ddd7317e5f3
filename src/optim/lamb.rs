//! LAMB: Adam's directions, each parameter's step in proportion to its own norm.

use super::elementwise::each_0;
use super::per_tensor::{PerTensor, adam_directions};
use super::rule::{Coefficients, Rule, StepSettings, coefficients};

/// Moments as Adam's; `d = m̂ / (√v̂ + ε) + decay · p`, then for each whole parameter, a weight or a
/// bias, `p ← p - rate · ‖p‖ / ‖d‖ · d`, with 1 for the quotient where one of the norms is 0.
///
/// As `optax.lamb`; You et al.: Large batch optimization for deep learning, training BERT in 76 minutes
/// (2020), algorithm 2.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Lamb {
    pub beta1: f64,
    pub beta2: f64,
    pub epsilon: f64,
    pub weight_decay: f64,
}

impl Default for Lamb {
    fn default() -> Self {
        Lamb { beta1: 0.9, beta2: 0.999, epsilon: 1e-6, weight_decay: 0.0 }
    }
}

impl Rule for Lamb {
    fn slots(&self) -> usize {
        2
    }

    fn momentum(&self) -> Option<f64> {
        Some(self.beta1)
    }

    fn per_tensor(&self) -> Option<PerTensor> {
        Some(PerTensor::TrustRatio)
    }

    fn coefficients(&self, settings: StepSettings) -> Coefficients {
        let decay = self.weight_decay * settings.decay;
        let beta1 = settings.momentum.unwrap_or(self.beta1);
        let step = settings.step as f64;
        let mean_correction = 1.0 / (1.0 - beta1.powf(step));
        let root_correction = 1.0 / (1.0 - self.beta2.powf(step)).sqrt();
        let [keep1, new1, keep2, new2] = [beta1, 1.0 - beta1, self.beta2, 1.0 - self.beta2];
        let rate = settings.learning_rate;
        coefficients([rate, mean_correction, root_correction, keep1, new1, keep2, new2, self.epsilon, decay])
    }

    fn direct(
        &self,
        coefficients: &Coefficients,
        _orthogonal: bool,
        parameters: &[f32],
        gradients: &mut [f32],
        slots: &mut [&mut [f32]],
    ) {
        let [_, terms @ .., _, _, _] = *coefficients;
        adam_directions(gradients, parameters, slots, terms);
    }

    fn apply(
        &self,
        coefficients: &Coefficients,
        parameters: &mut [f32],
        directions: &mut [f32],
        _slots: &mut [&mut [f32]],
    ) {
        let [rate, ..] = *coefficients;
        each_0(
            parameters,
            directions,
            #[inline(always)]
            |p, d| *p -= rate * d,
        );
    }
}
