//! Penalties, limits and factors of gradients before an update.

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

/// The gradient of a penalty on squares: g ← g + factor · p.
///
/// `gradients`, `parameters` \[n\]
pub fn add_scaled(gradients: &mut [f32], parameters: &[f32], factor: f32) {
    debug_assert_eq!(gradients.len(), parameters.len());
    vectorise(
        #[inline(always)]
        || {
            for (g, &p) in gradients.iter_mut().zip(parameters) {
                *g = factor.mul_add(p, *g);
            }
        },
    );
}

/// x ← sign(x) · max(|x| - threshold, 0), the proximal step of a penalty on magnitudes; NaN stays NaN. `values` `[n]`.
pub fn soft_threshold(values: &mut [f32], threshold: f32) {
    vectorise(
        #[inline(always)]
        || {
            for x in values.iter_mut() {
                let shrunk = *x - threshold.copysign(*x);
                *x = if x.abs() <= threshold { 0.0 } else { shrunk };
            }
        },
    );
}

/// x ← x, but not beyond ±`limit`, which is above 0; NaN stays NaN. `values` `[n]`.
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

/// x ← x · `factor`. `values` `[n]`.
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
