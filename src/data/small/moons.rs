//! Two half circles.

use super::generator::{Count, Draw, Generator, Kind, no_constants};
use std::f64::consts::PI;

/// Two half circles of radius 1, each of which ends inside the other, as scikit-learn's `make_moons` has them.
pub const MOONS: Generator = Generator {
    name: "moons",
    summary: "two half circles of radius 1, each of which ends inside the other; noise on both coordinates",
    samples: 1000,
    noise: 0.1,
    features: Count::fixed(2),
    names: &[],
    classes: Count::fixed(2),
    // The second half circle opens upwards.
    kind: Kind::Classes(&["lower", "upper"]),
    constants: no_constants,
    draw: moons,
};

fn moons(draw: &mut Draw, x: &mut [f64]) -> f64 {
    let (sine, cosine) = draw.between(0.0, PI).sin_cos();
    let point = if draw.class == 1 { [cosine, sine] } else { [1.0 - cosine, 0.5 - sine] };
    x.copy_from_slice(&point);
    draw.blur(x);
    draw.class as f64
}
