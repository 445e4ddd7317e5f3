//! The analysis of a trained model: what it gets right and wrong.

mod augmented;
mod picture;

pub use crate::train::record::analysis::{
    Analysis, ClassScore, MOST_MISTAKES, MOST_OUTPUTS, MOST_PREDICTED, Mistake, PredictedOutput,
    PredictedValues,
};
pub use augmented::{Versions, versions};
pub use picture::{LARGEST_SIDE, Picture, picture_of};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::Result;
use crate::data::{Samples, Targets, Unit};
use crate::model::Model;
use crate::model::recipe::DataConfig;
use crate::team::Team;
use crate::train::inference::clusters;
use crate::train::inference::evaluate::{Prediction, outputs_in, predictions};
use crate::train::inference::order::Order;
use crate::train::inference::scores::score;
use crate::train::targets::labels_for;

/// Runs `model` on `samples` once more and tells which class it takes for which, or which values it predicts for which,
/// or which samples are in which cluster.
/// The result is the same for any number of workers.
///
/// # Errors
/// If the samples do not fit the model.
pub fn analyse(model: &Model, samples: &Samples, data: &DataConfig, team: &Team) -> Result<Analysis> {
    analyse_in(Order::Apart, model, samples, data, team)
}

/// The same where samples go through the network in an order.
///
/// # Errors
/// Those of [`analyse`].
pub fn analyse_in(
    order: Order,
    model: &Model,
    samples: &Samples,
    data: &DataConfig,
    team: &Team,
) -> Result<Analysis> {
    if let Some(clusters) = clusters::metrics(model, samples, data, team)? {
        return Ok(Analysis { clusters: Some(clusters), ..Analysis::default() });
    }
    // A confusion of all tokens of a vocabulary says nothing that could be shown.
    if !model.loss().takes_targets() || matches!(samples.targets(), Targets::Tokens(_)) {
        return Ok(Analysis::default());
    }
    if let Targets::Values { values, width } = samples.targets() {
        let outputs = outputs_in(order, model, samples, data, team)?;
        let values = predicted(&outputs, values, *width, samples.units());
        return Ok(Analysis { values: Some(values), ..Analysis::default() });
    }
    let labels = labels_for(model, samples)?;
    let predictions = predictions(order, model, samples, data, team)?;
    let confusion = confusion(&predictions, labels, model.outputs());
    let mistakes = worst(&predictions, labels, MOST_MISTAKES);
    let pictured = |index| {
        let png = picture::png_of(samples, index).map(|bytes| STANDARD.encode(bytes));
        Mistake { png, ..mistake(labels, &predictions, index) }
    };
    Ok(Analysis {
        classes: (0..model.outputs()).map(|class| score(&confusion, class)).collect(),
        confusion,
        mistakes: mistakes.into_iter().map(pictured).collect(),
        ..Analysis::default()
    })
}

/// Some outputs and their targets, `[samples, width]`, in their units.
fn predicted(outputs: &[f32], targets: &[f32], width: usize, units: &[Unit]) -> PredictedValues {
    let count = targets.len() / width;
    let shown = count.min(MOST_PREDICTED);
    // Evenly: the first, and of any two neighbours those between them are as many as of others, give or take one.
    let samples: Vec<usize> = (0..shown).map(|place| place * count / shown).collect();
    let of_output = |output: usize| {
        let unit = units.get(output).copied().unwrap_or(Unit { factor: 1.0, offset: 0.0 });
        let numbers = |values: &[f32]| {
            samples.iter().map(|&sample| unit.number(f64::from(values[sample * width + output]))).collect()
        };
        PredictedOutput { targets: numbers(targets), predictions: numbers(outputs) }
    };
    PredictedValues { outputs: (0..width.min(MOST_OUTPUTS)).map(of_output).collect(), samples }
}

pub(in crate::train) fn confusion(
    predictions: &[Prediction],
    labels: &[u8],
    classes: usize,
) -> Vec<Vec<usize>> {
    let mut confusion = vec![vec![0; classes]; classes];
    for (prediction, &label) in predictions.iter().zip(labels) {
        confusion[usize::from(label)][prediction.class] += 1;
    }
    confusion
}

