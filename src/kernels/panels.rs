//! The storage of dense weights.
//!
//! A matrix `[out, in]` is kept as panels of [`LANES`] output features: `[out / 16][in][16]`, the
//! last panel padded with zeros. Each of the three products of a dense layer then reads whole
//! vectors in the order in which they lie, without packing anything; and the output features that
//! a worker owns are one contiguous piece. Files hold `[out, in]`, as PyTorch stores it.

use crate::kernels::vectorise::vectorise;
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

/// Transposes a block of up to 16 inputs `[inputs][16]` of one panel into `[16][16]`: 16 features of
/// one panel of the transposed matrix. Missing inputs become zeros.
pub fn transpose_block(transposed: &mut [f32], block: &[f32]) {
    debug_assert!(transposed.len() == LANES * LANES && block.len().is_multiple_of(LANES));
    vectorise(
        #[inline(always)]
        || {
            for (output, row) in transposed.chunks_exact_mut(LANES).enumerate() {
                for (input, weight) in row.iter_mut().enumerate() {
                    *weight = block.get(input * LANES + output).copied().unwrap_or(0.0);
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
    fn a_transposed_block_has_rows_for_columns() {
        for inputs in [1, 7, 16] {
            let block: Vec<f32> = (1..=inputs * LANES).map(|i| i as f32).collect();
            let mut transposed = vec![9.0; LANES * LANES];
            transpose_block(&mut transposed, &block);
            for output in 0..LANES {
                for input in 0..LANES {
                    let expected = if input < inputs { block[input * LANES + output] } else { 0.0 };
                    assert_eq!(transposed[output * LANES + input], expected);
                }
            }
        }
    }
}
