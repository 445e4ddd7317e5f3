//! The `[schedule]` table: how the learning rate, the momentum and the weight decay change.
//!
//! One schedule is a `name` and its parameters; several in sequence are `[[schedule.sequence]]`
//! tables. Schedules of the momentum and the weight decay are the tables `[schedule.momentum]` and
//! `[schedule.weight_decay]` of the same form.

mod write;

pub use write::to_table;

use super::super::section::{
    Section, at_least_one, non_negative, positive, unit, unit_inner, unit_open, unit_positive,
};
use super::limits::{MOST_EPOCHS, MOST_STEPS};
use super::optimizer::Optimizer;
use crate::error::Result;
use crate::hyper::HyperValue;
use crate::optim::schedule::{Anneal, Curve, Length, OneCycle, Phase, Plateau, Schedule, Schedules, Warmup};

/// The schedules that a recipe may name.
pub const SCHEDULES: [&str; 11] = [
    "constant",
    "step",
    "multi-step",
    "exponential",
    "inverse-time",
    "polynomial",
    "linear",
    "cosine",
    "cosine-restarts",
    "one-cycle",
    "plateau",
];

/// Those of them that the momentum and the weight decay may have: all but the last two.
const FACTORS: &[&str] = SCHEDULES.split_at(9).0;

/// The most phases of a sequence.
const MOST_PHASES: usize = 100;
/// The most milestones of a phase.
const MOST_MILESTONES: usize = 1000;

/// What a step multiplies by, as in PyTorch.
const GAMMA: f64 = 0.1;
/// The part of the rate that a warm-up starts with, as in torchvision's reference training.
const WARMUP_FACTOR: f64 = 0.01;

/// The `[schedule]` table of a run of so many epochs.
pub(super) fn read(mut section: Section, optimizer: &Optimizer, epochs: usize) -> Result<Schedules> {
    let schedules = Schedules {
        learning_rate: read_schedule(&mut section, &SCHEDULES, optimizer)?,
        momentum: read_factor(&mut section, "momentum", optimizer)?,
        weight_decay: read_factor(&mut section, "weight_decay", optimizer)?,
    };
    if schedules.momentum.is_some() && optimizer.rule().momentum().is_none() {
        let expected =
            format!("none with the optimizer `{}`, which has no momentum for it", optimizer.name());
        return Err(section.setting("momentum", &expected, "one"));
    }
    if schedules.momentum.is_some() && schedules.learning_rate.has_momentum() {
        let expected = "none beside a one-cycle schedule, unless that has `cycle_momentum = false`";
        return Err(section.setting("momentum", expected, "one"));
    }
    if schedules.weight_decay.is_some() && weight_decay(optimizer) == 0.0 {
        let expected = "none without an `optimizer.weight_decay` above 0";
        return Err(section.setting("weight_decay", expected, "one"));
    }
    if let Err(misfit) = schedules.check(epochs, None) {
        return Err(section.setting(&misfit.key, &misfit.expected, &misfit.found));
    }
    section.finish()?;
    Ok(schedules)
}

fn weight_decay(optimizer: &Optimizer) -> f64 {
    match optimizer.values().get("weight_decay") {
        Some(HyperValue::Number(decay)) => *decay,
        _ => 0.0,
    }
}

/// The table of a factor, if it is there.
fn read_factor(section: &mut Section, key: &'static str, optimizer: &Optimizer) -> Result<Option<Schedule>> {
    let is_there = section.has(key);
    let mut table = section.table(key)?;
    if !is_there {
        return Ok(None);
    }
    let schedule = read_schedule(&mut table, FACTORS, optimizer)?;
    table.finish()?;
    Ok(Some(schedule))
}

