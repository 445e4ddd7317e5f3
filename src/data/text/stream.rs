//! Samples that are windows of one long text.

use super::raw::Raw;
use super::setup::{TextSetup, TokenUnit};
use super::vocabulary::Vocabulary;
use super::{Parts, features};
use crate::data::checks::mismatch;
use crate::data::samples::{Samples, Targets, Tokens};
use crate::error::Result;
use crate::kernels::loss::NO_TOKEN;
use crate::memory;

/// What is read behind the end of a text, where no target counts.
const PADDING: u32 = 0;

/// The samples: of the beginning of the text windows of `context` tokens, `stride` apart; of the rest, which is set aside,
/// windows that lie one behind the other.
pub(super) fn parts(
    text: &Raw,
    setup: &TextSetup,
    json: Option<String>,
    [context, stride]: [usize; 2],
) -> Result<Parts> {
    let whole = text.checked(setup.unit == TokenUnit::Bytes)?;
    let (train, held) = whole.split_at(first_of_held(whole, setup));
    let vocabulary = setup.vocabulary(&[whole], &[train], json)?;
    let samples = |part: &[u8], what: &str, step| {
        windows(&vocabulary.encode_bytes(part)?, vocabulary.len(), context, step, what)
    };
    let train = samples(train, "the part to learn from", stride)?;
    let held = samples(held, &held_name(setup), context)?;
    Ok(Parts { train, held, vocabulary, notes: Vec::new() })
}

/// The part that is set aside, by a vocabulary that is there.
pub(super) fn held(
    whole: &[u8],
    setup: &TextSetup,
    vocabulary: &Vocabulary,
    context: usize,
) -> Result<Samples> {
    let part = &whole[first_of_held(whole, setup)..];
    // What the vocabulary lacks is told with its place in the whole text.
    let tokens =
        vocabulary.encode_bytes(part).or_else(|error| vocabulary.encode_bytes(whole).and(Err(error)))?;
    windows(&tokens, vocabulary.len(), context, context, &held_name(setup))
}

/// What messages call the part that is set aside.
fn held_name(setup: &TextSetup) -> String {
    format!("the part set aside (`data.held` = {})", setup.held)
}

/// A whole text by a vocabulary that is there, in windows that lie one behind the other; of the last one as many positions count
/// as the text has left.
pub(super) fn of(vocabulary: &Vocabulary, text: &[u8], context: usize) -> Result<Samples> {
    let tokens = vocabulary.encode_bytes(text)?;
    let counted = tokens.len().saturating_sub(1);
    if counted == 0 {
        let expected = "at least 2, one to read and one to foretell";
        return Err(mismatch("tokens of the text", expected, tokens.len()));
    }
    let count = counted.div_ceil(context);
    let len = count.saturating_mul(context);
    let mut inputs = memory::filled("the tokens of a text", PADDING, len)?;
    let mut ids = memory::filled("the targets of a text", NO_TOKEN, len)?;
    inputs[..counted].copy_from_slice(&tokens[..counted]);
    ids[..counted].copy_from_slice(&tokens[1..]);
    let targets =
        Targets::Tokens(Tokens { ids, positions: context, step: context, vocabulary: vocabulary.len() });
    Samples::windows(features(&inputs, vocabulary.len())?, context, context, targets, count)
}

/// The byte with which the part that is set aside begins: a part of the characters, or of bytes if those are the tokens.
fn first_of_held(whole: &[u8], setup: &TextSetup) -> usize {
    let first = |units: usize| ((1.0 - setup.held) * units as f64) as usize;
    if setup.unit == TokenUnit::Bytes {
        return first(whole.len());
    }
    // In UTF-8 each character has one byte that is no continuation.
    let begins = |byte: &u8| byte & 0b1100_0000 != 0b1000_0000;
    let characters = whole.iter().filter(|&byte| begins(byte)).count();
    let mut starts = whole.iter().enumerate().filter(|(_, byte)| begins(byte));
    starts.nth(first(characters)).map_or(whole.len(), |(place, _)| place)
}

/// Windows of `context` tokens, `step` apart, in the memory of the text; targets are the tokens that follow.
fn windows(tokens: &[u32], vocabulary: usize, context: usize, step: usize, what: &str) -> Result<Samples> {
    if tokens.len() <= context {
        let expected = format!("at least {}, one more than `data.context`", context.saturating_add(1));
        return Err(mismatch(format!("tokens of {what}"), expected, tokens.len()));
    }
    let count = (tokens.len() - 1 - context) / step + 1;
    let end = (count - 1) * step + context;
    let inputs = features(&tokens[..end], vocabulary)?;
    let ids = memory::copied("the targets of a text", &tokens[1..=end])?;
    let targets = Targets::Tokens(Tokens { ids, positions: context, step, vocabulary });
    Samples::windows(inputs, context, step, targets, count)
}
