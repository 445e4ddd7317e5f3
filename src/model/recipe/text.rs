//! The texts that recipes are read from: those that are part of the binary, and files.

use std::borrow::Cow;
use std::ffi::OsStr;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::config::Recipe;
use super::overrides::{self, Override};
use super::write;
use crate::error::{Error, Result};
use crate::model::section::{COMMAND_LINE, Section, Source};
use crate::{panics, pipe};

/// The largest recipe file that is read, in bytes.
const LARGEST_FILE: u64 = 1 << 20;

/// Name and text of every built-in recipe; the first is what `fallline train` runs.
const BUILT_IN: [(&str, &str); 30] = [
    ("digits-mlp", include_str!("../../../recipes/digits-mlp.toml")),
    ("digits-cnn", include_str!("../../../recipes/digits-cnn.toml")),
    ("mnist-softmax", include_str!("../../../recipes/mnist-softmax.toml")),
    ("mnist-mlp", include_str!("../../../recipes/mnist-mlp.toml")),
    ("mnist-mlp-98", include_str!("../../../recipes/mnist-mlp-98.toml")),
    ("mnist-mlp-512", include_str!("../../../recipes/mnist-mlp-512.toml")),
    ("mnist-mlp-deep", include_str!("../../../recipes/mnist-mlp-deep.toml")),
    ("mnist-mlp-2048", include_str!("../../../recipes/mnist-mlp-2048.toml")),
    ("mnist-lenet5", include_str!("../../../recipes/mnist-lenet5.toml")),
    ("mnist-fast99", include_str!("../../../recipes/mnist-fast99.toml")),
    ("mnist-cnn", include_str!("../../../recipes/mnist-cnn.toml")),
    ("line", include_str!("../../../recipes/line.toml")),
    ("iris-logistic", include_str!("../../../recipes/iris-logistic.toml")),
    ("iris-mlp", include_str!("../../../recipes/iris-mlp.toml")),
    ("moons-mlp", include_str!("../../../recipes/moons-mlp.toml")),
    ("airline-window", include_str!("../../../recipes/airline-window.toml")),
    ("sunspots", include_str!("../../../recipes/sunspots.toml")),
    ("temperatures", include_str!("../../../recipes/temperatures.toml")),
    ("friedman-ridge", include_str!("../../../recipes/friedman-ridge.toml")),
    ("chars-transformer", include_str!("../../../recipes/chars-transformer.toml")),
    ("chars-transformer-best", include_str!("../../../recipes/chars-transformer-best.toml")),
    ("chars-lstm", include_str!("../../../recipes/chars-lstm.toml")),
    ("names-transformer", include_str!("../../../recipes/names-transformer.toml")),
    ("mnist-rows-lstm", include_str!("../../../recipes/mnist-rows-lstm.toml")),
    ("mnist-rows-gru", include_str!("../../../recipes/mnist-rows-gru.toml")),
    ("mnist-pixels-gru", include_str!("../../../recipes/mnist-pixels-gru.toml")),
    ("mnist-vit", include_str!("../../../recipes/mnist-vit.toml")),
    ("adding", include_str!("../../../recipes/adding.toml")),
    ("copy", include_str!("../../../recipes/copy.toml")),
    ("recommend", include_str!("../../../recipes/recommend.toml")),
];

/// The text of a recipe, of which several may be made that differ in what changes them. It is read once: a
/// pipe gives it only once.
pub struct RecipeText {
    text: Cow<'static, str>,
    /// What errors call it.
    place: String,
    /// The folder of the file, where paths of data may begin.
    folder: Option<PathBuf>,
}

impl RecipeText {
    /// That of a file (a path with a folder or with the ending `.toml`) or of the built-in recipe of this
    /// name.
    ///
    /// # Errors
    /// [`Error::Unknown`], [`Error::Io`], or [`Error::Format`] for a file that is too large.
    pub fn read(name_or_path: impl AsRef<OsStr>) -> Result<RecipeText> {
        let name_or_path = name_or_path.as_ref();
        if let Some(path) = Recipe::path(name_or_path) {
            let folder = path.parent().map(Path::to_path_buf);
            return Ok(RecipeText {
                text: read_file(path)?.into(),
                place: path.display().to_string(),
                folder,
            });
        }
        // No built-in name has letters that get lost here.
        let name = name_or_path.to_string_lossy();
        let (text, place) = (Recipe::built_in_text(&name)?.into(), place_of_built_in(&name));
        Ok(RecipeText { text, place, folder: None })
    }

