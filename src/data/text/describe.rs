//! What is in a text, counted: for whoever looks at one before training on it.

use std::path::Path;

use serde::Serialize;

use super::raw::Raw;
use super::setup::{TextSource, TokenUnit};
use super::vocabulary::Vocabulary;
use crate::data::checks::mismatch;
use crate::data::samples::{DataSet, Features, Samples, Targets};
use crate::error::Result;
use crate::kernels::loss::NO_TOKEN;

/// The schema that [`TextRecord`] has as JSON.
pub const TEXT_SCHEMA: &str = "fallline.text/1";

/// The most frequent tokens that are listed.
const MOST_FREQUENT: usize = 20;

/// What is in a text.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TextRecord {
    /// The schema of the record, [`TEXT_SCHEMA`].
    pub schema: &'static str,
    /// The name of the text.
    pub name: String,
    /// What a token is: "character", "byte", "byte pair" or "piece of a text".
    pub unit: &'static str,
    /// How many different tokens the vocabulary has.
    pub vocabulary: usize,
    /// The tokens: of a data set those of the targets of its training part, each once.
    pub tokens: usize,
    /// Bytes and lines of a file that was read as a whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<FileSize>,
    /// How a data set is divided.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub split: Option<TextSplit>,
    /// The entropy of a token by the frequencies of these tokens, in bits: what a model comes to that knows these alone.
    pub bits: f64,
    /// The most frequent tokens, the most frequent one first.
    pub frequent: Vec<FrequentToken>,
}

/// The size of a text file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct FileSize {
    pub bytes: usize,
    pub lines: usize,
}

/// The samples of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct TextSplit {
    /// Samples to learn from.
    pub train: usize,
    /// Samples of the validation part.
    pub validation: usize,
    /// Positions of a sample.
    pub positions: usize,
    /// Tokens from one sample to learn from to the next; as many as positions where samples are lines.
    pub step: usize,
    /// Whether each sample is a line.
    pub lines: bool,
}

/// A token and how often it is there.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FrequentToken {
    pub token: u32,
    pub text: String,
    pub count: usize,
    /// As a part of all tokens.
    pub part: f64,
}

impl TextRecord {
    /// What is in a file, by its characters. A published text may be named without its folder.
    ///
    /// # Errors
    /// [`Error::Format`](crate::Error::Format) if it is empty or no UTF-8; [`Error::Io`](crate::Error::Io).
    pub fn of_file(path: &Path, data_dir: Option<&Path>) -> Result<TextRecord> {
        let source = TextSource::File(path.to_string_lossy().into_owned());
        let raw = Raw::of(&source, None, 0, data_dir)?;
        let bytes = raw.checked(&TokenUnit::Characters)?;
        // It has been checked.
        let text = std::str::from_utf8(bytes).unwrap_or_default();
        let vocabulary = Vocabulary::characters(&[text], false)?;
        let tokens = vocabulary.encode(text)?;
        let file = FileSize { bytes: bytes.len(), lines: text.lines().count() };
        let record = TextRecord::counted(raw.name.clone(), &vocabulary, &tokens);
        Ok(TextRecord { file: Some(file), ..record })
    }

    /// What is in the text of a data set.
    ///
    /// # Errors
    /// [`Error::Mismatch`](crate::Error::Mismatch) if the data set is none of a text.
    pub fn of_set(data: &DataSet) -> Result<TextRecord> {
        let (Some(vocabulary), Targets::Tokens(tokens)) = (data.train.vocabulary(), data.train.targets())
        else {
            return Err(mismatch("data set", "one of a text", format!("`{}`", data.name)));
        };
        let record = TextRecord::counted(data.name.clone(), vocabulary, &tokens.ids);
        let split = TextSplit {
            train: data.train.len(),
            validation: data.test.len(),
            positions: tokens.positions,
            step: tokens.step,
            lines: vocabulary.is_of_lines(),
        };
        Ok(TextRecord { split: Some(split), ..record })
    }

