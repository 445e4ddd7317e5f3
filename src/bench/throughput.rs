//! Training throughput: the very code that `train` runs, for a time or a number of steps.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use super::peak;
use crate::Result;
use crate::data::Samples;
use crate::model::{Model, Recipe};
use crate::probe::{Probes, Table};
use crate::team::{Team, clock};
use crate::train::{Observer, Session};

/// How long the peak is measured before each run...
const PEAK_TIME: Duration = Duration::from_millis(5);

/// ...and how often: the best counts, so that what the host takes away now and then does not.
const PEAK_TRIES: usize = 3;

/// One run of a case.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample {
    pub samples_per_second: f64,
    /// The fraction of the multiply-add peak measured just before, on as many threads.
    pub fraction_of_peak: f64,
}

/// A network being trained for its speed alone.
pub struct Case<'a> {
    session: Session<'a>,
    team: &'a Team,
    flops_per_sample: f64,
}

/// Ends training after the step that reaches a limit.
struct Until<'a> {
    stop: &'a AtomicBool,
    time: Option<Instant>,
    steps: u64,
}

impl Until<'_> {
    fn is_reached(&self) -> bool {
        self.stop.load(Relaxed)
    }
}

impl Observer for Until<'_> {
    fn step(&mut self, _step: u64, _loss: f64) {
        self.steps = self.steps.saturating_sub(1);
        if self.steps == 0 || self.time.is_some_and(|time| Instant::now() >= time) {
            self.stop.store(true, Relaxed);
        }
    }
}

/// The multiply-add peak as it is measured before each run.
pub fn peak_of(team: &Team) -> f64 {
    (0..PEAK_TRIES).map(|_| peak::flops_per_second(team, PEAK_TIME)).fold(0.0, f64::max)
}

impl<'a> Case<'a> {
    /// Prepares a case; its first run should not be counted.
    ///
    /// # Errors
    /// Those of [`Session::new`].
    pub fn new(
        model: &'a mut Model,
        samples: &'a Samples,
        recipe: &'a Recipe,
        team: &'a Team,
    ) -> Result<Self> {
        let flops_per_sample = model.train_flops_per_sample_with(&model.frozen(recipe)?);
        Ok(Case { session: Session::new(model, samples, recipe, team)?, team, flops_per_sample })
    }

    /// Bytes that the updates of a step read and write.
    pub fn update_bytes(&self) -> usize {
        self.session.update_bytes()
    }

    /// Measures the peak, then trains for this time, at least one step, over as many epochs as that
    /// takes.
    ///
    /// # Errors
    /// Those of [`Session::epoch`].
    pub fn run(&mut self, time: Duration) -> Result<Sample> {
        let peak = peak_of(self.team);
        let (samples, seconds) = self.train(Some(time), u64::MAX, None)?;
        let samples_per_second = samples / seconds;
        Ok(Sample { samples_per_second, fraction_of_peak: samples_per_second * self.flops_per_sample / peak })
    }

    /// Trains for this many steps, at least one; returns how long they took.
    ///
    /// # Errors
    /// Those of [`Session::epoch`].
    pub fn steps(&mut self, steps: u64) -> Result<Duration> {
        let (_, seconds) = self.train(None, steps, None)?;
        Ok(Duration::from_secs_f64(seconds))
    }

    /// The part of their time that the workers wait at barriers while training for `time`.
    ///
    /// # Errors
    /// Those of [`Session::epoch`].
    pub fn waiting(&mut self, time: Duration) -> Result<f64> {
        let mut probes = Probes::new(clock::ticks);
        self.train(Some(time), u64::MAX, Some(&mut probes))?;
        let sum = |of: fn(&Table) -> u64| probes.tables.iter().map(of).sum::<u64>() as f64;
        let all = sum(|table| table.ticks_seen.iter().sum());
        Ok(if all > 0.0 { sum(Table::waiting) / all } else { 0.0 })
    }

    /// Trains for one epoch with probes on: one table a worker.
    ///
    /// # Errors
    /// Those of [`Session::epoch`].
    pub fn probed_epoch(&mut self) -> Result<Vec<Table>> {
        let mut probes = Probes::new(clock::ticks);
        let stop = AtomicBool::new(false);
        let mut never = Until { stop: &stop, time: None, steps: u64::MAX };
        self.session.probed_epoch(&stop, &mut never, Some(&mut probes))?;
        Ok(probes.tables)
    }

    /// Trains until a limit; returns the samples trained on and the seconds taken.
    fn train(
        &mut self,
        time: Option<Duration>,
        steps: u64,
        mut probes: Option<&mut Probes>,
    ) -> Result<(f64, f64)> {
        let stop = AtomicBool::new(false);
        let time = time.map(|time| Instant::now() + time);
        let mut until = Until { stop: &stop, time, steps: steps.max(1) };
        let (mut samples, mut seconds) = (0.0, 0.0);
        while !until.is_reached() {
            let record = self.session.probed_epoch(&stop, &mut until, probes.as_deref_mut())?;
            samples += record.samples_per_second * record.seconds;
            seconds += record.seconds;
        }
        Ok((samples, seconds))
    }
}
