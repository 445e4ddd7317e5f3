//! Text that a model of tokens writes: one token after the other, drawn by the probabilities that the model gives.

use std::time::{Duration, Instant};

use rand::RngExt;

use crate::data::text::{END, Vocabulary};
use crate::model::Model;
use crate::rng::{self, Purpose};
use crate::train::inference::stream::Stream;
use crate::train::targets::mismatch;
use crate::{Error, Result};

/// How tokens are drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sampling {
    /// What outputs are divided by before the softmax; 0 always takes the most likely token. At least 0.
    pub temperature: f64,
    /// Only so many of the most likely tokens are drawn from; at least 1.
    pub top_k: Option<usize>,
    /// Only the most likely tokens that together have at least this probability, in (0, 1] (Holtzman et al.: The Curious
    /// Case of Neural Text Degeneration, 2020).
    pub top_p: Option<f64>,
    /// Decides what is drawn.
    pub seed: u64,
}

impl Default for Sampling {
    /// By the probabilities of all tokens as the model gives them, with seed 1.
    fn default() -> Sampling {
        Sampling { temperature: 1.0, top_k: None, top_p: None, seed: 1 }
    }
}

impl Sampling {
    fn check(&self) -> Result<()> {
        let is_temperature = self.temperature >= 0.0 && self.temperature.is_finite();
        if !is_temperature {
            return Err(mismatch("temperature", "a number of at least 0".into(), self.temperature));
        }
        if self.top_k == Some(0) {
            return Err(mismatch("top-k", "at least 1".into(), 0));
        }
        match self.top_p {
            Some(part) if !(part > 0.0 && part <= 1.0) => {
                Err(mismatch("top-p", "a number above 0 and at most 1".into(), part))
            }
            _ => Ok(()),
        }
    }

    /// The token of these outputs, `[classes]`, that `draw`, in [0, 1), stands for. Where only likely ones are drawn from, these
    /// come in the order of their outputs, else all in their own. Of equal outputs the first is the largest.
    fn token(&self, outputs: &[f32], draw: f64, drawn: &mut Drawn) -> u32 {
        let output = |token: u32| outputs[token as usize];
        let order = |a: &u32, b: &u32| output(*b).total_cmp(&output(*a)).then(a.cmp(b));
        let largest = (0..outputs.len() as u32).min_by(order).unwrap_or(0);
        if self.temperature == 0.0 {
            return largest;
        }
        let above = f64::from(output(largest));
        let weight = |token: u32| ((f64::from(output(token)) - above) / self.temperature).exp();
        drawn.tokens.clear();
        drawn.tokens.extend(0..outputs.len() as u32);
        if let Some(most) = self.top_k.filter(|&most| most < outputs.len()) {
            drawn.tokens.select_nth_unstable_by(most, order);
            drawn.tokens.truncate(most);
            drawn.tokens.sort_unstable_by(order);
        }
        drawn.weigh(weight);
        if let Some(part) = self.top_p {
            let (all, count) = (drawn.sum(), drawn.tokens.len() as f64);
            // All that weigh less make up less than the part that is left out, so that only the others need be sorted.
            let least = (1.0 - part) * all / count;
            drawn.tokens.retain(|&token| weight(token) >= least);
            drawn.tokens.sort_unstable_by(order);
            drawn.weigh(weight);
            drawn.keep(part * all);
        }
        drawn.at(draw * drawn.sum()).unwrap_or(largest)
    }
}

/// What is drawn from: memory that is used again for each token.
#[derive(Default)]
struct Drawn {
    tokens: Vec<u32>,
    /// Probabilities up to a common factor, `[tokens]`.
    weights: Vec<f64>,
}

impl Drawn {
    fn weigh(&mut self, weight: impl Fn(u32) -> f64) {
        self.weights.clear();
        self.weights.extend(self.tokens.iter().map(|&token| weight(token)));
    }

    fn sum(&self) -> f64 {
        self.weights.iter().sum()
    }

    /// Keeps the first ones that together weigh at least so much.
    fn keep(&mut self, goal: f64) {
        let mut seen = 0.0;
        let last = self.weights.iter().position(|weight| {
            seen += weight;
            seen >= goal
        });
        self.weights.truncate(last.map_or(usize::MAX, |last| last + 1));
        self.tokens.truncate(self.weights.len());
    }

    /// The first one with which the sum is above `place`. Where rounding leaves none, the last one that has a weight.
    fn at(&self, place: f64) -> Option<u32> {
        let mut left = place;
        let found = self.weights.iter().position(|weight| {
            left -= weight;
            left < 0.0
        });
        found
            .or_else(|| self.weights.iter().rposition(|&weight| weight > 0.0))
            .map(|index| self.tokens[index])
    }
}

