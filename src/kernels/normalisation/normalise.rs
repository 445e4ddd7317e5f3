//! Normalisation of the columns of a matrix `[observations, columns]`: the pixels of one image with its
//! channels, or rows of features. What the columns are normalised by is given for each of them, so that
//! batch and group normalisation share all that goes over the numbers.
//!
//! Arrays of one number a column are padded with zeros to whole vectors; `x` alone may have columns that
//! are not, where it is data.

use std::ops::Range;

use crate::kernels::activation::{self, Activation};
use crate::kernels::simd::vectorise::vectorise;
use crate::tensor::{LANES, MatrixMut, MatrixRef};

/// Observations whose sums are kept in single precision: not so many that it shows.
const BLOCK: usize = 512;

/// Sums that run side by side, observation i in sum i modulo so many: one alone would wait for itself.
const CHAINS: usize = 4;

type Vector = [f32; LANES];

/// The vector of a row from a column on.
#[inline(always)]
fn load(row: &[f32], at: usize) -> Vector {
    let mut vector = [0.0; LANES];
    vector.copy_from_slice(&row[at..at + LANES]);
    vector
}

/// The same; unless it is `whole`, with zeros beyond the row.
#[inline(always)]
fn load_part(row: &[f32], at: usize, whole: bool) -> Vector {
    if whole {
        return load(row, at);
    }
    let mut vector = [0.0; LANES];
    for (to, from) in vector.iter_mut().zip(&row[at..]) {
        *to = *from;
    }
    vector
}

#[inline(always)]
fn add<const N: usize>(sums: &mut [Vector; N], terms: [Vector; N]) {
    for (sums, terms) in sums.iter_mut().zip(terms) {
        for i in 0..LANES {
            sums[i] += terms[i];
        }
    }
}

/// `N` sums of `terms` over these observations, of one vector of columns.
#[inline(always)]
fn sums<const N: usize>(rows: Range<usize>, mut terms: impl FnMut(usize) -> [Vector; N]) -> [Vector; N] {
    let mut chains = [[[0.0; LANES]; N]; CHAINS];
    let mut row = rows.start;
    while row + CHAINS <= rows.end {
        for (chain, sums) in chains.iter_mut().enumerate() {
            add(sums, terms(row + chain));
        }
        row += CHAINS;
    }
    for (sums, row) in chains.iter_mut().zip(row..rows.end) {
        add(sums, terms(row));
    }
    let mut result = [[0.0; LANES]; N];
    for n in 0..N {
        for i in 0..LANES {
            result[n][i] = (chains[0][n][i] + chains[1][n][i]) + (chains[2][n][i] + chains[3][n][i]);
        }
    }
    result
}

/// Combines the mean and the sum of squared deviations of `count` numbers with those of `more` others
/// (Chan, Golub, LeVeque: Updating formulae and a pairwise algorithm for computing sample variances,
/// 1979): nothing cancels.
#[inline(always)]
pub fn combine(mean: &mut f64, squares: &mut f64, count: f64, [other, others]: [f64; 2], more: f64) {
    let part = more / (count + more);
    let difference = other - *mean;
    *mean += difference * part;
    *squares += others + difference * difference * (count * part);
}

/// Adds the observations `x` to the moments of `before` others: the mean of each column, then its sum of
/// squared deviations. `moments` `[2][columns]`; of no use before the first.
pub fn add_moments(moments: &mut [f64], before: usize, x: MatrixRef) {
    let half = moments.len() / 2;
    let (means, squares) = moments.split_at_mut(half);
    let columns = x.columns();
    for start in (0..x.rows()).step_by(BLOCK) {
        let rows = start..(start + BLOCK).min(x.rows());
        let (count, more) = ((before + start) as f64, rows.len() as f64);
        vectorise(
            #[inline(always)]
            || {
                let (x, columns) = (x, columns);
                for (lane, (means, squares)) in
                    means.chunks_exact_mut(LANES).zip(squares.chunks_exact_mut(LANES)).enumerate()
                {
                    let at = lane * LANES;
                    let (shift, [sum, square]) = shifted(x, rows.clone(), at, at + LANES <= columns);
                    for i in 0..LANES {
                        let (sum, square) = (f64::from(sum[i]), f64::from(square[i]));
                        let mean = f64::from(shift[i]) + sum / more;
                        let rest = square - sum * sum / more;
                        // Not a maximum, which would lose a NaN.
                        let rest = if rest < 0.0 { 0.0 } else { rest };
                        if count == 0.0 {
                            (means[i], squares[i]) = (mean, rest);
                        } else {
                            combine(&mut means[i], &mut squares[i], count, [mean, rest], more);
                        }
                    }
                }
            },
        );
    }
}

