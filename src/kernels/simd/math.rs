//! Elementary functions that vectorise: straight-line code over fused multiply-adds and selects, no
//! tables, so that a loop over a slice becomes one loop over vectors. An element's result depends on
//! the element alone, not on its place in the slice nor on the instruction set.
//!
//! The polynomials are minimax fits made by `scripts/coefficients.py`. The ranges are reduced as by
//! Cody and Waite, "Software Manual for the Elementary Functions" (1980). One ulp is one unit in the
//! last place of the exact result; the bounds are those the tests assert.

// A polynomial's coefficients are written with the nine digits that identify an f32.
#![allow(clippy::excessive_precision)]

use std::f32::consts::{FRAC_1_PI, LN_2, LOG2_E, PI};

/// ln 2 - [`LN_2`]. `n * LN_2` has no bit below 2^-24 for an integer n, so `x - n * LN_2` is exact
/// in a fused multiply-add wherever it cancels down to a reduced argument.
const LN_2_REST: f32 = -1.904_654_3e-9;

/// π - [`PI`] in two parts. For h a multiple of 1/2, `h * PI` has no bit below 2^-23, so `x - h * PI` is exact in a fused
/// multiply-add wherever it cancels down to a reduced argument.
const PI_REST: f32 = -8.742_277_66e-8;
const PI_LAST: f32 = -3.430_249_02e-15;

/// 1.5 * 2^23: adding it rounds a small f32 to the nearest integer, which is then in the low bits.
const ROUND: f32 = 12_582_912.0;

/// The coefficients of (e^r - 1 - r) / r^2 on |r| <= ln 2 / 2.
const EXP: [f32; 5] = [0.49999997, 0.166665435, 0.0416672006, 0.00836658012, 0.00138825108];

/// The coefficients of (ln(1 + f) - f + f^2 / 2) / f^3 on sqrt(1/2) <= 1 + f <= sqrt(2).
const LN: [f32; 8] = [
    0.333333313,
    -0.250008196,
    0.200012267,
    -0.166233569,
    0.142017573,
    -0.13160181,
    0.12761578,
    -0.0763449892,
];

/// The coefficients of erf(x) / x - 1 as a polynomial in x^2, on |x| <= 1.
const ERF_SMALL: [f32; 7] =
    [0.128379166, -0.37612626, 0.112835854, -0.0268538129, 0.00518832775, -0.000801019487, 7.8538651e-05];

/// The coefficients of -ln(1 - erf(x)) / x - 1 on 1 <= x <= 4.
const ERF_LARGE: [f32; 6] =
    [0.128480032, 0.635831475, 0.105116107, -0.0227984432, 0.00318694022, -0.000210642407];

/// The coefficients of (sin(r) - r) / r^3 as a polynomial in r^2, on |r| <= 1.65.
const SIN: [f32; 5] = [-0.166666672, 0.00833333004, -0.000198407288, 2.75183834e-06, -2.37689939e-08];

/// The polynomial with these coefficients, from the constant term up, by Horner's rule.
#[inline(always)]
fn polynomial<const N: usize>(x: f32, coefficients: [f32; N]) -> f32 {
    let mut sum = coefficients[N - 1];
    for i in (0..N - 1).rev() {
        sum = sum.mul_add(x, coefficients[i]);
    }
    sum
}

/// Reduces `x` = n ln 2 + r with |r| <= ln 2 / 2: returns n and e^r - 1. For |x| < 2^20.
#[inline(always)]
fn reduce_exp(x: f32) -> (i32, f32) {
    let shifted = x.mul_add(LOG2_E, ROUND);
    let n = shifted - ROUND;
    let r = n.mul_add(-LN_2, x);
    let r = n.mul_add(-LN_2_REST, r);
    let n = shifted.to_bits().wrapping_sub(ROUND.to_bits()) as i32;
    (n, (r * r).mul_add(polynomial(r, EXP), r))
}

/// 2^n for -126 <= n <= 127.
#[inline(always)]
fn power_of_two(n: i32) -> f32 {
    f32::from_bits((n.wrapping_add(127) as u32) << 23)
}

/// e^x, within 1.1 ulp: subnormal below about -87.3, 0 below -103.98, infinite above 88.73; NaN stays.
#[inline(always)]
pub fn exp(x: f32) -> f32 {
    let (n, r) = reduce_exp(x.clamp(-104.0, 89.0));
    // In two factors, because 2^n alone would overflow or underflow at both ends.
    let half = n >> 1;
    (1.0 + r) * power_of_two(half) * power_of_two(n.wrapping_sub(half))
}

