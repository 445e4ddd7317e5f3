//! Comparing numbers.

/// Their bit patterns.
pub fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}

pub fn widened(values: &[f32]) -> Vec<f64> {
    values.iter().map(|&value| value.into()).collect()
}

/// The largest deviation of values from exact ones, relative to these or to `floor`.
pub fn largest_deviation(values: &[f64], exact: &[f64], floor: f64) -> f64 {
    assert_eq!(values.len(), exact.len());
    let pairs = values.iter().zip(exact);
    pairs.map(|(value, exact)| (value - exact).abs() / exact.abs().max(floor)).fold(0.0, f64::max)
}
