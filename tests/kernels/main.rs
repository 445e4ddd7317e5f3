//! The fast kernels against their naive f64 twins, over many lengths and every instruction set, and
//! the twins against finite differences.

#[path = "../common/mod.rs"]
pub mod common;

mod activation;
mod augment;
mod columns;
mod dense_gradients;
mod fused_pool;
mod gradients;
mod loss;
mod losses;
mod normalise;
mod products;
mod slices;

use common::compare::bits_but_of_nan;
use common::isa::on_each;

/// Lengths around the vector widths and unrolled loops, and a long one.
const LENGTHS: [usize; 16] = [0, 1, 2, 7, 15, 16, 17, 31, 33, 63, 64, 65, 129, 1000, 1023, 40_001];

/// What `run` returns, which must have the same bits on every instruction set.
#[track_caller]
fn on_every_isa(run: impl Fn() -> Vec<f32>) -> Vec<f32> {
    let mut first: Option<Vec<f32>> = None;
    on_each(|isa| {
        let result = run();
        match &first {
            Some(first) => {
                assert_eq!(bits_but_of_nan(first), bits_but_of_nan(&result), "{} differs", isa.name())
            }
            None => first = Some(result),
        }
    });
    first.expect("the baseline is always available")
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
