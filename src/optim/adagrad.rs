//! AdaGrad: steps scaled by all gradients so far.

use super::elementwise::each_1;
use super::rule::{Coefficients, Rule, StepSettings, coefficients};

/// `s ← s + g²`, `p ← p - rate / (1 + (t - 1) · decay) · g / (√s + ε)`, with `s₀` the initial
/// accumulator.
///
/// As `torch.optim.Adagrad`; Duchi, Hazan, Singer: Adaptive subgradient methods for online learning
/// and stochastic optimization (2011). The weight decay is an L2 penalty, part of the gradient.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Adagrad {
    pub learning_rate_decay: f64,
    pub initial_accumulator: f64,
    pub epsilon: f64,
    pub weight_decay: f64,
}

impl Default for Adagrad {
    fn default() -> Self {
        Adagrad { learning_rate_decay: 0.0, initial_accumulator: 0.0, epsilon: 1e-10, weight_decay: 0.0 }
    }
}

impl Rule for Adagrad {
    fn slots(&self) -> usize {
        1
    }

    fn coefficients(&self, settings: StepSettings) -> Coefficients {
        let decay = self.weight_decay * settings.decay;
        let rate = settings.learning_rate / (1.0 + (settings.step - 1) as f64 * self.learning_rate_decay);
        // Slots begin as zeros.
        let initial = if settings.step == 1 { self.initial_accumulator } else { 0.0 };
        coefficients([rate, initial, self.epsilon, decay])
    }

    fn apply(
        &self,
        coefficients: &Coefficients,
        parameters: &mut [f32],
        gradients: &mut [f32],
        slots: &mut [&mut [f32]],
    ) {
        let [rate, initial, epsilon, decay, ..] = *coefficients;
        each_1(
            parameters,
            gradients,
            slots,
            #[inline(always)]
            |p, g, sum| {
                let g = decay.mul_add(*p, g);
                *sum = g.mul_add(g, *sum + initial);
                *p -= rate * g / (sum.sqrt() + epsilon);
            },
        );
    }
}
