//! AdaBelief: Adam scaled by how far gradients are from what was expected.

use super::elementwise::each_2;
use super::rule::{Coefficients, Rule, StepSettings, coefficients};

/// `m ← β₁ m + (1 - β₁) g`, `s ← β₂ s + (1 - β₂) (g - m)² + ε`,
/// `p ← p - rate · m̂ / (√ŝ + ε)`, hats as Adam's.
///
/// Zhuang et al.: AdaBelief optimizer, adapting stepsizes by the belief in observed gradients (2020),
/// algorithm 2. (`optax.adabelief` takes the difference to the m before the step, which makes s
/// larger by 1 / β₁².) The weight decay is an L2 penalty, part of the gradient.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Adabelief {
    pub beta1: f64,
    pub beta2: f64,
    pub epsilon: f64,
    pub weight_decay: f64,
}

impl Default for Adabelief {
    fn default() -> Self {
        Adabelief { beta1: 0.9, beta2: 0.999, epsilon: 1e-16, weight_decay: 0.0 }
    }
}

impl Rule for Adabelief {
    fn slots(&self) -> usize {
        2
    }

    fn momentum(&self) -> Option<f64> {
        Some(self.beta1)
    }

    fn coefficients(&self, settings: StepSettings) -> Coefficients {
        let decay = self.weight_decay * settings.decay;
        let step = settings.step as f64;
        let beta1 = settings.momentum.unwrap_or(self.beta1);
        let step_size = settings.learning_rate / (1.0 - beta1.powf(step));
        let root_correction = 1.0 / (1.0 - self.beta2.powf(step)).sqrt();
        let [keep1, new1, keep2, new2] = [beta1, 1.0 - beta1, self.beta2, 1.0 - self.beta2];
        coefficients([step_size, root_correction, keep1, new1, keep2, new2, self.epsilon, decay])
    }

    fn apply(
        &self,
        coefficients: &Coefficients,
        parameters: &mut [f32],
        gradients: &mut [f32],
        slots: &mut [&mut [f32]],
    ) {
        let [step_size, root_correction, keep1, new1, keep2, new2, epsilon, decay, ..] = *coefficients;
        each_2(
            parameters,
            gradients,
            slots,
            #[inline(always)]
            |p, g, mean, square| {
                let g = decay.mul_add(*p, g);
                *mean = keep1.mul_add(*mean, new1 * g);
                let surprise = g - *mean;
                *square = keep2.mul_add(*square, new2 * (surprise * surprise)) + epsilon;
                *p -= step_size * *mean / square.sqrt().mul_add(root_correction, epsilon);
            },
        );
    }
}