/// e^x - 1, within 2 ulp (of the smallest normal number, below it); NaN stays.
#[inline(always)]
pub fn exp_m1(x: f32) -> f32 {
    // Below -20 the result is -1 to the last bit.
    exp_m1_in_range(x.clamp(-20.0, 89.0))
}

/// [`exp_m1`] for -80 <= x <= 89.
#[inline(always)]
fn exp_m1_in_range(x: f32) -> f32 {
    let (n, r) = reduce_exp(x);
    // 2^n (1 + r) - 1, halved: 2^128 is not a number.
    let half = power_of_two(n.wrapping_sub(1));
    2.0 * half.mul_add(r, half - 0.5)
}

/// The natural logarithm, within 1 ulp: -inf at 0, NaN below; infinity and NaN stay.
#[inline(always)]
pub fn ln(x: f32) -> f32 {
    ln_corrected(x, 0.0)
}

/// ln(1 + x), within 2 ulp (of the smallest normal number, below it): -inf at -1, NaN below.
#[inline(always)]
pub fn ln_1p(x: f32) -> f32 {
    let sum = 1.0 + x;
    // The rounding error of the sum, exactly (Knuth's two-sum), to first order: ln(s + d) = ln s + d/s.
    let rounded_x = sum - 1.0;
    let lost = (1.0 - (sum - rounded_x)) + (x - rounded_x);
    ln_corrected(sum, lost / sum)
}

/// ln(x) + `correction`, for a correction below an ulp of x.
#[inline(always)]
fn ln_corrected(x: f32, correction: f32) -> f32 {
    const SQRT_HALF: u32 = 0x3f35_04f3;
    const SUBNORMAL_SCALE: f32 = (1u32 << 24) as f32;
    let subnormal = x < f32::MIN_POSITIVE;
    let normal = if subnormal { x * SUBNORMAL_SCALE } else { x };
    // x = 2^n (1 + f)
    let n = (normal.to_bits().wrapping_sub(SQRT_HALF) as i32) >> 23;
    let f = f32::from_bits(normal.to_bits().wrapping_sub((n as u32) << 23)) - 1.0;
    let n = n as f32 - if subnormal { 24.0 } else { 0.0 };
    let small = n.mul_add(LN_2_REST, correction);
    let small = (f * f).mul_add(f.mul_add(polynomial(f, LN), -0.5), small);
    let value = n.mul_add(LN_2, f + small);
    let limit = if x == 0.0 {
        f32::NEG_INFINITY
    } else if x < 0.0 {
        f32::NAN
    } else {
        x
    };
    if x > 0.0 && x < f32::INFINITY { value } else { limit }
}

/// The hyperbolic tangent, within 3 ulp (of the smallest normal number, below it); NaN stays.
#[inline(always)]
pub fn tanh(x: f32) -> f32 {
    // (e^2|x| - 1) / (e^2|x| + 1), which is 1 to the last bit from 2|x| = 20 on.
    let double = 2.0 * x.abs();
    let e = exp_m1_in_range(if double > 20.0 { 20.0 } else { double });
    (e / (e + 2.0)).copysign(x)
}

/// 1 / (1 + e^-x), within 2.5 ulp above -87, within the smallest normal number below; NaN stays.
#[inline(always)]
pub fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + exp(-x))
}

/// The error function, within 2 ulp; NaN stays.
#[inline(always)]
pub fn erf(x: f32) -> f32 {
    let magnitude = x.abs();
    let small = x.mul_add(polynomial(x * x, ERF_SMALL), x);
    // From 4 on, erf is 1 to the last bit.
    let t = if magnitude > 4.0 { 4.0 } else { magnitude };
    let e = exp_m1_in_range(-t.mul_add(polynomial(t, ERF_LARGE), t));
    if magnitude < 1.0 { small } else { (-e).copysign(x) }
}

/// Rounds a number of half turns, of less than 2^22: the integer, and the sign bit of (-1)^n for this integer n.
#[inline(always)]
fn half_turns(turns: f32) -> (f32, u32) {
    let shifted = turns + ROUND;
    (shifted - ROUND, shifted.to_bits() << 31)
}

