//! Text that is written token by token.

use super::vocabulary::{END, Vocabulary};

/// Tokens that are decoded again with each new one, for what they say of the blank between: a decoder of words looks at the
/// first token of a text, and no further back.
const CONTEXT: usize = 8;

/// Tokens that may be held back because the last bytes begin a character; after so many they begin none.
const MOST_HELD: usize = 8;

/// Tokens that come one by one, as text. The tokens of a `tokenizer.json` alone may say less than together: pieces of words
/// have blanks between them that depend on what is before, and a character may be several tokens. So the last ones are decoded
/// together, and what their text has grown by is given out, once no character of it is begun.
#[derive(Clone, Debug)]
pub struct Writing<'v> {
    vocabulary: &'v Vocabulary,
    /// The last tokens.
    tokens: Vec<u32>,
    /// The text that those of them have which were given out.
    told: String,
    /// How many tokens are held back.
    held: usize,
}

impl<'v> Writing<'v> {
    /// The text that follows these tokens, which may be none.
    pub fn after(vocabulary: &'v Vocabulary, read: &[u32]) -> Writing<'v> {
        let line = match vocabulary.is_of_lines() {
            true => read.rsplit(|&token| token == END).next().unwrap_or_default(),
            false => read,
        };
        let tokens = line[line.len().saturating_sub(CONTEXT)..].to_vec();
        let told = vocabulary.decode(&tokens);
        Writing { vocabulary, tokens, told, held: 0 }
    }

    /// The bytes that the text grows by with this token. Where tokens are bytes, the last ones may begin a character.
    pub fn add(&mut self, token: u32) -> Vec<u8> {
        if self.vocabulary.is_token_by_token() {
            return self.vocabulary.decode_bytes(&[token]);
        }
        if self.vocabulary.is_of_lines() && token == END {
            let mut rest = self.end();
            (self.tokens, self.told) = (Vec::new(), String::new());
            rest.push(b'\n');
            return rest;
        }
        self.tokens.push(token);
        self.held += 1;
        let text = self.vocabulary.decode(&self.tokens);
        if text.ends_with(char::REPLACEMENT_CHARACTER) && self.held < MOST_HELD {
            return Vec::new();
        }
        self.tell(text)
    }

    /// What was held back.
    pub fn end(&mut self) -> Vec<u8> {
        if self.held == 0 {
            return Vec::new();
        }
        let text = self.vocabulary.decode(&self.tokens);
        self.tell(text)
    }

    /// What the text of all tokens has beyond that which was given out.
    fn tell(&mut self, text: String) -> Vec<u8> {
        // Mostly all of it; what was given out can't be taken back.
        let pairs = text.chars().zip(self.told.chars());
        let same: usize = pairs.take_while(|(new, old)| new == old).map(|(new, _)| new.len_utf8()).sum();
        let grown = text.as_bytes()[same..].to_vec();
        let kept = self.tokens.len().saturating_sub(CONTEXT);
        self.tokens.drain(..kept);
        self.told = if kept > 0 { self.vocabulary.decode(&self.tokens) } else { text };
        self.held = 0;
        grown
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each token alone, as the bytes of all of them.
    fn written(vocabulary: &Vocabulary, read: &[u32], tokens: &[u32]) -> String {
        let mut writing = Writing::after(vocabulary, read);
        let mut bytes: Vec<u8> = tokens.iter().flat_map(|&token| writing.add(token)).collect();
        bytes.extend(writing.end());
        String::from_utf8_lossy(&bytes).into_owned()
    }

    #[test]
    fn tokens_that_stand_for_themselves_are_written_as_they_are() {
        let text = "Grüße an alle";
        for vocabulary in [Vocabulary::bytes(false), Vocabulary::characters(&[text], false).unwrap()] {
            assert_eq!(written(&vocabulary, &[], &vocabulary.encode(text).unwrap()), text);
        }
        let lines = Vocabulary::characters(&["ab"], true).unwrap();
        assert_eq!(written(&lines, &[END], &[1, 2, END, 2]), "ab\nb");
    }

    #[cfg(feature = "tokenizers")]
    fn tokenizer(model: &str, pre_tokenizer: &str, decoder: &str, lines: bool) -> Vocabulary {
        let json = format!(
            r#"{{"version": "1.0", "truncation": null, "padding": null, "added_tokens": [], "normalizer": null,
                "post_processor": null, "model": {model}, "pre_tokenizer": {pre_tokenizer}, "decoder": {decoder}}}"#
        );
        Vocabulary::tokenizer(json, lines).unwrap()
    }

    /// What each token of a text adds to it.
    #[cfg(feature = "tokenizers")]
    fn pieces(vocabulary: &Vocabulary, tokens: &[u32]) -> Vec<String> {
        let mut writing = Writing::after(vocabulary, &[]);
        tokens.iter().map(|&token| String::from_utf8(writing.add(token)).unwrap()).collect()
    }

    #[cfg(feature = "tokenizers")]
    #[test]
    fn a_character_of_several_tokens_is_written_whole() {
        let settings =
            r#"{"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true}"#;
        let model = r#"{"type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null,
            "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": false,
            "vocab": {"h": 0, "y": 1, "Ġ": 2, "Ã": 3, "©": 4, "Ġy": 5}, "merges": ["Ġ y"]}"#;
        let vocabulary = tokenizer(model, settings, settings, false);
        // The two bytes of é are two tokens.
        let tokens = vocabulary.encode("hé yh").unwrap();
        assert_eq!(tokens, [0, 3, 4, 5, 0]);
        assert_eq!(pieces(&vocabulary, &tokens), ["h", "", "é", " y", "h"]);
        // A character that never ends is no character.
        assert_eq!(written(&vocabulary, &[], &[0, 3, 0]), "h\u{fffd}h");
        assert_eq!(written(&vocabulary, &[], &[0, 3]), "h\u{fffd}");
    }

    #[cfg(feature = "tokenizers")]
    #[test]
    fn blanks_between_words_are_kept() {
        let settings =
            r#"{"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": true}"#;
        let model =
            r#"{"type": "WordLevel", "vocab": {"▁hello": 0, "▁world": 1, "[UNK]": 2}, "unk_token": "[UNK]"}"#;
        let vocabulary = tokenizer(model, settings, settings, false);
        let tokens = vocabulary.encode("hello world world").unwrap();
        assert_eq!(tokens, [0, 1, 1]);
        assert_eq!(pieces(&vocabulary, &tokens), ["hello", " world", " world"]);
        // Behind a prompt the first word has a blank before it; and so has one behind many.
        assert_eq!(written(&vocabulary, &[0], &[1]), " world");
        assert_eq!(written(&vocabulary, &[], &[1; 30]), vocabulary.decode(&[1; 30]));
        // A line begins anew.
        let lines = tokenizer(model, settings, settings, true);
        assert_eq!(written(&lines, &[END], &[1, 2, END, 2, 1]), "hello world\nworld hello");
    }

    #[cfg(feature = "tokenizers")]
    #[test]
    fn pieces_of_words_are_joined() {
        let model = r###"{"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
            "max_input_chars_per_word": 100, "vocab": {"[UNK]": 0, "hello": 1, "world": 2, "##s": 3}}"###;
        let decoder = r###"{"type": "WordPiece", "prefix": "##", "cleanup": true}"###;
        let vocabulary = tokenizer(model, r#"{"type": "Whitespace"}"#, decoder, false);
        let tokens = vocabulary.encode("hello worlds").unwrap();
        assert_eq!(tokens, [1, 2, 3]);
        assert_eq!(pieces(&vocabulary, &tokens), ["hello", " world", "s"]);
    }
}