/// The first observation, and the sums of the differences from it and of their squares: near the mean as
/// it is, little cancels in what becomes of them.
#[inline(always)]
fn shifted(x: MatrixRef, rows: Range<usize>, at: usize, whole: bool) -> (Vector, [Vector; 2]) {
    let shift = load_part(x.row(rows.start), at, whole);
    let sums = sums(
        rows,
        #[inline(always)]
        |row| {
            let x = load_part(x.row(row), at, whole);
            let mut terms = [[0.0; LANES]; 2];
            for i in 0..LANES {
                let difference = x[i] - shift[i];
                terms[0][i] = difference;
                terms[1][i] = difference * difference;
            }
            terms
        },
    );
    (shift, sums)
}

/// The sum of each column: `result` `[columns]`.
pub fn column_sums(result: &mut [f32], x: MatrixRef) {
    let columns = x.columns();
    each_lane(
        result,
        #[inline(always)]
        |result, at| {
            let whole = at + LANES <= columns;
            let [sum] = sums(
                0..x.rows(),
                #[inline(always)]
                |row| [load_part(x.row(row), at, whole)],
            );
            result.copy_from_slice(&sum);
        },
    );
}

/// The sum of the squares of each column's differences from `mean`; `result`, `mean` `[columns]`.
pub fn squared_deviations(result: &mut [f32], x: MatrixRef, mean: &[f32]) {
    let columns = x.columns();
    each_lane(
        result,
        #[inline(always)]
        |result, at| {
            let mean = load(mean, at);
            let whole = at + LANES <= columns;
            let [sum] = sums(
                0..x.rows(),
                #[inline(always)]
                |row| {
                    let x = load_part(x.row(row), at, whole);
                    let mut squares = [0.0; LANES];
                    for i in 0..LANES {
                        squares[i] = (x[i] - mean[i]) * (x[i] - mean[i]);
                    }
                    [squares]
                },
            );
            result.copy_from_slice(&sum);
        },
    );
}

/// Calls `each` with every vector of `values` and where it begins.
#[inline(always)]
fn each_lane(values: &mut [f32], mut each: impl FnMut(&mut [f32], usize)) {
    vectorise(
        #[inline(always)]
        || {
            for (lane, values) in values.chunks_exact_mut(LANES).enumerate() {
                each(values, lane * LANES);
            }
        },
    );
}

/// What the columns are normalised by; each `[columns]`.
#[derive(Clone, Copy)]
pub struct Scaling<'a> {
    pub mean: &'a [f32],
    /// The weight over the standard deviation.
    pub scale: &'a [f32],
    pub bias: &'a [f32],
}

/// `y = activation((x - mean) scale + bias)`, column by column: `y`, `x` `[observations, columns]`, of
/// which `features` are no padding.
pub fn forward(activation: Activation, y: MatrixMut, x: MatrixRef, scaling: Scaling, features: usize) {
    if activation == Activation::RELU {
        return scale(
            y,
            x,
            scaling,
            #[inline(always)]
            |z| if z <= 0.0 { 0.0 } else { z },
        );
    }
    let mut y = y;
    scale(
        y.reborrow(),
        x,
        scaling,
        #[inline(always)]
        |z| z,
    );
    if activation != Activation::IDENTITY {
        for row in 0..y.rows() {
            activation::forward_in_place(activation, &mut y.row(row)[..features]);
        }
    }
}

#[inline(always)]
fn scale(mut y: MatrixMut, x: MatrixRef, scaling: Scaling, finish: impl Fn(f32) -> f32) {
    let (columns, rows) = (x.columns(), y.rows());
    vectorise(
        #[inline(always)]
        || {
            // In registers, where no store can be thought to change them.
            let (mut y, x, scaling, columns, rows) = (y.reborrow(), x, scaling, columns, rows);
            for start in (0..rows).step_by(BLOCK) {
                let end = (start + BLOCK).min(rows);
                for at in (0..scaling.mean.len()).step_by(LANES) {
                    let mean = load(scaling.mean, at);
                    let scale = load(scaling.scale, at);
                    let bias = load(scaling.bias, at);
                    let whole = at + LANES <= columns;
                    for row in start..end {
                        let x = x.row(row);
                        let x = load_part(x, at, whole);
                        let mut result = [0.0; LANES];
                        for i in 0..LANES {
                            result[i] = finish((x[i] - mean[i]).mul_add(scale[i], bias[i]));
                        }
                        y.row(row)[at..at + LANES].copy_from_slice(&result);
                    }
                }
            }
        },
    );
}

