//! The naive twin of each update rule in f64, after the papers and PyTorch's documentation: one
//! parameter, one step, one formula at a time, no concern for speed. The tests hold the fast rules
//! against these, and these against PyTorch and optax.
//!
//! Each takes a parameter `p`, its gradient `g`, the number `t` of the step from 1, the learning rate,
//! and what the rule remembers; it returns the new parameter. Those for whole parameters take all
//! elements of one.

mod elementwise;
mod per_tensor;

pub use elementwise::{
    Memory, adabelief, adadelta, adagrad, adam, adamax, adan, lion, nadam, radam, rmsprop, rprop,
    schedule_free, sgd, yogi,
};
pub use per_tensor::{adafactor, lamb, muon, muon_rest, orthogonal};

use super::average::{Ema, Lookahead};

/// A moving average after the step of number `t` among those averaged, from 1:
/// `torch.optim.swa_utils.get_ema_multi_avg_fn` or, debiased, `optax.ema`, whose biased average `memory`
/// holds.
pub fn ema(rule: &Ema, average: f64, p: f64, t: i32, memory: &mut f64) -> f64 {
    if rule.debias {
        *memory = rule.decay * *memory + (1.0 - rule.decay) * p;
        return *memory / (1.0 - rule.decay.powi(t));
    }
    if t == 1 { p } else { rule.decay * average + (1.0 - rule.decay) * p }
}

/// The equal average of the parameters of number 1 to `t`: `torch.optim.swa_utils.AveragedModel`.
pub fn swa(average: f64, p: f64, t: i32) -> f64 {
    (average * f64::from(t - 1) + p) / f64::from(t)
}

/// Zhang et al. (2019), algorithm 1: the parameter after step `t`, which the rule has left at `p`.
pub fn lookahead(rule: &Lookahead, p: f64, t: u64, slow: &mut f64) -> f64 {
    if !t.is_multiple_of(rule.steps) {
        return p;
    }
    *slow += rule.alpha * (p - *slow);
    *slow
}
