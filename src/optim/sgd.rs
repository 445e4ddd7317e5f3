//! Stochastic gradient descent, with momentum.

use super::elementwise::{each_0, each_1};
use super::rule::{Coefficients, Rule, StepSettings, coefficients};

/// `g ← g + decay · p`; `b ← momentum · b + (1 - dampening) · g`, in the first step `b ← g`;
/// `p ← p - rate · b`, or with Nesterov's momentum `p ← p - rate · (g + momentum · b)`.
///
/// As `torch.optim.SGD`; after Sutskever, Martens, Dahl, Hinton: On the importance of
/// initialization and momentum in deep learning (2013).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Sgd {
    pub momentum: f64,
    pub dampening: f64,
    pub nesterov: bool,
    pub weight_decay: f64,
}

impl Rule for Sgd {
    fn slots(&self) -> usize {
        usize::from(self.momentum != 0.0)
    }

    fn momentum(&self) -> Option<f64> {
        (self.momentum != 0.0).then_some(self.momentum)
    }

    /// The velocity comes to (1 - dampening) g / (1 - momentum), and with Nesterov's momentum the step to
    /// g + momentum · velocity.
    fn gain(&self, momentum: Option<f64>) -> Option<f64> {
        if self.momentum == 0.0 {
            return Some(1.0);
        }
        let momentum = momentum.unwrap_or(self.momentum);
        let velocity = (1.0 - self.dampening) / (1.0 - momentum);
        Some(if self.nesterov { 1.0 + momentum * velocity } else { velocity })
    }

    fn coefficients(&self, settings: StepSettings) -> Coefficients {
        let decay = self.weight_decay * settings.decay;
        let momentum = settings.momentum.unwrap_or(self.momentum);
        // The first velocity is the gradient itself.
        let fresh = if settings.step == 1 { 1.0 } else { 1.0 - self.dampening };
        // The step goes along own · g + carried · velocity.
        let (own, carried) = if self.nesterov { (1.0, momentum) } else { (0.0, 1.0) };
        coefficients([-settings.learning_rate, decay, momentum, fresh, own, carried])
    }

    fn apply(
        &self,
        coefficients: &Coefficients,
        parameters: &mut [f32],
        gradients: &mut [f32],
        slots: &mut [&mut [f32]],
    ) {
        let [rate, decay, momentum, fresh, own, carried, ..] = *coefficients;
        if slots.is_empty() {
            return each_0(
                parameters,
                gradients,
                #[inline(always)]
                |p, g| *p = rate.mul_add(decay.mul_add(*p, g), *p),
            );
        }
        each_1(
            parameters,
            gradients,
            slots,
            #[inline(always)]
            |p, g, velocity| {
                let g = decay.mul_add(*p, g);
                *velocity = momentum.mul_add(*velocity, fresh * g);
                *p = rate.mul_add(carried.mul_add(*velocity, own * g), *p);
            },
        );
    }
}