fn read_schedule(section: &mut Section, names: &[&'static str], optimizer: &Optimizer) -> Result<Schedule> {
    let length = read_length(section, "warmup_epochs", "warmup_steps")?;
    let factor = section.optional_number("warmup_factor", unit())?;
    if length.is_none() && factor.is_some() {
        let expected = "`warmup_epochs` or `warmup_steps` beside it";
        return Err(section.setting("warmup_factor", expected, "neither"));
    }
    let warmup = length.map(|length| Warmup { length, factor: factor.unwrap_or(WARMUP_FACTOR) });
    let sequence = section.tables("sequence", MOST_PHASES)?;
    if sequence.is_empty() {
        let name = section.choice("name", "schedule", Some("constant"), names)?;
        return Ok(Schedule { warmup, phases: vec![read_phase(section, name, true, optimizer)?] });
    }
    if section.has("name") {
        return Err(section.setting("name", "none beside [[schedule.sequence]]", "one"));
    }
    let count = sequence.len();
    let phases = sequence.into_iter().enumerate().map(|(index, mut section)| {
        let name = section.choice("name", "schedule", None, names)?;
        if name == "plateau" {
            return Err(section.setting("name", "a schedule that can stand in a sequence", "plateau"));
        }
        let phase = read_phase(&mut section, name, index + 1 == count, optimizer)?;
        section.finish()?;
        Ok(phase)
    });
    Ok(Schedule { warmup, phases: phases.collect::<Result<_>>()? })
}

/// The phase of this schedule; the last one needs no length.
fn read_phase(section: &mut Section, name: &str, is_last: bool, optimizer: &Optimizer) -> Result<Phase> {
    let curve = read_curve(section, name, optimizer)?;
    let scale = section.number("scale", 1.0, unit())?;
    let mut length = None;
    if !is_last || curve.has_end() {
        length = read_length(section, "length_epochs", "length_steps")?;
    }
    if !is_last && length.is_none() {
        let expected = "a length, or `length_steps`, of all but the last of the sequence";
        return Err(section.setting("length_epochs", expected, "nothing"));
    }
    Ok(Phase { curve, scale, length })
}

fn read_curve(section: &mut Section, name: &str, optimizer: &Optimizer) -> Result<Curve> {
    Ok(match name {
        "step" => {
            let every = read_length(section, "every_epochs", "every_steps")?;
            Curve::Step { every, gamma: section.number("gamma", GAMMA, unit_positive())? }
        }
        "multi-step" => {
            let milestones = read_milestones(section)?;
            Curve::MultiStep { milestones, gamma: section.number("gamma", GAMMA, unit_positive())? }
        }
        "exponential" => {
            let every = read_length(section, "every_epochs", "every_steps")?;
            let gamma = section.optional_number("gamma", unit_positive())?;
            if every.is_some() && gamma.is_none() {
                return Err(section.setting("gamma", "a number above 0 and at most 1", "nothing"));
            }
            Curve::Exponential { every: every.unwrap_or(Length::Epochs(1.0)), gamma }
        }
        "inverse-time" => {
            let every = read_length(section, "every_epochs", "every_steps")?.unwrap_or(Length::Epochs(1.0));
            Curve::InverseTime { every, rate: section.number("rate", 1.0, non_negative())? }
        }
        "polynomial" => Curve::Polynomial {
            power: section.number("power", 1.0, positive())?,
            end_factor: section.number("end_factor", 0.0, unit())?,
        },
        "linear" => Curve::Linear {
            start_factor: section.number("start_factor", 1.0, unit())?,
            end_factor: section.number("end_factor", 0.0, unit())?,
        },
        "cosine" => Curve::Cosine { end_factor: section.number("end_factor", 0.0, unit())? },
        "cosine-restarts" => Curve::CosineRestarts {
            first: read_length(section, "first_epochs", "first_steps")?,
            // At most 1000, so it fits.
            multiplier: section.integer("multiplier", 1, 1, 1000)? as u32,
            end_factor: section.number("end_factor", 0.0, unit())?,
        },
        "one-cycle" => Curve::OneCycle(read_one_cycle(section, optimizer)?),
        "plateau" => Curve::Plateau(read_plateau(section)?),
        _ => Curve::Constant,
    })
}

fn read_one_cycle(section: &mut Section, optimizer: &Optimizer) -> Result<OneCycle> {
    let default = OneCycle::default();
    let three_phase = section.boolean("three_phase", default.three_phase)?;
    let pct_start = section.number("pct_start", default.pct_start, unit())?;
    if three_phase && pct_start > 0.5 {
        let expected = "a number of at most 0.5 with `three_phase = true`";
        return Err(section.setting("pct_start", expected, &pct_start.to_string()));
    }
    let anneal = match section.choice("anneal", "way to anneal", Some("cos"), &["cos", "linear"])? {
        "linear" => Anneal::Linear,
        _ => Anneal::Cos,
    };
    Ok(OneCycle {
        pct_start,
        div_factor: section.number("div_factor", default.div_factor, at_least_one())?,
        final_div_factor: section.number("final_div_factor", default.final_div_factor, at_least_one())?,
        anneal,
        three_phase,
        momentum: read_cycled_momentum(section, optimizer)?,
    })
}

/// The lowest and the highest momentum, or None if it stays as it is.
fn read_cycled_momentum(section: &mut Section, optimizer: &Optimizer) -> Result<Option<[f64; 2]>> {
    let can_cycle = optimizer.rule().momentum().is_some();
    let cycles = section.boolean("cycle_momentum", can_cycle)?;
    if cycles && !can_cycle {
        let expected =
            format!("false with the optimizer `{}`, which has no momentum for it", optimizer.name());
        return Err(section.setting("cycle_momentum", &expected, "true"));
    }
    if !cycles {
        for key in ["base_momentum", "max_momentum"] {
            if section.has(key) {
                return Err(section.setting(key, "none with a momentum that stays as it is", "one"));
            }
        }
        return Ok(None);
    }
    let base = section.number("base_momentum", 0.85, unit_open())?;
    let most = section.number("max_momentum", 0.95, unit_open())?;
    if base > most {
        let expected = format!("a number of at most `max_momentum` ({most})");
        return Err(section.setting("base_momentum", &expected, &base.to_string()));
    }
    Ok(Some([base, most]))
}

fn read_plateau(section: &mut Section) -> Result<Plateau> {
    let default = Plateau::default();
    let mode = section.choice("threshold_mode", "threshold mode", Some("rel"), &["rel", "abs"])?;
    let range = if mode == "rel" { unit_open() } else { non_negative() };
    Ok(Plateau {
        factor: section.number("factor", default.factor, unit_inner())?,
        patience: section.integer("patience", default.patience as usize, 0, MOST_EPOCHS)? as u64,
        threshold: section.number("threshold", default.threshold, range)?,
        relative: mode == "rel",
        cooldown: section.integer("cooldown", default.cooldown as usize, 0, MOST_EPOCHS)? as u64,
        min_factor: section.number("min_factor", default.min_factor, unit())?,
    })
}

/// A length that is given in one of two units.
fn read_length(section: &mut Section, epochs: &'static str, steps: &'static str) -> Result<Option<Length>> {
    let in_epochs = section.optional_number(epochs, positive())?;
    let in_steps = section.optional_integer(steps, 1, MOST_STEPS)?;
    match (in_epochs, in_steps) {
        (Some(_), Some(_)) => Err(section.setting(steps, &format!("none beside `{epochs}`"), "both")),
        (Some(epochs), None) => Ok(Some(Length::Epochs(epochs))),
        (None, steps) => Ok(steps.map(|steps| Length::Steps(steps as u64))),
    }
}

fn read_milestones(section: &mut Section) -> Result<Vec<Length>> {
    let epochs = section.numbers("milestones_epochs", MOST_MILESTONES, positive())?;
    let steps = section.numbers("milestones_steps", MOST_MILESTONES, positive())?;
    if !epochs.is_empty() && !steps.is_empty() {
        return Err(section.setting("milestones_steps", "none beside `milestones_epochs`", "both"));
    }
    if let Some(part) = steps.iter().find(|step| step.fract() != 0.0 || **step > MOST_STEPS as f64) {
        let expected = format!("integers from 1 to {MOST_STEPS}");
        return Err(section.setting("milestones_steps", &expected, &part.to_string()));
    }
    let epochs = epochs.into_iter().map(Length::Epochs);
    Ok(epochs.chain(steps.into_iter().map(|step| Length::Steps(step as u64))).collect())
}

#[cfg(test)]
mod tests;
