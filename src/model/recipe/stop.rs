//! The `[stop]` table: what ends a training before its epochs are done.

use toml::{Table, Value};

use super::super::section::{Section, non_negative, positive, unit};
use super::limits::{MOST_EPOCHS, MOST_STEPS};
use crate::error::Result;

/// What ends a training; whatever comes first does. Loss and accuracy are those of the validation
/// samples if there are any, otherwise of the training samples, each at the moment it was trained on.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StopConfig {
    /// After so many steps, also within an epoch; at least 1.
    pub steps: Option<u64>,
    /// After the step in which so many seconds have passed since the first one began; above 0.
    pub seconds: Option<f64>,
    /// After an epoch with at least this accuracy, as a fraction of 1.
    pub accuracy: Option<f64>,
    /// After an epoch with at most this loss; at least 0.
    pub loss: Option<f64>,
    /// After a step whose gradient's Euclidean norm, before it is clipped by the norm, is below this;
    /// above 0.
    pub gradient_norm: Option<f64>,
    pub tolerance: Option<Tolerance>,
    pub patience: Option<Patience>,
}

/// Ends a training whose loss stands still.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tolerance {
    /// The loss of an epoch stands still if it differs by less than this from that of the epoch
    /// before; above 0.
    pub change: f64,
    /// So many epochs in a row; at least 1.
    pub epochs: usize,
}

/// Ends a training that no longer gets better on validation samples, and takes the best parameters
/// back then, or whenever else the training ends.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Patience {
    /// Epochs in a row without improvement; at least 1.
    pub epochs: usize,
    pub watched: Watched,
}

/// What has to get better.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Watched {
    Loss,
    Accuracy,
}

impl StopConfig {
    pub(super) fn read(mut section: Section) -> Result<StopConfig> {
        let steps = section.optional_integer("steps", 1, MOST_STEPS)?;
        let config = StopConfig {
            steps: steps.map(|steps| steps as u64),
            seconds: section.optional_number("seconds", positive())?,
            accuracy: section.optional_number("accuracy", unit())?,
            loss: section.optional_number("loss", non_negative())?,
            gradient_norm: section.optional_number("gradient_norm", positive())?,
            tolerance: read_tolerance(&mut section)?,
            patience: read_patience(&mut section)?,
        };
        section.finish()?;
        Ok(config)
    }

    /// The table, or none if nothing ends the training.
    pub(super) fn table(&self) -> Option<Table> {
        let integer = |number: u64| Value::Integer(i64::try_from(number).unwrap_or(i64::MAX));
        let entries = [
            ("steps", self.steps.map(integer)),
            ("seconds", self.seconds.map(Value::Float)),
            ("accuracy", self.accuracy.map(Value::Float)),
            ("loss", self.loss.map(Value::Float)),
            ("gradient_norm", self.gradient_norm.map(Value::Float)),
            ("tolerance", self.tolerance.map(|rule| Value::Float(rule.change))),
            ("tolerance_epochs", self.tolerance.map(|rule| integer(rule.epochs as u64))),
            ("patience", self.patience.map(|rule| integer(rule.epochs as u64))),
            ("watch", self.patience.map(|rule| rule.watched.name().into())),
        ];
        let entries = entries.into_iter().filter_map(|(key, value)| Some((key.to_string(), value?)));
        let table: Table = entries.collect();
        (!table.is_empty()).then_some(table)
    }
}

impl Watched {
    /// The name in recipes.
    pub fn name(self) -> &'static str {
        match self {
            Watched::Loss => "loss",
            Watched::Accuracy => "accuracy",
        }
    }
}

fn read_tolerance(section: &mut Section) -> Result<Option<Tolerance>> {
    let change = section.optional_number("tolerance", positive())?;
    if change.is_none() && section.has("tolerance_epochs") {
        return Err(section.setting("tolerance_epochs", "none without `tolerance`", "one"));
    }
    let epochs = section.integer("tolerance_epochs", 5, 1, MOST_EPOCHS)?;
    Ok(change.map(|change| Tolerance { change, epochs }))
}

fn read_patience(section: &mut Section) -> Result<Option<Patience>> {
    let epochs = section.optional_integer("patience", 1, MOST_EPOCHS)?;
    if epochs.is_none() && section.has("watch") {
        return Err(section.setting("watch", "none without `patience`", "one"));
    }
    let watched = match section.choice("watch", "measure", Some("loss"), &["loss", "accuracy"])? {
        "loss" => Watched::Loss,
        _ => Watched::Accuracy,
    };
    Ok(epochs.map(|epochs| Patience { epochs, watched }))
}