    /// The recipe, changed by `overrides`.
    ///
    /// # Errors
    /// As [`Recipe::parse_with`].
    pub fn recipe(&self, overrides: &[Override]) -> Result<Recipe> {
        let mut recipe = Recipe::parse_with(&self.text, &self.place, overrides)?;
        if let Some(table) = &mut recipe.data.table {
            table.folder = self.folder.clone();
        }
        if let Some(text) = &mut recipe.data.text {
            text.folder = self.folder.clone();
        }
        Ok(recipe)
    }
}

impl Recipe {
    /// The names of the built-in recipes, the default one first.
    pub fn built_in_names() -> Vec<&'static str> {
        BUILT_IN.iter().map(|(name, _)| *name).collect()
    }

    /// The commented text of a built-in recipe.
    ///
    /// # Errors
    /// [`Error::Unknown`] with the nearest name.
    pub fn built_in_text(name: &str) -> Result<&'static str> {
        let found = BUILT_IN.iter().find(|(known, _)| *known == name);
        found
            .map(|(_, text)| *text)
            .ok_or_else(|| Error::unknown(COMMAND_LINE, "recipe", name, Recipe::built_in_names()))
    }

    /// A built-in recipe.
    ///
    /// # Errors
    /// [`Error::Unknown`] with the nearest name.
    pub fn built_in(name: &str) -> Result<Recipe> {
        Recipe::parse(Recipe::built_in_text(name)?, &place_of_built_in(name))
    }

    /// The recipe of a TOML text; `place` is what errors call the text.
    ///
    /// # Errors
    /// [`Error::Syntax`], [`Error::Setting`] or [`Error::Unknown`], naming the key.
    pub fn parse(text: &str, place: &str) -> Result<Recipe> {
        Recipe::parse_with(text, place, &[])
    }

    /// The recipe of a TOML text, changed by `overrides`.
    ///
    /// # Errors
    /// As [`Recipe::parse`]; errors about overridden keys name the command line.
    pub fn parse_with(text: &str, place: &str, overrides: &[Override]) -> Result<Recipe> {
        let (mut table, mut source) = (parse_table(text, place)?, Source::new(place));
        overrides::apply(&mut table, &mut source, overrides)?;
        Recipe::read(Section::root(table, &source), None)
    }

    /// The recipe of a file (a path with a folder or with the ending `.toml`) or the built-in one
    /// of that name, changed by `overrides`.
    ///
    /// # Errors
    /// As [`Recipe::parse_with`]; also [`Error::Io`], or [`Error::Format`] for a file that is too large.
    pub fn load(name_or_path: impl AsRef<OsStr>, overrides: &[Override]) -> Result<Recipe> {
        RecipeText::read(name_or_path)?.recipe(overrides)
    }

    /// The path, if [`Recipe::load`] takes it for one and not for a built-in name.
    pub fn path(name_or_path: &OsStr) -> Option<&Path> {
        let bytes = name_or_path.as_encoded_bytes();
        let is_path =
            bytes.ends_with(b".toml") || bytes.iter().any(|&byte| std::path::is_separator(byte.into()));
        is_path.then(|| Path::new(name_or_path))
    }

    /// The recipe as TOML, with every default written out: [`Recipe::parse`] reads it back equal.
    pub fn to_toml(&self) -> String {
        write::to_toml(self)
    }
}

fn place_of_built_in(name: &str) -> String {
    format!("built-in recipe {name}")
}

fn read_file(path: &Path) -> Result<String> {
    let file = pipe::open(path).map_err(Error::io(path, "open"))?;
    let mut bytes = Vec::new();
    file.take(LARGEST_FILE + 1).read_to_end(&mut bytes).map_err(Error::io(path, "read"))?;
    let wrong = |place: &str, expected: &str, found: String| Error::Format {
        path: path.to_path_buf(),
        place: place.to_string(),
        expected: expected.to_string(),
        found,
    };
    if bytes.len() as u64 > LARGEST_FILE {
        let expected = format!("a recipe of at most {} MiB", LARGEST_FILE >> 20);
        return Err(wrong("file", &expected, "more".to_string()));
    }
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        wrong(&format!("byte {at}"), "a recipe in UTF-8", format!("byte 0x{:02x}", error.as_bytes()[at]))
    })
}

pub(super) fn parse_table(text: &str, place: &str) -> Result<toml::Table> {
    let parsed = panics::caught(|| text.parse()).map_err(|panic| {
        let message = format!("what it says {panic}");
        Error::Syntax { place: place.to_string(), message }
    })?;
    parsed.map_err(|error| syntax_error(text, place, &error))
}

fn syntax_error(text: &str, place: &str, error: &toml::de::Error) -> Error {
    // A span may end beyond the text; its start is a character boundary of the text or its end.
    let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or("");
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().map_or(0, |last| last.chars().count()) + 1;
    let message = format!("line {line}, column {column}: {}", error.message().replace('\n', "; "));
    Error::Syntax { place: place.to_string(), message }
}
