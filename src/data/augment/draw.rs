//! Numbers that are drawn for a sample.

use rand::Rng;

use crate::rng::Stream;

/// What a byte can be at most.
pub(super) const FULL: f32 = 255.0;

/// Uniform on \[0, 1).
pub(super) fn fraction(stream: &mut Stream) -> f64 {
    (stream.next_u64() >> 11) as f64 / (1u64 << 53) as f64
}
