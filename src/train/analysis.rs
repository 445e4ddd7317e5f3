//! What a trained model gets right and wrong.

mod augmented;
mod picture;

pub use super::scores::ClassScore;
pub(super) use super::scores::score;
pub use augmented::{Versions, versions};
pub use picture::{Picture, picture_of};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use super::epoch_record::null_is_nan;
use super::evaluate::{Prediction, predictions};
use super::targets::labels_for;
use crate::Result;
use crate::data::Samples;
use crate::model::Model;
use crate::model::recipe::DataConfig;
use crate::team::Team;

/// The most mistakes that an [`Analysis`] shows.
pub const MOST_MISTAKES: usize = 25;

/// A model's answers to a set of samples, class by class.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Analysis {
    /// `[classes, classes]`: how many samples of the class of the row were read as that of the
    /// column.
    pub confusion: Vec<Vec<usize>>,
    /// `[classes]`
    pub classes: Vec<ClassScore>,
    /// Of all mistakes those with the largest losses, the largest first; at most [`MOST_MISTAKES`].
    pub mistakes: Vec<Mistake>,
}

/// A sample that was read as another class than its own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Mistake {
    /// Of the sample in its set, from 0.
    pub index: usize,
    pub label: usize,
    pub predicted: usize,
    /// That the model gave to the predicted class, as a fraction of 1; this and the loss are `null` in JSON
    /// where they are not finite.
    #[serde(deserialize_with = "null_is_nan")]
    pub probability: f64,
    #[serde(deserialize_with = "null_is_nan")]
    pub loss: f64,
    /// The sample as a PNG file in base64 (RFC 4648, §4); absent if it is no picture, or a large one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub png: Option<String>,
}

/// Tries `model` on `samples` once more and tells what it takes for what. The same for any number of
/// workers.
///
/// # Errors
/// If the samples do not fit the model.
pub fn analyse(model: &Model, samples: &Samples, data: &DataConfig, team: &Team) -> Result<Analysis> {
    let labels = labels_for(model, samples)?;
    let predictions = predictions(model, samples, data, team)?;
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
    })
}

pub(super) fn confusion(predictions: &[Prediction], labels: &[u8], classes: usize) -> Vec<Vec<usize>> {
    let mut confusion = vec![vec![0; classes]; classes];
    for (prediction, &label) in predictions.iter().zip(labels) {
        confusion[usize::from(label)][prediction.class] += 1;
    }
    confusion
}

/// Of the samples that `model` takes for another class than theirs, the `most` with the largest losses,
/// the largest first, without their pictures; and how many there are in all.
///
/// # Errors
/// If the samples do not fit the model.
pub fn worst_mistakes(
    model: &Model,
    samples: &Samples,
    data: &DataConfig,
    team: &Team,
    most: usize,
) -> Result<(Vec<Mistake>, usize)> {
    let labels = labels_for(model, samples)?;
    let predictions = predictions(model, samples, data, team)?;
    let mut wrong = worst(&predictions, labels, usize::MAX);
    let count = wrong.len();
    wrong.truncate(most);
    Ok((wrong.into_iter().map(|index| mistake(labels, &predictions, index)).collect(), count))
}

/// The first `most` samples that were read wrongly: by falling loss, and of equal losses the first sample
/// first.
fn worst(predictions: &[Prediction], labels: &[u8], most: usize) -> Vec<usize> {
    let is_wrong = |&index: &usize| predictions[index].class != usize::from(labels[index]);
    let mut wrong: Vec<usize> = (0..predictions.len()).filter(is_wrong).collect();
    // Of NaN, the sign means nothing: it is as bad as infinity.
    let loss =
        |index: usize| Some(predictions[index].loss).filter(|loss| !loss.is_nan()).unwrap_or(f32::INFINITY);
    // Stable.
    wrong.sort_by(|&a, &b| loss(b).total_cmp(&loss(a)));
    wrong.truncate(most);
    wrong
}

/// Without its picture.
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
        let evaluation = super::super::evaluate(&model, &set.test, &recipe.data, &team).unwrap();
        let hits: usize = (0..10).map(|class| analysis.confusion[class][class]).sum();
        assert_eq!(Some(hits as f64 / 500.0), evaluation.accuracy);
        assert_eq!(analysis.confusion.iter().flatten().sum::<usize>(), 500);

        assert_eq!(analysis.mistakes.len(), MOST_MISTAKES);
        let (worst, count) = worst_mistakes(&model, &set.test, &recipe.data, &team, 30).unwrap();
        assert_eq!((worst.len(), count), (30, 500 - hits));
        let without_pictures = analysis.mistakes.iter().map(|m| Mistake { png: None, ..m.clone() });
        assert!(without_pictures.eq(worst[..MOST_MISTAKES].iter().cloned()));
        let mistaken: Vec<usize> = analysis.mistakes.iter().map(|mistake| mistake.index).collect();
        let mistaken = set.test.take(&mistaken).unwrap();
        let probabilities = super::super::predict(&model, &mistaken, &recipe.data, &team).unwrap();
        for (mistake, probabilities) in analysis.mistakes.iter().zip(probabilities) {
            assert_eq!(set.test.label(mistake.index), Some(mistake.label as u8));
            assert_ne!(mistake.label, mistake.predicted);
            assert_eq!(f64::from(probabilities[mistake.predicted]), mistake.probability);
            assert!(probabilities.iter().all(|&p| f64::from(p) <= mistake.probability));
            assert!((mistake.loss + f64::from(probabilities[mistake.label]).ln()).abs() < 1e-4);
        }
    }
}
