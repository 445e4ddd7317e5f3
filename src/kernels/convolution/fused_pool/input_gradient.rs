//! The gradient of the input: a register tile of up to 4 results of a row by up to 6 channels.
//!
//! For a column of the window, a row of the input's gradient takes terms from the results of as many rows
//! as the window reaches, each moved by that column. A tile adds up all of them, in the order row of the
//! window, output, before it adds them to the row: so no term is computed that falls off the border, and
//! sums stay in registers for as many steps as the rows have outputs.

use pulp::{Simd, WithSimd};

use super::{FusedPool, Geometry, is_wide, piece, read, spread, write};
use crate::kernels::simd::isa::dispatch;
use crate::probe::count_flops;
use crate::tensor::LANES;

impl FusedPool {
    /// Floats of scratch that [`input_gradient`](FusedPool::input_gradient) wants.
    pub fn input_gradient_scratch(&self) -> usize {
        let Geometry { rows, columns, .. } = self.geometry();
        rows * columns * self.pitch() * LANES
    }

    /// Vectors from pixel to pixel of the gradient before the pool: an odd number, so that the pixels of
    /// a tile do not all lie in the same few sets of the cache.
    fn pitch(&self) -> usize {
        self.outputs | 1
    }

    /// The gradient of a group's input, `dx` `[input_len]` in lanes; what it holds in the frame means
    /// nothing. `dy` and `takers` are those of [`gather_gradient`](FusedPool::gather_gradient), `weights` are in panels.
    /// The stride of the window must be 1.
    pub fn input_gradient(
        &self,
        dx: &mut [f32],
        dy: &[f32],
        takers: &[f32],
        weights: &[f32],
        scratch: &mut [f32],
    ) {
        assert_eq!(self.patches.window.stride, [1, 1], "stride");
        assert!(dx.len() == self.input_len() && dy.len() == self.output_len());
        assert!(takers.len() == if self.pools { dy.len() } else { 0 }, "takers");
        assert_eq!(weights.len(), self.output().pitch * self.patches.inputs(), "weights");
        assert!(scratch.len() >= self.input_gradient_scratch(), "scratch");
        dx.fill(0.0);
        // Safety: the assertions hold all of it to these sizes.
        dispatch(InputGradient {
            geometry: self.geometry(),
            above: self.patches.window.padding[0][0],
            height: self.patches.input.height,
            pitch: self.pitch(),
            dx: dx.as_mut_ptr(),
            dy: dy.as_ptr(),
            takers: takers.as_ptr(),
            weights: weights.as_ptr(),
            dz: scratch.as_mut_ptr(),
        });
    }
}

struct InputGradient {
    geometry: Geometry,
    /// Rows of padding above the image.
    above: usize,
    height: usize,
    pitch: usize,
    dx: *mut f32,
    dy: *const f32,
    takers: *const f32,
    weights: *const f32,
    /// The gradient before the pool, `[pixels][pitch][16]`.
    dz: *mut f32,
}

/// What a tile takes and gives.
#[derive(Clone, Copy)]
struct Place {
    dx: *mut f32,
    /// The results of the first row of the window.
    dz: *const f32,
    weights: *const f32,
    /// Rows of the window.
    rows: usize,
}

impl WithSimd for InputGradient {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Geometry { kernel: [down, across], channels, width, rows, columns, .. } = self.geometry;
        let Geometry { outputs, pools, run, .. } = self.geometry;
        // Safety: `input_gradient` has checked all sizes.
        unsafe {
            let whole = 0..if pools { rows / 2 } else { rows };
            let dz = (self.dz, self.pitch);
            spread::<S>(simd, &self.geometry, dz, self.dy, self.takers, whole, 0..outputs);
        }
        let mut terms = 0;
        let pieces = channels.div_ceil(if is_wide::<S>() { 6 } else { 2 });
        for row in self.above..self.above + self.height {
            // Rows of the window at which there is a result: row - i.
            let (from, to) = ((row + 1).saturating_sub(rows), down.min(row + 1));
            if from >= to {
                continue;
            }
            terms += to - from;
            let mut column = 0;
            while column < columns {
                let count = match columns - column {
                    4.. => 4,
                    2.. => 2,
                    _ => 1,
                };
                let pixel = (row - from) * columns + column;
                for tile in 0..across * pieces {
                    let (shift, part) = (tile / pieces, piece(channels, pieces, tile % pieces));
                    let first = (row * width + column + shift) * channels + part.start;
                    let place = Place {
                        dx: self.dx.wrapping_add(first * LANES),
                        dz: self.dz.wrapping_add(pixel * self.pitch * LANES),
                        weights: self
                            .weights
                            .wrapping_add((from * run + shift * channels + part.start) * LANES),
                        rows: to - from,
                    };
                    // Safety: as above.
                    unsafe { self.tile_of::<S>(simd, place, count, part.len()) };
                }
                column += count;
            }
        }
        // For each row of the window: with its columns, channels and outputs.
        count_flops(2 * terms * columns * run * outputs * LANES);
    }
}

