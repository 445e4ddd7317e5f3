//! Which instruction set the kernels run on, chosen once at run time.
//!
//! Elementwise kernels are plain loops; [`vectorise`](super::vectorise::vectorise) compiles each of
//! them once per instruction set (AVX-512, AVX2 with FMA, the baseline) and calls the best one the
//! CPU has. `f32::mul_add` is one fused operation on all of them, so results do not depend on the
//! instruction set.

use std::sync::atomic::{AtomicU8, Ordering};

/// An x86-64 instruction set that kernels are compiled for. Elsewhere only the baseline exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Isa {
    /// What every CPU of the target has (SSE2 on x86-64, NEON on Arm).
    Baseline = 1,
    /// AVX2 and FMA.
    Avx2 = 2,
    /// AVX-512 F, BW, CD, DQ, VL.
    Avx512 = 3,
}

impl Isa {
    /// All instruction sets that this CPU can run, the best last.
    pub fn available() -> Vec<Isa> {
        #[allow(unused_mut)]
        let mut found = vec![Isa::Baseline];
        #[cfg(target_arch = "x86_64")]
        {
            if pulp::x86::V3::try_new().is_some() {
                found.push(Isa::Avx2);
            }
            if pulp::x86::V4::try_new().is_some() {
                found.push(Isa::Avx512);
            }
        }
        found
    }

    /// The instruction set in use: the best available one unless [`force`] chose another.
    pub fn current() -> Isa {
        match CURRENT.load(Ordering::Relaxed) {
            1 => Isa::Baseline,
            2 => Isa::Avx2,
            3 => Isa::Avx512,
            _ => {
                let best = *Isa::available().last().expect("the baseline is always available");
                CURRENT.store(best as u8, Ordering::Relaxed);
                best
            }
        }
    }

    /// A short name: "AVX-512".
    pub fn name(self) -> &'static str {
        match self {
            Isa::Baseline => "baseline",
            Isa::Avx2 => "AVX2",
            Isa::Avx512 => "AVX-512",
        }
    }
}

static CURRENT: AtomicU8 = AtomicU8::new(0);

/// Makes every kernel of the process run on `isa`, for tests and benchmarks.
///
/// # Panics
/// If the CPU does not have it.
pub fn force(isa: Isa) {
    assert!(Isa::available().contains(&isa), "this CPU has no {}", isa.name());
    CURRENT.store(isa as u8, Ordering::Relaxed);
}

/// Runs `op` compiled for the instruction set in use. What `op` calls is compiled along with it
/// only if it is `#[inline(always)]`.
#[inline(always)]
pub fn dispatch<Op: pulp::WithSimd>(op: Op) -> Op::Output {
    #[cfg(target_arch = "x86_64")]
    match Isa::current() {
        // Safety of both: `current` names only what the CPU has.
        Isa::Avx512 => {
            return pulp::Simd::vectorize(unsafe { pulp::x86::V4::new_unchecked() }, op);
        }
        Isa::Avx2 => {
            return pulp::Simd::vectorize(unsafe { pulp::x86::V3::new_unchecked() }, op);
        }
        Isa::Baseline => {}
    }
    #[cfg(target_arch = "x86_64")]
    return pulp::Simd::vectorize(pulp::Scalar, op);
    #[cfg(not(target_arch = "x86_64"))]
    pulp::Arch::new().dispatch(op)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loop_gives_the_same_bits_on_every_instruction_set() {
        let x: Vec<f32> = (0..37).map(|i| (i as f32).sin()).collect();
        let run = |isa| {
            force(isa);
            let mut y = vec![0.0f32; x.len()];
            dispatch(
                #[inline(always)]
                || y.iter_mut().zip(&x).for_each(|(y, &x)| *y = x.mul_add(0.3, 0.1) / (1.0 + x * x).sqrt()),
            );
            y
        };
        let results: Vec<_> = Isa::available().into_iter().map(run).collect();
        assert!(results.windows(2).all(|pair| pair[0] == pair[1]));
    }
}
