//! Spoiling texts word by word, so that most of them are still TOML, JSON or a setting.

use std::collections::BTreeSet;

use super::random::Random;

/// Values that mean something else than what they replace.
const VALUES: [&str; 44] = [
    "0",
    "1",
    "-1",
    "2",
    "3",
    "0.5",
    "1.0",
    "-0.0",
    "1e-320",
    "1e308",
    "1e309",
    "-1e400",
    "nan",
    "-inf",
    "inf",
    "null",
    "true",
    "false",
    "\"\"",
    "''",
    "\"all\"",
    "[]",
    "{}",
    "[[]]",
    "[0]",
    "[1, 2]",
    "[0.1, 0.9]",
    "{ type = 'relu' }",
    "{\"a\":1}",
    "2147483647",
    "2147483648",
    "4294967295",
    "4294967296",
    "9007199254740993",
    "9223372036854775807",
    "9223372036854775808",
    "18446744073709551615",
    "18446744073709551616",
    "99999999999999999999999999",
    "0x7fffffffffffffff",
    "1_000",
    "1979-05-27T07:32:00Z",
    "100000000",
    "1048576",
];

/// Characters and marks that readers and terminals stumble over.
const MARKS: [&str; 26] = [
    "\u{0}",
    "\u{1b}[2J",
    "\u{7}",
    "\r",
    "\n",
    "\t",
    "\u{202e}",
    "\u{feff}",
    "\u{85}",
    "\u{2028}",
    "é",
    "漢",
    "\u{1f4a9}",
    "\\u0000",
    "\\ud800",
    "\\",
    "\"",
    "\"\"\"",
    "'''",
    "#",
    "=",
    ",",
    ".",
    "[",
    "}",
    "{",
];

/// The words of some texts: keys, names and numbers, each once.
pub fn words<'a>(texts: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let all: BTreeSet<&str> = texts.into_iter().flat_map(|text| text.split(|c: char| !is_word(c))).collect();
    all.into_iter().filter(|word| !word.is_empty() && word.len() <= 40).map(String::from).collect()
}

fn is_word(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || "_-+.".contains(letter)
}

/// Makes a few changes, with `words` to put in.
pub fn spoil(random: &mut Random, text: &mut String, words: &[String]) {
    for _ in 0..random.few(6) {
        change(random, text, words);
    }
    let mut end = text.len().min(super::bytes::LONGEST);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.truncate(end);
}

fn change(random: &mut Random, text: &mut String, words: &[String]) {
    let mut at = random.below(text.len() + 1);
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    let word = around(text, at, is_word);
    let line = around(text, at, |letter| letter != '\n');
    match random.below(14) {
        0..=2 => text.replace_range(word, random.pick::<String>(words)),
        3..=5 => text.replace_range(word, random.pick::<&str>(&VALUES)),
        6 => text.replace_range(word, ""),
        7 => text.replace_range(line, ""),
        8 => {
            let again = format!("\n{}", &text[line.clone()]).repeat(random.few(12));
            text.insert_str(line.end, &again);
        }
        9 => text.insert_str(at, random.pick::<&str>(&MARKS)),
        10 => text.insert_str(at, &deep(random)),
        11 => {
            let other = random.below(text.len() + 1);
            if text.is_char_boundary(other) {
                let other = around(text, other, is_word);
                let moved = text[other].to_string();
                text.replace_range(word, &moved);
            }
        }
        12 => {
            let entry = format!("{} = {}\n", random.pick(words), random.pick::<&str>(&VALUES));
            text.insert_str(line.start, &entry);
        }
        _ => {
            let long = random.pick(words).repeat(1 << random.below(10));
            text.replace_range(word, &long);
        }
    }
}

/// Where the run of such letters around a place is.
fn around(text: &str, at: usize, fits: impl Fn(char) -> bool) -> std::ops::Range<usize> {
    let before = text[..at].chars().rev().take_while(|&letter| fits(letter)).map(char::len_utf8);
    let after = text[at..].chars().take_while(|&letter| fits(letter)).map(char::len_utf8);
    at - before.sum::<usize>()..at + after.sum::<usize>()
}

/// Values within each other, some of them far deeper than a stack of calls can go.
pub fn deep(random: &mut Random) -> String {
    let depth = 1 << random.below(13);
    let pairs = [
        ("[", "]"),
        ("{a=", "}"),
        ("{\"a\":", "}"),
        ("a.", ""),
        ("[[a", "]]"),
        ("{ type = 'residual', layers = [", "] }"),
    ];
    let (open, close) = *random.pick(&pairs);
    let closed = if random.one_in(2) { depth } else { 0 };
    open.repeat(depth) + "1" + &close.repeat(closed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_found_and_changes_hit_them() {
        let words = words(["[optimizer]\nbeta1 = 0.5", "beta1"]);
        assert_eq!(words, ["0.5", "beta1", "optimizer"]);
        let text = "[a]\nbeta = 0.5\n";
        assert_eq!(&text[around(text, 6, is_word)], "beta");
        let mut random = Random::of(1, "text", 0);
        let mut changed = BTreeSet::new();
        for _ in 0..2000 {
            let mut new = text.to_string();
            spoil(&mut random, &mut new, &words);
            changed.insert(new);
        }
        assert!(changed.len() > 250 && changed.iter().any(|new| new == "[a]\nbeta1 = 0.5\n"));
    }
}
