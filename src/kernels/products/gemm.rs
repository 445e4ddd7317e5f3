//! The matrix products of a dense layer, on weights in [`panels`](crate::kernels::products::panels), and of row-major
//! matrices.
//!
//! Every element of every product is **one chain of fused multiply-adds in the order of the inner
//! dimension**, on every instruction set. So a result does not depend on how rows and columns are
//! cut into tiles and shared among workers, and it equals that of three nested loops bit for bit.

use crate::kernels::products::tile::{Initial, Prefetch, Problem, Tiles};
use crate::kernels::simd::isa::dispatch;
use crate::kernels::simd::prefetch::{PrefetchQueue, RESIDENT};
use crate::kernels::simd::vectorise::vectorise;
use crate::probe::count_flops;
use crate::tensor::{LANES, MatrixMut, MatrixRef};

pub use crate::kernels::products::tile::Epilogue;

/// `y = epilogue(x · wᵀ + bias)`: `[rows x in] * [in x out] -> [rows x out]`.
///
/// `y` has a multiple of 16 columns, `weights` that many in panels `[out / 16][in][16]`, and `bias`,
/// if there is one, `[out]`. The gradient of the input is the same product, with the panels of the
/// transposed weights: `[rows x out] * [out x in] -> [rows x in]`. Panels may have rows beyond those of the columns of
/// `x`, as padding does, which are not read.
pub fn product(y: MatrixMut, x: MatrixRef, weights: &[f32], bias: Option<&[f32]>, epilogue: Epilogue) {
    product_beside(y, x, weights, bias, epilogue, RESIDENT);
}

/// [`product`], where no more than so many bytes of weights would still be in the second-level cache since they were last
/// read: beyond that the panels that come next are prefetched.
pub fn product_beside(
    mut y: MatrixMut,
    x: MatrixRef,
    weights: &[f32],
    bias: Option<&[f32]>,
    epilogue: Epilogue,
    resident: usize,
) {
    let (rows, outputs, inputs) = (y.rows(), y.columns(), x.columns());
    assert_eq!(x.rows(), rows, "rows of x");
    assert!(outputs.is_multiple_of(LANES), "{outputs} outputs are not whole panels");
    let panel = (weights.len() * LANES).checked_div(outputs).unwrap_or(0);
    assert!(panel >= inputs * LANES || outputs == 0, "weights of {outputs} x {inputs}");
    assert!(
        panel.is_multiple_of(LANES) && weights.len() == panel / LANES * outputs,
        "whole panels of weights"
    );
    assert!(bias.is_none_or(|bias| bias.len() == outputs), "bias of {outputs}");
    let problem = Problem {
        rows,
        panels: outputs / LANES,
        steps: inputs,
        left: x.as_ptr(),
        left_row: x.stride(),
        left_step: 1,
        right: weights.as_ptr(),
        right_step: LANES,
        right_panel: panel,
        result: y.as_mut_ptr(),
        result_row: y.stride(),
        result_panel: LANES,
        initial: bias.map_or(Initial::Zero, |bias| Initial::Row(bias.as_ptr())),
        epilogue,
        prefetch: if size_of_val(weights) > resident { Prefetch::Panels } else { Prefetch::Runs(&[]) },
    };
    count_flops(problem.flops());
    // Safety: the assertions above hold y, x, weights and bias to these sizes.
    dispatch(unsafe { Tiles::new(problem) });
}

/// The gradient of some weights over some rows: `[out x rows] * [rows x in] -> [out x in]`.
///
/// `dw` is `[panels][in][16]` for the columns of `dy`, a multiple of 16, and the columns of `x`,
/// which may be some of a layer's inputs. It is overwritten, or with `accumulate` it is accumulated onto the sums of
/// earlier rows that it holds. `ahead` is prefetched meanwhile.
pub fn gradient(dw: &mut [f32], dy: MatrixRef, x: MatrixRef, accumulate: bool, ahead: &PrefetchQueue) {
    let (rows, outputs, inputs) = (dy.rows(), dy.columns(), x.columns());
    assert_eq!(x.rows(), rows, "rows of x");
    assert!(outputs.is_multiple_of(LANES), "{outputs} outputs are not whole panels");
    assert_eq!(dw.len(), outputs * inputs, "gradient of {outputs} x {inputs}");
    let problem = Problem {
        rows: inputs,
        panels: outputs / LANES,
        steps: rows,
        left: x.as_ptr(),
        left_row: 1,
        left_step: x.stride(),
        right: dy.as_ptr(),
        right_step: dy.stride(),
        right_panel: LANES,
        result: dw.as_mut_ptr(),
        result_row: LANES,
        result_panel: inputs * LANES,
        initial: if accumulate { Initial::Result } else { Initial::Zero },
        epilogue: Epilogue::Plain,
        prefetch: Prefetch::Runs(ahead.runs()),
    };
    count_flops(problem.flops());
    // Safety: the assertions above hold dw, dy and x to these sizes.
    dispatch(unsafe { Tiles::new(problem) });
}

/// The most outputs of [`gradient_of_few`].
pub const FEW: usize = 10;

