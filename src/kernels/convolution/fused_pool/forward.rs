//! The output: bias, convolution, ReLU and pool in one register tile of 4 pixels by up to 6 channels.
//!
//! With AVX-512 a step is 4 loads of the image and 6 of weights for 24 multiply-adds. Every sum is one
//! chain from the bias on, in the order row of the window, column, channel: that of the product with
//! gathered patches, so that results are the same bit for bit.

use pulp::{Simd, WithSimd};

use super::{FusedPool, Geometry, NOBODY, is_wide, piece, read, write};
use crate::kernels::simd::isa::dispatch;
use crate::kernels::simd::lanes::{self, Square};
use crate::probe::count_flops;
use crate::tensor::{LANES, MatrixMut};

/// Pixels of a tile: of a row, or a window of the pool.
const PIXELS: usize = 4;

impl FusedPool {
    /// `y = pool(relu(w ⋆ x + bias))` of a group: `y` `[samples, columns]` of at most 16 samples, `x`
    /// `[input_len]` in lanes, `weights` in panels, `bias` `[outputs]`. With a pool, `takers`
    /// `[output_len]` takes which pixel of each window was the first of the largest.
    pub fn forward(
        &self,
        mut y: MatrixMut,
        takers: &mut [f32],
        x: &[f32],
        weights: &[f32],
        bias: Option<&[f32]>,
        relu: bool,
    ) {
        let output = self.output();
        assert!(y.rows() <= LANES && y.columns() == output.columns() && x.len() == self.input_len());
        assert!(takers.len() == if self.pools { self.output_len() } else { 0 }, "takers");
        assert_eq!(weights.len(), output.pitch * self.patches.inputs(), "weights");
        assert!(bias.is_none_or(|bias| bias.len() >= self.outputs), "bias");
        let samples = y.rows();
        let Geometry { columns, pools, .. } = self.geometry();
        // The last tile of a row goes back over some that are done.
        let computed = if pools || columns < PIXELS { columns } else { columns.next_multiple_of(PIXELS) };
        count_flops(self.flops(computed));
        // Safety: the assertions hold all of it to these sizes.
        dispatch(Forward {
            geometry: self.geometry(),
            y: y.as_mut_ptr(),
            y_stride: y.stride(),
            y_pitch: output.pitch,
            samples,
            takers: takers.as_mut_ptr(),
            x: x.as_ptr(),
            weights: weights.as_ptr(),
            bias,
            relu,
        });
    }
}

struct Forward<'a> {
    geometry: Geometry,
    y: *mut f32,
    y_stride: usize,
    y_pitch: usize,
    samples: usize,
    takers: *mut f32,
    x: *const f32,
    weights: *const f32,
    bias: Option<&'a [f32]>,
    relu: bool,
}

/// Where a tile begins.
#[derive(Clone, Copy)]
struct Place {
    /// The window at each pixel.
    pixels: [*const f32; PIXELS],
    weights: *const f32,
    takers: *mut f32,
    output: usize,
}

impl WithSimd for Forward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Geometry { rows, columns, outputs, pools, .. } = self.geometry;
        let mut squares = [Square::ZERO; PIXELS];
        for first in (0..outputs).step_by(LANES) {
            let outputs = first..(first + LANES).min(outputs);
            if pools {
                for pixel in 0..rows / 2 * (columns / 2) {
                    let (row, column) = (pixel / (columns / 2) * 2, pixel % (columns / 2) * 2);
                    let corners = [(0, 0), (0, 1), (1, 0), (1, 1)];
                    let pixels = corners.map(
                        #[inline(always)]
                        |(down, right)| self.window(row + down, column + right),
                    );
                    // Safety: `forward` has checked all sizes.
                    unsafe {
                        self.panel::<S, PIXELS, true>(simd, &mut squares, pixels, outputs.clone(), pixel);
                        self.store::<S>(&squares[0], pixel, outputs.clone());
                    }
                }
                continue;
            }
            for row in 0..rows {
                let mut column = 0;
                while column < columns {
                    // The last tile of a row goes back over some that are done.
                    let from = if columns < PIXELS { column } else { column.min(columns - PIXELS) };
                    let pixel = row * columns + from;
                    let pixels = [0, 1, 2, 3].map(
                        #[inline(always)]
                        |right| self.window(row, (from + right).min(columns - 1)),
                    );
                    let count = if columns < PIXELS { 1 } else { PIXELS };
                    // Safety: as above.
                    unsafe {
                        if count == 1 {
                            self.panel::<S, 1, false>(simd, &mut squares, pixels, outputs.clone(), pixel);
                        } else {
                            self.panel::<S, PIXELS, false>(
                                simd,
                                &mut squares,
                                pixels,
                                outputs.clone(),
                                pixel,
                            );
                        }
                        for (index, square) in squares.iter().enumerate().take(count) {
                            self.store::<S>(square, pixel + index, outputs.clone());
                        }
                    }
                    column = from + count;
                }
            }
        }
    }
}

