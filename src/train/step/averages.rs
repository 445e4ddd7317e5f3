//! The averages of a run: Lookahead's slow parameters, and an average over steps or epochs. Between two
//! epochs the model holds the parameters to evaluate and save; during one, those that are trained.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::checkpoint::{Archive, State};
use crate::model::recipe::{AverageConfig, AverageMethod};
use crate::model::{Frozen, Model, Recipe};
use crate::optim::{Ema, Lookahead, average};
use crate::train::plan::workspace::Workspace;
use crate::{Error, Result};

/// Checks that a run of so many steps comes to a synchronisation: without one it would end as it began.
///
/// # Errors
/// [`Error::Setting`] if it does not.
pub fn check(recipe: &Recipe, steps: u64) -> Result<()> {
    match recipe.lookahead {
        Some(lookahead) if lookahead.steps > steps => Err(Error::Setting {
            place: format!("recipe {}", recipe.name),
            key: "lookahead.steps".into(),
            expected: format!("at most the {steps} steps of the run"),
            found: lookahead.steps.to_string(),
        }),
        _ => Ok(()),
    }
}

/// The settings of the averages during an epoch.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Due {
    lookahead: Option<Lookahead>,
    /// The settings of a moving average, and the number of steps before those that it averages.
    ema: Option<(Ema, u64)>,
}

/// The settings of the averages in a step.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Averaging {
    /// The factor of [`average::synchronise`] for the slow parameters; none if they are left alone.
    pub slow: Option<f32>,
    /// The weight of the parameters in [`average::blend`]; none if there is no average.
    pub average: Option<f32>,
}

impl Due {
    /// The settings in the step of this number, from 1.
    pub fn at(&self, step: u64) -> Averaging {
        Averaging {
            slow: self.lookahead.and_then(|lookahead| lookahead.due(step)),
            average: self.ema.map(|(ema, before)| ema.weight(step.saturating_sub(before))),
        }
    }
}

/// The buffer with which the model's parameters have changed places.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
enum Shown {
    Nothing,
    Slow,
    Average,
    /// A slot of the rule.
    Slot(usize),
}

/// The averages of a run; they lie in its workspace.
pub struct Averages {
    lookahead: Option<Lookahead>,
    average: Option<AverageConfig>,
    /// The number of steps before those that a moving average is over, once it has begun.
    ema_after: Option<u64>,
    /// The slot of the rule that holds an average of its own.
    slot: Option<usize>,
    /// How many epochs an equal average is over so far.
    epochs: u64,
    shown: Shown,
    /// The ranges of what is not trained. Running statistics are averaged as the parameters are, but have nothing slow;
    /// what is fixed or frozen is the same everywhere.
    statistics: Vec<Range<usize>>,
    /// The ranges among them of what is frozen.
    frozen: Vec<Range<usize>>,
}

impl Averages {
    /// The averages of a run that begins with this model and leaves some of its layers as they are, by a rule that
    /// [evaluates](crate::optim::Rule::evaluated) this slot.
    pub fn new(
        recipe: &Recipe,
        slot: Option<usize>,
        (model, frozen): (&Model, &Frozen),
        workspace: &mut Workspace,
    ) -> Averages {
        if let Some(slot) = slot {
            workspace.slot_mut(slot).copy_from_slice(model.storage());
        }
        if recipe.lookahead.is_some() {
            workspace.averages_mut().0.copy_from_slice(model.storage());
        }
        let mut statistics = model.statistics();
        let frozen = frozen.places(model.layers());
        statistics.extend(frozen.iter().cloned());
        if recipe.average.is_some() {
            // What is fixed or frozen is in no shard, and no average comes by it.
            let average = workspace.averages_mut().1;
            for place in &statistics {
                average[place.clone()].copy_from_slice(&model.storage()[place.clone()]);
            }
        }
        let (lookahead, average) = (recipe.lookahead, recipe.average);
        let (ema_after, epochs, shown) = (None, 0, Shown::Nothing);
        Averages { lookahead, average, ema_after, slot, epochs, shown, statistics, frozen }
    }

