//! ReLU with a slope below 0 that is trained, one for all numbers or one for each channel.

use crate::kernels::simd::vectorise::vectorise;
use crate::tensor::LANES;

/// y = x if x > 0, else slope x: slices of equal length.
pub fn forward(y: &mut [f32], x: &[f32], slope: f32) {
    debug_assert_eq!(y.len(), x.len());
    vectorise(
        #[inline(always)]
        || {
            for (y, &x) in y.iter_mut().zip(x) {
                *y = if x > 0.0 { x } else { slope * x };
            }
        },
    );
}

/// Inverts [`forward`]: dx = dy if x > 0, else slope dy.
pub fn backward(dx: &mut [f32], dy: &[f32], x: &[f32], slope: f32) {
    debug_assert!(dx.len() == dy.len() && dx.len() == x.len());
    vectorise(
        #[inline(always)]
        || {
            for ((dx, &dy), &x) in dx.iter_mut().zip(dy).zip(x) {
                *dx = if x > 0.0 { dy } else { slope * dy };
            }
        },
    );
}

/// The gradient of the slope, Σ dy min(x, 0): summed in 16 lanes, and these in their order, whatever the instruction
/// set.
pub fn gradient(dy: &[f32], x: &[f32]) -> f32 {
    debug_assert_eq!(dy.len(), x.len());
    let mut lanes = [0.0f32; LANES];
    vectorise(
        #[inline(always)]
        || {
            let (dy, dy_rest) = dy.as_chunks::<LANES>();
            let (x, x_rest) = x.as_chunks::<LANES>();
            for (dy, x) in dy.iter().zip(x) {
                for ((sum, dy), x) in lanes.iter_mut().zip(dy).zip(x) {
                    *sum = dy.mul_add(x.min(0.0), *sum);
                }
            }
            for ((sum, dy), x) in lanes.iter_mut().zip(dy_rest).zip(x_rest) {
                *sum = dy.mul_add(x.min(0.0), *sum);
            }
        },
    );
    lanes.iter().sum()
}

/// [`forward`] of pixels `[pixels, slopes.len()]` with a slope for each channel.
pub fn forward_by_channel(y: &mut [f32], x: &[f32], slopes: &[f32]) {
    debug_assert!(y.len() == x.len() && y.len().is_multiple_of(slopes.len()));
    vectorise(
        #[inline(always)]
        || {
            for (y, x) in y.chunks_exact_mut(slopes.len()).zip(x.chunks_exact(slopes.len())) {
                for ((y, &x), slope) in y.iter_mut().zip(x).zip(slopes) {
                    *y = if x > 0.0 { x } else { slope * x };
                }
            }
        },
    );
}

/// Inverts [`forward_by_channel`].
pub fn backward_by_channel(dx: &mut [f32], dy: &[f32], x: &[f32], slopes: &[f32]) {
    debug_assert!(dx.len() == dy.len() && dx.len() == x.len() && dx.len().is_multiple_of(slopes.len()));
    let channels = slopes.len();
    vectorise(
        #[inline(always)]
        || {
            let pixels = dx.chunks_exact_mut(channels).zip(dy.chunks_exact(channels));
            for ((dx, dy), x) in pixels.zip(x.chunks_exact(channels)) {
                for (((dx, &dy), &x), slope) in dx.iter_mut().zip(dy).zip(x).zip(slopes) {
                    *dx = if x > 0.0 { dy } else { slope * dy };
                }
            }
        },
    );
}

/// Adds the gradient of each channel's slope over all pixels, in their order.
pub fn add_gradient_by_channel(dslopes: &mut [f32], dy: &[f32], x: &[f32]) {
    debug_assert!(dy.len() == x.len() && dy.len().is_multiple_of(dslopes.len()));
    let channels = dslopes.len();
    vectorise(
        #[inline(always)]
        || {
            for (dy, x) in dy.chunks_exact(channels).zip(x.chunks_exact(channels)) {
                for ((sum, dy), x) in dslopes.iter_mut().zip(dy).zip(x) {
                    *sum = dy.mul_add(x.min(0.0), *sum);
                }
            }
        },
    );
}
