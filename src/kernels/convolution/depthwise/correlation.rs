//! The sum under each place of a window, of each channel by itself, and its transpose.

use pulp::{Simd, WithSimd};

use super::lanes::{NOTHING, RUN, load, store};
use super::walk::Walk;
use crate::kernels::products::gemm::Epilogue;

/// [`forward`](super::forward), and with the window flipped round the gradient of the input. All that `walk` and `check`
/// speak of must be readable, and `y` the caller's alone.
pub struct Correlation {
    pub walk: Walk,
    pub y: *mut f32,
    pub x: *const f32,
    pub weights: *const f32,
    pub bias: Option<*const f32>,
    pub flipped: bool,
    pub epilogue: Epilogue,
}

impl WithSimd for Correlation {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        // Safety: `check` holds all slices to their sizes, and pixels beside an image are not read.
        unsafe {
            match self.walk.kernel {
                [3, 3] => self.unrolled::<S, 3>(simd),
                [5, 5] => self.unrolled::<S, 5>(simd),
                _ => self.of_any_size(simd),
            }
        }
    }
}

impl Correlation {
    #[inline(always)]
    fn tap(&self, i: usize, j: usize) -> usize {
        let tap = i * self.walk.kernel[1] + j;
        if self.flipped { self.walk.area() - 1 - tap } else { tap }
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

    /// With the kernel in registers.
    ///
    /// # Safety
    /// As for the fields.
    #[inline(always)]
    unsafe fn unrolled<S: Simd, const K: usize>(&self, simd: S) {
        // Safety: the caller's.
        unsafe {
            if self.walk.is_dense() {
                self.in_runs::<S, K, true>(simd);
            } else {
                self.in_runs::<S, K, false>(simd);
            }
        }
    }

    /// `SIDE_BY_SIDE` if stride and dilation are 1.
    ///
    /// # Safety
    /// As for the fields.
    #[inline(always)]
    #[allow(clippy::needless_range_loop)] // they unroll entirely
    unsafe fn in_runs<S: Simd, const K: usize, const SIDE_BY_SIDE: bool>(&self, simd: S) {
        let (walk, x, y, epilogue) = (self.walk, self.x, self.y, self.epilogue);
        let [down, across] = walk.steps();
        let along = walk.stride[1] as usize * walk.pitch;
        let inner = walk.inner_columns();
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
                    // Rows of the window beside the image count nothing, whatever stands for them.
                    let mut here = kernel;
                    let top = walk.corner(row, 0)[0];
                    let mut rows = [x; K];
                    for i in 0..K {
                        rows[i] = x
                            .wrapping_offset(walk.start([top, -walk.padding[1]], lane))
                            .wrapping_add(i * down);
                        if !walk.holds_row(top, i) {
                            here[i] = [simd.splat_f32s(0.0); K];
                            rows[i] = x.wrapping_offset(walk.start([0, -walk.padding[1]], lane));
                        }
                    }
                    let mut column = 0;
                    while column < walk.places[1] {
                        let to = y.wrapping_add(walk.place(row, column, lane));
                        if inner.contains(&column) && column + RUN <= inner.end {
                            let mut sums = [begin; RUN];
                            for i in 0..K {
                                let from = rows[i].wrapping_add(column * along);
                                for j in 0..K {
                                    for p in 0..RUN {
                                        let pixel = if SIDE_BY_SIDE {
                                            (p + j) * along
                                        } else {
                                            p * along + j * across
                                        };
                                        let x = load::<S>(from.wrapping_add(pixel));
                                        sums[p] = simd.mul_add_f32s(here[i][j], x, sums[p]);
                                    }
                                }
                            }
                            for p in 0..RUN {
                                store::<S>(
                                    to.wrapping_add(p * walk.pitch),
                                    with_epilogue(simd, sums[p], epilogue),
                                );
                            }
                            column += RUN;
                            continue;
                        }
                        let corner = walk.corner(row, column);
                        let mut sum = begin;
                        for i in 0..K {
                            let from = rows[i].wrapping_add(column * along);
                            for j in 0..K {
                                let x = from.wrapping_add(j * across);
                                let x = if walk.holds(corner, i, j) { x } else { NOTHING.as_ptr() };
                                sum = simd.mul_add_f32s(here[i][j], load::<S>(x), sum);
                            }
                        }
                        store::<S>(to, with_epilogue(simd, sum, epilogue));
                        column += 1;
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
                        for i in 0..walk.kernel[0] {
                            for j in 0..walk.kernel[1] {
                                if walk.holds(corner, i, j) {
                                    let weight = walk.weight(self.tap(i, j), lane);
                                    let weight = load::<S>(self.weights.wrapping_add(weight));
                                    let x = load::<S>(from.wrapping_add(i * down + j * across));
                                    sum = simd.mul_add_f32s(weight, x, sum);
                                }
                            }
                        }
                        let to = self.y.wrapping_add(walk.place(row, column, lane));
                        store::<S>(to, with_epilogue(simd, sum, self.epilogue));
                    }
                }
            }
        }
    }
}

/// [`input_gradient`](super::input_gradient) of a window that moves by so many pixels that it meets none twice:
/// each place adds to the pixels under it. `dx` holds zeros.
pub struct Spread {
    pub walk: Walk,
    pub dx: *mut f32,
    pub dy: *const f32,
    pub weights: *const f32,
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
                        for i in 0..walk.kernel[0] {
                            for j in 0..walk.kernel[1] {
                                if walk.holds(corner, i, j) {
                                    let weight = walk.weight(i * walk.kernel[1] + j, lane);
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

#[inline(always)]
fn with_epilogue<S: Simd>(simd: S, sum: S::f32s, epilogue: Epilogue) -> S::f32s {
    let zero = simd.splat_f32s(0.0);
    match epilogue {
        Epilogue::Plain => sum,
        // Not a maximum: that would lose a NaN, by which divergence is noticed.
        Epilogue::Relu => simd.select_f32s(simd.less_than_f32s(sum, zero), zero, sum),
        Epilogue::LeakyRelu { slope } => {
            let scaled = simd.mul_f32s(sum, simd.splat_f32s(slope));
            simd.select_f32s(simd.less_than_f32s(sum, zero), scaled, sum)
        }
    }
}
