//! Whether schedules fit into a run.

use super::curve::Curve;
use super::length::Length;
use super::phases::{Phase, Schedule, Schedules};

/// The error that the sum of lengths in epochs may have.
const ROUNDING: f64 = 1e-9;

/// A setting of a schedule that does not fit into a run.
#[derive(Clone, Debug, PartialEq)]
pub struct Misfit {
    /// The key within the table of the schedules, such as `sequence.0.length_epochs`.
    pub key: String,
    pub expected: String,
    pub found: String,
}

/// The length of a run against which lengths are measured: in steps where the steps of an epoch are known,
/// otherwise in epochs, and then lengths in steps count as none.
#[derive(Clone, Copy)]
struct Ruler {
    limit: f64,
    steps_per_epoch: Option<u64>,
}

impl Ruler {
    fn measure(self, length: Length) -> f64 {
        match (length, self.steps_per_epoch) {
            (Length::Epochs(epochs), None) => epochs,
            (Length::Epochs(epochs), Some(steps)) => epochs * steps as f64,
            (Length::Steps(_), None) => 0.0,
            (Length::Steps(steps), Some(_)) => steps as f64,
        }
    }

    fn text(self, amount: f64) -> String {
        format!("{amount} {}", if self.steps_per_epoch.is_some() { "steps" } else { "epochs" })
    }
}

impl Schedules {
    /// Checks that no length, milestone or warm-up reaches beyond a run of so many epochs, and that
    /// milestones rise. Without the number of steps of an epoch, lengths in steps are not checked.
    ///
    /// # Errors
    /// The first misfit.
    #[doc(hidden)]
    pub fn check(&self, epochs: usize, steps_per_epoch: Option<u64>) -> Result<(), Misfit> {
        let limit = epochs as f64 * steps_per_epoch.map_or(1.0, |steps| steps as f64);
        let ruler = Ruler { limit, steps_per_epoch };
        check(&self.learning_rate, "", ruler)?;
        for (schedule, prefix) in [(&self.momentum, "momentum."), (&self.weight_decay, "weight_decay.")] {
            if let Some(schedule) = schedule {
                check(schedule, prefix, ruler)?;
            }
        }
        Ok(())
    }
}

fn check(schedule: &Schedule, prefix: &str, ruler: Ruler) -> Result<(), Misfit> {
    let mut left = ruler.limit;
    if let Some(warmup) = &schedule.warmup {
        if ruler.measure(warmup.length) >= left {
            let expected = format!("less than the run of {}", ruler.text(left));
            return Err(misfit(prefix, "warmup", warmup.length, expected));
        }
        left -= ruler.measure(warmup.length);
    }
    let count = schedule.phases.len();
    for (index, phase) in schedule.phases.iter().enumerate() {
        let prefix = if count == 1 { prefix.to_string() } else { format!("{prefix}sequence.{index}.") };
        let mut span = left;
        if let Some(length) = phase.length {
            span = ruler.measure(length);
            if index + 1 < count && span >= left - ROUNDING {
                let expected = format!("less than {}, what is left of the run", ruler.text(left));
                return Err(misfit(&prefix, "length", length, expected));
            }
            if span > left + ROUNDING {
                let expected = format!("at most {}, what is left of the run", ruler.text(left));
                return Err(misfit(&prefix, "length", length, expected));
            }
            left -= span;
            // Of a length that cannot be measured yet only the end of the run is known.
            if ruler.steps_per_epoch.is_none() && matches!(length, Length::Steps(_)) {
                span = ruler.limit;
            }
        }
        check_curve(phase, &prefix, span, ruler)?;
    }
    Ok(())
}

fn check_curve(phase: &Phase, prefix: &str, span: f64, ruler: Ruler) -> Result<(), Misfit> {
    let whole = |key: &str, length: Length| {
        if ruler.measure(length) <= span + ROUNDING {
            return Ok(());
        }
        Err(misfit(prefix, key, length, format!("at most {}, as long as it lasts", ruler.text(span))))
    };
    match &phase.curve {
        Curve::Step { every: Some(every), .. } => whole("every", *every),
        Curve::CosineRestarts { first: Some(first), .. } => whole("first", *first),
        Curve::MultiStep { milestones, .. } => {
            for (index, &milestone) in milestones.iter().enumerate() {
                if index > 0 && amount(milestone) <= amount(milestones[index - 1]) {
                    let expected = format!("more than the milestone before, {}", text(milestones[index - 1]));
                    return Err(misfit(prefix, "milestones", milestone, expected));
                }
                if ruler.measure(milestone) >= span {
                    let expected = format!("milestones below {}, as long as it lasts", ruler.text(span));
                    return Err(misfit(prefix, "milestones", milestone, expected));
                }
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

fn misfit(prefix: &str, key: &str, length: Length, expected: String) -> Misfit {
    let unit = if matches!(length, Length::Steps(_)) { "steps" } else { "epochs" };
    Misfit { key: format!("{prefix}{key}_{unit}"), expected, found: text(length) }
}

fn amount(length: Length) -> f64 {
    match length {
        Length::Steps(steps) => steps as f64,
        Length::Epochs(epochs) => epochs,
    }
}

fn text(length: Length) -> String {
    match length {
        Length::Steps(steps) => format!("{steps} steps"),
        Length::Epochs(epochs) => format!("{epochs} epochs"),
    }
}
