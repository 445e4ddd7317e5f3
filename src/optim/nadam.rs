//! NAdam: Adam with Nesterov's momentum.

use super::elementwise::each_2;
use super::rule::{Coefficients, Rule, StepSettings, coefficients};

/// A product of momenta below this is nothing beside 1.
const NOTHING: f64 = 1e-18;

/// Moments as Adam's; with `μₜ = β₁ (1 - 0.96^(t·ψ) / 2)`, ψ the momentum decay, and `Πₜ = μ₁ ⋯ μₜ`:
/// `p ← p - rate · ((1 - μₜ) / (1 - Πₜ) · g + μₜ₊₁ / (1 - Πₜ₊₁) · m) / (√v̂ + ε)`.
///
/// As `torch.optim.NAdam`; Dozat: Incorporating Nesterov momentum into Adam (2016). The weight decay
/// is an L2 penalty, part of the gradient.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Nadam {
    pub beta1: f64,
    pub beta2: f64,
    pub epsilon: f64,
    pub weight_decay: f64,
    pub momentum_decay: f64,
}

impl Default for Nadam {
    fn default() -> Self {
        Nadam { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weight_decay: 0.0, momentum_decay: 4e-3 }
    }
}

impl Nadam {
    /// μ of this step.
    fn momentum(&self, step: u64) -> f64 {
        self.beta1 * (1.0 - 0.5 * 0.96f64.powf(step as f64 * self.momentum_decay))
    }

    /// Π of this step.
    fn momenta(&self, step: u64) -> f64 {
        // Each factor is below β₁, so after some hundred steps nothing is left to compute.
        if self.beta1.powf(step as f64) < NOTHING {
            return 0.0;
        }
        let mut product = 1.0;
        for step in 1..=step {
            product *= self.momentum(step);
            if product < NOTHING {
                return 0.0;
            }
        }
        product
    }
}

impl Rule for Nadam {
    fn slots(&self) -> usize {
        2
    }

    fn coefficients(&self, settings: StepSettings) -> Coefficients {
        let (now, next) = (self.momentum(settings.step), self.momentum(settings.step + 1));
        let momenta = self.momenta(settings.step);
        let own = settings.learning_rate * (1.0 - now) / (1.0 - momenta);
        let carried = settings.learning_rate * next / (1.0 - momenta * next);
        let root_correction = 1.0 / (1.0 - self.beta2.powf(settings.step as f64)).sqrt();
        let [keep1, new1, keep2, new2] = [self.beta1, 1.0 - self.beta1, self.beta2, 1.0 - self.beta2];
        let [epsilon, decay] = [self.epsilon, self.weight_decay * settings.decay];
        coefficients([own, carried, root_correction, keep1, new1, keep2, new2, epsilon, decay])
    }

    fn apply(
        &self,
        coefficients: &Coefficients,
        parameters: &mut [f32],
        gradients: &mut [f32],
        slots: &mut [&mut [f32]],
    ) {
        let [own, carried, root_correction, keep1, new1, keep2, new2, epsilon, decay, ..] = *coefficients;
        each_2(
            parameters,
            gradients,
            slots,
            #[inline(always)]
            |p, g, mean, square| {
                let g = decay.mul_add(*p, g);
                *mean = keep1.mul_add(*mean, new1 * g);
                *square = keep2.mul_add(*square, new2 * (g * g));
                let root = square.sqrt().mul_add(root_correction, epsilon);
                *p -= own.mul_add(g, carried * *mean) / root;
            },
        );
    }
}