/// The samples, which go through the network in an order, that `model` takes for another class than theirs: the `most` with
/// the largest losses, the largest first, without their pictures; and how many there are in all.
///
/// # Errors
/// If the samples do not fit the model.
pub fn worst_mistakes(
    order: Order,
    model: &Model,
    samples: &Samples,
    data: &DataConfig,
    team: &Team,
    most: usize,
) -> Result<(Vec<Mistake>, usize)> {
    let labels = labels_for(model, samples)?;
    let predictions = predictions(order, model, samples, data, team)?;
    let mut wrong = worst(&predictions, labels, usize::MAX);
    let count = wrong.len();
    wrong.truncate(most);
    Ok((wrong.into_iter().map(|index| mistake(labels, &predictions, index)).collect(), count))
}

/// The indices of the first `most` samples that were misclassified: by falling loss, and of equal losses the
/// first sample first.
fn worst(predictions: &[Prediction], labels: &[u8], most: usize) -> Vec<usize> {
    let is_wrong = |&index: &usize| predictions[index].class != usize::from(labels[index]);
    let mut wrong: Vec<usize> = (0..predictions.len()).filter(is_wrong).collect();
    // Of NaN, the sign means nothing: it is as bad as infinity.
    let loss =
        |index: usize| Some(predictions[index].loss).filter(|loss| !loss.is_nan()).unwrap_or(f32::INFINITY);
    // The sort is stable.
    wrong.sort_by(|&a, &b| loss(b).total_cmp(&loss(a)));
    wrong.truncate(most);
    wrong
}

