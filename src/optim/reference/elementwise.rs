//! The rules that change each parameter by itself, in f64.

use crate::optim::adabelief::Adabelief;
use crate::optim::adadelta::Adadelta;
use crate::optim::adagrad::Adagrad;
use crate::optim::adam::Adam;
use crate::optim::adamax::Adamax;
use crate::optim::adan::Adan;
use crate::optim::lion::Lion;
use crate::optim::nadam::Nadam;
use crate::optim::radam::Radam;
use crate::optim::rmsprop::Rmsprop;
use crate::optim::rprop::Rprop;
use crate::optim::schedule_free::ScheduleFree;
use crate::optim::sgd::Sgd;
use crate::optim::yogi::Yogi;

/// The memory of a rule for one parameter; all zeros before the first step.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Memory {
    /// A mean of gradients, m.
    pub mean: f64,
    /// A mean or a sum of squares, v or s.
    pub square: f64,
    /// The largest square so far, or in Adamax the largest gradient.
    pub largest: f64,
    /// A sum of past steps, b, or in Adadelta the mean of their squares.
    pub past: f64,
    /// The product of NAdam's momenta.
    pub product: f64,
    /// The size of Rprop's step.
    pub size: f64,
    /// The gradient of the step before, in Adan.
    pub before: f64,
}

/// `torch.optim.SGD`.
pub fn sgd(rule: &Sgd, p: f64, mut g: f64, t: i32, rate: f64, memory: &mut Memory) -> f64 {
    g += rule.weight_decay * p;
    if rule.momentum != 0.0 {
        memory.past = if t > 1 { rule.momentum * memory.past + (1.0 - rule.dampening) * g } else { g };
        g = if rule.nesterov { g + rule.momentum * memory.past } else { memory.past };
    }
    p - rate * g
}

/// `torch.optim.Adagrad`.
pub fn adagrad(rule: &Adagrad, p: f64, mut g: f64, t: i32, rate: f64, memory: &mut Memory) -> f64 {
    if t == 1 {
        memory.square = rule.initial_accumulator;
    }
    let rate = rate / (1.0 + f64::from(t - 1) * rule.learning_rate_decay);
    g += rule.weight_decay * p;
    memory.square += g * g;
    p - rate * g / (memory.square.sqrt() + rule.epsilon)
}

/// `torch.optim.RMSprop`.
pub fn rmsprop(rule: &Rmsprop, p: f64, mut g: f64, _: i32, rate: f64, memory: &mut Memory) -> f64 {
    g += rule.weight_decay * p;
    memory.square = rule.alpha * memory.square + (1.0 - rule.alpha) * g * g;
    let mut variance = memory.square;
    if rule.centered {
        memory.mean = rule.alpha * memory.mean + (1.0 - rule.alpha) * g;
        variance -= memory.mean * memory.mean;
    }
    let scaled = g / (variance.sqrt() + rule.epsilon);
    memory.past = rule.momentum * memory.past + scaled;
    p - rate * memory.past
}

/// `torch.optim.Adadelta`.
pub fn adadelta(rule: &Adadelta, p: f64, mut g: f64, _: i32, rate: f64, memory: &mut Memory) -> f64 {
    g += rule.weight_decay * p;
    memory.square = rule.rho * memory.square + (1.0 - rule.rho) * g * g;
    let change = (memory.past + rule.epsilon).sqrt() / (memory.square + rule.epsilon).sqrt() * g;
    memory.past = rule.rho * memory.past + (1.0 - rule.rho) * change * change;
    p - rate * change
}

