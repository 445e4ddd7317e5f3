//! The `[train]` table: how long, and in what steps.

use toml::{Table, Value};

use super::limits::{MOST_EPOCHS, MOST_SAMPLES};
use super::values::{integer, table_of};
use crate::error::Result;
use crate::model::section::{Section, shortened};

/// The batch that recipes call "all": more samples than any data set has.
pub const ALL_SAMPLES: usize = usize::MAX;
/// The batch where a recipe says none, unless its rule is for the full batch.
pub(super) const BATCH: usize = 64;
/// Passes over the samples where a recipe says nothing.
pub(super) const EPOCHS: usize = 10;

/// The most names of layers that are frozen.
const MOST_FROZEN: usize = 1024;

/// How long, in what steps, and from which seed.
#[derive(Clone, Debug, PartialEq)]
pub struct TrainConfig {
    /// Passes over the training samples; at least 1.
    pub epochs: usize,
    /// Samples of a step; at least 1, and more than there are, as [`ALL_SAMPLES`], means all of them.
    pub batch: usize,
    /// Batches whose gradients make one step: it is the step of a batch of so many times the size, in
    /// the memory of one; at least 1.
    pub accumulate: usize,
    /// The seed of initial weights and of the order of samples.
    pub seed: u64,
    /// Whether each epoch takes the samples in a new order.
    pub shuffle: bool,
    /// Whether samples of about the same length are put into the same batch.
    pub buckets: bool,
    /// Steps of an epoch, which takes the first samples of its order then; those of all samples without it. At least 1.
    pub steps_per_epoch: Option<usize>,
    /// Whether each row of a batch goes on with the states of recurrent layers where that row of the batch before has ended:
    /// of samples that are consecutive parts of a stream, in their order.
    pub carry_state: bool,
    /// The layers whose parameters stay as they are, by the names of their modules; ranges of numbers with both ends such as
    /// `0..3`, or `all-but-last`, the [layers with parameters but the last](crate::model::ALL_BUT_LAST).
    pub freeze: Vec<String>,
}

impl TrainConfig {
    /// Whether a step takes all samples, however many there are.
    pub fn takes_all(&self) -> bool {
        self.batch == ALL_SAMPLES
    }

    /// The samples of an epoch, of so many that are trained on.
    pub fn samples_of_epoch(&self, all: usize) -> usize {
        let batch = self.batch.min(all).saturating_mul(self.accumulate.max(1));
        if self.carry_state {
            // Rows of the same length.
            return all / batch.max(1) * batch;
        }
        let Some(steps) = self.steps_per_epoch else { return all };
        steps.saturating_mul(batch).min(all)
    }

    pub(super) fn read(mut section: Section, full_batch: bool) -> Result<TrainConfig> {
        let carry_state = section.boolean("carry_state", false)?;
        let config = TrainConfig {
            epochs: section.integer("epochs", EPOCHS, 1, MOST_EPOCHS)?,
            batch: read_batch(&mut section, if full_batch { ALL_SAMPLES } else { BATCH })?,
            accumulate: section.integer("accumulate", 1, 1, MOST_SAMPLES)?,
            seed: section.seed("seed", 1)?,
            shuffle: section.boolean("shuffle", !carry_state)?,
            buckets: section.boolean("buckets", false)?,
            steps_per_epoch: section.optional_integer("steps_per_epoch", 1, MOST_SAMPLES)?,
            carry_state,
            freeze: section.texts("freeze", MOST_FROZEN)?,
        };
        section.finish()?;
        Ok(config)
    }

    /// The table, every value written out.
    pub(super) fn table(&self) -> Table {
        let mut table = table_of([
            ("epochs", integer(self.epochs as u64)),
            ("batch", if self.takes_all() { "all".into() } else { integer(self.batch as u64) }),
            ("accumulate", integer(self.accumulate as u64)),
            ("seed", integer(self.seed)),
            ("shuffle", self.shuffle.into()),
            ("carry_state", self.carry_state.into()),
        ]);
        if self.buckets {
            table.insert("buckets".into(), true.into());
        }
        if let Some(steps) = self.steps_per_epoch {
            table.insert("steps_per_epoch".into(), integer(steps as u64));
        }
        if !self.freeze.is_empty() {
            let names: Vec<Value> = self.freeze.iter().map(|name| name.as_str().into()).collect();
            table.insert("freeze".into(), names.into());
        }
        table
    }
}

/// A count, or "all".
fn read_batch(section: &mut Section, default: usize) -> Result<usize> {
    if section.has("batch") && !section.is_integer("batch") {
        let expected = format!("an integer from 1 to {MOST_SAMPLES}, or \"all\"");
        return match section.text("batch", &expected)?.as_str() {
            "all" => Ok(ALL_SAMPLES),
            other => Err(section.setting("batch", &expected, &format!("the text \"{}\"", shortened(other)))),
        };
    }
    section.integer("batch", default, 1, MOST_SAMPLES)
}
