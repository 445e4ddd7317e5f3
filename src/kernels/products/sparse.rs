//! The products of a dense layer whose input is mostly zeros, such as categories with a feature each.
//!
//! They are those of [`gemm`](crate::kernels::products::gemm) without the terms that are 0: each element is one chain of
//! fused multiply-adds in the order of the inner dimension, so it has the same bits, as long as all factors are finite,
//! but for the sign of a 0.

use std::ops::Range;

use pulp::{Simd, WithSimd};

use crate::kernels::products::tile::{Epilogue, apply_epilogue, load, place};
use crate::kernels::simd::isa::dispatch;
use crate::probe::count_flops;
use crate::tensor::{Entry, LANES, MatrixMut, MatrixRef, SparseRef};

/// Vectors of a row that are in registers at once: enough chains to keep the multipliers busy.
const VECTORS: usize = 8;

/// Panels of so many vectors, at least one.
#[inline(always)]
fn most_panels<S: Simd>() -> usize {
    (VECTORS * S::F32_LANES / LANES).max(1)
}

/// Calls a function with as many vectors as `$panels` panels have as its last type argument. A tile has at most
/// [`VECTORS`], or one panel.
macro_rules! with_vectors {
    ($S:ident, $panels:expr, $self:ident.$method:ident($($argument:expr),*)) => {
        match $panels * LANES / $S::F32_LANES {
            1 => $self.$method::<$S, 1>($($argument),*),
            2 => $self.$method::<$S, 2>($($argument),*),
            3 => $self.$method::<$S, 3>($($argument),*),
            4 => $self.$method::<$S, 4>($($argument),*),
            5 => $self.$method::<$S, 5>($($argument),*),
            6 => $self.$method::<$S, 6>($($argument),*),
            7 => $self.$method::<$S, 7>($($argument),*),
            8 => $self.$method::<$S, 8>($($argument),*),
            16 => $self.$method::<$S, 16>($($argument),*),
            vectors => unreachable!("no tile of {vectors} vectors"),
        }
    };
}

/// `y = epilogue(x · wᵀ + bias)`: `[rows x in] * [in x out] -> [rows x out]`, shapes as those of
/// [`gemm::product`](crate::kernels::products::gemm::product).
pub fn product(mut y: MatrixMut, x: SparseRef, weights: &[f32], bias: Option<&[f32]>, epilogue: Epilogue) {
    let (rows, outputs, inputs) = (y.rows(), y.columns(), x.columns());
    assert_eq!(x.rows(), rows, "rows of x");
    assert!(outputs.is_multiple_of(LANES), "{outputs} outputs are not whole panels");
    assert_eq!(weights.len(), outputs * inputs, "weights of {outputs} x {inputs}");
    assert!(bias.is_none_or(|bias| bias.len() == outputs), "bias of {outputs}");
    dispatch(Product { y: y.reborrow(), x, weights, bias, epilogue });
}

struct Product<'a> {
    y: MatrixMut<'a>,
    x: SparseRef<'a>,
    weights: &'a [f32],
    bias: Option<&'a [f32]>,
    epilogue: Epilogue,
}

impl WithSimd for Product<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        let panels = self.y.columns() / LANES;
        for panel in (0..panels).step_by(most_panels::<S>()) {
            let tile = most_panels::<S>().min(panels - panel);
            // Safety: the tile's panels are among those of y, the weights and the bias, whose sizes `product` has checked.
            unsafe { with_vectors!(S, tile, self.panels(simd, panel)) };
        }
        let entries: usize = (0..self.y.rows()).map(|row| self.x.row(row).len()).sum();
        count_flops(2 * entries * panels * LANES);
    }
}

