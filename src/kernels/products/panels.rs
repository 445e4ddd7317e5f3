//! The storage of dense weights.
//!
//! A matrix `[out, in]` is kept as panels of [`LANES`] output features: `[out / 16][in][16]`, the
//! last panel padded with zeros. Each of the three products of a dense layer then reads whole
//! vectors in the order in which they lie, without packing anything; and the output features that
//! a worker owns are one contiguous piece. Files hold `[out, in]`, as PyTorch stores it.

use crate::kernels::simd::isa::Isa;
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

/// Inverts [`pack`]: `matrix` `[outputs, inputs]` from `panels` `[outputs / 16][inputs][16]`.
pub fn unpack(matrix: &mut [f32], panels: &[f32], outputs: usize, inputs: usize) {
    assert_eq!((panels.len(), matrix.len()), (packed_len(outputs, inputs), outputs * inputs));
    for output in 0..outputs {
        for input in 0..inputs {
            matrix[output * inputs + input] = panels[index(output, input, inputs)];
        }
    }
}

/// [`pack`] of the kernels of a convolution, `[outputs, channels, area]` with `area` the pixels of the
/// window row by row: their inputs are stored pixel by pixel, all channels of one together.
pub fn pack_kernels(panels: &mut [f32], kernels: &[f32], [outputs, channels, area]: [usize; 3]) {
    let inputs = channels * area;
    assert_eq!((panels.len(), kernels.len()), (packed_len(outputs, inputs), outputs * inputs));
    panels.fill(0.0);
    for (place, kernel) in kernel_places([outputs, channels, area]).zip(kernels) {
        panels[place] = *kernel;
    }
}

/// Inverts [`pack_kernels`]: `kernels` `[outputs, channels, area]`.
pub fn unpack_kernels(kernels: &mut [f32], panels: &[f32], [outputs, channels, area]: [usize; 3]) {
    let inputs = channels * area;
    assert_eq!((panels.len(), kernels.len()), (packed_len(outputs, inputs), outputs * inputs));
    for (place, kernel) in kernel_places([outputs, channels, area]).zip(kernels) {
        *kernel = panels[place];
    }
}

/// [`pack_kernels`] of groups of outputs, each in panels of its own: `[outputs, channels, area]` with the
/// channels of one group.
pub fn pack_groups(
    panels: &mut [f32],
    kernels: &[f32],
    [outputs, channels, area]: [usize; 3],
    groups: usize,
) {
    let stored = panels.chunks_exact_mut(panels.len() / groups);
    for (panels, kernels) in stored.zip(kernels.chunks_exact(kernels.len() / groups)) {
        pack_kernels(panels, kernels, [outputs / groups, channels, area]);
    }
}

/// Inverts [`pack_groups`]: `kernels` `[outputs, channels, area]`.
pub fn unpack_groups(
    kernels: &mut [f32],
    panels: &[f32],
    [outputs, channels, area]: [usize; 3],
    groups: usize,
) {
    let stored = panels.chunks_exact(panels.len() / groups);
    for (panels, kernels) in stored.zip(kernels.chunks_exact_mut(kernels.len() / groups)) {
        unpack_kernels(kernels, panels, [outputs / groups, channels, area]);
    }
}

/// The place in panels of each number of kernels `[outputs, channels, area]`, in their order.
fn kernel_places([outputs, channels, area]: [usize; 3]) -> impl Iterator<Item = usize> {
    let of_output = move |output| {
        let place = move |channel, pixel| index(output, pixel * channels + channel, channels * area);
        (0..channels).flat_map(move |channel| (0..area).map(move |pixel| place(channel, pixel)))
    };
    (0..outputs).flat_map(of_output)
}

/// The place in panels of element `[output, input]`.
fn index(output: usize, input: usize, inputs: usize) -> usize {
    (output / LANES * inputs + input) * LANES + output % LANES
}

