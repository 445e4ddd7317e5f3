//! Blanks between a delimiter and a quote, which the grammar of RFC 4180 does not know: without them the quote opens a
//! field, and with them it is a letter of it.

/// Drops blanks at the beginning of fields from bytes that come piece by piece.
pub(super) struct Blanks {
    delimiter: u8,
    state: State,
}

#[derive(Clone, Copy)]
enum State {
    /// At the beginning of a field.
    Start,
    /// Within a field, and not within quotes.
    Plain,
    Quoted,
    /// Behind a quote that is the end of the quoted part, or the first of two.
    Closing,
}

impl Blanks {
    /// One that is needed: where a quote is seen behind a delimiter and blanks.
    pub fn needed(head: &[u8], delimiter: u8) -> Option<Blanks> {
        let mut fields = head.split(|&byte| byte == delimiter).skip(1);
        let is_needed =
            fields.any(|field| field.starts_with(b" ") && field.trim_ascii_start().starts_with(b"\""));
        is_needed.then_some(Blanks { delimiter, state: State::Start })
    }

    /// Moves the bytes that stay to the front; how many they are.
    pub fn drop_from(&mut self, bytes: &mut [u8]) -> usize {
        let mut kept = 0;
        for index in 0..bytes.len() {
            let byte = bytes[index];
            let ends = byte == self.delimiter || byte == b'\n' || byte == b'\r';
            let is_dropped = byte == b' ' && matches!(self.state, State::Start);
            self.state = match (self.state, byte) {
                (State::Start, b' ') => State::Start,
                (State::Start | State::Closing, b'"') => State::Quoted,
                (State::Quoted, b'"') => State::Closing,
                (State::Quoted, _) => State::Quoted,
                _ if ends => State::Start,
                _ => State::Plain,
            };
            if !is_dropped {
                bytes[kept] = byte;
                kept += 1;
            }
        }
        kept
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blanks_are_dropped_before_fields_and_not_within() {
        let text = b"a b,  \"c, \"\" d\" ,x\n 1, \"e\n f\", g h\n";
        let expected = b"a b,\"c, \"\" d\" ,x\n1,\"e\n f\",g h\n";
        for piece in [1, 2, 3, 100] {
            let mut blanks = Blanks::needed(text, b',').unwrap();
            let mut found: Vec<u8> = Vec::new();
            for piece in text.chunks(piece) {
                let mut piece = piece.to_vec();
                let kept = blanks.drop_from(&mut piece);
                found.extend(&piece[..kept]);
            }
            assert_eq!(found, expected, "{piece}");
        }
        assert!(Blanks::needed(b"a, b,\"c\"\n", b',').is_none());
    }
}
