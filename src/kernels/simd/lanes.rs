//! Sixteen samples side by side: each number of a sample is a vector that holds this number of one
//! sample in each lane.

use pulp::Simd;

use crate::tensor::LANES;

/// A square of 16 numbers of 16 samples: `[numbers][samples]` or its transpose.
#[repr(align(64))]
#[derive(Clone, Copy)]
pub(in crate::kernels) struct Square(pub [[f32; LANES]; LANES]);

impl Square {
    pub const ZERO: Square = Square([[0.0; LANES]; LANES]);
}

/// Writes `numbers` numbers, at most 16, of each of `samples` rows, at most 16, that are `stride` floats
/// apart, to `lanes` `[numbers][16]`. Lanes without a sample become zeros.
///
/// # Safety
/// All of it must be readable and writable.
#[inline(always)]
pub(in crate::kernels) unsafe fn gather<S: Simd>(
    lanes: *mut f32,
    rows: *const f32,
    stride: usize,
    samples: usize,
    numbers: usize,
) {
    debug_assert!(samples <= LANES && numbers <= LANES);
    // Safety: the caller's. Only AVX-512 has so many lanes.
    unsafe {
        #[cfg(target_arch = "x86_64")]
        if S::F32_LANES == LANES {
            let columns = avx512::transposed(avx512::load(rows, stride, samples, numbers));
            return avx512::store(lanes, LANES, numbers, columns, LANES);
        }
        for number in 0..numbers {
            for lane in 0..LANES {
                let value = if lane < samples { *rows.add(lane * stride + number) } else { 0.0 };
                *lanes.add(number * LANES + lane) = value;
            }
        }
    }
}

/// The inverse of [`gather`]: writes 16 numbers of each of `samples` rows from `lanes` `[numbers][16]`,
/// zeros behind the last one.
///
/// # Safety
/// As there; the rows must take 16 numbers.
#[inline(always)]
pub(in crate::kernels) unsafe fn scatter<S: Simd>(
    rows: *mut f32,
    stride: usize,
    samples: usize,
    lanes: *const f32,
    numbers: usize,
) {
    debug_assert!(samples <= LANES && numbers <= LANES);
    // Safety: the caller's. Only AVX-512 has so many lanes.
    unsafe {
        #[cfg(target_arch = "x86_64")]
        if S::F32_LANES == LANES {
            let values = avx512::transposed(avx512::load(lanes, LANES, numbers, LANES));
            return avx512::store(rows, stride, samples, values, LANES);
        }
        for sample in 0..samples {
            for number in 0..LANES {
                let value = if number < numbers { *lanes.add(number * LANES + sample) } else { 0.0 };
                *rows.add(sample * stride + number) = value;
            }
        }
    }
}

/// The sum of the lanes of each of 16 vectors, `[16][16]`, in a fixed order: that of [`sum_of_lanes`].
///
/// # Safety
/// They must be readable.
#[inline(always)]
pub(in crate::kernels) unsafe fn sums<S: Simd>(vectors: *const f32) -> [f32; LANES] {
    // Safety: the caller's. Only AVX-512 has so many lanes.
    unsafe {
        #[cfg(target_arch = "x86_64")]
        if S::F32_LANES == LANES {
            return avx512::sums(avx512::load(vectors, LANES, LANES, LANES));
        }
        let mut sums = [0.0; LANES];
        for (vector, sum) in sums.iter_mut().enumerate() {
            *sum = sum_of_lanes(&vectors.add(vector * LANES).cast::<[f32; LANES]>().read_unaligned());
        }
        sums
    }
}

/// Quarter by quarter, in the order that takes the fewest instructions for 16 vectors at once.
#[inline(always)]
pub(in crate::kernels) fn sum_of_lanes(v: &[f32; LANES]) -> f32 {
    let quarter = |first: usize| (v[first] + v[first + 2]) + (v[first + 1] + v[first + 3]);
    (quarter(0) + quarter(8)) + (quarter(4) + quarter(12))
}

#[cfg(target_arch = "x86_64")]
pub(in crate::kernels) mod avx512 {
    use std::arch::x86_64::*;

    use crate::tensor::LANES;

