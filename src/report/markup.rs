//! Texts from outside made fit for HTML, XML, CSV and file names.

use std::collections::HashSet;

/// The most characters of a file's name.
const LONGEST_STEM: usize = 80;

/// The text without control characters, which XML does not allow.
pub fn printable(text: &str) -> String {
    let allowed = |letter: char| !letter.is_control() && !('\u{fffe}'..='\u{ffff}').contains(&letter);
    text.chars().map(|letter| if allowed(letter) { letter } else { '\u{fffd}' }).collect()
}

/// The text as it may go to a terminal, which obeys control characters and reverses text at marks of its
/// direction. Lines stay lines.
pub fn for_terminal(text: &str) -> String {
    let turns = |letter: char| matches!(letter, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let forbidden = |letter: char| (letter.is_control() && letter != '\n') || turns(letter);
    text.chars().map(|letter| if forbidden(letter) { '\u{fffd}' } else { letter }).collect()
}

/// [`for_terminal`], except that colours stay (`ESC [ … m`): for texts of our own in which names from elsewhere
/// have been made fit already.
pub fn for_coloured_terminal(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find("\u{1b}[") {
        let parameters = &rest[start + 2..];
        let end = parameters.find(|letter: char| !letter.is_ascii_digit() && letter != ';');
        let colour = end.filter(|&end| parameters[end..].starts_with('m')).map(|end| start + 2 + end + 1);
        // Anything that is no colour is a control character and its arguments.
        let until = colour.unwrap_or(start + 1);
        safe += &for_terminal(&rest[..start]);
        safe += &if colour.is_some() {
            rest[start..until].to_string()
        } else {
            for_terminal(&rest[start..until])
        };
        rest = &rest[until..];
    }
    safe + &for_terminal(rest)
}

/// The text as it stands in HTML and XML, between tags or quotes.
pub fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in printable(text).chars() {
        match letter {
            '&' => safe += "&amp;",
            '<' => safe += "&lt;",
            '>' => safe += "&gt;",
            '"' => safe += "&quot;",
            '\'' => safe += "&#39;",
            letter => safe.push(letter),
        }
    }
    safe
}

/// The text as a field of comma-separated values (RFC 4180): in quotes if it must be.
pub fn quoted(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_string()
    }
}

/// The text as a file's name without its ending: small letters, digits and single hyphens.
pub fn stem(text: &str) -> String {
    let plain = |letter: char| if letter.is_ascii_alphanumeric() { letter.to_ascii_lowercase() } else { ' ' };
    let words: String = text.chars().map(plain).collect();
    let joined = words.split_whitespace().collect::<Vec<_>>().join("-");
    let mut stem: String = joined.chars().take(LONGEST_STEM).collect();
    if stem.is_empty() {
        stem.push_str("chart");
    }
    stem
}

/// Names of files without their endings, all different, also where small and capital letters are the same:
/// titles may differ in letters that such names do not have.
#[derive(Debug, Default)]
pub struct Stems {
    used: HashSet<String>,
}

impl Stems {
    /// The stem of a title, with a number behind it if it is taken.
    pub fn of(&mut self, title: &str) -> String {
        let first = stem(title);
        let mut unused = first.clone();
        let mut number = 2;
        while !self.used.insert(unused.clone()) {
            unused = format!("{first}-{number}");
            number += 1;
        }
        unused
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stems_are_all_different() {
        let mut stems = Stems::default();
        let titles = ["net.1: loss", "net-1: loss", "NET_1: loss", "net.1-loss 2", "net.2: loss"];
        let expected = ["net-1-loss", "net-1-loss-2", "net-1-loss-3", "net-1-loss-2-2", "net-2-loss"];
        assert_eq!(titles.map(|title| stems.of(title)), expected);
        let long = "a".repeat(99);
        assert_ne!(stems.of(&long), stems.of(&format!("{long}b")));
    }

    #[test]
    fn hostile_texts_become_harmless() {
        assert_eq!(
            escaped("<b a=\"1\" c='2'>&\u{0}\n"),
            "&lt;b a=&quot;1&quot; c=&#39;2&#39;&gt;&amp;\u{fffd}\u{fffd}"
        );
        assert_eq!((quoted("a b").as_str(), quoted("a,\"b\"").as_str()), ("a b", "\"a,\"\"b\"\"\""));
        assert_eq!(for_terminal("a\u{1b}[2J\nb\u{202e}c\t"), "a\u{fffd}[2J\nb\u{fffd}c\u{fffd}");
        assert_eq!(
            for_coloured_terminal("\u{1b}[1;31mred\u{1b}[0m\n\u{1b}[2J\u{1b}]0;x\u{7}\u{1b}[31"),
            "\u{1b}[1;31mred\u{1b}[0m\n\u{fffd}[2J\u{fffd}]0;x\u{fffd}\u{fffd}[31"
        );
        assert_eq!(stem("../../etc/Passwd <x>, 2 threads"), "etc-passwd-x-2-threads");
        assert_eq!((stem("…").as_str(), stem(&"a".repeat(999)).len()), ("chart", LONGEST_STEM));
    }
}
