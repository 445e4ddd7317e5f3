//! Random Fourier features: what becomes of the products w x + b.

use crate::kernels::simd::math;
use crate::kernels::simd::vectorise::vectorise;

/// y = scale cos(z), where `y` `[n]` holds z.
pub fn forward(y: &mut [f32], scale: f32) {
    vectorise(
        #[inline(always)]
        || {
            for y in y.iter_mut() {
                *y = scale * math::cos(*y);
            }
        },
    );
}

/// Inverts [`forward`]: dz = -scale sin(z) dy, where `dz` `[n]` holds z; `dy` `[n]`.
pub fn backward(dz: &mut [f32], dy: &[f32], scale: f32) {
    debug_assert_eq!(dz.len(), dy.len());
    vectorise(
        #[inline(always)]
        || {
            for (dz, &dy) in dz.iter_mut().zip(dy) {
                *dz = -scale * math::sin(*dz) * dy;
            }
        },
    );
}
