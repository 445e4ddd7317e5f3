//! Multiply-adds that never leave the registers: nothing that a processor computes goes faster, so
//! these measure its peak.
//!
//! Chain i of twelve is, in every lane of a vector,
//!
//! ```text
//! x = begin(i)
//! repeat `steps` times: x = x * FACTOR + SUMMAND
//! ```
//!
//! Each chain waits for its own last result only, so that all multiply-add units are busy.

use std::hint::black_box;

use pulp::{Simd, WithSimd};

use crate::kernels::simd::isa::{Isa, dispatch_on};

/// Independent chains: more than latency times throughput of any multiply-add unit so far, fewer
/// than the registers of AVX2.
const CHAINS: usize = 12;

/// Keeps every chain near 1, far from infinity and from denormals.
const FACTOR: f32 = 0.999;
const SUMMAND: f32 = 0.001;

/// What is multiplied and added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precision {
    F32,
    /// Products of bf16 added up in f32.
    Bf16,
}

impl Precision {
    /// "f32", "bf16"
    pub fn name(self) -> &'static str {
        match self {
            Precision::F32 => "f32",
            Precision::Bf16 => "bf16",
        }
    }
}

/// All that this CPU can multiply and add with, the best last for each precision.
pub fn available() -> Vec<(Isa, Precision)> {
    let mut found: Vec<_> = Isa::available().into_iter().map(|isa| (isa, Precision::F32)).collect();
    if has_bf16() {
        found.push((Isa::Avx512, Precision::Bf16));
    }
    found
}

fn has_bf16() -> bool {
    #[cfg(target_arch = "x86_64")]
    return Isa::Avx512.is_available() && is_x86_feature_detected!("avx512bf16");
    #[cfg(not(target_arch = "x86_64"))]
    false
}

/// What a run of the chains has done.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Done {
    /// Operations, a multiply-add counting as two.
    pub flops: usize,
    /// The sum of all lanes of all chains at their end.
    pub sum: f64,
}

/// Runs the chains. SSE2, the baseline of x86-64, has no fused multiply-add: there it is a
/// multiplication and an addition.
///
/// # Panics
/// If the CPU has no such instructions.
pub fn multiply_adds(isa: Isa, precision: Precision, steps: usize) -> Done {
    match precision {
        Precision::F32 if isa == Isa::Baseline && cfg!(target_arch = "x86_64") => sse2(steps),
        Precision::F32 => dispatch_on(isa, Chains { steps }),
        Precision::Bf16 => {
            assert!(isa == Isa::Avx512 && has_bf16(), "this CPU has no {} for bf16", isa.name());
            // Safety: just asked.
            unsafe { bf16(steps) }
        }
    }
}

/// Where chain i begins.
#[inline(always)]
fn begin(chain: usize) -> f32 {
    black_box(1.0 + chain as f32 / 8.0)
}

struct Chains {
    steps: usize,
}

impl WithSimd for Chains {
    type Output = Done;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> Done {
        let (factor, summand) = (simd.splat_f32s(black_box(FACTOR)), simd.splat_f32s(black_box(SUMMAND)));
        let mut chains: [S::f32s; CHAINS] = std::array::from_fn(
            #[inline(always)]
            |chain| simd.splat_f32s(begin(chain)),
        );
        for _ in 0..self.steps {
            for chain in &mut chains {
                *chain = simd.mul_add_f32s(*chain, factor, summand);
            }
        }
        let sum = chains.iter().map(
            #[inline(always)]
            |&chain| total(pulp::bytemuck::cast_slice(&[chain])),
        );
        Done { flops: 2 * CHAINS * self.steps * S::F32_LANES, sum: sum.sum() }
    }
}

/// The sum of the lanes; exact, as all of them are near 1.
#[inline(always)]
fn total(lanes: &[f32]) -> f64 {
    lanes.iter().map(|&lane| f64::from(lane)).sum()
}

