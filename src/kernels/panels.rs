//! The storage of dense weights.
//!
//! A matrix `[out, in]` is kept as panels of [`LANES`] output features: `[out / 16][in][16]`, the
//! last panel padded with zeros. Each of the three products of a dense layer then reads whole
//! vectors in the order in which they lie, without packing anything; and the output features that
//! a worker owns are one contiguous piece. Files hold `[out, in]`, as PyTorch stores it.

use std::ops::Range;

use crate::kernels::isa::dispatch;
use crate::tensor::{LANES, padded};

/// Floats of a matrix `[outputs, inputs]` in panels.
pub fn packed_len(outputs: usize, inputs: usize) -> usize {
    padded(outputs) * inputs
}

/// Writes `matrix` `[outputs, inputs]` into `panels` `[outputs / 16][inputs][16]`, zeros as padding.
pub fn pack(panels: &mut [f32], matrix: &[f32], outputs: usize, inputs: usize) {
    assert_eq!((panels.len(), matrix.len()), (packed_len(outputs, inputs), outputs * inputs));
    panels.fill(0.0);
    for output in 0..outputs {
        for input in 0..inputs {
            panels[index(output, input, inputs)] = matrix[output * inputs + input];
        }
    }
}

/// The inverse of [`pack`].
pub fn unpack(matrix: &mut [f32], panels: &[f32], outputs: usize, inputs: usize) {
    assert_eq!((panels.len(), matrix.len()), (packed_len(outputs, inputs), outputs * inputs));
    for output in 0..outputs {
        for input in 0..inputs {
            matrix[output * inputs + input] = panels[index(output, input, inputs)];
        }
    }
}

/// Where element `[output, input]` lies in panels.
fn index(output: usize, input: usize, inputs: usize) -> usize {
    (output / LANES * inputs + input) * LANES + output % LANES
}

/// Copies some inputs of one panel into the panels of the transposed matrix.
///
/// `panel` `[inputs.len()][16]` holds the weights of output features `16 * number ..` for `inputs`,
/// which starts at a multiple of 16. `transposed` is `[in / 16][outputs][16]`, `outputs` padded, and
/// starts at the panel of `inputs.start`; its padding is left alone.
pub fn transpose_panel(
    transposed: &mut [f32],
    panel: &[f32],
    inputs: Range<usize>,
    number: usize,
    outputs: usize,
) {
    debug_assert!(inputs.start.is_multiple_of(LANES) && outputs.is_multiple_of(LANES));
    debug_assert_eq!(panel.len(), inputs.len() * LANES);
    let targets = transposed.chunks_mut(outputs * LANES);
    dispatch(
        #[inline(always)]
        || {
            for (source, target) in panel.chunks(LANES * LANES).zip(targets) {
                let target = &mut target[number * LANES * LANES..][..LANES * LANES];
                for (input, features) in source.chunks_exact(LANES).enumerate() {
                    for (output, &weight) in features.iter().enumerate() {
                        target[output * LANES + input] = weight;
                    }
                }
            }
        },
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packing_is_undone_by_unpacking_and_pads_with_zeros() {
        for (outputs, inputs) in [(1, 1), (10, 7), (16, 5), (33, 20)] {
            let matrix: Vec<f32> = (1..=outputs * inputs).map(|i| i as f32).collect();
            let mut panels = vec![9.0; packed_len(outputs, inputs)];
            pack(&mut panels, &matrix, outputs, inputs);
            assert_eq!(panels.iter().filter(|&&x| x == 0.0).count(), panels.len() - matrix.len());
            let mut back = vec![0.0; matrix.len()];
            unpack(&mut back, &panels, outputs, inputs);
            assert_eq!(back, matrix);
        }
    }

    #[test]
    fn transposing_panel_by_panel_gives_the_panels_of_the_transposed_matrix() {
        for (outputs, inputs) in [(10, 7), (33, 20), (48, 64), (16, 100)] {
            let at = |output: usize, input: usize| (output * 1000 + input + 1) as f32;
            let matrix: Vec<f32> = (0..outputs * inputs).map(|i| at(i / inputs, i % inputs)).collect();
            let mut panels = vec![0.0; packed_len(outputs, inputs)];
            pack(&mut panels, &matrix, outputs, inputs);
            let wide = padded(outputs);
            let mut transposed = vec![0.0; padded(inputs) * wide];
            for (number, panel) in panels.chunks(inputs * LANES).enumerate() {
                // In two pieces, as the owners of the pieces do it.
                let cut = (inputs / 2).next_multiple_of(LANES).min(inputs);
                for part in [0..cut, cut..inputs] {
                    let source = &panel[part.start * LANES..part.end * LANES];
                    let target = &mut transposed[(part.start * wide).min(padded(inputs) * wide)..];
                    transpose_panel(target, source, part, number, wide);
                }
            }
            for input in 0..padded(inputs) {
                for output in 0..wide {
                    let expected = if output < outputs && input < inputs { at(output, input) } else { 0.0 };
                    let found = transposed[(input / LANES * wide + output) * LANES + input % LANES];
                    assert_eq!(found, expected, "{outputs} x {inputs} at {output}, {input}");
                }
            }
        }
    }
}