/// Inputs of which it computes the gradient at once: whole vectors, and an array that stays in the first-level cache.
const FEW_INPUTS: usize = 112;

/// [`gradient`] of a panel of which the first few outputs are all that there are: those of the columns of `dy`, at most
/// [`FEW`]. Vectors go along the inputs then, where along the outputs they would be mostly padding. `dw` is
/// `[inputs][16]`, its padding 0, and `x` has the inputs and zeros to whole vectors behind them.
/// `ahead` is prefetched meanwhile.
pub fn gradient_of_few(dw: &mut [f32], dy: MatrixRef, x: MatrixRef, accumulate: bool, ahead: &PrefetchQueue) {
    let (outputs, inputs) = (dy.columns(), x.columns());
    assert_eq!(x.rows(), dy.rows(), "rows of x");
    assert!(outputs <= FEW, "{outputs} outputs are not few");
    assert!(inputs.is_multiple_of(LANES), "{inputs} inputs are not whole vectors");
    assert_eq!(dw.len().div_ceil(LANES * LANES), inputs / LANES, "gradient of {inputs} inputs");
    for (start, dw) in (0..inputs).step_by(FEW_INPUTS).zip(dw.chunks_mut(FEW_INPUTS * LANES)) {
        let x = x.block(0..x.rows(), start..(start + FEW_INPUTS).min(inputs));
        let mut sums = [0.0; FEW * FEW_INPUTS];
        if accumulate {
            for (input, dw) in dw.chunks_exact(LANES).enumerate() {
                (0..outputs).for_each(|output| sums[output * FEW_INPUTS + input] = dw[output]);
            }
        }
        let problem = Problem {
            rows: outputs,
            panels: x.columns() / LANES,
            steps: x.rows(),
            left: dy.as_ptr(),
            left_row: 1,
            left_step: dy.stride(),
            right: x.as_ptr(),
            right_step: x.stride(),
            right_panel: LANES,
            result: sums.as_mut_ptr(),
            result_row: FEW_INPUTS,
            result_panel: LANES,
            initial: Initial::Result,
            epilogue: Epilogue::Plain,
            prefetch: Prefetch::Runs(if start == 0 { ahead.runs() } else { &[] }),
        };
        count_flops(problem.flops());
        // Safety: the assertions above hold dy and x to these sizes, and the result is as large as the largest.
        dispatch(unsafe { Tiles::new(problem) });
        for (input, dw) in dw.chunks_exact_mut(LANES).enumerate() {
            dw.fill(0.0);
            (0..outputs).for_each(|output| dw[output] = sums[output * FEW_INPUTS + input]);
        }
    }
}

/// `y = left · right`, all row-major: `[rows x inner] * [inner x columns] -> [rows x columns]`, the
/// columns a multiple of 16.
pub fn multiply(y: MatrixMut, left: MatrixRef, right: MatrixRef) {
    assert_eq!((left.rows(), left.columns()), (y.rows(), right.rows()), "the left factor");
    row_major(y, left, [left.stride(), 1], right);
}

/// `y = leftᵀ · right`, all row-major: `left` `[inner, rows]`, else as [`multiply`].
pub fn multiply_transposed(y: MatrixMut, left: MatrixRef, right: MatrixRef) {
    assert_eq!((left.columns(), left.rows()), (y.rows(), right.rows()), "the left factor");
    row_major(y, left, [1, left.stride()], right);
}

/// A product of row-major matrices, with the distances of the left one from row to row and step to step.
fn row_major(mut y: MatrixMut, left: MatrixRef, [left_row, left_step]: [usize; 2], right: MatrixRef) {
    assert_eq!(right.columns(), y.columns(), "columns");
    assert!(y.columns().is_multiple_of(LANES), "{} columns are not whole panels", y.columns());
    let problem = Problem {
        rows: y.rows(),
        panels: y.columns() / LANES,
        steps: right.rows(),
        left: left.as_ptr(),
        left_row,
        left_step,
        right: right.as_ptr(),
        right_step: right.stride(),
        right_panel: LANES,
        result: y.as_mut_ptr(),
        result_row: y.stride(),
        result_panel: LANES,
        initial: Initial::Zero,
        epilogue: Epilogue::Plain,
        prefetch: Prefetch::Runs(&[]),
    };
    count_flops(problem.flops());
    // Safety: the assertions here and of the two callers hold y, left and right to these sizes.
    dispatch(unsafe { Tiles::new(problem) });
}

/// The columns' sums of a matrix, in the order of its rows: `[rows x out] -> [out]`, the gradient
/// of a bias. `dy` has as many columns as `db` is long; `accumulate` as in [`gradient`].
pub fn column_sums(db: &mut [f32], dy: MatrixRef, accumulate: bool) {
    assert_eq!(db.len(), dy.columns(), "columns");
    vectorise(
        #[inline(always)]
        || {
            if !accumulate {
                db.fill(0.0);
            }
            for row in 0..dy.rows() {
                for (sum, dy) in db.iter_mut().zip(dy.row(row)) {
                    *sum += dy;
                }
            }
        },
    );
}
