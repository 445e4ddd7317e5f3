//! The one product behind everything in [`gemm`](crate::kernels::products::gemm): a sum of outer products of a strided
//! left factor, broadcast element by element, and a right factor read in whole vectors,
//!
//! `result[row][panel] = epilogue(initial + Σ_step left[row][step] * right[step][panel])`.
//!
//! A tile of the result stays in registers over all steps. With AVX-512 that is 14 rows of 2
//! vectors, 28 of the 32 registers: 16 loads for 28 multiply-adds, where the CPU can do as many of
//! one as of the other.

use std::hint::black_box;

use pulp::{Simd, WithSimd};

use crate::kernels::simd::prefetch::{Lines, Pace, Run, fetch};
use crate::tensor::LANES;

/// The operation on a result on its way from the registers to memory.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Epilogue {
    /// The result as it is.
    Plain,
    /// The ReLU: 0 where `y` is negative.
    Relu,
    /// The leaky ReLU: `slope * y` where `y` is negative.
    LeakyRelu { slope: f32 },
}

/// Applies an epilogue to the sums of a tile, `[rows][vectors]`, in registers. It is a macro since the compiler might
/// keep in memory what a function is handed by reference.
macro_rules! apply_epilogue {
    ($epilogue:expr, $simd:ident, $sums:ident, [$rows:ident, $vectors:ident]) => {
        // Matched outside the loops: a branch within would keep the sums in memory throughout.
        let zero = $simd.splat_f32s(0.0);
        match $epilogue {
            Epilogue::Plain => {}
            // A maximum would lose a NaN, by which divergence is noticed.
            Epilogue::Relu => {
                for r in 0..$rows {
                    for v in 0..$vectors {
                        let negative = $simd.less_than_f32s($sums[r][v], zero);
                        $sums[r][v] = $simd.select_f32s(negative, zero, $sums[r][v]);
                    }
                }
            }
            Epilogue::LeakyRelu { slope } => {
                let slope = $simd.splat_f32s(slope);
                for r in 0..$rows {
                    for v in 0..$vectors {
                        let negative = $simd.less_than_f32s($sums[r][v], zero);
                        let scaled = $simd.mul_f32s($sums[r][v], slope);
                        $sums[r][v] = $simd.select_f32s(negative, scaled, $sums[r][v]);
                    }
                }
            }
        }
    };
}
pub(in crate::kernels) use apply_epilogue;

/// The initial values of the sums.
#[derive(Clone, Copy)]
pub(in crate::kernels) enum Initial {
    Zero,
    /// The same vectors in each row.
    Row(*const f32),
    /// The values that the result holds.
    Result,
}

/// The memory that is prefetched while a product is computed: from beyond the second-level cache it would be waited
/// for.
#[derive(Clone, Copy)]
pub(in crate::kernels) enum Prefetch<'a> {
    /// The panels that the next tiles read. They must lie without gaps.
    Panels,
    /// These runs of memory.
    Runs(&'a [Run]),
}

/// Sizes, places and distances (in floats) of the factors and the result.
#[derive(Clone, Copy)]
pub(in crate::kernels) struct Problem<'a> {
    pub rows: usize,
    pub panels: usize,
    pub steps: usize,
    pub left: *const f32,
    pub left_row: usize,
    pub left_step: usize,
    pub right: *const f32,
    pub right_step: usize,
    pub right_panel: usize,
    pub result: *mut f32,
    pub result_row: usize,
    pub result_panel: usize,
    pub initial: Initial,
    pub epilogue: Epilogue,
    pub prefetch: Prefetch<'a>,
}

impl Problem<'_> {
    /// Floating-point operations of all tiles.
    pub fn flops(&self) -> usize {
        2 * self.rows * self.panels * LANES * self.steps
    }
}

/// A problem to be cut into tiles and run by [`dispatch`](crate::kernels::simd::isa::dispatch).
pub(in crate::kernels) struct Tiles<'a>(Problem<'a>);

impl<'a> Tiles<'a> {
    /// # Safety
    /// All memory that the problem addresses must be readable, and its result this caller's alone.
    pub unsafe fn new(problem: Problem<'a>) -> Self {
        Tiles(problem)
    }
}

