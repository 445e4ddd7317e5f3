//! The sum under each position of a window, of each channel by itself, and its transpose.

use pulp::{Simd, WithSimd};

use super::lanes::{NOTHING, RUN, load, store};
use super::window_loop::WindowLoop;
use crate::kernels::products::gemm::Epilogue;

/// [`forward`](super::forward), and with flipped kernels (rotated by 180 degrees) the gradient of the input. All
/// memory that `window_loop` and `check` speak of must be readable, and `y` the caller's alone.
pub struct Correlation {
    pub window_loop: WindowLoop,
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
            match self.window_loop.kernel {
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
        let tap = i * self.window_loop.kernel[1] + j;
        if self.flipped { self.window_loop.area() - 1 - tap } else { tap }
    }

    /// # Safety
    /// The vector of the bias at this lane must be readable.
    #[inline(always)]
    unsafe fn begin<S: Simd>(&self, simd: S, lane: usize) -> S::f32s {
        match self.bias {
            // Safety: the caller's.
            Some(bias) => unsafe { load::<S>(bias.wrapping_add(lane)) },
            None => simd.splat_f32s(0.0),
        }
    }

    /// The loop with the kernel in registers.
    ///
    /// # Safety
    /// The conditions on the fields of [`Correlation`] must hold.
    #[inline(always)]
    unsafe fn unrolled<S: Simd, const K: usize>(&self, simd: S) {
        // Safety: the caller's.
        unsafe {
            if self.window_loop.is_dense() {
                self.in_runs::<S, K, true>(simd);
            } else {
                self.in_runs::<S, K, false>(simd);
            }
        }
    }

    /// The loop over runs of positions; `SIDE_BY_SIDE` if stride and dilation are 1.
    ///
    /// # Safety
    /// The conditions on the fields of [`Correlation`] must hold.
    #[inline(always)]
    #[allow(clippy::needless_range_loop)] // they unroll entirely
    unsafe fn in_runs<S: Simd, const K: usize, const SIDE_BY_SIDE: bool>(&self, simd: S) {
        let (window_loop, x, y, epilogue) = (self.window_loop, self.x, self.y, self.epilogue);
        let [down, across] = window_loop.steps();
        let along = window_loop.stride[1] as usize * window_loop.pitch;
        let inner = window_loop.inner_columns();
        for lane in (0..window_loop.pitch).step_by(S::F32_LANES) {
            let mut kernel = [[simd.splat_f32s(0.0); K]; K];
            // Safety: the caller's, for all of it.
            unsafe {
                for i in 0..K {
                    for j in 0..K {
                        let place = window_loop.weight(self.tap(i, j), lane);
                        kernel[i][j] = load::<S>(self.weights.wrapping_add(place));
                    }
                }
                let begin = self.begin(simd, lane);
                for row in 0..window_loop.places[0] {
                    // Rows of the window beside the image count nothing, whatever pointer stands for them.
                    let mut here = kernel;
                    let top = window_loop.corner(row, 0)[0];
                    let mut rows = [x; K];
                    for i in 0..K {
                        rows[i] = x
                            .wrapping_offset(window_loop.start([top, -window_loop.padding[1]], lane))
                            .wrapping_add(i * down);
                        if !window_loop.holds_row(top, i) {
                            here[i] = [simd.splat_f32s(0.0); K];
                            rows[i] =
                                x.wrapping_offset(window_loop.start([0, -window_loop.padding[1]], lane));
                        }
                    }
                    let mut column = 0;
                    while column < window_loop.places[1] {
                        let to = y.wrapping_add(window_loop.place(row, column, lane));
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
                                    to.wrapping_add(p * window_loop.pitch),
                                    with_epilogue(simd, sums[p], epilogue),
                                );
                            }
                            column += RUN;
                            continue;
                        }
                        let corner = window_loop.corner(row, column);
                        let mut sum = begin;
                        for i in 0..K {
                            let from = rows[i].wrapping_add(column * along);
                            for j in 0..K {
                                let x = from.wrapping_add(j * across);
                                let x = if window_loop.holds(corner, i, j) { x } else { NOTHING.as_ptr() };
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
    /// The conditions on the fields of [`Correlation`] must hold.
    #[inline(always)]
    unsafe fn of_any_size<S: Simd>(&self, simd: S) {
        let (window_loop, [down, across]) = (self.window_loop, self.window_loop.steps());
        for lane in (0..window_loop.pitch).step_by(S::F32_LANES) {
            // Safety: the caller's, for all of it.
            unsafe {
                let begin = self.begin(simd, lane);
                for row in 0..window_loop.places[0] {
                    for column in 0..window_loop.places[1] {
                        let corner = window_loop.corner(row, column);
                        let from = self.x.wrapping_offset(window_loop.start(corner, lane));
                        let mut sum = begin;
                        for i in 0..window_loop.kernel[0] {
                            for j in 0..window_loop.kernel[1] {
                                if window_loop.holds(corner, i, j) {
                                    let weight = window_loop.weight(self.tap(i, j), lane);
                                    let weight = load::<S>(self.weights.wrapping_add(weight));
                                    let x = load::<S>(from.wrapping_add(i * down + j * across));
                                    sum = simd.mul_add_f32s(weight, x, sum);
                                }
                            }
                        }
                        let to = self.y.wrapping_add(window_loop.place(row, column, lane));
                        store::<S>(to, with_epilogue(simd, sum, self.epilogue));
                    }
                }
            }
        }
    }
}

/// [`input_gradient`](super::input_gradient) of a window that moves by so many pixels that it meets none twice:
/// each position adds to the pixels under it. `dx` holds zeros.
pub struct Spread {
    pub window_loop: WindowLoop,
    pub dx: *mut f32,
    pub dy: *const f32,
    pub weights: *const f32,
}

impl WithSimd for Spread {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let (window_loop, [down, across]) = (self.window_loop, self.window_loop.steps());
        for lane in (0..window_loop.pitch).step_by(S::F32_LANES) {
            for row in 0..window_loop.places[0] {
                for column in 0..window_loop.places[1] {
                    let corner = window_loop.corner(row, column);
                    let to = self.dx.wrapping_offset(window_loop.start(corner, lane));
                    // Safety: `check` holds all slices to their sizes, and pixels beside an image are
                    // left alone.
                    unsafe {
                        let dy = load::<S>(self.dy.wrapping_add(window_loop.place(row, column, lane)));
                        for i in 0..window_loop.kernel[0] {
                            for j in 0..window_loop.kernel[1] {
                                if window_loop.holds(corner, i, j) {
                                    let weight = window_loop.weight(i * window_loop.kernel[1] + j, lane);
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
        // A maximum would lose a NaN, by which divergence is noticed.
        Epilogue::Relu => simd.select_f32s(simd.less_than_f32s(sum, zero), zero, sum),
        Epilogue::LeakyRelu { slope } => {
            let scaled = simd.mul_f32s(sum, simd.splat_f32s(slope));
            simd.select_f32s(simd.less_than_f32s(sum, zero), scaled, sum)
        }
    }
}
