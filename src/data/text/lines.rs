//! Samples that are the lines of a text.

use super::raw::Raw;
use super::setup::{TextSetup, TokenUnit};
use super::vocabulary::{END, Vocabulary};
use super::{Parts, features};
use crate::data::checks::mismatch;
use crate::data::samples::{Samples, Targets, Tokens};
use crate::data::split::{Split, hold_out_rows};
use crate::error::Result;
use crate::kernels::loss::NO_TOKEN;
use crate::memory;

/// Why a line of the text to learn from is too long, and one of another text that a model is tried on.
const OF_SETTING: &str = "one fewer than `data.context`";
const OF_MODEL: &str =
    "one fewer than the model's `data.context`, or as the longest line of the text that it was trained on";

/// A line that is not empty.
#[derive(Clone, Copy)]
struct Line<'a> {
    /// From 1.
    number: usize,
    text: &'a [u8],
}

/// The samples: each line that is not empty is one; some of them, chosen by the seed, are set aside.
pub(super) fn parts(
    text: &Raw,
    setup: &TextSetup,
    json: Option<String>,
    context: Option<usize>,
    seed: u64,
) -> Result<Parts> {
    let whole = text.checked(setup.unit == TokenUnit::Bytes)?;
    let (lines, empty) = lines_of(whole);
    let split = split_of(lines.len(), setup, seed)?;
    let all: Vec<&[u8]> = lines.iter().map(|line| line.text).collect();
    let train: Vec<&[u8]> = split.subset.iter().map(|&index| all[index as usize]).collect();
    let vocabulary = setup.vocabulary(&all, &train, json)?;
    let encoded = Encoded::of(&lines, &vocabulary, context, OF_SETTING)?;
    let train = encoded.samples(&split.subset, vocabulary.len())?;
    let held = encoded.samples(&split.held, vocabulary.len())?;
    let said = if empty == 1 { "an empty line is".to_string() } else { format!("{empty} empty lines are") };
    let notes = Vec::from_iter((empty > 0).then(|| format!("{said} left out")));
    Ok(Parts { train, held, vocabulary, notes })
}

/// The lines to learn from and those that are set aside, of so many.
fn split_of(count: usize, setup: &TextSetup, seed: u64) -> Result<Split> {
    if !(2..=u32::MAX as usize).contains(&count) {
        let expected = format!("2 to {}: some to learn from and some set aside", u32::MAX);
        return Err(mismatch("lines of the text that are not empty", expected, count));
    }
    let held = ((setup.held * count as f64).round() as usize).clamp(1, count - 1);
    hold_out_rows(None, count, held, seed)
}

/// The lines that are set aside, by a vocabulary that is there.
pub(super) fn held(
    whole: &[u8],
    setup: &TextSetup,
    vocabulary: &Vocabulary,
    context: usize,
    seed: u64,
) -> Result<Samples> {
    let (lines, _) = lines_of(whole);
    let held = split_of(lines.len(), setup, seed)?.held;
    let lines: Vec<Line> = held.iter().map(|&index| lines[index as usize]).collect();
    samples_of(&lines, vocabulary, context)
}

/// All lines of a text by a vocabulary that is there.
pub(super) fn of(vocabulary: &Vocabulary, text: &[u8], context: usize) -> Result<Samples> {
    let (lines, _) = lines_of(text);
    if lines.is_empty() {
        return Err(mismatch("lines of the text that are not empty", "at least one", 0));
    }
    samples_of(&lines, vocabulary, context)
}

/// Lines for a model of so many positions.
fn samples_of(lines: &[Line], vocabulary: &Vocabulary, context: usize) -> Result<Samples> {
    let encoded = Encoded::of(lines, vocabulary, Some(context), OF_MODEL)?;
    let all = Vec::from_iter(0..lines.len() as u32);
    encoded.samples(&all, vocabulary.len())
}

/// The lines that are not empty, and how many are. A line may end as in Windows.
fn lines_of(text: &[u8]) -> (Vec<Line<'_>>, usize) {
    let text = text.strip_suffix(b"\n").unwrap_or(text);
    let lines = text.split(|&byte| byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    let all: Vec<Line> = lines.zip(1..).map(|(text, number)| Line { number, text }).collect();
    let count = all.len();
    let found: Vec<Line> = all.into_iter().filter(|line| !line.text.is_empty()).collect();
    let empty = count - found.len();
    (found, empty)
}

/// Lines as tokens.
struct Encoded {
    tokens: Vec<u32>,
    /// Where the tokens of each line begin, and where the last ones end.
    starts: Vec<usize>,
    /// Positions of a sample: the context or, where there is none, one more than the longest line has tokens.
    positions: usize,
}

impl Encoded {
    /// Refuses a line with which a sample had more positions than the context; `why` says what bounds it.
    fn of(lines: &[Line], vocabulary: &Vocabulary, context: Option<usize>, why: &str) -> Result<Encoded> {
        let (mut tokens, mut starts, mut positions) = (Vec::new(), vec![0], context.unwrap_or(1));
        for line in lines {
            let own = vocabulary.encode_line(line.text, line.number)?;
            if let Some(context) = context.filter(|&context| own.len() >= context) {
                return Err(mismatch(
                    format!("tokens of line {}", line.number),
                    format!("at most {}, {why}", context.saturating_sub(1)),
                    own.len(),
                ));
            }
            positions = positions.max(own.len() + 1);
            tokens.extend(own);
            starts.push(tokens.len());
        }
        Ok(Encoded { tokens, starts, positions })
    }

    fn line(&self, index: u32) -> &[u32] {
        &self.tokens[self.starts[index as usize]..self.starts[index as usize + 1]]
    }

    /// The samples of some lines. What lies behind a line is [`END`] as input and does not count as target.
    fn samples(&self, indices: &[u32], vocabulary: usize) -> Result<Samples> {
        let positions = self.positions;
        let len = indices.len().saturating_mul(positions);
        let mut inputs = memory::filled("the lines of a text", END, len)?;
        let mut ids = memory::filled("the targets of the lines of a text", NO_TOKEN, len)?;
        let rows = inputs.chunks_exact_mut(positions).zip(ids.chunks_exact_mut(positions));
        for ((input, target), &index) in rows.zip(indices) {
            let line = self.line(index);
            input[1..=line.len()].copy_from_slice(line);
            target[..line.len()].copy_from_slice(line);
            target[line.len()] = END;
        }
        let targets = Targets::Tokens(Tokens { ids, positions, step: positions, vocabulary });
        // A line of n tokens has n + 1 positions: END comes before the first, and is the target of the last.
        let lengths = indices.iter().map(|&index| self.line(index).len() as u32 + 1).collect();
        Samples::windows(features(&inputs, vocabulary)?, positions, positions, targets, indices.len())?
            .with_lengths(lengths)
    }
}
