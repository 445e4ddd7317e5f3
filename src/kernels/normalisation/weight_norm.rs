//! Weight normalisation of the columns of a panel `[in][16]`: `w = g v / ‖v‖`, for each column by itself
//! (Salimans and Kingma: Weight normalization, 2016).
//!
//! A column v of zeros has no direction: its weights are zeros, and so is its gradient. The columns of
//! padding are such.

use crate::kernels::simd::vectorise::vectorise;
use crate::kernels::update::columns::{BLOCK, dots, repeated};
use crate::tensor::LANES;

/// The norm of each column of `v` `[in][16]`: the g with which w is v.
pub fn norms(g: &mut [f32], v: &[f32]) {
    for (g, squares) in g.iter_mut().zip(dots(v, v)) {
        *g = squares.sqrt() as f32;
    }
}

/// `w = g v / ‖v‖`. `w`, `v` `[in][16]`, `g` \[16\]
pub fn forward(w: &mut [f32], v: &[f32], g: &[f32]) {
    debug_assert!(w.len() == v.len() && g.len() == LANES);
    let squares = dots(v, v);
    let factors: [f32; LANES] = std::array::from_fn(|i| over(f64::from(g[i]), squares[i].sqrt()) as f32);
    vectorise(
        #[inline(always)]
        || {
            let factors = repeated(&factors);
            for (w, v) in w.chunks_mut(BLOCK).zip(v.chunks(BLOCK)) {
                for ((w, v), factor) in w.iter_mut().zip(v).zip(factors.as_flattened()) {
                    *w = v * factor;
                }
            }
        },
    );
}

/// Inverts [`forward`]: of the gradient of w, which `dv` holds, it makes that of v in its place, and that
/// of g. `dv`, `v` `[in][16]`, `dg`, `g` \[16\]
///
/// With s = Σ dw v: dg = s / ‖v‖, dv = g / ‖v‖ (dw - s / ‖v‖² v).
pub fn backward(dv: &mut [f32], dg: &mut [f32], v: &[f32], g: &[f32]) {
    debug_assert!(dv.len() == v.len() && dg.len() == LANES && g.len() == LANES);
    let (products, squares) = (dots(dv, v), dots(v, v));
    let (mut along, mut across) = ([0.0f32; LANES], [0.0f32; LANES]);
    for i in 0..LANES {
        let slope = over(products[i], squares[i].sqrt());
        let factor = over(f64::from(g[i]), squares[i].sqrt());
        dg[i] = slope as f32;
        across[i] = factor as f32;
        along[i] = -(factor * over(slope, squares[i].sqrt())) as f32;
    }
    vectorise(
        #[inline(always)]
        || {
            let (along, across) = (repeated(&along), repeated(&across));
            for (dv, v) in dv.chunks_mut(BLOCK).zip(v.chunks(BLOCK)) {
                let factors = along.as_flattened().iter().zip(across.as_flattened());
                for ((dv, &v), (along, across)) in dv.iter_mut().zip(v).zip(factors) {
                    *dv = along.mul_add(v, across * *dv);
                }
            }
        },
    );
}

/// `x / norm`, and 0 where the norm is.
fn over(x: f64, norm: f64) -> f64 {
    if norm == 0.0 { 0.0 } else { x / norm }
}
