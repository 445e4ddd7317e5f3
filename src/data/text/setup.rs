//! What is to become of a text.

use std::path::{Path, PathBuf};

use super::vocabulary::Vocabulary;
use crate::error::{Error, Result};
use crate::foreign;

/// The part of a text that is set aside where no other is asked for.
pub const HELD: f64 = 0.1;

/// A text as a data set.
#[derive(Clone, Debug, PartialEq)]
pub struct TextSetup {
    pub source: TextSource,
    pub unit: TokenUnit,
    pub form: Form,
    /// The part that is set aside, in (0, 1): the end of a stream, or lines chosen at random.
    pub held: f64,
}

/// Where a text is from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TextSource {
    /// A file: its path, or the name of a [published text](super::published).
    File(String),
    /// Written by a [grammar](super::grammar), of at most so many characters.
    Grammar { characters: usize },
}

/// What a token is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenUnit {
    /// A character that the text has.
    Characters,
    /// A byte.
    Bytes,
    /// A byte or one of the frequent pairs of the text to learn from, so many tokens together.
    Pairs { tokens: usize },
    /// As the `tokenizer.json` at this path says.
    Tokenizer(String),
}

/// What a sample is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// `context` tokens of one long text, from one sample to the next `stride` of them; targets are the same, one further on.
    Stream { context: usize, stride: usize },
    /// A line: [`END`](super::END) and its tokens; targets are its tokens and [`END`](super::END). All samples have `context`
    /// positions or, where it is not given, as many as the longest line needs.
    Lines { context: Option<usize> },
}

impl TextSetup {
    /// Whether a seed decides what there is: the text, or which lines of it are set aside.
    pub fn is_drawn(&self) -> bool {
        matches!(self.source, TextSource::Grammar { .. }) || matches!(self.form, Form::Lines { .. })
    }

    /// The content of the tokenizer's file, if there is to be one: found in the folder of data, beside the recipe, or where
    /// the path says.
    pub(super) fn read_tokenizer(
        &self,
        beside: Option<&Path>,
        data_dir: Option<&Path>,
    ) -> Result<Option<String>> {
        let TokenUnit::Tokenizer(file) = &self.unit else { return Ok(None) };
        let folders = [data_dir, beside].into_iter().flatten();
        let found = folders.map(|folder| folder.join(file)).find(|path| path.is_file());
        let path = found.unwrap_or_else(|| PathBuf::from(file));
        let text = String::from_utf8(foreign::read(&path)?).map_err(|error| Error::Format {
            path: path.clone(),
            place: format!("byte {}", error.utf8_error().valid_up_to()),
            expected: "UTF-8".into(),
            found: "another byte".into(),
        })?;
        Ok(Some(text))
    }

    /// The vocabulary. That of characters is of the `whole` text, as in nanoGPT: a model then knows every character that the
    /// part set aside has. Byte pairs are learnt from the `train` part alone. `json`: the content of the tokenizer's file.
    pub(super) fn vocabulary(
        &self,
        whole: &[&[u8]],
        train: &[&[u8]],
        json: Option<String>,
    ) -> Result<Vocabulary> {
        let lines = matches!(self.form, Form::Lines { .. });
        match self.unit {
            TokenUnit::Bytes => Ok(Vocabulary::bytes(lines)),
            TokenUnit::Characters => Vocabulary::characters(&utf8(whole), lines),
            TokenUnit::Pairs { tokens } => Vocabulary::pairs(&utf8(train), tokens, lines),
            TokenUnit::Tokenizer(_) => Vocabulary::tokenizer(json.unwrap_or_default(), lines),
        }
    }
}

/// Texts that were found to be UTF-8.
fn utf8<'a>(texts: &[&'a [u8]]) -> Vec<&'a str> {
    texts.iter().map(|&text| std::str::from_utf8(text).unwrap_or_default()).collect()
}
