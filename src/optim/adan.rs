//! Adan: Adam with Nesterov's look ahead, made of the difference of two gradients.

use super::elementwise::each_4;
use super::rule::{Coefficients, Rule, StepSettings, coefficients};

/// With `d = g - g'`, g' the gradient of the step before, and 0 in the first step:
/// `m ← β₁ m + (1 - β₁) g`, `v ← β₂ v + (1 - β₂) d`, `n ← β₃ n + (1 - β₃) (g + β₂ d)²`,
/// `p ← (p - rate · (m̂ + β₂ v̂) / (√n̂ + ε)) / (1 + rate · decay)`, each mean divided by `1 - βᵗ`.
///
/// As the authors' program, whose β are one minus those of the paper; Xie, Zhou, Li, Lin, Yan: Adan, adaptive
/// Nesterov momentum algorithm for faster optimizing deep models (2022), algorithm 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Adan {
    pub beta1: f64,
    pub beta2: f64,
    pub beta3: f64,
    pub epsilon: f64,
    pub weight_decay: f64,
}

impl Default for Adan {
    fn default() -> Self {
        Adan { beta1: 0.98, beta2: 0.92, beta3: 0.99, epsilon: 1e-8, weight_decay: 0.0 }
    }
}

impl Rule for Adan {
    /// The slots: m, v, n and g'.
    fn slots(&self) -> usize {
        4
    }

    fn momentum(&self) -> Option<f64> {
        Some(self.beta1)
    }

    fn coefficients(&self, settings: StepSettings) -> Coefficients {
        let beta1 = settings.momentum.unwrap_or(self.beta1);
        let (rate, step) = (settings.learning_rate, settings.step as f64);
        let step_size = rate / (1.0 - beta1.powf(step));
        let difference_size = rate * self.beta2 / (1.0 - self.beta2.powf(step));
        let root_correction = 1.0 / (1.0 - self.beta3.powf(step)).sqrt();
        let shrink = 1.0 / (1.0 + rate * self.weight_decay * settings.decay);
        // The first gradient has none before it.
        let differs = if settings.step == 1 { 0.0 } else { 1.0 };
        let [keep1, keep2, keep3] = [beta1, self.beta2, self.beta3];
        let [new1, new2, new3] = [1.0 - keep1, 1.0 - keep2, 1.0 - keep3];
        let epsilon = self.epsilon;
        coefficients([
            step_size,
            difference_size,
            root_correction,
            keep1,
            new1,
            keep2,
            new2,
            keep3,
            new3,
            epsilon,
            shrink,
            differs,
        ])
    }

    fn apply(
        &self,
        coefficients: &Coefficients,
        parameters: &mut [f32],
        gradients: &mut [f32],
        slots: &mut [&mut [f32]],
    ) {
        let [
            step_size,
            difference_size,
            root_correction,
            keep1,
            new1,
            keep2,
            new2,
            keep3,
            new3,
            epsilon,
            shrink,
            differs,
        ] = *coefficients;
        each_4(
            parameters,
            gradients,
            slots,
            #[inline(always)]
            |p, g, mean, change, square, before| {
                let difference = differs * (g - *before);
                *before = g;
                *mean = keep1.mul_add(*mean, new1 * g);
                *change = keep2.mul_add(*change, new2 * difference);
                let ahead = keep2.mul_add(difference, g);
                *square = keep3.mul_add(*square, new3 * (ahead * ahead));
                let root = square.sqrt().mul_add(root_correction, epsilon);
                let step = step_size.mul_add(*mean, difference_size * *change);
                *p = shrink * (*p - step / root);
            },
        );
    }
}
