//! The multiply-add peak: what the processor could do if nothing but arithmetic had to happen.

use std::hint::black_box;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use pulp::{Simd, WithSimd};

use crate::kernels::isa::dispatch;
use crate::team::Team;

/// Independent sums: more than latency times throughput of any multiply-add unit so far, fewer than
/// the registers of AVX2.
const SUMS: usize = 12;

/// Multiply-adds of each sum between two looks at the clock: some microseconds.
const ROUND: usize = 2000;

/// f32 multiply-adds in registers on all workers at the same time, for `time`, in flops per second:
/// the sum of what each worker reached, a multiply-add counting as two.
pub fn flops_per_second(team: &Team, time: Duration) -> f64 {
    let rates = Mutex::new(0.0);
    team.run(
        |worker| {
            worker.barrier();
            let begun = Instant::now();
            let mut flops = 0;
            let mut elapsed = Duration::ZERO;
            while elapsed < time {
                flops += black_box(dispatch(MultiplyAdds));
                elapsed = begun.elapsed();
            }
            let rate = flops as f64 / elapsed.as_secs_f64();
            *rates.lock().unwrap_or_else(std::sync::PoisonError::into_inner) += rate;
        },
        None,
    );
    rates.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// One round; gives the flops it did.
struct MultiplyAdds;

impl WithSimd for MultiplyAdds {
    type Output = usize;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> usize {
        let factor = simd.splat_f32s(black_box(0.999));
        let summand = simd.splat_f32s(black_box(0.001));
        let mut sums = [simd.splat_f32s(1.0); SUMS];
        for _ in 0..ROUND {
            for sum in &mut sums {
                *sum = simd.mul_add_f32s(*sum, factor, summand);
            }
        }
        for sum in sums {
            black_box(sum);
        }
        2 * SUMS * ROUND * S::F32_LANES
    }
}
