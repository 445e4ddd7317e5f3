//! Losses that are the mean of one function over a row's columns.

use super::{Rows, Scores, Targets, largest, sum_of};
use crate::kernels::math;
use crate::kernels::reduce::LANES;
use crate::kernels::vectorise::vectorise;

/// A function of an output y and its target t; d = y - t.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Elementwise {
    /// d^2
    Squared,
    /// |d|; the derivative at 0 is 0.
    Absolute,
    /// d^2 / 2 up to |d| = delta, from there on the line delta (|d| - delta / 2) (Huber 1964).
    Huber { delta: f32 },
    /// -t ln s - (1 - t) ln(1 - s), s = sigmoid(y), computed without overflow.
    BinaryCrossEntropy,
    /// e^y - t y: the negative logarithm of a Poisson probability, without the part that is the same
    /// for all y. Infinite above y = 88.7.
    Poisson,
}

impl Elementwise {
    /// The value and its derivative by y. NaN stays.
    #[inline(always)]
    fn at(self, y: f32, t: f32) -> (f32, f32) {
        let d = y - t;
        match self {
            Elementwise::Squared => (d * d, 2.0 * d),
            Elementwise::Absolute => {
                let slope = match d {
                    d if d > 0.0 => 1.0,
                    d if d < 0.0 => -1.0,
                    // 0 or NaN
                    d => d,
                };
                (d.abs(), slope)
            }
            Elementwise::Huber { delta } => {
                // NaN is not large, and stays.
                let large = d.abs() > delta;
                let value = if large { delta * (d.abs() - 0.5 * delta) } else { 0.5 * d * d };
                (value, if large { delta.copysign(d) } else { d })
            }
            // ln(1 + e^y) - t y, and ln(1 + e^y) = max(y, 0) + ln(1 + e^-|y|)
            Elementwise::BinaryCrossEntropy => {
                let positive = if y <= 0.0 { 0.0 } else { y };
                let linear = (-t).mul_add(y, positive);
                (linear + math::ln_1p(math::exp(-y.abs())), math::sigmoid(y) - t)
            }
            Elementwise::Poisson => {
                let e = math::exp(y);
                ((-t).mul_add(y, e), e - t)
            }
        }
    }
}

/// The mean of `function` over the columns of each row, and its gradient `dy` = scale / classes * the
/// derivative, if it is wanted.
///
/// `dy`, `y` \[rows, stride\]; `scale` 1 / batch, with which the sum of the losses is PyTorch's mean
/// over all elements.
pub fn elementwise(
    dy: Option<&mut [f32]>,
    scores: Scores,
    y: &[f32],
    targets: Targets,
    rows: Rows,
    scale: f32,
    function: Elementwise,
) {
    rows.check_all(dy.as_deref(), &scores, y, targets);
    use Elementwise::*;
    // Matched here, once, and not at each element: every arm is a loop of its own.
    match function {
        Squared => each(
            dy,
            scores,
            y,
            targets,
            rows,
            scale,
            #[inline(always)]
            |y, t| Squared.at(y, t),
        ),
        Absolute => each(
            dy,
            scores,
            y,
            targets,
            rows,
            scale,
            #[inline(always)]
            |y, t| Absolute.at(y, t),
        ),
        Huber { delta } => each(
            dy,
            scores,
            y,
            targets,
            rows,
            scale,
            #[inline(always)]
            move |y, t| Huber { delta }.at(y, t),
        ),
        BinaryCrossEntropy => each(
            dy,
            scores,
            y,
            targets,
            rows,
            scale,
            #[inline(always)]
            |y, t| BinaryCrossEntropy.at(y, t),
        ),
        Poisson => each(
            dy,
            scores,
            y,
            targets,
            rows,
            scale,
            #[inline(always)]
            |y, t| Poisson.at(y, t),
        ),
    }
}

fn each(
    mut dy: Option<&mut [f32]>,
    scores: Scores,
    y: &[f32],
    targets: Targets,
    rows: Rows,
    scale: f32,
    function: impl Fn(f32, f32) -> (f32, f32),
) {
    let Scores { losses, correct } = scores;
    let width = rows.classes as f32;
    let factor = scale / width;
    vectorise(
        #[inline(always)]
        || {
            let scores = losses.iter_mut().zip(&mut *correct);
            for (index, ((loss, correct), row)) in scores.zip(y.chunks_exact(rows.stride)).enumerate() {
                let target = targets.row(index, rows.classes);
                let mut sums = [0.0; LANES];
                for (chunk, start) in row.as_chunks::<LANES>().0.iter().zip((0..).step_by(LANES)) {
                    let t = target.chunk(start);
                    let mut gradient = [0.0; LANES];
                    for i in 0..LANES {
                        let (value, derivative) = function(chunk[i], t[i]);
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
