//! Averages of the parameters over the steps or epochs of a training. They compose with any rule.

use crate::kernels::simd::vectorise::vectorise;

/// Every `steps` steps `slow ← slow + alpha · (p - slow)`, then `p ← slow`; before the first step, the
/// slow parameters are the parameters. What the rule remembers stays as it is.
///
/// Zhang, Lucas, Hinton, Ba: Lookahead optimizer: k steps forward, 1 step back (2019), algorithm 1; as
/// optax.lookahead.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Lookahead {
    /// k of the paper; at least 1.
    pub steps: u64,
    /// In (0, 1].
    pub alpha: f64,
}

impl Lookahead {
    /// What [`synchronise`] is to be called with after this step, numbered from 1, if it is to be.
    pub fn due(&self, step: u64) -> Option<f32> {
        step.is_multiple_of(self.steps).then_some(self.alpha as f32)
    }
}

/// A moving average: `average ← average + weight · (p - average)` after each step, in the first `average
/// ← p`. Without correction the weight is 1 - decay, as in torch.optim.swa_utils.get_ema_multi_avg_fn;
/// then the first parameters keep a large part for the first 1 / (1 - decay) steps. With it the weight of
/// step t is (1 - decay) / (1 - decayᵗ), which makes it Σ decay^(t - i) pᵢ / Σ decay^(t - i), as
/// optax.ema with debias.
///
/// After Polyak, Juditsky: Acceleration of stochastic approximation by averaging (1992).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ema {
    /// In [0, 1).
    pub decay: f64,
    /// Whether it is corrected for its beginning.
    pub debias: bool,
}

impl Ema {
    /// The weight of the parameters after the step of this number, from 1, among those averaged.
    pub fn weight(&self, count: u64) -> f32 {
        let weight = match count {
            0 | 1 => 1.0,
            _ if self.debias => (1.0 - self.decay) / (1.0 - self.decay.powf(count as f64)),
            _ => 1.0 - self.decay,
        };
        weight as f32
    }
}

/// The weight of the parameters that come as number `count`, from 1, into an equal average, as in
/// torch.optim.swa_utils.get_swa_multi_avg_fn.
///
/// Izmailov, Podoprikhin, Garipov, Vetrov, Wilson: Averaging weights leads to wider optima and better
/// generalization (2018).
pub fn equal_weight(count: u64) -> f32 {
    (1.0 / count.max(1) as f64) as f32
}

/// average ← average + weight · (p - average); with a weight of 1, p itself, whatever the average was.
///
/// `average`, `parameters` \[n\]
pub fn blend(average: &mut [f32], parameters: &[f32], weight: f32) {
    debug_assert_eq!(average.len(), parameters.len());
    if weight == 1.0 {
        return average.copy_from_slice(parameters);
    }
    vectorise(
        #[inline(always)]
        || {
            for (a, &p) in average.iter_mut().zip(parameters) {
                *a = weight.mul_add(p - *a, *a);
            }
        },
    );
}

/// slow ← slow + alpha · (p - slow), then p ← slow.
///
/// `parameters`, `slow` \[n\]
pub fn synchronise(parameters: &mut [f32], slow: &mut [f32], alpha: f32) {
    blend(slow, parameters, alpha);
    parameters.copy_from_slice(slow);
}
