//! Attention of one query, as a text is continued: the keys and values of the positions before it are kept.

use super::head::scale;
use super::softmax::{dot, exponentials, largest_of};
use crate::kernels::simd::vectorise::vectorise;
use crate::tensor::MatrixRef;

/// The mean of the values for one query that sees all of them: `y`, `q` `[width]`; `keys`, `values` `[n, width]`, with at least one
/// of them; `scratch` `[n]`. With rotary positions query and keys come turned.
pub fn attend_one(y: &mut [f32], q: &[f32], keys: MatrixRef, values: MatrixRef, scratch: &mut [f32]) {
    let (width, n) = (q.len(), keys.rows());
    assert!(n > 0 && scratch.len() == n && values.rows() == n, "{n} keys");
    assert_eq!([y.len(), keys.columns(), values.columns()], [width; 3], "numbers of a query");
    let scale = scale(width);
    vectorise(
        #[inline(always)]
        || {
            for (row, score) in scratch.iter_mut().enumerate() {
                *score = dot(q, keys.row(row)) * scale;
            }
            let largest = largest_of(scratch);
            let sum = exponentials(scratch, largest);
            y.fill(0.0);
            for (row, weight) in scratch.iter().enumerate() {
                for (y, value) in y.iter_mut().zip(values.row(row)) {
                    *y = weight.mul_add(*value, *y);
                }
            }
            let rate = 1.0 / sum;
            for y in y.iter_mut() {
                *y *= rate;
            }
        },
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::reference;
    use crate::kernels::sequence::rotary::Rotary;
    use crate::tensor::MatrixMut;

    /// The last position of causal attention, from keys that are kept further apart than they are long.
    #[test]
    fn one_query_agrees_with_the_twin() {
        for (positions, width, rotary) in [(1, 8, false), (2, 3, false), (17, 16, true), (70, 20, true)] {
            let turned = rotary.then_some(100.0);
            let twin = reference::attention::Attention::of(positions, [1, 1], width, true, turned);
            let number = |i: usize| ((i as f64 * 0.618_033_988_7).fract() * 4.0 - 2.0) as f32;
            let x: Vec<f32> = (0..positions * 3 * width).map(number).collect();
            let wide: Vec<f64> = x.iter().map(|x| f64::from(*x)).collect();
            let expected = twin.forward(&wide).split_off((positions - 1) * width);
            let rows = MatrixRef::new(&x, positions, 3 * width, 3 * width);
            let part = |number: usize| rows.block(0..positions, number * width..(number + 1) * width);
            let stride = width + 5;
            let mut turned = vec![0.0; 2 * positions * stride];
            let (queries, keys) = turned.split_at_mut(positions * stride);
            for (to, from) in [(&mut *queries, part(0)), (&mut *keys, part(1))] {
                let mut to = MatrixMut::new(to, positions, width, stride);
                if rotary {
                    Rotary::new(positions, width, 100.0).rotate(to, from, 0, 1.0);
                } else {
                    (0..positions).for_each(|row| to.row(row).copy_from_slice(from.row(row)));
                }
            }
            let (mut y, mut scratch) = (vec![f32::NAN; width], vec![f32::NAN; positions]);
            let q = &queries[(positions - 1) * stride..][..width];
            attend_one(&mut y, q, MatrixRef::new(keys, positions, width, stride), part(2), &mut scratch);
            for (y, expected) in y.iter().zip(&expected) {
                assert!((f64::from(*y) - expected).abs() < 1e-5, "{positions} {width}: {y} {expected}");
            }
        }
    }
}
