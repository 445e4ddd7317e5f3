//! Adadelta: steps as large as earlier ones were, in place of a learning rate.

use super::elementwise::each_2;
use super::rule::{Coefficients, Rule, StepSettings, coefficients};

/// `s ← ρ s + (1 - ρ) g²`, `d = √(a + ε) / √(s + ε) · g`, `a ← ρ a + (1 - ρ) d²`,
/// `p ← p - rate · d`.
///
/// As `torch.optim.Adadelta`; Zeiler: ADADELTA, an adaptive learning rate method (2012). The weight
/// decay is an L2 penalty, part of the gradient.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Adadelta {
    /// The part of the running means that is kept in a step.
    pub rho: f64,
    pub epsilon: f64,
    pub weight_decay: f64,
}

impl Default for Adadelta {
    fn default() -> Self {
        Adadelta { rho: 0.9, epsilon: 1e-6, weight_decay: 0.0 }
    }
}

impl Rule for Adadelta {
    fn slots(&self) -> usize {
        2
    }

    fn coefficients(&self, settings: StepSettings) -> Coefficients {
        let decay = self.weight_decay * settings.decay;
        coefficients([settings.learning_rate, self.rho, 1.0 - self.rho, self.epsilon, decay])
    }

    fn apply(
        &self,
        coefficients: &Coefficients,
        parameters: &mut [f32],
        gradients: &mut [f32],
        slots: &mut [&mut [f32]],
    ) {
        let [rate, keep, new, epsilon, decay, ..] = *coefficients;
        each_2(
            parameters,
            gradients,
            slots,
            #[inline(always)]
            |p, g, square, moved| {
                let g = decay.mul_add(*p, g);
                *square = keep.mul_add(*square, new * (g * g));
                let step = ((*moved + epsilon) / (*square + epsilon)).sqrt() * g;
                *moved = keep.mul_add(*moved, new * (step * step));
                *p -= rate * step;
            },
        );
    }
}