    /// Puts the trained parameters back into the model, before the epoch of this number, from 1, and after so many
    /// steps.
    pub fn begin(
        &mut self,
        epoch: usize,
        steps: u64,
        parameters: &mut [f32],
        workspace: &mut Workspace,
    ) -> Due {
        self.swap(parameters, workspace);
        self.shown = Shown::Nothing;
        self.due(epoch, steps)
    }

    /// What is due in the epoch of this number, after so many steps if none of it is done.
    pub fn due(&mut self, epoch: usize, steps: u64) -> Due {
        let mut due = Due { lookahead: self.lookahead, ema: None };
        if let Some(AverageConfig { method: AverageMethod::Ema(ema), start }) = self.average
            && epoch >= start
        {
            due.ema = Some((ema, *self.ema_after.get_or_insert(steps)));
        }
        due
    }

    /// Puts the parameters to evaluate into the model, after the epoch of this number: the average, if it has
    /// begun, else the slow parameters or the rule's slot, if there are any. Only a complete epoch goes into an equal
    /// average.
    pub fn end(
        &mut self,
        epoch: usize,
        is_complete: bool,
        parameters: &mut [f32],
        workspace: &mut Workspace,
    ) {
        if self.lookahead.is_some() {
            let slow = workspace.averages_mut().0;
            for place in &self.statistics {
                slow[place.clone()].copy_from_slice(&parameters[place.clone()]);
            }
        }
        if let Some(slot) = self.slot {
            let slot = workspace.slot_mut(slot);
            for place in &self.statistics {
                slot[place.clone()].copy_from_slice(&parameters[place.clone()]);
            }
        }
        if let Some(AverageConfig { method: AverageMethod::Swa, start }) = self.average
            && epoch >= start
            && is_complete
        {
            self.epochs += 1;
            let weight = average::equal_weight(self.epochs);
            let (slow, to) = workspace.averages_mut();
            average::blend(to, if self.lookahead.is_some() { slow } else { parameters }, weight);
            // The average of the same numbers is the same but for the sign of a zero.
            for place in &self.frozen {
                to[place.clone()].copy_from_slice(&parameters[place.clone()]);
            }
        }
        self.shown = if self.ema_after.is_some() || self.epochs > 0 {
            Shown::Average
        } else if self.lookahead.is_some() {
            Shown::Slow
        } else {
            self.slot.map_or(Shown::Nothing, Shown::Slot)
        };
        self.swap(parameters, workspace);
    }

    /// The parameters that are trained, if the model holds others.
    pub fn set_aside<'a>(&self, workspace: &'a Workspace) -> Option<&'a [f32]> {
        let (slow, average) = workspace.averages();
        match self.shown {
            Shown::Nothing => None,
            Shown::Slow => Some(slow),
            Shown::Average => Some(average),
            Shown::Slot(slot) => Some(workspace.slot(slot)),
        }
    }

    fn swap(&self, parameters: &mut [f32], workspace: &mut Workspace) {
        if let Shown::Slot(slot) = self.shown {
            return parameters.swap_with_slice(workspace.slot_mut(slot));
        }
        let (slow, average) = workspace.averages_mut();
        match self.shown {
            Shown::Nothing | Shown::Slot(_) => {}
            Shown::Slow => parameters.swap_with_slice(slow),
            Shown::Average => parameters.swap_with_slice(average),
        }
    }
}

/// Their buffers are the workspace's.
impl State for Averages {
    fn visit(&mut self, archive: &mut Archive) -> Result<()> {
        archive.value("ema_after", &mut self.ema_after)?;
        archive.value("epochs", &mut self.epochs)?;
        archive.value("shown", &mut self.shown)?;
        let is_kept = match self.shown {
            Shown::Nothing => true,
            Shown::Slow => self.lookahead.is_some(),
            Shown::Average => self.average.is_some(),
            Shown::Slot(slot) => self.slot == Some(slot),
        };
        archive.check("shown", is_kept, "what this training keeps", format!("{:?}", self.shown))?;
        let is_none = self.epochs == 0 && self.ema_after.is_none();
        archive.check("epochs", is_none || self.average.is_some(), "none without an average", self.epochs)
    }
}
