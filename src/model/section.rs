//! A reader over one table of a recipe that knows where the table stands, so that every error can
//! name the file (or the command line) and the full dotted key.
//!
//! Getters take their value out of the table; [`Section::finish`] then refuses whatever is left.

use std::collections::BTreeSet;

use crate::error::{Error, Result};
use crate::foreign;
use crate::layers::LayerKind;
use crate::losses::LossKind;

pub use crate::hyper::{
    Range, above, at_least_one, between, finite, integer_text, non_negative, positive, unit, unit_inner,
    unit_open, unit_positive,
};

/// Where the values of a recipe came from.
#[derive(Clone, Debug)]
pub struct Source {
    place: String,
    overridden: BTreeSet<String>,
    own_loss: Option<&'static LossKind>,
    own_layers: Vec<&'static LayerKind>,
}

/// The place that errors name for keys set by `--set` and its shorthands.
pub const COMMAND_LINE: &str = "command line";

impl Source {
    /// Values that all come from `place`: a recipe file, or "built-in recipe mnist-mlp".
    pub fn new(place: impl Into<String>) -> Source {
        Source { place: place.into(), overridden: BTreeSet::new(), own_loss: None, own_layers: Vec::new() }
    }

    /// With a loss and layers that may be named besides those that all recipes may name.
    pub fn with_own(self, loss: &'static LossKind, layers: Vec<&'static LayerKind>) -> Source {
        Source { own_loss: Some(loss), own_layers: layers, ..self }
    }

    /// Notes that the value at this dotted path was set on the command line.
    pub fn mark_overridden(&mut self, path: &str) {
        self.overridden.insert(path.to_string());
    }

    /// The place of the value at this dotted path.
    pub fn place_of(&self, path: &str) -> &str {
        let ends_within = |prefix: &String| {
            path.strip_prefix(prefix.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        if self.overridden.iter().any(ends_within) { COMMAND_LINE } else { &self.place }
    }
}

/// One table of a recipe, with its dotted path.
#[derive(Debug)]
pub struct Section<'a> {
    table: toml::Table,
    path: String,
    source: &'a Source,
    known: Vec<&'static str>,
}

impl<'a> Section<'a> {
    /// The outermost table of a recipe.
    pub fn root(table: toml::Table, source: &'a Source) -> Section<'a> {
        Section { table, path: String::new(), source, known: Vec::new() }
    }

    /// The layers that may be named besides those that all recipes may name.
    pub fn own_layers(&self) -> &'a [&'static LayerKind] {
        &self.source.own_layers
    }

    /// The loss that may be named besides those that all recipes may name.
    pub fn own_loss(&self) -> Option<&'static LossKind> {
        self.source.own_loss
    }

    /// Whether the table has this key and nobody has read it yet.
    pub fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    /// Whether the value of this key is an integer.
    pub fn is_integer(&self, key: &str) -> bool {
        self.table.get(key).is_some_and(toml::Value::is_integer)
    }

    /// Whether the value of this key is a text.
    pub fn is_text(&self, key: &str) -> bool {
        self.table.get(key).is_some_and(toml::Value::is_str)
    }

    /// A text that must be there. `expected` says what it is for.
    pub fn text(&mut self, key: &'static str, expected: &str) -> Result<String> {
        match self.take(key) {
            Some(toml::Value::String(text)) => Ok(text),
            Some(other) => Err(self.wrong(key, expected, &other)),
            None => Err(self.setting(key, expected, "nothing")),
        }
    }

    /// A text that may be missing.
    pub fn text_or(&mut self, key: &'static str, default: &str) -> Result<String> {
        if self.has(key) { self.text(key, "a text") } else { Ok(self.missing(key, default.to_string())) }
    }

    /// Texts, at most `most`: an array of them, or one text with commas between them; numbers are taken as they are
    /// written. What is missing reads as none.
    pub fn texts(&mut self, key: &'static str, most: usize) -> Result<Vec<String>> {
        let expected = format!("a text, or an array of at most {most} texts");
        let values = match self.take(key) {
            None => return Ok(Vec::new()),
            Some(toml::Value::String(text)) => {
                let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
                parts.map(toml::Value::from).collect()
            }
            Some(toml::Value::Array(values)) => values,
            Some(number @ (toml::Value::Integer(_) | toml::Value::Float(_))) => vec![number],
            Some(other) => return Err(self.wrong(key, &expected, &other)),
        };
        if values.len() > most {
            return Err(self.setting(key, &expected, &format!("{} of them", values.len())));
        }
        let text = |value: toml::Value| match value {
            toml::Value::String(text) => Ok(text),
            toml::Value::Integer(integer) => Ok(integer.to_string()),
            toml::Value::Float(number) => Ok(number.to_string()),
            other => Err(self.wrong(key, &expected, &other)),
        };
        values.into_iter().map(text).collect()
    }

