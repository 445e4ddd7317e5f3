//! Reductions of a slice to one number. Sums run in [`LANES`] lanes, element i in lane i modulo
//! [`LANES`], which are then added up as a tree: the order of the additions is fixed by the length
//! alone, so the result has the same bits on every instruction set.

use crate::kernels::simd::vectorise::vectorise;

/// The number of partial sums: one AVX-512 vector of f32, two of f64.
pub const LANES: usize = 16;

/// Combines the lanes pairwise: 16 to 8, 4, 2, 1.
#[inline(always)]
pub fn tree<T: Copy>(mut lanes: [T; LANES], combine: impl Fn(T, T) -> T) -> T {
    let mut half = LANES / 2;
    while half > 0 {
        for i in 0..half {
            lanes[i] = combine(lanes[i], lanes[i + half]);
        }
        half /= 2;
    }
    lanes[0]
}

/// The lanes after the term of every element has been added to its own.
#[inline(always)]
fn sum_lanes(values: &[f32], term: impl Fn(f32) -> f64) -> [f64; LANES] {
    let mut lanes = [0.0; LANES];
    let (chunks, rest) = values.as_chunks::<LANES>();
    for chunk in chunks {
        for i in 0..LANES {
            lanes[i] += term(chunk[i]);
        }
    }
    for (lane, &value) in lanes.iter_mut().zip(rest) {
        *lane += term(value);
    }
    lanes
}

/// The sum, in f64.
pub fn sum_f64(values: &[f32]) -> f64 {
    vectorise(
        #[inline(always)]
        || tree(sum_lanes(values, f64::from), |a, b| a + b),
    )
}

/// The sum of the squares, in f64, where the square of an f32 is exact.
pub fn sum_of_squares(values: &[f32]) -> f64 {
    vectorise(
        #[inline(always)]
        || tree(sum_lanes(values, |x| f64::from(x) * f64::from(x)), |a, b| a + b),
    )
}

/// The largest absolute value; 0 of no values, NaN if there is one.
pub fn max_abs(values: &[f32]) -> f32 {
    // The bits of non-negative floats are ordered as the floats are, with infinity and then the
    // NaNs on top, and the maximum of integers is one instruction.
    const WITHOUT_SIGN: u32 = 0x7fff_ffff;
    // The order does not matter to a maximum, so the compiler picks the lanes.
    let bits = vectorise(
        #[inline(always)]
        || values.iter().fold(0, |max: u32, x| max.max(x.to_bits() & WITHOUT_SIGN)),
    );
    f32::from_bits(bits)
}

/// Whether no value is infinite or NaN.
pub fn all_finite(values: &[f32]) -> bool {
    max_abs(values).is_finite()
}
