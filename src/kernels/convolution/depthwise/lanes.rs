//! Vectors of neighbouring channels.

use pulp::Simd;

use crate::tensor::LANES;

/// Places of a row that are worked on together: they share what lies under several of them.
pub(super) const RUN: usize = 4;

/// What a pixel beside the image holds.
pub(super) static NOTHING: [f32; LANES] = [0.0; LANES];

/// # Safety
/// A vector must be readable there.
#[inline(always)]
pub(super) unsafe fn load<S: Simd>(from: *const f32) -> S::f32s {
    // Safety: the caller's.
    unsafe { from.cast::<S::f32s>().read_unaligned() }
}

/// # Safety
/// A vector must be writable there.
#[inline(always)]
pub(super) unsafe fn store<S: Simd>(to: *mut f32, values: S::f32s) {
    // Safety: the caller's.
    unsafe { to.cast::<S::f32s>().write_unaligned(values) }
}
