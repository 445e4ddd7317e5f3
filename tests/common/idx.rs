//! Files in the IDX format, and what is compressed.

use std::io::{self, Read, Write};

use flate2::Compression;
use flate2::write::GzEncoder;

/// A file whose header has this element type and these dimensions, whether or not the content is that.
pub fn idx(code: u8, dimensions: &[u32], content: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0, 0, code, dimensions.len() as u8];
    dimensions.iter().for_each(|dimension| bytes.extend(dimension.to_be_bytes()));
    bytes.extend(content);
    bytes
}

/// Bytes, compressed.
pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    compressed(Compression::default(), bytes, 0)
}

/// `start` and then `zeros` zeros, compressed as well as can be.
pub fn gzip_with_zeros(start: &[u8], zeros: u64) -> Vec<u8> {
    compressed(Compression::best(), start, zeros)
}

fn compressed(level: Compression, start: &[u8], zeros: u64) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), level);
    encoder.write_all(start).unwrap();
    io::copy(&mut io::repeat(0).take(zeros), &mut encoder).unwrap();
    encoder.finish().unwrap()
}
