//! Going through arrays and hardly computing: these measure how fast memory is. Each goes through
//! its arrays `passes` times; `black_box` between two passes hides that they are all the same.

use std::hint::black_box;

use crate::kernels::simd::vectorise::vectorise;

/// The sum of the bits of all values, as integers modulo 2^32, over all passes. Integers, because
/// adding them takes one cycle, and in any order: the compiler picks as many sums as keep the loads
/// busy.
pub fn read(values: &[f32], passes: usize) -> u32 {
    vectorise(
        #[inline(always)]
        || {
            let mut sum = 0u32;
            for _ in 0..passes {
                let mut once = 0u32;
                for value in black_box(values) {
                    once = once.wrapping_add(value.to_bits());
                }
                sum = sum.wrapping_add(once);
            }
            sum
        },
    )
}

/// out = value, elementwise.
pub fn write(out: &mut [f32], value: f32, passes: usize) {
    vectorise(
        #[inline(always)]
        || {
            for _ in 0..passes {
                for out in black_box(&mut *out) {
                    *out = value;
                }
            }
        },
    )
}

/// a = b + scalar * c, elementwise over slices of equal length: the triad of McCalpin's STREAM.
pub fn triad(a: &mut [f32], b: &[f32], c: &[f32], scalar: f32, passes: usize) {
    debug_assert!(a.len() == b.len() && b.len() == c.len());
    vectorise(
        #[inline(always)]
        || {
            for _ in 0..passes {
                // Not fused: where there is no such instruction, calling for it would take longer
                // than the memory does.
                for ((a, &b), &c) in black_box(&mut *a).iter_mut().zip(b).zip(c) {
                    *a = b + scalar * c;
                }
            }
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::simd::isa::{Isa, force};

    const LENGTHS: [usize; 7] = [0, 1, 63, 64, 65, 200, 4099];

    fn values(len: usize, step: f32) -> Vec<f32> {
        (0..len).map(|i| 1.0 + step * i as f32).collect()
    }

    #[test]
    fn the_loops_do_what_their_names_say() {
        for isa in Isa::available() {
            force(isa);
            for len in LENGTHS {
                let (b, c) = (values(len, 0.5), values(len, -0.25));
                let mut once = 0u32;
                for value in &b {
                    once = once.wrapping_add(value.to_bits());
                }
                assert_eq!([read(&b, 0), read(&b, 1), read(&b, 3)], [0, once, once.wrapping_mul(3)], "{len}");

                let mut a = values(len, 1.0);
                write(&mut a, 7.5, 2);
                assert_eq!(a, vec![7.5; len]);
                triad(&mut a, &b, &c, 3.0, 2);
                let expected: Vec<f32> = (0..len).map(|i| b[i] + 3.0 * c[i]).collect();
                assert_eq!(a, expected);
            }
        }
    }
}
