//! Settings of the command line, which replace values of a recipe before it is read.

use std::str::FromStr;

use super::super::section::{COMMAND_LINE, Source, described, on_one_line, shortened};
use super::linear;
use crate::clustering::KMeans;
use crate::error::{Error, Result};
use crate::panics;

/// The most parts that a dotted path may have; the deepest key of a recipe, in blocks of layers that lie in
/// each other, has 21.
const MOST_PARTS: usize = 24;
/// The settings that choose the optimizer, the schedule, the kind of the model and what it is linear in: table and key, and
/// what is chosen where there is no such key. They are applied in this order, since each drops what goes with another
/// choice.
const CHOICES: [(&str, &str, Option<&str>); 4] = [
    ("optimizer", "name", None),
    ("schedule", "name", None),
    ("model", "kind", Some("network")),
    ("model", linear::FEATURES, None),
];

/// One `key=value`: a dotted path (entries of arrays by their index) and its new value.
///
/// `optimizer.name`, `schedule.name`, `model.kind` and `model.features` are special. Hyper-parameters of one optimizer,
/// schedule, kind of model or of features mean nothing to another, so choosing another one drops those of the recipe, but
/// the outputs of a linear fit and the clusters of k-means are as many as the outputs of the network before; they are
/// applied before all other settings.
#[derive(Clone, Debug, PartialEq)]
pub struct Override {
    path: String,
    value: toml::Value,
}

impl Override {
    /// The value `value` for the key at `path`, such as `train.epochs`.
    #[doc(hidden)]
    pub fn new(path: &str, value: impl Into<toml::Value>) -> Override {
        Override { path: path.to_string(), value: value.into() }
    }

    /// The new value, if it is a text.
    pub fn text(&self) -> Option<&str> {
        self.value.as_str()
    }

    /// The dotted path of its key.
    pub fn path(&self) -> &str {
        &self.path
    }
}

impl FromStr for Override {
    type Err = Error;

    /// Reads `optimizer.beta1=0.8`. What is no TOML value is taken as a text, so that texts need
    /// no quotes.
    fn from_str(text: &str) -> Result<Override> {
        let wrong = |key: &str| Error::Setting {
            place: COMMAND_LINE.to_string(),
            key: key.to_string(),
            expected: "KEY=VALUE with a dotted key, such as optimizer.beta1=0.8".to_string(),
            found: format!("`{}`", shortened(text)),
        };
        let Some((path, value)) = text.split_once('=') else { return Err(wrong("--set")) };
        let (path, value) = (path.trim(), value.trim());
        if path.split('.').any(str::is_empty) || path.split('.').count() > MOST_PARTS {
            return Err(wrong("--set"));
        }
        // A value at which the parser fails is a text, too.
        let parsed = panics::caught(|| value.parse()).ok().and_then(std::result::Result::ok);
        Ok(Override::new(path, parsed.unwrap_or_else(|| toml::Value::from(value))))
    }
}

/// Writes every override into the table of a recipe and notes in `source` where it came from.
///
/// # Errors
/// [`Error::Setting`] for a path through something that is no table.
pub fn apply(table: &mut toml::Table, source: &mut Source, overrides: &[Override]) -> Result<()> {
    let is = |change: &Override, table, key| change.path.split_once('.') == Some((table, key));
    let choice = |change: &Override| CHOICES.iter().position(|(table, key, _)| is(change, *table, *key));
    let (mut first, rest): (Vec<_>, Vec<_>) = overrides.iter().partition(|change| choice(change).is_some());
    first.sort_by_key(|change| choice(change));
    for change in first.into_iter().chain(rest) {
        if let Some((chosen, key, default)) = choice(change).map(|index| CHOICES[index]) {
            drop_other(table, [chosen, key], default, &change.value);
        }
        set(table, source, change)?;
        source.mark_overridden(&change.path);
    }
    Ok(())
}

