//! Texts that a trained model is tried on, by the vocabulary that it has: each is read as one to learn from is.

use std::path::Path;
use std::sync::Arc;

use super::raw::Raw;
use super::setup::TextSetup;
use super::vocabulary::Vocabulary;
use super::{lines, stream};
use crate::data::checks::mismatch;
use crate::data::samples::{Origin, Samples};
use crate::error::Result;

/// A text to try a model on.
#[derive(Clone, Debug)]
pub struct Tried {
    /// The path of a file that was named, or the name of a data set.
    pub name: String,
    pub origin: Origin,
    pub samples: Samples,
}

/// The samples of another text, for a model of this vocabulary that sees `context` positions, at least 1: lines, or windows side
/// by side, of which the last one is filled up with positions that do not count.
///
/// # Errors
/// [`Error::Mismatch`](crate::Error::Mismatch) if the text has a character that the vocabulary lacks, has nothing to foretell, or
/// has a line that is longer than the context; if memory is short.
pub fn samples_of(vocabulary: &Arc<Vocabulary>, text: &[u8], context: usize) -> Result<Samples> {
    if context == 0 {
        return Err(mismatch("positions of a sample", "at least 1", context));
    }
    let samples = match vocabulary.is_of_lines() {
        true => lines::of(vocabulary, text, context)?,
        false => stream::of(vocabulary, text, context)?,
    };
    Ok(samples.with_vocabulary(Arc::clone(vocabulary)))
}

/// [`samples_of`] the text of a file: at this path or, if there is none, the published text of that name, which is sought in
/// `data_dir` alone if there is one.
///
/// # Errors
/// Those of [`samples_of`], with the path; those of reading the file; [`Error::Format`](crate::Error::Format) if it is empty, or no
/// UTF-8 and the tokens are not bytes.
pub fn samples_of_file(
    vocabulary: &Arc<Vocabulary>,
    path: &Path,
    data_dir: Option<&Path>,
    context: usize,
) -> Result<Tried> {
    let text = Raw::of_file(path, data_dir)?;
    let bytes = text.checked(vocabulary.is_of_bytes())?;
    let samples = samples_of(vocabulary, bytes, context).map_err(|error| text.located(error))?;
    Ok(Tried { name: text.path.display().to_string(), origin: text.origin, samples })
}

/// The part that [`load`](super::load) sets aside, for a model of this vocabulary that sees `context` positions. The text may have
/// changed since the model was trained.
///
/// # Errors
/// Those of [`samples_of_file`]; [`Error::Mismatch`](crate::Error::Mismatch) if the part is too short.
pub fn held_out(
    setup: &TextSetup,
    vocabulary: &Arc<Vocabulary>,
    context: usize,
    beside: Option<&Path>,
    seed: u64,
    data_dir: Option<&Path>,
) -> Result<Tried> {
    let text = Raw::of(&setup.source, beside, seed, data_dir)?;
    let bytes = text.checked(vocabulary.is_of_bytes())?;
    let samples = match vocabulary.is_of_lines() {
        true => lines::held(bytes, setup, vocabulary, context, seed),
        false => stream::held(bytes, setup, vocabulary, context),
    };
    let samples = samples.map_err(|error| text.located(error))?.with_vocabulary(Arc::clone(vocabulary));
    Ok(Tried { name: text.name, origin: text.origin, samples })
}
