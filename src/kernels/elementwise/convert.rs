//! From the bytes of images to the numbers a network takes.

use crate::kernels::simd::vectorise::vectorise;

/// out = bytes * scale + shift, elementwise over slices of equal length.
pub fn bytes_to_floats(out: &mut [f32], bytes: &[u8], scale: f32, shift: f32) {
    debug_assert_eq!(out.len(), bytes.len());
    vectorise(
        #[inline(always)]
        || {
            for (out, &byte) in out.iter_mut().zip(bytes) {
                *out = f32::from(byte).mul_add(scale, shift);
            }
        },
    )
}

/// out = values * scale + shift, elementwise over slices of equal length.
pub fn scale_and_shift(out: &mut [f32], values: &[f32], scale: f32, shift: f32) {
    debug_assert_eq!(out.len(), values.len());
    vectorise(
        #[inline(always)]
        || {
            for (out, &value) in out.iter_mut().zip(values) {
                *out = value.mul_add(scale, shift);
            }
        },
    )
}
