//! Training throughput: the very code that `train` runs, timed epoch by epoch.

use std::sync::atomic::AtomicBool;
use std::time::Duration;

use super::peak;
use crate::Result;
use crate::data::DataSet;
use crate::model::{Model, Recipe};
use crate::probe::Table;
use crate::team::Team;
use crate::train::{Observer, Session};

/// How long the peak is measured before each epoch.
const PEAK_TIME: Duration = Duration::from_millis(10);

/// One epoch of a case.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample {
    pub samples_per_second: f64,
    /// Of the multiply-add peak measured just before.
    pub fraction_of_peak: f64,
}

/// A network being trained for its speed alone.
pub struct Case<'a> {
    session: Session<'a>,
    team: &'a Team,
    flops_per_sample: f64,
}

struct Unobserved;
impl Observer for Unobserved {}

impl<'a> Case<'a> {
    /// Prepares a case; the first epoch should not be counted.
    ///
    /// # Errors
    /// As [`Session::new`].
    pub fn new(model: &'a mut Model, data: &'a DataSet, recipe: &'a Recipe, team: &'a Team) -> Result<Self> {
        let flops_per_sample = model.train_flops_per_sample();
        Ok(Case { session: Session::new(model, &data.train, recipe, team)?, team, flops_per_sample })
    }

    /// Trains for one epoch.
    ///
    /// # Errors
    /// As [`Session::epoch`].
    pub fn epoch(&mut self) -> Result<Sample> {
        let peak = peak::flops_per_second(self.team, PEAK_TIME);
        let record = self.session.epoch(&AtomicBool::new(false), &mut Unobserved)?;
        let samples_per_second = record.samples_per_second;
        Ok(Sample { samples_per_second, fraction_of_peak: samples_per_second * self.flops_per_sample / peak })
    }

    /// Trains for one epoch with probes on: one table a worker.
    ///
    /// # Errors
    /// As [`Session::epoch`].
    pub fn probed_epoch(&mut self) -> Result<Vec<Table>> {
        let mut tables = Vec::new();
        self.session.probed_epoch(&AtomicBool::new(false), &mut Unobserved, Some(&mut tables))?;
        Ok(tables)
    }
}
