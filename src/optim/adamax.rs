//! Adamax: Adam with the largest gradient in place of the root mean square.

use super::elementwise::each_2;
use super::rule::{Coefficients, Rule, StepSettings, coefficients};

/// `m ← β₁ m + (1 - β₁) g`, `u ← max(β₂ u, |g| + ε)`, `p ← p - rate / (1 - β₁ᵗ) · m / u`.
///
/// As `torch.optim.Adamax`; Kingma, Ba: Adam, a method for stochastic optimization (2015), §7.1. The
/// weight decay is an L2 penalty, part of the gradient.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Adamax {
    pub beta1: f64,
    pub beta2: f64,
    pub epsilon: f64,
    pub weight_decay: f64,
}

impl Default for Adamax {
    fn default() -> Self {
        Adamax { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weight_decay: 0.0 }
    }
}

impl Rule for Adamax {
    fn slots(&self) -> usize {
        2
    }

    fn momentum(&self) -> Option<f64> {
        Some(self.beta1)
    }

    fn coefficients(&self, settings: StepSettings) -> Coefficients {
        let decay = self.weight_decay * settings.decay;
        let beta1 = settings.momentum.unwrap_or(self.beta1);
        let step_size = settings.learning_rate / (1.0 - beta1.powf(settings.step as f64));
        coefficients([step_size, beta1, 1.0 - beta1, self.beta2, self.epsilon, decay])
    }

    fn apply(
        &self,
        coefficients: &Coefficients,
        parameters: &mut [f32],
        gradients: &mut [f32],
        slots: &mut [&mut [f32]],
    ) {
        let [step_size, keep1, new1, keep2, epsilon, decay, ..] = *coefficients;
        each_2(
            parameters,
            gradients,
            slots,
            #[inline(always)]
            |p, g, mean, largest| {
                let g = decay.mul_add(*p, g);
                *mean = keep1.mul_add(*mean, new1 * g);
                let (old, new) = (keep2 * *largest, g.abs() + epsilon);
                *largest = if old > new { old } else { new };
                *p -= step_size * *mean / *largest;
            },
        );
    }
}
