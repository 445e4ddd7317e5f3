//! Muon: matrices move along an orthogonal matrix near their momentum, all else by AdamW.

use super::elementwise::{each_0, each_1};
use super::per_tensor::{Orthogonal, PerTensor, adam_directions};
use super::rule::{Coefficients, Rule, StepSettings, coefficients};

/// Of a matrix: `b ← momentum · b + (1 - momentum) g`, `d = momentum · b + (1 - momentum) g` (without
/// Nesterov's step `d = b`), then d is made about [`Orthogonal`], and
/// `p ← (1 - rate · decay) p - rate · d`. Of all else: AdamW's step, of the learning rate
/// `adam_factor · rate`.
///
/// As `torch.optim.Muon`, in f32 where that computes in bfloat16, and `torch.optim.AdamW`; Jordan et
/// al.: Muon, an optimizer for hidden layers in neural networks (2024).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Muon {
    pub momentum: f64,
    pub nesterov: bool,
    pub weight_decay: f64,
    pub orthogonal: Orthogonal,
    pub adam_factor: f64,
    pub adam_beta1: f64,
    pub adam_beta2: f64,
    pub adam_epsilon: f64,
    pub adam_weight_decay: f64,
}

impl Default for Muon {
    fn default() -> Self {
        Muon {
            momentum: 0.95,
            nesterov: true,
            weight_decay: 0.1,
            orthogonal: Orthogonal::default(),
            adam_factor: 0.2,
            adam_beta1: 0.9,
            adam_beta2: 0.999,
            adam_epsilon: 1e-8,
            adam_weight_decay: 0.01,
        }
    }
}

impl Rule for Muon {
    /// b; or m and v, of what is no matrix.
    fn slots(&self) -> usize {
        2
    }

    /// That of the matrices.
    fn momentum(&self) -> Option<f64> {
        Some(self.momentum)
    }

    fn per_tensor(&self) -> Option<PerTensor> {
        Some(PerTensor::Orthogonal(self.orthogonal))
    }

    fn coefficients(&self, settings: StepSettings) -> Coefficients {
        let momentum = settings.momentum.unwrap_or(self.momentum);
        let (rate, step) = (settings.learning_rate, settings.step as f64);
        let decay = self.weight_decay * settings.decay;
        // The step along a direction is the same for all parameters, so that of Adam's share has its
        // part of the rate in it, and what its decay differs by.
        let adam_step = self.adam_factor / (1.0 - self.adam_beta1.powf(step));
        let root_correction = 1.0 / (1.0 - self.adam_beta2.powf(step)).sqrt();
        let adam_decay = self.adam_factor * self.adam_weight_decay * settings.decay - decay;
        let [keep1, new1] = [self.adam_beta1, 1.0 - self.adam_beta1];
        let [keep2, new2] = [self.adam_beta2, 1.0 - self.adam_beta2];
        let shrink = 1.0 - rate * decay;
        let [epsilon, new] = [self.adam_epsilon, 1.0 - momentum];
        coefficients([
            rate,
            shrink,
            momentum,
            new,
            adam_step,
            root_correction,
            keep1,
            new1,
            keep2,
            new2,
            epsilon,
            adam_decay,
        ])
    }

    fn direct(
        &self,
        coefficients: &Coefficients,
        orthogonal: bool,
        parameters: &[f32],
        gradients: &mut [f32],
        slots: &mut [&mut [f32]],
    ) {
        let [_, _, keep, new, terms @ ..] = *coefficients;
        if orthogonal {
            // The step goes along own · g + carried · b.
            let (own, carried) = if self.nesterov { (new, keep) } else { (0.0, 1.0) };
            return each_1(
                gradients,
                parameters,
                &mut slots[..1],
                #[inline(always)]
                |g, _, momentum| {
                    *momentum = keep.mul_add(*momentum, new * *g);
                    *g = carried.mul_add(*momentum, own * *g);
                },
            );
        }
        adam_directions(gradients, parameters, slots, terms);
    }

    fn apply(
        &self,
        coefficients: &Coefficients,
        parameters: &mut [f32],
        directions: &mut [f32],
        _slots: &mut [&mut [f32]],
    ) {
        let [rate, shrink, ..] = *coefficients;
        each_0(
            parameters,
            directions,
            #[inline(always)]
            |p, d| *p = shrink * *p - rate * d,
        );
    }
}
