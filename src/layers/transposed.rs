//! The transposed convolution: each pixel that comes in is spread over the window under its place, so that an image grows
//! (Zeiler, Krishnan, Taylor, Fergus: Deconvolutional Networks, 2010), as `torch.nn.ConvTranspose2d`.
//!
//! It is the gradient of the input of a convolution that goes the other way, from the image that comes out to the one that
//! comes in (Dumoulin, Visin: A guide to convolution arithmetic for deep learning, 2016, chapter 4): so the gradient of
//! its own input is that convolution's forward pass, and the gradient of the weights is the same with the two images
//! exchanged.

use std::ops::Range;

use super::convolution::Convolution;
use super::dense::{self, Dense};
use super::derived::{Derivation, Derived};
use super::layer::{Backward, Flops, Forward, Layer, RowsGradient};
use super::parameter::{Layout, ParameterSpec};
use super::sharding::{MOST_PARTS, Partitioning, Role, Sharding};
use crate::init::Init;
use crate::kernels::activation::{self, Activation};
use crate::kernels::convolution::convolve;
use crate::kernels::image::channels;
use crate::kernels::image::{Image, Patches, Window};
use crate::kernels::products::gemm;
use crate::kernels::products::gemm::Epilogue;
use crate::kernels::simd::prefetch::PrefetchQueue;
use crate::tensor::MatrixRef;

/// A transposed convolution with its activation, which must be one whose derivative follows from its output. Its storage
/// holds the weights as the convolution that goes the other way stores its own, then the bias.
#[derive(Clone, Debug)]
pub struct Transposed {
    input: Image,
    /// The convolution that goes the other way, without bias and activation. Its weight is this layer's, `[in, out, kernel
    /// height, kernel width]`, and the forward pass here reads what it derives for its backward pass.
    convolution: Convolution,
    bias: bool,
    bias_init: Init,
    activation: Activation,
    /// Whether the gradient of the input is wanted.
    input_gradient: bool,
}

impl Transposed {
    /// That of a window of the image that comes out, with so many pixels below it and to its right that no place of the
    /// window need see: fewer than the stride. `patch` is the layer of one pixel that comes in, as for a convolution; its
    /// outputs are the channels that come out. There is such an image: [`Window::transposed`].
    pub fn new(input: Image, window: Window, output_padding: [usize; 2], patch: Dense) -> Transposed {
        let Dense { bias, bias_init, activation, input_gradient, outputs, .. } = patch;
        let output = window.transposed(input, outputs, output_padding);
        let patches = Patches { input: output.unwrap_or(Image::new(0, 0, outputs)), window };
        let patch = Dense {
            inputs: patches.inputs(),
            outputs: input.channels,
            bias: false,
            activation: Activation::IDENTITY,
            input_gradient: true,
            ..patch
        };
        let convolution = Convolution { patches, patch };
        debug_assert_eq!(convolution.output(), Image::new(input.height, input.width, input.channels));
        Transposed { input, convolution, bias, bias_init, activation, input_gradient }
    }

    fn output(&self) -> Image {
        self.convolution.patches.input
    }

    fn weights_len(&self) -> usize {
        self.convolution.patch.weights_len()
    }

    fn bias_range(&self) -> Range<usize> {
        let start = self.weights_len();
        start..start + if self.bias { self.output().pitch } else { 0 }
    }

    /// Whether a shard is the bias, which is the last one.
    fn is_bias(&self, shard: usize) -> bool {
        shard == self.convolution.shards()
    }

    /// Floats of a copy of the input whose pixels are padded: of data, which are not, where that is needed.
    fn copy_len(&self) -> usize {
        let padded = self.convolution.output();
        if self.input.pitch == padded.pitch { 0 } else { padded.columns() }
    }

    /// A sample of the input with padded pixels, by `copy` `[copy_len]` if need be.
    fn padded<'a>(&self, x: &'a [f32], copy: &'a mut [f32]) -> &'a [f32] {
        if copy.is_empty() {
            return x;
        }
        channels::take(copy, x, self.input.pitch, 0..self.input.channels);
        copy
    }

    /// The gradient of the bias: `db` `[pitch]`.
    fn bias_gradient(&self, db: &mut [f32], dy: MatrixRef, accumulate: bool) {
        let Image { pitch, .. } = self.output();
        for row in 0..dy.rows() {
            let pixels = MatrixRef::new(dy.row(row), self.output().pixels(), pitch, pitch);
            gemm::column_sums(db, pixels, accumulate || row > 0);
        }
    }
}

impl Layer for Transposed {
    fn kind(&self) -> String {
        let kind = format!("conv-transpose {}", self.convolution.patches.window);
        super::activation::with_activation(&kind, self.activation)
    }

    fn outputs(&self) -> usize {
        self.output().features()
    }

    fn image(&self) -> Option<Image> {
        Some(self.output())
    }

    fn parameters(&self) -> Vec<ParameterSpec> {
        let mut parameters = self.convolution.parameters();
        if self.bias {
            parameters.push(ParameterSpec {
                name: "bias",
                shape: vec![self.output().channels],
                range: self.bias_range(),
                layout: Layout::Plain,
                init: Some(self.bias_init),
            });
        }
        parameters
    }

    fn scratch_len(&self) -> usize {
        self.copy_len() + self.convolution.scratch_len()
    }

    fn flops(&self) -> Flops {
        let Flops { forward, backward, gradient } = self.convolution.flops();
        let of_input = if self.input_gradient { forward } else { 0.0 };
        Flops { forward: backward, backward: of_input, gradient }
    }

