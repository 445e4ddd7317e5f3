//! RAdam: Adam that trusts its second moment only once it rests on enough gradients.

use super::elementwise::each_2;
use super::rule::{Coefficients, Rule, StepSettings, coefficients};

/// Below this length of the averaged past, the variance of the second moment is not finite enough.
const SHORT: f64 = 5.0;

/// Moments as Adam's; with `ρ∞ = 2 / (1 - β₂) - 1` and `ρₜ = ρ∞ - 2 t β₂ᵗ / (1 - β₂ᵗ)`: while
/// `ρₜ ≤ 5`, `p ← p - rate · m̂`; later
/// `p ← p - rate · r · m̂ / ((√v + ε) / √(1 - β₂ᵗ))` with
/// `r = √((ρₜ - 4)(ρₜ - 2) ρ∞ / ((ρ∞ - 4)(ρ∞ - 2) ρₜ))`.
///
/// As `torch.optim.RAdam`; Liu et al.: On the variance of the adaptive learning rate and beyond
/// (2020). The weight decay is an L2 penalty, part of the gradient.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Radam {
    pub beta1: f64,
    pub beta2: f64,
    pub epsilon: f64,
    pub weight_decay: f64,
}

impl Default for Radam {
    fn default() -> Self {
        Radam { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weight_decay: 0.0 }
    }
}

impl Radam {
    /// The factor r times √(1 - β₂ᵗ), or None while the past is short.
    fn rectification(&self, step: f64) -> Option<f64> {
        let longest = 2.0 / (1.0 - self.beta2) - 1.0;
        let power = self.beta2.powf(step);
        let length = longest - 2.0 * step * power / (1.0 - power);
        (length > SHORT).then(|| {
            let now = (length - 4.0) * (length - 2.0) / length;
            let last = (longest - 4.0) * (longest - 2.0) / longest;
            (now / last * (1.0 - power)).sqrt()
        })
    }
}

impl Rule for Radam {
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
        // The factors of mean / (root + ε) and of the mean alone; one of them is 0.
        let (scaled, plain) = match self.rectification(step) {
            Some(rectification) => (step_size * rectification, 0.0),
            None => (0.0, step_size),
        };
        let [keep1, new1, keep2, new2] = [beta1, 1.0 - beta1, self.beta2, 1.0 - self.beta2];
        coefficients([scaled, plain, keep1, new1, keep2, new2, self.epsilon, decay])
    }

    fn apply(
        &self,
        coefficients: &Coefficients,
        parameters: &mut [f32],
        gradients: &mut [f32],
        slots: &mut [&mut [f32]],
    ) {
        let [scaled, plain, keep1, new1, keep2, new2, epsilon, decay, ..] = *coefficients;
        each_2(
            parameters,
            gradients,
            slots,
            #[inline(always)]
            |p, g, mean, square| {
                let g = decay.mul_add(*p, g);
                *mean = keep1.mul_add(*mean, new1 * g);
                *square = keep2.mul_add(*square, new2 * (g * g));
                *p -= *mean * (scaled / (square.sqrt() + epsilon) + plain);
            },
        );
    }
}
