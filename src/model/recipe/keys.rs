//! Hyper-parameters read and written by the list that a table has of them.

use toml::Value;

use super::super::section::{Section, non_negative};
use super::values::{integer, single};
use crate::data::MOST_CLASSES;
use crate::error::Result;
use crate::hyper::{Allowed, HyperParameter, HyperValue};

/// The values of all of them, in their order.
pub(super) fn read(section: &mut Section, parameters: &'static [HyperParameter]) -> Result<Vec<HyperValue>> {
    parameters.iter().map(|parameter| read_one(section, parameter)).collect()
}

fn read_one(section: &mut Section, parameter: &'static HyperParameter) -> Result<HyperValue> {
    let key = parameter.key;
    Ok(match parameter.allowed {
        Allowed::Number(default, range) => HyperValue::Number(section.number(key, default, range)?),
        Allowed::Single(default, range) => HyperValue::Single(section.single(key, default, range)?),
        Allowed::Integer { default, low, high } => {
            HyperValue::Integer(section.integer(key, default, low, high)?)
        }
        Allowed::Choice(default) => HyperValue::Choice(section.boolean(key, default)?),
        Allowed::Name(default, names) => HyperValue::Name(section.choice(key, key, Some(default), names)?),
        Allowed::ClassWeights => HyperValue::ClassWeights(read_weights(section, key)?),
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

/// The keys and values as a recipe has them; class weights that are all 1 are left out.
pub(super) fn write<'a>(
    values: impl Iterator<Item = (&'a HyperParameter, HyperValue)>,
) -> impl Iterator<Item = (String, Value)> {
    values.filter_map(|(parameter, value)| {
        let value = match value {
            HyperValue::Number(number) => number.into(),
            HyperValue::Single(number) => single(number),
            HyperValue::Integer(number) => integer(number as u64),
            HyperValue::Choice(choice) => choice.into(),
            HyperValue::Name(name) => name.into(),
            HyperValue::ClassWeights(weights) if weights.is_empty() => return None,
            HyperValue::ClassWeights(weights) => {
                weights.into_iter().map(single).collect::<Vec<Value>>().into()
            }
        };
        Some((parameter.key.to_string(), value))
    })
}
