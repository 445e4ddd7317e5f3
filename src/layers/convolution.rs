//! The convolution of images: a dense layer applied to the patch under each place of a window.
//!
//! As in PyTorch it is a correlation: `y[o] = activation(Σ w[o, c, i, j] · x[c, i', j'] + b[o])`, with
//! i' and j' the place of pixel (i, j) of the window.

mod flipped;

use std::ops::Range;

use super::dense::{Dense, Shard};
use super::derived::{Derivation, Derived, Destination, Reader};
use super::in_order::Along;
use super::layer::{Backward, Flops, Forward, Layer, RowsGradient};
use super::parameter::{Layout, ParameterSpec};
use super::sharding::{MOST_PARTS, Partitioning, Role, Sharding};
use super::windowed::{self, Windowed};
use crate::kernels::activation::{self, Activation};
use crate::kernels::convolution::convolve;
use crate::kernels::image::{Image, Patches, Window};
use crate::kernels::products::gemm::{self, Epilogue};
use crate::kernels::simd::prefetch::PrefetchQueue;
use crate::tensor::{LANES, MatrixMut, MatrixRef, padded, row_stride};

/// Floats of the patches that are gathered together: they, and the results made of them, stay in the
/// second-level cache.
const GATHERED: usize = 16 << 10;

/// More weights than this many times the numbers of a sample's images, in and out, are heavy.
const HEAVY: usize = 2;

/// Rows of a register tile.
const TILE_ROWS: usize = 14;

/// A convolution with its activation, which must be one whose derivative follows from its output.
#[derive(Clone, Debug)]
pub struct Convolution {
    pub patches: Patches,
    /// The layer of one patch: its inputs are [`Patches::inputs`], its outputs the channels.
    pub patch: Dense,
}

impl Convolution {
    /// The layer with its parameters partitioned so, but for the order of its shards: each reads whole images.
    pub(super) fn partitioned(&self, wanted: Partitioning) -> Convolution {
        let patch = self.patch.partitioned(Partitioning { by_inputs: false, sparse_input: false, ..wanted });
        Convolution { patch, ..self.clone() }
    }

    pub(super) fn output(&self) -> Image {
        self.patches.window.output(self.patches.input, self.patch.outputs)
    }

    /// Floats from one patch to the next.
    fn stride(&self) -> usize {
        row_stride(self.patches.inputs())
    }

    /// Patches that are gathered together: all of a sample, or whole tiles of about equal parts of it.
    fn block(&self) -> usize {
        let (most, pixels) = ((GATHERED / self.stride()).max(TILE_ROWS), self.output().pixels());
        let even = pixels.div_ceil(pixels.div_ceil(most));
        if pixels <= most { pixels } else { even.next_multiple_of(TILE_ROWS) }
    }

    /// The output pixels in blocks.
    fn blocks(&self) -> impl Iterator<Item = Range<usize>> {
        let (block, pixels) = (self.block(), self.output().pixels());
        (0..pixels).step_by(block).map(move |start| start..(start + block).min(pixels))
    }

    /// Whether patches are gathered for the forward pass: where their runs are so short that reading them
    /// in place costs more.
    fn gathers(&self) -> bool {
        self.patches.window.area() > 1 && self.patches.run() < LANES
    }

    /// Floats of scratch for patches in pieces, and for the framed image that they are of.
    fn pieces_len(&self) -> usize {
        self.patches.framed_len() + self.block() * self.stride() + LANES
    }

    /// The forward pass of one sample: `y` `[pixels, out]`, `x` `[height, width, pitch]`.
    pub(super) fn forward_sample(&self, y: &mut [f32], x: &[f32], storage: &[f32], scratch: &mut [f32]) {
        if self.gathers() {
            self.forward_gathered(y, x, storage, scratch);
        } else {
            self.forward_in_place(y, x, storage, scratch);
        }
    }

    /// The forward pass of one sample by patches that are gathered.
    fn forward_gathered(&self, y: &mut [f32], x: &[f32], storage: &[f32], scratch: &mut [f32]) {
        let (framed, columns) = scratch.split_at_mut(self.patches.framed_len());
        let pitch = self.output().pitch;
        self.patches.frame(framed, x);
        for pixels in self.blocks() {
            self.patches.gather(columns, self.stride(), framed, pixels.clone());
            let patches = MatrixRef::new(columns, pixels.len(), self.patches.inputs(), self.stride());
            let y = pixels_of_mut(y, &pixels, pitch);
            self.patch.apply(y, patches, storage, 0..pitch);
        }
    }

