//! Numbers that say how good outputs are.

use crate::kernels::simd::reduce;
use crate::train::record::analysis::ClassScore;

/// How many classes come before `label` by falling output, and of equal outputs by rising number: 0
/// if it is the predicted class. With an output of NaN, `label` comes behind all. `outputs` `[classes]`.
pub fn rank(outputs: &[f32], label: usize) -> usize {
    let own = outputs[label];
    if own.is_nan() {
        return outputs.len();
    }
    let is_before = |(class, &output): (usize, &f32)| output > own || (output == own && class < label);
    outputs.iter().enumerate().filter(|&place| is_before(place)).count()
}

/// Top-k accuracy: the part of `ranks` `[samples]` that are below `k`. NaN of no ranks.
pub fn top_k(ranks: &[usize], k: usize) -> f64 {
    ranks.iter().filter(|&&rank| rank < k).count() as f64 / ranks.len() as f64
}

/// Precision, recall and F1, each the mean over the classes that occur as label or as prediction; what has
/// nothing to divide by counts as 0. NaN if no class occurs.
///
/// `confusion` `[classes, classes]`: rows are labels, columns predictions.
pub fn macro_means(confusion: &[Vec<usize>]) -> [f64; 3] {
    let scores: Vec<_> = (0..confusion.len())
        .filter(|&class| {
            confusion[class].iter().any(|&n| n > 0) || confusion.iter().any(|row| row[class] > 0)
        })
        .map(|class| score(confusion, class))
        .collect();
    let mean = |part: fn(&ClassScore) -> Option<f64>| {
        scores.iter().map(|score| part(score).unwrap_or(0.0)).sum::<f64>() / scores.len() as f64
    };
    [mean(|score| score.precision), mean(|score| score.recall), mean(|score| score.f1)]
}

/// The root of the mean squared difference of two slices of equal length, `[values]`.
pub fn rmse(outputs: &[f32], targets: &[f32]) -> f64 {
    debug_assert_eq!(outputs.len(), targets.len());
    let squares = outputs.iter().zip(targets).map(|(&y, &t)| (f64::from(y) - f64::from(t)).powi(2));
    (squares.sum::<f64>() / targets.len() as f64).sqrt()
}

/// The mean over the columns of 1 - (sum of squared errors) / (sum of squared differences of the
/// targets from their mean). A column of equal targets counts 1 if it is met exactly and 0 if not.
///
/// `outputs`, `targets` `[samples, width]`.
pub fn r_squared(outputs: &[f32], targets: &[f32], width: usize) -> f64 {
    debug_assert!(width > 0 && outputs.len() == targets.len() && targets.len().is_multiple_of(width));
    let samples = (targets.len() / width) as f64;
    let of_column = |column: usize| {
        let of = |values: &'_ [f32]| -> Vec<f64> {
            values.iter().skip(column).step_by(width).map(|&x| f64::from(x)).collect()
        };
        let (y, t) = (of(outputs), of(targets));
        let mean = t.iter().sum::<f64>() / samples;
        let errors: f64 = y.iter().zip(&t).map(|(y, t)| (y - t).powi(2)).sum();
        let spread: f64 = t.iter().map(|t| (t - mean).powi(2)).sum();
        match (errors, spread) {
            (0.0, _) => 1.0,
            (_, 0.0) => 0.0,
            _ => 1.0 - errors / spread,
        }
    };
    (0..width).map(of_column).sum::<f64>() / width as f64
}

pub(in crate::train) fn score(confusion: &[Vec<usize>], class: usize) -> ClassScore {
    let hits = confusion[class][class];
    let samples: usize = confusion[class].iter().sum();
    let read_so: usize = confusion.iter().map(|row| row[class]).sum();
    let part = |of: usize| (of > 0).then(|| hits as f64 / of as f64);
    ClassScore {
        samples,
        precision: part(read_so),
        recall: part(samples),
        // 2 / (1 / precision + 1 / recall), without the divisions that no hit would make infinite.
        f1: (read_so > 0 && samples > 0).then(|| 2.0 * hits as f64 / (read_so + samples) as f64),
    }
}

/// Losses of samples, each times a weight; of a sample without weight 0, even if its loss is not finite.
pub(in crate::train) fn weighted(
    losses: &[f32],
    weights: impl Iterator<Item = f32>,
) -> impl Iterator<Item = f64> {
    let part = |(&loss, weight): (&f32, f32)| {
        if weight == 0.0 { 0.0 } else { f64::from(loss) * f64::from(weight) }
    };
    losses.iter().zip(weights).map(part)
}

/// The standard deviation of each sample's part, `[samples]`, of a mean that divides the sum by `weight`; 0 of one
/// sample.
pub(in crate::train) fn spread(losses: &[f32], weight: f64) -> f64 {
    spread_of(losses.iter().map(|&loss| f64::from(loss)), reduce::sum_f64(losses), losses.len(), weight)
}

/// [`spread`] of `count` losses of this sum that were multiplied by weights of their own.
pub(in crate::train) fn spread_of(
    losses: impl Iterator<Item = f64>,
    sum: f64,
    count: usize,
    weight: f64,
) -> f64 {
    let count = count as f64;
    let mean = sum / count;
    let squares: f64 = losses.map(|loss| (loss - mean).powi(2)).sum();
    if weight == 0.0 { 0.0 } else { (squares / count).sqrt() * count / weight }
}
