//! Vocabularies of a `tokenizer.json`.

use std::sync::Arc;

use super::words::MOST_TOKENS;
use crate::data::checks::mismatch;
use crate::error::Result;

/// A vocabulary of the `tokenizers` library.
#[derive(Clone, Debug)]
pub struct Tokenizer {
    /// The text that describes it.
    json: String,
    inner: Arc<tokenizers::Tokenizer>,
    /// One more than the highest token.
    len: usize,
}

impl PartialEq for Tokenizer {
    fn eq(&self, other: &Tokenizer) -> bool {
        self.json == other.json
    }
}

impl Tokenizer {
    /// That of a text in JSON. What it says of cutting and padding texts does not count: samples have lengths of their own.
    ///
    /// # Errors
    /// [`Error::Mismatch`](crate::Error::Mismatch) with the library's own words.
    pub fn new(json: String) -> Result<Tokenizer> {
        let refused = |error: tokenizers::Error| mismatch("tokenizer.json", "a tokenizer", error);
        let mut inner = tokenizers::Tokenizer::from_bytes(json.as_bytes()).map_err(refused)?;
        inner.with_truncation(None).map_err(refused)?;
        inner.with_padding(None);
        let len = inner.get_vocab(true).values().max().map_or(0, |&token| token as usize + 1);
        if !(1..MOST_TOKENS).contains(&len) {
            return Err(mismatch("tokens of tokenizer.json", format!("1 to {}", MOST_TOKENS - 1), len));
        }
        Ok(Tokenizer { json, inner: Arc::new(inner), len })
    }

    pub fn json(&self) -> &str {
        &self.json
    }

    pub fn len(&self) -> usize {
        self.len
    }

    /// The tokens of a text, without any that mark its ends.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>> {
        let encoding = self.inner.encode(text, false);
        let encoding = encoding.map_err(|error| mismatch("text", "one that the tokenizer reads", error))?;
        Ok(encoding.get_ids().to_vec())
    }

    /// The text of tokens; what is no token is left out.
    pub fn decode(&self, tokens: &[u32]) -> String {
        self.inner.decode(tokens, false).unwrap_or_default()
    }
}