impl Product<'_> {
    /// Computes `V` vectors of all rows, from a panel on.
    ///
    /// # Safety
    /// The vectors must be inside the rows.
    #[inline(always)]
    unsafe fn panels<S: Simd, const V: usize>(&mut self, simd: S, panel: usize) {
        // With 32 registers two rows at once: by itself each waits for its own sums.
        let (rows, mut row) = (self.y.rows(), 0);
        // Safety: the caller's; all columns of the entries are below the inputs.
        unsafe {
            while S::F32_LANES == LANES && row + 2 <= rows {
                self.sums::<S, V, 2>(simd, row, [self.x.row(row), self.x.row(row + 1)], panel);
                row += 2;
            }
            while row < rows {
                self.sums::<S, V, 1>(simd, row, [self.x.row(row)], panel);
                row += 1;
            }
        }
    }

    /// Computes `V` vectors of `R` rows, from a row and a panel on; `lists` are the entries of the rows.
    ///
    /// # Safety
    /// The vectors must be inside the rows; the columns of all entries must be below the inputs.
    #[allow(clippy::needless_range_loop)] // plain index loops unroll, and only then sums stay in registers
    #[inline(always)]
    unsafe fn sums<S: Simd, const V: usize, const R: usize>(
        &mut self,
        simd: S,
        row: usize,
        lists: [&[Entry]; R],
        panel: usize,
    ) {
        let stride = self.x.columns() * LANES;
        let weights = self.weights.as_ptr().wrapping_add(panel * stride);
        let mut sums = [[simd.splat_f32s(0.0); V]; R];
        // Safety: the caller's.
        unsafe {
            if let Some(bias) = self.bias {
                let bias = bias.as_ptr().wrapping_add(panel * LANES);
                for v in 0..V {
                    let bias = load::<S>(bias, LANES, v);
                    for r in 0..R {
                        sums[r][v] = bias;
                    }
                }
            }
            // Not a closure: it might not be inlined.
            macro_rules! add {
                ($r:ident, $entry:expr) => {
                    let Entry { column, value } = $entry;
                    let factors = weights.wrapping_add(column as usize * LANES);
                    let value = simd.splat_f32s(value);
                    for v in 0..V {
                        sums[$r][v] = simd.mul_add_f32s(value, load::<S>(factors, stride, v), sums[$r][v]);
                    }
                };
            }
            let common = lists.iter().fold(usize::MAX, |least, list| least.min(list.len()));
            for index in 0..common {
                for r in 0..R {
                    add!(r, *lists[r].get_unchecked(index));
                }
            }
            for r in 0..R {
                for &entry in lists[r].get_unchecked(common..) {
                    add!(r, entry);
                }
            }
            apply_epilogue!(self.epilogue, simd, sums, [R, V]);
            for r in 0..R {
                let y = self.y.row(row + r).as_mut_ptr().wrapping_add(panel * LANES);
                for v in 0..V {
                    place::<S>(y, LANES, v).cast::<S::f32s>().write_unaligned(sums[r][v]);
                }
            }
        }
    }
}

/// A row, and the bits of a value in it.
pub type RowEntry = [u32; 2];

/// The entries of some rows by their columns.
#[derive(Clone, Copy)]
pub struct SparseColumns<'a> {
    first: usize,
    ends: &'a [u32],
    entries: &'a [RowEntry],
}

impl<'a> SparseColumns<'a> {
    /// Sorts the entries of `x` in these columns: `ends` `[columns.len()]` becomes where each column's end, and `sorted`,
    /// which may be longer, what they are, the rows of each column ascending.
    pub fn sort(x: SparseRef, columns: Range<usize>, ends: &mut [u32], sorted: &mut [RowEntry]) {
        assert_eq!(ends.len(), columns.len(), "columns");
        assert!(columns.end <= x.columns(), "columns {columns:?} of {}", x.columns());
        let are_all = columns == (0..x.columns());
        let own = |row: usize| {
            let entries = x.row(row);
            if are_all {
                return entries;
            }
            let before = |end: usize| entries.partition_point(|entry| (entry.column as usize) < end);
            &entries[before(columns.start)..before(columns.end)]
        };
        ends.fill(0);
        for row in 0..x.rows() {
            for entry in own(row) {
                ends[entry.column as usize - columns.start] += 1;
            }
        }
        let mut start = 0;
        for end in &mut *ends {
            (*end, start) = (start, start + *end);
        }
        assert!(start as usize <= sorted.len(), "{start} entries in {}", sorted.len());
        for row in 0..x.rows() {
            for entry in own(row) {
                let place = &mut ends[entry.column as usize - columns.start];
                sorted[*place as usize] = [row as u32, entry.value.to_bits()];
                *place += 1;
            }
        }
    }

