//! The convolution of a few channels with its ReLU and the max-pool after it: 16 samples at once.

use std::ops::Range;

use super::convolution::Convolution;
use super::layer::{Backward, Flops, Forward, Layer, RowsGradient};
use super::parameter::ParameterSpec;
use super::sharding::{Partitioning, Sharding};
use crate::kernels::activation::Activation;
use crate::kernels::convolution::fused_pool::{FusedPool, GROUP, Group};
use crate::kernels::image::{Image, Window};
use crate::tensor::MatrixMut;

/// With more channels in, patches of real channels make a product that is as fast.
const MOST_CHANNELS: usize = 24;

/// The most floats of a group's images, so that they stay in the second-level cache, or nearly.
const MOST_FLOATS: usize = 384 << 10;

/// A [`Convolution`] with dilation 1 and no activation or a ReLU, and a max-pool of 2 x 2 pixels, with
/// 16 samples in the lanes of a vector: [`kernels::convolution::fused_pool`](crate::kernels::convolution::fused_pool).
#[derive(Clone, Debug)]
pub struct ConvolutionPool {
    /// Keeps the parameters. It is told that there is no gradient of the input, for which nothing has to
    /// be derived from the weights here.
    convolution: Convolution,
    input_gradient: bool,
    kernel: FusedPool,
}

/// What is kept of a group, one after the other: its input, which pixels take the gradient, the gradient
/// of its output.
struct Saved<'a> {
    x: &'a mut [f32],
    takers: &'a mut [f32],
    dy: &'a mut [f32],
}

impl ConvolutionPool {
    /// The convolution with the pool of this window, if shapes allow it and make it worth while.
    pub fn new(mut convolution: Convolution, pool: Window) -> Option<ConvolutionPool> {
        let (patches, patch) = (convolution.patches, &convolution.patch);
        let (window, input_gradient) = (patches.window, patch.input_gradient);
        let kernel = FusedPool { patches, outputs: patch.outputs, pools: true };
        let fits = FusedPool::is_its_pool(pool)
            && [Activation::IDENTITY, Activation::RELU].contains(&patch.activation)
            && !window.is_dilated()
            && (window.stride == [1, 1] || !input_gradient)
            && patches.input.channels <= MOST_CHANNELS
            && kernel.input_len() + 2 * kernel.output_len() <= MOST_FLOATS;
        convolution.patch.input_gradient = false;
        fits.then_some(ConvolutionPool { convolution, input_gradient, kernel })
    }

    /// Floats that are kept of a group.
    fn group_len(&self) -> usize {
        self.kernel.input_len() + 2 * self.kernel.output_len()
    }

    /// The scratch, and what is kept of a group.
    fn saved<'a>(&self, scratch: &'a mut [f32], group: usize) -> (&'a mut [f32], Saved<'a>) {
        let (scratch, saved) = scratch.split_at_mut(self.scratch_len());
        let saved = &mut saved[group * self.group_len()..][..self.group_len()];
        let (x, saved) = saved.split_at_mut(self.kernel.input_len());
        let (takers, dy) = saved.split_at_mut(self.kernel.output_len());
        (scratch, Saved { x, takers, dy })
    }

    fn bias<'a>(&self, storage: &'a [f32]) -> Option<&'a [f32]> {
        self.convolution.patch.bias.then(|| &storage[self.weights_len()..])
    }

    fn weights_len(&self) -> usize {
        self.kernel.output().pitch * self.kernel.patches.inputs()
    }
}

/// The rows of each group of a batch.
fn groups(rows: usize) -> impl Iterator<Item = Range<usize>> {
    (0..rows).step_by(GROUP).map(move |start| start..(start + GROUP).min(rows))
}

/// Some rows, to be written.
fn rows_of<'a>(matrix: &'a mut MatrixMut, rows: &Range<usize>) -> MatrixMut<'a> {
    matrix.reborrow().into_rows(rows.clone())
}

impl Layer for ConvolutionPool {
    fn kind(&self) -> String {
        format!("{} + max-pool 2x2", self.convolution.kind())
    }

    fn outputs(&self) -> usize {
        self.kernel.output().features()
    }

    fn image(&self) -> Option<Image> {
        Some(self.kernel.output())
    }

    fn parameters(&self) -> Vec<ParameterSpec> {
        self.convolution.parameters()
    }

    fn scratch_len(&self) -> usize {
        let gradient = self.kernel.weight_gradient_scratch();
        if !self.input_gradient {
            return gradient;
        }
        gradient.max(self.kernel.input_len() + self.kernel.input_gradient_scratch())
    }

    fn saved_len(&self, rows: usize) -> usize {
        rows.div_ceil(GROUP) * self.group_len()
    }

    fn rows_at_once(&self) -> usize {
        GROUP
    }

    fn flops(&self) -> Flops {
        let flops = self.convolution.flops();
        Flops { backward: if self.input_gradient { flops.forward } else { 0.0 }, ..flops }
    }

    fn forward(&self, Forward { mut y, x, storage, scratch, .. }: Forward) {
        let relu = self.convolution.patch.activation == Activation::RELU;
        for (group, rows) in groups(x.rows()).enumerate() {
            let (_, saved) = self.saved(scratch, group);
            self.kernel.gather_input(saved.x, x.block(rows.clone(), 0..x.columns()));
            let (y, weights) = (rows_of(&mut y, &rows), &storage[..self.weights_len()]);
            self.kernel.forward(y, saved.takers, saved.x, weights, self.bias(storage), relu);
        }
    }

    fn backward(&self, Backward { mut dx, dy, storage, scratch, .. }: Backward) {
        let dy = dy.as_ref();
        for (group, rows) in groups(dy.rows()).enumerate() {
            let (scratch, saved) = self.saved(scratch, group);
            // Inverts the activation and the pool, but for handing the gradient to the pixels that take it.
            self.kernel.gather_gradient(saved.dy, dy.block(rows.clone(), 0..dy.columns()), saved.takers);
            let Some(dx) = &mut dx else { continue };
            let (lanes, scratch) = scratch.split_at_mut(self.kernel.input_len());
            let weights = &storage[..self.weights_len()];
            self.kernel.input_gradient(lanes, saved.dy, saved.takers, weights, scratch);
            self.kernel.scatter_input(rows_of(dx, &rows), lanes);
        }
    }

    fn gradient(&self, RowsGradient { out, dy, accumulate, scratch, .. }: RowsGradient) {
        let (dw, db) = out.split_at_mut(self.weights_len());
        for (group, _) in groups(dy.rows()).enumerate() {
            let (scratch, Saved { x, takers, dy }) = self.saved(scratch, group);
            self.kernel.weight_gradient(dw, db, Group { x, takers, dy }, scratch, accumulate || group > 0);
        }
    }

    fn sharding(&self) -> Option<&dyn Sharding> {
        Some(&self.convolution.patch)
    }

    fn partition(&self, wanted: Partitioning) -> Option<Box<dyn Sharding>> {
        Some(Box::new(self.convolution.patch.partitioned(wanted)))
    }
}
