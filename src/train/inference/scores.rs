//! Numbers that say how good outputs are.

use crate::data::Unit;
use crate::kernels::simd::reduce;
use crate::train::record::analysis::ClassScore;
use crate::train::record::metrics::{OutputMetrics, ValueMetrics};

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

/// Balanced accuracy: recall, the mean over the classes that occur as labels. NaN if no class occurs.
///
/// `confusion` `[classes, classes]`: rows are labels, columns predictions.
pub fn balanced_accuracy(confusion: &[Vec<usize>]) -> f64 {
    let recalls: Vec<f64> = (0..confusion.len()).filter_map(|class| score(confusion, class).recall).collect();
    recalls.iter().sum::<f64>() / recalls.len() as f64
}

/// The mean of -ln p, where p is the softmax of a sample's outputs at its class.
///
/// `outputs` `[samples, classes]`, `labels` `[samples]`.
pub fn log_loss(outputs: &[f32], classes: usize, labels: &[u8]) -> f64 {
    debug_assert_eq!(outputs.len(), classes * labels.len());
    let rows = outputs.chunks_exact(classes).zip(labels);
    let losses = rows.map(|(row, &label)| log_sum(row.iter()) - f64::from(row[usize::from(label)]));
    losses.sum::<f64>() / labels.len() as f64
}

/// The area under the ROC curve of each class against all others, the mean over the classes that occur: the part of
/// all pairs of a sample of the class and another one in which the former's probability, the softmax of the outputs at
/// the class, is the larger one, equal ones counting half (Fawcett: An introduction to ROC analysis, 2006; Mann,
/// Whitney, 1947). Of two classes both areas are the same one. None if fewer than two classes occur, or an output is not
/// finite.
///
/// `outputs` `[samples, classes]`, `labels` `[samples]`.
pub fn area_under_curve(outputs: &[f32], classes: usize, labels: &[u8]) -> Option<f64> {
    debug_assert_eq!(outputs.len(), classes * labels.len());
    if !reduce::all_finite(outputs) {
        return None;
    }
    let occurs = |&class: &usize| labels.iter().any(|&label| usize::from(label) == class);
    let occurring: Vec<usize> = (0..classes).filter(occurs).collect();
    if occurring.len() < 2 {
        return None;
    }
    let of_class = |&class: &usize| {
        let rows = outputs.chunks_exact(classes).zip(labels);
        area(rows.map(|(row, &label)| (log_odds(row, class), usize::from(label) == class)).collect())
    };
    Some(occurring.iter().map(of_class).sum::<f64>() / occurring.len() as f64)
}

/// ln (p / (1 - p)) for the softmax p of the outputs at a class. It grows with p, and tells apart what p itself, rounded
/// to 1, does not.
fn log_odds(row: &[f32], class: usize) -> f64 {
    f64::from(row[class]) - log_sum(row[..class].iter().chain(&row[class + 1..]))
}

/// ln Σ e^y.
fn log_sum<'a>(outputs: impl Iterator<Item = &'a f32> + Clone) -> f64 {
    let largest = outputs.clone().fold(f32::NEG_INFINITY, |most, &y| most.max(y));
    let largest = f64::from(largest);
    largest + outputs.map(|&y| (f64::from(y) - largest).exp()).sum::<f64>().ln()
}

/// The part of all pairs of a sample with `true` and one with `false` in which the former has the larger number, equal
/// ones counting half.
fn area(mut scores: Vec<(f64, bool)>) -> f64 {
    scores.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
    // Twice the number of such pairs, so that halves are whole.
    let (mut pairs, mut below, mut positives) = (0u128, 0u128, 0u128);
    for equal in scores.chunk_by(|a, b| a.0 == b.0) {
        let own = equal.iter().filter(|(_, is_positive)| *is_positive).count() as u128;
        let others = equal.len() as u128 - own;
        pairs += own * (2 * below + others);
        (below, positives) = (below + others, positives + own);
    }
    pairs as f64 / (2 * below * positives) as f64
}

/// The sums over the samples of one output.
#[derive(Clone, Copy, Default)]
struct Sums {
    /// Of the targets, and then their mean.
    mean: f64,
    /// Of the squared errors.
    squares: f64,
    /// Of the absolute errors.
    absolute: f64,
    /// Of the squared differences of the targets from their mean.
    spread: f64,
}

/// RMSE, MAE and R² of values, in f64. R² is the mean over the columns.
///
/// `outputs`, `targets` `[samples, width]`; `units` `[width]`, in which all but R² is told, or none.
pub fn value_metrics(outputs: &[f32], targets: &[f32], width: usize, units: &[Unit]) -> ValueMetrics {
    debug_assert!(width > 0 && outputs.len() == targets.len() && targets.len().is_multiple_of(width));
    let samples = (targets.len() / width) as f64;
    let mut columns = vec![Sums::default(); width];
    for row in targets.chunks_exact(width) {
        for (column, &t) in columns.iter_mut().zip(row) {
            column.mean += f64::from(t);
        }
    }
    columns.iter_mut().for_each(|column| column.mean /= samples);
    for (outputs, targets) in outputs.chunks_exact(width).zip(targets.chunks_exact(width)) {
        for (column, (&y, &t)) in columns.iter_mut().zip(outputs.iter().zip(targets)) {
            let (error, t) = (f64::from(y) - f64::from(t), f64::from(t));
            column.squares += error.powi(2);
            column.absolute += error.abs();
            column.spread += (t - column.mean).powi(2);
        }
    }
    let factors = units.iter().map(|unit| unit.factor).chain(std::iter::repeat(1.0));
    let of_column = |(column, factor): (&Sums, f64)| OutputMetrics {
        rmse: factor * (column.squares / samples).sqrt(),
        mae: factor * column.absolute / samples,
        r_squared: match (column.squares, column.spread) {
            (0.0, _) => 1.0,
            (_, 0.0) => 0.0,
            (errors, spread) => 1.0 - errors / spread,
        },
    };
    let outputs: Vec<OutputMetrics> = columns.iter().zip(factors).map(of_column).collect();
    let mean = |part: fn(&OutputMetrics) -> f64| outputs.iter().map(part).sum::<f64>() / outputs.len() as f64;
    ValueMetrics {
        rmse: mean(|output| output.rmse.powi(2)).sqrt(),
        mae: mean(|output| output.mae),
        r_squared: mean(|output| output.r_squared),
        outputs: if width > 1 { outputs } else { Vec::new() },
    }
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
