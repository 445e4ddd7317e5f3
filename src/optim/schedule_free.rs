//! Schedule-free AdamW: an average of the steps in the place of a schedule.

use super::elementwise::each_3;
use super::rule::{Coefficients, Rule, StepSettings, coefficients};

/// Three sequences: the gradient g is taken at y, the parameters that are trained; z takes the steps; x is their
/// average, with which the model is evaluated and saved. All begin as the parameters.
/// `v ← β₂ v + (1 - β₂) g²`, `z ← z - rate · (g / (√v̂ + ε) + decay · y)`, `x ← x + c (z - x)`,
/// `y ← x + (1 - β₁) (z - x)`, with `v̂ = v / (1 - β₂ᵗ)`, `c` the square of the rate of this step as a part of the sum of
/// those so far, and a rate that rises in a line over the first `warmup_steps` steps.
///
/// As `schedulefree.AdamWScheduleFree`; Defazio et al.: The road less scheduled (2024), algorithm 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ScheduleFree {
    pub beta1: f64,
    pub beta2: f64,
    pub epsilon: f64,
    pub weight_decay: f64,
    pub warmup_steps: u64,
}

impl Default for ScheduleFree {
    fn default() -> Self {
        ScheduleFree { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weight_decay: 0.0, warmup_steps: 0 }
    }
}

impl ScheduleFree {
    /// The warm-up's factor of the learning rate in a step, counted from 1; in (0, 1].
    pub fn warmth(&self, step: u64) -> f64 {
        step.min(self.warmup_steps.max(1)) as f64 / self.warmup_steps.max(1) as f64
    }

    /// The weight of the step of this number, from 1, in the average: its squared rate as a part of the sum of those up
    /// to it, of a learning rate that is the same but for its warm-up. Σ s² = n (n + 1) (2 n + 1) / 6.
    fn weight(&self, step: u64) -> f64 {
        let length = self.warmup_steps.max(1) as f64;
        let (step, warm) = (step as f64, (step as f64).min(length));
        let sum = warm * (warm + 1.0) * (2.0 * warm + 1.0) / (6.0 * length * length) + (step - warm);
        let warmth = warm / length;
        warmth * warmth / sum
    }
}

impl Rule for ScheduleFree {
    /// The slots: v, z and x.
    fn slots(&self) -> usize {
        3
    }

    fn evaluated(&self) -> Option<usize> {
        Some(2)
    }

    fn coefficients(&self, settings: StepSettings) -> Coefficients {
        let rate = settings.learning_rate * self.warmth(settings.step);
        let root_correction = 1.0 / (1.0 - self.beta2.powf(settings.step as f64)).sqrt();
        // Slots begin as zeros, but for x.
        let begin = if settings.step == 1 { 1.0 } else { 0.0 };
        let [keep2, new2] = [self.beta2, 1.0 - self.beta2];
        let decay = self.weight_decay * settings.decay;
        let (weight, back) = (self.weight(settings.step), 1.0 - self.beta1);
        coefficients([rate, root_correction, keep2, new2, self.epsilon, decay, begin, weight, back])
    }

    fn apply(
        &self,
        coefficients: &Coefficients,
        parameters: &mut [f32],
        gradients: &mut [f32],
        slots: &mut [&mut [f32]],
    ) {
        let [rate, root_correction, keep2, new2, epsilon, decay, begin, weight, back, ..] = *coefficients;
        each_3(
            parameters,
            gradients,
            slots,
            #[inline(always)]
            |y, g, square, z, x| {
                *square = keep2.mul_add(*square, new2 * (g * g));
                let root = square.sqrt().mul_add(root_correction, epsilon);
                *z = begin.mul_add(*y, *z) - rate * decay.mul_add(*y, g / root);
                *x = weight.mul_add(*z - *x, *x);
                *y = back.mul_add(*z - *x, *x);
            },
        );
    }
}
