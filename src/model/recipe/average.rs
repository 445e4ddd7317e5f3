//! The `[lookahead]` and `[average]` tables: averages of the parameters over steps or epochs. Each does
//! something if it is there.

use toml::{Table, Value};

use super::super::section::{Section, unit_open, unit_positive};
use super::values::table_of;
use crate::error::Result;
use crate::optim::{Ema, Lookahead};

/// The most steps between two synchronisations.
const MOST_STEPS: usize = 1_000_000;

/// As in Zhang et al. (2019).
const STEPS: usize = 5;
const ALPHA: f64 = 0.5;

/// As in torch.optim.swa_utils.
const DECAY: f64 = 0.999;

/// The part of the epochs after which the equal average begins, as in Izmailov et al. (2018).
const SWA_AFTER: f64 = 0.75;

/// An average of the parameters that takes their place wherever the model is tried or saved.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AverageConfig {
    pub method: AverageMethod,
    /// The epoch, from 1, with whose first step ([`Ema`](AverageMethod::Ema)) or at whose end
    /// ([`Swa`](AverageMethod::Swa)) the average begins; at most the number of epochs.
    pub start: usize,
}

/// Which average.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum AverageMethod {
    /// A moving average over all steps.
    Ema(Ema),
    /// The equal average over the ends of epochs.
    Swa,
}

impl AverageMethod {
    /// The name in recipes.
    pub fn name(self) -> &'static str {
        match self {
            AverageMethod::Ema(_) => "ema",
            AverageMethod::Swa => "swa",
        }
    }
}

pub(super) fn read_lookahead(root: &mut Section) -> Result<Option<Lookahead>> {
    let is_there = root.has("lookahead");
    let mut section = root.table("lookahead")?;
    let steps = section.integer("steps", STEPS, 1, MOST_STEPS)? as u64;
    let alpha = section.number("alpha", ALPHA, unit_positive())?;
    section.finish()?;
    Ok(is_there.then_some(Lookahead { steps, alpha }))
}

/// Of a run of so many epochs.
pub(super) fn read_average(root: &mut Section, epochs: usize) -> Result<Option<AverageConfig>> {
    let is_there = root.has("average");
    let mut section = root.table("average")?;
    if !is_there {
        return Ok(None);
    }
    let method = section.choice("method", "average", None, &["ema", "swa"])?;
    let (method, start) = if method == "ema" {
        let decay = section.number("decay", DECAY, unit_open())?;
        let debias = section.boolean("debias", true)?;
        (AverageMethod::Ema(Ema { decay, debias }), 1)
    } else {
        (AverageMethod::Swa, ((SWA_AFTER * epochs as f64) as usize).max(1))
    };
    let start = section.integer("start", start, 1, epochs)?;
    section.finish()?;
    Ok(Some(AverageConfig { method, start }))
}

/// The tables, each with its name, of what there is.
pub(super) fn tables(lookahead: Option<Lookahead>, average: Option<AverageConfig>) -> Vec<(String, Table)> {
    let integer = |number: u64| Value::Integer(i64::try_from(number).unwrap_or(i64::MAX));
    let lookahead = lookahead.map(|Lookahead { steps, alpha }| {
        ("lookahead".to_string(), table_of([("steps", integer(steps)), ("alpha", alpha.into())]))
    });
    let average = average.map(|AverageConfig { method, start }| {
        let mut table = table_of([("method", method.name().into()), ("start", integer(start as u64))]);
        if let AverageMethod::Ema(Ema { decay, debias }) = method {
            table.extend(table_of([("decay", decay.into()), ("debias", debias.into())]));
        }
        ("average".to_string(), table)
    });
    lookahead.into_iter().chain(average).collect()
}
