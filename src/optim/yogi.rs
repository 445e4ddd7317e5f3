//! Yogi: Adam whose second moment grows and shrinks by the same measure.

use super::elementwise::each_2;
use super::rule::{Coefficients, Rule, StepSettings, coefficients};

/// `m ← β₁ m + (1 - β₁) g`, `v ← v - (1 - β₂) sign(v - g²) g²`, both from the initial accumulator on,
/// and `p ← p - rate · m̂ / (√v̂ + ε)` as Adam's.
///
/// As `optax.yogi`; Zaheer et al.: Adaptive methods for nonconvex optimization (2018). The weight
/// decay is an L2 penalty, part of the gradient.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Yogi {
    pub beta1: f64,
    pub beta2: f64,
    pub epsilon: f64,
    pub initial_accumulator: f64,
    pub weight_decay: f64,
}

impl Default for Yogi {
    fn default() -> Self {
        Yogi { beta1: 0.9, beta2: 0.999, epsilon: 1e-3, initial_accumulator: 1e-6, weight_decay: 0.0 }
    }
}

impl Rule for Yogi {
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
        // Slots begin as zeros.
        let initial = if settings.step == 1 { self.initial_accumulator } else { 0.0 };
        let [keep1, new1, new2] = [beta1, 1.0 - beta1, 1.0 - self.beta2];
        coefficients([step_size, root_correction, initial, keep1, new1, new2, self.epsilon, decay])
    }

    fn apply(
        &self,
        coefficients: &Coefficients,
        parameters: &mut [f32],
        gradients: &mut [f32],
        slots: &mut [&mut [f32]],
    ) {
        let [step_size, root_correction, initial, keep1, new1, new2, epsilon, decay, ..] = *coefficients;
        each_2(
            parameters,
            gradients,
            slots,
            #[inline(always)]
            |p, g, mean, square| {
                let g = decay.mul_add(*p, g);
                *mean = keep1.mul_add(*mean + initial, new1 * g);
                let (old, new) = (*square + initial, g * g);
                let sign = f32::from(u8::from(old > new)) - f32::from(u8::from(old < new));
                *square = (-new2 * sign).mul_add(new, old);
                *p -= step_size * *mean / square.sqrt().mul_add(root_correction, epsilon);
            },
        );
    }
}
