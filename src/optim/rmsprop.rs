//! RMSprop: steps scaled by a running mean of squared gradients.

use super::elementwise::{each_1, each_2, each_3};
use super::rule::{Coefficients, Rule, StepSettings, coefficients};

/// `s ← α s + (1 - α) g²`; if centered `m ← α m + (1 - α) g` and `d = √(s - m²) + ε`, else
/// `d = √s + ε`; `p ← p - rate · g / d`, or with momentum `b ← momentum · b + g / d`,
/// `p ← p - rate · b`.
///
/// As `torch.optim.RMSprop`; Tieleman, Hinton: Neural networks for machine learning, lecture 6.5
/// (2012); centered after Graves: Generating sequences with recurrent neural networks (2013). The
/// weight decay is an L2 penalty, part of the gradient.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rmsprop {
    /// The part of the running means that is kept in a step, torch's `alpha`.
    pub alpha: f64,
    pub epsilon: f64,
    pub momentum: f64,
    pub centered: bool,
    pub weight_decay: f64,
}

impl Default for Rmsprop {
    fn default() -> Self {
        Rmsprop { alpha: 0.99, epsilon: 1e-8, momentum: 0.0, centered: false, weight_decay: 0.0 }
    }
}

impl Rule for Rmsprop {
    fn slots(&self) -> usize {
        1 + usize::from(self.momentum != 0.0) + usize::from(self.centered)
    }

    fn momentum(&self) -> Option<f64> {
        (self.momentum != 0.0).then_some(self.momentum)
    }

    fn coefficients(&self, settings: StepSettings) -> Coefficients {
        let decay = self.weight_decay * settings.decay;
        let momentum = settings.momentum.unwrap_or(self.momentum);
        let rate = settings.learning_rate;
        coefficients([rate, self.alpha, 1.0 - self.alpha, self.epsilon, momentum, decay])
    }

    fn apply(
        &self,
        coefficients: &Coefficients,
        parameters: &mut [f32],
        gradients: &mut [f32],
        slots: &mut [&mut [f32]],
    ) {
        let [rate, keep, new, epsilon, momentum, decay, ..] = *coefficients;
        // One loop for each set of slots, so that none goes through memory it does not use.
        match (self.centered, self.momentum != 0.0) {
            (false, false) => each_1(
                parameters,
                gradients,
                slots,
                #[inline(always)]
                |p, g, square| {
                    let g = decay.mul_add(*p, g);
                    *square = keep.mul_add(*square, new * (g * g));
                    *p -= rate * g / (square.sqrt() + epsilon);
                },
            ),
            (false, true) => each_2(
                parameters,
                gradients,
                slots,
                #[inline(always)]
                |p, g, square, velocity| {
                    let g = decay.mul_add(*p, g);
                    *square = keep.mul_add(*square, new * (g * g));
                    *velocity = momentum.mul_add(*velocity, g / (square.sqrt() + epsilon));
                    *p -= rate * *velocity;
                },
            ),
            (true, false) => each_2(
                parameters,
                gradients,
                slots,
                #[inline(always)]
                |p, g, square, mean| {
                    let g = decay.mul_add(*p, g);
                    *square = keep.mul_add(*square, new * (g * g));
                    *mean = keep.mul_add(*mean, new * g);
                    *p -= rate * g / (deviation(*square, *mean) + epsilon);
                },
            ),
            (true, true) => each_3(
                parameters,
                gradients,
                slots,
                #[inline(always)]
                |p, g, square, velocity, mean| {
                    let g = decay.mul_add(*p, g);
                    *square = keep.mul_add(*square, new * (g * g));
                    *mean = keep.mul_add(*mean, new * g);
                    *velocity = momentum.mul_add(*velocity, g / (deviation(*square, *mean) + epsilon));
                    *p -= rate * *velocity;
                },
            ),
        }
    }
}

/// The standard deviation of gradients with these moments; rounding must not make it NaN.
#[inline(always)]
fn deviation(square: f32, mean: f32) -> f32 {
    (-mean).mul_add(mean, square).max(0.0).sqrt()
}
