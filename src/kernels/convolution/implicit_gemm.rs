//! The matrix product of a convolution, without its patches being written anywhere: a register tile as in
//! [`tile`](crate::kernels::products::tile), whose rows lie wherever they are and whose steps are three nested loops,
//!
//! `result[row][panel] = epilogue(initial + Σ_step left[row][step] * right[step][panel])`.
//!
//! A step moves all rows of the left factor by the same distance. So a tile holds one pointer a row and
//! one distance that all share, which x86 adds up in the load itself.

use pulp::{Simd, WithSimd};

use crate::kernels::products::gemm::Epilogue;
use crate::kernels::products::tile::{Initial, apply_epilogue, load, place};
use crate::kernels::simd::isa::dispatch;
use crate::probe::count_flops;
use crate::tensor::LANES;

/// The most rows of a tile on any instruction set.
pub(in crate::kernels) const MOST_ROWS: usize = 14;

/// The largest tile that the registers hold.
#[derive(Clone, Copy)]
pub(in crate::kernels) struct Limits {
    pub rows: usize,
    pub panels: usize,
}

impl Limits {
    fn of<S: Simd>() -> Limits {
        match S::F32_LANES {
            // 28 of 32 registers hold the sums.
            LANES => Limits { rows: MOST_ROWS, panels: 2 },
            // 12 of 16.
            8 => Limits { rows: 6, panels: 1 },
            4 => Limits { rows: 4, panels: 1 },
            _ => Limits { rows: 1, panels: 1 },
        }
    }
}

/// A tile: places, and distances in floats.
pub(in crate::kernels) struct Tile {
    pub rows: usize,
    pub panels: usize,
    /// For each row: where its first step reads, and where its result begins.
    pub lefts: [*const f32; MOST_ROWS],
    pub results: [*mut f32; MOST_ROWS],
    /// Steps of the three loops, the outermost first.
    pub counts: [usize; 3],
    /// How far one iteration of each loop moves the rows, and how far the panels.
    pub left_steps: [usize; 3],
    pub right: *const f32,
    pub right_steps: [usize; 3],
    pub right_panel: usize,
    pub result_panel: usize,
    pub initial: Initial,
    pub epilogue: Epilogue,
}

/// Cuts `count` into the fewest parts of at most `most`, of as even lengths as can be, and hands `each`
/// where one begins and its length. Few rows would leave the multipliers waiting for each other's results.
pub(in crate::kernels) fn evenly(count: usize, most: usize, mut each: impl FnMut(usize, usize)) {
    let parts = count.div_ceil(most);
    for part in 0..parts {
        let (start, end) = (count * part / parts, count * (part + 1) / parts);
        each(start, end - start);
    }
}

/// Cuts a product into tiles within limits, and hands each to a function that computes it.
pub(in crate::kernels) type Cut<'a> = dyn FnMut(Limits, &mut dyn FnMut(&Tile)) + 'a;

/// Lets `work` hand out tiles within its limits, each of which is computed immediately.
///
/// # Safety
/// All memory that the tiles address must be readable, and their results the caller's alone.
pub(in crate::kernels) unsafe fn in_tiles(work: &mut Cut) {
    dispatch(Work(work));
}

struct Work<'a>(&'a mut Cut<'a>);

impl WithSimd for Work<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let mut flops = 0;
        // The closure is compiled for the baseline, what `vectorize` runs is not.
        (self.0)(Limits::of::<S>(), &mut |tile| {
            flops += tile.flops();
            simd.vectorize(Run(tile));
        });
        count_flops(flops);
    }
}

struct Run<'a>(&'a Tile);

