//! Convolutions with 16 samples in the lanes: the same bits on every instruction set, whose tiles differ.
//! (What the bits should be is tested with the layer, in tests/layers/convolution_pool.rs.)

use crate::{on_every_isa, spread};
use fallline::engine::kernels::convolution::fused_pool::{FusedPool, Group};
use fallline::engine::kernels::image::{Image, Patches, Window};
use fallline::engine::tensor::{MatrixMut, MatrixRef, padded, row_stride};

/// Height, width, channels, window, outputs, samples.
const SHAPES: [([usize; 3], Window, usize, usize); 8] = [
    ([2, 2, 1], Window::square(1, 1, 0, 1), 1, 1),
    ([7, 9, 6], Window::square(5, 1, 1, 1), 16, 16),
    ([6, 12, 5], Window::square(3, 1, 0, 1), 23, 7),
    ([5, 4, 13], Window::square(2, 1, 2, 1), 3, 16),
    ([9, 5, 2], Window::square(4, 1, 0, 1), 6, 12),
    ([4, 3, 24], Window::square(3, 1, 1, 1), 33, 2),
    ([7, 11, 3], Window::rectangle([3, 5], [1, 1], [0, 2], [1, 1]), 7, 16),
    ([6, 7, 5], Window::rectangle([4, 1], [1, 1], [2, 0], [1, 1]), 17, 3),
];

/// Output, who takes its gradient, and all gradients; NaN where nothing is to be read.
fn all(kernel: &FusedPool, samples: usize) -> [Vec<f32>; 5] {
    let (input, output) = (kernel.patches.input, kernel.output());
    let stride = row_stride(input.columns());
    let mut x = spread(samples * stride, 1.0);
    for pixel in x.chunks_exact_mut(input.pitch) {
        pixel[input.channels..].fill(0.0);
    }
    let weights = spread(output.pitch * kernel.patches.inputs(), 0.3);
    let bias = spread(padded(kernel.outputs), 0.1);
    let (mut lanes, mut dx_lanes) = (vec![f32::NAN; kernel.input_len()], vec![f32::NAN; kernel.input_len()]);
    kernel.gather_input(&mut lanes, MatrixRef::new(&x, samples, input.columns(), stride));
    let columns = output.columns();
    let mut y = vec![f32::NAN; samples * columns];
    let mut takers = vec![f32::NAN; if kernel.pools { kernel.output_len() } else { 0 }];
    let matrix = MatrixMut::new(&mut y, samples, columns, columns);
    kernel.forward(matrix, &mut takers, &lanes, &weights, Some(&bias), true);

    let dy = spread(samples * columns, 1.0);
    let mut dy_lanes = vec![f32::NAN; kernel.output_len()];
    kernel.gather_gradient(&mut dy_lanes, MatrixRef::new(&dy, samples, columns, columns), &takers);
    let mut scratch = vec![f32::NAN; kernel.input_gradient_scratch().max(kernel.weight_gradient_scratch())];
    kernel.input_gradient(&mut dx_lanes, &dy_lanes, &takers, &weights, &mut scratch);
    let mut dx = vec![0.0; samples * stride];
    kernel.scatter_input(MatrixMut::new(&mut dx, samples, input.columns(), stride), &dx_lanes);
    scratch.fill(f32::NAN);
    let (mut dw, mut db) = (vec![f32::NAN; weights.len()], vec![f32::NAN; bias.len()]);
    let group = Group { x: &lanes, takers: &takers, dy: &dy_lanes };
    kernel.weight_gradient(&mut dw, &mut db, group, &mut scratch, false);
    [y, takers, dx, dw, db]
}

#[test]
fn every_instruction_set_gives_the_same_bits() {
    for ([height, width, channels], window, outputs, samples) in SHAPES {
        for pools in [true, false] {
            let patches = Patches { input: Image::new(height, width, channels), window };
            let kernel = FusedPool { patches, outputs, pools };
            let results = on_every_isa(|| all(&kernel, samples).concat());
            assert!(results.iter().all(|x| x.is_finite()), "{kernel:?}");
            let [y, _, dx, dw, db] = all(&kernel, samples);
            let some = |values: &[f32]| values.iter().any(|&x| x != 0.0);
            assert!(some(&y) && some(&dx) && some(&dw) && some(&db), "{kernel:?}");
        }
    }
}

/// Without a pool, the pixels that a pool would take the largest of.
#[test]
fn the_pool_takes_the_largest_of_what_comes_out_without_it() {
    for ([height, width, channels], window, outputs, samples) in SHAPES {
        let patches = Patches { input: Image::new(height, width, channels), window };
        let kernel = FusedPool { patches, outputs, pools: true };
        let (pooled, image) = (kernel.output(), kernel.unpooled());
        let [y, ..] = all(&kernel, samples);
        let [z, ..] = all(&FusedPool { pools: false, ..kernel }, samples);
        for (y, z) in y.chunks_exact(pooled.columns()).zip(z.chunks_exact(image.columns())) {
            for (place, y) in y.iter().enumerate() {
                let (pixel, channel) = (place / pooled.pitch, place % pooled.pitch);
                let corner = pixel / pooled.width * 2 * image.width + pixel % pooled.width * 2;
                let at = |right: usize, down: usize| {
                    z[(corner + down * image.width + right) * image.pitch + channel]
                };
                let largest = at(0, 0).max(at(1, 0)).max(at(0, 1)).max(at(1, 1));
                assert_eq!(y.to_bits(), largest.to_bits(), "{kernel:?} {place}");
            }
        }
    }
}
