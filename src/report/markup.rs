//! Texts from outside made fit for HTML, XML, CSV and file names.

/// Characters of a file's name.
const LONGEST_STEM: usize = 80;

/// The text without control characters, which XML does not allow.
pub fn printable(text: &str) -> String {
    let allowed = |letter: char| !letter.is_control() && !('\u{fffe}'..='\u{ffff}').contains(&letter);
    text.chars().map(|letter| if allowed(letter) { letter } else { '\u{fffd}' }).collect()
}

/// The text as it may go to a terminal, which obeys control characters and turns text round at marks of its
/// direction. Lines stay lines.
pub fn for_terminal(text: &str) -> String {
    let turns = |letter: char| matches!(letter, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let forbidden = |letter: char| (letter.is_control() && letter != '\n') || turns(letter);
    text.chars().map(|letter| if forbidden(letter) { '\u{fffd}' } else { letter }).collect()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_texts_become_harmless() {
        assert_eq!(
            escaped("<b a=\"1\" c='2'>&\u{0}\n"),
            "&lt;b a=&quot;1&quot; c=&#39;2&#39;&gt;&amp;\u{fffd}\u{fffd}"
        );
        assert_eq!((quoted("a b").as_str(), quoted("a,\"b\"").as_str()), ("a b", "\"a,\"\"b\"\"\""));
        assert_eq!(for_terminal("a\u{1b}[2J\nb\u{202e}c\t"), "a\u{fffd}[2J\nb\u{fffd}c\u{fffd}");
        assert_eq!(stem("../../etc/Passwd <x>, 2 threads"), "etc-passwd-x-2-threads");
        assert_eq!((stem("…").as_str(), stem(&"a".repeat(999)).len()), ("chart", LONGEST_STEM));
    }
}
