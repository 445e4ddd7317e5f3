//! Straight lines: one feature, and many.

use super::generator::{Count, Draw, Generator, Kind, no_constants};
use rand_distr::{Distribution, StandardNormal};

/// y = 2 x + 1 + noise, x uniform in [-1, 1).
pub const LINE: Generator = Generator {
    name: "line",
    summary: "y = 2 x + 1 + noise, x uniform in [-1, 1)",
    samples: 100,
    noise: 0.1,
    features: Count::fixed(1),
    names: &["x"],
    classes: Count::fixed(0),
    kind: Kind::Value,
    constants: no_constants,
    draw: line,
};

fn line(draw: &mut Draw, x: &mut [f64]) -> f64 {
    x[0] = draw.between(-1.0, 1.0);
    2.0 * x[0] + 1.0 + draw.noise()
}

/// y = 1 + w x + noise, x normal, and w = 1, -2, 3, -4, 5 over and over.
pub const LINEAR: Generator = Generator {
    name: "linear",
    summary: "y = 1 + w1 x1 + w2 x2 + … + noise, x normal, w = 1, -2, 3, -4, 5, 1, -2, …",
    samples: 500,
    noise: 1.0,
    features: Count::of(5, [1, 1000]),
    names: &[],
    classes: Count::fixed(0),
    kind: Kind::Value,
    constants: no_constants,
    draw: linear,
};

/// The weights of the features, over and over.
pub const WEIGHTS: [f64; 5] = [1.0, -2.0, 3.0, -4.0, 5.0];

fn linear(draw: &mut Draw, x: &mut [f64]) -> f64 {
    x.iter_mut().for_each(|x| *x = StandardNormal.sample(&mut draw.stream));
    let sum: f64 = x.iter().zip(WEIGHTS.iter().cycle()).map(|(x, w)| w * x).sum();
    1.0 + sum + draw.noise()
}
