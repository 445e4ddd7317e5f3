//! Words of a text, within which byte pairs are joined.

use std::iter;

/// The most tokens of a vocabulary: single precision holds every whole number up to it.
pub const MOST_TOKENS: usize = 1 << 24;

/// The most characters of a word, a blank before it aside: longer runs are cut, so that no text takes more than linear time.
const MOST_CHARACTERS: usize = 64;

/// The most bytes of a word.
pub const MOST_BYTES: usize = 1 + 4 * MOST_CHARACTERS;

/// The words of a text, which make it up without gaps: runs of letters, of digits and of other marks, each with one blank
/// before it if there is one, and runs of white space. The rule is that of GPT-2, but for contractions, whose apostrophe is
/// a mark here (Radford et al. 2019, "Language Models are Unsupervised Multitask Learners").
pub fn words(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    iter::from_fn(move || {
        let (word, behind) = rest.split_at(end_of_word(rest)?);
        rest = behind;
        Some(word)
    })
}

#[derive(Clone, Copy, PartialEq)]
enum Class {
    Letter,
    Digit,
    Space,
    Mark,
}

impl Class {
    fn of(character: char) -> Class {
        match character {
            letter if letter.is_alphabetic() => Class::Letter,
            digit if digit.is_numeric() => Class::Digit,
            space if space.is_whitespace() => Class::Space,
            _ => Class::Mark,
        }
    }
}

/// Where the first word of a text ends; none if the text is empty.
fn end_of_word(text: &str) -> Option<usize> {
    let begins_word = |rest: &str| rest.chars().next().is_some_and(|next| !next.is_whitespace());
    let start = usize::from(text.strip_prefix(' ').is_some_and(begins_word));
    let class = Class::of(text[start..].chars().next()?);
    let run = text[start..].chars().take(MOST_CHARACTERS).take_while(|&next| Class::of(next) == class);
    let end = start + run.map(char::len_utf8).sum::<usize>();
    // The last blank of several goes to the word behind it.
    let shared = end > 1 && class == Class::Space && text[..end].ends_with(' ') && begins_word(&text[end..]);
    Some(end - usize::from(shared))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(text: &str) -> Vec<&str> {
        words(text).collect()
    }

    #[test]
    fn words_take_one_blank_before_them() {
        assert_eq!(split("Speak, speak.\n\nAll:"), ["Speak", ",", " speak", ".", "\n\n", "All", ":"]);
        assert_eq!(split("a  b 12 x3"), ["a", " ", " b", " 12", " x", "3"]);
        assert_eq!(split(" \t "), [" \t "]);
        assert_eq!(split("\n b"), ["\n", " b"]);
        assert_eq!(split("é日 —"), ["é日", " —"]);
        assert!(split("").is_empty());
    }

    #[test]
    fn long_runs_are_cut_and_nothing_is_lost() {
        for text in ["x".repeat(200), " ".repeat(200), format!(" {}", "日".repeat(150)), " ".repeat(64) + "x"]
        {
            let words = split(&text);
            assert_eq!(words.concat(), text);
            assert!(words.iter().all(|word| (1..=MOST_BYTES).contains(&word.len())));
        }
    }
}
