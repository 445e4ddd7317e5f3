//! Loops compiled for the instruction set in use, with nothing left out of line.

use crate::kernels::simd::isa::dispatch;

/// Runs `op` compiled for the instruction set in use, by [`dispatch`]. `op` must be marked
/// `#[inline(always)]`, and so must every function and closure that it calls.
///
/// A closure that can be called again is called here as one. Called as `FnOnce` instead, it goes
/// through an adapter of the compiler's that carries no `#[inline(always)]`: a large body then stays
/// a function of its own, compiled for the baseline, with a library call for each fused
/// multiply-add. The softplus loop took 38 ns an element that way, and takes 0.7 this way.
#[inline(always)]
pub fn vectorise<R>(op: impl FnMut() -> R) -> R {
    dispatch(Call(op))
}

struct Call<F>(F);

impl<R, F: FnMut() -> R> pulp::WithSimd for Call<F> {
    type Output = R;

    #[inline(always)]
    fn with_simd<S: pulp::Simd>(mut self, _: S) -> R {
        (self.0)()
    }
}
