//! Activations and initial values, each a name, or a table with a `type` and parameters.

use std::f32::consts::SQRT_2;

use toml::Table;

use crate::error::Result;
use crate::init::Init;
use crate::kernels::activation::{ALL, Activation, Limit, Parameter};
use crate::model::recipe::values::typed;
use crate::model::section::{Range, Section, finite, non_negative, positive};

/// The activation under a key, or the default if there is no such key.
pub(in crate::model::recipe) fn read(
    section: &mut Section,
    key: &'static str,
    default: Activation,
) -> Result<Activation> {
    let Some(mut section) = section.named(key)? else { return Ok(default) };
    let name = section.choice("type", "activation", None, &ALL.map(|entry| entry.name))?;
    let Some(entry) = ALL.into_iter().find(|entry| entry.name == name) else { return Ok(default) };
    let parameter = match entry.parameter {
        Some(Parameter { key, default, limit: Limit::Positive }) => {
            section.single(key, default, positive())?
        }
        Some(Parameter { key, default, limit: Limit::NonNegative }) => {
            section.single(key, default, non_negative())?
        }
        None => 0.0,
    };
    section.finish()?;
    Ok(Activation::of(entry, parameter))
}

pub(in crate::model::recipe) fn table(activation: Activation) -> Table {
    typed(activation.name(), activation.parameter())
}

/// The initialiser under a key, or the default if there is no such key.
pub(super) fn read_initialiser(section: &mut Section, key: &'static str, default: Init) -> Result<Init> {
    let Some(mut section) = section.named(key)? else { return Ok(default) };
    let name = section.choice("type", "initialiser", None, Init::NAMES)?;
    let mut single = |key, default, range: Range| section.single(key, default, range);
    let init = match name {
        "constant" => Init::Constant(single("value", 0.0, finite())?),
        "uniform" => {
            Init::Uniform { low: single("low", -0.1, finite())?, high: single("high", 0.1, finite())? }
        }
        "normal" => Init::Normal {
            mean: single("mean", 0.0, finite())?,
            deviation: single("deviation", 0.1, non_negative())?,
        },
        "xavier-uniform" => Init::XavierUniform { gain: single("gain", 1.0, positive())? },
        "xavier-normal" => Init::XavierNormal { gain: single("gain", 1.0, positive())? },
        "kaiming-uniform" => Init::KaimingUniform { gain: single("gain", SQRT_2, positive())? },
        "kaiming-normal" => Init::KaimingNormal { gain: single("gain", SQRT_2, positive())? },
        "lecun-uniform" => Init::LecunUniform,
        "lecun-normal" => Init::LecunNormal,
        "orthogonal" => Init::Orthogonal { gain: single("gain", 1.0, positive())? },
        _ => Init::Zeros,
    };
    if let Init::Uniform { low, high } = init
        && low >= high
    {
        return Err(section.setting("high", &format!("a number above `low` ({low})"), &high.to_string()));
    }
    section.finish()?;
    Ok(init)
}

/// The same of what has no fan-in, such as a bias, so that only the initialisers that need none apply.
pub(super) fn read_own_initialiser(section: &mut Section, key: &'static str, default: Init) -> Result<Init> {
    match read_initialiser(section, key, default)? {
        init @ (Init::Zeros | Init::Constant(_) | Init::Uniform { .. } | Init::Normal { .. }) => Ok(init),
        _ => {
            let of = if key == "bias_init" { " for a bias" } else { "" };
            let expected = format!("zeros, constant, uniform or normal{of}");
            Err(section.setting(&format!("{key}.type"), &expected, "another one"))
        }
    }
}
