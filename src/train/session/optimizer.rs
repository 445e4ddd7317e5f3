//! What an update rule keeps of each parameter: taken from a training elsewhere, or given to one.

use super::prepare::{MOST_BEGUN, Prepared};
use crate::model::{InitialState, Model, NamedTensor, checksum_of};
use crate::optim::Rule;
use crate::{Error, Result};

/// What a rule that works element by element has kept after some steps, such as Adam's moments.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OptimizerState {
    /// Steps that it has done.
    pub steps: u64,
    /// For each slot of the rule, in its order, a tensor for each trained parameter, of the parameter's name and shape.
    pub slots: Vec<Vec<NamedTensor>>,
    /// The path of the file that it was read from, if it was.
    pub path: Option<String>,
}

impl OptimizerState {
    /// What a training tells of it that begins with it.
    pub(in crate::train) fn told(&self) -> InitialState {
        let of_slot = |slot: &Vec<NamedTensor>| {
            slot.iter().map(checksum_of).fold(0u32, |sum, one| sum.wrapping_add(one))
        };
        // The same tensors in other slots are something else.
        let checksum =
            self.slots.iter().fold(0, |sum, slot| crc32c::crc32c_append(sum, &of_slot(slot).to_le_bytes()));
        InitialState { path: self.path.clone(), checksum, steps: self.steps }
    }
}

/// Refuses rules that keep something else beside their slots, or have exchanged one with the parameters.
fn check(rule: &dyn Rule) -> Result<()> {
    if rule.per_tensor().is_none() && rule.full_batch().is_none() && rule.evaluated().is_none() {
        return Ok(());
    }
    Err(Error::Mismatch {
        what: "state of the optimizer".into(),
        expected: "a rule that works element by element and is evaluated where it trains".into(),
        found: format!("{rule:?}"),
    })
}

/// Lets a training of `model` that has done so many steps begin with a state.
///
/// # Errors
/// [`Error::Mismatch`] if it has begun, or the state is not one of its rule and its model.
pub(super) fn put(state: &OptimizerState, prepared: &mut Prepared, model: &Model, steps: u64) -> Result<()> {
    check(prepared.rule.as_ref())?;
    let mismatch = |what: &str, expected: String, found: String| {
        Err(Error::Mismatch { what: what.into(), expected, found })
    };
    if steps > 0 {
        let found = format!("one of {steps} steps");
        return mismatch(
            "training that is given the state of an optimizer",
            "one that has not begun".into(),
            found,
        );
    }
    if state.steps > MOST_BEGUN {
        return mismatch("steps of the optimizer", format!("at most {MOST_BEGUN}"), state.steps.to_string());
    }
    let (expected, found) = (prepared.rule.slots(), state.slots.len());
    if expected != found {
        return mismatch("slots of the optimizer", expected.to_string(), found.to_string());
    }
    // All of them are right before one is put.
    let slots: Vec<Vec<f32>> =
        state.slots.iter().map(|tensors| model.stored(tensors)).collect::<Result<_>>()?;
    // What is frozen has no use for it, and the place that it has in a slot is not touched.
    let trained = prepared.plan.frozen.rest(model.layers(), model.storage().len());
    for (number, slot) in slots.iter().enumerate() {
        let to = prepared.workspace.slot_mut(number);
        for place in &trained {
            to[place.clone()].copy_from_slice(&slot[place.clone()]);
        }
    }
    prepared.begun = state.steps;
    Ok(())
}

/// The state after so many steps.
///
/// # Errors
/// [`Error::Mismatch`] if the rule keeps something else.
pub(super) fn taken(prepared: &Prepared, model: &Model, steps: u64) -> Result<OptimizerState> {
    check(prepared.rule.as_ref())?;
    let slot = |number| model.trained_tensors(prepared.workspace.slot(number));
    Ok(OptimizerState {
        steps: prepared.begun + steps,
        slots: (0..prepared.rule.slots()).map(slot).collect(),
        path: None,
    })
}