    /// The entries of a table whose keys are names from elsewhere; a missing one reads as an empty one.
    pub fn entries(&mut self, key: &'static str) -> Result<Vec<(String, toml::Value)>> {
        match self.take(key) {
            None => Ok(Vec::new()),
            Some(toml::Value::Table(table)) => Ok(table.into_iter().collect()),
            Some(other) => Err(self.wrong(key, "a table", &other)),
        }
    }

    /// A number of the range; integers are taken as numbers.
    pub fn number(&mut self, key: &'static str, default: f64, range: Range) -> Result<f64> {
        Ok(self.optional_number(key, range)?.unwrap_or(default))
    }

    /// A number of the range that may be missing.
    pub fn optional_number(&mut self, key: &'static str, range: Range) -> Result<Option<f64>> {
        let Some(value) = self.take(key) else { return Ok(None) };
        let number = match value {
            toml::Value::Float(number) => number,
            // Integers beyond 2^53 are rounded, as Rust rounds a literal.
            toml::Value::Integer(integer) => integer as f64,
            other => return Err(self.wrong(key, range.text(), &other)),
        };
        if !range.contains(number) {
            return Err(self.setting(key, range.text(), &number.to_string()));
        }
        Ok(Some(number))
    }

    /// [`Section::single`] of what may be missing.
    pub fn optional_single(&mut self, key: &'static str, range: Range) -> Result<Option<f32>> {
        let number = self.optional_number(key, range)?;
        number.map(|number| self.rounded(key, number, range)).transpose()
    }

    /// A number that must still lie in the range, and be finite, once rounded to single precision.
    pub fn single(&mut self, key: &'static str, default: f32, range: Range) -> Result<f32> {
        let Some(number) = self.optional_number(key, range)? else { return Ok(default) };
        self.rounded(key, number, range)
    }

    /// At most `most` numbers, each as [`Section::single`] takes it; an array that may be missing.
    pub fn singles(&mut self, key: &'static str, most: usize, range: Range) -> Result<Option<Vec<f32>>> {
        let expected = format!("an array of at most {most} numbers");
        let values = match self.take(key) {
            None => return Ok(None),
            Some(toml::Value::Array(values)) if values.len() <= most => values,
            Some(other) => return Err(self.wrong(key, &expected, &other)),
        };
        let single = |(index, value)| {
            let key = format!("{key}.{index}");
            let number = match value {
                toml::Value::Float(number) => number,
                toml::Value::Integer(integer) => integer as f64,
                other => return Err(self.wrong(&key, range.text(), &other)),
            };
            if !range.contains(number) {
                return Err(self.setting(&key, range.text(), &number.to_string()));
            }
            self.rounded(&key, number, range)
        };
        values.into_iter().enumerate().map(single).collect::<Result<_>>().map(Some)
    }

    /// A number of the range, rounded to single precision, if it is still in the range then.
    fn rounded(&self, key: &str, number: f64, range: Range) -> Result<f32> {
        let single = number as f32;
        if !range.contains(f64::from(single)) {
            let expected = format!("{} in single precision", range.text());
            return Err(self.setting(key, &expected, &format!("{number:e}")));
        }
        Ok(single)
    }

    /// At most `most` numbers of the range; a missing array reads as an empty one.
    pub fn numbers(&mut self, key: &'static str, most: usize, range: Range) -> Result<Vec<f64>> {
        let expected = format!("an array of at most {most}, each {}", range.text());
        let values = match self.take(key) {
            None => return Ok(Vec::new()),
            Some(toml::Value::Array(values)) if values.len() <= most => values,
            Some(other) => return Err(self.wrong(key, &expected, &other)),
        };
        let number = |value: &toml::Value| {
            let number = value.as_float().or_else(|| value.as_integer().map(|integer| integer as f64));
            number.filter(|number| range.contains(*number))
        };
        values.iter().map(|value| number(value).ok_or_else(|| self.wrong(key, &expected, value))).collect()
    }

