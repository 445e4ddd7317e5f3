//! Gated linear units: one half of the numbers times an activation of the other.

use crate::kernels::activation::{self, Activation};
use crate::kernels::simd::vectorise::vectorise;

/// y = a gate(b), slices of equal length. `scratch` is as long, and takes gate(b).
pub fn forward(y: &mut [f32], [a, b]: [&[f32]; 2], gate: Activation, scratch: &mut [f32]) {
    debug_assert!(y.len() == a.len() && y.len() == b.len() && y.len() == scratch.len());
    activation::forward(gate, scratch, b);
    multiply(y, a, scratch);
}

/// Inverts [`forward`]: da = dy gate(b), db = dy a gate'(b). `scratch` is as long as two of the slices.
pub fn backward(
    [da, db]: [&mut [f32]; 2],
    dy: &[f32],
    [a, b]: [&[f32]; 2],
    gate: Activation,
    scratch: &mut [f32],
) {
    debug_assert!(da.len() == dy.len() && db.len() == dy.len() && scratch.len() == 2 * dy.len());
    let (opened, product) = scratch.split_at_mut(dy.len());
    activation::forward(gate, opened, b);
    multiply(da, dy, opened);
    multiply(product, dy, a);
    let saved = if gate.derivative_from_output() { &*opened } else { b };
    activation::backward(gate, db, product, saved);
}

/// to = a b, slices of equal length.
fn multiply(to: &mut [f32], a: &[f32], b: &[f32]) {
    vectorise(
        #[inline(always)]
        || {
            for ((to, a), b) in to.iter_mut().zip(a).zip(b) {
                *to = a * b;
            }
        },
    );
}
