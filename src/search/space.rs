//! The keys of a recipe that are searched, checked against it.

use toml::Value;

use super::range::{Over, Range, refused};
use crate::model::Recipe;
use crate::model::recipe::Override;
use crate::{Error, Result};

/// The most keys.
const MOST_KEYS: usize = 64;

/// The most corners of the ranges that are read as recipes before a search begins.
const MOST_CORNERS: usize = 256;

/// Keys of `data` that change what a network sees of samples, and not the samples.
const OF_DATA: [&str; 3] = ["data.mean", "data.deviation", "data.scale"];

/// The keys that are searched, each with its range.
#[derive(Clone, Debug, PartialEq)]
pub struct Space {
    pub overs: Vec<Over>,
}

impl Space {
    /// These keys of a recipe. Ranges of integers become ranges of all numbers between them where the key takes such.
    ///
    /// # Errors
    /// [`Error::Unknown`] for a key that the recipe does not have, with the nearest; [`Error::Setting`] for one that a
    /// search cannot change, for one that is given twice, or for a value at the end of a range, or in a list, that the
    /// recipe refuses.
    pub fn new(recipe: &Recipe, overs: Vec<Over>) -> Result<Space> {
        if overs.len() > MOST_KEYS {
            return Err(refused("--over", &format!("at most {MOST_KEYS} keys"), &overs.len().to_string()));
        }
        for (index, over) in overs.iter().enumerate() {
            if let Some(reason) = unchangeable(&over.key) {
                return Err(refused(&over.key, &format!("a setting of the training: {reason}"), &over.text));
            }
            let is_within = |a: &str, b: &str| a == b || a.starts_with(&format!("{b}."));
            let other = |other: &&Over| is_within(&over.key, &other.key) || is_within(&other.key, &over.key);
            if let Some(other) = overs[..index].iter().find(other) {
                return Err(refused(&over.key, "each key once, and none within another", &other.key));
            }
        }
        let mut space = Space { overs };
        for index in 0..space.overs.len() {
            space.take_numbers(recipe, index);
        }
        for corner in space.corners() {
            space.recipe(recipe, &corner)?;
        }
        Ok(space)
    }

    /// Makes a range of integers one of numbers, if the recipe takes a number between two of them.
    fn take_numbers(&mut self, recipe: &Recipe, index: usize) {
        let Range::Integers { low, .. } = self.overs[index].range else { return };
        let mut other = self.clone();
        other.overs[index].range = Range::List(vec![Value::Float(low as f64 + 0.5)]);
        let first: Vec<f64> = other.overs.iter().map(|over| over.range.ends()[0]).collect();
        if other.recipe(recipe, &first).is_ok() {
            self.overs[index].range = self.overs[index].range.of_numbers();
        }
    }

    /// How many keys there are.
    pub fn keys(&self) -> usize {
        self.overs.len()
    }

    /// The values at a place, `[keys]`.
    pub fn values(&self, place: &[f64]) -> Vec<Value> {
        self.overs.iter().zip(place).map(|(over, &place)| over.range.value(place)).collect()
    }

    /// The place of the values at a place, `[keys]`.
    pub fn snapped(&self, place: &[f64]) -> Vec<f64> {
        self.overs.iter().zip(place).map(|(over, &place)| over.range.snapped(place)).collect()
    }

    /// The recipe with the values at a place, `[keys]`.
    ///
    /// # Errors
    /// If it refuses them.
    pub fn recipe(&self, recipe: &Recipe, place: &[f64]) -> Result<Recipe> {
        let keys = self.overs.iter().map(|over| over.key.as_str());
        let changes: Vec<Override> =
            keys.zip(self.values(place)).map(|(key, value)| Override::new(key, value)).collect();
        let name = format!("recipe {}", recipe.name);
        let mut changed = Recipe::parse_with(&recipe.to_toml(), &name, &changes).map_err(with_values)?;
        if let (Some(to), Some(from)) = (&mut changed.data.table, &recipe.data.table) {
            to.folder.clone_from(&from.folder);
        }
        if let (Some(to), Some(from)) = (&mut changed.data.text, &recipe.data.text) {
            to.folder.clone_from(&from.folder);
        }
        Ok(changed)
    }

    /// Places in the corners: each end of each range and each value of each list at least once, and as many of their
    /// combinations as are few enough.
    pub fn corners(&self) -> Vec<Vec<f64>> {
        let ends: Vec<Vec<f64>> = self.overs.iter().map(|over| over.range.ends()).collect();
        let all = ends.iter().map(Vec::len).try_fold(1usize, |all, ends| all.checked_mul(ends));
        if all.is_some_and(|all| all <= MOST_CORNERS) {
            return combined(&ends);
        }
        let of_key = |key: usize| {
            let ends = &ends;
            ends[key].iter().map(move |&end| {
                let mut corner: Vec<f64> = ends.iter().map(|ends| ends[0]).collect();
                corner[key] = end;
                corner
            })
        };
        (0..ends.len()).flat_map(of_key).collect()
    }
}