impl Forward<'_> {
    /// The window at a place.
    #[inline(always)]
    fn window(&self, row: usize, column: usize) -> *const f32 {
        self.x.wrapping_add(self.geometry.input_at(row, column) * LANES)
    }

    /// Writes what a panel of outputs gives for a pixel of the result to all samples.
    ///
    /// # Safety
    /// The output must have the pixel and the panel.
    #[inline(always)]
    unsafe fn store<S: Simd>(&self, square: &Square, pixel: usize, outputs: std::ops::Range<usize>) {
        let to = self.y.wrapping_add(pixel * self.y_pitch + outputs.start);
        // Safety: the caller's.
        unsafe {
            lanes::scatter::<S>(to, self.y_stride, self.samples, square.0.as_ptr().cast(), outputs.len())
        }
    }

    /// Some outputs of one panel, of one or four pixels, into `squares`; `pixel` is that of the result.
    ///
    /// # Safety
    /// All sizes must be as [`FusedPool::forward`] wants them.
    #[inline(always)]
    unsafe fn panel<S: Simd, const COUNT: usize, const POOLS: bool>(
        &self,
        simd: S,
        squares: &mut [Square; PIXELS],
        pixels: [*const f32; PIXELS],
        outputs: std::ops::Range<usize>,
        pixel: usize,
    ) {
        let pieces = outputs.len().div_ceil(if is_wide::<S>() { 6 } else { 2 });
        for index in 0..pieces {
            let part = piece(outputs.len(), pieces, index);
            let output = outputs.start + part.start;
            for lane in (0..LANES).step_by(S::F32_LANES) {
                let place = Place {
                    pixels: pixels.map(
                        #[inline(always)]
                        |pixel| pixel.wrapping_add(lane),
                    ),
                    weights: self.weights.wrapping_add(self.geometry.weights_of(output)),
                    takers: self.takers.wrapping_add((pixel * self.geometry.outputs + output) * LANES + lane),
                    output,
                };
                let to = squares.as_mut_ptr().cast::<f32>().wrapping_add(part.start * LANES + lane);
                // Safety: the caller's.
                unsafe {
                    match (is_wide::<S>(), part.len()) {
                        (true, 6) => self.tile::<S, COUNT, 6, POOLS>(simd, to, place),
                        (true, 5) => self.tile::<S, COUNT, 5, POOLS>(simd, to, place),
                        (true, 4) => self.tile::<S, COUNT, 4, POOLS>(simd, to, place),
                        (true, 3) => self.tile::<S, COUNT, 3, POOLS>(simd, to, place),
                        (_, 2) => self.tile::<S, COUNT, 2, POOLS>(simd, to, place),
                        (_, 1) => self.tile::<S, COUNT, 1, POOLS>(simd, to, place),
                        (_, outputs) => unreachable!("no tile of {outputs} outputs"),
                    }
                }
            }
        }
    }

    /// `COUNT` pixels of `OUTPUTS` outputs, in registers; written to `to`, squares of 16 outputs by 16
    /// lanes for each pixel of the result.
    ///
    /// # Safety
    /// As for [`panel`](Forward::panel).
    #[inline(always)]
    #[allow(clippy::needless_range_loop)] // plain index loops unroll, and only then sums stay in registers
    unsafe fn tile<S: Simd, const COUNT: usize, const OUTPUTS: usize, const POOLS: bool>(
        &self,
        simd: S,
        to: *mut f32,
        place: Place,
    ) {
        let Geometry { kernel: [height, _], run, width, channels, .. } = self.geometry;
        let Place { mut pixels, mut weights, takers, output } = place;
        let mut sums = [[simd.splat_f32s(0.0); COUNT]; OUTPUTS];
        if let Some(bias) = self.bias {
            for o in 0..OUTPUTS {
                sums[o] = [simd.splat_f32s(bias[output + o]); COUNT];
            }
        }
        // Safety: the caller's, for all of it.
        unsafe {
            for _ in 0..height {
                let mut at = 0;
                while at < run * LANES {
                    let mut x = [simd.splat_f32s(0.0); COUNT];
                    for p in 0..COUNT {
                        x[p] = read::<S>(pixels[p].add(at));
                    }
                    for o in 0..OUTPUTS {
                        let weight = simd.splat_f32s(*weights.add(o));
                        for p in 0..COUNT {
                            sums[o][p] = simd.mul_add_f32s(x[p], weight, sums[o][p]);
                        }
                    }
                    at += LANES;
                    weights = weights.add(LANES);
                }
                for p in 0..COUNT {
                    pixels[p] = pixels[p].wrapping_add(width * channels * LANES);
                }
            }
            if POOLS {
                for o in 0..OUTPUTS {
                    let (best, taker) = self.pool(simd, sums[o]);
                    write::<S>(to.add(o * LANES), best);
                    write::<S>(takers.add(o * LANES), taker);
                }
                return;
            }
            for o in 0..OUTPUTS {
                for p in 0..COUNT {
                    write::<S>(to.add((p * LANES + o) * LANES), self.rectified(simd, sums[o][p]));
                }
            }
        }
    }

    #[inline(always)]
    fn rectified<S: Simd>(&self, simd: S, sum: S::f32s) -> S::f32s {
        let zero = simd.splat_f32s(0.0);
        // Not a maximum: that would lose a NaN, by which divergence is noticed.
        if self.relu { simd.select_f32s(simd.less_than_f32s(sum, zero), zero, sum) } else { sum }
    }

    /// The largest of a window, NaN if there is one; and the first pixel that has it, or nobody where the
    /// ReLU passes no gradient.
    #[inline(always)]
    #[allow(clippy::needless_range_loop)]
    fn pool<S: Simd, const COUNT: usize>(&self, simd: S, sums: [S::f32s; COUNT]) -> (S::f32s, S::f32s) {
        let (mut best, mut taker) = (sums[0], simd.splat_f32s(0.0));
        for p in 1..COUNT {
            let is_nan = simd.not_m32s(simd.equal_f32s(best, best));
            let stays = simd.or_m32s(simd.less_than_or_equal_f32s(sums[p], best), is_nan);
            best = simd.select_f32s(stays, best, sums[p]);
            taker = simd.select_f32s(stays, taker, simd.splat_f32s(p as f32));
        }
        if self.relu {
            let passes_none = simd.less_than_or_equal_f32s(best, simd.splat_f32s(0.0));
            taker = simd.select_f32s(passes_none, simd.splat_f32s(NOBODY), taker);
            best = self.rectified(simd, best);
        }
        (best, taker)
    }
}
