//! The sums and the directions of factored second moments, over some inputs of one panel.

use crate::kernels::simd::reduce::tree;
use crate::kernels::simd::vectorise::vectorise;
use crate::tensor::LANES;

/// The sums of the squares of `panel` `[inputs][16]`: over the inputs, in their order, into `outputs` `[16]`, and over
/// the outputs, pairwise, into `inputs` `[inputs]`.
pub fn square_sums(panel: &[f32], outputs: &mut [f32], inputs: &mut [f32]) {
    assert_eq!((panel.len(), outputs.len()), (inputs.len() * LANES, LANES));
    let (panel, _) = panel.as_chunks::<LANES>();
    vectorise(
        #[inline(always)]
        || {
            let mut sums = [0.0; LANES];
            for (values, input) in panel.iter().zip(inputs.iter_mut()) {
                let mut squares = [0.0; LANES];
                for lane in 0..LANES {
                    squares[lane] = values[lane] * values[lane];
                    sums[lane] += squares[lane];
                }
                *input = tree(squares, |a, b| a + b);
            }
            outputs.copy_from_slice(&sums);
        },
    );
}

/// g ← g / √max(output · input · factor, floor) of each g of `panel` `[inputs][16]`, with the mean squares of its output,
/// of `outputs` `[16]`, and of its input, of `inputs` `[inputs]`.
pub fn divide_by_roots(panel: &mut [f32], outputs: &[f32], inputs: &[f32], factor: f32, floor: f32) {
    assert_eq!((panel.len(), outputs.len()), (inputs.len() * LANES, LANES));
    let (panel, _) = panel.as_chunks_mut::<LANES>();
    vectorise(
        #[inline(always)]
        || {
            for (values, &input) in panel.iter_mut().zip(inputs) {
                for (value, &output) in values.iter_mut().zip(outputs) {
                    let square = output * factor * input;
                    *value /= (if square < floor { floor } else { square }).sqrt();
                }
            }
        },
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::simd::isa::{self, Isa};

    fn panel(inputs: usize) -> Vec<f32> {
        (0..inputs * LANES).map(|i| (i as f32 * 0.37).sin()).collect()
    }

    #[test]
    fn sums_and_directions_agree_with_f64_on_every_instruction_set() {
        for inputs in [0, 1, 2, 7, 33, 112] {
            let panel = panel(inputs);
            let square = |input: usize, output: usize| f64::from(panel[input * LANES + output]).powi(2);
            let mut first = None;
            for isa in Isa::available() {
                isa::force(isa);
                let (mut outputs, mut of_inputs) = (vec![f32::NAN; LANES], vec![f32::NAN; inputs]);
                square_sums(&panel, &mut outputs, &mut of_inputs);
                for (output, sum) in outputs.iter().enumerate() {
                    let exact: f64 = (0..inputs).map(|input| square(input, output)).sum();
                    assert!((f64::from(*sum) - exact).abs() <= 1e-5 * exact, "{sum} {exact}");
                }
                for (input, sum) in of_inputs.iter().enumerate() {
                    let exact: f64 = (0..LANES).map(|output| square(input, output)).sum();
                    assert!((f64::from(*sum) - exact).abs() <= 1e-6 * exact, "{sum} {exact}");
                }
                let mut directions = panel.clone();
                divide_by_roots(&mut directions, &outputs, &of_inputs, 0.5, 0.25);
                for (place, direction) in directions.iter().enumerate() {
                    let (output, input) = (outputs[place % LANES], of_inputs[place / LANES]);
                    let exact = f64::from(panel[place])
                        / (0.5 * f64::from(output) * f64::from(input)).max(0.25).sqrt();
                    assert!(
                        (f64::from(*direction) - exact).abs() <= 1e-6 * exact.abs(),
                        "{direction} {exact}"
                    );
                }
                let bits: Vec<u32> =
                    [outputs, of_inputs, directions].concat().iter().map(|x| x.to_bits()).collect();
                assert_eq!(*first.get_or_insert(bits.clone()), bits, "{isa:?}");
            }
        }
    }

    #[test]
    fn a_nan_reaches_the_direction() {
        let mut values = [1.0; LANES];
        divide_by_roots(&mut values, &[f32::NAN; LANES], &[1.0], 1.0, 0.5);
        assert!(values.iter().all(|value| value.is_nan()));
    }
}