    /// The first `numbers` floats of each of `count` rows; all others are zeros.
    ///
    /// # Safety
    /// The CPU must have AVX-512 F, and the floats must be readable.
    #[inline]
    #[target_feature(enable = "avx512f")]
    pub unsafe fn load(rows: *const f32, stride: usize, count: usize, numbers: usize) -> [__m512; LANES] {
        let mask = ((1u32 << numbers) - 1) as __mmask16;
        let mut values = [_mm512_setzero_ps(); LANES];
        for (row, values) in values.iter_mut().enumerate() {
            let mask = if row < count { mask } else { 0 };
            // Safety: the caller's; what a mask leaves out is not touched.
            *values = unsafe { _mm512_maskz_loadu_ps(mask, rows.wrapping_add(row * stride)) };
        }
        values
    }

    /// Writes the first `numbers` floats of the first `count` vectors to rows.
    ///
    /// # Safety
    /// The CPU must have AVX-512 F, and the floats must be writable.
    #[inline]
    #[target_feature(enable = "avx512f")]
    pub unsafe fn store(
        rows: *mut f32,
        stride: usize,
        count: usize,
        values: [__m512; LANES],
        numbers: usize,
    ) {
        let mask = ((1u32 << numbers) - 1) as __mmask16;
        for (row, &values) in values.iter().enumerate() {
            if row < count {
                // Safety: the caller's.
                unsafe { _mm512_mask_storeu_ps(rows.wrapping_add(row * stride), mask, values) };
            }
        }
    }

    /// Transposes 16 x 16 floats in registers: pairs of rows, then of pairs, give the columns of each
    /// quarter; two rounds over quarters put them together.
    #[inline]
    #[target_feature(enable = "avx512f")]
    pub fn transposed(rows: [__m512; LANES]) -> [__m512; LANES] {
        let mut columns = [_mm512_setzero_ps(); LANES];
        for first in (0..LANES).step_by(4) {
            let [a, b, c, d] = [rows[first], rows[first + 1], rows[first + 2], rows[first + 3]];
            let (ab, cd) = (pairs(_mm512_unpacklo_ps(a, b)), pairs(_mm512_unpacklo_ps(c, d)));
            columns[first] = floats(_mm512_unpacklo_pd(ab, cd));
            columns[first + 1] = floats(_mm512_unpackhi_pd(ab, cd));
            let (ab, cd) = (pairs(_mm512_unpackhi_ps(a, b)), pairs(_mm512_unpackhi_ps(c, d)));
            columns[first + 2] = floats(_mm512_unpacklo_pd(ab, cd));
            columns[first + 3] = floats(_mm512_unpackhi_pd(ab, cd));
        }
        let mut result = columns;
        for j in 0..4 {
            let [a, b, c, d] = [columns[j], columns[4 + j], columns[8 + j], columns[12 + j]];
            let (ab, cd) = (_mm512_shuffle_f32x4::<EVEN>(a, b), _mm512_shuffle_f32x4::<EVEN>(c, d));
            result[j] = _mm512_shuffle_f32x4::<EVEN>(ab, cd);
            result[8 + j] = _mm512_shuffle_f32x4::<ODD>(ab, cd);
            let (ab, cd) = (_mm512_shuffle_f32x4::<ODD>(a, b), _mm512_shuffle_f32x4::<ODD>(c, d));
            result[4 + j] = _mm512_shuffle_f32x4::<EVEN>(ab, cd);
            result[12 + j] = _mm512_shuffle_f32x4::<ODD>(ab, cd);
        }
        result
    }

