//! Lion: steps of one size, in the direction of the momentum's sign.

use super::elementwise::each_1;
use super::rule::{Coefficients, Rule, StepSettings, coefficients};

/// `p ← p - rate · (sign(β₁ m + (1 - β₁) g) + decay · p)`, then `m ← β₂ m + (1 - β₂) g`.
///
/// As `optax.lion`; Chen et al.: Symbolic discovery of optimization algorithms (2023). The weight
/// decay acts on the parameter itself.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Lion {
    pub beta1: f64,
    pub beta2: f64,
    pub weight_decay: f64,
}

impl Default for Lion {
    fn default() -> Self {
        Lion { beta1: 0.9, beta2: 0.99, weight_decay: 0.0 }
    }
}

impl Rule for Lion {
    fn slots(&self) -> usize {
        1
    }

    fn momentum(&self) -> Option<f64> {
        Some(self.beta1)
    }

    fn coefficients(&self, settings: StepSettings) -> Coefficients {
        let (rate, decay) = (settings.learning_rate, self.weight_decay * settings.decay);
        let beta1 = settings.momentum.unwrap_or(self.beta1);
        let [keep1, new1, keep2, new2] = [beta1, 1.0 - beta1, self.beta2, 1.0 - self.beta2];
        coefficients([rate, keep1, new1, keep2, new2, 1.0 - rate * decay])
    }

    fn apply(
        &self,
        coefficients: &Coefficients,
        parameters: &mut [f32],
        gradients: &mut [f32],
        slots: &mut [&mut [f32]],
    ) {
        let [rate, keep1, new1, keep2, new2, shrink, ..] = *coefficients;
        each_1(
            parameters,
            gradients,
            slots,
            #[inline(always)]
            |p, g, mean| {
                let direction = keep1.mul_add(*mean, new1 * g);
                // The sign; unlike `signum`, that of 0 is 0.
                let sign = f32::from(u8::from(direction > 0.0)) - f32::from(u8::from(direction < 0.0));
                *p = shrink * *p - rate * sign;
                *mean = keep2.mul_add(*mean, new2 * g);
            },
        );
    }
}
