//! The hinge loss of several classes.

use super::chunks::{is_first, largest, sum_of};
use super::pass::{Pass, Scores};
use crate::kernels::simd::reduce::LANES;
use crate::kernels::simd::vectorise::vectorise;

/// The margin of the hinge loss, and whether it is squared.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Hinge {
    /// How far the output of the right class must be above the others; above 0.
    pub margin: f32,
    /// Whether the shortfalls are squared.
    pub squared: bool,
}

/// The sum over the other classes of their shortfall max(0, margin - y\[label\] + y\[class\]) or its
/// square, divided by the number of classes (Weston and Watkins 1999), and its gradient, times the
/// scale, if it is wanted. An output of NaN makes the loss NaN.
///
/// # Panics
/// If the targets are not classes.
pub fn hinge(pass: Pass, Hinge { margin, squared }: Hinge) {
    pass.check();
    let Pass { gradient: mut dy, scores: Scores { losses, correct }, outputs: y, targets, rows, scale } =
        pass;
    let width = rows.classes as f32;
    let factor = scale / width;
    vectorise(
        #[inline(always)]
        || {
            let scores = losses.iter_mut().zip(&mut *correct);
            for (index, ((loss, correct), row)) in scores.zip(y.chunks_exact(rows.stride)).enumerate() {
                let Some(label) = targets.row(index, rows.classes).class() else {
                    unreachable!("values and mixtures are refused before");
                };
                let (mut sums, mut slopes) = ([0.0; LANES], [0.0; LANES]);
                for (chunk, start) in row.as_chunks::<LANES>().0.iter().zip((0..).step_by(LANES)) {
                    let mut gradient = [0.0; LANES];
                    for i in 0..LANES {
                        let shortfall = margin - row[label] + chunk[i];
                        let is_other = start + i < rows.classes && start + i != label;
                        // NaN is not below, and counts.
                        let is_reached = shortfall <= 0.0;
                        let counts = is_other && !is_reached;
                        let value = if squared { shortfall * shortfall } else { shortfall };
                        let slope = if squared { 2.0 * shortfall } else { 1.0 };
                        sums[i] += if counts { value } else { 0.0 };
                        gradient[i] = if counts { slope * factor } else { 0.0 };
                        slopes[i] += gradient[i];
                    }
                    if let Some(dy) = dy.as_deref_mut() {
                        let place = index * rows.stride + start;
                        dy[place..place + LANES].copy_from_slice(&gradient);
                    }
                }
                if let Some(dy) = dy.as_deref_mut() {
                    dy[index * rows.stride + label] = -sum_of(slopes);
                }
                *loss = sum_of(sums) / width;
                *correct = u8::from(is_first(row, label, largest(row, rows.classes)));
            }
        },
    )
}