/// Empties a table if it has another value for this key, or by default, than the new one.
fn drop_other(table: &mut toml::Table, [chosen, key]: [&str; 2], default: Option<&str>, new: &toml::Value) {
    if let Some(toml::Value::Table(chosen)) = table.get_mut(chosen)
        && chosen.get(key).cloned().or(default.map(toml::Value::from)).as_ref() != Some(new)
    {
        if key == linear::FEATURES {
            return chosen.retain(|key, _| !linear::is_of_map(key));
        }
        let outputs = (key == "kind" && new.as_str() != default).then(|| outputs(chosen)).flatten();
        chosen.clear();
        let key = if new.as_str() == Some(KMeans::NAME) { "clusters" } else { "outputs" };
        chosen.extend(outputs.map(|outputs| (key.to_string(), outputs)));
    }
}

/// The outputs of a model: those of a linear fit, or the units of the last layer.
fn outputs(model: &toml::Table) -> Option<toml::Value> {
    let units = || model.get("layers")?.as_array()?.last()?.get("units");
    model.get("outputs").or_else(units).filter(|value| value.is_integer()).cloned()
}

fn set(table: &mut toml::Table, source: &mut Source, change: &Override) -> Result<()> {
    let (parents, key) = change.path.rsplit_once('.').unwrap_or(("", &change.path));
    let mut here = table;
    let mut end = 0;
    let mut parts = parents.split('.').filter(|part| !part.is_empty());
    while let Some(part) = parts.next() {
        end += part.len();
        if !here.contains_key(part) {
            // A misspelt table is a mistake of the command line, not of the file.
            source.mark_overridden(&change.path[..end]);
            here.insert(part.to_string(), toml::Table::new().into());
        }
        end += 1;
        here = match &mut here[part] {
            toml::Value::Table(inner) => inner,
            toml::Value::Array(entries) => {
                let index = parts.next();
                end += index.map_or(0, |index| index.len() + 1);
                entry(entries, index, part, change)?
            }
            other => return Err(no_table(change, part, &described(other))),
        };
    }
    here.insert(key.to_string(), change.value.clone());
    Ok(())
}

/// The table at the index that the path gives after the name of an array.
fn entry<'a>(
    entries: &'a mut [toml::Value],
    index: Option<&str>,
    array: &str,
    change: &Override,
) -> Result<&'a mut toml::Table> {
    let found = format!("an array of {}, whose entries are {array}.0, {array}.1 …", entries.len());
    let index = index.and_then(|index| index.parse::<usize>().ok());
    match index.and_then(|index| entries.get_mut(index)) {
        Some(toml::Value::Table(inner)) => Ok(inner),
        _ => Err(no_table(change, array, &found)),
    }
}