    /// What [`sort`](SparseColumns::sort) has written of the columns from `first` on.
    pub fn new(first: usize, ends: &'a [u32], entries: &'a [RowEntry]) -> SparseColumns<'a> {
        SparseColumns { first, ends, entries }
    }

    /// The entries of a column.
    #[inline(always)]
    fn column(&self, column: usize) -> &'a [RowEntry] {
        let index = column - self.first;
        let start = if index == 0 { 0 } else { self.ends[index - 1] };
        &self.entries[start as usize..self.ends[index] as usize]
    }
}

/// The gradient of the weights of some `inputs` over some rows, `[out x rows] * [rows x in] -> [out x in]`: `dw` is
/// `[panels][inputs.len()][16]` for the columns of `dy`, as that of
/// [`gemm::gradient`](crate::kernels::products::gemm::gradient).
pub fn gradient(dw: &mut [f32], dy: MatrixRef, x: SparseColumns, inputs: Range<usize>, accumulate: bool) {
    let outputs = dy.columns();
    assert!(outputs.is_multiple_of(LANES), "{outputs} outputs are not whole panels");
    assert_eq!(dw.len(), outputs * inputs.len(), "gradient of {outputs} x {}", inputs.len());
    dispatch(Gradient { dw, dy, x, inputs, accumulate });
}

struct Gradient<'a> {
    dw: &'a mut [f32],
    dy: MatrixRef<'a>,
    x: SparseColumns<'a>,
    inputs: Range<usize>,
    accumulate: bool,
}

impl WithSimd for Gradient<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        let panels = self.dy.columns() / LANES;
        for panel in (0..panels).step_by(most_panels::<S>()) {
            let tile = most_panels::<S>().min(panels - panel);
            // Safety: the tile's panels are among those of dy and dw, whose sizes `gradient` has checked.
            unsafe { with_vectors!(S, tile, self.panels(simd, panel)) };
        }
        let entries: usize = self.inputs.clone().map(|input| self.x.column(input).len()).sum();
        count_flops(2 * entries * panels * LANES);
    }
}

impl Gradient<'_> {
    /// Computes `V` vectors of all inputs, from a panel on. Sums stay in registers while the rows of an input are added
    /// up. Row by row they would be loaded and stored for each number, and loads wait for earlier stores of which the
    /// lowest bits of the address are the same.
    ///
    /// # Safety
    /// The vectors must be inside the rows of dy.
    #[allow(clippy::needless_range_loop)] // plain index loops unroll, and only then sums stay in registers
    #[inline(always)]
    unsafe fn panels<S: Simd, const V: usize>(&mut self, simd: S, panel: usize) {
        let stride = self.inputs.len() * LANES;
        for input in 0..self.inputs.len() {
            let dw = self.dw.as_mut_ptr().wrapping_add(panel * stride + input * LANES);
            let mut sums = [simd.splat_f32s(0.0); V];
            // Safety: the caller's; the input is among those of dw.
            unsafe {
                if self.accumulate {
                    for v in 0..V {
                        sums[v] = load::<S>(dw, stride, v);
                    }
                }
                for &[row, value] in self.x.column(self.inputs.start + input) {
                    let dy = self.dy.row(row as usize).as_ptr().wrapping_add(panel * LANES);
                    let value = simd.splat_f32s(f32::from_bits(value));
                    for v in 0..V {
                        sums[v] = simd.mul_add_f32s(value, load::<S>(dy, LANES, v), sums[v]);
                    }
                }
                for v in 0..V {
                    place::<S>(dw, stride, v).cast::<S::f32s>().write_unaligned(sums[v]);
                }
            }
        }
    }
}
