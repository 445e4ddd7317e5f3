//! The rules that end a training before its epochs are done.

use crate::checkpoint::{Archive, State};
use crate::model::recipe::{Patience, StopConfig, Watched};
use crate::train::record::Ending;
use crate::train::record::epoch::EpochRecord;
use crate::train::session::clock::Clock;
use crate::train::step::BatchScore;
use crate::{Result, memory};

/// The ending after the step whose score is `batch`, if a rule ends a training whose time is told by `clock`.
pub fn after_step(rules: &StopConfig, steps: u64, batch: &BatchScore, clock: Clock) -> Option<Ending> {
    // The gradient of a step without weight is 0 wherever the training has come to.
    let below = |limit: f64| batch.weight > 0.0 && batch.gradient_norm.is_some_and(|norm| norm < limit);
    if rules.steps.is_some_and(|limit| steps >= limit) {
        return Some(Ending::Steps);
    }
    if rules.gradient_norm.is_some_and(below) {
        return Some(Ending::GradientNorm);
    }
    // The clock is read only where it is asked for.
    let late = rules.seconds.is_some_and(|limit| clock.seconds() >= limit);
    late.then_some(Ending::Seconds)
}

/// The state of the stopping rules from epoch to epoch.
pub struct Watch<'a> {
    rules: &'a StopConfig,
    last_loss: Option<f64>,
    /// Epochs in a row whose loss stood still.
    still: usize,
    best: Option<Best>,
    /// Room for the parameters of the best epoch, until there is one.
    spare: Vec<f32>,
}

/// The best epoch.
struct Best {
    epoch: usize,
    /// Its validation loss, or the negative of its validation accuracy.
    value: f64,
    parameters: Vec<f32>,
}