impl WithSimd for Tiles<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Tiles(problem) = self;
        let steps = tiles::<S>(problem.rows) * problem.steps;
        let mut pace = match problem.prefetch {
            Prefetch::Panels => Pace::new(&[], steps),
            Prefetch::Runs(runs) => Pace::new(runs, steps),
        };
        let mut panel = 0;
        while panel < problem.panels {
            let panels = tile_panels::<S>(problem.panels - panel);
            if let Prefetch::Panels = problem.prefetch {
                pace = Pace::of(problem.panels_from(panel + panels, panels), steps);
            }
            let mut row = 0;
            while row < problem.rows {
                let rows = tile_rows::<S>(problem.rows - row);
                // Safety: the tile lies inside the problem, for which `new`'s caller vouches.
                unsafe { problem.from(row, panel).tile(simd, rows, panels, &mut pace) };
                row += rows;
            }
            panel += panels;
        }
    }
}

/// Panels of the next tile when `left` remain.
#[inline(always)]
fn tile_panels<S: Simd>(left: usize) -> usize {
    if S::F32_LANES == LANES { left.min(2) } else { 1 }
}

/// Rows of the next tile when `left` remain.
#[inline(always)]
fn tile_rows<S: Simd>(left: usize) -> usize {
    // 16 rows are better cut as 8 + 8 than as 14 + 2: few rows leave the multipliers waiting for
    // each other's results.
    match (S::F32_LANES, left) {
        (1, _) => 1,
        (LANES, 24 | 25) => 8,
        (LANES, 17.. | 14) => 14,
        (LANES, 8..) => 8,
        (8, 7 | 8) => 4,
        (8, 6..) => 6,
        (_, 4..) => 4,
        (_, 2..) => 2,
        _ => 1,
    }
}

/// The number of tiles for so many rows.
#[inline(always)]
fn tiles<S: Simd>(mut rows: usize) -> usize {
    let mut tiles = 0;
    while rows > 0 {
        rows -= tile_rows::<S>(rows);
        tiles += 1;
    }
    tiles
}