    /// The forward pass of one sample without patches.
    fn forward_in_place(&self, y: &mut [f32], x: &[f32], storage: &[f32], scratch: &mut [f32]) {
        let weights = &storage[..self.patch.weights_len()];
        let bias = storage.get(self.patch.bias_range()).filter(|_| self.patch.bias);
        let epilogue = self.patch.epilogue();
        // [pixels x in] * [in x out] -> [pixels x out], m = pixels, n = channels out, k = inputs
        convolve::correlate(y, x, &self.patches, weights, bias, epilogue.unwrap_or(Epilogue::Plain), scratch);
        if epilogue.is_none() {
            // Padding stays zero, which not every activation makes of it.
            for pixel in y.chunks_exact_mut(self.output().pitch) {
                activation::forward_in_place(self.patch.activation, &mut pixel[..self.patch.outputs]);
            }
        }
    }

    /// The gradient of one sample's input by patches whose gradients are added to their places.
    pub(super) fn backward_scattered(
        &self,
        dx: &mut [f32],
        dy: &[f32],
        derived: &[f32],
        scratch: &mut [f32],
    ) {
        let (framed, columns) = scratch.split_at_mut(self.patches.framed_len());
        framed.fill(0.0);
        for pixels in self.blocks() {
            let inputs = padded(self.patches.inputs());
            let dpatches = MatrixMut::new(columns, pixels.len(), inputs, self.stride());
            let dy = pixels_of(dy, &pixels, self.output().pitch);
            // [pixels x out] * [out x in] -> [pixels x in], m = pixels, n = inputs, k = channels out
            gemm::product(dpatches, dy, derived, None, Epilogue::Plain);
            self.patches.scatter(framed, columns, self.stride(), pixels);
        }
        self.patches.unframe(dx, framed);
    }
}

impl Convolution {
    /// What the owner of a shard derives from it, `storage` reading the layer's.
    pub(super) fn derive_shard(&self, shard: usize, storage: &Reader, derived: &mut impl Destination) {
        match self.flipped() {
            Some(flipped) => self.turn(&flipped, shard, storage, derived),
            None => self.patch.transpose_shard(shard, storage, derived),
        }
    }

    /// Whether a sample's images are far fewer numbers than the weights: then they are kept for the whole
    /// batch, and each shard sums its gradient over all of them, rather than that gradients of all weights
    /// are summed for each part of the batch and leave the cache between the rows.
    fn has_heavy_weights(&self) -> bool {
        let images = self.patches.input.columns() + self.output().columns();
        !self.patches.has_few_channels() && self.patch.weights_len() > HEAVY * images
    }

    /// The gradient of the biases of some channels: `db` `[columns]`.
    fn bias_gradient(&self, db: &mut [f32], dy: MatrixRef, columns: Range<usize>, accumulate: bool) {
        let Image { pitch, .. } = self.output();
        for row in 0..dy.rows() {
            let dy = dy.row(row);
            let pixels = MatrixRef::new(dy, dy.len() / pitch, pitch, pitch);
            gemm::column_sums(db, pixels.block(0..pixels.rows(), columns.clone()), accumulate || row > 0);
        }
    }
}

/// These pixels of an image, `[pixels, pitch]`.
fn pixels_of<'a>(image: &'a [f32], pixels: &Range<usize>, pitch: usize) -> MatrixRef<'a> {
    MatrixRef::new(&image[pixels.start * pitch..pixels.end * pitch], pixels.len(), pitch, pitch)
}

/// These pixels of an image, to be written.
fn pixels_of_mut<'a>(image: &'a mut [f32], pixels: &Range<usize>, pitch: usize) -> MatrixMut<'a> {
    MatrixMut::new(&mut image[pixels.start * pitch..pixels.end * pitch], pixels.len(), pitch, pitch)
}

impl Layer for Convolution {
    fn kind(&self) -> String {
        super::activation::with_activation(&format!("conv {}", self.patches.window), self.patch.activation)
    }

    fn outputs(&self) -> usize {
        self.output().features()
    }

    fn image(&self) -> Option<Image> {
        Some(self.output())
    }

    fn parameters(&self) -> Vec<ParameterSpec> {
        let mut parameters = self.patch.parameters();
        let channels = [self.patch.outputs, self.patches.input.channels];
        parameters[0].shape = [&channels, self.patches.window.kernel_shape()].concat();
        parameters[0].layout = Layout::Kernels;
        parameters
    }

    fn scratch_len(&self) -> usize {
        let forward = if self.gathers() { self.pieces_len() } else { self.patches.correlation_scratch() };
        let backward = match self.flipped() {
            _ if !self.patch.input_gradient => 0,
            Some(flipped) => flipped.correlation_scratch(),
            None => self.pieces_len(),
        };
        forward.max(backward).max(self.patches.gradient_scratch())
    }

    fn flops(&self) -> Flops {
        let pixels = self.output().pixels() as f64;
        let Flops { forward, backward, gradient } = self.patch.flops();
        Flops { forward: pixels * forward, backward: pixels * backward, gradient: pixels * gradient }
    }

