//! What a checkpoint is of: what must be the same in the training that goes on from it.

use std::path::Path;

use serde::{Deserialize, Serialize};
use toml::Value;

use super::training_set::TrainingSet;
use crate::data::Samples;
use crate::foreign::{self, shortened};
use crate::model::{InitialFile, InitialState, Recipe};
use crate::optim::schedule::Span;
use crate::{Error, Result, panics};

/// The key that may be another one, where nothing that is done goes by it.
const EPOCHS: &str = "train.epochs";

/// The training of a checkpoint.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Identity {
    /// The version of the program that wrote it.
    pub program: String,
    /// The recipe as TOML, every value written out.
    pub recipe: String,
    /// The name of the data set.
    pub data: String,
    /// The file that gave the model its first parameters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub init: Option<InitialFile>,
    /// What the optimizer began with, if that was kept elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub init_optimizer: Option<InitialState>,
    train: Known,
    /// The validation part of a data set that has one.
    validation: Option<Known>,
    /// What the program that trains keeps beside it.
    pub options: serde_json::Value,
}

/// Samples that are known again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Known {
    samples: usize,
    shape: [usize; 3],
    /// CRC-32C.
    checksum: u32,
}

impl Known {
    pub(super) fn of(samples: &Samples) -> Known {
        Known { samples: samples.len(), shape: samples.shape(), checksum: samples.checksum() }
    }

    pub(super) fn text(&self) -> String {
        let [height, width, channels] = self.shape;
        format!(
            "{} samples of {height} x {width} x {channels} with checksum {:08x}",
            self.samples, self.checksum
        )
    }
}

impl Identity {
    pub(super) fn of(
        recipe: &Recipe,
        data: &TrainingSet,
        (init, init_optimizer): (Option<InitialFile>, Option<InitialState>),
        options: serde_json::Value,
    ) -> Identity {
        Identity {
            program: env!("CARGO_PKG_VERSION").into(),
            recipe: recipe.to_toml(),
            data: data.name.clone(),
            init,
            init_optimizer,
            train: Known::of(data.train),
            validation: data.validation.map(Known::of),
            options,
        }
    }

    /// Height, width and channels of a sample.
    pub fn input(&self) -> [usize; 3] {
        self.train.shape
    }

    /// What the checkpoint at `path` says.
    ///
    /// # Errors
    /// [`Error::Format`] if it says nothing of the kind.
    pub fn read(text: &str, path: &Path) -> Result<Identity> {
        foreign::json(text.as_bytes()).map_err(|fault| Error::Format {
            path: path.into(),
            place: "what it is of".into(),
            expected: fault.expected,
            found: fault.found,
        })
    }

    /// Takes from the training that goes on what a new command need not say again: what its parameters and its optimizer began
    /// with, which have changed since.
    pub(super) fn complete(&mut self, old: &Identity) {
        if self.init.is_none() {
            self.init = old.init.clone();
        }
        if self.init_optimizer.is_none() {
            self.init_optimizer = old.init_optimizer.clone();
        }
    }

    /// Checks that `new`, whose epochs have so many steps, can go on from the checkpoint of this training at `path`.
    ///
    /// # Errors
    /// [`Error::Setting`] with the key and both values; [`Error::Mismatch`] with what is different in the data.
    pub(super) fn check(&self, new: &Identity, recipe: &Recipe, span: Span, path: &Path) -> Result<()> {
        let place = path.display().to_string();
        self.check_same(new, EPOCHS, &place)?;
        let old = parse(&self.recipe, &place)?;
        let refused = |key: &str, expected: String, found: String| {
            let (place, key) = (place.clone(), key.into());
            Error::Setting { place, key, expected, found }
        };
        let epochs = old.get("train").and_then(|train| train.get("epochs")).and_then(Value::as_integer);
        let Some(epochs) = epochs.and_then(|epochs| u64::try_from(epochs).ok()) else { return Ok(()) };
        let own = recipe.train.epochs;
        if epochs != own as u64
            && let Some(why) = goes_by_length(recipe, span, epochs)
        {
            return Err(refused(
                EPOCHS,
                format!("{epochs}, as in the training that goes on, since {why}"),
                own.to_string(),
            ));
        }
        Ok(())
    }

