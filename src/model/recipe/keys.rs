//! Hyper-parameters read and written by the list that a table has of them.

pub(super) mod activation;
mod windows;

use toml::{Table, Value};

use super::super::section::{Section, non_negative};
use super::values::{initialiser, integer, single};
use crate::data::MOST_CLASSES;
use crate::error::Result;
use crate::hyper::{Allowed, HyperParameter, HyperValue, shortest_sides};

/// The values of all of them, in their order.
pub(super) fn read(section: &mut Section, parameters: &'static [HyperParameter]) -> Result<Vec<HyperValue>> {
    let mut values: Vec<HyperValue> = Vec::with_capacity(parameters.len());
    for parameter in parameters {
        let &HyperParameter { key, required, .. } = parameter;
        let before = || parameters.iter().zip(&values);
        let lacks = |choice: &&str| before().any(|(own, value)| own.key == *choice && *value == false.into());
        if let Some(choice) = parameter.needs.filter(lacks)
            && section.has(key)
        {
            return Err(section.setting(key, &format!("none with `{choice} = false`"), "one"));
        }
        // Of a window its reader says which key is missing.
        if required && parameter.keys() == [key] && !section.has(key) {
            return Err(section.setting(key, &parameter.range(), "nothing"));
        }
        let default = parameter.default_after(&values);
        values.push(read_one(section, parameter, default)?);
    }
    Ok(values)
}

fn read_one(
    section: &mut Section,
    parameter: &'static HyperParameter,
    default: HyperValue,
) -> Result<HyperValue> {
    let key = parameter.key;
    Ok(match (&parameter.allowed, default) {
        (Allowed::Number(default, range), _) => HyperValue::Number(section.number(key, *default, *range)?),
        (Allowed::Single(default, range), _) => HyperValue::Single(section.single(key, *default, *range)?),
        (&Allowed::Integer { low, high, .. }, _) if parameter.required => {
            HyperValue::Integer(section.required_integer(key, low, high)?)
        }
        (&Allowed::Integer { default, low, high }, _) => {
            HyperValue::Integer(section.integer(key, default, low, high)?)
        }
        (&Allowed::Pair { default, low, high }, _) => {
            let sides = windows::read_sides(section, key, [low, high], &parameter.range())?;
            HyperValue::Pair(sides.unwrap_or(default))
        }
        (Allowed::Choice(default), _) => HyperValue::Choice(section.boolean(key, *default)?),
        (Allowed::Name(default, names), _) => {
            HyperValue::Name(section.choice(key, key, Some(default), names)?)
        }
        (Allowed::ClassWeights, _) => HyperValue::ClassWeights(read_weights(section, key)?),
        (&Allowed::Integers { most, low, high }, _) => {
            let lengths: Vec<usize> = (0..=most).collect();
            let integers = section.integers(key, &lengths, [low, high], &parameter.range())?;
            HyperValue::Integers(integers.unwrap_or_default())
        }
        (Allowed::Activation(default), _) => {
            HyperValue::Activation(activation::read(section, key, *default)?)
        }
        (Allowed::WeightInit, HyperValue::Init(default)) => {
            HyperValue::Init(activation::read_initialiser(section, key, default)?)
        }
        (Allowed::OwnInit(_), HyperValue::Init(default)) => {
            HyperValue::Init(activation::read_own_initialiser(section, key, default)?)
        }
        (&Allowed::Window { one_dimensional, pool }, _) => {
            HyperValue::Window(windows::read(section, one_dimensional, pool)?)
        }
        (Allowed::WeightInit | Allowed::OwnInit(_), default) => default,
    })
}

/// None unless there is such a key.
fn read_weights(section: &mut Section, key: &'static str) -> Result<Vec<f32>> {
    let Some(weights) = section.singles(key, MOST_CLASSES, non_negative())? else {
        return Ok(Vec::new());
    };
    if weights.iter().all(|&weight| weight == 0.0) {
        let found = if weights.is_empty() { "no weights" } else { "none" };
        return Err(section.setting(key, "a weight for each class, one of them above 0", found));
    }
    Ok(weights)
}

/// The keys and values as a recipe has them; class weights that are all 1 are left out, integers of which there are none,
/// and what has no meaning.
pub(super) fn write<'a>(
    values: impl Iterator<Item = (&'static HyperParameter, &'a HyperValue)>,
) -> impl Iterator<Item = (String, Value)> {
    let mut written = Table::new();
    for (parameter, value) in values {
        if parameter.needs.is_some_and(|choice| written.get(choice) == Some(&false.into())) {
            continue;
        }
        let value = match value {
            HyperValue::Number(number) => (*number).into(),
            HyperValue::Single(number) => single(*number),
            HyperValue::Integer(number) => integer(*number as u64),
            HyperValue::Pair(sides) => windows::value(shortest_sides(*sides)),
            HyperValue::Choice(choice) => (*choice).into(),
            HyperValue::Name(name) => (*name).into(),
            HyperValue::ClassWeights(weights) if weights.is_empty() => continue,
            HyperValue::ClassWeights(weights) => {
                weights.iter().copied().map(single).collect::<Vec<Value>>().into()
            }
            HyperValue::Integers(integers) if integers.is_empty() => continue,
            HyperValue::Integers(integers) => {
                integers.iter().map(|&one| integer(one as u64)).collect::<Vec<Value>>().into()
            }
            HyperValue::Activation(own) => activation::table(*own).into(),
            HyperValue::Init(init) => initialiser(init).into(),
            HyperValue::Window(window) => {
                let pool = matches!(parameter.allowed, Allowed::Window { pool: true, .. });
                written.extend(windows::table(*window, pool));
                continue;
            }
        };
        written.insert(parameter.key.to_string(), value);
    }
    written.into_iter()
}