/// `torch.optim.Adam` and `AdamW`, both also with `amsgrad`.
pub fn adam(rule: &Adam, mut p: f64, mut g: f64, t: i32, rate: f64, memory: &mut Memory) -> f64 {
    if rule.decoupled {
        p -= rate * rule.weight_decay * p;
    } else {
        g += rule.weight_decay * p;
    }
    memory.mean = rule.beta1 * memory.mean + (1.0 - rule.beta1) * g;
    memory.square = rule.beta2 * memory.square + (1.0 - rule.beta2) * g * g;
    let mut square = memory.square;
    if rule.amsgrad {
        memory.largest = memory.largest.max(square);
        square = memory.largest;
    }
    let mean = memory.mean / (1.0 - rule.beta1.powi(t));
    square /= 1.0 - rule.beta2.powi(t);
    p - rate * mean / (square.sqrt() + rule.epsilon)
}

/// `torch.optim.Adamax`.
pub fn adamax(rule: &Adamax, p: f64, mut g: f64, t: i32, rate: f64, memory: &mut Memory) -> f64 {
    g += rule.weight_decay * p;
    memory.mean = rule.beta1 * memory.mean + (1.0 - rule.beta1) * g;
    memory.largest = (rule.beta2 * memory.largest).max(g.abs() + rule.epsilon);
    p - rate * memory.mean / ((1.0 - rule.beta1.powi(t)) * memory.largest)
}

/// `torch.optim.NAdam`.
pub fn nadam(rule: &Nadam, p: f64, mut g: f64, t: i32, rate: f64, memory: &mut Memory) -> f64 {
    let momentum = |t: i32| rule.beta1 * (1.0 - 0.5 * 0.96f64.powf(f64::from(t) * rule.momentum_decay));
    if t == 1 {
        memory.product = 1.0;
    }
    memory.product *= momentum(t);
    g += rule.weight_decay * p;
    memory.mean = rule.beta1 * memory.mean + (1.0 - rule.beta1) * g;
    memory.square = rule.beta2 * memory.square + (1.0 - rule.beta2) * g * g;
    let mean = momentum(t + 1) * memory.mean / (1.0 - memory.product * momentum(t + 1))
        + (1.0 - momentum(t)) * g / (1.0 - memory.product);
    let square = memory.square / (1.0 - rule.beta2.powi(t));
    p - rate * mean / (square.sqrt() + rule.epsilon)
}

/// `torch.optim.RAdam`.
pub fn radam(rule: &Radam, p: f64, mut g: f64, t: i32, rate: f64, memory: &mut Memory) -> f64 {
    g += rule.weight_decay * p;
    memory.mean = rule.beta1 * memory.mean + (1.0 - rule.beta1) * g;
    memory.square = rule.beta2 * memory.square + (1.0 - rule.beta2) * g * g;
    let mean = memory.mean / (1.0 - rule.beta1.powi(t));
    let power = rule.beta2.powi(t);
    let longest = 2.0 / (1.0 - rule.beta2) - 1.0;
    let length = longest - 2.0 * f64::from(t) * power / (1.0 - power);
    if length <= 5.0 {
        return p - rate * mean;
    }
    let rectification =
        ((length - 4.0) * (length - 2.0) * longest / ((longest - 4.0) * (longest - 2.0) * length)).sqrt();
    p - rate * mean * rectification * (1.0 - power).sqrt() / (memory.square.sqrt() + rule.epsilon)
}

/// Chen et al. (2023), algorithm 2.
pub fn lion(rule: &Lion, p: f64, g: f64, _: i32, rate: f64, memory: &mut Memory) -> f64 {
    let direction = rule.beta1 * memory.mean + (1.0 - rule.beta1) * g;
    memory.mean = rule.beta2 * memory.mean + (1.0 - rule.beta2) * g;
    p - rate * (sign(direction) + rule.weight_decay * p)
}

/// Zaheer et al. (2018), algorithm 2, with `optax.yogi`'s start and correction of the means.
pub fn yogi(rule: &Yogi, p: f64, mut g: f64, t: i32, rate: f64, memory: &mut Memory) -> f64 {
    if t == 1 {
        (memory.mean, memory.square) = (rule.initial_accumulator, rule.initial_accumulator);
    }
    g += rule.weight_decay * p;
    memory.mean = rule.beta1 * memory.mean + (1.0 - rule.beta1) * g;
    memory.square -= (1.0 - rule.beta2) * sign(memory.square - g * g) * g * g;
    let mean = memory.mean / (1.0 - rule.beta1.powi(t));
    let square = memory.square / (1.0 - rule.beta2.powi(t));
    p - rate * mean / (square.sqrt() + rule.epsilon)
}

