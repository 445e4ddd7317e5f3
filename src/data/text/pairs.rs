//! Byte-pair encoding: tokens are bytes, and pairs of tokens that stand for both.

use std::collections::HashMap;

use super::words::{MOST_BYTES, MOST_TOKENS, words};

/// Tokens of one byte.
pub const BYTES: usize = 256;

/// The vocabulary of byte pairs (Sennrich et al. 2016, arXiv:1508.07909, on bytes): token `256 + i` stands for the two tokens
/// that were joined as the i-th.
#[derive(Clone, Debug, PartialEq)]
pub struct Pairs {
    joined: Vec<[u32; 2]>,
    /// The bytes of each token.
    bytes: Vec<Vec<u8>>,
    /// The token of each pair.
    tokens: HashMap<[u32; 2], u32>,
}

impl Pairs {
    /// The vocabulary of pairs in the order in which they are joined.
    ///
    /// # Errors
    /// What is wrong with them, in words: a pair of tokens that are not there yet, a pair twice, a token of more bytes than a
    /// word can have, or too many.
    pub fn new(joined: Vec<[u32; 2]>) -> Result<Pairs, String> {
        if joined.len() > MOST_TOKENS - BYTES {
            return Err(format!("{} pairs are more than a vocabulary may have", joined.len()));
        }
        let mut bytes: Vec<Vec<u8>> = (0..=u8::MAX).map(|byte| vec![byte]).collect();
        let mut tokens = HashMap::new();
        for &[first, second] in &joined {
            let of = |token: u32| {
                let found = bytes.get(token as usize);
                found.ok_or_else(|| format!("token {token} is in a pair before it is made"))
            };
            let both = [of(first)?.as_slice(), of(second)?.as_slice()].concat();
            if both.len() > MOST_BYTES {
                return Err(format!("token {} has more than {MOST_BYTES} bytes", bytes.len()));
            }
            if tokens.insert([first, second], bytes.len() as u32).is_some() {
                return Err(format!("tokens {first} and {second} are joined twice"));
            }
            bytes.push(both);
        }
        Ok(Pairs { joined, bytes, tokens })
    }

    /// The pairs in the order in which they are joined.
    pub fn joined(&self) -> &[[u32; 2]] {
        &self.joined
    }

    /// Tokens of the vocabulary.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// The tokens of a text.
    pub fn encode(&self, text: &str) -> Vec<u32> {
        // Few words are most of a text.
        let mut known: HashMap<&str, Vec<u32>> = HashMap::new();
        let mut tokens = Vec::new();
        for word in words(text) {
            tokens.extend_from_slice(known.entry(word).or_insert_with(|| self.encode_word(word)));
        }
        tokens
    }

    fn encode_word(&self, word: &str) -> Vec<u32> {
        let mut tokens: Vec<u32> = word.bytes().map(u32::from).collect();
        let first = |tokens: &[u32]| {
            tokens.windows(2).filter_map(|pair| self.tokens.get(&[pair[0], pair[1]])).min().copied()
        };
        while let Some(token) = first(&tokens) {
            join(&mut tokens, self.joined[token as usize - BYTES], token);
        }
        tokens
    }

    /// The bytes of a token, if there is one.
    pub fn bytes(&self, token: u32) -> Option<&[u8]> {
        self.bytes.get(token as usize).map(Vec::as_slice)
    }
}

/// Puts `token` wherever the pair stands, from the left.
pub fn join(tokens: &mut Vec<u32>, pair: [u32; 2], token: u32) {
    let (mut from, mut to) = (0, 0);
    while from < tokens.len() {
        let is_pair = tokens.get(from..from + 2).is_some_and(|two| two == pair);
        tokens[to] = if is_pair { token } else { tokens[from] };
        from += 1 + usize::from(is_pair);
        to += 1;
    }
    tokens.truncate(to);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_joined_in_their_order_from_the_left() {
        let mut tokens = vec![1, 1, 1, 2, 1, 1];
        join(&mut tokens, [1, 1], 9);
        assert_eq!(tokens, [9, 1, 2, 9]);
        // "ab" before "bc": in "abc" the first wins, wherever it stands.
        let [a, b, c] = [b'a', b'b', b'c'].map(u32::from);
        let pairs = Pairs::new(vec![[b, c], [a, b], [a, 256]]).unwrap();
        assert_eq!(pairs.len(), 259);
        assert_eq!(pairs.encode("abc ab"), [258, 32, 257]);
        assert_eq!(pairs.bytes(258), Some(b"abc".as_slice()));
        assert_eq!(pairs.bytes(259), None);
    }

    #[test]
    fn pairs_that_make_no_vocabulary_are_refused() {
        assert!(Pairs::new(vec![[97, 256]]).unwrap_err().contains("before it is made"));
        assert!(Pairs::new(vec![[97, 98], [97, 98]]).unwrap_err().contains("joined twice"));
        // Each token has twice the bytes of the one before.
        let doubled = (0..20).map(|i| if i == 0 { [97, 97] } else { [255 + i; 2] }).collect();
        assert!(Pairs::new(doubled).unwrap_err().contains("more than 257 bytes"));
    }
}
