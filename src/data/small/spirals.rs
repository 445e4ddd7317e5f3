//! Spirals that wind around each other.

use super::generator::{Count, Draw, Generator, Kind, no_constants};
use std::f64::consts::TAU;

/// How often a spiral winds around the centre.
const TURNS: f64 = 1.5;

/// Spirals from radius 0.1 to 1, each turned against the one before.
pub const SPIRALS: Generator = Generator {
    name: "spirals",
    summary: "spirals of one and a half turns, from radius 0.1 to 1; noise on both coordinates",
    samples: 1000,
    noise: 0.02,
    features: Count::fixed(2),
    names: &[],
    classes: Count::of(2, [2, 10]),
    kind: Kind::Classes(&[]),
    constants: no_constants,
    draw: spirals,
};

fn spirals(draw: &mut Draw, x: &mut [f64]) -> f64 {
    let along = draw.between(0.0, 1.0);
    let turned = draw.class as f64 / draw.set.classes as f64;
    let (sine, cosine) = (TAU * (TURNS * along + turned)).sin_cos();
    let radius = 0.1 + 0.9 * along;
    x.copy_from_slice(&[radius * cosine, radius * sine]);
    draw.blur(x);
    draw.class as f64
}