/// The record of a misclassified sample, without its picture.
fn mistake(labels: &[u8], predictions: &[Prediction], index: usize) -> Mistake {
    let prediction = predictions[index];
    Mistake {
        index,
        label: usize::from(labels[index]),
        predicted: prediction.class,
        probability: f64::from(prediction.probability),
        loss: f64::from(prediction.loss),
        png: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::source;
    use crate::model::Recipe;

    fn prediction(class: usize, loss: f32) -> Prediction {
        Prediction { loss, class, probability: 0.5, rank: 0 }
    }

    #[test]
    fn classes_are_scored_by_what_was_read_as_what() {
        let predictions = [prediction(0, 0.1), prediction(0, 0.1), prediction(1, 2.0), prediction(0, 3.0)];
        let confusion = confusion(&predictions, &[0, 0, 0, 1], 3);
        assert_eq!(confusion, [[2, 1, 0], [1, 0, 0], [0, 0, 0]]);
        let two_thirds = Some(2.0 / 3.0);
        let first = ClassScore { samples: 3, precision: two_thirds, recall: two_thirds, f1: two_thirds };
        assert_eq!(score(&confusion, 0), first);
        let second = ClassScore { samples: 1, precision: Some(0.0), recall: Some(0.0), f1: Some(0.0) };
        assert_eq!(score(&confusion, 1), second);
        let third = ClassScore { samples: 0, precision: None, recall: None, f1: None };
        assert_eq!(score(&confusion, 2), third);
    }

    #[test]
    fn the_worst_mistakes_come_first_and_equal_ones_in_their_order() {
        let predictions = [
            prediction(1, 1.0),
            prediction(0, 9.0),
            prediction(1, 4.0),
            prediction(1, 4.0),
            prediction(1, 5.0),
        ];
        assert_eq!(worst(&predictions, &[0, 0, 0, 0, 0], 25), [4, 2, 3, 0], "sample 1 was read rightly");
        assert_eq!(worst(&predictions, &[0, 0, 0, 0, 0], 2), [4, 2]);
        let lost =
            [prediction(1, 1.0), prediction(1, -f32::NAN), prediction(1, 2.0), prediction(1, f32::INFINITY)];
        assert_eq!(worst(&lost, &[0; 4], 25), [1, 3, 2, 0]);
        let many: Vec<Prediction> = (0..100).map(|loss| prediction(1, loss as f32)).collect();
        assert_eq!(worst(&many, &[0; 100], 25), (75..100).rev().collect::<Vec<_>>());
    }

    #[test]
    fn predicted_values_are_chosen_evenly_and_told_in_their_units() {
        let units = [Unit { factor: 2.0, offset: 10.0 }, Unit { factor: 1.0, offset: 0.0 }];
        let found = predicted(&[1.0, 2.0, f32::NAN, 4.0], &[0.5, 2.5, -1.0, 4.5], 2, &units);
        assert_eq!(found.samples, [0, 1]);
        assert_eq!(found.outputs[0].targets, [11.0, 8.0]);
        assert!(found.outputs[0].predictions[0] == 12.0 && found.outputs[0].predictions[1].is_nan());
        assert_eq!(found.outputs[1].predictions, [2.0, 4.0]);
        let json = serde_json::to_string(&found).unwrap();
        let read: PredictedValues = serde_json::from_str(&json).unwrap();
        assert!(read.outputs[0].predictions[1].is_nan() && read.outputs[1] == found.outputs[1]);

        let many: Vec<f32> = (0..5001).map(|value| value as f32).collect();
        let found = predicted(&many, &many, 1, &[]);
        assert_eq!((found.samples.len(), found.samples[0], found.samples[1999]), (2000, 0, 4998));
        assert!(found.samples.windows(2).all(|pair| (2..=3).contains(&(pair[1] - pair[0]))));
        assert_eq!(found.outputs[0].targets[7], found.samples[7] as f64);
        assert_eq!(predicted(&many, &many, 5001, &[]).outputs.len(), MOST_OUTPUTS);
    }

    /// An untrained model makes mistakes enough.
    #[test]
    fn an_analysis_agrees_with_the_evaluation_and_any_number_of_workers() {
        let recipe = Recipe::built_in("digits-mlp").unwrap();
        let set = source::generate_digits([1, 500], 3).unwrap();
        let model = Model::build(&recipe.model, set.test.shape(), set.classes, 1).unwrap();
        let analysis = analyse(&model, &set.test, &recipe.data, &Team::new(1).unwrap()).unwrap();
        for threads in [2, 5] {
            let other = analyse(&model, &set.test, &recipe.data, &Team::new(threads).unwrap()).unwrap();
            assert_eq!(analysis, other);
        }
        let team = Team::new(1).unwrap();
        let evaluation = crate::train::inference::evaluate(&model, &set.test, &recipe.data, &team).unwrap();
        let hits: usize = (0..10).map(|class| analysis.confusion[class][class]).sum();
        assert_eq!(Some(hits as f64 / 500.0), evaluation.accuracy);
        assert_eq!(analysis.confusion.iter().flatten().sum::<usize>(), 500);

        assert_eq!(analysis.mistakes.len(), MOST_MISTAKES);
        let (worst, count) =
            worst_mistakes(Order::Apart, &model, &set.test, &recipe.data, &team, 30).unwrap();
        assert_eq!((worst.len(), count), (30, 500 - hits));
        let without_pictures = analysis.mistakes.iter().map(|m| Mistake { png: None, ..m.clone() });
        assert!(without_pictures.eq(worst[..MOST_MISTAKES].iter().cloned()));
        let mistaken: Vec<usize> = analysis.mistakes.iter().map(|mistake| mistake.index).collect();
        let mistaken = set.test.take(&mistaken).unwrap();
        let probabilities = crate::train::predict(&model, &mistaken, &recipe.data, &team).unwrap();
        for (mistake, probabilities) in analysis.mistakes.iter().zip(probabilities) {
            assert_eq!(set.test.label(mistake.index), Some(mistake.label as u8));
            assert_ne!(mistake.label, mistake.predicted);
            assert_eq!(f64::from(probabilities[mistake.predicted]), mistake.probability);
            assert!(probabilities.iter().all(|&p| f64::from(p) <= mistake.probability));
            assert!((mistake.loss + f64::from(probabilities[mistake.label]).ln()).abs() < 1e-4);
        }
    }
}
