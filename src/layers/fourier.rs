//! Random Fourier features (Rahimi, Recht: Random Features for Large-Scale Kernel Machines, 2007): of two samples the
//! product of their features is, but for chance, the kernel exp(-γ ‖x - x'‖²). So what is linear in them is a kernel
//! method, for which no sample needs to be compared with any other.

use super::layer::{Backward, Flops, Forward, Layer};
use super::parameter::{Layout, ParameterSpec};
use crate::init::{self, Init};
use crate::kernels::elementwise::fourier;
use crate::kernels::products::gemm::{self, Epilogue};
use crate::kernels::products::panels;
use crate::rng::{self, Purpose};
use crate::tensor::{LANES, MatrixMut, MatrixRef, padded};

/// Rows of the backward pass for which the products are made again at a time.
const TOGETHER: usize = 16;

/// The first of the streams of a seed that draw for layers with one of their own: no model has so many parameters that
/// theirs come to it.
const OWN_STREAMS: u64 = 1 << 32;

/// `y = √(2 / D) cos(W x + b)`, with W drawn from N(0, 2 γ) and b from \[0, 2π): they are fixed, no rule and no penalty
/// changes them.
#[derive(Clone, Debug)]
pub struct RandomFourier {
    pub inputs: usize,
    /// The features that come out, D.
    pub components: usize,
    /// γ of the kernel, above 0.
    pub gamma: f64,
    /// What W and b are drawn with; 0 is the seed of the model.
    pub seed: u64,
    /// Whether the gradient of the input is wanted: in all layers but the first.
    pub input_gradient: bool,
}

impl RandomFourier {
    fn scale(&self) -> f32 {
        (2.0 / self.components as f64).sqrt() as f32
    }

    fn weights_len(&self) -> usize {
        panels::packed_len(self.components, self.inputs)
    }

    /// How W and b are drawn.
    fn draws(&self) -> [Init; 2] {
        // The kernel is the Fourier transform of this distribution.
        let deviation = (2.0 * self.gamma).sqrt() as f32;
        [Init::Normal { mean: 0.0, deviation }, Init::Uniform { low: 0.0, high: std::f32::consts::TAU }]
    }

    /// W x + b of some rows: `z` `[rows, padded(components)]`.
    fn products(&self, z: MatrixMut, x: MatrixRef, storage: &[f32]) {
        let (weights, bias) = storage.split_at(self.weights_len());
        let x = x.block(0..x.rows(), 0..self.inputs);
        // [rows x in] * [in x out] -> [rows x out], m = rows, n = components, k = inputs
        gemm::product(z, x, weights, Some(&bias[..padded(self.components)]), Epilogue::Plain);
    }

    /// Floats of W's transposed panels.
    fn transposed_len(&self) -> usize {
        panels::packed_len(self.inputs, padded(self.components))
    }
}

impl Layer for RandomFourier {
    fn kind(&self) -> String {
        "random-fourier-features".into()
    }

    fn outputs(&self) -> usize {
        self.components
    }

    fn fixed(&self) -> Vec<ParameterSpec> {
        let [of_weight, of_bias] = self.draws().map(|init| (self.seed == 0).then_some(init));
        let (outputs, end) = (self.components, self.weights_len());
        let weight = ParameterSpec {
            name: "weight",
            shape: vec![outputs, self.inputs],
            range: 0..end,
            layout: Layout::Panels,
            init: of_weight,
        };
        let bias = ParameterSpec {
            name: "bias",
            shape: vec![outputs],
            range: end..end + padded(outputs),
            layout: Layout::Plain,
            init: of_bias,
        };
        vec![weight, bias]
    }

    /// Draws both with a seed of their own, if there is one.
    fn complete(&self, storage: &mut [f32]) {
        if self.seed == 0 {
            return;
        }
        let [of_weight, of_bias] = self.draws();
        let [mut weights, mut biases] =
            [0, 1].map(|number| rng::stream(self.seed, Purpose::Init, OWN_STREAMS + number));
        let (weight, bias) = storage.split_at_mut(self.weights_len());
        let mut rows = vec![0.0; LANES * self.inputs];
        for (panel, first) in
            weight.chunks_exact_mut(LANES * self.inputs).zip((0..self.components).step_by(LANES))
        {
            let outputs = LANES.min(self.components - first);
            let rows = &mut rows[..outputs * self.inputs];
            init::fill(&of_weight, rows, self.inputs, outputs, &mut weights);
            panels::pack(panel, rows, outputs, self.inputs);
        }
        init::fill(&of_bias, &mut bias[..self.components], 1, 1, &mut biases);
    }

    fn flops(&self) -> Flops {
        let product = 2.0 * self.inputs as f64 * self.components as f64;
        let backward = if self.input_gradient { product } else { 0.0 };
        Flops { forward: product, backward, gradient: 0.0 }
    }

    fn scratch_len(&self) -> usize {
        let products = TOGETHER * padded(self.components);
        if self.input_gradient { products + self.transposed_len() } else { 0 }
    }

    fn forward(&self, Forward { mut y, x, storage, .. }: Forward) {
        self.products(y.reborrow(), x, storage);
        for row in 0..y.rows() {
            let (y, padding) = y.row(row).split_at_mut(self.components);
            fourier::forward(y, self.scale());
            padding.fill(0.0);
        }
    }

    fn prepares_gradient(&self) -> bool {
        false
    }

    /// Inverts the forward pass. The cosine does not tell the sign of the sine, so the products are made again.
    fn backward(&self, Backward { dx, dy, x, storage, scratch, .. }: Backward) {
        let Some(mut dx) = dx else { return };
        let (dy, columns) = (dy.as_ref(), padded(self.components));
        let (transposed, scratch) = scratch.split_at_mut(self.transposed_len());
        panels::transpose(transposed, &storage[..self.weights_len()], columns, self.inputs);
        for first in (0..dx.rows()).step_by(TOGETHER) {
            let rows = first..(first + TOGETHER).min(dx.rows());
            let count = rows.len();
            let mut z = MatrixMut::new(&mut scratch[..count * columns], count, columns, columns);
            self.products(z.reborrow(), x.block(rows.clone(), 0..self.inputs), storage);
            for row in 0..count {
                let (z, padding) = z.row(row).split_at_mut(self.components);
                fourier::backward(z, &dy.row(first + row)[..self.components], self.scale());
                padding.fill(0.0);
            }
            // Inverts the product:
            // [rows x out] * [out x in] -> [rows x in], m = rows, n = inputs, k = components
            gemm::product(dx.reborrow().into_rows(rows), z.as_ref(), transposed, None, Epilogue::Plain);
        }
    }
}