    /// Of these tokens, of which some may be none.
    fn counted(name: String, vocabulary: &Vocabulary, tokens: &[u32]) -> TextRecord {
        let mut counts = vec![0usize; vocabulary.len()];
        for &token in tokens.iter().filter(|&&token| token != NO_TOKEN) {
            counts[token as usize] += 1;
        }
        let all: usize = counts.iter().sum();
        let part = |count: usize| count as f64 / all.max(1) as f64;
        let bits =
            counts.iter().filter(|&&count| count > 0).map(|&count| -part(count) * part(count).log2()).sum();
        let mut order: Vec<u32> =
            (0..counts.len() as u32).filter(|&token| counts[token as usize] > 0).collect();
        order.sort_by_key(|&token| std::cmp::Reverse(counts[token as usize]));
        order.truncate(MOST_FREQUENT);
        let frequent = |token: u32| {
            let count = counts[token as usize];
            FrequentToken { token, text: vocabulary.decode(&[token]), count, part: part(count) }
        };
        TextRecord {
            schema: TEXT_SCHEMA,
            name,
            unit: vocabulary.unit(),
            vocabulary: vocabulary.len(),
            tokens: all,
            file: None,
            split: None,
            bits,
            frequent: order.into_iter().map(frequent).collect(),
        }
    }
}

/// The text of a sample: what the network reads and the last token that it is to predict, without the padding of a line.
///
/// # Errors
/// [`Error::Mismatch`](crate::Error::Mismatch) if the samples are none of a text, or there is no such sample.
pub fn text_of(samples: &Samples, index: usize) -> Result<String> {
    let (Some(vocabulary), Targets::Tokens(targets)) = (samples.vocabulary(), samples.targets()) else {
        return Err(mismatch("samples", "those of a text", "others"));
    };
    if index >= samples.len() {
        return Err(mismatch("number of the sample", format!("below {}", samples.len()), index));
    }
    let ids = targets.ids[index * targets.step..][..targets.positions].iter().copied();
    let targets: Vec<u32> = ids.take_while(|&id| id != NO_TOKEN).collect();
    if vocabulary.is_of_lines() {
        // What is read is the same, behind the end of another line.
        return Ok(vocabulary.decode(&targets[..targets.len().saturating_sub(1)]));
    }
    let start = index * samples.step();
    let first = match samples.features() {
        Features::Bytes(bytes) => u32::from(bytes[start]),
        Features::Floats(floats) => floats[start] as u32,
    };
    let all: Vec<u32> = [first].into_iter().chain(targets).collect();
    Ok(vocabulary.decode(&all))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::text::{Form, TextSetup, load};

    fn set(text: &str, form: Form) -> DataSet {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("t.txt"), text).unwrap();
        let source = TextSource::File("t.txt".into());
        let setup = TextSetup { source, unit: TokenUnit::Characters, form, held: 0.25 };
        load(&setup, None, 1, Some(folder.path())).unwrap()
    }

    #[test]
    fn a_file_is_counted_by_its_characters() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.txt");
        std::fs::write(&path, "aaéa\nbbb").unwrap();
        let record = TextRecord::of_file(&path, None).unwrap();
        assert_eq!(
            (record.name.as_str(), record.unit, record.vocabulary, record.tokens),
            ("t", "character", 4, 8)
        );
        assert_eq!(record.file, Some(FileSize { bytes: 9, lines: 2 }));
        // Parts of 3/8, 3/8, 1/8 and 1/8.
        let expected = 0.75 * (8.0f64 / 3.0).log2() + 0.25 * 3.0;
        assert!((record.bits - expected).abs() < 1e-12, "{record:?}");
        let frequent: Vec<(&str, usize)> =
            record.frequent.iter().map(|token| (token.text.as_str(), token.count)).collect();
        assert_eq!(frequent, [("a", 3), ("b", 3), ("\n", 1), ("é", 1)]);
    }

    #[test]
    fn samples_are_told_as_text() {
        let stream = set("abcdefghabcdefgh", Form::Stream { context: 3, stride: 2 });
        let record = TextRecord::of_set(&stream).unwrap();
        // Twelve characters to learn from; four are set aside.
        let split = TextSplit { train: 5, validation: 1, positions: 3, step: 2, lines: false };
        assert_eq!((record.split, record.tokens), (Some(split), 11));
        assert_eq!([0, 1].map(|index| text_of(&stream.train, index).unwrap()), ["abcd", "cdef"]);
        assert!(text_of(&stream.train, 5).is_err());
        let lines = set("ab\nabc\nb\nca\n", Form::Lines { context: None });
        let record = TextRecord::of_set(&lines).unwrap();
        assert!(record.split.is_some_and(|split| split.lines && split.train == 3 && split.validation == 1));
        let mut found: Vec<String> = (0..3).map(|index| text_of(&lines.train, index).unwrap()).collect();
        found.push(text_of(&lines.test, 0).unwrap());
        found.sort();
        assert_eq!(found, ["ab", "abc", "b", "ca"]);
        assert!(TextRecord::of_set(&crate::data::generate_digits([4, 2], 1).unwrap()).is_err());
    }
}