    fn forward(&self, Forward { mut y, x, storage, scratch, .. }: Forward) {
        for row in 0..y.rows() {
            self.forward_sample(y.row(row), x.row(row), storage, scratch);
        }
    }

    fn prepares_gradient(&self) -> bool {
        self.patch.activation != Activation::IDENTITY
    }

    fn along(&self) -> Along<'_> {
        windowed::along(self)
    }

    fn backward(&self, Backward { mut dx, mut dy, y, derived, scratch, .. }: Backward) {
        let flipped = self.flipped();
        for row in 0..dy.rows() {
            let dy = dy.row(row);
            // Inverts the activation.
            if self.patch.activation != Activation::IDENTITY {
                activation::backward_in_place(self.patch.activation, dy, y.row(row));
            }
            let Some(dx) = &mut dx else { continue };
            let dx = dx.row(row);
            match &flipped {
                // [pixels x in] * [in x out] -> [pixels x out] of a convolution that takes dy:
                // m = pixels of x, n = channels of x, k = pixels of the window * channels of dy
                Some(flipped) => {
                    convolve::correlate(dx, dy, flipped, derived, None, Epilogue::Plain, scratch)
                }
                None => self.backward_scattered(dx, dy, derived, scratch),
            }
        }
    }

    fn sums_rows(&self) -> bool {
        !self.has_heavy_weights()
    }

    fn gradient(&self, RowsGradient { out, dy, x, accumulate, scratch, .. }: RowsGradient) {
        let (dw, db) = out.split_at_mut(self.patch.weights_len());
        // [out x pixels] * [pixels x in] -> [out x in], m = channels out, n = inputs, k = pixels of all rows
        convolve::gradient(dw, dy, x, &self.patches, accumulate, scratch);
        if !db.is_empty() {
            self.bias_gradient(db, dy, 0..db.len(), accumulate);
        }
    }

    fn sharding(&self) -> Option<&dyn Sharding> {
        Some(self)
    }

    fn partition(&self, wanted: Partitioning) -> Option<Box<dyn Sharding>> {
        Some(Box::new(self.partitioned(wanted)))
    }

    fn derived(&self) -> Option<&dyn Derived> {
        Some(self)
    }
}

impl Sharding for Convolution {
    fn shards(&self) -> usize {
        self.patch.shards()
    }

    fn shard_parts(&self, shard: usize) -> [Range<usize>; MOST_PARTS] {
        self.patch.shard_parts(shard)
    }

    fn shards_along_inputs(&self) -> usize {
        self.patch.shards_along_inputs()
    }

    fn shard_roles(&self, shard: usize) -> [Role; MOST_PARTS] {
        self.patch.shard_roles(shard)
    }

    fn shard_work(&self, shard: usize) -> usize {
        self.shard_len(shard) * if self.sums_rows() { 1 } else { self.output().pixels() }
    }

    fn shard_gradient(
        &self,
        shard: usize,
        out: &mut [f32],
        dy: MatrixRef,
        x: MatrixRef,
        accumulate: bool,
        ahead: &PrefetchQueue,
    ) {
        ahead.ask();
        if self.patch.is_bias(shard) {
            return self.bias_gradient(out, dy, 0..out.len(), accumulate);
        }
        let Shard { panels, inputs } = self.patch.shard(shard);
        let columns = panels.start * LANES..panels.end * LANES;
        let (dw, db) = out.split_at_mut(columns.len() * inputs.len());
        // [out x pixels] * [pixels x in] -> [out x in], m = channels out, n = inputs, k = pixels of all rows
        convolve::gradient_of(dw, dy, x, &self.patches, [panels, inputs], accumulate);
        if !db.is_empty() {
            self.bias_gradient(db, dy, columns, accumulate);
        }
    }

    fn derives(&self) -> Option<&dyn Derived> {
        Some(self)
    }
}

impl Derived for Convolution {
    fn derived_len(&self) -> usize {
        self.flipped().map_or(self.patch.derived_len(), |flipped| self.flipped_len(&flipped))
    }

    fn derived_parts(&self, shard: usize, each: &mut dyn FnMut(Range<usize>)) {
        match self.flipped() {
            Some(flipped) => self.flipped_parts(&flipped, shard, each),
            None => self.patch.derived_parts(shard, each),
        }
    }

    fn derive(&self, shard: usize, from: &Derivation) {
        self.derive_shard(shard, &from.storage, &mut &*from);
    }
}

impl Windowed for Convolution {
    fn placed(&self) -> (Image, Window) {
        (self.patches.input, self.patches.window)
    }

    fn over(&self, input: Image, window: Window) -> Convolution {
        // Nothing goes backward here.
        let patch = Dense { input_gradient: false, ..self.patch.clone() };
        Convolution { patches: Patches { input, window }, patch }
    }
}
