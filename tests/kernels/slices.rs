use crate::common::compare::each_close;
use crate::{LENGTHS, on_every_isa, spread};
use fallline::engine::kernels::elementwise::clip;
use fallline::engine::kernels::elementwise::convert::bytes_to_floats;
use fallline::engine::kernels::simd::reduce::{all_finite, max_abs, sum_f64, sum_of_squares};
use proptest::prelude::*;

#[test]
fn bytes_become_floats() {
    for length in LENGTHS {
        let bytes: Vec<u8> = (0..length).map(|i| (i * 37 % 256) as u8).collect();
        let (scale, shift) = (1.0 / 255.0 / 0.3081, -0.1307 / 0.3081);
        let floats = on_every_isa(|| {
            let mut out = vec![f32::NAN; length];
            bytes_to_floats(&mut out, &bytes, scale, shift);
            out
        });
        let exact = |&byte: &u8| f64::from(byte) * f64::from(scale) + f64::from(shift);
        let exact: Vec<f64> = bytes.iter().map(exact).collect();
        assert!(each_close(&floats, &exact, 1e-7));
        if length > 1 {
            assert!(!each_close(&floats, &[&exact[1..], &exact[..1]].concat(), 1e-7));
        }
    }
}

#[test]
fn gradients_are_clamped_scaled_and_pulled_to_zero() {
    for length in LENGTHS {
        let gradients = spread(length, 3.0);
        let mut parameters = spread(length, 1.0);
        parameters.iter_mut().step_by(3).for_each(|p| *p = 0.0);
        parameters.iter_mut().skip(1).step_by(3).for_each(|p| *p = -*p);
        let treated = |work: &dyn Fn(&mut [f32])| {
            on_every_isa(|| {
                let mut values = gradients.clone();
                work(&mut values);
                values
            })
        };
        let clamped: Vec<f32> = gradients.iter().map(|&g| g.signum() * g.abs().min(0.5)).collect();
        assert_eq!(treated(&|values| clip::clamp(values, 0.5)), clamped);
        let scaled: Vec<f32> = gradients.iter().map(|&g| 0.3 * g).collect();
        assert_eq!(treated(&|values| clip::scale(values, 0.3)), scaled);
        let sign = |p: f32| if p == 0.0 { 0.0 } else { p.signum() };
        let pulled = gradients.iter().zip(&parameters).map(|(&g, &p)| 0.1f32.mul_add(sign(p), g));
        let pulled: Vec<f32> = pulled.collect();
        assert_eq!(treated(&|values| clip::add_signs(values, &parameters, 0.1)), pulled);
        let added = gradients.iter().zip(&parameters).map(|(&g, &p)| 0.1f32.mul_add(p, g));
        let added: Vec<f32> = added.collect();
        assert_eq!(treated(&|values| clip::add_scaled(values, &parameters, 0.1)), added);
        let shrunk: Vec<f32> =
            gradients.iter().map(|&g| if g.abs() <= 0.5 { 0.0 } else { g - 0.5 * g.signum() }).collect();
        assert_eq!(treated(&|values| clip::soft_threshold(values, 0.5)), shrunk);
        if length > 1 {
            assert!(clamped != gradients && scaled != gradients && pulled != gradients);
            assert!(added != gradients && shrunk != gradients);
        }
    }
    let mut lost = [f32::NAN, f32::INFINITY];
    clip::clamp(&mut lost, 1.0);
    assert!(lost[0].is_nan() && lost[1] == 1.0);
    clip::soft_threshold(&mut lost, 0.25);
    assert!(lost[0].is_nan() && lost[1] == 0.75);
}

/// The two f32 halves of an f64, so that its bits can be compared across instruction sets.
fn halves(x: f64) -> Vec<f32> {
    vec![x as f32, (x - f64::from(x as f32)) as f32]
}

/// Whether the sums of a slice are right to f64's rounding.
fn sums_agree(values: &[f32], sum: f64, squares: f64) -> bool {
    let wide = || values.iter().map(|&x| f64::from(x));
    let (exact, magnitude) = (wide().sum::<f64>(), wide().map(f64::abs).sum::<f64>());
    let exact_squares: f64 = wide().map(|x| x * x).sum();
    (sum - exact).abs() <= 1e-12 * magnitude && (squares - exact_squares).abs() <= 1e-12 * exact_squares
}

#[test]
fn sums_agree_at_every_length() {
    for length in LENGTHS {
        let values = spread(length, 100.0);
        on_every_isa(|| [halves(sum_f64(&values)), halves(sum_of_squares(&values))].concat());
        let (sum, squares) = (sum_f64(&values), sum_of_squares(&values));
        assert!(sums_agree(&values, sum, squares), "{length}");
        if length > 0 {
            let missing = sum - f64::from(values[length - 1]);
            assert!(!sums_agree(&values, missing, squares), "{length}");
        }
    }
}

#[test]
fn the_largest_magnitude_is_found_wherever_it_is() {
    for length in [1, 2, 15, 16, 17, 40, 129] {
        for position in 0..length {
            let mut values = spread(length, 1.0);
            values[position] = -5.0;
            assert_eq!(on_every_isa(|| vec![max_abs(&values)]), [5.0]);
            assert!(all_finite(&values));
            for bad in [f32::NAN, -f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
                values[position] = bad;
                assert!(!all_finite(&values), "{bad} at {position} of {length}");
                assert_eq!(max_abs(&values).is_nan(), bad.is_nan());
            }
        }
    }
    assert_eq!((max_abs(&[]), sum_f64(&[]), all_finite(&[])), (0.0, 0.0, true));
    assert!(all_finite(&[f32::MAX, f32::MIN, f32::MIN_POSITIVE, 1e-45]));
}

proptest! {
    #[test]
    fn sums_agree_on_random_slices(values in prop::collection::vec(-1e6f32..1e6, 0..300)) {
        prop_assert!(sums_agree(&values, sum_f64(&values), sum_of_squares(&values)));
        let largest = values.iter().fold(0.0f32, |max, x| max.max(x.abs()));
        prop_assert_eq!(max_abs(&values), largest);
    }
}
