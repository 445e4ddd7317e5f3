//! Random numbers for a sample.

use rand::Rng;

use crate::rng::Stream;

/// The largest value of a byte.
pub(super) const FULL: f32 = 255.0;

/// A number that is uniform on \[0, 1).
pub(super) fn fraction(stream: &mut Stream) -> f64 {
    (stream.next_u64() >> 11) as f64 / (1u64 << 53) as f64
}