impl<'a> Watch<'a> {
    /// The state at the beginning, with spare for a copy of so many parameters, if there is patience.
    ///
    /// # Errors
    /// If there is no memory for them.
    pub fn new(rules: &'a StopConfig, parameters: usize) -> Result<Watch<'a>> {
        const USE: &str = "a copy of the parameters";
        let parameters = if rules.patience.is_some() { parameters } else { 0 };
        memory::check(USE, parameters.saturating_mul(size_of::<f32>()))?;
        let spare = memory::filled(USE, 0.0, parameters)?;
        Ok(Watch { rules, last_loss: None, still: 0, best: None, spare })
    }

    /// The ending after an epoch that left these parameters, if a rule ends the training.
    pub fn after_epoch(&mut self, record: &EpochRecord, parameters: &[f32]) -> Option<Ending> {
        let loss = record.validation_loss.unwrap_or(record.train_loss);
        let accuracy = record.validation_accuracy.or(record.train_accuracy);
        // All rules look at every epoch.
        let waited = self.rules.patience.is_some_and(|rule| self.has_waited(rule, record, parameters));
        let stood = self.has_stood_still(loss);
        let endings = [
            (
                self.rules.accuracy.zip(accuracy).is_some_and(|(target, found)| found >= target),
                Ending::Accuracy,
            ),
            (self.rules.loss.is_some_and(|target| loss <= target), Ending::Loss),
            (waited, Ending::Patience),
            (stood, Ending::Tolerance),
        ];
        endings.into_iter().find(|(ended, _)| *ended).map(|(_, ending)| ending)
    }

    fn has_stood_still(&mut self, loss: f64) -> bool {
        let before = self.last_loss.replace(loss);
        let Some(rule) = self.rules.tolerance else { return false };
        let is_still = before.is_some_and(|before| (loss - before).abs() < rule.change);
        self.still = if is_still { self.still.saturating_add(1) } else { 0 };
        self.still >= rule.epochs
    }

    fn has_waited(&mut self, rule: Patience, record: &EpochRecord, parameters: &[f32]) -> bool {
        let value = match rule.watched {
            Watched::Loss => record.validation_loss,
            Watched::Accuracy => record.validation_accuracy.map(|accuracy| -accuracy),
        };
        // NaN is no improvement.
        let Some(value) = value.map(|value| if value.is_nan() { f64::INFINITY } else { value }) else {
            return false;
        };
        match &mut self.best {
            Some(best) if value >= best.value => record.epoch - best.epoch >= rule.epochs,
            Some(best) => {
                best.parameters.copy_from_slice(parameters);
                (best.epoch, best.value) = (record.epoch, value);
                false
            }
            None => {
                let mut copy = std::mem::take(&mut self.spare);
                copy.copy_from_slice(parameters);
                self.best = Some(Best { epoch: record.epoch, value, parameters: copy });
                false
            }
        }
    }

    /// The number of the best epoch and the parameters after it, if there is patience.
    pub fn best(&self) -> Option<(usize, &[f32])> {
        self.best.as_ref().map(|best| (best.epoch, &best.parameters[..]))
    }
}

impl State for Watch<'_> {
    fn visit(&mut self, archive: &mut Archive) -> Result<()> {
        archive.maybe("last_loss", &mut self.last_loss)?;
        archive.value("still", &mut self.still)?;
        let mut epoch = self.best.as_ref().map(|best| best.epoch);
        archive.value("best_epoch", &mut epoch)?;
        let has_room = epoch.is_none() || self.rules.patience.is_some();
        archive.check("best_epoch", has_room, "none without patience", epoch.unwrap_or_default())?;
        if archive.is_reading() {
            let parameters = match self.best.take() {
                Some(best) => best.parameters,
                None => std::mem::take(&mut self.spare),
            };
            match epoch {
                Some(epoch) => self.best = Some(Best { epoch, value: 0.0, parameters }),
                None => self.spare = parameters,
            }
        }
        let Some(best) = &mut self.best else { return Ok(()) };
        archive.double("best_value", &mut best.value)?;
        archive.numbers("best_parameters", &mut best.parameters)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::recipe::Tolerance;

    fn record(epoch: usize, validation: Option<[f64; 2]>, train: [f64; 2]) -> EpochRecord {
        EpochRecord {
            epoch,
            train_loss: train[0],
            train_accuracy: Some(train[1]),
            validation_loss: validation.map(|v| v[0]),
            validation_accuracy: validation.map(|v| v[1]),
            seconds: 1.0,
            samples_per_second: 1.0,
            samples: Some(1),
            positions: None,
            incomplete: false,
            learning_rate: None,
            evaluations: None,
            layers: Vec::new(),
        }
    }

    /// The epoch at which the rules end a training of these losses and accuracies, and why.
    fn ended(rules: &StopConfig, epochs: &[(Option<[f64; 2]>, [f64; 2])]) -> Option<(usize, Ending)> {
        let mut watch = Watch::new(rules, 1).unwrap();
        epochs.iter().enumerate().find_map(|(index, &(validation, train))| {
            let ending = watch.after_epoch(&record(index + 1, validation, train), &[index as f32]);
            ending.map(|ending| (index + 1, ending))
        })
    }

    #[test]
    fn targets_are_those_of_validation_if_there_is_one() {
        let accuracy = StopConfig { accuracy: Some(0.9), ..StopConfig::default() };
        let loss = StopConfig { loss: Some(0.2), ..StopConfig::default() };
        let alone = [(None, [0.5, 0.8]), (None, [0.2, 0.9])];
        assert_eq!(ended(&accuracy, &alone), Some((2, Ending::Accuracy)));
        assert_eq!(ended(&loss, &alone), Some((2, Ending::Loss)));
        let validated = alone.map(|(_, train)| (Some([0.21, 0.89]), train));
        assert_eq!((ended(&accuracy, &validated), ended(&loss, &validated)), (None, None));
        let reached = alone.map(|(_, train)| (Some([0.2, 0.9]), train));
        assert_eq!(ended(&accuracy, &reached), Some((1, Ending::Accuracy)));
        assert_eq!(ended(&loss, &reached), Some((1, Ending::Loss)));
    }

    #[test]
    fn a_loss_stands_still_for_so_many_epochs_in_a_row() {
        let rule = |epochs| StopConfig {
            tolerance: Some(Tolerance { change: 0.1, epochs }),
            ..StopConfig::default()
        };
        let losses = [1.0, 0.95, 0.5, 0.45, 0.52, 0.55].map(|loss| (None, [loss, 0.0]));
        assert_eq!(ended(&rule(1), &losses), Some((2, Ending::Tolerance)));
        assert_eq!(ended(&rule(2), &losses), Some((5, Ending::Tolerance)));
        assert_eq!(ended(&rule(3), &losses), Some((6, Ending::Tolerance)));
        assert_eq!(ended(&rule(4), &losses), None);
    }

    #[test]
    fn patience_waits_for_an_improvement_and_keeps_the_best() {
        let rule = |epochs, watched| StopConfig {
            patience: Some(Patience { epochs, watched }),
            ..StopConfig::default()
        };
        // The loss is best in the third epoch, the accuracy in the second.
        let epochs = [[0.9, 0.5], [0.8, 0.7], [0.7, 0.6], [0.7, 0.7], [0.8, 0.7]].map(|v| (Some(v), v));
        assert_eq!(ended(&rule(2, Watched::Loss), &epochs), Some((5, Ending::Patience)));
        assert_eq!(ended(&rule(2, Watched::Accuracy), &epochs), Some((4, Ending::Patience)));
        assert_eq!(ended(&rule(3, Watched::Loss), &epochs), None);
        let best = |watched| {
            let rules = rule(9, watched);
            let mut watch = Watch::new(&rules, 1).unwrap();
            for (index, &(validation, train)) in epochs.iter().enumerate() {
                assert_eq!(watch.after_epoch(&record(index + 1, validation, train), &[index as f32]), None);
            }
            watch.best().map(|(epoch, parameters)| (epoch, parameters.to_vec()))
        };
        assert_eq!(best(Watched::Loss), Some((3, vec![2.0])));
        assert_eq!(best(Watched::Accuracy), Some((2, vec![1.0])));
    }

    #[test]
    fn a_loss_that_is_not_finite_is_no_improvement() {
        let rules = StopConfig {
            patience: Some(Patience { epochs: 2, watched: Watched::Loss }),
            ..StopConfig::default()
        };
        let losses = |losses: &[f64]| {
            let epochs: Vec<_> = losses.iter().map(|&loss| (Some([loss, 0.5]), [1.0, 0.5])).collect();
            ended(&rules, &epochs).map(|(epoch, _)| epoch)
        };
        assert_eq!(losses(&[1.0, f64::NAN, f64::INFINITY]), Some(3));
        assert_eq!(losses(&[f64::NAN, 1.0, 0.5, 0.4]), None);
        assert_eq!(losses(&[f64::NAN, f64::INFINITY, f64::NAN]), Some(3));
    }

    #[test]
    fn steps_seconds_and_gradients_end_within_an_epoch() {
        let rules = |steps, seconds, gradient_norm| StopConfig {
            steps,
            seconds,
            gradient_norm,
            ..StopConfig::default()
        };
        let batch = BatchScore { gradient_norm: Some(0.5), weight: 1.0, ..BatchScore::default() };
        let now = Clock::at(std::time::Duration::ZERO);
        let after = |rules: StopConfig, steps| after_step(&rules, steps, &batch, now);
        assert_eq!(after(rules(Some(3), None, None), 2), None);
        assert_eq!(after(rules(Some(3), None, None), 3), Some(Ending::Steps));
        assert_eq!(after(rules(None, Some(1e-9), None), 1), Some(Ending::Seconds));
        assert_eq!(after(rules(None, Some(1e9), None), 1), None);
        assert_eq!(after(rules(None, None, Some(0.6)), 1), Some(Ending::GradientNorm));
        assert_eq!(after(rules(None, None, Some(0.5)), 1), None);
        let weightless = BatchScore { weight: 0.0, ..batch };
        assert_eq!(after_step(&rules(None, None, Some(0.6)), 1, &weightless, now), None);
    }
}