impl InputGradient {
    /// The tile of so many pixels and channels.
    ///
    /// # Safety
    /// All sizes must be as [`FusedPool::input_gradient`] wants them.
    #[inline(always)]
    unsafe fn tile_of<S: Simd>(&self, simd: S, place: Place, pixels: usize, channels: usize) {
        for lane in (0..LANES).step_by(S::F32_LANES) {
            let place = Place { dx: place.dx.wrapping_add(lane), dz: place.dz.wrapping_add(lane), ..place };
            // Safety: the caller's.
            unsafe {
                match (is_wide::<S>(), pixels, channels) {
                    (true, 4, 6) => self.tile::<S, 4, 6>(simd, place),
                    (true, 4, 5) => self.tile::<S, 4, 5>(simd, place),
                    (true, 4, 4) => self.tile::<S, 4, 4>(simd, place),
                    (true, 4, 3) => self.tile::<S, 4, 3>(simd, place),
                    (_, 4, 2) => self.tile::<S, 4, 2>(simd, place),
                    (_, 4, 1) => self.tile::<S, 4, 1>(simd, place),
                    (true, 2, 6) => self.tile::<S, 2, 6>(simd, place),
                    (true, 2, 5) => self.tile::<S, 2, 5>(simd, place),
                    (true, 2, 4) => self.tile::<S, 2, 4>(simd, place),
                    (true, 2, 3) => self.tile::<S, 2, 3>(simd, place),
                    (_, 2, 2) => self.tile::<S, 2, 2>(simd, place),
                    (_, 2, 1) => self.tile::<S, 2, 1>(simd, place),
                    (true, 1, 6) => self.tile::<S, 1, 6>(simd, place),
                    (true, 1, 5) => self.tile::<S, 1, 5>(simd, place),
                    (true, 1, 4) => self.tile::<S, 1, 4>(simd, place),
                    (true, 1, 3) => self.tile::<S, 1, 3>(simd, place),
                    (_, 1, 2) => self.tile::<S, 1, 2>(simd, place),
                    (_, 1, 1) => self.tile::<S, 1, 1>(simd, place),
                    _ => unreachable!("no tile of {pixels} pixels by {channels} channels"),
                }
            }
        }
    }

    /// Adds the terms of `PIXELS` results of each row to `CHANNELS` channels of as many pixels.
    ///
    /// # Safety
    /// As for [`tile_of`](InputGradient::tile_of).
    #[inline(always)]
    #[allow(clippy::needless_range_loop)] // plain index loops unroll, and only then sums stay in registers
    unsafe fn tile<S: Simd, const PIXELS: usize, const CHANNELS: usize>(&self, simd: S, place: Place) {
        let Geometry { channels, columns, outputs, inputs, run, .. } = self.geometry;
        let Place { dx, mut dz, mut weights, rows } = place;
        let mut sums = [[simd.splat_f32s(0.0); PIXELS]; CHANNELS];
        // Safety: the caller's, for all of it.
        unsafe {
            for c in 0..CHANNELS {
                for p in 0..PIXELS {
                    sums[c][p] = read::<S>(dx.add((p * channels + c) * LANES));
                }
            }
            for _ in 0..rows {
                for first in (0..outputs).step_by(LANES) {
                    let panel = weights.add(first * inputs);
                    let results = dz.add(first * LANES);
                    for output in 0..LANES.min(outputs - first) {
                        let mut from = [simd.splat_f32s(0.0); PIXELS];
                        for p in 0..PIXELS {
                            from[p] = read::<S>(results.add((p * self.pitch + output) * LANES));
                        }
                        for c in 0..CHANNELS {
                            let weight = simd.splat_f32s(*panel.add(c * LANES + output));
                            for p in 0..PIXELS {
                                sums[c][p] = simd.mul_add_f32s(from[p], weight, sums[c][p]);
                            }
                        }
                    }
                }
                // The next row of the window is at the results of the row before.
                dz = dz.wrapping_sub(columns * self.pitch * LANES);
                weights = weights.wrapping_add(run * LANES);
            }
            for c in 0..CHANNELS {
                for p in 0..PIXELS {
                    write::<S>(dx.add((p * channels + c) * LANES), sums[c][p]);
                }
            }
        }
    }
}
