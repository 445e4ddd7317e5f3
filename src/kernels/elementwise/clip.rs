//! What is done to gradients before an update.

use crate::kernels::simd::vectorise::vectorise;

/// The gradient of an L1 penalty: g ← g + factor · sign(p), with sign(0) = 0.
///
/// `gradients`, `parameters` \[n\]
pub fn add_signs(gradients: &mut [f32], parameters: &[f32], factor: f32) {
    debug_assert_eq!(gradients.len(), parameters.len());
    vectorise(
        #[inline(always)]
        || {
            for (g, &p) in gradients.iter_mut().zip(parameters) {
                let sign = f32::from(u8::from(p > 0.0)) - f32::from(u8::from(p < 0.0));
                *g = factor.mul_add(sign, *g);
            }
        },
    );
}

/// x ← x, but not beyond ±`limit`, which is above 0; NaN stays NaN.
pub fn clamp(values: &mut [f32], limit: f32) {
    vectorise(
        #[inline(always)]
        || {
            for x in values.iter_mut() {
                // `f32::clamp` could panic, which keeps the loop from whole vectors (eight times slower).
                let below = if *x > limit { limit } else { *x };
                *x = if below < -limit { -limit } else { below };
            }
        },
    );
}

/// x ← x · `factor`
pub fn scale(values: &mut [f32], factor: f32) {
    vectorise(
        #[inline(always)]
        || {
            for x in values.iter_mut() {
                *x *= factor;
            }
        },
    );
}
