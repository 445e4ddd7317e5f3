//! The two messages of TensorBoard's event files that a run needs, in the encoding of Protocol
//! Buffers: a tag of number and type before each field, lengths before whatever has no fixed one.
//!
//! From `event.proto` and `summary.proto`:
//!
//! ```text
//! message Event   { double wall_time = 1; int64 step = 2; string file_version = 3; Summary summary = 5; }
//! message Summary { message Value { string tag = 1; float simple_value = 2; } repeated Value value = 1; }
//! ```

/// The encodings of a field's value.
const VARINT: u8 = 0;
const EIGHT_BYTES: u8 = 1;
const LENGTH: u8 = 2;
const FOUR_BYTES: u8 = 5;

/// A number at a step of a run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Event<'a> {
    /// Seconds since 1970.
    pub seconds: f64,
    pub step: i64,
    pub tag: &'a str,
    pub value: f32,
}

impl Event<'_> {
    /// The event as an `Event` message.
    pub fn encoded(&self) -> Vec<u8> {
        let mut value = with_length(1, self.tag.as_bytes());
        value.push(key(2, FOUR_BYTES));
        value.extend(self.value.to_le_bytes());

        let mut event = wall_time(self.seconds);
        event.push(key(2, VARINT));
        event.extend(varint(self.step as u64));
        event.extend(with_length(5, &with_length(1, &value)));
        event
    }
}

/// The message that an event file begins with.
pub fn version(seconds: f64) -> Vec<u8> {
    let mut event = wall_time(seconds);
    event.extend(with_length(3, b"brain.Event:2"));
    event
}

fn wall_time(seconds: f64) -> Vec<u8> {
    let mut field = vec![key(1, EIGHT_BYTES)];
    field.extend(seconds.to_le_bytes());
    field
}

/// The tag of a field. Numbers below 16 take one byte.
fn key(number: u8, kind: u8) -> u8 {
    number << 3 | kind
}

/// A field of bytes, text or a message.
fn with_length(number: u8, content: &[u8]) -> Vec<u8> {
    let mut field = vec![key(number, LENGTH)];
    field.extend(varint(content.len() as u64));
    field.extend(content);
    field
}

/// A number as a varint: seven bits a byte, the low ones first; the high bit says that more follow.
fn varint(mut number: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn varints_are_those_of_the_documentation() {
        // https://protobuf.dev/programming-guides/encoding/
        assert_eq!((varint(0), varint(1), varint(127)), (vec![0], vec![1], vec![0x7f]));
        assert_eq!((varint(150), varint(300)), (vec![0x96, 0x01], vec![0xac, 0x02]));
        assert_eq!(varint(u64::MAX), [[0xff; 9].as_slice(), &[1]].concat());
    }

    #[test]
    fn an_event_is_encoded_field_by_field() {
        let event = Event { seconds: 1.5, step: 300, tag: "a/b", value: -2.0 };
        let expected = [
            &[0x09][..],
            &1.5f64.to_le_bytes(),
            &[0x10, 0xac, 0x02],
            // The summary of 12 bytes, in it a value of 10: the tag, and the number.
            &[0x2a, 12, 0x0a, 10, 0x0a, 3],
            b"a/b",
            &[0x15],
            &(-2.0f32).to_le_bytes(),
        ];
        assert_eq!(event.encoded(), expected.concat());
        assert_eq!(version(0.0), [&[0x09][..], &[0; 8], &[0x1a, 13], b"brain.Event:2"].concat());
    }
}
