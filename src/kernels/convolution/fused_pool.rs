//! Convolutions of a few channels, with 16 samples in the lanes of every vector.
//!
//! An image is `[pixels][channels][16 samples]` here. So a multiply-add takes a vector of the image and
//! one weight, broadcast: patches need not be gathered, channels not padded, and the three products are
//! register tiles over images as they lie. A max-pool of 2 x 2 pixels happens in the registers of the
//! forward tile, whose four pixels are those of a window; all that is saved of it is which pixel takes the
//! gradient.
//!
//! Weights are those of a dense layer of one patch, in [`panels`](crate::kernels::products::panels).

mod forward;
mod input_gradient;
mod samples;
mod weight_gradient;

use std::ops::Range;

use pulp::Simd;

use crate::kernels::image::{Image, Patches, Window};
use crate::tensor::LANES;

/// Samples of a group: as many as there are lanes.
pub const GROUP: usize = LANES;

/// The pool that can be fused.
const POOL: Window = Window::plain(2, 2);

/// Marks a result that passes no gradient on; else the value is the pixel of the window that takes it, 0 to 3.
const NOBODY: f32 = 4.0;

/// The shape of a convolution with dilation 1, and of a pool after it.
#[derive(Clone, Copy, Debug)]
pub struct FusedPool {
    pub patches: Patches,
    /// Output channels.
    pub outputs: usize,
    /// Whether the output is the largest of each 2 x 2 pixels; pixels at the right and the lower edge
    /// that no whole window reaches are then not even computed.
    pub pools: bool,
}

/// A group, in lanes, of which the gradient of the weights is made.
#[derive(Clone, Copy, Debug)]
pub struct Group<'a> {
    /// `[input_len]`
    pub x: &'a [f32],
    /// Which pixels take the gradient, `[output_len]`; none without a pool.
    pub takers: &'a [f32],
    /// The gradient of the output, `[output_len]`.
    pub dy: &'a [f32],
}

impl FusedPool {
    /// Whether the pool of this window can be fused.
    pub fn is_its_pool(window: Window) -> bool {
        window == POOL
    }

    /// The output image of the convolution alone.
    pub fn unpooled(&self) -> Image {
        self.patches.window.output(self.patches.input, self.outputs)
    }

    pub fn output(&self) -> Image {
        if self.pools { POOL.output(self.unpooled(), self.outputs) } else { self.unpooled() }
    }

    /// Pixels of the input in its frame of zeros, along height and width.
    fn framed(&self) -> [usize; 2] {
        let Patches { input, window } = self.patches;
        let [down, across] = window.sides();
        [down.framed(input.height), across.framed(input.width)]
    }

    /// Floats of a group's input: `[framed pixels][channels][16]`.
    pub fn input_len(&self) -> usize {
        self.framed()[0] * self.framed()[1] * self.patches.input.channels * LANES
    }

    /// Floats of a group's output, of its gradient, or of its takers: `[pixels][outputs][16]`.
    pub fn output_len(&self) -> usize {
        self.output().pixels() * self.outputs * LANES
    }

    /// Floating-point operations of a group for so many results in each row, a multiply-add with each weight.
    fn flops(&self, columns: usize) -> usize {
        let Geometry { rows, inputs, outputs, .. } = self.geometry();
        2 * rows * columns * inputs * outputs * LANES
    }

    /// The sizes that the tiles need.
    fn geometry(&self) -> Geometry {
        let Patches { input, window } = self.patches;
        let (output, factor) = (self.output(), if self.pools { 2 } else { 1 });
        Geometry {
            kernel: window.kernel,
            stride: window.stride,
            channels: input.channels,
            width: self.framed()[1],
            run: window.kernel[1] * input.channels,
            inputs: self.patches.inputs(),
            rows: output.height * factor,
            columns: output.width * factor,
            outputs: self.outputs,
            pools: self.pools,
        }
    }
}

/// Sizes of a convolution in lanes. Distances are in vectors of 16 floats.
#[derive(Clone, Copy)]
struct Geometry {
    /// Height and width of the window.
    kernel: [usize; 2],
    /// The stride, down and across.
    stride: [usize; 2],
    channels: usize,
    /// Pixels of a row of the framed input.
    width: usize,
    /// Numbers of a row of the window, which lie without gaps in the input.
    run: usize,
    /// Numbers of a window.
    inputs: usize,
    /// Positions of the window: those that a pool reaches, if there is one.
    rows: usize,
    columns: usize,
    outputs: usize,
    pools: bool,
}

impl Geometry {
    /// The place in the input at which the window at a position begins.
    #[inline(always)]
    fn input_at(&self, row: usize, column: usize) -> usize {
        (row * self.stride[0] * self.width + column * self.stride[1]) * self.channels
    }

    /// The place in panels at which the weights of an output begin, in floats; those of the next input are 16 on.
    #[inline(always)]
    fn weights_of(&self, output: usize) -> usize {
        output / LANES * self.inputs * LANES + output % LANES
    }
}

/// The gradient before the pool, of some rows of results and some outputs: `to`
/// `[pixels][pitch][16]` takes those of outputs 0.. of the range, from the output's gradient `dy` and its
/// `takers`, each `[pixels][outputs][16]`.
///
/// # Safety
/// All slices must be readable and writable.
#[inline(always)]
unsafe fn spread<S: Simd>(
    simd: S,
    geometry: &Geometry,
    (to, pitch): (*mut f32, usize),
    dy: *const f32,
    takers: *const f32,
    rows: Range<usize>,
    outputs: Range<usize>,
) {
    let Geometry { columns, outputs: all, pools, .. } = *geometry;
    let zero = simd.splat_f32s(0.0);
    let (across, lanes) = (if pools { columns / 2 } else { columns }, S::F32_LANES);
    for row in rows.clone() {
        for column in 0..across {
            let from = ((row * across + column) * all + outputs.start) * LANES;
            let below = row - rows.start;
            for at in (0..outputs.len() * LANES).step_by(lanes) {
                // Safety: the caller's.
                unsafe {
                    let dy = read::<S>(dy.add(from + at));
                    if !pools {
                        write::<S>(to.add((below * columns + column) * pitch * LANES + at), dy);
                        continue;
                    }
                    let taker = read::<S>(takers.add(from + at));
                    for pixel in 0..4 {
                        let place = (2 * below + pixel / 2) * columns + 2 * column + pixel % 2;
                        let takes = simd.equal_f32s(taker, simd.splat_f32s(pixel as f32));
                        write::<S>(to.add(place * pitch * LANES + at), simd.select_f32s(takes, dy, zero));
                    }
                }
            }
        }
    }
}

/// Part `index` of `pieces` about equal ones of `total`.
#[inline(always)]
fn piece(total: usize, pieces: usize, index: usize) -> Range<usize> {
    total * index / pieces..total * (index + 1) / pieces
}

/// The vector at a place.
///
/// # Safety
/// The vector must be readable.
#[inline(always)]
unsafe fn read<S: Simd>(from: *const f32) -> S::f32s {
    // Safety: the caller's.
    unsafe { from.cast::<S::f32s>().read_unaligned() }
}

/// Writes a vector to a place.
///
/// # Safety
/// The vector must be writable.
#[inline(always)]
unsafe fn write<S: Simd>(to: *mut f32, values: S::f32s) {
    // Safety: the caller's.
    unsafe { to.cast::<S::f32s>().write_unaligned(values) }
}

/// Whether tiles may be as large as the 32 registers of AVX-512 let them be.
#[inline(always)]
fn is_wide<S: Simd>() -> bool {
    S::F32_LANES == LANES
}
