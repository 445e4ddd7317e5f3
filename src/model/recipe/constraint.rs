//! The `[constraint]` table: what parameters are brought back to after each update.

use toml::Table;

use super::super::section::{Section, positive};
use super::gradient::optional_single;
use super::values::single;
use crate::error::Result;

/// What holds of the parameters after each update. Where both are given, numbers are clipped before
/// norms are taken. The default allows everything.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ConstraintConfig {
    /// Parameters beyond this, biases too, are set to it, with their sign. Above 0.
    pub clip_weights: Option<f32>,
    /// All incoming weights of an output, if their Euclidean norm is larger, are scaled down to it.
    /// Above 0.
    pub max_norm: Option<f32>,
}

impl ConstraintConfig {
    pub(super) fn read(mut section: Section) -> Result<ConstraintConfig> {
        let config = ConstraintConfig {
            clip_weights: optional_single(&mut section, "clip_weights", positive())?,
            max_norm: optional_single(&mut section, "max_norm", positive())?,
        };
        section.finish()?;
        Ok(config)
    }

    /// The table, or none if everything is allowed.
    pub(super) fn table(&self) -> Option<Table> {
        let keys = [("clip_weights", self.clip_weights), ("max_norm", self.max_norm)];
        let entries = keys.into_iter().filter_map(|(key, value)| Some((key.to_string(), single(value?))));
        let table: Table = entries.collect();
        (!table.is_empty()).then_some(table)
    }
}
