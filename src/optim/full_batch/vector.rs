//! Arithmetic on vectors of f64. Sums run in [`LANES`] lanes, as those of [`reduce`], so that their bits
//! depend on the length alone.

use crate::kernels::simd::reduce::{self, LANES};
use crate::kernels::simd::vectorise::vectorise;

/// The sum of all products; `a`, `b` \[n\].
pub fn dot(a: &[f64], b: &[f64]) -> f64 {
    debug_assert_eq!(a.len(), b.len());
    vectorise(
        #[inline(always)]
        || {
            let mut lanes = [0.0; LANES];
            let ((a, rest_a), (b, rest_b)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
            for (a, b) in a.iter().zip(b) {
                for i in 0..LANES {
                    lanes[i] += a[i] * b[i];
                }
            }
            for (lane, (a, b)) in lanes.iter_mut().zip(rest_a.iter().zip(rest_b)) {
                *lane += a * b;
            }
            reduce::tree(lanes, |a, b| a + b)
        },
    )
}

/// The sum of all absolute values.
pub fn sum_abs(values: &[f64]) -> f64 {
    vectorise(
        #[inline(always)]
        || {
            let mut lanes = [0.0; LANES];
            let (chunks, rest) = values.as_chunks::<LANES>();
            for chunk in chunks {
                for i in 0..LANES {
                    lanes[i] += chunk[i].abs();
                }
            }
            for (lane, value) in lanes.iter_mut().zip(rest) {
                *lane += value.abs();
            }
            reduce::tree(lanes, |a, b| a + b)
        },
    )
}

/// The largest absolute value; 0 of no values, NaN if there is one.
pub fn max_abs(values: &[f64]) -> f64 {
    let larger = |most: f64, value: &f64| {
        let size = value.abs();
        if size > most || size.is_nan() { size } else { most }
    };
    values.iter().fold(0.0, larger)
}

/// y ← y + a x; `y`, `x` \[n\].
pub fn add_scaled(y: &mut [f64], a: f64, x: &[f64]) {
    debug_assert_eq!(y.len(), x.len());
    vectorise(
        #[inline(always)]
        || {
            for (y, x) in y.iter_mut().zip(x) {
                *y += a * x;
            }
        },
    );
}

/// y ← -x; `y`, `x` \[n\].
pub fn set_negative(y: &mut [f64], x: &[f64]) {
    debug_assert_eq!(y.len(), x.len());
    for (y, x) in y.iter_mut().zip(x) {
        *y = -x;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::simd::isa::{self, Isa};

    #[test]
    fn sums_are_exact_for_small_integers_on_every_instruction_set() {
        for isa in Isa::available() {
            isa::force(isa);
            for count in [0, 1, 15, 16, 17, 100] {
                let values: Vec<f64> = (0..count).map(|i| f64::from(i) - 7.0).collect();
                let squares: f64 = values.iter().map(|x| x * x).sum();
                let sizes: f64 = values.iter().map(|x| x.abs()).sum();
                assert_eq!((dot(&values, &values), sum_abs(&values)), (squares, sizes), "{count}");
                let mut sum = vec![1.0; values.len()];
                add_scaled(&mut sum, 2.0, &values);
                assert!(sum.iter().zip(&values).all(|(y, x)| *y == 1.0 + 2.0 * x));
            }
        }
    }

    #[test]
    fn the_largest_size_is_nan_if_one_is() {
        assert_eq!((max_abs(&[]), max_abs(&[1.0, -3.0, 2.0])), (0.0, 3.0));
        assert!(max_abs(&[1.0, f64::NAN, 2.0]).is_nan() && max_abs(&[f64::NAN]).is_nan());
    }
}
