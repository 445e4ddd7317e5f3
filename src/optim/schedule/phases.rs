//! Schedules, and their phases.

use super::curve::Curve;
use super::length::{Length, Span};
use super::plateau::Plateau;
use crate::optim::rule::StepSettings;

/// A linear rise, from `factor` times the first value of the first phase to all of it, before that phase.
///
/// In step t of it, from 0: `factor + (1 - factor) · t / length`, as `torch.optim.lr_scheduler.LinearLR`
/// at the head of a `SequentialLR`; Goyal et al.: Accurate, large minibatch SGD (2017).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Warmup {
    pub length: Length,
    /// The factor of its first step, in [0, 1].
    pub factor: f64,
}

/// A curve and its length.
#[derive(Clone, Debug, PartialEq)]
pub struct Phase {
    pub curve: Curve,
    /// The factor of the curve; in [0, 1].
    pub scale: f64,
    /// The length; until the end of the run without it. Curves with an end keep their last value after it.
    pub length: Option<Length>,
}

/// The course of one factor over a run: a warm-up, then phases one after the other, each counting
/// its steps from 0, as `torch.optim.lr_scheduler.SequentialLR`.
#[derive(Clone, Debug, PartialEq)]
pub struct Schedule {
    pub warmup: Option<Warmup>,
    /// The phases in order; all but the last have a length.
    pub phases: Vec<Phase>,
}

impl Schedule {
    /// The schedule with the factor 1 in every step.
    pub fn constant() -> Schedule {
        Schedule::of(Curve::Constant)
    }

    /// The schedule of this curve over the whole run.
    pub fn of(curve: Curve) -> Schedule {
        Schedule { warmup: None, phases: vec![Phase { curve, scale: 1.0, length: None }] }
    }

    /// The factor of a step, counted from 1, in a run of this length; in [0, 1]. Steps after the end
    /// of the run keep its last value.
    pub fn factor(&self, step: u64, run: Span) -> f64 {
        let at = self.find(step, run);
        let factor = at.phase.map_or(1.0, |phase| phase.scale * phase.curve.factor(at.step, at.span));
        at.warmth * factor
    }

    /// The momentum of a step, counted from 1, in place of the optimizer's, if a one-cycle schedule sets it
    /// then.
    pub fn momentum(&self, step: u64, run: Span) -> Option<f64> {
        let at = self.find(step, run);
        match at.phase.map(|phase| &phase.curve) {
            Some(Curve::OneCycle(cycle)) => cycle.momentum_at(at.step, at.span.steps),
            _ => None,
        }
    }

    /// The plateau, if this schedule is one.
    pub fn plateau(&self) -> Option<Plateau> {
        self.phases.iter().find_map(|phase| match phase.curve {
            Curve::Plateau(plateau) => Some(plateau),
            _ => None,
        })
    }

    /// Whether some phase sets the momentum too.
    pub fn has_momentum(&self) -> bool {
        let cycles =
            |phase: &Phase| matches!(&phase.curve, Curve::OneCycle(cycle) if cycle.momentum.is_some());
        self.phases.iter().any(cycles)
    }

    /// The name of the schedule, or those of its phases in their order.
    pub fn name(&self) -> String {
        let names: Vec<_> = self.phases.iter().map(|phase| phase.curve.name()).collect();
        names.join(", then ")
    }

    fn find(&self, step: u64, run: Span) -> Place<'_> {
        let Span { steps: mut left, steps_per_epoch } = run;
        let mut step = step.saturating_sub(1);
        let mut warmth = 1.0;
        if let Some(warmup) = &self.warmup {
            let length = warmup.length.steps(steps_per_epoch);
            if step < length {
                warmth = warmup.factor + (1.0 - warmup.factor) * step as f64 / length as f64;
            }
            step = step.saturating_sub(length);
            left = left.saturating_sub(length);
        }
        for (index, phase) in self.phases.iter().enumerate() {
            let steps = phase.length.map_or(left, |length| length.steps(steps_per_epoch)).max(1);
            if step < steps || index + 1 == self.phases.len() {
                return Place { phase: Some(phase), step, span: Span { steps, steps_per_epoch }, warmth };
            }
            step -= steps;
            left = left.saturating_sub(steps);
        }
        Place { phase: None, step, span: run, warmth }
    }
}

/// The place of a step in a schedule.
pub(super) struct Place<'a> {
    /// The phase; None only in a schedule without any.
    phase: Option<&'a Phase>,
    /// The step of the phase, from 0.
    step: u64,
    /// The span of the phase.
    span: Span,
    /// The factor of the warm-up; 1 after it.
    warmth: f64,
}

/// The schedules of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct Schedules {
    pub learning_rate: Schedule,
    /// The schedule of the rule's own momentum, or β₁; not beside a one-cycle schedule that sets it.
    pub momentum: Option<Schedule>,
    /// The schedule of the rule's own weight decay.
    pub weight_decay: Option<Schedule>,
}

impl Schedules {
    /// Schedules by which nothing changes.
    pub fn constant() -> Schedules {
        Schedules { learning_rate: Schedule::constant(), momentum: None, weight_decay: None }
    }

    /// Whether the rule must take a momentum.
    pub fn needs_momentum(&self) -> bool {
        self.momentum.is_some() || self.learning_rate.has_momentum()
    }

    /// The settings of a step, counted from 1. `learning_rate` and `momentum` are the optimizer's, the
    /// rate already lowered by a plateau.
    pub fn settings(&self, step: u64, run: Span, learning_rate: f64, momentum: Option<f64>) -> StepSettings {
        let factor = |schedule: &Schedule| schedule.factor(step, run);
        let cycled = self.learning_rate.momentum(step, run);
        StepSettings {
            step,
            learning_rate: learning_rate * factor(&self.learning_rate),
            momentum: cycled.or_else(|| Some(momentum? * factor(self.momentum.as_ref()?))),
            decay: self.weight_decay.as_ref().map_or(1.0, factor),
        }
    }
}