impl WithSimd for Run<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Run(tile) = self;
        // Safety: by the contract of `in_tiles`.
        unsafe {
            match (S::F32_LANES, tile.rows, tile.panels) {
                (16, 14, 2) => tile.sums::<S, 14, 2>(simd),
                (16, 13, 2) => tile.sums::<S, 13, 2>(simd),
                (16, 12, 2) => tile.sums::<S, 12, 2>(simd),
                (16, 11, 2) => tile.sums::<S, 11, 2>(simd),
                (16, 10, 2) => tile.sums::<S, 10, 2>(simd),
                (16, 9, 2) => tile.sums::<S, 9, 2>(simd),
                (16, 8, 2) => tile.sums::<S, 8, 2>(simd),
                (16, 7, 2) => tile.sums::<S, 7, 2>(simd),
                (16, 6, 2) => tile.sums::<S, 6, 2>(simd),
                (16, 5, 2) => tile.sums::<S, 5, 2>(simd),
                (16, 4, 2) => tile.sums::<S, 4, 2>(simd),
                (16, 3, 2) => tile.sums::<S, 3, 2>(simd),
                (16, 2, 2) => tile.sums::<S, 2, 2>(simd),
                (16, 1, 2) => tile.sums::<S, 1, 2>(simd),
                (16, 14, 1) => tile.sums::<S, 14, 1>(simd),
                (16, 13, 1) => tile.sums::<S, 13, 1>(simd),
                (16, 12, 1) => tile.sums::<S, 12, 1>(simd),
                (16, 11, 1) => tile.sums::<S, 11, 1>(simd),
                (16, 10, 1) => tile.sums::<S, 10, 1>(simd),
                (16, 9, 1) => tile.sums::<S, 9, 1>(simd),
                (16, 8, 1) => tile.sums::<S, 8, 1>(simd),
                (16, 7, 1) => tile.sums::<S, 7, 1>(simd),
                (16, 6, 1) => tile.sums::<S, 6, 1>(simd),
                (16, 5, 1) => tile.sums::<S, 5, 1>(simd),
                (16, 4, 1) => tile.sums::<S, 4, 1>(simd),
                (16, 3, 1) => tile.sums::<S, 3, 1>(simd),
                (16, 2, 1) => tile.sums::<S, 2, 1>(simd),
                (16, 1, 1) => tile.sums::<S, 1, 1>(simd),
                (8, 6, 1) => tile.sums::<S, 6, 2>(simd),
                (8, 5, 1) => tile.sums::<S, 5, 2>(simd),
                (8, 4, 1) => tile.sums::<S, 4, 2>(simd),
                (8, 3, 1) => tile.sums::<S, 3, 2>(simd),
                (8, 2, 1) => tile.sums::<S, 2, 2>(simd),
                (8, 1, 1) => tile.sums::<S, 1, 2>(simd),
                (4, 4, 1) => tile.sums::<S, 4, 4>(simd),
                (4, 3, 1) => tile.sums::<S, 3, 4>(simd),
                (4, 2, 1) => tile.sums::<S, 2, 4>(simd),
                (4, 1, 1) => tile.sums::<S, 1, 4>(simd),
                (1, 1, 1) => tile.sums::<S, 1, 16>(simd),
                (lanes, rows, panels) => unreachable!("no tile of {rows} x {panels} for {lanes} lanes"),
            }
        }
    }
}

impl Tile {
    fn flops(&self) -> usize {
        2 * self.rows * self.panels * LANES * self.counts.iter().product::<usize>()
    }

    /// Computes `ROWS` rows of `VECTORS` vectors, in registers.
    ///
    /// # Safety
    /// The conditions of [`in_tiles`] must hold.
    #[inline(always)]
    #[allow(clippy::needless_range_loop)]
    unsafe fn sums<S: Simd, const ROWS: usize, const VECTORS: usize>(&self, simd: S) {
        // Plain index loops: they unroll entirely, and only then do the sums stay in registers.
        let mut sums = [[simd.splat_f32s(0.0); VECTORS]; ROWS];
        let (mut lefts, results) = ([std::ptr::null(); ROWS], self.results);
        let right_panel = self.right_panel;
        // Safety: the caller's, for all of it.
        unsafe {
            for r in 0..ROWS {
                lefts[r] = self.lefts[r];
                for v in 0..VECTORS {
                    sums[r][v] = match self.initial {
                        Initial::Zero => simd.splat_f32s(0.0),
                        Initial::Row(row) => load::<S>(row, LANES, v),
                        Initial::Result => load::<S>(results[r], self.result_panel, v),
                    };
                }
            }
            let [outer_count, middle_count, inner_count] = self.counts;
            let [outer_left, middle_left, inner_left] = self.left_steps;
            let [outer_right, middle_right, inner_right] = self.right_steps;
            for outer in 0..outer_count {
                for middle in 0..middle_count {
                    let mut left = outer * outer_left + middle * middle_left;
                    let mut right = self.right.wrapping_add(outer * outer_right + middle * middle_right);
                    for _ in 0..inner_count {
                        let mut factors = [simd.splat_f32s(0.0); VECTORS];
                        for v in 0..VECTORS {
                            factors[v] = load::<S>(right, right_panel, v);
                        }
                        for r in 0..ROWS {
                            let factor = simd.splat_f32s(*lefts[r].wrapping_add(left));
                            for v in 0..VECTORS {
                                sums[r][v] = simd.mul_add_f32s(factor, factors[v], sums[r][v]);
                            }
                        }
                        left += inner_left;
                        right = right.wrapping_add(inner_right);
                    }
                }
            }
            apply_epilogue!(self.epilogue, simd, sums, [ROWS, VECTORS]);
            for r in 0..ROWS {
                for v in 0..VECTORS {
                    let result = place::<S>(results[r], self.result_panel, v).cast::<S::f32s>();
                    result.write_unaligned(sums[r][v]);
                }
            }
        }
    }
}
