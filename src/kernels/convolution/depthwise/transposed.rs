//! The transpose of the sum under each place of a window that moves by several pixels and still overlaps itself,
//! of each channel by itself.

use std::ops::Range;

use pulp::{Simd, WithSimd};

use super::lanes::{RUN, load, store};
use super::walk::Walk;
use crate::tensor::LANES;

/// [`input_gradient`](super::input_gradient) of such a window, which meets some pixels more often than others.
/// Each pixel is summed up in a register, over the places at which the window lies on it. Adding each place to
/// the pixels under it, as [`Spread`](super::Spread) does, would make additions wait for those before to come back
/// from memory.
pub struct Transposed {
    pub walk: Walk,
    pub dx: *mut f32,
    pub dy: *const f32,
    pub weights: *const f32,
}

/// How the window meets every so many pixels along a side, by its stride: with the same numbers of the kernel,
/// each at a place further on than the one before.
#[derive(Clone, Copy)]
struct Meeting {
    /// The last of these numbers, which comes first.
    tap: usize,
    /// Its place over the first pixel; it may lie beside the image of places.
    place: isize,
    /// From one number to the next, so many numbers back and so many places on.
    back: usize,
    on: usize,
    count: usize,
}

impl Meeting {
    #[inline(always)]
    fn at(pixel: usize, walk: &Walk, axis: usize) -> Meeting {
        let (kernel, stride, dilation) =
            (walk.kernel[axis], walk.stride[axis] as usize, walk.dilation[axis] as usize);
        // Of any so many numbers in a row one meets the pixels, or none does.
        let mut back = 1;
        while back < kernel && !(back * dilation).is_multiple_of(stride) {
            back += 1;
        }
        let mut tap = kernel;
        while tap > 0 && kernel - tap < back {
            tap -= 1;
            let from = (pixel as isize + walk.padding[axis]) - (tap * dilation) as isize;
            if from % stride as isize == 0 {
                let (place, on) = (from / stride as isize, back * dilation / stride);
                return Meeting { tap, place, back, on, count: tap / back + 1 };
            }
        }
        Meeting { tap: 0, place: 0, back, on: 0, count: 0 }
    }

    /// Where number `index` of these is over pixel `pixel` of these.
    #[inline(always)]
    fn place(&self, index: usize, pixel: usize) -> isize {
        self.place + (pixel + index * self.on) as isize
    }

    /// Which of these numbers are over that pixel at one of so many places.
    #[inline(always)]
    fn inside(&self, pixel: usize, places: usize) -> Range<usize> {
        let [mut start, mut end] = [0, self.count];
        while start < end && self.place(start, pixel) < 0 {
            start += 1;
        }
        while end > start && self.place(end - 1, pixel) >= places as isize {
            end -= 1;
        }
        if start < end { start..end } else { 0..0 }
    }

    /// The pixels, of so many, over which all of these numbers are at one of so many places.
    #[inline(always)]
    fn whole(&self, pixels: usize, places: usize) -> Range<usize> {
        let start = (-self.place).max(0) as usize;
        let end = places as isize - self.place(self.count.saturating_sub(1), 0);
        start..(end.max(0) as usize).min(pixels).max(start)
    }
}

impl WithSimd for Transposed {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let walk = &self.walk;
        let [below, right] = walk.stride.map(|stride| stride as usize);
        let [height, width] = [walk.height, walk.width].map(|side| side as usize);
        for left in 0..right.min(width) {
            let columns = Meeting::at(left, walk, 1);
            let pixels = (width - left).div_ceil(right);
            let whole = columns.whole(pixels, walk.places[1]);
            let line = Line { columns, pixels, places: walk.places[1], whole, stride: right * walk.pitch };
            for top in 0..below.min(height) {
                let rows = Meeting::at(top, walk, 0);
                for (pixel, row) in (top..height).step_by(below).enumerate() {
                    let inside = rows.inside(pixel, walk.places[0]);
                    let place = rows.place(inside.start, pixel) * walk.places[1] as isize + columns.place;
                    let tap = (rows.tap - inside.start * rows.back) * walk.kernel[1] + columns.tap;
                    let terms = Terms {
                        dy: self.dy.wrapping_offset(place * walk.pitch as isize),
                        weights: self.weights.wrapping_add(tap * LANES),
                        pitch: walk.pitch,
                        kernel: walk.weight(0, LANES),
                        on: [rows.on * walk.places[1] * walk.pitch, columns.on * walk.pitch],
                        back: [rows.back * walk.kernel[1] * LANES, columns.back * LANES],
                    };
                    let to = self.dx.wrapping_offset(walk.start([row as isize, left as isize], 0));
                    // Safety: `check` holds all slices to their sizes, and places beside their image are
                    // not read.
                    unsafe { line.sum(simd, to, terms, inside.len()) }
                }
            }
        }
    }
}

/// Every so many pixels of a row, by the stride.
struct Line {
    columns: Meeting,
    pixels: usize,
    places: usize,
    /// Those that all numbers meet inside the image of places.
    whole: Range<usize>,
    /// Floats from one to the next.
    stride: usize,
}