/// The panels of the transposed matrix, `[inputs / 16][outputs][16]`, from `panels` `[outputs / 16][inputs][16]`; `outputs` is
/// a multiple of 16.
pub fn transpose(transposed: &mut [f32], panels: &[f32], outputs: usize, inputs: usize) {
    assert!(outputs.is_multiple_of(LANES) && panels.len() == packed_len(outputs, inputs));
    assert_eq!(transposed.len(), packed_len(inputs, outputs));
    for (panel, stored) in panels.chunks_exact(inputs * LANES).enumerate() {
        for (number, block) in stored.chunks(LANES * LANES).enumerate() {
            let start = (number * outputs + panel * LANES) * LANES;
            transpose_block(&mut transposed[start..start + LANES * LANES], block);
        }
    }
}

/// Transposes a block of up to 16 inputs `[inputs][16]` of one panel into `[16][16]`: 16 features of
/// one panel of the transposed matrix. Missing inputs become zeros.
pub fn transpose_block(transposed: &mut [f32], block: &[f32]) {
    assert!(
        transposed.len() == LANES * LANES
            && block.len().is_multiple_of(LANES)
            && block.len() <= LANES * LANES
    );
    #[cfg(target_arch = "x86_64")]
    if block.len() == LANES * LANES && Isa::current() == Isa::Avx512 {
        // Safety: the CPU has AVX-512, and both slices are 16 x 16.
        return unsafe { avx512::transpose(transposed.as_mut_ptr(), block.as_ptr()) };
    }
    for (output, row) in transposed.chunks_exact_mut(LANES).enumerate() {
        for (input, weight) in row.iter_mut().enumerate() {
            *weight = block.get(input * LANES + output).copied().unwrap_or(0.0);
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod avx512 {
    use crate::kernels::simd::lanes::avx512::{load, store, transposed};

    /// Transposes 16 x 16 floats in registers.
    ///
    /// # Safety
    /// The CPU must have AVX-512 F; `from` and `to` must point to 256 floats.
    #[target_feature(enable = "avx512f")]
    pub unsafe fn transpose(to: *mut f32, from: *const f32) {
        // Safety: the caller's.
        unsafe { store(to, 16, 16, transposed(load(from, 16, 16, 16)), 16) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transposed_matrix_has_the_panels_of_the_transposed() {
        for (outputs, inputs) in [(16, 1), (32, 7), (16, 16), (48, 37)] {
            let matrix: Vec<f32> = (1..=outputs * inputs).map(|i| i as f32).collect();
            let at = |place: usize| matrix[place % outputs * inputs + place / outputs];
            let turned: Vec<f32> = (0..matrix.len()).map(at).collect();
            let mut panels = vec![9.0; packed_len(outputs, inputs)];
            let [mut expected, mut found] = [0, 1].map(|_| vec![9.0; packed_len(inputs, outputs)]);
            pack(&mut panels, &matrix, outputs, inputs);
            pack(&mut expected, &turned, inputs, outputs);
            transpose(&mut found, &panels, outputs, inputs);
            assert_eq!(found, expected);
        }
    }

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
    fn kernels_lie_pixel_by_pixel_and_come_back() {
        for [outputs, channels, area] in [[1, 1, 1], [17, 3, 4], [5, 2, 9]] {
            let kernels: Vec<f32> = (1..=outputs * channels * area).map(|i| i as f32).collect();
            let mut panels = vec![9.0; packed_len(outputs, channels * area)];
            pack_kernels(&mut panels, &kernels, [outputs, channels, area]);
            let mut matrix = vec![0.0; kernels.len()];
            unpack(&mut matrix, &panels, outputs, channels * area);
            // Output 0: the first pixel of each channel comes first.
            let first: Vec<f32> = (0..channels).map(|channel| (channel * area + 1) as f32).collect();
            assert_eq!(matrix[..channels], first);
            let mut back = vec![0.0; kernels.len()];
            unpack_kernels(&mut back, &panels, [outputs, channels, area]);
            assert_eq!(back, kernels);
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
