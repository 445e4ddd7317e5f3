//! The state of an epoch under way.

use std::time::{Duration, Instant};

use crate::Result;
use crate::checkpoint::{Archive, State};
use crate::model::recipe::StopConfig;
use crate::train::observer::Observer;
use crate::train::record::Ending;
use crate::train::record::epoch::{EpochRecord, Progress};
use crate::train::session::clock::{self, Clock};
use crate::train::session::stop::after_step;
use crate::train::step::BatchScore;
use crate::train::step::averages::Due;

/// How often an observer hears of progress within an epoch.
pub(super) const PROGRESS: Duration = Duration::from_millis(100);

/// An epoch that has begun and is not over.
#[derive(Clone, Copy, Debug)]
pub(super) struct UnderWay {
    /// Steps of it that are done.
    pub steps: u64,
    /// The sum of their scores.
    pub score: BatchScore,
    /// The time that they took.
    pub spent: Duration,
    /// The averages that are due in it.
    pub due: Due,
    /// When an observer last heard of its progress: pauses do not put that off.
    pub told: Instant,
}

impl UnderWay {
    /// An epoch of which nothing is done.
    pub fn new(due: Due) -> UnderWay {
        let told = Instant::now();
        UnderWay { steps: 0, score: BatchScore::default(), spent: Duration::ZERO, due, told }
    }
}

/// The averages follow from elsewhere.
impl State for UnderWay {
    fn visit(&mut self, archive: &mut Archive) -> Result<()> {
        archive.value("steps", &mut self.steps)?;
        archive.state("score", &mut self.score)?;
        let mut spent = Some(self.spent);
        clock::visit(archive, "spent", &mut spent)?;
        self.spent = spent.unwrap_or_default();
        Ok(())
    }
}

/// When a training is to pause between two steps, so that its state can be saved: where nothing is set, never.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::train) struct Pause {
    /// After each multiple of so many steps.
    pub every: Option<u64>,
    /// After a step at about this time, or later.
    pub at: Option<Instant>,
}

/// The state of an epoch that worker 0 keeps.
pub(super) struct Live<'a> {
    pub score: BatchScore,
    pub steps: u64,
    /// The score of the run's very first batch, if it is in this epoch.
    pub first: Option<BatchScore>,
    pub diverged: Option<Diverged>,
    pub ended: Option<Ending>,
    pub observer: &'a mut (dyn Observer + Send),
    pub told: Instant,
    pub pause: Pause,
    /// Whether it is to pause.
    pub pauses: bool,
}

/// The number that is not finite.
pub(super) enum Diverged {
    Loss(f64),
    Gradient(f64),
}

/// The facts that do not change during an epoch.
pub(super) struct About<'a> {
    pub epoch: usize,
    pub epochs: usize,
    pub of: usize,
    /// The time of this epoch, and of the run.
    pub clock: Clock,
    pub run_clock: Clock,
    pub stop_rules: &'a StopConfig,
}

impl Live<'_> {
    /// Adds a batch's score; returns whether to go on.
    pub fn add(&mut self, batch: BatchScore, about: &About) -> bool {
        self.steps += 1;
        if self.steps == 1 {
            self.first = Some(batch);
        }
        self.score.loss_sum += batch.loss_sum;
        self.score.weight += batch.weight;
        self.score.correct = match (self.score.correct, batch.correct) {
            (Some(before), Some(more)) => Some(before + more),
            (before, more) => before.or(more),
        };
        self.score.judged += batch.judged;
        self.score.samples += batch.samples;
        let loss = batch.mean_loss();
        if !loss.is_finite() {
            self.diverged = Some(Diverged::Loss(loss));
        } else if let Some(norm) = batch.gradient_norm.filter(|norm| !norm.is_finite()) {
            self.diverged = Some(Diverged::Gradient(norm));
        }
        self.ended = after_step(about.stop_rules, self.steps, &batch, about.run_clock);
        self.observer.step(self.steps, loss);
        self.pauses = self.pause.every.is_some_and(|steps| self.steps.is_multiple_of(steps));
        if self.told.elapsed() > PROGRESS {
            self.told = Instant::now();
            self.pauses |= self.pause.at.is_some_and(|at| self.told >= at);
            self.observer.progress(&about.progress(&self.score));
        }
        self.diverged.is_none() && self.ended.is_none()
    }
}

impl About<'_> {
    pub fn progress(&self, score: &BatchScore) -> Progress {
        let samples = score.samples as f64;
        Progress {
            epoch: self.epoch,
            epochs: self.epochs,
            samples: score.samples,
            of: self.of,
            loss: score.mean_loss(),
            accuracy: score.accuracy(),
            samples_per_second: samples / self.clock.seconds(),
        }
    }

    pub fn record(&self, score: &BatchScore, learning_rate: f64) -> EpochRecord {
        let samples = score.samples as f64;
        let seconds = self.clock.seconds();
        EpochRecord {
            epoch: self.epoch,
            train_loss: score.mean_loss(),
            train_accuracy: score.accuracy(),
            validation_loss: None,
            validation_accuracy: None,
            seconds,
            samples_per_second: samples / seconds,
            samples: Some(score.samples),
            positions: (score.judged > score.samples).then_some(score.judged),
            incomplete: score.samples < self.of,
            learning_rate: Some(learning_rate),
            evaluations: None,
            layers: Vec::new(),
        }
    }
}