/// All combinations of one of each, the last changing first.
pub(super) fn combined(of: &[Vec<f64>]) -> Vec<Vec<f64>> {
    of.iter().fold(vec![Vec::new()], |before, next| {
        let with = |begun: &Vec<f64>| {
            let begun = begun.clone();
            next.iter().map(move |&value| begun.iter().copied().chain([value]).collect::<Vec<f64>>())
        };
        before.iter().flat_map(with).collect()
    })
}

/// Why a search cannot change a key; none if it can.
fn unchangeable(key: &str) -> Option<&'static str> {
    let table = key.split('.').next().unwrap_or(key);
    match table {
        "name" | "summary" | "target" | "target_loss" | "reproduce" => Some("this one changes no network"),
        "data" if !OF_DATA.contains(&key) => {
            Some("all trials share one data set, which is loaded once; --set changes it for all")
        }
        _ if key == "train.seed" => Some("all trials have the recipe's seed, which --set changes"),
        _ if key == "stop.seconds" => Some("a result should not depend on the clock"),
        _ => None,
    }
}

/// The message with the option that was meant.
fn with_values(error: Error) -> Error {
    match error {
        Error::Setting { place, key, expected, found } if place == "command line" => {
            Error::Setting { place, key: format!("--over {key}"), expected, found }
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn space(overs: &[&str]) -> Result<Space, String> {
        let recipe = Recipe::built_in("digits-mlp").unwrap();
        let overs = overs.iter().map(|text| text.parse().unwrap()).collect();
        Space::new(&recipe, overs).map_err(|error| error.to_string())
    }

    #[test]
    fn integers_are_kept_where_the_key_is_one() {
        let space = space(&["train.epochs=1..10", "optimizer.beta1=0..1", "optimizer.learning_rate=1..2"]);
        assert!(space.as_ref().is_err_and(|error| error.contains("beta1")), "1 is no beta: {space:?}");
        let space = super::tests::space(&["train.epochs=1..10", "optimizer.learning_rate=0..1"]).unwrap();
        assert!(matches!(space.overs[0].range, Range::Integers { .. }));
        assert!(matches!(space.overs[1].range, Range::Numbers { .. }));
        let recipe = Recipe::built_in("digits-mlp").unwrap();
        let changed = space.recipe(&recipe, &[1.0, 0.5]).unwrap();
        assert_eq!((changed.train.epochs, changed.optimizer.learning_rate), (10, 0.5));
        assert_eq!(changed.model, recipe.model);
    }

    #[test]
    fn keys_are_checked_before_anything_is_trained() {
        for (overs, reason) in [
            (&["optimizer.learning_rat=1e-4..1"][..], "did you mean `optimizer.learning_rate`?"),
            (&["optimiser.name=adam,sgd"], "did you mean `optimizer`?"),
            (&["name=a,b"], "changes no network"),
            (&["data.seed=1,2"], "loaded once"),
            (&["data.set=mnist,digits"], "loaded once"),
            (&["train.seed=1..9"], "the recipe's seed"),
            (&["stop.seconds=1..9"], "the clock"),
            (&["train.batch=32,64", "train.batch=1,2"], "each key once"),
            (&["optimizer.name=adam,sgd", "optimizer=1,2"], "each key once"),
            (
                &["optimizer.beta1=0.5..1.5"],
                "--over optimizer.beta1`: expected a number in [0, 1), found 1.5",
            ),
            (&["optimizer.name=adam,adamm"], "did you mean `adam`?"),
            (&["train.batch=0,64"], "expected an integer from 1"),
            // One of the two does not have that key.
            (&["optimizer.name=adam,sgd", "optimizer.beta1=0.8,0.9"], "unknown key `optimizer.beta1`"),
        ] {
            let message = space(overs).unwrap_err();
            assert!(message.contains(reason), "{overs:?}: {message}");
        }
        space(&["data.mean=0..0.2", "model.layers.0.units=16..128:log", "gradient.clip_norm=1..5"]).unwrap();
    }

    #[test]
    fn every_end_and_every_value_is_in_a_corner() {
        let few = space(&["train.batch=32,64,128", "train.epochs=1..3"]).unwrap();
        assert_eq!(few.corners().len(), 6);
        let list = (1..=300).map(|batch| batch.to_string()).collect::<Vec<_>>().join(",");
        let many = space(&[&format!("train.batch={list}"), "train.epochs=1..3"]).unwrap();
        assert_eq!(many.corners().len(), 302);
    }
}
