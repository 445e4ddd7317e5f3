//! Reductions of a slice to one number. Sums run in [`LANES`] lanes, element i in lane i modulo
//! [`LANES`], which are then added up as a tree: the order of the additions is fixed by the length
//! alone, so the result has the same bits on every instruction set.

use super::vectorise::vectorise;

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

/// The lanes after every element has been folded into its own.
#[inline(always)]
fn fold<T: Copy>(values: &[f32], start: T, combine: impl Fn(T, f32) -> T) -> [T; LANES] {
    let mut lanes = [start; LANES];
    let (chunks, rest) = values.as_chunks::<LANES>();
    for chunk in chunks {
        for i in 0..LANES {
            lanes[i] = combine(lanes[i], chunk[i]);
        }
    }
    for (lane, &value) in lanes.iter_mut().zip(rest) {
        *lane = combine(*lane, value);
    }
    lanes
}

/// The sum, in f64.
pub fn sum_f64(values: &[f32]) -> f64 {
    vectorise(
        #[inline(always)]
        || tree(fold(values, 0.0, |sum: f64, x| sum + f64::from(x)), |a, b| a + b),
    )
}

/// The sum of the squares, in f64, where the square of an f32 is exact.
pub fn sum_of_squares(values: &[f32]) -> f64 {
    vectorise(
        #[inline(always)]
        || tree(fold(values, 0.0, |sum: f64, x| sum + f64::from(x) * f64::from(x)), |a, b| a + b),
    )
}

/// The largest absolute value; 0 of no values, NaN if there is one.
pub fn max_abs(values: &[f32]) -> f32 {
    // The bits of non-negative floats are ordered as the floats are, with infinity and then the
    // NaNs on top, and the maximum of integers is one instruction.
    const WITHOUT_SIGN: u32 = 0x7fff_ffff;
    let bits = vectorise(
        #[inline(always)]
        || tree(fold(values, 0, |max: u32, x| max.max(x.to_bits() & WITHOUT_SIGN)), u32::max),
    );
    f32::from_bits(bits)
}

/// Whether no value is infinite or NaN.
pub fn all_finite(values: &[f32]) -> bool {
    max_abs(values).is_finite()
}