/// The sine of x - h π, which is at most 1.65, for h a multiple of 1/2. Where it is more, x is beyond the range of
/// [`sin`] and [`cos`], and some number from -1 to 1 comes out.
#[inline(always)]
fn sin_reduced(x: f32, h: f32) -> f32 {
    let r = h.mul_add(-PI, x);
    let r = h.mul_add(-PI_REST, r);
    let r = h.mul_add(-PI_LAST, r);
    let square = r * r;
    (r * square).mul_add(polynomial(square, SIN), r).clamp(-1.0, 1.0)
}

/// The sine, within 2.6 ulp for |x| <= 2^20. Beyond that it is some number from -1 to 1: numbers next to each other
/// are an eighth of a radian apart there, and more. NaN of NaN and of infinity.
#[inline(always)]
pub fn sin(x: f32) -> f32 {
    let (n, sign) = half_turns(x * FRAC_1_PI);
    f32::from_bits(sin_reduced(x, n).to_bits() ^ sign)
}

/// The cosine, as [`sin`].
#[inline(always)]
pub fn cos(x: f32) -> f32 {
    // x = (n + 1/2) π + r, and cos(x) = (-1)^(n + 1) sin(r).
    let (n, sign) = half_turns(x.mul_add(FRAC_1_PI, -0.5));
    -f32::from_bits(sin_reduced(x, n + 0.5).to_bits() ^ sign)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::reference;

    /// The largest error over a sample of all f32 bit patterns, in ulps of the exact result; an ulp
    /// is no smaller than that of `floor`.
    fn worst(f: fn(f32) -> f32, exact: fn(f64) -> f64, floor: f32, low: f32, high: f32) -> (f64, f32) {
        let mut worst = (0.0, 0.0);
        // A prime step, so that all exponents meet all kinds of mantissas: 2.1 million numbers.
        for bits in (0..=u32::MAX).step_by(1999) {
            let x = f32::from_bits(bits);
            if !(low..=high).contains(&x) {
                continue;
            }
            let (y, expected) = (f(x), exact(f64::from(x)));
            let error = ulps(y, expected, floor);
            if error > worst.0 {
                worst = (error, x);
            }
        }
        worst
    }

    fn ulps(y: f32, exact: f64, floor: f32) -> f64 {
        let nearest = (exact as f32).abs();
        if nearest == f32::INFINITY {
            // Just below the overflow threshold, the largest number is one ulp away.
            return if y == exact as f32 || y.abs() == f32::MAX { 0.0 } else { f64::INFINITY };
        }
        let magnitude = nearest.max(floor);
        let ulp = f64::from(magnitude) - f64::from(magnitude.next_down());
        (f64::from(y) - exact).abs() / ulp
    }

    #[track_caller]
    fn assert_within(bound: f64, (error, x): (f64, f32)) {
        assert!(error <= bound, "{error:.3} ulp at {x:e}");
        // The sample is fine enough to see that the bound is no empty one.
        assert!(error > 0.25 * bound, "only {error:.3} ulp");
    }

    const MIN: f32 = f32::MIN_POSITIVE;
    const ALL: (f32, f32) = (f32::NEG_INFINITY, f32::INFINITY);

    #[test]
    fn exp_is_within_its_bound_everywhere() {
        assert_within(1.1, worst(exp, f64::exp, 0.0, ALL.0, ALL.1));
        // Denser, where it is neither 0 nor infinite.
        for i in 0..2_000_000 {
            let x = -104.5 + i as f32 * (193.5 / 2_000_000.0);
            assert!(ulps(exp(x), f64::from(x).exp(), 0.0) <= 1.1, "{x}");
        }
    }

    #[test]
    fn the_others_are_within_their_bounds() {
        assert_within(2.0, worst(exp_m1, f64::exp_m1, MIN, ALL.0, ALL.1));
        assert_within(1.0, worst(ln, f64::ln, 0.0, 0.0, f32::INFINITY));
        assert_within(2.0, worst(ln_1p, f64::ln_1p, MIN, -1.0, f32::INFINITY));
        assert_within(3.0, worst(tanh, f64::tanh, MIN, ALL.0, ALL.1));
        assert_within(2.5, worst(sigmoid, |x| 1.0 / (1.0 + (-x).exp()), MIN, -87.0, f32::INFINITY));
        assert_within(2.0, worst(erf, reference::erf, MIN, ALL.0, ALL.1));
        for x in [-87.0, -88.0, -90.0, -1e30] {
            assert!((f64::from(sigmoid(x)) - f64::from(x).exp()).abs() < f64::from(MIN));
        }
    }

    #[test]
    fn sine_and_cosine_are_within_their_bound_up_to_a_million() {
        const MOST: f32 = (1 << 20) as f32;
        assert_within(2.6, worst(sin, f64::sin, MIN, -MOST, MOST));
        assert_within(2.6, worst(cos, f64::cos, MIN, -MOST, MOST));
        // Denser; and next to their zeros, where the least rounding of the reduction would be seen.
        for i in 0..2_000_000 {
            let x = -1e4 + i as f32 * 0.01;
            assert!(ulps(sin(x), f64::from(x).sin(), MIN) <= 2.6, "{x}");
            assert!(ulps(cos(x), f64::from(x).cos(), MIN) <= 2.6, "{x}");
        }
        for half_turns in 1..600_000 {
            let zero = (f64::from(half_turns) * 0.5 * std::f64::consts::PI) as f32;
            for x in [zero, -zero, zero.next_up(), zero.next_down()] {
                assert!(ulps(sin(x), f64::from(x).sin(), MIN) <= 2.6, "{x}");
                assert!(ulps(cos(x), f64::from(x).cos(), MIN) <= 2.6, "{x}");
            }
        }
        // With π in two parts the bound would not hold.
        let two_parts = |x: f32| {
            let (n, sign) = half_turns(x.mul_add(FRAC_1_PI, -0.5));
            let r = (n + 0.5).mul_add(-PI, x);
            let r = (n + 0.5).mul_add(-PI_REST, r);
            -f32::from_bits((r * r * r).mul_add(polynomial(r * r, SIN), r).to_bits() ^ sign)
        };
        let zero = |half_turns: u32| (f64::from(2 * half_turns + 1) * 0.5 * std::f64::consts::PI) as f32;
        assert!((0..300_000).map(zero).any(|x| ulps(two_parts(x), f64::from(x).cos(), MIN) > 2.6));
    }

    /// Beyond the range of the bound, whatever comes out is a sine.
    #[test]
    fn sines_of_huge_numbers_are_sines() {
        for exponent in 20..=127 {
            for mantissa in 0..1000 {
                let x = f32::from_bits(((exponent + 127) << 23) | (mantissa * 8388));
                assert!(sin(x).abs() <= 1.0 && cos(x).abs() <= 1.0 && cos(-x).abs() <= 1.0, "{x}");
            }
        }
        assert!(sin(0.0) == 0.0 && 1.0 - cos(0.0) <= f32::EPSILON);
        for x in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            assert!(sin(x).is_nan() && cos(x).is_nan());
        }
    }

    #[test]
    fn a_wrong_coefficient_trips_the_bound() {
        // A last coefficient that is off by a thousandth.
        fn wrong_erf(x: f32) -> f32 {
            let mut coefficients = ERF_SMALL;
            coefficients[6] *= 1.001;
            if x.abs() < 1.0 { x.mul_add(polynomial(x * x, coefficients), x) } else { erf(x) }
        }
        let right = worst(erf, reference::erf, MIN, -1.0, 1.0).0;
        let wrong = worst(wrong_erf, reference::erf, MIN, -1.0, 1.0).0;
        assert!(right <= 2.0 && wrong > 2.0, "{right} {wrong}");
    }

    #[test]
    fn special_values() {
        let inf = f32::INFINITY;
        for f in [exp, exp_m1, ln, ln_1p, tanh, sigmoid, erf] {
            assert!(f(f32::NAN).is_nan() && f(-f32::NAN).is_nan());
        }
        assert_eq!([exp(-inf), exp(-1e30), exp(0.0), exp(1e30), exp(inf)], [0.0, 0.0, 1.0, inf, inf]);
        assert_eq!([exp_m1(-inf), exp_m1(0.0), exp_m1(inf)], [-1.0, 0.0, inf]);
        assert_eq!([ln(0.0), ln(-0.0), ln(1.0), ln(inf)], [-inf, -inf, 0.0, inf]);
        assert_eq!([ln_1p(-1.0), ln_1p(0.0), ln_1p(inf)], [-inf, 0.0, inf]);
        assert!(ln(-1.0).is_nan() && ln(-inf).is_nan() && ln_1p(-1.5).is_nan());
        assert_eq!([tanh(-inf), tanh(0.0), tanh(inf)], [-1.0, 0.0, 1.0]);
        assert!(tanh(-0.0).is_sign_negative() && erf(-0.0) == 0.0);
        assert_eq!([sigmoid(-inf), sigmoid(0.0), sigmoid(inf)], [0.0, 0.5, 1.0]);
        assert_eq!([erf(-inf), erf(0.0), erf(inf)], [-1.0, 0.0, 1.0]);
    }
}
