//! Vocabularies: what the tokens of a text are, and which text tokens stand for.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::pair_training::train;
use super::pairs::{BYTES, Pairs};
#[cfg(feature = "tokenizers")]
use super::tokenizer::Tokenizer;
use crate::data::checks::mismatch;
use crate::error::{Error, Result};
use crate::memory;

/// The token that begins and ends a line in a vocabulary of lines. In a text it is the end of a line.
pub const END: u32 = 0;

/// The characters of a vocabulary that a message lists.
const LISTED: usize = 60;

/// What the tokens of a text are: numbers from 0. Learnt from the text and kept in the file of a model, so that it reads other
/// texts and writes its own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Stored", into = "Stored")]
pub struct Vocabulary {
    units: Units,
    /// Whether token 0 is [`END`], and the units are the tokens from 1.
    lines: bool,
}

#[derive(Clone, Debug, PartialEq)]
enum Units {
    /// In ascending order.
    Characters(Vec<char>),
    Bytes,
    Pairs(Pairs),
    #[cfg(feature = "tokenizers")]
    Tokenizer(Tokenizer),
}

/// A vocabulary as plain data.
#[derive(Serialize, Deserialize)]
struct Stored {
    units: StoredUnits,
    #[serde(default)]
    lines: bool,
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum StoredUnits {
    Characters { characters: String },
    Bytes,
    Pairs { joined: Vec<[u32; 2]> },
    Tokenizer { json: String },
}

impl Vocabulary {
    /// The characters of the texts. `lines`: whether the texts are lines, between which [`END`] stands.
    ///
    /// # Errors
    /// [`Error::Mismatch`] if there are none.
    pub fn characters(texts: &[&str], lines: bool) -> Result<Vocabulary> {
        let mut characters: BTreeSet<char> = texts.iter().flat_map(|text| text.chars()).collect();
        if lines {
            characters.remove(&'\n');
        }
        if characters.is_empty() {
            return Err(mismatch("characters of the text", "at least one", "none"));
        }
        Ok(Vocabulary { units: Units::Characters(characters.into_iter().collect()), lines })
    }

    /// All bytes, so that there is a token for everything.
    pub fn bytes(lines: bool) -> Vocabulary {
        Vocabulary { units: Units::Bytes, lines }
    }

    /// Bytes, and pairs that are frequent in the texts, so many tokens of all kinds together; fewer if no more pairs are there
    /// twice.
    ///
    /// # Errors
    /// None that a text is known to bring about.
    pub fn pairs(texts: &[&str], tokens: usize, lines: bool) -> Result<Vocabulary> {
        let joined = train(texts, tokens.saturating_sub(BYTES + usize::from(lines)));
        let pairs = Pairs::new(joined).map_err(|found| mismatch("byte pairs", "a vocabulary", found))?;
        Ok(Vocabulary { units: Units::Pairs(pairs), lines })
    }

    /// The vocabulary that a `tokenizer.json` describes, as the `tokenizers` library reads it.
    ///
    /// # Errors
    /// [`Error::Mismatch`] if that library refuses it, or if the program was built without it.
    pub fn tokenizer(json: String, lines: bool) -> Result<Vocabulary> {
        Ok(Vocabulary { units: tokenizer(json)?, lines })
    }

    /// The number of tokens, at least 1: each is below it.
    #[allow(clippy::len_without_is_empty)] // there is always at least one
    pub fn len(&self) -> usize {
        self.units.len() + usize::from(self.lines)
    }

    /// Whether a text is lines to it: [`END`] then stands at both ends of each.
    pub fn is_of_lines(&self) -> bool {
        self.lines
    }

    /// What a token of it is: "character", "byte", "byte pair" or "piece of a text".
    pub fn unit(&self) -> &'static str {
        match self.units {
            Units::Characters(_) => "character",
            Units::Bytes => "byte",
            Units::Pairs(_) => "byte pair",
            #[cfg(feature = "tokenizers")]
            Units::Tokenizer(_) => "piece of a text",
        }
    }

    /// Whether tokens are bytes, so that a text may be of any.
    pub(super) fn is_of_bytes(&self) -> bool {
        self.units == Units::Bytes
    }

    /// Whether the text of tokens is that of each of them, one behind the other.
    pub fn is_token_by_token(&self) -> bool {
        match self.units {
            Units::Characters(_) | Units::Bytes | Units::Pairs(_) => true,
            #[cfg(feature = "tokenizers")]
            Units::Tokenizer(_) => false,
        }
    }

