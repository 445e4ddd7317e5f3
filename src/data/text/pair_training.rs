//! Which byte pairs are joined: at each step the most frequent one of a text.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

use super::pairs::{BYTES, join};
use super::words::words;

/// At most `most` pairs of the texts, in the order in which they are joined; of equally frequent ones that of the smaller
/// tokens. Fewer if no pair is there twice.
pub fn train(texts: &[&str], most: usize) -> Vec<[u32; 2]> {
    let mut training = Training::new(texts);
    let mut joined = Vec::new();
    while joined.len() < most {
        let Some(pair) = training.most_frequent() else { break };
        training.join(pair, (BYTES + joined.len()) as u32);
        joined.push(pair);
    }
    joined
}

/// A word of the texts.
struct Word {
    tokens: Vec<u32>,
    /// How often it is there.
    count: u64,
}

/// What is known of a pair.
#[derive(Default)]
struct Found {
    count: u64,
    /// The words that have it, or had it; some of them more than once.
    words: Vec<u32>,
}

struct Training {
    words: Vec<Word>,
    pairs: HashMap<[u32; 2], Found>,
    /// Counts of pairs, which may have become smaller since they were noted, with the pairs; the larger count first, then the
    /// smaller tokens.
    counts: BinaryHeap<(u64, Reverse<[u32; 2]>)>,
}

impl Training {
    fn new(texts: &[&str]) -> Training {
        let mut counts: HashMap<&str, u64> = HashMap::new();
        for word in texts.iter().flat_map(|text| words(text)) {
            *counts.entry(word).or_default() += 1;
        }
        let tokens = |word: &str| word.bytes().map(u32::from).collect();
        let words: Vec<Word> =
            counts.into_iter().map(|(word, count)| Word { tokens: tokens(word), count }).collect();
        let mut pairs: HashMap<[u32; 2], Found> = HashMap::new();
        for (index, word) in words.iter().enumerate() {
            for pair in word.tokens.windows(2) {
                let found = pairs.entry([pair[0], pair[1]]).or_default();
                found.count += word.count;
                found.words.push(index as u32);
            }
        }
        let counts = pairs.iter().map(|(&pair, found)| (found.count, Reverse(pair))).collect();
        Training { words, pairs, counts }
    }

    /// The most frequent pair, if one is there twice.
    fn most_frequent(&mut self) -> Option<[u32; 2]> {
        while let Some((noted, Reverse(pair))) = self.counts.pop() {
            let count = self.pairs.get(&pair).map_or(0, |found| found.count);
            if count == noted {
                return (count > 1).then_some(pair);
            }
            // Where it is larger now, the larger count was noted, too.
            if (1..noted).contains(&count) {
                self.counts.push((count, Reverse(pair)));
            }
        }
        None
    }

    /// Puts a new token for a pair in all words.
    fn join(&mut self, pair: [u32; 2], token: u32) {
        let mut words = self.pairs.remove(&pair).unwrap_or_default().words;
        words.sort_unstable();
        words.dedup();
        let mut new = Vec::new();
        for index in words {
            let word = &mut self.words[index as usize];
            for pair in word.tokens.windows(2) {
                if let Some(found) = self.pairs.get_mut(&[pair[0], pair[1]]) {
                    found.count -= word.count;
                }
            }
            join(&mut word.tokens, pair, token);
            for pair in word.tokens.windows(2) {
                let pair = [pair[0], pair[1]];
                let found = self.pairs.entry(pair).or_default();
                found.count += word.count;
                // Pairs of other tokens were there before, and know of the word.
                if pair.contains(&token) {
                    found.words.push(index);
                    new.push(pair);
                }
            }
        }
        new.sort_unstable();
        new.dedup();
        self.counts.extend(new.into_iter().map(|pair| (self.pairs[&pair].count, Reverse(pair))));
    }
}

#[cfg(test)]
mod tests {
    use super::super::pairs::Pairs;
    use super::*;

    /// The same by counting all pairs anew at each step.
    fn naive(text: &str, most: usize) -> Vec<[u32; 2]> {
        let mut split: Vec<Vec<u32>> =
            words(text).map(|word| word.bytes().map(u32::from).collect()).collect();
        let mut joined = Vec::new();
        while joined.len() < most {
            let mut counts: HashMap<[u32; 2], u64> = HashMap::new();
            for pair in split.iter().flat_map(|word| word.windows(2)) {
                *counts.entry([pair[0], pair[1]]).or_default() += 1;
            }
            let best = counts.into_iter().max_by_key(|&(pair, count)| (count, Reverse(pair)));
            let Some((pair, _)) = best.filter(|&(_, count)| count > 1) else { break };
            split.iter_mut().for_each(|word| join(word, pair, (BYTES + joined.len()) as u32));
            joined.push(pair);
        }
        joined
    }

    #[test]
    fn the_pairs_are_those_that_counting_anew_gives() {
        let text = "low lower lowest newer wider newest aaaa aaaaa banana bandana nana low low new\n\n"
            .repeat(3)
            + "the theatre of the other brother; 1000 2000 10 20 ... ééé";
        for most in [0, 1, 7, 40, 1000] {
            assert_eq!(train(&[&text], most), naive(&text, most), "{most}");
        }
        // Several texts count together.
        let (first, second) = text.split_at(text.find("the theatre").unwrap());
        assert_eq!(train(&[first, second], 50), naive(&text, 50));
    }

    #[test]
    fn what_was_learnt_shortens_the_text() {
        let text = "the cat and the dog and the bird ".repeat(20);
        let pairs = Pairs::new(train(&[&text], 30)).unwrap();
        let tokens = pairs.encode(&text);
        assert!(tokens.len() < text.len() / 2, "{} of {}", tokens.len(), text.len());
        let bytes: Vec<u8> = tokens.iter().flat_map(|&token| pairs.bytes(token).unwrap()).copied().collect();
        assert_eq!(bytes, text.as_bytes());
        assert!(train(&[""], 5).is_empty() && train(&["abc"], 5).is_empty());
    }
}
