//! From samples, a row each, to lanes, a sample each, and back.

use pulp::{Simd, WithSimd};

use super::{FusedPool, GROUP, NOBODY};
use crate::kernels::image::{Image, Patches};
use crate::kernels::simd::isa::dispatch;
use crate::kernels::simd::lanes;
use crate::tensor::{LANES, MatrixMut, MatrixRef};

impl FusedPool {
    /// The group's input in lanes, `[input_len]`, with its frame, from `x` `[samples, columns]` of at most
    /// 16 samples.
    pub fn gather_input(&self, lanes: &mut [f32], x: MatrixRef) {
        let Patches { input, window } = self.patches;
        assert!(x.rows() <= GROUP && x.columns() == input.columns() && lanes.len() == self.input_len());
        if window.is_padded() {
            lanes.fill(0.0);
        }
        // Safety: by the assertion.
        dispatch(Gather { lanes: lanes.as_mut_ptr(), x, rows: InputRows::new(self, input.width) });
    }

    /// Inverts [`gather_input`](FusedPool::gather_input), without the frame: `dx` `[samples, columns]`, padding
    /// included.
    pub fn scatter_input(&self, mut dx: MatrixMut, lanes: &[f32]) {
        let input = self.patches.input;
        assert!(dx.rows() <= GROUP && dx.columns() == input.columns() && lanes.len() == self.input_len());
        assert!(input.pitch.is_multiple_of(LANES), "images between layers are padded");
        dispatch(Scatter {
            dx: dx.as_mut_ptr(),
            stride: dx.stride(),
            samples: dx.rows(),
            lanes,
            rows: InputRows::new(self, input.width),
        });
    }

    /// The gradient of the output in lanes, `[output_len]`, from `dy` `[samples, columns]`; with a pool, 0
    /// where `takers` say that no pixel takes it.
    pub fn gather_gradient(&self, lanes: &mut [f32], dy: MatrixRef, takers: &[f32]) {
        let output = self.output();
        assert!(dy.rows() <= GROUP && dy.columns() == output.columns() && lanes.len() == self.output_len());
        assert!(takers.len() == if self.pools { lanes.len() } else { 0 });
        dispatch(GatherGradient { lanes, dy, takers, output });
    }
}

/// The layout of the input's rows in samples and in lanes.
#[derive(Clone, Copy)]
struct InputRows {
    count: usize,
    /// Pieces of a row without gaps in them: pixels, or all of it where channels are not padded.
    pieces: usize,
    /// Numbers of a piece.
    numbers: usize,
    /// Floats from piece to piece in a sample.
    pitch: usize,
    /// Vectors before the first row, and from row to row.
    first: usize,
    down: usize,
}

impl InputRows {
    fn new(kernel: &FusedPool, width: usize) -> InputRows {
        let Patches { input, window } = kernel.patches;
        let (framed_width, [[above, _], [left, _]]) = (kernel.framed()[1], window.padding);
        let (pieces, numbers) =
            if input.pitch == input.channels { (1, width * input.channels) } else { (width, input.channels) };
        InputRows {
            count: input.height,
            pieces,
            numbers,
            pitch: input.pitch,
            first: (above * framed_width + left) * input.channels,
            down: framed_width * input.channels,
        }
    }

    /// Calls `each` with the place in a sample, the place in lanes and the numbers of each run of at most
    /// 16 numbers.
    #[inline(always)]
    fn each(self, mut each: impl FnMut(usize, usize, usize)) {
        let InputRows { count, pieces, numbers, pitch, first, down } = self;
        let row_pitch = if pieces == 1 { numbers } else { pieces * pitch };
        for row in 0..count {
            for piece in 0..pieces {
                let (sample, lanes) = (row * row_pitch + piece * pitch, first + row * down + piece * numbers);
                let mut number = 0;
                while number < numbers {
                    each(sample + number, (lanes + number) * LANES, (numbers - number).min(LANES));
                    number += LANES;
                }
            }
        }
    }
}

struct Gather<'a> {
    lanes: *mut f32,
    x: MatrixRef<'a>,
    rows: InputRows,
}

impl WithSimd for Gather<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Gather { lanes, x, rows } = self;
        rows.each(
            #[inline(always)]
            // Safety: `gather_input` has checked both.
            |sample, place, numbers| unsafe {
                let from = x.as_ptr().add(sample);
                lanes::gather::<S>(lanes.add(place), from, x.stride(), x.rows(), numbers);
            },
        );
    }
}

struct Scatter<'a> {
    dx: *mut f32,
    stride: usize,
    samples: usize,
    lanes: &'a [f32],
    rows: InputRows,
}

impl WithSimd for Scatter<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Scatter { dx, stride, samples, lanes, rows } = self;
        rows.each(
            #[inline(always)]
            // Safety: `scatter_input` has checked both; a pixel is padded to whole vectors.
            |sample, place, numbers| unsafe {
                let from = lanes.as_ptr().add(place);
                lanes::scatter::<S>(dx.add(sample), stride, samples, from, numbers);
            },
        );
    }
}

struct GatherGradient<'a> {
    lanes: &'a mut [f32],
    dy: MatrixRef<'a>,
    takers: &'a [f32],
    output: Image,
}

impl WithSimd for GatherGradient<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let GatherGradient { lanes, dy, takers, output } = self;
        for pixel in 0..output.pixels() {
            for first in (0..output.channels).step_by(LANES) {
                let numbers = (output.channels - first).min(LANES);
                let place = (pixel * output.channels + first) * LANES;
                let to = &mut lanes[place..place + numbers * LANES];
                // Safety: `gather_gradient` has checked the rows.
                unsafe {
                    let from = dy.as_ptr().add(pixel * output.pitch + first);
                    lanes::gather::<S>(to.as_mut_ptr(), from, dy.stride(), dy.rows(), numbers);
                }
                if takers.is_empty() {
                    continue;
                }
                let (zero, nobody) = (simd.splat_f32s(0.0), simd.splat_f32s(NOBODY));
                let (to, takers) = (S::as_mut_simd_f32s(to).0, S::as_simd_f32s(&takers[place..]).0);
                for (to, &taker) in to.iter_mut().zip(takers) {
                    *to = simd.select_f32s(simd.equal_f32s(taker, nobody), zero, *to);
                }
            }
        }
    }
}
