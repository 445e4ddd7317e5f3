//! A period of a sine.

use super::generator::{Count, Draw, Generator, Kind, no_constants};
use std::f64::consts::TAU;

/// y = sin(2 π x) + noise, x uniform in [0, 1): the curve that Bishop's "Pattern Recognition and Machine Learning" (2006)
/// begins with.
pub const SINE: Generator = Generator {
    name: "sine",
    summary: "y = sin(2 π x) + noise, x uniform in [0, 1)",
    samples: 200,
    noise: 0.1,
    features: Count::fixed(1),
    names: &["x"],
    classes: Count::fixed(0),
    kind: Kind::Value,
    constants: no_constants,
    draw: sine,
};

fn sine(draw: &mut Draw, x: &mut [f64]) -> f64 {
    x[0] = draw.between(0.0, 1.0);
    (TAU * x[0]).sin() + draw.noise()
}