/// Zhuang et al. (2020), algorithm 2.
pub fn adabelief(rule: &Adabelief, p: f64, mut g: f64, t: i32, rate: f64, memory: &mut Memory) -> f64 {
    g += rule.weight_decay * p;
    memory.mean = rule.beta1 * memory.mean + (1.0 - rule.beta1) * g;
    let surprise = g - memory.mean;
    memory.square = rule.beta2 * memory.square + (1.0 - rule.beta2) * surprise * surprise + rule.epsilon;
    let mean = memory.mean / (1.0 - rule.beta1.powi(t));
    let square = memory.square / (1.0 - rule.beta2.powi(t));
    p - rate * mean / (square.sqrt() + rule.epsilon)
}

/// Xie et al. (2022), algorithm 1, as the authors' program with its proximal decay; the memory's `past` is
/// the mean of the differences.
pub fn adan(rule: &Adan, p: f64, g: f64, t: i32, rate: f64, memory: &mut Memory) -> f64 {
    let difference = if t == 1 { 0.0 } else { g - memory.before };
    memory.before = g;
    memory.mean = rule.beta1 * memory.mean + (1.0 - rule.beta1) * g;
    memory.past = rule.beta2 * memory.past + (1.0 - rule.beta2) * difference;
    let ahead = g + rule.beta2 * difference;
    memory.square = rule.beta3 * memory.square + (1.0 - rule.beta3) * ahead * ahead;
    let mean = memory.mean / (1.0 - rule.beta1.powi(t));
    let change = memory.past / (1.0 - rule.beta2.powi(t));
    let square = memory.square / (1.0 - rule.beta3.powi(t));
    let step = rate * (mean + rule.beta2 * change) / (square.sqrt() + rule.epsilon);
    (p - step) / (1.0 + rate * rule.weight_decay)
}

/// Defazio et al. (2024), algorithm 1, of which `p` is y; the memory's `past` is z, its `mean` x.
pub fn schedule_free(rule: &ScheduleFree, p: f64, g: f64, t: i32, rate: f64, memory: &mut Memory) -> f64 {
    if t == 1 {
        (memory.past, memory.mean) = (p, p);
    }
    let squared_rate = |t: i32| (rate * rule.warmth(t as u64)).powi(2);
    memory.square = rule.beta2 * memory.square + (1.0 - rule.beta2) * g * g;
    let square = memory.square / (1.0 - rule.beta2.powi(t));
    let direction = g / (square.sqrt() + rule.epsilon) + rule.weight_decay * p;
    memory.past -= rate * rule.warmth(t as u64) * direction;
    let weight = squared_rate(t) / (1..=t).map(squared_rate).sum::<f64>();
    memory.mean = (1.0 - weight) * memory.mean + weight * memory.past;
    (1.0 - rule.beta1) * memory.past + rule.beta1 * memory.mean
}

/// `torch.optim.Rprop`; the memory's `mean` is the last gradient.
pub fn rprop(rule: &Rprop, p: f64, mut g: f64, t: i32, rate: f64, memory: &mut Memory) -> f64 {
    if t == 1 {
        memory.size = rate;
    }
    let agreement = g * memory.mean;
    if agreement > 0.0 {
        memory.size *= rule.grow;
    } else if agreement < 0.0 {
        memory.size *= rule.shrink;
        g = 0.0;
    }
    memory.size = memory.size.clamp(rule.smallest, rule.largest);
    memory.mean = g;
    p - sign(g) * memory.size
}

/// The sign; unlike `signum`, that of 0 is 0.
pub(super) fn sign(x: f64) -> f64 {
    if x == 0.0 { 0.0 } else { x.signum() }
}