fn no_table(change: &Override, part: &str, found: &str) -> Error {
    Error::Setting {
        place: COMMAND_LINE.to_string(),
        key: on_one_line(&change.path),
        expected: format!("a table at `{}`", shortened(part)),
        found: found.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn applied(text: &str, settings: &[&str]) -> Result<String, String> {
        let mut table: toml::Table = text.parse().unwrap();
        let overrides: Result<Vec<Override>> = settings.iter().map(|text| text.parse()).collect();
        overrides
            .and_then(|overrides| apply(&mut table, &mut Source::new("a.toml"), &overrides))
            .map(|()| table.to_string())
            .map_err(|error| error.to_string())
    }

    #[test]
    fn values_keep_their_toml_type_and_the_rest_is_text() {
        let table =
            applied("", &["a=1", "b=0.5", "c=true", "d=mnist", "e=\"1\"", "f = 1e-3", "g=1\nh=2"]).unwrap();
        let expected = "a = 1\nb = 0.5\nc = true\nd = \"mnist\"\ne = \"1\"\nf = 0.001\n";
        assert!(table.starts_with(expected), "{table}");
        assert!(table.parse::<toml::Table>().unwrap()["g"].is_str(), "{table}");
    }

    #[test]
    fn paths_go_through_tables_and_arrays() {
        let text = "[[model.layers]]\nunits = 1\n[[model.layers]]\nunits = 2\n";
        let table = applied(text, &["model.layers.1.units=3", "train.epochs=4"]).unwrap();
        assert_eq!(
            table,
            "[[model.layers]]\nunits = 1\n\n[[model.layers]]\nunits = 3\n\n[train]\nepochs = 4\n"
        );
    }

    #[test]
    fn paths_that_lead_nowhere_are_refused() {
        let text = "name = 'a'\n[[model.layers]]\nunits = 1\n";
        let array =
            "expected a table at `layers`, found an array of 1, whose entries are layers.0, layers.1 …";
        for (setting, message) in [
            ("name.x=1", "command line: `name.x`: expected a table at `name`, found the text \"a\""),
            ("model.layers.1.units=3", &format!("command line: `model.layers.1.units`: {array}")),
            ("model.layers.units=3", &format!("command line: `model.layers.units`: {array}")),
        ] {
            assert_eq!(applied(text, &[setting]).unwrap_err(), message);
        }
        let long = applied(text, &[&format!("name.\nerror: {}=1", "x".repeat(9000))]).unwrap_err();
        assert!(long.len() < 500 && long.lines().count() == 1, "{long}");
        for setting in ["x", "=1", "a..b=1", ".a=1", "a.=1", &format!("{}b=1", "a.".repeat(60_000))] {
            assert!(applied(text, &[setting]).unwrap_err().contains("expected KEY=VALUE"), "{setting}");
        }
    }

    #[test]
    fn another_optimizer_drops_the_hyper_parameters_and_the_same_one_keeps_them() {
        let text = "[optimizer]\nname = \"adam\"\nbeta1 = 0.7\n";
        assert_eq!(applied(text, &["optimizer.name=adam"]).unwrap(), text);
        assert_eq!(
            applied(text, &["optimizer.momentum=0.8", "optimizer.name=momentum"]).unwrap(),
            "[optimizer]\nname = \"momentum\"\nmomentum = 0.8\n"
        );
    }

    #[test]
    fn another_kind_of_model_drops_the_layers_and_the_same_one_keeps_them() {
        let text = "[model]\nloss = \"huber\"\n";
        assert_eq!(
            applied(text, &["model.kind=network"]).unwrap(),
            "[model]\nloss = \"huber\"\nkind = \"network\"\n"
        );
        assert_eq!(
            applied(text, &["model.penalty=1", "model.kind=ridge"]).unwrap(),
            "[model]\nkind = \"ridge\"\npenalty = 1\n"
        );
        let layers = "[[model.layers]]\nunits = 20\n[[model.layers]]\nunits = 10\n";
        assert_eq!(applied(layers, &["model.kind=svm"]).unwrap(), "[model]\noutputs = 10\nkind = \"svm\"\n");
    }

    #[test]
    fn other_features_drop_the_settings_of_those_before() {
        let text = "[model]\nkind = \"ridge\"\nfeatures = \"polynomial\"\ndegree = 3\npenalty = 1\n";
        assert_eq!(applied(text, &["model.features=polynomial"]).unwrap(), text);
        assert_eq!(
            applied(text, &["model.gamma=0.5", "model.features=random-fourier"]).unwrap(),
            "[model]\nkind = \"ridge\"\nfeatures = \"random-fourier\"\npenalty = 1\ngamma = 0.5\n"
        );
        // The kind comes first, whatever the order.
        assert_eq!(
            applied(text, &["model.features=polynomial", "model.kind=lasso"]).unwrap(),
            "[model]\nkind = \"lasso\"\nfeatures = \"polynomial\"\n"
        );
    }

    #[test]
    fn another_schedule_drops_the_parameters_and_the_same_one_keeps_them() {
        let text = "[schedule]\nname = \"step\"\ngamma = 0.5\n";
        assert_eq!(applied(text, &["schedule.name=step"]).unwrap(), text);
        assert_eq!(applied(text, &["schedule.name=cosine"]).unwrap(), "[schedule]\nname = \"cosine\"\n");
        let sequence = "[[schedule.sequence]]\nname = \"cosine\"\n";
        assert_eq!(
            applied(sequence, &["schedule.warmup_epochs=1", "schedule.name=cosine"]).unwrap(),
            "[schedule]\nname = \"cosine\"\nwarmup_epochs = 1\n"
        );
    }
}
