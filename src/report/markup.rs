//! Texts from outside made fit for HTML, XML and file names.

/// Characters of a file's name.
const LONGEST_STEM: usize = 80;

/// The text without control characters, which XML does not allow.
pub fn printable(text: &str) -> String {
    let allowed = |letter: char| !letter.is_control() && !('\u{fffe}'..='\u{ffff}').contains(&letter);
    text.chars().map(|letter| if allowed(letter) { letter } else { '\u{fffd}' }).collect()
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

/// Bytes as the characters of a `data:` address (RFC 4648, §4).
pub fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for three in bytes.chunks(3) {
        let byte = |index: usize| u32::from(three.get(index).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for index in 0..4 {
            let letter = char::from(LETTERS[(bits >> (18 - 6 * index) & 63) as usize]);
            text.push(if index <= three.len() { letter } else { '=' });
        }
    }
    text
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
        assert_eq!(stem("../../etc/Passwd <x>, 2 threads"), "etc-passwd-x-2-threads");
        assert_eq!((stem("…").as_str(), stem(&"a".repeat(999)).len()), ("chart", LONGEST_STEM));
    }

    #[test]
    fn base64_is_that_of_the_standard() {
        // RFC 4648, §10
        let texts = ["", "f", "fo", "foo", "foob", "fooba", "foobar"];
        let encoded = ["", "Zg==", "Zm8=", "Zm9v", "Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy"];
        assert_eq!(texts.map(|text| base64(text.as_bytes())), encoded);
        assert_eq!(base64(&[0xff, 0xfe, 0xfb]), "//77");
    }
}