/// Inverts the activation of [`forward`]: `dy` becomes dz, the gradient of what the activation is applied
/// to. Sums it in each column, and then its product with `x - mean`: `result` `[2][columns]`.
pub fn backward_sums(
    activation: Activation,
    result: &mut [f32],
    mut dy: MatrixMut,
    x: MatrixRef,
    y: MatrixRef,
    mean: &[f32],
) {
    if activation == Activation::RELU {
        return sum_gradients(
            result,
            dy,
            x,
            y,
            mean,
            #[inline(always)]
            |dy, y| if y <= 0.0 { 0.0 } else { dy },
        );
    }
    if activation != Activation::IDENTITY {
        for row in 0..dy.rows() {
            activation::backward_in_place(activation, dy.row(row), y.row(row));
        }
    }
    sum_gradients(
        result,
        dy,
        x,
        y,
        mean,
        #[inline(always)]
        |dy, _| dy,
    );
}

#[inline(always)]
fn sum_gradients(
    result: &mut [f32],
    mut dy: MatrixMut,
    x: MatrixRef,
    y: MatrixRef,
    mean: &[f32],
    invert: impl Fn(f32, f32) -> f32,
) {
    let (columns, rows) = (x.columns(), dy.rows());
    let half = result.len() / 2;
    let (of_dz, of_products) = result.split_at_mut(half);
    vectorise(
        #[inline(always)]
        || {
            let (mut dy, x, y, mean, columns, rows) = (dy.reborrow(), x, y, mean, columns, rows);
            for at in (0..half).step_by(LANES) {
                let mean = load(mean, at);
                let whole = at + LANES <= columns;
                let [dz, products] = sums(
                    0..rows,
                    #[inline(always)]
                    |row| {
                        let (x, y) = (x.row(row), load(y.row(row), at));
                        let x = load_part(x, at, whole);
                        let dy = &mut dy.row(row)[at..at + LANES];
                        let mut terms = [load(dy, 0), [0.0; LANES]];
                        for i in 0..LANES {
                            terms[0][i] = invert(terms[0][i], y[i]);
                            terms[1][i] = terms[0][i] * (x[i] - mean[i]);
                        }
                        dy.copy_from_slice(&terms[0]);
                        terms
                    },
                );
                of_dz[at..at + LANES].copy_from_slice(&dz);
                of_products[at..at + LANES].copy_from_slice(&products);
            }
        },
    );
}

/// The sums of [`backward_sums`] alone, of what that has made of `dy`.
pub fn gradient_sums(result: &mut [f32], dz: MatrixRef, x: MatrixRef, mean: &[f32]) {
    let columns = x.columns();
    let half = result.len() / 2;
    let (of_dz, of_products) = result.split_at_mut(half);
    vectorise(
        #[inline(always)]
        || {
            let (dz, x, mean, columns) = (dz, x, mean, columns);
            for at in (0..half).step_by(LANES) {
                let mean = load(mean, at);
                let whole = at + LANES <= columns;
                let [sum, products] = sums(
                    0..dz.rows(),
                    #[inline(always)]
                    |row| {
                        let x = load_part(x.row(row), at, whole);
                        let mut terms = [load(dz.row(row), at), [0.0; LANES]];
                        for i in 0..LANES {
                            terms[1][i] = terms[0][i] * (x[i] - mean[i]);
                        }
                        terms
                    },
                );
                of_dz[at..at + LANES].copy_from_slice(&sum);
                of_products[at..at + LANES].copy_from_slice(&products);
            }
        },
    );
}

/// What the gradient of the input is made of; each `[columns]`.
#[derive(Clone, Copy)]
pub struct Slopes<'a> {
    pub mean: &'a [f32],
    /// As in [`Scaling`].
    pub scale: &'a [f32],
    /// What is taken for each unit of `x - mean`, and whatever it is: with a minus.
    pub slope: &'a [f32],
    pub offset: &'a [f32],
}

/// Inverts the normalisation of [`forward`], once the sums are known: `dx = scale dz + slope (x - mean) +
/// offset`. `dx`, `dz`, `x` `[observations, columns]`.
pub fn backward(mut dx: MatrixMut, dz: MatrixRef, x: MatrixRef, slopes: Slopes) {
    let rows = dx.rows();
    vectorise(
        #[inline(always)]
        || {
            let (mut dx, dz, x, slopes, rows) = (dx.reborrow(), dz, x, slopes, rows);
            for start in (0..rows).step_by(BLOCK) {
                let end = (start + BLOCK).min(rows);
                for at in (0..slopes.mean.len()).step_by(LANES) {
                    let mean = load(slopes.mean, at);
                    let scale = load(slopes.scale, at);
                    let slope = load(slopes.slope, at);
                    let offset = load(slopes.offset, at);
                    for row in start..end {
                        let x = load(x.row(row), at);
                        let dz = load(dz.row(row), at);
                        let mut result = [0.0; LANES];
                        for i in 0..LANES {
                            let from_x = (x[i] - mean[i]).mul_add(slope[i], offset[i]);
                            result[i] = scale[i].mul_add(dz[i], from_x);
                        }
                        dx.row(row)[at..at + LANES].copy_from_slice(&result);
                    }
                }
            }
        },
    );
}
