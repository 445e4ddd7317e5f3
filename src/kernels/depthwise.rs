//! Depthwise convolutions: each channel has a kernel of its own. With the channels of a pixel in whole
//! vectors, each place of the window is a multiply-add of vectors, and nothing is gathered.
//!
//! Images are `[height, width, pitch]` with a pitch of whole vectors; kernels lie in panels,
//! `[pitch / 16][pixels of the window][16]`. Every sum is one chain of fused multiply-adds: of outputs and inputs in
//! the order of the kernel, of kernels in the order of the pixels.

mod correlation;
mod kernel_sums;
mod transposed;

use std::ops::Range;

use pulp::Simd;

use correlation::{Correlation, Spread};
use kernel_sums::KernelSums;
use transposed::Transposed;

use super::gemm::Finish;
use super::image::{Image, Window};
use super::isa::dispatch;
use crate::probe::count_flops;
use crate::tensor::LANES;

/// Places of a row that are worked on together: they share what lies under several of them.
const RUN: usize = 4;

/// What a pixel beside the image holds.
static NOTHING: [f32; LANES] = [0.0; LANES];

/// An image whose pixels are whole vectors, and the window that moves over it.
#[derive(Clone, Copy, Debug)]
pub struct Depthwise {
    pub input: Image,
    pub window: Window,
}

impl Depthwise {
    /// What comes out, with as many channels.
    pub const fn output(&self) -> Image {
        self.window.output(self.input, self.input.channels)
    }

    /// Numbers of all kernels, padding included.
    pub const fn weights_len(&self) -> usize {
        self.window.area() * self.input.pitch
    }

    fn check(&self, x: &[f32], y: &[f32], weights: &[f32]) {
        let (input, output) = (self.input, self.output());
        assert!(input.pitch.is_multiple_of(LANES) && output.pitch == input.pitch, "{input:?}");
        assert!(x.len() == input.columns() && y.len() == output.columns(), "images of {self:?}");
        assert_eq!(weights.len(), self.weights_len(), "kernels of {self:?}");
    }

    fn walk(&self) -> Walk {
        let (input, output, window) = (self.input, self.output(), self.window);
        Walk {
            kernel: window.kernel,
            stride: window.stride.map(|stride| stride as isize),
            dilation: window.dilation.map(|dilation| dilation as isize),
            padding: window.padding.map(|[before, _]| before as isize),
            height: input.height as isize,
            width: input.width as isize,
            places: [output.height, output.width],
            pitch: input.pitch,
        }
    }
}

/// `y = finish(w ⋆ x + bias)`. `bias` is `[pitch]`.
pub fn forward(
    y: &mut [f32],
    x: &[f32],
    weights: &[f32],
    bias: Option<&[f32]>,
    shape: Depthwise,
    finish: Finish,
) {
    shape.check(x, y, weights);
    assert!(bias.is_none_or(|bias| bias.len() == shape.input.pitch), "bias of {shape:?}");
    let walk = shape.walk();
    count_flops(walk.flops(walk.is_unrolled()));
    dispatch(Correlation {
        walk,
        y: y.as_mut_ptr(),
        x: x.as_ptr(),
        weights: weights.as_ptr(),
        bias: bias.map(<[f32]>::as_ptr),
        turned: false,
        finish,
    });
}

/// The gradient of the input: inverts [`forward`] but for its bias and finish.
pub fn input_gradient(dx: &mut [f32], dy: &[f32], weights: &[f32], shape: Depthwise) {
    shape.check(dx, dy, weights);
    let walk = shape.walk();
    if walk.stride != [1, 1] {
        count_flops(walk.flops(false));
        let overlap = [0, 1].iter().any(|&axis| walk.reach(axis) >= walk.stride[axis]);
        if !overlap {
            dx.fill(0.0);
        }
        let (dx, dy, weights) = (dx.as_mut_ptr(), dy.as_ptr(), weights.as_ptr());
        if overlap {
            return dispatch(Transposed { walk, dx, dy, weights });
        }
        return dispatch(Spread { walk, dx, dy, weights });
    }
    let walk = walk.back();
    count_flops(walk.flops(walk.is_unrolled()));
    dispatch(Correlation {
        walk,
        y: dx.as_mut_ptr(),
        x: dy.as_ptr(),
        weights: weights.as_ptr(),
        bias: None,
        turned: true,
        finish: Finish::Plain,
    });
}

/// The gradient of the kernels over one image: overwritten, or with `resume` carried on from what
/// earlier images have left there.
pub fn weight_gradient(dw: &mut [f32], dy: &[f32], x: &[f32], shape: Depthwise, resume: bool) {
    shape.check(x, dy, dw);
    if !resume {
        dw.fill(0.0);
    }
    let walk = shape.walk();
    count_flops(walk.flops(walk.is_unrolled()));
    dispatch(KernelSums { walk, dw: dw.as_mut_ptr(), dy: dy.as_ptr(), x: x.as_ptr() });
}

/// The way of a window over an image.
#[derive(Clone, Copy)]
struct Walk {
    /// Pixels of the window, as all pairs here down and across.
    kernel: [usize; 2],
    stride: [isize; 2],
    dilation: [isize; 2],
    /// Above and to the left; less than none where the window begins inside the image.
    padding: [isize; 2],
    /// Of the image under the window.
    height: isize,
    width: isize,
    /// Down and across.
    places: [usize; 2],
    /// Floats from pixel to pixel, of both images.
    pitch: usize,
}

