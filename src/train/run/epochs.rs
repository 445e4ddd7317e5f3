//! The records of a run's epochs, in bounded memory.

use crate::Result;
use crate::checkpoint::{Archive, Bits, State};
use crate::train::record::epoch::EpochRecord;

/// The most epochs that are kept...
const MOST_EPOCHS: usize = 10_000;

/// ...and the most norms of layers in them.
const MOST_NORMS: usize = 100_000;

/// All epochs of a run, until they are too many: then the first, every second after it, the best and the
/// last; then every fourth, and so on.
pub(in crate::train) struct Epochs {
    kept: Vec<EpochRecord>,
    most: usize,
    every: usize,
}

impl Epochs {
    pub fn new() -> Epochs {
        Epochs::of(MOST_EPOCHS)
    }

    fn of(most: usize) -> Epochs {
        Epochs { kept: Vec::new(), most, every: 1 }
    }

    /// Adds the next epoch; `best` is the number of the best one, if one is better than others.
    pub fn add(&mut self, record: EpochRecord, best: Option<usize>) {
        let most = self.most.min(MOST_NORMS / record.layers.len().max(1)).max(2);
        // A record that was kept only for being the last makes room.
        if self.kept.last().is_some_and(|last| !self.is_kept(last, best)) {
            self.kept.pop();
        }
        self.kept.push(record);
        if self.kept.len() > most {
            self.every *= 2;
            let (every, last) = (self.every, self.last().map_or(0, |last| last.epoch));
            self.kept.retain(|record| {
                Self::is_nth(record, every) || [best, Some(last)].contains(&Some(record.epoch))
            });
        }
    }

    fn is_kept(&self, record: &EpochRecord, best: Option<usize>) -> bool {
        Self::is_nth(record, self.every) || best == Some(record.epoch)
    }

    fn is_nth(record: &EpochRecord, every: usize) -> bool {
        (record.epoch - 1).is_multiple_of(every)
    }

    pub fn last(&self) -> Option<&EpochRecord> {
        self.kept.last()
    }

    /// The records that are kept, and the distance between them if some are not.
    pub fn into_parts(self) -> (Vec<EpochRecord>, Option<usize>) {
        (self.kept, (self.every > 1).then_some(self.every))
    }
}

impl State for Epochs {
    fn visit(&mut self, archive: &mut Archive) -> Result<()> {
        // There is nothing here but values, and nothing need be copied for them once they are noted.
        if archive.is_writing() {
            return Ok(());
        }
        archive.value("every", &mut self.every)?;
        // JSON knows no infinity. Only the loss of validation may be infinite, or a rate of steps that took no time.
        let mut losses: Vec<_> = self.kept.iter().map(|record| record.validation_loss.map(Bits)).collect();
        archive.value("validation_losses", &mut losses)?;
        let finite = |number: f64| if number.is_finite() { number } else { 0.0 };
        let plain = |record: &EpochRecord| EpochRecord {
            validation_loss: None,
            samples_per_second: finite(record.samples_per_second),
            ..record.clone()
        };
        let mut plain: Vec<EpochRecord> = self.kept.iter().map(plain).collect();
        archive.value("records", &mut plain)?;
        if archive.is_reading() {
            let is_first = plain.first().is_none_or(|first| first.epoch > 0);
            let is_sorted = is_first && plain.is_sorted_by_key(|record| record.epoch);
            archive.check("every", self.every.is_power_of_two(), "a power of 2", self.every)?;
            archive.check("records", is_sorted, "epochs from 1 on, in their order", "others")?;
            let is_complete = losses.len() == plain.len();
            archive.check("validation_losses", is_complete, "one for each record", losses.len())?;
            self.kept = plain;
            for (record, loss) in self.kept.iter_mut().zip(losses) {
                record.validation_loss = loss.map(|loss| loss.0);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::LayerNorms;

    fn record(epoch: usize, layers: usize) -> EpochRecord {
        let norms = LayerNorms { layer: "0".into(), gradient: 1.0, update: 1.0, parameters: 1.0 };
        EpochRecord {
            epoch,
            train_loss: 1.0,
            train_accuracy: Some(0.5),
            validation_loss: None,
            validation_accuracy: None,
            seconds: 1.0,
            samples_per_second: 1.0,
            samples: Some(1),
            positions: None,
            incomplete: false,
            learning_rate: None,
            evaluations: None,
            layers: vec![norms; layers],
        }
    }

    fn kept(most: usize, count: usize, best: Option<usize>) -> (Vec<usize>, Option<usize>) {
        let mut epochs = Epochs::of(most);
        for epoch in 1..=count {
            epochs.add(record(epoch, 0), best.filter(|&best| best <= epoch));
            assert!(epochs.kept.len() <= most);
            assert_eq!(epochs.last().unwrap().epoch, epoch);
        }
        let (records, every) = epochs.into_parts();
        (records.into_iter().map(|record| record.epoch).collect(), every)
    }

    #[test]
    fn a_long_run_keeps_its_ends_its_best_and_every_so_many() {
        assert_eq!(kept(8, 8, None), ((1..=8).collect(), None));
        assert_eq!(kept(8, 9, None), (vec![1, 3, 5, 7, 9], Some(2)));
        assert_eq!(kept(8, 10, None), (vec![1, 3, 5, 7, 9, 10], Some(2)));
        assert_eq!(kept(8, 20, None), (vec![1, 5, 9, 13, 17, 20], Some(4)));
        assert_eq!(kept(8, 20, Some(4)), (vec![1, 4, 5, 9, 13, 17, 20], Some(4)));
        assert_eq!(kept(8, 20, Some(20)).0, [1, 5, 9, 13, 17, 20]);
        let (records, every) = kept(MOST_EPOCHS, 1_000_000, None);
        assert!(records.len() > MOST_EPOCHS / 2 && every == Some(128), "{} {every:?}", records.len());
    }

    /// Norms are most of a record of a deep network.
    #[test]
    fn deep_networks_keep_fewer_epochs() {
        let mut epochs = Epochs::new();
        (1..=500).for_each(|epoch| epochs.add(record(epoch, MOST_NORMS / 100), None));
        let (records, every) = epochs.into_parts();
        assert!(records.len() <= 100 && every == Some(8), "{} {every:?}", records.len());
    }
}
