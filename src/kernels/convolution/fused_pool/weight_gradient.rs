//! The gradient of the weights: a register tile of up to 4 outputs by up to 6 inputs, summed over the
//! pixels of a band of rows.
//!
//! Each lane sums its own sample; the lanes are added up last. A few outputs at a time: their gradient
//! before the pool is made band by band, so that it and the rows of the input that meet it stay in the
//! first-level cache, while the sums of the inputs stream through.

use std::ops::Range;

use pulp::{Simd, WithSimd};

use super::{FusedPool, Geometry, Group, is_wide, piece, read, spread, write};
use crate::kernels::simd::isa::dispatch;
use crate::kernels::simd::lanes;
use crate::probe::count_flops;
use crate::tensor::LANES;

/// Outputs of a tile.
const OUTPUTS: usize = 4;

/// Bytes of a band: of its gradient and of its rows of the input.
const BAND: usize = 32 << 10;

impl FusedPool {
    /// Rows of results that are processed together, those of whole windows of the pool.
    fn band(&self) -> usize {
        let Geometry { kernel, stride, channels, width, columns, pools, rows, .. } = self.geometry();
        let (stride, kernel) = (stride[0], kernel[0]);
        let factor = if pools { 2 } else { 1 };
        let bytes = |band: usize| {
            let input = ((band - 1) * stride + kernel) * width * channels;
            (input + band * columns * OUTPUTS) * LANES * size_of::<f32>()
        };
        let mut band = factor;
        while band + factor <= rows && bytes(band + factor) <= BAND {
            band += factor;
        }
        band
    }

    /// Floats of scratch that [`weight_gradient`](FusedPool::weight_gradient) wants.
    pub fn weight_gradient_scratch(&self) -> usize {
        let Geometry { columns, inputs, .. } = self.geometry();
        // Lanes are added up in 16 vectors, of which some may lie behind the last.
        (self.band() * columns * OUTPUTS + inputs * OUTPUTS + LANES) * LANES
    }

    /// The gradient of the weights over a group: `dw` in panels is overwritten, or with `accumulate` added to,
    /// and so is `db` `[outputs]`, padded, if there is a bias.
    pub fn weight_gradient(
        &self,
        dw: &mut [f32],
        db: &mut [f32],
        Group { x, takers, dy }: Group,
        scratch: &mut [f32],
        accumulate: bool,
    ) {
        let output = self.output();
        assert!(x.len() == self.input_len() && dy.len() == self.output_len());
        assert!(takers.len() == if self.pools { dy.len() } else { 0 }, "takers");
        assert_eq!(dw.len(), output.pitch * self.patches.inputs(), "weights");
        assert!(db.is_empty() || db.len() >= self.outputs, "bias");
        assert!(scratch.len() >= self.weight_gradient_scratch(), "scratch");
        if !accumulate {
            dw.fill(0.0);
            db.fill(0.0);
        }
        let geometry = self.geometry();
        count_flops(self.flops(geometry.columns));
        let (dz, sums) = scratch.split_at_mut(self.band() * geometry.columns * OUTPUTS * LANES);
        // Safety: the assertions hold all of it to these sizes.
        dispatch(WeightGradient {
            geometry,
            band: self.band(),
            dw,
            db,
            dy,
            takers: takers.as_ptr(),
            x: x.as_ptr(),
            dz,
            sums,
        });
    }
}

struct WeightGradient<'a> {
    geometry: Geometry,
    band: usize,
    dw: &'a mut [f32],
    db: &'a mut [f32],
    dy: &'a [f32],
    takers: *const f32,
    x: *const f32,
    /// The gradient before the pool of a band and some outputs, `[pixels][outputs][16]`.
    dz: &'a mut [f32],
    /// The sums of these outputs, `[inputs][outputs][16]`.
    sums: &'a mut [f32],
}

/// The operands of a tile.
#[derive(Clone, Copy)]
struct Place {
    sums: *mut f32,
    x: *const f32,
    dz: *const f32,
    /// Rows of results.
    rows: usize,
    is_first: bool,
}

impl WithSimd for WeightGradient<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        for panel in (0..self.geometry.outputs).step_by(LANES) {
            let left = LANES.min(self.geometry.outputs - panel);
            let pieces = left.div_ceil(OUTPUTS);
            for index in 0..pieces {
                let part = piece(left, pieces, index);
                let outputs = panel + part.start..panel + part.end;
                // Safety: `weight_gradient` has checked all sizes.
                unsafe {
                    match outputs.len() {
                        4 => self.outputs::<S, 4>(simd, outputs),
                        3 => self.outputs::<S, 3>(simd, outputs),
                        2 => self.outputs::<S, 2>(simd, outputs),
                        _ => self.outputs::<S, 1>(simd, outputs),
                    }
                }
            }
        }
        if !self.db.is_empty() {
            self.bias::<S>(simd);
        }
    }
}

