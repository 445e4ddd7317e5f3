//! Adam: steps scaled by estimates of the gradient's first two moments.

use super::{Coefficients, Moment, Rule};
use crate::kernels::vectorise::vectorise;

/// `m ← β₁ m + (1 - β₁) g`, `v ← β₂ v + (1 - β₂) g²`,
/// `p ← p - rate · m̂ / (√v̂ + ε)` with `m̂ = m / (1 - β₁ᵗ)`, `v̂ = v / (1 - β₂ᵗ)`.
///
/// As `torch.optim.Adam`; Kingma, Ba: Adam, a method for stochastic optimization (2015). The weight
/// decay is an L2 penalty, part of the gradient.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Adam {
    pub beta1: f64,
    pub beta2: f64,
    pub epsilon: f64,
    pub weight_decay: f64,
}

impl Default for Adam {
    fn default() -> Self {
        Adam { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weight_decay: 0.0 }
    }
}

impl Rule for Adam {
    fn slots(&self) -> usize {
        2
    }

    fn coefficients(&self, moment: Moment) -> Coefficients {
        let step = moment.step as f64;
        let step_size = moment.learning_rate / (1.0 - self.beta1.powf(step));
        let root_correction = 1.0 / (1.0 - self.beta2.powf(step)).sqrt();
        let [keep1, new1, keep2, new2] = [self.beta1, 1.0 - self.beta1, self.beta2, 1.0 - self.beta2];
        [step_size, root_correction, keep1, new1, keep2, new2, self.epsilon, self.weight_decay]
            .map(|c| c as f32)
    }

    fn apply(
        &self,
        coefficients: &Coefficients,
        parameters: &mut [f32],
        gradients: &mut [f32],
        slots: &mut [&mut [f32]],
    ) {
        let [step_size, root_correction, keep1, new1, keep2, new2, epsilon, decay] = *coefficients;
        let [means, squares] = slots else { unreachable!("two slots") };
        vectorise(
            #[inline(always)]
            || {
                for (((p, &g), mean), square) in
                    parameters.iter_mut().zip(&*gradients).zip(means.iter_mut()).zip(squares.iter_mut())
                {
                    let g = decay.mul_add(*p, g);
                    *mean = keep1.mul_add(*mean, new1 * g);
                    *square = keep2.mul_add(*square, new2 * (g * g));
                    *p -= step_size * *mean / square.sqrt().mul_add(root_correction, epsilon);
                }
            },
        );
    }
}
