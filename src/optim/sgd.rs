//! Stochastic gradient descent, with momentum.

use super::{Moment, Rule};
use crate::kernels::vectorise::vectorise;

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

    fn update(
        &self,
        parameters: &mut [f32],
        gradients: &mut [f32],
        slots: &mut [&mut [f32]],
        moment: Moment,
    ) {
        let rate = moment.learning_rate as f32;
        let decay = self.weight_decay as f32;
        let Some(velocities) = slots.first_mut() else {
            return vectorise(
                #[inline(always)]
                || {
                    for (p, &g) in parameters.iter_mut().zip(&*gradients) {
                        *p = (-rate).mul_add(decay.mul_add(*p, g), *p);
                    }
                },
            );
        };
        let momentum = self.momentum as f32;
        let fresh = if moment.step == 1 { 1.0 } else { (1.0 - self.dampening) as f32 };
        // The step goes along own · g + carried · velocity.
        let (own, carried) = if self.nesterov { (1.0, momentum) } else { (0.0, 1.0) };
        vectorise(
            #[inline(always)]
            || {
                for ((p, &g), velocity) in parameters.iter_mut().zip(&*gradients).zip(velocities.iter_mut()) {
                    let g = decay.mul_add(*p, g);
                    *velocity = momentum.mul_add(*velocity, fresh * g);
                    *p = (-rate).mul_add(carried.mul_add(*velocity, own * g), *p);
                }
            },
        );
    }
}