impl Walk {
    /// The way, one pixel at a time, of the window turned round over the image of places: under it lies
    /// what a pixel of the image has added to.
    fn back(self) -> Walk {
        Walk {
            padding: [self.reach(0) - self.padding[0], self.reach(1) - self.padding[1]],
            height: self.places[0] as isize,
            width: self.places[1] as isize,
            places: [self.height as usize, self.width as usize],
            ..self
        }
    }

    /// Pixels from the first of the window to its last one.
    #[inline(always)]
    fn reach(&self, axis: usize) -> isize {
        self.dilation[axis] * (self.kernel[axis] as isize - 1)
    }

    /// Row and column under the first pixel of the window.
    #[inline(always)]
    fn corner(&self, row: usize, column: usize) -> [isize; 2] {
        let ([below, right], [above, left]) = (self.stride, self.padding);
        [row as isize * below - above, column as isize * right - left]
    }

    /// The places of a row at which no pixel of the window lies to the left or the right of the image.
    fn inner_columns(&self) -> Range<usize> {
        let fits = |&column: &usize| self.is_across(self.corner(0, column)[1]);
        let first = (0..self.places[1]).find(fits).unwrap_or(0);
        first..first + (first..self.places[1]).take_while(fits).count()
    }

    #[inline(always)]
    fn is_across(&self, x: isize) -> bool {
        x >= 0 && x + self.reach(1) < self.width
    }

    /// Whether row i of the window lies on the image.
    #[inline(always)]
    fn holds_row(&self, y: isize, i: usize) -> bool {
        (0..self.height).contains(&(y + i as isize * self.dilation[0]))
    }

    /// Pairs of a place and a pixel of the window that is on the image.
    fn pairs_inside(&self) -> usize {
        let along = |axis: usize, side: isize| -> usize {
            let (places, stride) = (self.places[axis], self.stride[axis]);
            // Places at which pixel i of the window is inside.
            let inside = |i: usize| {
                let before = self.padding[axis] - i as isize * self.dilation[axis];
                let first = (before.max(0) + stride - 1) / stride;
                let end = ((side + before).max(0) + stride - 1) / stride;
                (end.min(places as isize) - first).max(0) as usize
            };
            (0..self.kernel[axis]).map(inside).sum()
        };
        along(0, self.height) * along(1, self.width)
    }

    /// Floating-point operations, for each channel, padding included: of a multiply-add for each such pair, or
    /// if `all` for the others, too.
    fn flops(&self, all: bool) -> usize {
        let pairs = self.places[0] * self.places[1] * self.area();
        2 * self.pitch * if all { pairs } else { self.pairs_inside() }
    }

    /// Numbers of a kernel.
    #[inline(always)]
    fn area(&self) -> usize {
        self.kernel[0] * self.kernel[1]
    }

    /// Whether kernels are small enough for registers: terms beside the image are computed in vain then.
    fn is_unrolled(&self) -> bool {
        matches!(self.kernel, [3, 3] | [5, 5])
    }

    /// Whether neighbouring places see neighbouring pixels, and so does a window.
    fn is_dense(&self) -> bool {
        self.stride == [1, 1] && self.dilation == [1, 1]
    }

    /// Whether pixel (i, j) of the window does.
    #[inline(always)]
    fn holds(&self, [y, x]: [isize; 2], i: usize, j: usize) -> bool {
        let (y, x) = (y + i as isize * self.dilation[0], x + j as isize * self.dilation[1]);
        (0..self.height).contains(&y) && (0..self.width).contains(&x)
    }

    /// Where a place of the window begins in the image; it may lie beside it.
    #[inline(always)]
    fn start(&self, [y, x]: [isize; 2], lane: usize) -> isize {
        (y * self.width + x) * self.pitch as isize + lane as isize
    }

    /// Floats from pixel to pixel of the window, down and across.
    #[inline(always)]
    fn steps(&self) -> [usize; 2] {
        let [below, right] = self.dilation.map(|dilation| dilation as usize * self.pitch);
        [below * self.width as usize, right]
    }

    /// Where the number of a kernel lies for these lanes of the channels.
    #[inline(always)]
    fn weight(&self, tap: usize, lane: usize) -> usize {
        (lane / LANES * self.area() + tap) * LANES + lane % LANES
    }

    /// The place number `row`, `column` in the image of places.
    #[inline(always)]
    fn place(&self, row: usize, column: usize, lane: usize) -> usize {
        (row * self.places[1] + column) * self.pitch + lane
    }
}

/// # Safety
/// A vector must be readable there.
#[inline(always)]
unsafe fn load<S: Simd>(from: *const f32) -> S::f32s {
    // Safety: the caller's.
    unsafe { from.cast::<S::f32s>().read_unaligned() }
}

/// # Safety
/// A vector must be writable there.
#[inline(always)]
unsafe fn store<S: Simd>(to: *mut f32, values: S::f32s) {
    // Safety: the caller's.
    unsafe { to.cast::<S::f32s>().write_unaligned(values) }
}
