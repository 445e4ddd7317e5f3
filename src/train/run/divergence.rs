//! Whether a training has plainly failed.

use crate::Result;
use crate::checkpoint::{Archive, State};
use crate::data::Samples;
use crate::model::{Model, Recipe};
use crate::team::Team;
use crate::train::inference::evaluate::evaluate_with_spread;
use crate::train::record::epoch::EpochRecord;
use crate::train::step::BatchScore;

/// A loss may end above that of the first step by this part of it without being called diverged: where
/// there is nothing to learn, steps of any length make it a little larger.
const SLACK: f64 = 0.1;

/// So many standard errors of the first step's loss are no sign either.
const STANDARD_ERRORS: f64 = 4.0;

/// The loss of a first step of fewer samples says too little: as many as [`MOST_TRIED`] are evaluated before.
const FEW: usize = 32;

/// Samples that are evaluated before a first step of few, at most...
const MOST_TRIED: usize = 256;

/// ...and bytes that a copy of them may take.
const MOST_BYTES: usize = 16 << 20;

/// Mean loss and spread of an untrained model.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::train) struct Untrained {
    loss: f64,
    spread: f64,
}

impl Untrained {
    /// The loss of `model` on some of the samples that are trained on, if a step of `batch` takes few; nothing if it
    /// takes enough, or if that cannot be told.
    pub fn of(
        model: &Model,
        samples: &Samples,
        subset: Option<&[u32]>,
        batch: usize,
        recipe: &Recipe,
        team: &Team,
    ) -> Option<Untrained> {
        let count = subset.map_or(samples.len(), <[u32]>::len);
        if batch >= FEW.min(count) {
            return None;
        }
        let bytes = samples.bytes().div_ceil(samples.len().max(1)).max(1);
        let most = (MOST_BYTES / bytes).clamp(1, MOST_TRIED).min(count);
        // At equal distances, since samples may be sorted by class.
        let place = |number: usize| number * count / most;
        let index = |number: usize| subset.map_or(place(number), |subset| subset[place(number)] as usize);
        let tried = samples.take(&(0..most).map(index).collect::<Vec<_>>()).ok()?;
        let (seen, spread) = evaluate_with_spread(model, &tried, &recipe.data, team).ok()?;
        (seen.loss.is_finite() && spread.is_finite()).then_some(Untrained { loss: seen.loss, spread })
    }
}

impl State for Untrained {
    fn visit(&mut self, archive: &mut Archive) -> Result<()> {
        archive.double("loss", &mut self.loss)?;
        archive.double("spread", &mut self.spread)
    }
}

/// The loss that a training loss is compared with.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::train) struct Reference {
    /// The loss of the first step.
    first: f64,
    /// The loss above which a training has diverged.
    limit: f64,
}

impl Reference {
    /// The reference by the score of the first step, and of the untrained model if that step took few samples. A first
    /// step without weight has no loss: then it is that of the untrained model, if that is known.
    pub fn new(first: &BatchScore, untrained: Option<Untrained>) -> Option<Reference> {
        let loss = if first.weight > 0.0 { first.mean_loss() } else { untrained?.loss };
        let (mut base, mut spread) = (loss, first.spread.unwrap_or(0.0));
        if let Some(untrained) = untrained {
            base = base.max(untrained.loss);
            spread = spread.max(untrained.spread);
        }
        let noise = STANDARD_ERRORS * spread / (first.samples as f64).sqrt();
        Some(Reference { first: loss, limit: base + noise.max(SLACK * base.abs()) })
    }

    /// Whether a training loss is so high that the training has failed, or is about to.
    pub fn is_above(&self, loss: f64) -> bool {
        loss > self.limit || loss.is_nan()
    }

    /// The loss of the first step.
    pub fn first(&self) -> f64 {
        self.first
    }
}

impl State for Reference {
    fn visit(&mut self, archive: &mut Archive) -> Result<()> {
        archive.double("first", &mut self.first)?;
        archive.double("limit", &mut self.limit)
    }
}