/// What is multiplied for the pixels of a line.
#[derive(Clone, Copy)]
struct Terms {
    /// Under the first number, over the first pixel.
    dy: *const f32,
    /// The first number.
    weights: *const f32,
    /// Floats on from one pixel to the next, and from the kernels of a vector of channels to the next.
    pitch: usize,
    kernel: usize,
    /// Floats on in `dy`, and back in `weights`, from one number to the next, down and across.
    on: [usize; 2],
    back: [usize; 2],
}

impl Terms {
    /// Those in the channels of a vector.
    #[inline(always)]
    fn of_lane(self, lane: usize) -> Terms {
        let kernels = lane / LANES * self.kernel + lane % LANES;
        Terms { dy: self.dy.wrapping_add(lane), weights: self.weights.wrapping_add(kernels), ..self }
    }

    /// The sum over rows and columns of numbers for each of `P` pixels.
    ///
    /// # Safety
    /// They must be readable.
    #[inline(always)]
    #[allow(clippy::needless_range_loop)] // they unroll entirely
    unsafe fn sums<S: Simd, const P: usize>(
        &self,
        simd: S,
        pixel: usize,
        [rows, columns]: [Range<usize>; 2],
    ) -> [S::f32s; P] {
        let from = self.dy.wrapping_add(pixel * self.pitch);
        let mut sums = [simd.splat_f32s(0.0); P];
        for i in rows {
            for j in columns.clone() {
                let from = from.wrapping_add(i * self.on[0] + j * self.on[1]);
                let weights = self.weights.wrapping_sub(i * self.back[0] + j * self.back[1]);
                // Safety: the caller's.
                unsafe {
                    let weight = load::<S>(weights);
                    for p in 0..P {
                        let dy = load::<S>(from.wrapping_add(p * self.pitch));
                        sums[p] = simd.mul_add_f32s(weight, dy, sums[p]);
                    }
                }
            }
        }
        sums
    }
}

impl Line {
    /// Sums up all pixels, over so many rows of numbers.
    ///
    /// # Safety
    /// `to` must be the caller's, `terms` readable inside the image of places.
    #[inline(always)]
    unsafe fn sum<S: Simd>(&self, simd: S, to: *mut f32, terms: Terms, rows: usize) {
        // Kernels of 3 to 6 that move by two pixels have loops of their own.
        // Safety: the caller's.
        unsafe {
            match [rows, self.columns.count] {
                [1, 1] => self.in_runs(simd, to, terms, [1, 1]),
                [1, 2] => self.in_runs(simd, to, terms, [1, 2]),
                [2, 1] => self.in_runs(simd, to, terms, [2, 1]),
                [2, 2] => self.in_runs(simd, to, terms, [2, 2]),
                [2, 3] => self.in_runs(simd, to, terms, [2, 3]),
                [3, 2] => self.in_runs(simd, to, terms, [3, 2]),
                [3, 3] => self.in_runs(simd, to, terms, [3, 3]),
                counts => self.in_runs(simd, to, terms, counts),
            }
        }
    }

    /// # Safety
    /// As for [`sum`](Line::sum).
    #[inline(always)]
    #[allow(clippy::needless_range_loop)] // they unroll entirely
    unsafe fn in_runs<S: Simd>(&self, simd: S, to: *mut f32, terms: Terms, [rows, columns]: [usize; 2]) {
        let (whole, stride) = (&self.whole, self.stride);
        for lane in (0..terms.pitch).step_by(S::F32_LANES) {
            let (to, terms) = (to.wrapping_add(lane), &terms.of_lane(lane));
            // Safety: the caller's, for all of it.
            unsafe {
                if whole.len() < RUN {
                    self.singles(simd, to, terms, rows, 0..self.pixels);
                    continue;
                }
                self.singles(simd, to, terms, rows, 0..whole.start);
                let mut pixel = whole.start;
                while pixel < whole.end {
                    // The last run begins where it just fits: what it sums up once more comes out the same.
                    let start = pixel.min(whole.end - RUN);
                    let sums = terms.sums::<S, RUN>(simd, start, [0..rows, 0..columns]);
                    let to = to.wrapping_add(start * stride);
                    for p in 0..RUN {
                        store::<S>(to.wrapping_add(p * stride), sums[p]);
                    }
                    pixel += RUN;
                }
                self.singles(simd, to, terms, rows, whole.end..self.pixels);
            }
        }
    }

    /// One pixel after the other, over the numbers that meet it inside the image of places.
    ///
    /// # Safety
    /// As for [`sum`](Line::sum).
    #[inline(always)]
    unsafe fn singles<S: Simd>(
        &self,
        simd: S,
        to: *mut f32,
        terms: &Terms,
        rows: usize,
        pixels: Range<usize>,
    ) {
        for pixel in pixels {
            let inside = self.columns.inside(pixel, self.places);
            // Safety: the caller's.
            unsafe {
                let [sum] = terms.sums::<S, 1>(simd, pixel, [0..rows, inside]);
                store::<S>(to.wrapping_add(pixel * self.stride), sum);
            }
        }
    }
}
