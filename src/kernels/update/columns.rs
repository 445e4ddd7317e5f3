//! What acts on all incoming weights of single outputs: on the columns of a panel `[in][16]` (see
//! [`panels`](crate::kernels::products::panels)), or on a bias. Norms are taken in f64, where the square of an f32 is
//! exact, in the order of the inputs.

use crate::kernels::simd::reduce;
use crate::kernels::simd::vectorise::vectorise;
use crate::tensor::LANES;

/// Two rows of a panel: as many sums side by side as hide the latency of an addition.
const WIDE: usize = 2 * LANES;

/// Rows that a number for each column is repeated for, so that a loop over them is as plain as one over
/// two arrays: over single rows, the compiler gathers the columns (measured: fifteen times slower).
const ROWS: usize = 16;

/// Floats of these rows.
pub(in crate::kernels) const BLOCK: usize = ROWS * LANES;

/// A number for each column, for each of [`ROWS`] rows.
#[inline(always)]
pub(in crate::kernels) fn repeated(values: &[f32; LANES]) -> [[f32; LANES]; ROWS] {
    [*values; ROWS]
}

/// The norm that a parameter counts as having at least when its gradient is clipped adaptively, so that
/// what begins at zero can leave it: the default of `optax.adaptive_grad_clip`.
pub const ADAPTIVE_EPSILON: f64 = 1e-3;

/// What the norm of a gradient counts as at least when the gradient is divided by it; as optax.
const DIVISION_EPSILON: f64 = 1e-6;

/// Of each column, the sum of the products of `a` and `b`: `[in][16] · [in][16] -> [16]`.
pub fn dots(a: &[f32], b: &[f32]) -> [f64; LANES] {
    debug_assert!(a.len() == b.len() && a.len().is_multiple_of(LANES));
    let sums = vectorise(
        #[inline(always)]
        || {
            let mut sums = [0.0f64; WIDE];
            let ((a, last_a), (b, last_b)) = (a.as_chunks::<WIDE>(), b.as_chunks::<WIDE>());
            for (a, b) in a.iter().zip(b) {
                for i in 0..WIDE {
                    sums[i] += f64::from(a[i]) * f64::from(b[i]);
                }
            }
            for (sum, (&a, &b)) in sums.iter_mut().zip(last_a.iter().zip(last_b)) {
                *sum += f64::from(a) * f64::from(b);
            }
            sums
        },
    );
    std::array::from_fn(|i| sums[i] + sums[i + LANES])
}

/// Multiplies each column of a panel `[in][16]` by a factor.
pub fn scale(panel: &mut [f32], factors: &[f32; LANES]) {
    vectorise(
        #[inline(always)]
        || {
            let factors = repeated(factors);
            for block in panel.chunks_mut(BLOCK) {
                for (x, factor) in block.iter_mut().zip(factors.as_flattened()) {
                    *x *= factor;
                }
            }
        },
    );
}

/// Adaptive gradient clipping of each column of a panel (Brock et al.: High-performance large-scale
/// image recognition without normalization, 2021; as `optax.adaptive_grad_clip`): a gradient g of a
/// column p whose norm is not below m = `limit` · max(‖p‖, ε) becomes g m / ‖g‖.
///
/// `gradients`, `parameters` `[in][16]`
pub fn clip_adaptively(gradients: &mut [f32], parameters: &[f32], limit: f32) {
    let (of_gradient, of_parameters) = (dots(gradients, gradients), dots(parameters, parameters));
    let factors = std::array::from_fn(|i| adaptive_factor(of_gradient[i], of_parameters[i], limit));
    if factors != [1.0; LANES] {
        scale(gradients, &factors);
    }
}

/// [`clip_adaptively`], of all numbers as one vector `[n]`.
pub fn clip_vector_adaptively(gradients: &mut [f32], parameters: &[f32], limit: f32) {
    let (of_gradient, of_parameters) =
        (reduce::sum_of_squares(gradients), reduce::sum_of_squares(parameters));
    let factor = adaptive_factor(of_gradient, of_parameters, limit);
    if factor != 1.0 {
        crate::kernels::elementwise::clip::scale(gradients, factor);
    }
}

/// [`clip_adaptively`], of each number by itself, `[n]`.
pub fn clip_each_adaptively(gradients: &mut [f32], parameters: &[f32], limit: f32) {
    let square = |x: f32| f64::from(x) * f64::from(x);
    for (g, &p) in gradients.iter_mut().zip(parameters) {
        *g *= adaptive_factor(square(*g), square(p), limit);
    }
}

/// What a gradient is multiplied by, from the sums of squares of it and of its parameters; NaN if one of
/// them is.
fn adaptive_factor(of_gradient: f64, of_parameters: f64, limit: f32) -> f32 {
    // `f64::max` would lose a NaN.
    let at_least = |norm: f64, least: f64| if norm < least { least } else { norm };
    let most = f64::from(limit) * at_least(of_parameters.sqrt(), ADAPTIVE_EPSILON);
    let norm = of_gradient.sqrt();
    if norm < most { 1.0 } else { (most / at_least(norm, DIVISION_EPSILON)) as f32 }
}

/// The max-norm constraint (Srivastava et al.: Dropout, 2014, §5.1; as `torch.renorm` of the rows of a
/// weight): a column of a panel `[in][16]` whose norm is above `limit` is scaled back to it.
pub fn limit_norms(panel: &mut [f32], limit: f32) {
    let limit = f64::from(limit);
    let factor = |squares: f64| if squares.sqrt() > limit { (limit / squares.sqrt()) as f32 } else { 1.0 };
    let factors = dots(panel, panel).map(factor);
    if factors != [1.0; LANES] {
        scale(panel, &factors);
    }
}
