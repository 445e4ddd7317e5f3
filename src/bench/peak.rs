//! The multiply-add peak: what the processor could do if nothing but arithmetic had to happen.

use std::time::Duration;

use super::rates::{Rounds, best, rates};
use crate::kernels::simd::isa::Isa;
use crate::kernels::simd::peak::{Precision, multiply_adds};
use crate::team::Team;

/// Multiply-adds of each chain between two looks at the clock: some ten microseconds, so that
/// beginning, ending and the clock take no part of it that matters.
const ROUND: usize = 10_000;

/// f32 multiply-adds in registers on all workers at the same time, for `time`, in flops per second,
/// a multiply-add counting as two.
pub fn flops_per_second(team: &Team, time: Duration) -> f64 {
    flops_per_second_of(team, Isa::current(), Precision::F32, time)
}

/// The same of one instruction set and precision.
///
/// # Panics
/// If they are not among those of [`available`](crate::kernels::simd::peak::available).
pub fn flops_per_second_of(team: &Team, isa: Isa, precision: Precision, time: Duration) -> f64 {
    let once = Rounds { most: 1, budget: Duration::ZERO, time };
    best(&rates(team, once, || (), |_, ()| multiply_adds(isa, precision, ROUND).flops))
}