    /// An integer between `low` and `high`, both included.
    pub fn integer(&mut self, key: &'static str, default: usize, low: usize, high: usize) -> Result<usize> {
        Ok(self.optional_integer(key, low, high)?.unwrap_or(default))
    }

    /// An integer between `low` and `high`, both included, that must be there.
    pub fn required_integer(&mut self, key: &'static str, low: usize, high: usize) -> Result<usize> {
        let expected = integer_text(low, high);
        self.optional_integer(key, low, high)?.ok_or_else(|| self.setting(key, &expected, "nothing"))
    }

    /// An integer between `low` and `high`, both included, that may be missing.
    pub fn optional_integer(&mut self, key: &'static str, low: usize, high: usize) -> Result<Option<usize>> {
        let Some(value) = self.take(key) else { return Ok(None) };
        let expected = integer_text(low, high);
        let toml::Value::Integer(integer) = value else { return Err(self.wrong(key, &expected, &value)) };
        match usize::try_from(integer) {
            Ok(integer) if (low..=high).contains(&integer) => Ok(Some(integer)),
            _ => Err(self.setting(key, &expected, &integer.to_string())),
        }
    }

    /// An integer, or an array of as many as one of `lengths` says, each between `low` and `high`, both included;
    /// it may be missing. `expected` says so in words.
    pub fn integers(
        &mut self,
        key: &'static str,
        lengths: &[usize],
        [low, high]: [usize; 2],
        expected: &str,
    ) -> Result<Option<Vec<usize>>> {
        let Some(value) = self.take(key) else { return Ok(None) };
        let within = |value: &toml::Value| {
            let integer = value.as_integer().and_then(|integer| usize::try_from(integer).ok());
            integer.filter(|integer| (low..=high).contains(integer))
        };
        let values = match value {
            toml::Value::Array(values) if lengths.contains(&values.len()) => values,
            toml::Value::Integer(integer) => {
                let one = within(&value).map(|one| Some(vec![one]));
                return one.ok_or_else(|| self.setting(key, expected, &integer.to_string()));
            }
            other => return Err(self.wrong(key, expected, &other)),
        };
        let one = |(index, value): (usize, &toml::Value)| {
            let refused = || self.wrong(&format!("{key}.{index}"), &integer_text(low, high), value);
            within(value).ok_or_else(refused)
        };
        values.iter().enumerate().map(one).collect::<Result<_>>().map(Some)
    }

    /// The seed of a random stream: any integer of at least 0 that TOML can write.
    pub fn seed(&mut self, key: &'static str, default: u64) -> Result<u64> {
        let expected = "an integer of at least 0";
        match self.take(key) {
            None => Ok(default),
            Some(toml::Value::Integer(seed)) => {
                u64::try_from(seed).map_err(|_| self.setting(key, expected, &seed.to_string()))
            }
            Some(other) => Err(self.wrong(key, expected, &other)),
        }
    }

    /// `true` or `false`.
    pub fn boolean(&mut self, key: &'static str, default: bool) -> Result<bool> {
        match self.take(key) {
            None => Ok(default),
            Some(toml::Value::Boolean(value)) => Ok(value),
            Some(other) => Err(self.wrong(key, "true or false", &other)),
        }
    }

    /// One of `names`; `kind` is what they are names of. Without a default the key must be there.
    pub fn choice(
        &mut self,
        key: &'static str,
        kind: &'static str,
        default: Option<&'static str>,
        names: &[&'static str],
    ) -> Result<&'static str> {
        if let (Some(default), false) = (default, self.has(key)) {
            return Ok(self.missing(key, default));
        }
        let expected = format!("one of {}", names.join(", "));
        let name = self.text(key, &expected)?;
        names.iter().copied().find(|known| *known == name).ok_or_else(|| {
            let path = self.path_of(key);
            let place = format!("{}: `{path}`", self.source.place_of(&path));
            Error::unknown(place, kind, &shortened(&name), names.iter().copied())
        })
    }

