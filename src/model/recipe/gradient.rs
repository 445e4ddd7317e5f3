//! The `[gradient]` table: what is done to a gradient before the update rule sees it.

use toml::Table;

use super::super::section::{Range, Section, non_negative, positive};
use super::values::single;
use crate::error::Result;

/// What is done to the gradient of each step, in this order: the L1 penalty is added, then elements
/// are clipped, then that of each output's weights, then the whole is. The default does nothing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct GradientConfig {
    /// The factor of the penalty: the sum of |p| over all parameters p, biases too, times this, is
    /// part of what is minimised. At least 0.
    pub l1: f32,
    /// Elements beyond this are set to it, with their sign. Above 0.
    pub clip_value: Option<f32>,
    /// The gradient of all incoming weights of an output, or of a whole bias, whose norm is larger than
    /// this part of the norm of those parameters, is scaled down to it. Above 0.
    pub clip_adaptive: Option<f32>,
    /// A gradient whose Euclidean norm, over all parameters, is larger is scaled down to it. Above 0.
    pub clip_norm: Option<f32>,
}

impl GradientConfig {
    pub(super) fn read(mut section: Section) -> Result<GradientConfig> {
        let config = GradientConfig {
            l1: section.single("l1", 0.0, non_negative())?,
            clip_value: optional_single(&mut section, "clip_value", positive())?,
            clip_adaptive: optional_single(&mut section, "clip_adaptive", positive())?,
            clip_norm: optional_single(&mut section, "clip_norm", positive())?,
        };
        section.finish()?;
        Ok(config)
    }

    /// The table, or none if nothing is done.
    pub(super) fn table(&self) -> Option<Table> {
        let keys = [
            ("clip_value", self.clip_value),
            ("clip_adaptive", self.clip_adaptive),
            ("clip_norm", self.clip_norm),
        ];
        let entries = keys.into_iter().filter_map(|(key, value)| Some((key, value?)));
        let table: Table = entries
            .chain((self.l1 != 0.0).then_some(("l1", self.l1)))
            .map(|(key, value)| (key.to_string(), single(value)))
            .collect();
        (!table.is_empty()).then_some(table)
    }
}

/// A number that may be missing, rounded to single precision.
pub(super) fn optional_single(section: &mut Section, key: &'static str, range: Range) -> Result<Option<f32>> {
    let is_there = section.has(key);
    let value = section.single(key, 0.0, range)?;
    Ok(is_there.then_some(value))
}
