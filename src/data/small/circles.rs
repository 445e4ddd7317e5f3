//! A circle in a circle.

use super::generator::{Count, Draw, Generator, Kind, no_constants};
use std::f64::consts::TAU;

/// Circles of radius 0.5 and 1 around one point.
pub const CIRCLES: Generator = Generator {
    name: "circles",
    summary: "a circle of radius 0.5 in one of radius 1; noise on both coordinates",
    samples: 1000,
    noise: 0.1,
    features: Count::fixed(2),
    names: &[],
    classes: Count::fixed(2),
    kind: Kind::Classes(&["inner", "outer"]),
    constants: no_constants,
    draw: circles,
};

fn circles(draw: &mut Draw, x: &mut [f64]) -> f64 {
    let (sine, cosine) = draw.between(0.0, TAU).sin_cos();
    let radius = if draw.class == 0 { 0.5 } else { 1.0 };
    x.copy_from_slice(&[radius * cosine, radius * sine]);
    draw.blur(x);
    draw.class as f64
}