    /// The table under this key; a missing one reads as an empty one.
    pub fn table(&mut self, key: &'static str) -> Result<Section<'a>> {
        match self.take(key) {
            None => Ok(self.child(key, toml::Table::new())),
            Some(toml::Value::Table(table)) => Ok(self.child(key, table)),
            Some(other) => Err(self.wrong(key, "a table", &other)),
        }
    }

    /// The tables of the array under this key, of which there are at most `most`; a missing array
    /// reads as an empty one. The path of each ends with its index.
    pub fn tables(&mut self, key: &'static str, most: usize) -> Result<Vec<Section<'a>>> {
        let expected = format!("an array of at most {most} tables");
        let values = match self.take(key) {
            None => return Ok(Vec::new()),
            Some(toml::Value::Array(values)) => values,
            Some(other) => return Err(self.wrong(key, &expected, &other)),
        };
        if values.len() > most {
            return Err(self.setting(key, &expected, &format!("{} entries", values.len())));
        }
        let section = |(index, value)| match value {
            toml::Value::Table(table) => Ok(self.child(&format!("{key}.{index}"), table)),
            other => Err(self.wrong(key, &expected, &other)),
        };
        values.into_iter().enumerate().map(section).collect()
    }

    /// A thing that is a name, or a table with a `type` and parameters: both read as such a table.
    pub fn named(&mut self, key: &'static str) -> Result<Option<Section<'a>>> {
        match self.take(key) {
            None => Ok(None),
            Some(toml::Value::Table(table)) => Ok(Some(self.child(key, table))),
            Some(name @ toml::Value::String(_)) => {
                Ok(Some(self.child(key, toml::Table::from_iter([("type".to_string(), name)]))))
            }
            Some(other) => Err(self.wrong(key, "a name or a table with a `type`", &other)),
        }
    }

    /// Refuses the first key that nobody asked for.
    pub fn finish(self) -> Result<()> {
        let Some(key) = self.table.keys().next() else { return Ok(()) };
        let place = self.source.place_of(&self.path_of(key));
        // The nearest key is found among the bare keys: a shared prefix would make all look near.
        let mut error = Error::unknown(place, "key", &shortened(key), self.known.iter().copied());
        if let Error::Unknown { name, nearest, known, .. } = &mut error {
            *name = self.path_of(name);
            *nearest = nearest.as_deref().map(|nearest| self.path_of(nearest));
            known.iter_mut().for_each(|known| *known = self.path_of(known));
        }
        Err(error)
    }

    /// An error about the value of this key.
    pub fn setting(&self, key: &str, expected: &str, found: &str) -> Error {
        let key = self.path_of(key);
        let place = self.source.place_of(&key).to_string();
        Error::Setting { place, key, expected: expected.to_string(), found: found.to_string() }
    }

    fn wrong(&self, key: &str, expected: &str, found: &toml::Value) -> Error {
        self.setting(key, expected, &described(found))
    }

    fn take(&mut self, key: &'static str) -> Option<toml::Value> {
        self.known.push(key);
        self.table.remove(key)
    }

    /// Notes a key that may be there and is not.
    fn missing<T>(&mut self, key: &'static str, default: T) -> T {
        self.known.push(key);
        default
    }

    fn child(&self, key: &str, table: toml::Table) -> Section<'a> {
        Section { table, path: self.path_of(key), source: self.source, known: Vec::new() }
    }

    fn path_of(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_string() } else { format!("{}.{key}", self.path) }
    }
}

/// A value as an error message shows it: its type, and the value itself if it is short to say.
pub fn described(value: &toml::Value) -> String {
    match value {
        toml::Value::String(text) => format!("the text \"{}\"", shortened(text)),
        toml::Value::Integer(integer) => format!("the integer {integer}"),
        toml::Value::Float(number) => format!("the number {number}"),
        toml::Value::Boolean(value) => value.to_string(),
        toml::Value::Datetime(time) => format!("the time {time}"),
        toml::Value::Array(values) => format!("an array of {}", values.len()),
        toml::Value::Table(_) => "a table".to_string(),
    }
}

/// At most 40 characters of a text that somebody else wrote, without control characters.
pub fn shortened(text: &str) -> String {
    const MOST: usize = 40;
    let clean = |c: char| if c.is_control() { '\u{fffd}' } else { c };
    let mut short: String = text.chars().take(MOST).map(clean).collect();
    if text.chars().nth(MOST).is_some() {
        short.push('…');
    }
    short
}

/// A text with names of any length as a message can hold it.
pub fn on_one_line(text: &str) -> String {
    foreign::line(text, 160)
}

#[cfg(test)]
mod tests;