/// The mean training loss that a run ends with: that of its last epoch; if this is incomplete, of the epoch
/// before it, too, since a few samples say too little. Nothing without a whole epoch if the run was
/// `interrupted`, since its loss could still have fallen.
pub(in crate::train) fn last_loss(
    before: Option<&EpochRecord>,
    last: Option<&EpochRecord>,
    interrupted: bool,
) -> Option<f64> {
    let last = last?;
    match before {
        _ if !last.incomplete => Some(last.train_loss),
        None => (!interrupted).then_some(last.train_loss),
        Some(before) => {
            let [old, new] = [before, last].map(|epoch| epoch.samples.unwrap_or(0) as f64);
            Some((old * before.train_loss + new * last.train_loss) / (old + new))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first(loss: f64, samples: usize, spread: f64) -> BatchScore {
        let weight = samples as f64;
        BatchScore { loss_sum: loss * weight, weight, samples, spread: Some(spread), ..BatchScore::default() }
    }

    #[test]
    fn what_is_plainly_above_the_first_step_has_failed() {
        let reference = Reference::new(&first(2.3, 64, 0.4), None).unwrap();
        for loss in [6.6e22, f64::INFINITY, f64::NAN, 2.6] {
            assert!(reference.is_above(loss), "{loss}");
        }
        for loss in [2.3, 2.52, 0.0, -1.0] {
            assert!(!reference.is_above(loss), "{loss}");
        }
        assert_eq!(reference.first(), 2.3);
        // A loss may be negative: Poisson's.
        let negative = Reference::new(&first(-2.0, 64, 0.0), None).unwrap();
        assert!(!negative.is_above(-1.9) && negative.is_above(-1.5));
        // What begins with no loss at all can only lose it.
        assert!(!Reference::new(&first(0.0, 64, 0.0), None).unwrap().is_above(0.0));
    }

    /// One sample may happen to be classified correctly.
    #[test]
    fn a_first_step_of_few_samples_is_not_taken_at_its_word() {
        let untrained = Some(Untrained { loss: 2.3, spread: 0.5 });
        let alone = Reference::new(&first(0.1, 1, 0.0), untrained).unwrap();
        assert!(!alone.is_above(2.4) && !alone.is_above(4.2) && alone.is_above(4.4));
        let four = Reference::new(&first(0.1, 4, 0.1), untrained).unwrap();
        assert!(!four.is_above(3.2) && four.is_above(3.4));
    }

    #[test]
    fn a_first_step_without_weight_is_no_reference() {
        let weightless = BatchScore { weight: 0.0, ..first(0.0, 1, 0.0) };
        assert!(Reference::new(&weightless, None).is_none());
        let untrained = Some(Untrained { loss: 2.3, spread: 0.5 });
        let reference = Reference::new(&weightless, untrained).unwrap();
        assert!(!reference.is_above(4.2) && reference.is_above(4.4));
        assert_eq!(reference.first(), 2.3);
    }

    #[test]
    fn a_few_steps_of_a_last_epoch_count_with_the_epoch_before() {
        let epoch = |loss: f64, samples: usize, incomplete: bool| EpochRecord {
            epoch: 1,
            train_loss: loss,
            train_accuracy: Some(0.5),
            validation_loss: None,
            validation_accuracy: None,
            seconds: 1.0,
            samples_per_second: 1.0,
            samples: Some(samples),
            positions: None,
            incomplete,
            learning_rate: None,
            evaluations: None,
            layers: Vec::new(),
        };
        let (whole, part) = (epoch(1.0, 30, false), epoch(5.0, 10, true));
        assert_eq!(last_loss(Some(&part), Some(&whole), true), Some(1.0));
        assert_eq!(last_loss(Some(&whole), Some(&part), true), Some(2.0));
        assert_eq!(last_loss(None, Some(&part), true), None);
        assert_eq!(last_loss(None, Some(&part), false), Some(5.0), "ended by a rule of its own");
        assert_eq!(last_loss(None, None, false), None);
    }
}
