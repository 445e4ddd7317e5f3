//! The fast kernels against their naive f64 twins, over many lengths and every instruction set, and
//! the twins against finite differences.

mod activation;
mod augment;
mod columns;
mod gradients;
mod loss;
mod losses;
mod narrow;
mod normalise;
mod slices;

use fallline::engine::kernels::simd::isa::{self, Isa};
use std::sync::Mutex;

/// Lengths around the vector widths and unrolled loops, and a long one.
const LENGTHS: [usize; 16] = [0, 1, 2, 7, 15, 16, 17, 31, 33, 63, 64, 65, 129, 1000, 1023, 40_001];

/// The instruction set is the process's: tests that choose one take turns.
static FORCED: Mutex<()> = Mutex::new(());

/// What `run` returns, which must have the same bits on every instruction set.
#[track_caller]
fn on_every_isa(run: impl Fn() -> Vec<f32>) -> Vec<f32> {
    let _turn = FORCED.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let mut first: Option<Vec<f32>> = None;
    for isa in Isa::available() {
        isa::force(isa);
        let result = run();
        match &first {
            Some(first) => assert_eq!(bits(first), bits(&result), "{} differs", isa.name()),
            None => first = Some(result),
        }
    }
    first.expect("the baseline is always available")
}

/// Bit patterns, in which NaN equals itself; all NaNs count as one.
fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|x| if x.is_nan() { f32::NAN.to_bits() } else { x.to_bits() }).collect()
}

/// Whether all pairs agree to `tolerance`, relative above 1 and absolute below.
fn close(fast: &[f32], exact: &[f64], tolerance: f64) -> bool {
    fast.len() == exact.len()
        && fast.iter().zip(exact).all(|(&fast, &exact)| {
            f64::from(fast) == exact || (f64::from(fast) - exact).abs() <= tolerance * exact.abs().max(1.0)
        })
}

/// Numbers spread over ±`reach` in no order, with 0 and -0 among them.
fn spread(length: usize, reach: f32) -> Vec<f32> {
    // Multiples of the golden ratio modulo 1 fill the unit interval evenly.
    let fraction = |i: usize| (i as f64 * 0.618_033_988_749_895).fract() as f32;
    let mut values: Vec<f32> = (0..length).map(|i| (2.0 * fraction(i) - 1.0) * reach).collect();
    for (value, special) in values.iter_mut().skip(3).zip([0.0, -0.0]) {
        *value = special;
    }
    values
}