impl WeightGradient<'_> {
    /// Computes the gradient of the weights of these outputs.
    ///
    /// # Safety
    /// All sizes must be as [`FusedPool::weight_gradient`] wants them.
    #[inline(always)]
    unsafe fn outputs<S: Simd, const COUNT: usize>(&mut self, simd: S, outputs: Range<usize>) {
        let Geometry { kernel: [height, _], run, rows, width, channels, pools, .. } = self.geometry;
        let [stride, _] = self.geometry.stride;
        let factor = if pools { 2 } else { 1 };
        let pieces = run.div_ceil(if is_wide::<S>() { 6 } else { 2 });
        for first in (0..rows).step_by(self.band) {
            let band = first..(first + self.band).min(rows);
            // Safety: the caller's, for all of it.
            unsafe {
                let results = band.start / factor..band.end / factor;
                let dz = (self.dz.as_mut_ptr(), COUNT);
                let dy = self.dy.as_ptr();
                spread::<S>(simd, &self.geometry, dz, dy, self.takers, results, outputs.clone());
                for tile in 0..height * pieces {
                    let (row, part) = (tile / pieces, piece(run, pieces, tile % pieces));
                    let at = (first * stride + row) * width * channels + part.start;
                    let place = Place {
                        sums: self.sums.as_mut_ptr().add((row * run + part.start) * COUNT * LANES),
                        x: self.x.add(at * LANES),
                        dz: self.dz.as_ptr(),
                        rows: band.len(),
                        is_first: first == 0,
                    };
                    for lane in (0..LANES).step_by(S::F32_LANES) {
                        let place = Place {
                            sums: place.sums.add(lane),
                            x: place.x.add(lane),
                            dz: place.dz.add(lane),
                            ..place
                        };
                        match (is_wide::<S>(), part.len()) {
                            (true, 6) => self.tile::<S, 6, COUNT>(simd, place),
                            (true, 5) => self.tile::<S, 5, COUNT>(simd, place),
                            (true, 4) => self.tile::<S, 4, COUNT>(simd, place),
                            (true, 3) => self.tile::<S, 3, COUNT>(simd, place),
                            (_, 2) => self.tile::<S, 2, COUNT>(simd, place),
                            (_, 1) => self.tile::<S, 1, COUNT>(simd, place),
                            (_, inputs) => unreachable!("no tile of {inputs} inputs"),
                        }
                    }
                }
            }
        }
        self.add_up::<S, COUNT>(outputs.start);
    }

    /// Computes `COUNT` outputs of `INPUTS` inputs, in registers, over all pixels of a band.
    ///
    /// # Safety
    /// The conditions of [`outputs`](WeightGradient::outputs) must hold.
    #[inline(always)]
    #[allow(clippy::needless_range_loop)] // plain index loops unroll, and only then sums stay in registers
    unsafe fn tile<S: Simd, const INPUTS: usize, const COUNT: usize>(&self, simd: S, place: Place) {
        let Geometry { columns, width, channels, stride: [below, right], .. } = self.geometry;
        let Place { sums: to, mut x, mut dz, rows, is_first } = place;
        let mut sums = [[simd.splat_f32s(0.0); INPUTS]; COUNT];
        // Safety: the caller's, for all of it.
        unsafe {
            if !is_first {
                for o in 0..COUNT {
                    for i in 0..INPUTS {
                        sums[o][i] = read::<S>(to.add((i * COUNT + o) * LANES));
                    }
                }
            }
            let across = right * channels * LANES;
            let down = (below * width * channels * LANES).wrapping_sub(columns * across);
            for _ in 0..rows {
                for _ in 0..columns {
                    let mut inputs = [simd.splat_f32s(0.0); INPUTS];
                    for i in 0..INPUTS {
                        inputs[i] = read::<S>(x.add(i * LANES));
                    }
                    for o in 0..COUNT {
                        let gradient = read::<S>(dz.add(o * LANES));
                        for i in 0..INPUTS {
                            sums[o][i] = simd.mul_add_f32s(inputs[i], gradient, sums[o][i]);
                        }
                    }
                    x = x.wrapping_add(across);
                    dz = dz.wrapping_add(COUNT * LANES);
                }
                x = x.wrapping_add(down);
            }
            for o in 0..COUNT {
                for i in 0..INPUTS {
                    write::<S>(to.add((i * COUNT + o) * LANES), sums[o][i]);
                }
            }
        }
    }

    /// Adds the sums of all lanes to the gradient of `COUNT` outputs from this one on.
    #[inline(always)]
    fn add_up<S: Simd, const COUNT: usize>(&mut self, output: usize) {
        let inputs = self.geometry.inputs;
        let panel = &mut self.dw[self.geometry.weights_of(output)..];
        // Inputs whose sums are 16 vectors, or nearly.
        let together = LANES / COUNT;
        for first in (0..inputs).step_by(together) {
            let part = &self.sums[first * COUNT * LANES..][..LANES * LANES];
            // Safety: `part` is 16 vectors; the sums of those behind the last are not used.
            let sums = unsafe { lanes::sums::<S>(part.as_ptr()) };
            for (input, sums) in sums.as_chunks::<COUNT>().0.iter().enumerate().take(inputs - first) {
                let dw = &mut panel[(first + input) * LANES..][..COUNT];
                for o in 0..COUNT {
                    dw[o] += sums[o];
                }
            }
        }
    }

    /// Computes the gradient of the bias: the sums of that of the output, of which the pool hands each to one pixel.
    #[inline(always)]
    fn bias<S: Simd>(&mut self, simd: S) {
        let outputs = self.geometry.outputs;
        let mut sums = [simd.splat_f32s(0.0); LANES];
        for output in 0..outputs {
            let per_vector = LANES / S::F32_LANES;
            sums[..per_vector].fill(simd.splat_f32s(0.0));
            for pixel in self.dy.chunks_exact(outputs * LANES) {
                let vector = S::as_simd_f32s(&pixel[output * LANES..][..LANES]).0;
                for (sum, &dy) in sums.iter_mut().zip(vector) {
                    *sum = simd.add_f32s(*sum, dy);
                }
            }
            let lanes: &[f32] = pulp::bytemuck::cast_slice(&sums[..per_vector]);
            self.db[output] += lanes::sum_of_lanes(lanes.first_chunk().expect("16 lanes"));
        }
    }
}
