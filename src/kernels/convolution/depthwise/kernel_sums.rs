//! The gradient of the kernels, of each channel by itself.

use pulp::{Simd, WithSimd};

use super::lanes::{NOTHING, RUN, load, store};
use super::walk::Walk;

/// [`weight_gradient`](super::weight_gradient), added to what `dw` holds.
pub struct KernelSums {
    pub walk: Walk,
    pub dw: *mut f32,
    pub dy: *const f32,
    pub x: *const f32,
}

impl WithSimd for KernelSums {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        // Safety: `check` holds all slices to their sizes, and pixels beside an image are not read.
        unsafe {
            match self.walk.kernel {
                [3, 3] => self.unrolled::<S, 3, RUN>(simd),
                // The sums alone fill the registers.
                [5, 5] => self.unrolled::<S, 5, 1>(simd),
                _ => self.of_any_size(simd),
            }
        }
    }
}

impl KernelSums {
    /// With the sums of all numbers of a kernel in registers, and `P` places of a row worked on together.
    ///
    /// # Safety
    /// As for the fields.
    #[inline(always)]
    unsafe fn unrolled<S: Simd, const K: usize, const P: usize>(&self, simd: S) {
        // Safety: the caller's.
        unsafe {
            if self.walk.is_dense() {
                self.in_runs::<S, K, P, true>(simd);
            } else {
                self.in_runs::<S, K, P, false>(simd);
            }
        }
    }

    /// `SIDE_BY_SIDE` if stride and dilation are 1.
    ///
    /// # Safety
    /// As for the fields.
    #[inline(always)]
    #[allow(clippy::needless_range_loop)] // they unroll entirely
    unsafe fn in_runs<S: Simd, const K: usize, const P: usize, const SIDE_BY_SIDE: bool>(&self, simd: S) {
        let (walk, x, dy) = (self.walk, self.x, self.dy);
        let [down, across] = walk.steps();
        let along = walk.stride[1] as usize * walk.pitch;
        let inner = walk.inner_columns();
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
                    let top = walk.corner(row, 0)[0];
                    let is_inner = walk.holds_row(top, 0) && walk.holds_row(top, K - 1);
                    let start = x.wrapping_offset(walk.start([top, -walk.padding[1]], lane));
                    let mut column = 0;
                    while column < walk.places[1] {
                        let from = start.wrapping_add(column * along);
                        let dy = dy.wrapping_add(walk.place(row, column, lane));
                        if is_inner && inner.contains(&column) && column + P <= inner.end {
                            let mut dys = [simd.splat_f32s(0.0); P];
                            for p in 0..P {
                                dys[p] = load::<S>(dy.wrapping_add(p * walk.pitch));
                            }
                            for i in 0..K {
                                for p in 0..P {
                                    for j in 0..K {
                                        let pixel = if SIDE_BY_SIDE {
                                            (p + j) * along
                                        } else {
                                            p * along + j * across
                                        };
                                        let x = load::<S>(from.wrapping_add(i * down + pixel));
                                        sums[i][j] = simd.mul_add_f32s(dys[p], x, sums[i][j]);
                                    }
                                }
                            }
                            column += P;
                            continue;
                        }
                        let (corner, dy) = (walk.corner(row, column), load::<S>(dy));
                        for i in 0..K {
                            for j in 0..K {
                                let x = from.wrapping_add(i * down + j * across);
                                let x = if walk.holds(corner, i, j) { x } else { NOTHING.as_ptr() };
                                sums[i][j] = simd.mul_add_f32s(dy, load::<S>(x), sums[i][j]);
                            }
                        }
                        column += 1;
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
            for tap in 0..walk.area() {
                let (i, j) = (tap / walk.kernel[1], tap % walk.kernel[1]);
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