/// A model of tokens that writes, token by token. The same seed writes the same.
///
/// What is read, a prompt say, goes through the network in chunks of up to 64 tokens, each layer's products taking a whole
/// chunk at once: the outputs behind it have the bits that they have token by token.
///
/// Where the model knows only so many positions, and all are used, it goes on behind the last half of them, as if these were
/// the beginning. Of a vocabulary of lines each line is a sequence of its own.
pub struct Generator<'m> {
    stream: Stream<'m>,
    sampling: Sampling,
    draws: rng::Stream,
    /// What was read and written since the last restart, where the model knows only so many positions.
    tokens: Vec<u32>,
    /// The outputs behind the last token.
    outputs: Vec<f32>,
    drawn: Drawn,
    lines: bool,
    /// Tokens below this can be written, and have a row in the embedding.
    known: usize,
    prompt_time: Duration,
}

impl<'m> Generator<'m> {
    /// A generator that has read these tokens, at least one of them.
    ///
    /// # Errors
    /// [`Error::Mismatch`] if the model is none of tokens or takes positions together, a setting is out of its range, there are
    /// no tokens or some that the model does not know.
    pub fn new(model: &'m Model, sampling: Sampling, prompt: &[u32]) -> Result<Generator<'m>> {
        sampling.check()?;
        if prompt.is_empty() {
            return Err(mismatch("tokens of the prompt", "at least one".into(), "none"));
        }
        let rows = model.config().codes(1).first().map_or(usize::MAX, |&(_, rows)| rows);
        let known = model.classes().min(rows);
        check_known(prompt, known, "tokens of the prompt")?;
        let lines = model.vocabulary().is_some_and(|vocabulary| vocabulary.is_of_lines());
        let mut generator = Generator {
            stream: Stream::new(model)?,
            sampling,
            draws: rng::stream(sampling.seed, Purpose::Generate, 0),
            tokens: Vec::new(),
            outputs: Vec::new(),
            drawn: Drawn::default(),
            lines,
            known,
            prompt_time: Duration::ZERO,
        };
        let begun = Instant::now();
        generator.take(prompt);
        generator.prompt_time = begun.elapsed();
        Ok(generator)
    }

    /// Reads some more tokens, as if they had been written: what somebody else says, say.
    ///
    /// # Errors
    /// [`Error::Mismatch`] if there are some that the model does not know; nothing is read then.
    pub fn read(&mut self, tokens: &[u32]) -> Result<()> {
        check_known(tokens, self.known, "tokens to read")?;
        self.take(tokens);
        Ok(())
    }

    fn take(&mut self, tokens: &[u32]) {
        let mut new = tokens;
        if let Some(begin) = tokens.iter().rposition(|&token| self.lines && token == END) {
            self.stream.restart();
            self.tokens.clear();
            new = &tokens[begin..];
        }
        if new.is_empty() {
            return;
        }
        if let Some(most) = self.stream.most() {
            self.tokens.extend_from_slice(new);
            let dropped = dropped(self.tokens.len(), most);
            if dropped > 0 {
                self.stream.restart();
                self.tokens.drain(..dropped);
                new = &self.tokens;
            }
        }
        let outputs = self.stream.advance(new);
        self.outputs.clear();
        self.outputs.extend_from_slice(outputs);
    }

    /// How long it took to read the prompt, the memory that was made ready for it not counted.
    pub fn prompt_time(&self) -> Duration {
        self.prompt_time
    }

    /// The outputs of the model behind the last token, `[classes]`.
    pub fn outputs(&self) -> &[f32] {
        &self.outputs
    }

    /// Writes one more token.
    ///
    /// # Errors
    /// [`Error::Mismatch`] if the outputs of the model are not finite.
    pub fn write(&mut self) -> Result<u32> {
        if let Some(output) = self.outputs.iter().find(|output| !output.is_finite()) {
            return Err(mismatch("outputs of the model", "finite numbers".into(), output));
        }
        let token = self.sampling.token(&self.outputs, self.draws.random(), &mut self.drawn);
        self.take(&[token]);
        Ok(token)
    }
}

/// How many of the first of so many tokens a model forgets that knows `most` positions: whenever all are used it goes on behind
/// the last half of them. What it reads of them before it forgets them changes nothing behind, so it need not be read.
fn dropped(tokens: usize, most: usize) -> usize {
    let each = most - most / 2;
    tokens.saturating_sub(most).div_ceil(each) * each
}

fn check_known(tokens: &[u32], known: usize, what: &str) -> Result<()> {
    match tokens.iter().find(|&&token| token as usize >= known) {
        Some(token) => Err(mismatch(what, format!("below {known}"), token)),
        None => Ok(()),
    }
}

/// The tokens with which a generator begins for a prompt, which may be empty: the end of a line before it where the model is
/// one of lines, and else alone where there is no prompt.
///
/// # Errors
/// [`Error::Mismatch`] with its number if the vocabulary lacks a character.
pub fn prompt(vocabulary: &Vocabulary, text: &str) -> Result<Vec<u32>> {
    vocabulary.check_known(text, "the prompt (--prompt)")?;
    let tokens = vocabulary.encode(text)?;
    if vocabulary.is_of_lines() {
        return Ok([END].into_iter().chain(tokens).collect());
    }
    if tokens.is_empty() {
        // What stands before a line, if it is known; else the first token.
        return Ok(vocabulary.encode("\n").ok().filter(|line| !line.is_empty()).unwrap_or(vec![0]));
    }
    Ok(tokens)
}

/// The vocabulary of a model of text.
///
/// # Errors
/// [`Error::Mismatch`] if it was not trained on a text.
pub fn vocabulary_of(model: &Model) -> Result<&Vocabulary> {
    let none = || Error::Mismatch {
        what: "model".into(),
        expected: "one that was trained on a text, whose file holds its vocabulary".into(),
        found: "one without a vocabulary".into(),
    };
    model.vocabulary().map(AsRef::as_ref).ok_or_else(none)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(sampling: Sampling, outputs: &[f32]) -> Vec<u32> {
        let token = |i: u32| sampling.token(outputs, f64::from(i) / 1000.0, &mut Drawn::default());
        let mut tokens: Vec<u32> = (0..1000).map(token).collect();
        tokens.dedup();
        tokens
    }

    /// How many of so many draws stand for a token: not at the borders, where rounding decides.
    fn count(sampling: Sampling, outputs: &[f32], token: u32, draws: u32) -> usize {
        let draw = |i: u32| (f64::from(i) + 0.5) / f64::from(draws);
        let mut drawn = Drawn::default();
        (0..draws).filter(|&i| sampling.token(outputs, draw(i), &mut drawn) == token).count()
    }

    #[test]
    fn tokens_are_drawn_by_their_probabilities() {
        let outputs = [0.0, 2.0f32.ln(), 1.0f32.ln(), f32::MIN];
        // Probabilities 1/4, 1/2, 1/4 and 0.
        let all = Sampling::default();
        assert_eq!(drawn(all, &outputs), [0, 1, 2]);
        assert_eq!([0, 1, 2, 3].map(|token| count(all, &outputs, token, 1000)), [250, 500, 250, 0]);
        // The most likely ones first, and equal ones in their order.
        assert_eq!(drawn(Sampling { top_k: Some(2), ..all }, &outputs), [1, 0]);
        assert_eq!(drawn(Sampling { top_p: Some(0.5), ..all }, &outputs), [1]);
        assert_eq!(drawn(Sampling { top_p: Some(0.51), ..all }, &outputs), [1, 0]);
        assert_eq!(drawn(Sampling { temperature: 0.0, ..all }, &outputs), [1]);
        // A low temperature sharpens: 1/6, 2/3, 1/6 at a half.
        let sharp = Sampling { temperature: 0.5, ..all };
        assert_eq!(count(sharp, &outputs, 1, 600), 400);
        // More than there are is all of them, and a part of 1 leaves out no more than what has no probability.
        assert_eq!(drawn(Sampling { top_k: Some(9), ..all }, &outputs), [0, 1, 2]);
        assert_eq!(drawn(Sampling { top_p: Some(1.0), ..all }, &outputs), [1, 0, 2]);
    }

    /// Of thousands of tokens the likely ones are those that a sort of all of them finds.
    #[test]
    fn likely_tokens_are_found_among_many() {
        let outputs: Vec<f32> = (0..5000u32).map(|i| (i * 7919 % 613) as f32 / 50.0).collect();
        let mut order: Vec<u32> = (0..5000).collect();
        order.sort_by(|&a, &b| outputs[b as usize].total_cmp(&outputs[a as usize]));
        let all = Sampling::default();
        let sure = Sampling { temperature: 0.0, ..all };
        assert_eq!(sure.token(&outputs, 0.7, &mut Drawn::default()), order[0]);
        let mut drawn = Drawn::default();
        for (most, part) in [(Some(40), None), (None, Some(0.3)), (Some(300), Some(0.9)), (Some(1), None)] {
            let sampling = Sampling { top_k: most, top_p: part, ..all };
            sampling.token(&outputs, 0.5, &mut drawn);
            let mut expected = order[..most.unwrap_or(5000)].to_vec();
            if let Some(part) = part {
                let weight = |token: u32| f64::from(outputs[token as usize]).exp();
                let goal = part * expected.iter().map(|&token| weight(token)).sum::<f64>();
                let mut seen = 0.0;
                expected.retain(|&token| {
                    let is_before = seen < goal;
                    seen += weight(token);
                    is_before
                });
            }
            assert_eq!(drawn.tokens, expected, "{most:?}, {part:?}");
        }
    }

    /// Those that are left are what is left where they come one after the other.
    #[test]
    fn halves_are_forgotten_as_positions_run_out() {
        for most in 1..9 {
            let mut kept = 0;
            for tokens in 1..40 {
                if kept == most {
                    kept = most / 2;
                }
                kept += 1;
                assert_eq!(tokens - dropped(tokens, most), kept, "{tokens} tokens, {most} positions");
            }
        }
    }

    #[test]
    fn settings_out_of_their_ranges_are_refused() {
        let all = Sampling::default();
        for wrong in [
            Sampling { temperature: -1.0, ..all },
            Sampling { temperature: f64::NAN, ..all },
            Sampling { top_k: Some(0), ..all },
            Sampling { top_p: Some(0.0), ..all },
            Sampling { top_p: Some(1.5), ..all },
        ] {
            assert!(wrong.check().is_err(), "{wrong:?}");
        }
        all.check().unwrap();
    }
}