    /// [`sums`](crate::kernels::simd::lanes::sums) in registers: each round adds what it has interleaved of two vectors, and
    /// leaves half as many.
    #[inline]
    #[target_feature(enable = "avx512f")]
    pub fn sums(v: [__m512; LANES]) -> [f32; LANES] {
        let mut quarters = [_mm512_setzero_ps(); 4];
        for (index, quarters) in quarters.iter_mut().enumerate() {
            let [a, b, c, d] = [v[4 * index], v[4 * index + 1], v[4 * index + 2], v[4 * index + 3]];
            let ab = pairs(_mm512_add_ps(_mm512_unpacklo_ps(a, b), _mm512_unpackhi_ps(a, b)));
            let cd = pairs(_mm512_add_ps(_mm512_unpacklo_ps(c, d), _mm512_unpackhi_ps(c, d)));
            let (even, odd) = (_mm512_unpacklo_pd(ab, cd), _mm512_unpackhi_pd(ab, cd));
            *quarters = _mm512_add_ps(floats(even), floats(odd));
        }
        let [a, b, c, d] = quarters;
        let halves =
            |a, b| _mm512_add_ps(_mm512_shuffle_f32x4::<LOWER>(a, b), _mm512_shuffle_f32x4::<UPPER>(a, b));
        let (ab, cd) = (halves(a, b), halves(c, d));
        let sums = _mm512_add_ps(_mm512_shuffle_f32x4::<EVEN>(ab, cd), _mm512_shuffle_f32x4::<ODD>(ab, cd));
        let mut result = [0.0; LANES];
        // Safety: it takes 16 floats.
        unsafe { _mm512_storeu_ps(result.as_mut_ptr(), sums) };
        result
    }

    /// The even or the odd, the lower or the upper quarters of two vectors.
    const EVEN: i32 = 0b10_00_10_00;
    const ODD: i32 = 0b11_01_11_01;
    const LOWER: i32 = 0b01_00_01_00;
    const UPPER: i32 = 0b11_10_11_10;

    #[inline]
    #[target_feature(enable = "avx512f")]
    fn pairs(x: __m512) -> __m512d {
        _mm512_castps_pd(x)
    }

    #[inline]
    #[target_feature(enable = "avx512f")]
    fn floats(x: __m512d) -> __m512 {
        _mm512_castpd_ps(x)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::simd::isa::{Isa, dispatch_on};

    struct Run<F>(F);

    /// What each of the three gives of made-up numbers.
    struct Each {
        samples: usize,
        numbers: usize,
    }

    impl pulp::WithSimd for Run<Each> {
        type Output = [Vec<f32>; 3];

        #[inline(always)]
        fn with_simd<S: Simd>(self, _: S) -> [Vec<f32>; 3] {
            let Each { samples, numbers } = self.0;
            let stride = 20;
            let from: Vec<f32> = (0..LANES * stride).map(|i| (i as f32).sin()).collect();
            let (mut lanes, mut rows) = (vec![9.0; LANES * LANES], vec![9.0; LANES * stride]);
            // Safety: they are as large as 16 samples of 16 numbers need.
            unsafe {
                gather::<S>(lanes.as_mut_ptr(), from.as_ptr(), stride, samples, numbers);
                scatter::<S>(rows.as_mut_ptr(), stride, samples, from.as_ptr(), numbers);
                [lanes, rows, sums::<S>(from.as_ptr()).to_vec()]
            }
        }
    }

    #[test]
    fn samples_become_lanes_and_back_on_every_instruction_set() {
        for (samples, numbers) in [(16, 16), (1, 16), (16, 1), (7, 12), (15, 6)] {
            for isa in Isa::available() {
                let [lanes, rows, sums] = dispatch_on(isa, Run(Each { samples, numbers }));
                let from = |i: usize| (i as f32).sin();
                for number in 0..LANES {
                    for lane in 0..LANES {
                        let expected = match (number < numbers, lane < samples) {
                            (true, true) => from(lane * 20 + number),
                            (true, false) => 0.0,
                            _ => 9.0,
                        };
                        assert_eq!(lanes[number * LANES + lane], expected);
                        let expected = match (number < numbers, lane < samples) {
                            (true, true) => from(number * LANES + lane),
                            (false, true) => 0.0,
                            _ => 9.0,
                        };
                        assert_eq!(rows[lane * 20 + number], expected, "{isa:?}");
                    }
                }
                for (vector, sum) in sums.iter().enumerate() {
                    let exact: f64 = (0..LANES).map(|i| f64::from(from(vector * LANES + i))).sum();
                    assert!((f64::from(*sum) - exact).abs() < 1e-5, "{isa:?} {vector}");
                    let values = std::array::from_fn(|i| from(vector * LANES + i));
                    assert_eq!(sum.to_bits(), sum_of_lanes(&values).to_bits(), "{isa:?} {vector}");
                }
            }
        }
    }
}
