//! The exclusive or.

use super::generator::{Count, Draw, Generator, Kind, no_constants};

/// Points of a square, and whether the signs of their coordinates differ: no line parts the classes (Minsky, Papert:
/// Perceptrons, 1969).
pub const XOR: Generator = Generator {
    name: "xor",
    summary: "points of a square [-1, 1)², and whether the signs of their coordinates are different; noise on both \
              coordinates",
    samples: 1000,
    noise: 0.0,
    features: Count::fixed(2),
    names: &[],
    classes: Count::fixed(2),
    kind: Kind::Classes(&["different", "equal"]),
    constants: no_constants,
    draw: xor,
};

fn xor(draw: &mut Draw, x: &mut [f64]) -> f64 {
    let first = draw.between(-1.0, 1.0);
    let size = draw.between(0.0, 1.0);
    let is_negative = (first < 0.0) == (draw.class == 1);
    x.copy_from_slice(&[first, if is_negative { -size } else { size }]);
    draw.blur(x);
    draw.class as f64
}