    /// Checks that `new` is the same training, whatever the key `passed_over` says.
    ///
    /// # Errors
    /// Those of [`check`](Identity::check).
    pub(super) fn check_same(&self, new: &Identity, passed_over: &str, place: &str) -> Result<()> {
        if let Some((key, old, found)) = recipe_difference(&self.recipe, &new.recipe, passed_over, place)? {
            let (place, expected) = (place.into(), format!("{old}, as in the training that goes on"));
            return Err(Error::Setting { place, key, expected, found });
        }
        self.check_data(new, place)
    }

    fn check_data(&self, new: &Identity, place: &str) -> Result<()> {
        let validation = |of: &Identity| of.validation.as_ref().map_or("none".to_string(), Known::text);
        let init = |of: &Identity| {
            let text = |init: &InitialFile| format!("of {} with checksum {:08x}", init.path, init.checksum);
            of.init.as_ref().map_or("that were drawn".to_string(), text)
        };
        let checksum = |of: &Identity| of.init.as_ref().map(|init| init.checksum);
        if checksum(self) != checksum(new) {
            return Err(Error::Mismatch {
                what: format!("{place}: initial parameters"),
                expected: format!("those of the training that goes on, {}", init(self)),
                found: init(new),
            });
        }
        let state = |of: &Identity| of.init_optimizer.as_ref().map(|state| (state.checksum, state.steps));
        if state(self) != state(new) {
            let text = |of: &Identity| of.init_optimizer.as_ref().map_or("none".to_string(), state_text);
            return Err(Error::Mismatch {
                what: format!("{place}: what the optimizer begins with"),
                expected: format!("that of the training that goes on, {}", text(self)),
                found: text(new),
            });
        }
        let all = [
            ("data set", self.data.clone(), new.data.clone()),
            ("training samples", self.train.text(), new.train.text()),
            ("validation samples", validation(self), validation(new)),
        ];
        match all.into_iter().find(|(_, old, own)| old != own) {
            None => Ok(()),
            Some((what, old, own)) => Err(Error::Mismatch {
                what: format!("{place}: {what}"),
                expected: format!("those of the training that goes on, {}", shortened(&old)),
                found: shortened(&own),
            }),
        }
    }
}

fn state_text(state: &InitialState) -> String {
    let of = state.path.as_deref().map_or(String::new(), |path| format!("of {path} "));
    format!("{of}with checksum {:08x} after {} steps", state.checksum, state.steps)
}

fn parse(recipe: &str, place: &str) -> Result<toml::Table> {
    let refused =
        |message: &str| Error::Syntax { place: format!("{place}: recipe"), message: shortened(message) };
    // It may come from anywhere.
    let parsed = panics::caught(|| recipe.parse::<toml::Table>());
    let parsed = parsed.map_err(|panic| refused(&format!("what it says {panic}")))?;
    parsed.map_err(|error| refused(error.message()))
}

/// The first key in which two recipes, as TOML, differ, with the value of each; the key `passed_over` may differ.
///
/// # Errors
/// [`Error::Syntax`] of `place` if one of them is no TOML.
pub fn recipe_difference(
    old: &str,
    new: &str,
    passed_over: &str,
    place: &str,
) -> Result<Option<(String, String, String)>> {
    let [old, new] = [parse(old, place)?, parse(new, place)?].map(Value::Table);
    Ok(difference("", passed_over, &old, &new))
}

/// The first key whose values differ, and both; one key is passed over.
fn difference(key: &str, over: &str, old: &Value, own: &Value) -> Option<(String, String, String)> {
    let inner = |name: &str| if key.is_empty() { name.to_string() } else { format!("{key}.{name}") };
    match (old, own) {
        (Value::Table(old), Value::Table(own)) => {
            let names = old.keys().chain(own.keys().filter(|name| !old.contains_key(*name)));
            names.filter_map(|name| of_pair(&inner(name), over, old.get(name), own.get(name))).next()
        }
        (Value::Array(old), Value::Array(own)) => {
            let most = old.len().max(own.len());
            (0..most)
                .find_map(|place| of_pair(&inner(&place.to_string()), over, old.get(place), own.get(place)))
        }
        _ => of_pair(key, over, Some(old), Some(own)),
    }
}

