//! Heaps of points.

use super::generator::{Count, Draw, Generated, Generator, Kind};

/// Normal points around a centre for each class; centres are drawn by the seed, uniformly from [-10, 10) in all directions,
/// as scikit-learn's `make_blobs` has them.
pub const BLOBS: Generator = Generator {
    name: "blobs",
    summary: "normal points around a centre for each class, with the noise as their standard deviation; centres are \
              drawn from [-10, 10) in all directions",
    samples: 1000,
    noise: 1.0,
    features: Count::of(2, [1, 1000]),
    names: &[],
    classes: Count::of(3, [2, 256]),
    kind: Kind::Classes(&[]),
    constants: coordinates,
    draw: blobs,
};

/// Those of all centres, `[classes, features]`.
fn coordinates(set: &Generated) -> usize {
    set.classes * set.features
}

fn blobs(draw: &mut Draw, x: &mut [f64]) -> f64 {
    let centre = &draw.constants[draw.class * x.len()..][..x.len()];
    for (x, place) in x.iter_mut().zip(centre) {
        *x = 20.0 * place - 10.0;
    }
    draw.blur(x);
    draw.class as f64
}