    /// The tokens of a text; of a vocabulary of lines with [`END`] between two lines, which may end as in Windows, and not at
    /// the ends.
    ///
    /// # Errors
    /// [`Error::Mismatch`] with its line and column if there is no token for a character.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>> {
        self.encode_bytes(text.as_bytes())
    }

    /// The same of a text as bytes, which need be UTF-8 unless they are the tokens.
    ///
    /// # Errors
    /// Those of [`Vocabulary::encode`]; [`Error::Mismatch`] with the place of the byte if the text is no UTF-8.
    pub fn encode_bytes(&self, text: &[u8]) -> Result<Vec<u32>> {
        if !self.lines {
            return self.units.encode(text, 1);
        }
        let mut tokens = Vec::new();
        let mut lines = text.split(|&byte| byte == b'\n').zip(1..).peekable();
        while let Some((line, number)) = lines.next() {
            let is_ended = lines.peek().is_some();
            let ended = line.strip_suffix(b"\r").filter(|_| is_ended);
            tokens.extend(self.encode_line(ended.unwrap_or(line), number)?);
            tokens.extend(is_ended.then_some(END));
        }
        Ok(tokens)
    }

    /// The tokens of one line, without [`END`]. `number`: that of the line in its text, from 1.
    ///
    /// # Errors
    /// Those of [`Vocabulary::encode_bytes`].
    pub(super) fn encode_line(&self, line: &[u8], number: usize) -> Result<Vec<u32>> {
        let first = u32::from(self.lines);
        Ok(self.units.encode(line, number)?.into_iter().map(|token| token + first).collect())
    }

    /// Refuses a short text, which `name` names, if there is no token for one of its characters.
    ///
    /// # Errors
    /// [`Error::Mismatch`] with the number of the character, from 1.
    pub(crate) fn check_known(&self, text: &str, name: &str) -> Result<()> {
        let Units::Characters(characters) = &self.units else { return Ok(()) };
        let ends_line = |rest: &str| self.lines && (rest.starts_with('\n') || rest.starts_with("\r\n"));
        let is_known = |place: usize, character: char| {
            characters.binary_search(&character).is_ok() || ends_line(&text[place..])
        };
        for ((place, character), number) in text.char_indices().zip(1usize..) {
            if !is_known(place, character) {
                let what = format!("character {number} of {name}");
                let expected =
                    format!("one of the {} that the model knows: {}", characters.len(), listed(characters));
                return Err(mismatch(what, expected, told(character)));
            }
        }
        Ok(())
    }

    /// The text that the tokens stand for. What is no token, and bytes that make no character, become U+FFFD.
    pub fn decode(&self, tokens: &[u32]) -> String {
        String::from_utf8_lossy(&self.decode_bytes(tokens)).into_owned()
    }

    /// The bytes of that text: of a text that is still being written, the last ones may begin a character.
    pub fn decode_bytes(&self, tokens: &[u32]) -> Vec<u8> {
        if !self.lines {
            return self.units.decode(tokens);
        }
        let mut text = Vec::new();
        for (index, line) in tokens.split(|&token| token == END).enumerate() {
            if index > 0 {
                text.push(b'\n');
            }
            let line: Vec<u32> = line.iter().map(|token| token - 1).collect();
            text.extend(self.units.decode(&line));
        }
        text
    }

    /// It as text, which [`Vocabulary::from_json`] reads.
    pub fn to_json(&self) -> String {
        // It is made of texts, numbers and lists alone, none of which can be refused.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Reads what [`Vocabulary::to_json`] wrote, perhaps elsewhere.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn from_json(text: &str) -> Result<Vocabulary, String> {
        serde_json::from_str(text).map_err(|error| error.to_string())
    }
}

#[cfg(feature = "tokenizers")]
fn tokenizer(json: String) -> Result<Units> {
    Tokenizer::new(json).map(Units::Tokenizer)
}

#[cfg(not(feature = "tokenizers"))]
fn tokenizer(_json: String) -> Result<Units> {
    let expected = "a program that was built with it (cargo build --release --features tokenizers)";
    Err(mismatch("library that reads tokenizer.json", expected, "one without the feature `tokenizers`"))
}

impl Units {
    fn len(&self) -> usize {
        match self {
            Units::Characters(characters) => characters.len(),
            Units::Bytes => BYTES,
            Units::Pairs(pairs) => pairs.len(),
            #[cfg(feature = "tokenizers")]
            Units::Tokenizer(tokenizer) => tokenizer.len(),
        }
    }

