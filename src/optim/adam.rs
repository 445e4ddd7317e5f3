//! Adam: steps scaled by estimates of the gradient's first two moments.

use super::elementwise::{each_2, each_3};
use super::rule::{Coefficients, Rule, StepSettings, coefficients};

/// `m ← β₁ m + (1 - β₁) g`, `v ← β₂ v + (1 - β₂) g²`,
/// `p ← p - rate · m̂ / (√v̂ + ε)` with `m̂ = m / (1 - β₁ᵗ)`, `v̂ = v / (1 - β₂ᵗ)`.
///
/// As `torch.optim.Adam` and `AdamW`; Kingma, Ba: Adam, a method for stochastic optimization (2015).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Adam {
    pub beta1: f64,
    pub beta2: f64,
    pub epsilon: f64,
    pub weight_decay: f64,
    /// Whether the decay acts on the parameter itself, `p ← (1 - rate · decay) p`, instead of being
    /// an L2 penalty in the gradient: AdamW; Loshchilov, Hutter: Decoupled weight decay
    /// regularization (2019).
    pub decoupled: bool,
    /// Whether the largest `v` so far takes the place of `v̂`'s `v`: AMSGrad; Reddi, Kale, Kumar: On the
    /// convergence of Adam and beyond (2018).
    pub amsgrad: bool,
}

impl Default for Adam {
    fn default() -> Self {
        let (decoupled, amsgrad) = (false, false);
        Adam { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weight_decay: 0.0, decoupled, amsgrad }
    }
}

impl Rule for Adam {
    fn slots(&self) -> usize {
        2 + usize::from(self.amsgrad)
    }

    fn momentum(&self) -> Option<f64> {
        Some(self.beta1)
    }

    fn coefficients(&self, settings: StepSettings) -> Coefficients {
        let beta1 = settings.momentum.unwrap_or(self.beta1);
        let step = settings.step as f64;
        let step_size = settings.learning_rate / (1.0 - beta1.powf(step));
        let root_correction = 1.0 / (1.0 - self.beta2.powf(step)).sqrt();
        // One of the two decays does nothing.
        let decay = self.weight_decay * settings.decay;
        let (penalty, shrink) =
            if self.decoupled { (0.0, 1.0 - settings.learning_rate * decay) } else { (decay, 1.0) };
        let [keep1, new1, keep2, new2] = [beta1, 1.0 - beta1, self.beta2, 1.0 - self.beta2];
        coefficients([step_size, root_correction, keep1, new1, keep2, new2, self.epsilon, penalty, shrink])
    }

    fn apply(
        &self,
        coefficients: &Coefficients,
        parameters: &mut [f32],
        gradients: &mut [f32],
        slots: &mut [&mut [f32]],
    ) {
        let [step_size, root_correction, keep1, new1, keep2, new2, epsilon, penalty, shrink, ..] =
            *coefficients;
        if self.amsgrad {
            return each_3(
                parameters,
                gradients,
                slots,
                #[inline(always)]
                |p, g, mean, square, largest| {
                    let g = penalty.mul_add(*p, g);
                    *mean = keep1.mul_add(*mean, new1 * g);
                    *square = keep2.mul_add(*square, new2 * (g * g));
                    *largest = if *square > *largest { *square } else { *largest };
                    let root = largest.sqrt().mul_add(root_correction, epsilon);
                    *p = shrink * *p - step_size * *mean / root;
                },
            );
        }
        each_2(
            parameters,
            gradients,
            slots,
            #[inline(always)]
            |p, g, mean, square| {
                let g = penalty.mul_add(*p, g);
                *mean = keep1.mul_add(*mean, new1 * g);
                *square = keep2.mul_add(*square, new2 * (g * g));
                let root = square.sqrt().mul_add(root_correction, epsilon);
                *p = shrink * *p - step_size * *mean / root;
            },
        );
    }
}
