//! The content of a gzip file (RFC 1952): one member after the other, and the bytes that may follow them.

use std::io::{self, BufRead, Read};

use flate2::bufread::GzDecoder;

/// The first two bytes of every member.
pub const MAGIC: [u8; 2] = [0x1f, 0x8b];

/// Trailing bytes are counted up to here: a pipe may never end.
const MOST_TRAILING: u64 = 1 << 30;

/// Reads the content of all members, joined. Zeros behind the last one are padding, as of tapes and block
/// devices, and are passed over, as `gzip -t` does; anything else there is an error.
pub struct Members<R> {
    /// The member under way; none behind the last one.
    member: Option<GzDecoder<Counted<R>>>,
    /// Where in the file the last whole member ends; 0 within the first.
    end: u64,
}

impl<R: BufRead> Members<R> {
    pub fn new(reader: R) -> Members<R> {
        Members { member: Some(GzDecoder::new(Counted { reader, position: 0 })), end: 0 }
    }

    /// Goes on to the next member, if one follows.
    fn advance(&mut self, mut reader: Counted<R>) -> io::Result<()> {
        self.end = reader.position;
        let first = loop {
            match reader.fill_buf() {
                Ok(rest) => break rest.first().copied(),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        };
        match first {
            None => Ok(()),
            Some(first) if first == MAGIC[0] => {
                self.member = Some(GzDecoder::new(reader));
                Ok(())
            }
            Some(_) if reader.skip_rest()? => Ok(()),
            Some(_) => Err(trailing(self.end, &reader)),
        }
    }
}

/// The error of the bytes between `end` and the place that has been reached.
fn trailing<R>(end: u64, reader: &Counted<R>) -> io::Error {
    let count = reader.position - end;
    let more = if count >= MOST_TRAILING { "more than " } else { "" };
    let bytes = if count == 1 { "byte" } else { "bytes" };
    let text = format!("{more}{count} {bytes} after the end of the gzip stream");
    io::Error::new(io::ErrorKind::InvalidData, text)
}

impl<R: BufRead> Read for Members<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while let Some(member) = &mut self.member {
            match member.read(buffer) {
                Ok(0) if !buffer.is_empty() => {
                    if let Some(member) = self.member.take() {
                        self.advance(member.into_inner())?;
                    }
                }
                // Bytes that begin like another member, but do not have its whole header, are none.
                Err(error)
                    if [io::ErrorKind::InvalidInput, io::ErrorKind::UnexpectedEof]
                        .contains(&error.kind())
                        && self.end > 0
                        && member.header().is_none() =>
                {
                    member.get_mut().skip_rest()?;
                    return Err(trailing(self.end, member.get_ref()));
                }
                other => return other,
            }
        }
        Ok(0)
    }
}

/// A reader that knows how many bytes have been taken from it.
struct Counted<R> {
    reader: R,
    position: u64,
}

impl<R: BufRead> Counted<R> {
    /// Reads to the end, or as many bytes as are counted; returns whether all of them are zeros.
    fn skip_rest(&mut self) -> io::Result<bool> {
        let start = self.position;
        let mut zeros = true;
        while self.position - start < MOST_TRAILING {
            let rest = match self.reader.fill_buf() {
                Ok([]) => return Ok(zeros),
                Ok(rest) => rest,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            zeros &= rest.iter().all(|&byte| byte == 0);
            let count = rest.len();
            self.consume(count);
        }
        Ok(false)
    }
}

impl<R: BufRead> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.reader.read(buffer)?;
        self.position += count as u64;
        Ok(count)
    }
}

impl<R: BufRead> BufRead for Counted<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.reader.fill_buf()
    }

    fn consume(&mut self, count: usize) {
        self.reader.consume(count);
        self.position += count as u64;
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufReader, Write};

    use super::*;

    fn packed(content: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(content).unwrap();
        encoder.finish().unwrap()
    }

    /// The content, read through buffers of every small size, which must make no difference.
    fn content(file: &[u8]) -> Result<Vec<u8>, String> {
        let read = |capacity| {
            let mut content = Vec::new();
            let reader = BufReader::with_capacity(capacity, file);
            Members::new(reader).read_to_end(&mut content).map(|_| content).map_err(|e| e.to_string())
        };
        let first = read(1);
        for capacity in [2, 3, 17, 4096] {
            assert_eq!(read(capacity), first, "{capacity}");
        }
        first
    }

    #[test]
    fn members_are_joined_and_zeros_behind_them_are_padding() {
        let one = packed(b"abc");
        assert_eq!(content(&one).unwrap(), b"abc");
        for padding in [0, 1, 512, 5000] {
            let file = [&one[..], &packed(b""), &packed(b"defg"), &vec![0; padding]].concat();
            assert_eq!(content(&file).unwrap(), b"abcdefg", "{padding}");
        }
    }

    #[test]
    fn other_bytes_behind_the_stream_are_counted() {
        let one = packed(b"abc");
        for (trailing, count) in [
            (&b"x"[..], "1 byte"),
            (b"garbage", "7 bytes"),
            (b"\0\0\0x\0", "5 bytes"),
            (b"\x1fgarbage", "8 bytes"),
            (b"\x1f\x8b\x08", "3 bytes"),
            (b"\x1f\x8b\xffgarbage", "10 bytes"),
            (&[0x0d, 0x0a], "2 bytes"),
        ] {
            let message = content(&[&one, trailing].concat()).unwrap_err();
            assert_eq!(message, format!("{count} after the end of the gzip stream"));
        }
        // A second member that is cut off is the end of the file, not something else.
        let two = [&one[..], &packed(b"defg")[..20]].concat();
        assert!(!content(&two).unwrap_err().contains("after the end"));
        assert!(!content(b"\x1f\x8b\xffgarbage").unwrap_err().contains("after the end"));
    }
}