impl<'a> Problem<'a> {
    /// The part of the problem from this row and panel on.
    #[inline(always)]
    fn from(self, row: usize, panel: usize) -> Problem<'a> {
        let initial = match self.initial {
            Initial::Row(row) => Initial::Row(row.wrapping_add(panel * LANES)),
            other => other,
        };
        Problem {
            left: self.left.wrapping_add(row * self.left_row),
            right: self.right.wrapping_add(panel * self.right_panel),
            result: self.result.wrapping_add(row * self.result_row + panel * self.result_panel),
            initial,
            ..self
        }
    }

    /// The memory of so many panels from one on, or of as many as there are.
    #[inline(always)]
    fn panels_from(&self, panel: usize, panels: usize) -> Run {
        let panels = panels.min(self.panels.saturating_sub(panel));
        let start = self.right.wrapping_add(panel * self.right_panel);
        Run::at(start.cast(), panels * self.right_panel * size_of::<f32>())
    }

    /// Computes the tile of the first `rows` rows and `panels` panels.
    ///
    /// # Safety
    /// The conditions of [`Tiles::new`] must hold.
    #[inline(always)]
    unsafe fn tile<S: Simd>(&self, simd: S, rows: usize, panels: usize, pace: &mut Pace) {
        // Safety: the caller's.
        unsafe {
            match (S::F32_LANES, rows, panels) {
                (16, 14, 2) => self.sums::<S, 14, 2>(simd, pace),
                (16, 8, 2) => self.sums::<S, 8, 2>(simd, pace),
                (16, 4, 2) => self.sums::<S, 4, 2>(simd, pace),
                (16, 2, 2) => self.sums::<S, 2, 2>(simd, pace),
                (16, 1, 2) => self.sums::<S, 1, 2>(simd, pace),
                (16, 14, 1) => self.sums::<S, 14, 1>(simd, pace),
                (16, 8, 1) => self.sums::<S, 8, 1>(simd, pace),
                (16, 4, 1) => self.sums::<S, 4, 1>(simd, pace),
                (16, 2, 1) => self.sums::<S, 2, 1>(simd, pace),
                (16, 1, 1) => self.sums::<S, 1, 1>(simd, pace),
                (8, 6, 1) => self.sums::<S, 6, 2>(simd, pace),
                (8, 4, 1) => self.sums::<S, 4, 2>(simd, pace),
                (8, 2, 1) => self.sums::<S, 2, 2>(simd, pace),
                (8, 1, 1) => self.sums::<S, 1, 2>(simd, pace),
                (4, 4, 1) => self.sums::<S, 4, 4>(simd, pace),
                (4, 2, 1) => self.sums::<S, 2, 4>(simd, pace),
                (4, 1, 1) => self.sums::<S, 1, 4>(simd, pace),
                (1, 1, 1) => self.sums::<S, 1, 16>(simd, pace),
                (lanes, ..) => unreachable!("no tile of {rows} x {panels} for {lanes} lanes"),
            }
        }
    }

    /// Computes `ROWS` rows of `VECTORS` vectors, in registers.
    ///
    /// # Safety
    /// The conditions of [`Tiles::new`] must hold.
    #[inline(always)]
    #[allow(clippy::needless_range_loop)]
    unsafe fn sums<S: Simd, const ROWS: usize, const VECTORS: usize>(&self, simd: S, pace: &mut Pace) {
        // Plain index loops: they unroll entirely, and only then do the sums stay in registers.
        let mut sums = [[simd.splat_f32s(0.0); VECTORS]; ROWS];
        // Safety: the caller's, for all of it.
        unsafe {
            for r in 0..ROWS {
                for v in 0..VECTORS {
                    sums[r][v] = match self.initial {
                        Initial::Zero => simd.splat_f32s(0.0),
                        Initial::Row(row) => load::<S>(row, LANES, v),
                        Initial::Result => {
                            load::<S>(self.result.wrapping_add(r * self.result_row), self.result_panel, v)
                        }
                    };
                }
            }
            let mut right = self.right;
            // Four rows to a pointer, each of unknown origin: else the compiler makes one pointer
            // step through all rows, a chain of additions longer than the multiplications.
            let mut lefts = [self.left; 4];
            for (group, left) in lefts.iter_mut().enumerate().take(ROWS.div_ceil(4)) {
                *left = black_box(left.wrapping_add(4 * group * self.left_row));
            }
            // Not a closure: called at two places, it might not be inlined.
            macro_rules! steps_of {
                ($steps:expr, $prefetch:block) => {
                    for _ in 0..$steps {
                        $prefetch
                        let mut factors = [simd.splat_f32s(0.0); VECTORS];
                        for v in 0..VECTORS {
                            factors[v] = load::<S>(right, self.right_panel, v);
                        }
                        for r in 0..ROWS {
                            let factor = simd.splat_f32s(*lefts[r / 4].wrapping_add(r % 4 * self.left_row));
                            for v in 0..VECTORS {
                                sums[r][v] = simd.mul_add_f32s(factor, factors[v], sums[r][v]);
                            }
                        }
                        for row in lefts.iter_mut().take(ROWS.div_ceil(4)) {
                            *row = row.wrapping_add(self.left_step);
                        }
                        right = right.wrapping_add(self.right_step);
                    }
                };
            }
            let mut left = self.steps;
            while left > 0 {
                let Lines { start: mut ahead, distance, steps } = pace.next(left, right.cast());
                // Two lines a step cost 1 % of a product, so nothing is prefetched without need.
                if distance == 0 {
                    steps_of!(steps, {});
                } else {
                    steps_of!(steps, {
                        fetch(ahead);
                        ahead = ahead.wrapping_add(distance);
                    });
                }
                left -= steps;
            }
            apply_epilogue!(self.epilogue, simd, sums, [ROWS, VECTORS]);
            for r in 0..ROWS {
                let row = self.result.wrapping_add(r * self.result_row);
                for v in 0..VECTORS {
                    place::<S>(row, self.result_panel, v).cast::<S::f32s>().write_unaligned(sums[r][v]);
                }
            }
        }
    }
}

/// The place of vector `v` of a row whose panels, 16 floats each, are `panel` floats apart.
#[inline(always)]
pub(in crate::kernels) fn place<S: Simd>(row: *mut f32, panel: usize, v: usize) -> *mut f32 {
    let lane = v * S::F32_LANES;
    row.wrapping_add(lane / LANES * panel + lane % LANES)
}

/// Vector `v` of such a row.
///
/// # Safety
/// The vector must be readable.
#[inline(always)]
pub(in crate::kernels) unsafe fn load<S: Simd>(row: *const f32, panel: usize, v: usize) -> S::f32s {
    // Safety: the caller's.
    unsafe { place::<S>(row.cast_mut(), panel, v).cast::<S::f32s>().read_unaligned() }
}