#[cfg(target_arch = "x86_64")]
fn sse2(steps: usize) -> Done {
    use std::arch::x86_64::{_mm_add_ps, _mm_mul_ps, _mm_set1_ps, _mm_setzero_ps, _mm_storeu_ps};
    const LANES: usize = 4;
    let mut lanes = [0.0; LANES];
    let mut sum = 0.0;
    // Safety: every x86-64 CPU has SSE2, and four lanes are stored where there is room for four.
    #[allow(unused_unsafe)] // newer compilers call the arithmetic safe
    unsafe {
        let (factor, summand) = (_mm_set1_ps(black_box(FACTOR)), _mm_set1_ps(black_box(SUMMAND)));
        let mut chains = [_mm_setzero_ps(); CHAINS];
        for (index, chain) in chains.iter_mut().enumerate() {
            *chain = _mm_set1_ps(begin(index));
        }
        for _ in 0..steps {
            for chain in &mut chains {
                *chain = _mm_add_ps(_mm_mul_ps(*chain, factor), summand);
            }
        }
        for chain in chains {
            _mm_storeu_ps(lanes.as_mut_ptr(), chain);
            sum += total(&lanes);
        }
    }
    Done { flops: 2 * CHAINS * steps * LANES, sum }
}

#[cfg(not(target_arch = "x86_64"))]
fn sse2(_: usize) -> Done {
    unreachable!("asked for on x86-64 only")
}

/// Every lane of a chain grows by `1 * 0.5 + 1 * 0.5` in each step, which bf16 and f32 hold exactly
/// up to 2^24 steps: one instruction multiplies and adds two pairs.
///
/// # Safety
/// The CPU must have AVX-512 for bf16.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bf16")]
unsafe fn bf16(steps: usize) -> Done {
    use std::arch::x86_64::{_mm512_cvtne2ps_pbh, _mm512_dpbf16_ps, _mm512_set1_ps, _mm512_storeu_ps};
    const LANES: usize = 16;
    let (one, half) = (_mm512_set1_ps(black_box(1.0)), _mm512_set1_ps(black_box(0.5)));
    let (one, half) = (_mm512_cvtne2ps_pbh(one, one), _mm512_cvtne2ps_pbh(half, half));
    let mut chains = [_mm512_set1_ps(0.0); CHAINS];
    for (index, chain) in chains.iter_mut().enumerate() {
        *chain = _mm512_set1_ps(begin(index));
    }
    for _ in 0..steps {
        for chain in &mut chains {
            *chain = _mm512_dpbf16_ps(*chain, one, half);
        }
    }
    let mut lanes = [0.0; LANES];
    let mut sum = 0.0;
    for chain in chains {
        // Safety: sixteen lanes are stored where there is room for sixteen.
        unsafe { _mm512_storeu_ps(lanes.as_mut_ptr(), chain) };
        sum += total(&lanes);
    }
    Done { flops: 2 * CHAINS * steps * 2 * LANES, sum }
}

#[cfg(not(target_arch = "x86_64"))]
unsafe fn bf16(_: usize) -> Done {
    unreachable!("this CPU was asked, and has none")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One chain in plain arithmetic.
    fn chain(isa: Isa, precision: Precision, index: usize, steps: usize) -> f32 {
        let begin = 1.0 + index as f32 / 8.0;
        let fused = !(isa == Isa::Baseline && cfg!(target_arch = "x86_64"));
        (0..steps).fold(begin, |x, _| match precision {
            Precision::Bf16 => x + 1.0,
            Precision::F32 if fused => x.mul_add(FACTOR, SUMMAND),
            Precision::F32 => x * FACTOR + SUMMAND,
        })
    }

    #[test]
    fn the_chains_do_what_they_say_and_count_it_right() {
        for (isa, precision) in available() {
            let lanes = match isa {
                Isa::Baseline => 4,
                Isa::Avx2 => 8,
                Isa::Avx512 => 16,
            };
            let pairs = if precision == Precision::Bf16 { 2 } else { 1 };
            for steps in [0, 1, 7, 1000] {
                let expected: f64 =
                    (0..CHAINS).map(|index| f64::from(chain(isa, precision, index, steps))).sum();
                let done = multiply_adds(isa, precision, steps);
                assert_eq!(done.sum, f64::from(lanes) * expected, "{isa:?} {precision:?}, {steps} steps");
                assert_eq!(done.flops, 2 * CHAINS * steps * lanes as usize * pairs, "{isa:?} {precision:?}");
            }
        }
    }
}
