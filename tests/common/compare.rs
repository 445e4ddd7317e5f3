//! Comparing numbers.

use fallline::Model;

/// Their bit patterns.
pub fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}

/// The same, with one pattern for all NaNs.
pub fn bits_but_of_nan(values: &[f32]) -> Vec<u32> {
    values.iter().map(|x| if x.is_nan() { f32::NAN.to_bits() } else { x.to_bits() }).collect()
}

/// Those of several tensors, one after the other.
pub fn bits_of_all(tensors: &[Vec<f32>]) -> Vec<u32> {
    bits(&tensors.concat())
}

/// Those of all tensors of a model, in their order.
pub fn bits_of(model: &Model) -> Vec<u32> {
    model.tensors().iter().flat_map(|tensor| bits(&tensor.values)).collect()
}

pub fn widened(values: &[f32]) -> Vec<f64> {
    values.iter().map(|&value| value.into()).collect()
}

/// Whether all pairs agree to `tolerance`, relative above 1 and absolute below.
pub fn each_close(fast: &[f32], exact: &[f64], tolerance: f64) -> bool {
    fast.len() == exact.len()
        && fast.iter().zip(exact).all(|(&fast, &exact)| {
            f64::from(fast) == exact || (f64::from(fast) - exact).abs() <= tolerance * exact.abs().max(1.0)
        })
}

/// Whether all pairs agree to `tolerance` of the largest exact number, or of 1 if that is less.
pub fn close(fast: &[f32], exact: &[f64], tolerance: f64) -> bool {
    let scale = exact.iter().fold(1.0f64, |largest, x| largest.max(x.abs()));
    fast.len() == exact.len()
        && fast.iter().zip(exact).all(|(&fast, exact)| (f64::from(fast) - exact).abs() <= tolerance * scale)
}

/// Whether these are the gradients that differences gave, to 1e-6 relative; below 1 absolute.
pub fn are_gradients(numeric: &[f64], gradients: &[f64]) -> bool {
    numeric.len() == gradients.len()
        && numeric.iter().zip(gradients).all(|(n, g)| (n - g).abs() <= 1e-6 * g.abs().max(1.0))
}

/// The largest deviation of values from exact ones, relative to these or to `floor`; infinite if one is no number.
pub fn largest_deviation(values: &[f64], exact: &[f64], floor: f64) -> f64 {
    assert_eq!(values.len(), exact.len());
    let deviation = |(value, exact): (&f64, &f64)| {
        let deviation = (value - exact).abs() / exact.abs().max(floor);
        match value == exact {
            true => 0.0,
            false if deviation.is_nan() => f64::INFINITY,
            false => deviation,
        }
    };
    values.iter().zip(exact).map(deviation).fold(0.0, f64::max)
}

#[test]
fn what_is_no_number_deviates() {
    assert_eq!(largest_deviation(&[1.0, 0.0], &[1.0, 0.0], 0.0), 0.0);
    assert_eq!(largest_deviation(&[1.5, 0.0], &[1.0, 0.0], 0.0), 0.5);
    assert_eq!(largest_deviation(&[1.0, f64::NAN], &[1.0, 0.0], 0.1), f64::INFINITY);
    assert!(!close(&[f32::NAN], &[0.0], 1.0) && !each_close(&[f32::NAN], &[0.0], 1.0));
}
