//! Values and tables of TOML.

use crate::init::Init;
use toml::{Table, Value};

pub(in crate::model::recipe) fn initialiser(init: &Init) -> Table {
    match *init {
        Init::Zeros => typed("zeros", None),
        Init::Constant(value) => typed("constant", Some(("value", value))),
        Init::Uniform { low, high } => typed("uniform", [("low", low), ("high", high)]),
        Init::Normal { mean, deviation } => typed("normal", [("mean", mean), ("deviation", deviation)]),
        Init::XavierUniform { gain } => typed("xavier-uniform", Some(("gain", gain))),
        Init::XavierNormal { gain } => typed("xavier-normal", Some(("gain", gain))),
        Init::KaimingUniform { gain } => typed("kaiming-uniform", Some(("gain", gain))),
        Init::KaimingNormal { gain } => typed("kaiming-normal", Some(("gain", gain))),
        Init::LecunUniform => typed("lecun-uniform", None),
        Init::LecunNormal => typed("lecun-normal", None),
        Init::Orthogonal { gain } => typed("orthogonal", Some(("gain", gain))),
    }
}

pub(super) fn typed<'a>(name: &str, parameters: impl IntoIterator<Item = (&'a str, f32)>) -> Table {
    let mut table = table_of([("type", name.into())]);
    table.extend(parameters.into_iter().map(|(key, value)| (key.to_string(), single(value))));
    table
}

pub(in crate::model::recipe) fn table_of<const N: usize>(entries: [(&str, Value); N]) -> Table {
    entries.into_iter().map(|(key, value)| (key.to_string(), value)).collect()
}

/// The shortest decimal that reads back as this number: 0.1307, not 0.13070000708103.
pub(in crate::model::recipe) fn single(number: f32) -> Value {
    let shortest = number.to_string().parse().unwrap_or(f64::from(number));
    Value::Float(shortest)
}

/// A recipe holds no larger integers than TOML can write, because it was read from TOML; one that
/// was built by a program is capped.
pub(in crate::model::recipe) fn integer(number: u64) -> Value {
    Value::Integer(i64::try_from(number).unwrap_or(i64::MAX))
}
