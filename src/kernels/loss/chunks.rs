//! Rows of outputs in chunks of whole vectors.

use crate::kernels::simd::reduce::{LANES, tree};

/// The values from `start` on, and `beyond` in the place of those that there are not.
#[inline(always)]
pub(super) fn chunk_of(values: &[f32], start: usize, beyond: f32) -> [f32; LANES] {
    let mut chunk = [beyond; LANES];
    let end = values.len().min(start + LANES);
    if start < end {
        chunk[..end - start].copy_from_slice(&values[start..end]);
    }
    chunk
}

#[inline(always)]
pub(super) fn sum_of(lanes: [f32; LANES]) -> f32 {
    tree(lanes, |a, b| a + b)
}

/// The chunks of a row that hold its classes, each with the index of its first column and with
/// minus infinity in place of the padding.
#[inline(always)]
pub(super) fn chunks(row: &[f32], classes: usize) -> impl Iterator<Item = (usize, [f32; LANES])> {
    row.as_chunks::<LANES>().0.iter().zip((0..classes).step_by(LANES)).map(move |(chunk, start)| {
        let mut masked = [f32::NEG_INFINITY; LANES];
        for i in 0..LANES {
            masked[i] = if start + i < classes { chunk[i] } else { masked[i] };
        }
        (start, masked)
    })
}

/// The larger of two numbers, `b` if `a` is NaN: one vector instruction.
#[inline(always)]
pub(super) fn larger(a: f32, b: f32) -> f32 {
    if a > b { a } else { b }
}

/// The largest number of the row; NaN is passed over.
#[inline(always)]
pub(super) fn largest(row: &[f32], classes: usize) -> f32 {
    let mut max = [f32::NEG_INFINITY; LANES];
    for (_, chunk) in chunks(row, classes) {
        for i in 0..LANES {
            max[i] = larger(chunk[i], max[i]);
        }
    }
    tree(max, larger)
}

/// Whether `label` is the first column that holds `max`.
#[inline(always)]
pub(super) fn is_first(row: &[f32], label: usize, max: f32) -> bool {
    let mut earlier = false;
    for (_, chunk) in chunks(row, label) {
        for x in chunk {
            earlier |= x == max;
        }
    }
    row[label] == max && !earlier
}
