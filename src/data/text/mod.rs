//! Texts as data: a [`Vocabulary`] of characters, bytes or byte pairs, and samples that are windows of one long text, or its
//! lines.
//!
//! [`load`] reads a text as a [`TextSetup`] says, which the keys of a recipe make; where no file is named, a [`grammar`] writes
//! the text. Targets are the tokens that follow.

mod describe;
pub mod grammar;
mod lines;
mod pair_training;
mod pairs;
pub mod published;
mod raw;
mod setup;
mod stream;
#[cfg(test)]
mod tests;
#[cfg(feature = "tokenizers")]
mod tokenizer;
mod vocabulary;
mod words;
mod writing;

use std::path::Path;
use std::sync::Arc;

use super::samples::{DataSet, Features, Samples};
use crate::error::Result;
use crate::memory;

pub use describe::{FileSize, FrequentToken, TEXT_SCHEMA, TextRecord, TextSplit, text_of};
use raw::Raw;
pub use setup::{Form, HELD, TextSetup, TextSource, TokenUnit};
pub use vocabulary::{END, Vocabulary};
pub use words::MOST_TOKENS;
pub use writing::Writing;

/// The samples to learn from and those that are set aside, as the set's test, with the vocabulary of both.
///
/// A file is the published one of that name, sought as [`published::find`] says; or else a path: in `data_dir` if a folder is
/// named, else in the folder `beside` which the recipe lies, if it is there, else as it stands. `seed` writes the text where
/// there is no file, and chooses which lines are set aside.
///
/// # Errors
/// [`Error::Format`](crate::Error::Format) if the text is empty, or no UTF-8 and not to be read by bytes;
/// [`Error::Mismatch`](crate::Error::Mismatch) if it is too short, a line is longer than the context, or a folder is named and no
/// file; [`Error::DataMissing`](crate::Error::DataMissing); those of reading files, and if memory is short.
pub fn load(setup: &TextSetup, beside: Option<&Path>, seed: u64, data_dir: Option<&Path>) -> Result<DataSet> {
    let text = Raw::of(&setup.source, beside, seed, data_dir)?;
    let json = setup.read_tokenizer(beside, data_dir)?;
    let parts = match setup.form {
        Form::Stream { context, stride } => stream::parts(&text, setup, json, [context, stride])?,
        Form::Lines { context } => lines::parts(&text, setup, json, context, seed)?,
    };
    let classes = parts.vocabulary.len();
    let mut notes = parts.notes;
    if let TokenUnit::Pairs { tokens } = setup.unit
        && classes < tokens
    {
        notes.push(format!(
            "the text has no more pairs that occur twice: the vocabulary has {classes} tokens and not {tokens}"
        ));
    }
    let vocabulary = Arc::new(parts.vocabulary);
    let [train, held] =
        [parts.train, parts.held].map(|samples| samples.with_vocabulary(Arc::clone(&vocabulary)));
    let set = DataSet::new(&text.name, classes, train, held, text.origin)?;
    Ok(DataSet { validates: true, notes, ..set })
}

/// The samples of another text, for a model of this vocabulary that sees `context` positions: windows side by side, or lines.
///
/// # Errors
/// [`Error::Mismatch`](crate::Error::Mismatch) if the text has a character that the vocabulary lacks, is too short, or has a line
/// that is longer than the context; if memory is short.
pub fn samples_of(vocabulary: &Arc<Vocabulary>, text: &[u8], context: usize) -> Result<Samples> {
    let samples = match vocabulary.is_of_lines() {
        true => lines::of(vocabulary, text, context)?,
        false => stream::of(vocabulary, text, context)?,
    };
    Ok(samples.with_vocabulary(Arc::clone(vocabulary)))
}

/// What a text gives.
struct Parts {
    train: Samples,
    held: Samples,
    vocabulary: Vocabulary,
    notes: Vec<String>,
}

/// Tokens as a network reads them: bytes where all of the vocabulary fit, or else floats, which hold each up to 2^24.
fn features(tokens: &[u32], vocabulary: usize) -> Result<Features> {
    const WHAT: &str = "the tokens of a text";
    if vocabulary <= 1 + usize::from(u8::MAX) {
        let mut bytes = memory::reserved(WHAT, tokens.len())?;
        bytes.extend(tokens.iter().map(|&token| token as u8));
        return Ok(Features::Bytes(bytes));
    }
    let mut floats = memory::reserved(WHAT, tokens.len())?;
    floats.extend(tokens.iter().map(|&token| token as f32));
    Ok(Features::Floats(floats))
}
