//! Squared distances of a row to some centres, and what they mean for gradients.

use crate::kernels::simd::reduce::{LANES, tree};
use crate::kernels::simd::vectorise::vectorise;

/// y_k = ‖x - c_k‖²: `y` `[centres]`, `x` `[n]`, `centres` `[centres, n]`. Each sum runs in 16 lanes, and these are added
/// up as a tree, whatever the instruction set.
pub fn forward(y: &mut [f32], x: &[f32], centres: &[f32]) {
    debug_assert_eq!(centres.len(), y.len() * x.len());
    vectorise(
        #[inline(always)]
        || {
            for (y, centre) in y.iter_mut().zip(centres.chunks_exact(x.len())) {
                *y = squared_distance(x, centre);
            }
        },
    );
}

/// Inverts [`forward`]: dx = Σ 2 dy_k (x - c_k). `dx`, `x` `[n]`, `dy` `[centres]`, `centres` `[centres, n]`.
pub fn backward(dx: &mut [f32], dy: &[f32], x: &[f32], centres: &[f32]) {
    debug_assert!(dx.len() == x.len() && centres.len() == dy.len() * x.len());
    dx.fill(0.0);
    vectorise(
        #[inline(always)]
        || {
            for (&dy, centre) in dy.iter().zip(centres.chunks_exact(x.len())) {
                // Of a least distance all gradients but one are 0.
                if dy != 0.0 {
                    let factor = 2.0 * dy;
                    for ((dx, x), c) in dx.iter_mut().zip(x).zip(centre) {
                        *dx = factor.mul_add(x - c, *dx);
                    }
                }
            }
        },
    );
}

/// Adds the gradient of the centres, `dcentres` `[centres, n]`, for one row: 2 dy_k (c_k - x). `dy` `[centres]`,
/// `x` `[n]`, `centres` `[centres, n]`.
pub fn add_gradient(dcentres: &mut [f32], dy: &[f32], x: &[f32], centres: &[f32]) {
    debug_assert!(dcentres.len() == centres.len() && centres.len() == dy.len() * x.len());
    vectorise(
        #[inline(always)]
        || {
            let rows = dcentres.chunks_exact_mut(x.len()).zip(centres.chunks_exact(x.len()));
            for (&dy, (sums, centre)) in dy.iter().zip(rows) {
                if dy != 0.0 {
                    let factor = 2.0 * dy;
                    for ((sum, x), c) in sums.iter_mut().zip(x).zip(centre) {
                        *sum = factor.mul_add(c - x, *sum);
                    }
                }
            }
        },
    );
}

#[inline(always)]
fn squared_distance(x: &[f32], centre: &[f32]) -> f32 {
    let mut lanes = [0.0f32; LANES];
    let (chunks, rest) = x.as_chunks::<LANES>();
    let (of_centre, rest_of_centre) = centre.as_chunks::<LANES>();
    for (x, c) in chunks.iter().zip(of_centre) {
        for i in 0..LANES {
            let difference = x[i] - c[i];
            lanes[i] = difference.mul_add(difference, lanes[i]);
        }
    }
    for ((lane, x), c) in lanes.iter_mut().zip(rest).zip(rest_of_centre) {
        let difference = x - c;
        *lane = difference.mul_add(difference, *lane);
    }
    tree(lanes, |a, b| a + b)
}
