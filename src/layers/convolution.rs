//! The convolution of images: a dense layer applied to the patch under each place of a window.
//!
//! As in PyTorch it is a correlation: `y[o] = activation(Σ w[o, c, i, j] · x[c, i', j'] + b[o])`, with
//! i' and j' the place of pixel (i, j) of the window.

use std::ops::Range;

use super::{Arrangement, Dense, Derivation, Flops, Layer, MOST_PARTS, ParameterSpec, Role};
use crate::kernels::activation::{self, Activation};
use crate::kernels::gemm::{self, Finish};
use crate::kernels::image::{Image, Patches};
use crate::tensor::{LANES, MatrixMut, MatrixRef, padded, row_stride};

/// Floats of the patches that are gathered together: they, and the results made of them, stay in the
/// second-level cache.
const GATHERED: usize = 16 << 10;

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
    fn output(&self) -> Image {
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

    /// Hands `each` the patches `[pixels, inputs]` of all blocks of output pixels of a sample, in order.
    fn gather(&self, x: &[f32], scratch: &mut [f32], mut each: impl FnMut(Range<usize>, MatrixRef)) {
        let Patches { input, .. } = self.patches;
        if self.patches.are_pixels() {
            let pixels = input.pixels();
            return each(0..pixels, MatrixRef::new(x, pixels, input.channels, input.pitch));
        }
        let (framed, columns) = scratch.split_at_mut(self.patches.framed_len());
        self.patches.frame(framed, x);
        for pixels in self.blocks() {
            self.patches.gather(columns, self.stride(), framed, pixels.clone());
            let patches = MatrixRef::new(columns, pixels.len(), self.patches.inputs(), self.stride());
            each(pixels, patches);
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
        let kernel = self.patches.window.kernel;
        match self.patch.activation {
            Activation::Identity => format!("conv {kernel}x{kernel}"),
            activation => format!("conv {kernel}x{kernel} + {}", activation.name()),
        }
    }

    fn outputs(&self) -> usize {
        self.output().features()
    }

    fn image(&self) -> Option<Image> {
        Some(self.output())
    }

    fn parameters(&self) -> Vec<ParameterSpec> {
        let mut parameters = self.patch.parameters();
        let kernel = self.patches.window.kernel;
        parameters[0].shape = vec![self.patch.outputs, self.patches.input.channels, kernel, kernel];
        parameters[0].arrangement = Arrangement::Kernels;
        parameters
    }

    fn derived_len(&self) -> usize {
        self.patch.derived_len()
    }

    fn scratch_len(&self) -> usize {
        if self.patches.are_pixels() {
            return 0;
        }
        self.patches.framed_len() + self.block() * self.stride() + LANES
    }

    fn flops(&self) -> Flops {
        let pixels = self.output().pixels() as f64;
        let Flops { forward, backward, gradient } = self.patch.flops();
        Flops { forward: pixels * forward, backward: pixels * backward, gradient: pixels * gradient }
    }

    fn forward(
        &self,
        mut y: MatrixMut,
        x: MatrixRef,
        storage: &[f32],
        _derived: &[f32],
        _columns: Range<usize>,
        scratch: &mut [f32],
    ) {
        let pitch = self.output().pitch;
        for row in 0..y.rows() {
            let y = y.row(row);
            self.gather(x.row(row), scratch, |pixels, patches| {
                self.patch.forward(
                    pixels_of_mut(y, &pixels, pitch),
                    patches,
                    storage,
                    &[],
                    0..pitch,
                    &mut [],
                );
            });
        }
    }

    fn backward(
        &self,
        dx: Option<MatrixMut>,
        mut dy: MatrixMut,
        _x: MatrixRef,
        y: MatrixRef,
        _storage: &[f32],
        derived: &[f32],
        scratch: &mut [f32],
    ) {
        // Inverts the activation.
        if self.patch.activation != Activation::Identity {
            for row in 0..dy.rows() {
                activation::backward_in_place(self.patch.activation, dy.row(row), y.row(row));
            }
        }
        let Some(mut dx) = dx else { return };
        let (dy, pitch, input) = (dy.as_ref(), self.output().pitch, self.patches.input);
        for row in 0..dx.rows() {
            let (dx, dy) = (dx.row(row), dy.row(row));
            if self.patches.are_pixels() {
                let all = 0..input.pixels();
                // [pixels x out] * [out x in] -> [pixels x in], m = pixels, n = channels in, k = out
                let dx = pixels_of_mut(dx, &all, input.pitch);
                gemm::product(dx, pixels_of(dy, &all, pitch), derived, None, Finish::Plain);
                continue;
            }
            let (framed, columns) = scratch.split_at_mut(self.patches.framed_len());
            framed.fill(0.0);
            for pixels in self.blocks() {
                let inputs = padded(self.patches.inputs());
                let dpatches = MatrixMut::new(columns, pixels.len(), inputs, self.stride());
                // [pixels x out] * [out x in] -> [pixels x in], m = pixels, n = inputs, k = channels out
                gemm::product(dpatches, pixels_of(dy, &pixels, pitch), derived, None, Finish::Plain);
                self.patches.scatter(framed, columns, self.stride(), pixels);
            }
            self.patches.unframe(dx, framed);
        }
    }

    fn units(&self) -> usize {
        self.patch.units()
    }

    fn unit_parts(&self, unit: usize) -> [Range<usize>; MOST_PARTS] {
        self.patch.unit_parts(unit)
    }

    fn units_along_inputs(&self) -> usize {
        self.patch.units_along_inputs()
    }

    fn own_whole_columns(&mut self, whole: bool) {
        self.patch.own_whole_columns(whole);
    }

    fn unit_roles(&self, unit: usize) -> [Role; MOST_PARTS] {
        self.patch.unit_roles(unit)
    }

    fn sums_rows(&self) -> bool {
        true
    }

    fn gradient_of_rows(
        &self,
        out: &mut [f32],
        dy: MatrixRef,
        x: MatrixRef,
        resume: bool,
        scratch: &mut [f32],
    ) {
        let pitch = self.output().pitch;
        let (dw, db) = out.split_at_mut(pitch * self.patches.inputs());
        for row in 0..dy.rows() {
            self.gather(x.row(row), scratch, |pixels, patches| {
                let resume = resume || row > 0 || pixels.start > 0;
                let dy = pixels_of(dy.row(row), &pixels, pitch);
                // [out x pixels] * [pixels x in] -> [out x in], m = channels out, n = inputs, k = pixels
                gemm::gradient(dw, dy, patches, resume);
                if !db.is_empty() {
                    gemm::column_sums(db, dy, resume);
                }
            });
        }
    }

    fn derived_parts(&self, unit: usize, each: &mut dyn FnMut(Range<usize>)) {
        self.patch.derived_parts(unit, each);
    }

    fn derive(&self, unit: usize, from: &Derivation) {
        self.patch.derive(unit, from);
    }
}