fn of_pair(
    key: &str,
    over: &str,
    old: Option<&Value>,
    own: Option<&Value>,
) -> Option<(String, String, String)> {
    let is_nested = |value: &Value| matches!(value, Value::Table(_) | Value::Array(_));
    match (old, own) {
        _ if key == over || old == own => None,
        (Some(old), Some(own)) if is_nested(old) && old.same_type(own) => difference(key, over, old, own),
        _ => {
            let text =
                |value: Option<&Value>| value.map_or("none".into(), |value| shortened(&value.to_string()));
            Some((key.to_string(), text(old), text(own)))
        }
    }
}

/// Steps at which the settings of two lengths are compared, at most.
const COMPARED: u64 = 100_000;

/// Why the steps that are done would have been others with this number of epochs, if they would.
fn goes_by_length(recipe: &Recipe, span: Span, epochs: u64) -> Option<&'static str> {
    // A rule for the full batch alone has no search.
    if recipe.optimizer.rule().full_batch().is_some() {
        return Some("the search of its optimizer is laid out for so many");
    }
    let old = Span { steps: span.steps_per_epoch.saturating_mul(epochs), ..span };
    let both = old.steps.min(span.steps);
    let rate = recipe.optimizer.learning_rate;
    let at = |step, span| recipe.schedule.settings(step, span, rate, recipe.optimizer.rule().momentum());
    let mut steps = (1..=both).step_by(both.div_ceil(COMPARED).max(1) as usize).chain([both]);
    steps
        .any(|step| at(step, old) != at(step, span))
        .then_some("a schedule of it goes by the length of the run")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recipe(change: &str) -> Recipe {
        let overrides = [change.parse().unwrap()];
        Recipe::load("digits-mlp", &overrides).unwrap()
    }

    fn found(change: &str) -> Option<(String, String, String)> {
        let table = |recipe: &Recipe| Value::Table(recipe.to_toml().parse().unwrap());
        difference("", EPOCHS, &table(&recipe("train.seed=1")), &table(&recipe(change)))
    }

    #[test]
    fn what_differs_is_named_by_its_key() {
        let is = |key: &str, old: &str, own: &str| Some((key.into(), old.into(), own.into()));
        assert_eq!(found("train.seed=1"), None);
        assert_eq!(found("train.epochs=77"), None);
        assert_eq!(found("train.seed=2"), is("train.seed", "1", "2"));
        let layer = found("model.layers.0.units=5").unwrap();
        assert!(layer.0 == "model.layers.0.units" && layer.2 == "5", "{layer:?}");
        let stop = found("stop.loss=0.5").unwrap();
        assert!(stop.0.starts_with("stop") && stop.1 == "none", "{stop:?}");
    }

    #[test]
    fn epochs_may_change_where_nothing_goes_by_them() {
        let why = |changes: &[&str]| {
            let overrides: Vec<_> = changes.iter().map(|change| change.parse().unwrap()).collect();
            let recipe = Recipe::load("digits-mlp", &overrides).unwrap();
            let steps_per_epoch = 10;
            goes_by_length(&recipe, Span { steps: 10 * recipe.train.epochs as u64, steps_per_epoch }, 4)
        };
        assert_eq!(why(&["schedule.name=constant", "train.epochs=9"]), None);
        assert_eq!(why(&["schedule.name=plateau", "train.epochs=9"]), None);
        assert!(why(&["schedule.name=cosine", "train.epochs=9"]).unwrap().contains("schedule"));
        assert!(why(&["optimizer.name=lbfgs", "train.batch=all"]).unwrap().contains("search"));
        assert_eq!(why(&["optimizer.name=rprop", "train.batch=all", "train.epochs=9"]), None);
    }
}
