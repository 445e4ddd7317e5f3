//! Losses that are the mean of one function over a row's columns.

use super::chunks::{largest, sum_of};
use super::pass::{Pass, Scores};
use crate::kernels::simd::reduce::LANES;
use crate::kernels::simd::vectorise::vectorise;

/// A function of one output and its target; the loss of a sample is its mean over the outputs.
///
/// It should be marked `#[inline(always)]`, with all that it calls: it is compiled into a loop over vectors then.
pub trait ElementwiseLoss: Copy + Send + Sync + 'static {
    /// The value, and its derivative by the output. NaN should stay NaN, so that training that fails is noticed.
    fn at(self, output: f32, target: f32) -> (f32, f32);
}

/// The mean of `function` over the columns of each row; the gradient is scale / columns * the derivative. With a scale
/// of 1 / batch, the sum of the losses is PyTorch's mean over all elements.
pub fn elementwise<F: ElementwiseLoss>(pass: Pass, function: F) {
    pass.check();
    let Pass { gradient: mut dy, scores: Scores { losses, correct }, outputs, targets, rows, scale } = pass;
    let width = rows.classes as f32;
    let factor = scale / width;
    vectorise(
        #[inline(always)]
        || {
            let scores = losses.iter_mut().zip(&mut *correct);
            for (index, ((loss, correct), row)) in scores.zip(outputs.chunks_exact(rows.stride)).enumerate() {
                let target = targets.row(index, rows.classes);
                let mut sums = [0.0; LANES];
                for (chunk, start) in row.as_chunks::<LANES>().0.iter().zip((0..).step_by(LANES)) {
                    let t = target.chunk(start);
                    let mut gradient = [0.0; LANES];
                    for i in 0..LANES {
                        let (value, derivative) = function.at(chunk[i], t[i]);
                        let counts = start + i < rows.classes;
                        sums[i] += if counts { value } else { 0.0 };
                        gradient[i] = if counts { derivative * factor } else { 0.0 };
                    }
                    if let Some(dy) = dy.as_deref_mut() {
                        let place = index * rows.stride + start;
                        dy[place..place + LANES].copy_from_slice(&gradient);
                    }
                }
                *loss = sum_of(sums) / width;
                *correct = target.is_found(row, largest(row, rows.classes));
            }
        },
    )
}
