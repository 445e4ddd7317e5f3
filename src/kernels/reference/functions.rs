//! Functions of one number.

use std::f64::consts::{PI, SQRT_2};

/// The error function: the series 2/sqrt(pi) e^-x^2 sum 2^n x^(2n+1) / (2n+1)!!, whose terms have
/// one sign (Abramowitz and Stegun, "Handbook of Mathematical Functions", 7.1.6).
pub fn erf(x: f64) -> f64 {
    if x.is_nan() {
        return x;
    }
    if x.abs() > 6.0 {
        return x.signum();
    }
    let (mut term, mut sum) = (x, x);
    let mut n = 1.0;
    while term.abs() > sum.abs() * 1e-17 {
        term *= 2.0 * x * x / (2.0 * n + 1.0);
        sum += term;
        n += 1.0;
    }
    2.0 / PI.sqrt() * (-x * x).exp() * sum
}

/// The logistic function.
pub(in crate::kernels) fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// The distribution function of the standard normal.
pub(in crate::kernels) fn normal_distribution(x: f64) -> f64 {
    0.5 * (1.0 + erf(x / SQRT_2))
}
