//! The three functions of Friedman: Multivariate adaptive regression splines, Annals of Statistics 19 (1991); with the noise
//! of Breiman: Bagging predictors, Machine Learning 24 (1996).

use super::generator::{Count, Draw, Generator, Kind, no_constants};
use std::f64::consts::PI;

/// Five features that count, and others that do not.
pub const FRIEDMAN_1: Generator = Generator {
    name: "friedman-1",
    summary: "y = 10 sin(π x1 x2) + 20 (x3 - 0.5)² + 10 x4 + 5 x5 + noise, x uniform in [0, 1); \
              features from x6 on say nothing",
    samples: 1000,
    noise: 1.0,
    features: Count::of(10, [5, 1000]),
    names: &[],
    classes: Count::fixed(0),
    kind: Kind::Value,
    constants: no_constants,
    draw: first,
};

fn first(draw: &mut Draw, x: &mut [f64]) -> f64 {
    x.iter_mut().for_each(|x| *x = draw.between(0.0, 1.0));
    10.0 * (PI * x[0] * x[1]).sin() + 20.0 * (x[2] - 0.5).powi(2) + 10.0 * x[3] + 5.0 * x[4] + draw.noise()
}

/// The impedance of a circuit.
pub const FRIEDMAN_2: Generator = Generator {
    name: "friedman-2",
    summary: "y = √(x1² + (x2 x3 - 1 / (x2 x4))²) + noise, x1 in [0, 100), x2 in [40 π, 560 π), \
              x3 in [0, 1), x4 in [1, 11)",
    samples: 1000,
    noise: 125.0,
    features: Count::fixed(4),
    names: &[],
    classes: Count::fixed(0),
    kind: Kind::Value,
    constants: no_constants,
    draw: second,
};

fn second(draw: &mut Draw, x: &mut [f64]) -> f64 {
    // Before that the features are not there yet.
    let reactance = reactance(draw, x);
    x[0].hypot(reactance) + draw.noise()
}

/// The phase of the same circuit.
pub const FRIEDMAN_3: Generator = Generator {
    name: "friedman-3",
    summary: "y = arctan((x2 x3 - 1 / (x2 x4)) / x1) + noise, x as of friedman-2",
    noise: 0.1,
    draw: third,
    ..FRIEDMAN_2
};

fn third(draw: &mut Draw, x: &mut [f64]) -> f64 {
    // Its first argument over its second, which is positive: also where that is 0.
    let reactance = reactance(draw, x);
    reactance.atan2(x[0]) + draw.noise()
}

/// Draws the features, and returns x2 x3 - 1 / (x2 x4).
fn reactance(draw: &mut Draw, x: &mut [f64]) -> f64 {
    let ranges = [[0.0, 100.0], [40.0 * PI, 560.0 * PI], [0.0, 1.0], [1.0, 11.0]];
    for (x, [low, high]) in x.iter_mut().zip(ranges) {
        *x = draw.between(low, high);
    }
    x[1] * x[2] - 1.0 / (x[1] * x[3])
}
