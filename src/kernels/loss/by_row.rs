//! Losses that are a function of a whole row.

use super::chunks::largest;
use super::pass::{Pass, Scores, Target};
use crate::kernels::simd::vectorise::vectorise;

/// A function of all outputs of a sample and its target.
///
/// It should be marked `#[inline(always)]`, with all that it calls: it is compiled for the instruction set in use then.
pub trait RowLoss: Send + Sync + 'static {
    /// The loss of the sample. `outputs` \[outputs\]; `gradient` \[outputs\], if it is wanted, is for the derivative
    /// by each output, and holds zeros at first. The loss must be the same with it and without. NaN should stay
    /// NaN, so that training that fails is noticed.
    fn row(&self, outputs: &[f32], target: Target, gradient: Option<&mut [f32]>) -> f32;
}

/// `function` of each row, and its gradient times scale.
pub fn by_row<F: RowLoss>(pass: Pass, function: &F) {
    pass.check();
    let Pass { mut gradient, scores: Scores { losses, correct }, outputs, targets, rows, scale } = pass;
    vectorise(
        #[inline(always)]
        || {
            let scores = losses.iter_mut().zip(&mut *correct);
            for (index, ((loss, correct), row)) in scores.zip(outputs.chunks_exact(rows.stride)).enumerate() {
                let (target, y) = (targets.row(index, rows.classes), &row[..rows.classes]);
                *loss = match gradient.as_deref_mut() {
                    Some(gradient) => {
                        let gradient = &mut gradient[index * rows.stride..][..rows.stride];
                        gradient.fill(0.0);
                        let own = &mut gradient[..rows.classes];
                        let value = function.row(y, target, Some(&mut *own));
                        for derivative in own {
                            *derivative *= scale;
                        }
                        value
                    }
                    None => function.row(y, target, None),
                };
                *correct = target.is_found(row, largest(row, rows.classes));
            }
        },
    )
}