    fn forward(&self, Forward { mut y, x, storage, derived, scratch, .. }: Forward) {
        let (copy, scratch) = scratch.split_at_mut(self.copy_len());
        let bias = storage.get(self.bias_range()).filter(|_| self.bias);
        let (flipped, epilogue) = (self.convolution.flipped(), dense::epilogue(self.activation));
        for row in 0..y.rows() {
            let (y, x) = (y.row(row), self.padded(x.row(row), copy));
            let is_finished = match &flipped {
                // [pixels out x in] * [in x out] -> [pixels out x out], m = pixels of y, n = channels of y,
                // k = pixels of the window * channels of x
                Some(flipped) => {
                    convolve::correlate(
                        y,
                        x,
                        flipped,
                        derived,
                        bias,
                        epilogue.unwrap_or(Epilogue::Plain),
                        scratch,
                    );
                    epilogue.is_some()
                }
                // [pixels in x in] * [in x (window * out)], each row of it added to its place
                None => {
                    self.convolution.backward_scattered(y, x, derived, scratch);
                    if let Some(bias) = bias {
                        channels::add_bias(y, bias);
                    }
                    self.activation == Activation::IDENTITY
                }
            };
            if !is_finished {
                activation::forward_in_place(self.activation, y);
                // Padding stays zero, which not every activation makes of it.
                channels::clear_padding(y, self.output());
            }
        }
    }

    fn prepares_gradient(&self) -> bool {
        self.activation != Activation::IDENTITY
    }

    fn backward(&self, Backward { mut dx, mut dy, y, storage, scratch, .. }: Backward) {
        let scratch = &mut scratch[self.copy_len()..];
        for row in 0..dy.rows() {
            let dy = dy.row(row);
            // Inverts the activation.
            if self.activation != Activation::IDENTITY {
                activation::backward_in_place(self.activation, dy, y.row(row));
            }
            // Inverts the spreading: a pixel gathers what it has given.
            if let Some(dx) = &mut dx {
                self.convolution.forward_sample(dx.row(row), dy, storage, scratch);
            }
        }
    }

    fn sums_rows(&self) -> bool {
        // Of data that are to be copied there is one sample at a time.
        self.copy_len() > 0 || self.convolution.sums_rows()
    }

    fn gradient(&self, RowsGradient { out, dy, x, accumulate, scratch, .. }: RowsGradient) {
        let (copy, scratch) = scratch.split_at_mut(self.copy_len());
        let (dw, db) = out.split_at_mut(self.weights_len());
        let patches = &self.convolution.patches;
        // [in x pixels] * [pixels x (window * out)] -> [in x (window * out)], m = channels in, n = pixels of the window
        // * channels out, k = pixels of x of all rows
        if copy.is_empty() {
            convolve::gradient(dw, x, dy, patches, accumulate, scratch);
        } else {
            for row in 0..x.rows() {
                let x = self.padded(x.row(row), copy);
                let x = MatrixRef::new(x, 1, x.len(), x.len());
                let dy = dy.block(row..row + 1, 0..dy.columns());
                convolve::gradient(dw, x, dy, patches, accumulate || row > 0, scratch);
            }
        }
        if self.bias {
            self.bias_gradient(db, dy, accumulate);
        }
    }

    fn sharding(&self) -> Option<&dyn Sharding> {
        Some(self)
    }

    fn partition(&self, wanted: Partitioning) -> Option<Box<dyn Sharding>> {
        Some(Box::new(Transposed { convolution: self.convolution.partitioned(wanted), ..self.clone() }))
    }

    fn derived(&self) -> Option<&dyn Derived> {
        Some(self)
    }
}

impl Sharding for Transposed {
    fn shards(&self) -> usize {
        self.convolution.shards() + usize::from(self.bias)
    }

    fn shard_parts(&self, shard: usize) -> [Range<usize>; MOST_PARTS] {
        if !self.is_bias(shard) {
            return self.convolution.shard_parts(shard);
        }
        let mut parts: [Range<usize>; MOST_PARTS] = Default::default();
        parts[0] = self.bias_range();
        parts
    }

    fn shard_roles(&self, shard: usize) -> [Role; MOST_PARTS] {
        // The columns of the weights are those of the channels that come in.
        if self.is_bias(shard) { [Role::Bias; MOST_PARTS] } else { self.convolution.shard_roles(shard) }
    }

    fn shards_along_inputs(&self) -> usize {
        self.convolution.shards_along_inputs()
    }

    fn shard_work(&self, shard: usize) -> usize {
        let is_summed = self.is_bias(shard) || self.sums_rows();
        self.shard_len(shard) * if is_summed { 1 } else { self.input.pixels() }
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
        if self.is_bias(shard) {
            ahead.ask();
            return self.bias_gradient(out, dy, accumulate);
        }
        // What the convolution takes for its input is what comes out here.
        self.convolution.shard_gradient(shard, out, x, dy, accumulate, ahead);
    }

    fn derives(&self) -> Option<&dyn Derived> {
        Some(self)
    }
}

impl Derived for Transposed {
    fn derived_len(&self) -> usize {
        self.convolution.derived_len()
    }

    fn forward_derived_len(&self) -> usize {
        self.derived_len()
    }

    fn derive_forward(&self, mut derived: &mut [f32], storage: &[f32]) {
        for shard in 0..self.convolution.shards() {
            self.convolution.derive_shard(shard, &|part| &storage[part], &mut derived);
        }
    }

    fn derived_parts(&self, shard: usize, each: &mut dyn FnMut(Range<usize>)) {
        if !self.is_bias(shard) {
            self.convolution.derived_parts(shard, each);
        }
    }

    fn derive(&self, shard: usize, from: &Derivation) {
        if !self.is_bias(shard) {
            self.convolution.derive(shard, from);
        }
    }
}
