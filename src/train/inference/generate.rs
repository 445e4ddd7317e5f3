//! Text that a model of tokens writes: one token after the other, drawn by the probabilities that the model gives.

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

    /// The token of these outputs, `[classes]`, that `draw`, in [0, 1), stands for. Equal ones come in their order.
    fn token(&self, outputs: &[f32], draw: f64) -> u32 {
        let mut order: Vec<u32> = (0..outputs.len() as u32).collect();
        let output = |token: u32| f64::from(outputs[token as usize]);
        order.sort_by(|&a, &b| output(b).total_cmp(&output(a)));
        if self.temperature == 0.0 {
            return order[0];
        }
        order.truncate(self.top_k.unwrap_or(usize::MAX));
        let largest = output(order[0]);
        let weight = |token: u32| ((output(token) - largest) / self.temperature).exp();
        if let Some(part) = self.top_p {
            let all: f64 = order.iter().map(|&token| weight(token)).sum();
            let mut seen = 0.0;
            let fewest = order.iter().position(|&token| {
                seen += weight(token);
                seen >= part * all
            });
            order.truncate(fewest.map_or(usize::MAX, |last| last + 1));
        }
        let all: f64 = order.iter().map(|&token| weight(token)).sum();
        let mut left = draw * all;
        for &token in &order {
            left -= weight(token);
            if left < 0.0 {
                return token;
            }
        }
        // Rounding alone leads here.
        order[order.len() - 1]
    }
}

/// A model of tokens that writes, token by token. The same seed writes the same.
///
/// Where the model knows only so many positions, and all are used, it goes on behind the last half of them, as if these were
/// the beginning. Of a vocabulary of lines each line is a sequence of its own.
pub struct Generator<'m> {
    stream: Stream<'m>,
    sampling: Sampling,
    draws: rng::Stream,
    /// What was read and written since the last restart.
    tokens: Vec<u32>,
    /// The outputs behind the last token.
    outputs: Vec<f32>,
    lines: bool,
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
        if let Some(token) = prompt.iter().find(|&&token| token as usize >= model.classes()) {
            return Err(mismatch("tokens of the prompt", format!("below {}", model.classes()), token));
        }
        let lines = model.vocabulary().is_some_and(|vocabulary| vocabulary.is_of_lines());
        let mut generator = Generator {
            stream: Stream::new(model)?,
            sampling,
            draws: rng::stream(sampling.seed, Purpose::Generate, 0),
            tokens: Vec::new(),
            outputs: Vec::new(),
            lines,
        };
        prompt.iter().for_each(|&token| generator.read(token));
        Ok(generator)
    }

    fn read(&mut self, token: u32) {
        if self.lines && token == END {
            self.stream.restart();
            self.tokens.clear();
        }
        if self.stream.most() == Some(self.stream.at()) {
            self.stream.restart();
            let kept = self.tokens.len() - self.stream.most().unwrap_or(0) / 2;
            self.tokens.drain(..kept);
            for index in 0..self.tokens.len() {
                self.stream.advance(self.tokens[index]);
            }
        }
        self.tokens.push(token);
        if self.stream.most().is_none() {
            // Nobody reads again what an unbounded state holds.
            self.tokens.clear();
        }
        let outputs = self.stream.advance(token);
        self.outputs.clear();
        self.outputs.extend_from_slice(outputs);
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
        let token = self.sampling.token(&self.outputs, self.draws.random());
        self.read(token);
        Ok(token)
    }
}

/// The tokens with which a generator begins for a prompt, which may be empty: the end of a line before it where the model is
/// one of lines, and else alone where there is no prompt.
///
/// # Errors
/// [`Error::Mismatch`] if the vocabulary lacks a character.
pub fn prompt(vocabulary: &Vocabulary, text: &str) -> Result<Vec<u32>> {
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
        let mut tokens: Vec<u32> = (0..1000).map(|i| sampling.token(outputs, i as f64 / 1000.0)).collect();
        tokens.dedup();
        tokens
    }

    #[test]
    fn tokens_are_drawn_by_their_probabilities() {
        let outputs = [0.0, 2.0f32.ln(), 1.0f32.ln(), f32::MIN];
        // Probabilities 1/4, 1/2, 1/4 and 0; equal ones in their order.
        let all = Sampling::default();
        assert_eq!(drawn(all, &outputs), [1, 0, 2]);
        // Not at the borders, where rounding decides.
        let of =
            |token| (0..1000).filter(|&i| all.token(&outputs, (i as f64 + 0.5) / 1000.0) == token).count();
        assert_eq!([of(0), of(1), of(2), of(3)], [250, 500, 250, 0]);
        assert_eq!(drawn(Sampling { top_k: Some(2), ..all }, &outputs), [1, 0]);
        assert_eq!(drawn(Sampling { top_p: Some(0.5), ..all }, &outputs), [1]);
        assert_eq!(drawn(Sampling { top_p: Some(0.51), ..all }, &outputs), [1, 0]);
        assert_eq!(drawn(Sampling { temperature: 0.0, ..all }, &outputs), [1]);
        // A low temperature sharpens: 1/6, 2/3, 1/6 at a half.
        let sharp = Sampling { temperature: 0.5, ..all };
        assert_eq!(
            (0..600).filter(|&i| sharp.token(&outputs, (f64::from(i) + 0.5) / 600.0) == 1).count(),
            400
        );
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
