//! The `[optimizer]` table: the name of an update rule, its learning rate and hyper-parameters.

use super::super::section::{Section, non_negative, positive, unit_open};
use crate::error::Result;

/// The optimizers that a recipe may name.
pub const OPTIMIZERS: [&str; 4] = ["sgd", "momentum", "nesterov", "adam"];

/// An update rule with its hyper-parameters.
#[derive(Clone, Debug, PartialEq)]
pub struct OptimizerConfig {
    /// One of [`OPTIMIZERS`].
    pub name: String,
    /// At least 0.
    pub learning_rate: f64,
    pub rule: RuleConfig,
}

/// The families of update rules; the fields mean what they mean in PyTorch's `optim`.
#[derive(Clone, Debug, PartialEq)]
pub enum RuleConfig {
    /// Gradient descent; plain if the momentum is 0.
    Sgd {
        /// In [0, 1).
        momentum: f64,
        /// In [0, 1); 0 with `nesterov`.
        dampening: f64,
        /// Needs a momentum above 0.
        nesterov: bool,
        /// The factor of the L2 term added to the gradient.
        weight_decay: f64,
    },
    /// Adam (Kingma and Ba 2014), with bias correction.
    Adam {
        /// In [0, 1).
        beta1: f64,
        /// In [0, 1).
        beta2: f64,
        /// Above 0.
        epsilon: f64,
        /// The factor of the L2 term added to the gradient.
        weight_decay: f64,
    },
}

impl OptimizerConfig {
    pub(super) fn read(mut section: Section) -> Result<OptimizerConfig> {
        let name = section.choice("name", "optimizer", None, &OPTIMIZERS)?;
        let default_rate = match name {
            "sgd" => 0.1,
            "adam" => 1e-3,
            _ => 0.05,
        };
        let learning_rate = section.number("learning_rate", default_rate, non_negative())?;
        let rule = match name {
            "adam" => read_adam(&mut section)?,
            "sgd" => read_sgd(&mut section)?,
            _ => read_momentum(&mut section, name == "nesterov")?,
        };
        section.finish()?;
        Ok(OptimizerConfig { name: name.to_string(), learning_rate, rule })
    }
}

fn read_adam(section: &mut Section) -> Result<RuleConfig> {
    Ok(RuleConfig::Adam {
        beta1: section.number("beta1", 0.9, unit_open())?,
        beta2: section.number("beta2", 0.999, unit_open())?,
        epsilon: section.number("epsilon", 1e-8, positive())?,
        weight_decay: section.number("weight_decay", 0.0, non_negative())?,
    })
}

fn read_sgd(section: &mut Section) -> Result<RuleConfig> {
    let weight_decay = section.number("weight_decay", 0.0, non_negative())?;
    Ok(RuleConfig::Sgd { momentum: 0.0, dampening: 0.0, nesterov: false, weight_decay })
}

/// `momentum` has all keys of the family; `nesterov` is `momentum` with Nesterov's step.
fn read_momentum(section: &mut Section, always_nesterov: bool) -> Result<RuleConfig> {
    let momentum = section.number("momentum", 0.9, unit_open())?;
    let weight_decay = section.number("weight_decay", 0.0, non_negative())?;
    let (mut dampening, mut nesterov) = (0.0, true);
    if !always_nesterov {
        dampening = section.number("dampening", 0.0, unit_open())?;
        nesterov = section.boolean("nesterov", false)?;
    }
    if nesterov && momentum == 0.0 {
        return Err(section.setting("momentum", "a number above 0 for Nesterov's step", "0"));
    }
    if nesterov && dampening != 0.0 {
        return Err(section.setting("dampening", "0 with `nesterov = true`", &dampening.to_string()));
    }
    Ok(RuleConfig::Sgd { momentum, dampening, nesterov, weight_decay })
}
