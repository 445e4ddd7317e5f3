//! Depthwise convolutions: each channel has a kernel of its own. With the channels of a pixel in whole
//! vectors, each place of the window is a multiply-add of vectors, and nothing is gathered.
//!
//! Images are `[height, width, pitch]` with a pitch of whole vectors; kernels lie in panels,
//! `[pitch / 16][kernel²][16]`. Every sum is one chain of fused multiply-adds: of outputs and inputs in
//! the order of the kernel, of kernels in the order of the pixels.

use pulp::{Simd, WithSimd};

use super::gemm::Finish;
use super::image::{Image, Window};
use super::isa::dispatch;
use crate::tensor::LANES;

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
        self.window.kernel * self.window.kernel * self.input.pitch
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
            stride: window.stride as isize,
            dilation: window.dilation as isize,
            padding: window.padding as isize,
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
    dispatch(Correlation {
        walk: shape.walk(),
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
    if walk.stride > 1 {
        dx.fill(0.0);
        return dispatch(Spread { walk, dx: dx.as_mut_ptr(), dy: dy.as_ptr(), weights: weights.as_ptr() });
    }
    dispatch(Correlation {
        walk: walk.back(),
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
    dispatch(KernelSums { walk: shape.walk(), dw: dw.as_mut_ptr(), dy: dy.as_ptr(), x: x.as_ptr() });
}

/// The way of a window over an image.
#[derive(Clone, Copy)]
struct Walk {
    kernel: usize,
    stride: isize,
    dilation: isize,
    /// Less than none where the window begins inside the image.
    padding: isize,
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
            padding: self.dilation * (self.kernel as isize - 1) - self.padding,
            height: self.places[0] as isize,
            width: self.places[1] as isize,
            places: [self.height as usize, self.width as usize],
            ..self
        }
    }

    /// Row and column under the first pixel of the window.
    #[inline(always)]
    fn corner(&self, row: usize, column: usize) -> [isize; 2] {
        [row as isize * self.stride - self.padding, column as isize * self.stride - self.padding]
    }

    /// Whether all of the window lies on the image.
    #[inline(always)]
    fn is_inside(&self, [y, x]: [isize; 2]) -> bool {
        let span = self.dilation * (self.kernel as isize - 1);
        y >= 0 && x >= 0 && y + span < self.height && x + span < self.width
    }

    /// Whether pixel (i, j) of the window does.
    #[inline(always)]
    fn holds(&self, [y, x]: [isize; 2], i: usize, j: usize) -> bool {
        let (y, x) = (y + i as isize * self.dilation, x + j as isize * self.dilation);
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
        let across = self.dilation as usize * self.pitch;
        [across * self.width as usize, across]
    }

    /// Where the number of a kernel lies for these lanes of the channels.
    #[inline(always)]
    fn weight(&self, tap: usize, lane: usize) -> usize {
        (lane / LANES * self.kernel * self.kernel + tap) * LANES + lane % LANES
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

#[inline(always)]
fn finished<S: Simd>(simd: S, sum: S::f32s, finish: Finish) -> S::f32s {
    let zero = simd.splat_f32s(0.0);
    match finish {
        Finish::Plain => sum,
        // Not a maximum: that would lose a NaN, by which divergence is noticed.
        Finish::Relu => simd.select_f32s(simd.less_than_f32s(sum, zero), zero, sum),
        Finish::LeakyRelu { slope } => {
            let scaled = simd.mul_f32s(sum, simd.splat_f32s(slope));
            simd.select_f32s(simd.less_than_f32s(sum, zero), scaled, sum)
        }
    }
}

/// [`forward`], and with the window turned round the gradient of the input. All that `walk` and `check`
/// speak of must be readable, and `y` the caller's alone.
struct Correlation {
    walk: Walk,
    y: *mut f32,
    x: *const f32,
    weights: *const f32,
    bias: Option<*const f32>,
    turned: bool,
    finish: Finish,
}

impl WithSimd for Correlation {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        // Safety: `check` holds all slices to their sizes, and pixels beside an image are not read.
        unsafe {
            match self.walk.kernel {
                3 => self.unrolled::<S, 3>(simd),
                5 => self.unrolled::<S, 5>(simd),
                _ => self.of_any_size(simd),
            }
        }
    }
}

impl Correlation {
    #[inline(always)]
    fn tap(&self, i: usize, j: usize) -> usize {
        let (kernel, tap) = (self.walk.kernel, i * self.walk.kernel + j);
        if self.turned { kernel * kernel - 1 - tap } else { tap }
    }

    /// # Safety
    /// As for a vector of the bias.
    #[inline(always)]
    unsafe fn begin<S: Simd>(&self, simd: S, lane: usize) -> S::f32s {
        match self.bias {
            // Safety: the caller's.
            Some(bias) => unsafe { load::<S>(bias.wrapping_add(lane)) },
            None => simd.splat_f32s(0.0),
        }
    }

    /// With the kernel in registers: a load and a multiply-add for each of its numbers.
    ///
    /// # Safety
    /// As for the fields.
    #[inline(always)]
    #[allow(clippy::needless_range_loop)] // they unroll entirely
    unsafe fn unrolled<S: Simd, const K: usize>(&self, simd: S) {
        let (walk, x, y, finish) = (self.walk, self.x, self.y, self.finish);
        let [down, across] = walk.steps();
        for lane in (0..walk.pitch).step_by(S::F32_LANES) {
            let mut kernel = [[simd.splat_f32s(0.0); K]; K];
            // Safety: the caller's, for all of it.
            unsafe {
                for i in 0..K {
                    for j in 0..K {
                        let place = walk.weight(self.tap(i, j), lane);
                        kernel[i][j] = load::<S>(self.weights.wrapping_add(place));
                    }
                }
                let begin = self.begin(simd, lane);
                for row in 0..walk.places[0] {
                    for column in 0..walk.places[1] {
                        let corner = walk.corner(row, column);
                        let from = x.wrapping_offset(walk.start(corner, lane));
                        let mut sum = begin;
                        if walk.is_inside(corner) {
                            for i in 0..K {
                                for j in 0..K {
                                    let x = load::<S>(from.wrapping_add(i * down + j * across));
                                    sum = simd.mul_add_f32s(kernel[i][j], x, sum);
                                }
                            }
                        } else {
                            for i in 0..K {
                                for j in 0..K {
                                    let x = from.wrapping_add(i * down + j * across);
                                    let x = if walk.holds(corner, i, j) { x } else { NOTHING.as_ptr() };
                                    sum = simd.mul_add_f32s(kernel[i][j], load::<S>(x), sum);
                                }
                            }
                        }
                        let to = y.wrapping_add(walk.place(row, column, lane));
                        store::<S>(to, finished(simd, sum, finish));
                    }
                }
            }
        }
    }

    /// # Safety
    /// As for the fields.
    #[inline(always)]
    unsafe fn of_any_size<S: Simd>(&self, simd: S) {
        let (walk, [down, across]) = (self.walk, self.walk.steps());
        for lane in (0..walk.pitch).step_by(S::F32_LANES) {
            // Safety: the caller's, for all of it.
            unsafe {
                let begin = self.begin(simd, lane);
                for row in 0..walk.places[0] {
                    for column in 0..walk.places[1] {
                        let corner = walk.corner(row, column);
                        let from = self.x.wrapping_offset(walk.start(corner, lane));
                        let mut sum = begin;
                        for i in 0..walk.kernel {
                            for j in 0..walk.kernel {
                                if walk.holds(corner, i, j) {
                                    let weight = walk.weight(self.tap(i, j), lane);
                                    let weight = load::<S>(self.weights.wrapping_add(weight));
                                    let x = load::<S>(from.wrapping_add(i * down + j * across));
                                    sum = simd.mul_add_f32s(weight, x, sum);
                                }
                            }
                        }
                        let to = self.y.wrapping_add(walk.place(row, column, lane));
                        store::<S>(to, finished(simd, sum, self.finish));
                    }
                }
            }
        }
    }
}

/// [`input_gradient`] of a window that moves by several pixels, which meets some pixels more often than
/// others: each place adds to the pixels under it. `dx` holds zeros.
struct Spread {
    walk: Walk,
    dx: *mut f32,
    dy: *const f32,
    weights: *const f32,
}

impl WithSimd for Spread {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let (walk, [down, across]) = (self.walk, self.walk.steps());
        for lane in (0..walk.pitch).step_by(S::F32_LANES) {
            for row in 0..walk.places[0] {
                for column in 0..walk.places[1] {
                    let corner = walk.corner(row, column);
                    let to = self.dx.wrapping_offset(walk.start(corner, lane));
                    // Safety: `check` holds all slices to their sizes, and pixels beside an image are
                    // left alone.
                    unsafe {
                        let dy = load::<S>(self.dy.wrapping_add(walk.place(row, column, lane)));
                        for i in 0..walk.kernel {
                            for j in 0..walk.kernel {
                                if walk.holds(corner, i, j) {
                                    let weight = walk.weight(i * walk.kernel + j, lane);
                                    let weight = load::<S>(self.weights.wrapping_add(weight));
                                    let to = to.wrapping_add(i * down + j * across);
                                    store::<S>(to, simd.mul_add_f32s(weight, dy, load::<S>(to)));
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// [`weight_gradient`], added to what `dw` holds.
struct KernelSums {
    walk: Walk,
    dw: *mut f32,
    dy: *const f32,
    x: *const f32,
}

impl WithSimd for KernelSums {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        // Safety: `check` holds all slices to their sizes, and pixels beside an image are not read.
        unsafe {
            match self.walk.kernel {
                3 => self.unrolled::<S, 3>(simd),
                5 => self.unrolled::<S, 5>(simd),
                _ => self.of_any_size(simd),
            }
        }
    }
}

impl KernelSums {
    /// With the sums of all numbers of a kernel in registers.
    ///
    /// # Safety
    /// As for the fields.
    #[inline(always)]
    #[allow(clippy::needless_range_loop)] // they unroll entirely
    unsafe fn unrolled<S: Simd, const K: usize>(&self, simd: S) {
        let (walk, x, dy) = (self.walk, self.x, self.dy);
        let [down, across] = walk.steps();
        for lane in (0..walk.pitch).step_by(S::F32_LANES) {
            let mut sums = [[simd.splat_f32s(0.0); K]; K];
            // Safety: the caller's, for all of it.
            unsafe {
                for i in 0..K {
                    for j in 0..K {
                        sums[i][j] = load::<S>(self.dw.wrapping_add(walk.weight(i * K + j, lane)));
                    }
                }
                for row in 0..walk.places[0] {
                    for column in 0..walk.places[1] {
                        let corner = walk.corner(row, column);
                        let from = x.wrapping_offset(walk.start(corner, lane));
                        let dy = load::<S>(dy.wrapping_add(walk.place(row, column, lane)));
                        if walk.is_inside(corner) {
                            for i in 0..K {
                                for j in 0..K {
                                    let x = load::<S>(from.wrapping_add(i * down + j * across));
                                    sums[i][j] = simd.mul_add_f32s(dy, x, sums[i][j]);
                                }
                            }
                        } else {
                            for i in 0..K {
                                for j in 0..K {
                                    let x = from.wrapping_add(i * down + j * across);
                                    let x = if walk.holds(corner, i, j) { x } else { NOTHING.as_ptr() };
                                    sums[i][j] = simd.mul_add_f32s(dy, load::<S>(x), sums[i][j]);
                                }
                            }
                        }
                    }
                }
                for i in 0..K {
                    for j in 0..K {
                        store::<S>(self.dw.wrapping_add(walk.weight(i * K + j, lane)), sums[i][j]);
                    }
                }
            }
        }
    }

    /// One number of the kernel after the other.
    ///
    /// # Safety
    /// As for the fields.
    #[inline(always)]
    unsafe fn of_any_size<S: Simd>(&self, simd: S) {
        let (walk, [down, across]) = (self.walk, self.walk.steps());
        for lane in (0..walk.pitch).step_by(S::F32_LANES) {
            for tap in 0..walk.kernel * walk.kernel {
                let (i, j) = (tap / walk.kernel, tap % walk.kernel);
                let dw = self.dw.wrapping_add(walk.weight(tap, lane));
                // Safety: the caller's, for all of it.
                unsafe {
                    let mut sum = load::<S>(dw);
                    for row in 0..walk.places[0] {
                        for column in 0..walk.places[1] {
                            let corner = walk.corner(row, column);
                            if walk.holds(corner, i, j) {
                                let x = walk.start(corner, lane) + (i * down + j * across) as isize;
                                let x = load::<S>(self.x.wrapping_offset(x));
                                let dy = load::<S>(self.dy.wrapping_add(walk.place(row, column, lane)));
                                sum = simd.mul_add_f32s(dy, x, sum);
                            }
                        }
                    }
                    store::<S>(dw, sum);
                }
            }
        }
    }
}