    /// The tokens of a text whose first line has this number.
    fn encode(&self, text: &[u8], first_line: usize) -> Result<Vec<u32>> {
        match self {
            Units::Bytes => {
                let mut tokens = memory::reserved("the tokens of a text", text.len())?;
                tokens.extend(text.iter().map(|&byte| u32::from(byte)));
                Ok(tokens)
            }
            Units::Characters(characters) => encode_characters(characters, as_utf8(text)?, first_line),
            Units::Pairs(pairs) => Ok(pairs.encode(as_utf8(text)?)),
            #[cfg(feature = "tokenizers")]
            Units::Tokenizer(tokenizer) => tokenizer.encode(as_utf8(text)?),
        }
    }

    fn decode(&self, tokens: &[u32]) -> Vec<u8> {
        let unknown = "\u{fffd}".as_bytes();
        match self {
            Units::Characters(characters) => {
                let of = |&token: &u32| characters.get(token as usize).copied().unwrap_or('\u{fffd}');
                tokens.iter().map(of).collect::<String>().into_bytes()
            }
            Units::Bytes => {
                let of =
                    |&token: &u32| u8::try_from(token).map_or_else(|_| unknown.to_vec(), |byte| vec![byte]);
                tokens.iter().flat_map(of).collect()
            }
            Units::Pairs(pairs) => {
                tokens.iter().flat_map(|&token| pairs.bytes(token).unwrap_or(unknown)).copied().collect()
            }
            #[cfg(feature = "tokenizers")]
            Units::Tokenizer(tokenizer) => tokenizer.decode(tokens).into_bytes(),
        }
    }
}

fn as_utf8(text: &[u8]) -> Result<&str> {
    std::str::from_utf8(text)
        .map_err(|error| mismatch("text", "UTF-8", format!("another byte at {}", error.valid_up_to())))
}

fn encode_characters(characters: &[char], text: &str, first_line: usize) -> Result<Vec<u32>> {
    let mut tokens = memory::reserved("the tokens of a text", text.chars().count())?;
    for (place, character) in text.char_indices() {
        let token = characters.binary_search(&character);
        tokens.push(token.map_err(|_| unknown(characters, text, place, character, first_line))? as u32);
    }
    Ok(tokens)
}

/// The error for a character that the vocabulary lacks.
fn unknown(characters: &[char], text: &str, place: usize, character: char, first_line: usize) -> Error {
    let before = &text[..place];
    let line = first_line + before.matches('\n').count();
    let column = 1 + before.rsplit('\n').next().map_or(0, |line| line.chars().count());
    mismatch(
        format!("line {line}, column {column} of the text"),
        format!("one of the {} characters of the vocabulary, {}", characters.len(), listed(characters)),
        told(character),
    )
}

/// The first characters of a vocabulary, on one line.
fn listed(characters: &[char]) -> String {
    let mut text = String::new();
    for &character in characters.iter().take(LISTED) {
        match character.is_control() {
            true => text.extend(character.escape_debug()),
            false => text.push(character),
        }
    }
    if characters.len() > LISTED { text + "…" } else { text }
}

fn told(character: char) -> String {
    format!("{character:?} (U+{:04X})", u32::from(character))
}

impl From<Vocabulary> for Stored {
    fn from(Vocabulary { units, lines }: Vocabulary) -> Stored {
        let units = match units {
            Units::Characters(characters) => {
                StoredUnits::Characters { characters: characters.into_iter().collect() }
            }
            Units::Bytes => StoredUnits::Bytes,
            Units::Pairs(pairs) => StoredUnits::Pairs { joined: pairs.joined().to_vec() },
            #[cfg(feature = "tokenizers")]
            Units::Tokenizer(tokenizer) => StoredUnits::Tokenizer { json: tokenizer.json().to_string() },
        };
        Stored { units, lines }
    }
}

/// A file of a model may come from anyone.
impl TryFrom<Stored> for Vocabulary {
    type Error = String;

    fn try_from(Stored { units, lines }: Stored) -> Result<Vocabulary, String> {
        let units = match units {
            StoredUnits::Characters { characters } => {
                let characters: Vec<char> = characters.chars().collect();
                if characters.is_empty() || !characters.is_sorted_by(|one, next| one < next) {
                    return Err("characters of a vocabulary: expected some, in ascending order".into());
                }
                Units::Characters(characters)
            }
            StoredUnits::Bytes => Units::Bytes,
            StoredUnits::Pairs { joined } => Units::Pairs(Pairs::new(joined)?),
            StoredUnits::Tokenizer { json } => tokenizer(json).map_err(|error| error.to_string())?,
        };
        Ok(Vocabulary { units, lines })
    }
}

#[cfg(test)]
mod tests;
