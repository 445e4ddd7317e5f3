//! Schedules as TOML, every value written out.

use toml::{Table, Value};

use crate::model::recipe::values::{integer, table_of};
use crate::optim::schedule::{Anneal, Curve, Length, OneCycle, Phase, Plateau, Schedule, Schedules};

/// The `[schedule]` table.
pub fn to_table(schedules: &Schedules) -> Table {
    let mut table = schedule(&schedules.learning_rate);
    for (key, factor) in [("momentum", &schedules.momentum), ("weight_decay", &schedules.weight_decay)] {
        if let Some(factor) = factor {
            table.insert(key.into(), schedule(factor).into());
        }
    }
    table
}

fn schedule(schedule: &Schedule) -> Table {
    let mut table = match &schedule.phases[..] {
        [single] => phase(single),
        phases => table_of([("sequence", phases.iter().map(phase).collect::<Vec<_>>().into())]),
    };
    if let Some(warmup) = &schedule.warmup {
        table.extend([length("warmup", warmup.length), ("warmup_factor".into(), warmup.factor.into())]);
    }
    table
}

fn phase(phase: &Phase) -> Table {
    let mut table = table_of([("name", phase.curve.name().into()), ("scale", phase.scale.into())]);
    table.extend(phase.length.map(|duration| length("length", duration)));
    table.extend(parameters(&phase.curve));
    table
}

fn parameters(curve: &Curve) -> Table {
    match curve {
        Curve::Constant => Table::new(),
        Curve::Step { every, gamma } => {
            let mut table = table_of([("gamma", (*gamma).into())]);
            table.extend(every.map(|every| length("every", every)));
            table
        }
        Curve::MultiStep { milestones: all, gamma } => {
            let mut table = table_of([("gamma", (*gamma).into())]);
            table.extend(milestones(all));
            table
        }
        Curve::Exponential { gamma: None, .. } => Table::new(),
        Curve::Exponential { every, gamma: Some(gamma) } => {
            Table::from_iter([length("every", *every), ("gamma".into(), (*gamma).into())])
        }
        Curve::InverseTime { every, rate } => {
            Table::from_iter([length("every", *every), ("rate".into(), (*rate).into())])
        }
        Curve::Polynomial { power, end_factor } => {
            table_of([("power", (*power).into()), ("end_factor", (*end_factor).into())])
        }
        Curve::Linear { start_factor, end_factor } => {
            table_of([("start_factor", (*start_factor).into()), ("end_factor", (*end_factor).into())])
        }
        Curve::Cosine { end_factor } => table_of([("end_factor", (*end_factor).into())]),
        Curve::CosineRestarts { first, multiplier, end_factor } => {
            let mut table = table_of([
                ("multiplier", integer(u64::from(*multiplier))),
                ("end_factor", (*end_factor).into()),
            ]);
            table.extend(first.map(|first| length("first", first)));
            table
        }
        Curve::OneCycle(cycle) => one_cycle(cycle),
        Curve::Plateau(state) => plateau(state),
    }
}

fn one_cycle(cycle: &OneCycle) -> Table {
    let mut table = table_of([
        ("pct_start", cycle.pct_start.into()),
        ("div_factor", cycle.div_factor.into()),
        ("final_div_factor", cycle.final_div_factor.into()),
        ("anneal", if cycle.anneal == Anneal::Cos { "cos" } else { "linear" }.into()),
        ("three_phase", cycle.three_phase.into()),
        ("cycle_momentum", cycle.momentum.is_some().into()),
    ]);
    if let Some([base, most]) = cycle.momentum {
        table.extend(table_of([("base_momentum", base.into()), ("max_momentum", most.into())]));
    }
    table
}

fn plateau(plateau: &Plateau) -> Table {
    table_of([
        ("factor", plateau.factor.into()),
        ("patience", integer(plateau.patience)),
        ("threshold", plateau.threshold.into()),
        ("threshold_mode", if plateau.relative { "rel" } else { "abs" }.into()),
        ("cooldown", integer(plateau.cooldown)),
        ("min_factor", plateau.min_factor.into()),
    ])
}

/// The key of a length, which tells its unit, and its value.
fn length(key: &str, length: Length) -> (String, Value) {
    match length {
        Length::Steps(steps) => (format!("{key}_steps"), integer(steps)),
        Length::Epochs(epochs) => (format!("{key}_epochs"), epochs.into()),
    }
}

fn milestones(milestones: &[Length]) -> Option<(String, Value)> {
    let key = length("milestones", *milestones.first()?).0;
    let values: Vec<Value> = milestones.iter().map(|milestone| length("", *milestone).1).collect();
    Some((key, values.into()))
}
