//! The framing of TensorFlow's record files: each record stands between its length and checksums.

/// The summand of a rotated checksum, so that a checksum of data that holds checksums is still one
/// (`lib/hash/crc32c.h` of TensorFlow).
const MASK: u32 = 0xa282_ead8;

/// A record as it stands in the file: its length as 8 bytes, their checksum, the data, their checksum;
/// numbers are little-endian.
pub fn framed(data: &[u8]) -> Vec<u8> {
    let length = (data.len() as u64).to_le_bytes();
    let mut record = Vec::with_capacity(data.len() + 16);
    record.extend(length);
    record.extend(masked_checksum(&length).to_le_bytes());
    record.extend(data);
    record.extend(masked_checksum(data).to_le_bytes());
    record
}

/// CRC-32C (Castagnoli), rotated right by 15 bits and masked.
fn masked_checksum(data: &[u8]) -> u32 {
    crc32c::crc32c(data).rotate_right(15).wrapping_add(MASK)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_are_the_published_ones() {
        // The check value of CRC-32C, and the vectors of RFC 3720, B.4.
        assert_eq!(crc32c::crc32c(b"123456789"), 0xe306_9283);
        assert_eq!(crc32c::crc32c(&[0; 32]), 0x8a91_36aa);
        assert_eq!(crc32c::crc32c(&[0xff; 32]), 0x62a8_ab43);
        let unmasked = masked_checksum(b"123456789").wrapping_sub(MASK).rotate_left(15);
        assert_eq!(unmasked, 0xe306_9283);
        assert_ne!(masked_checksum(b"123456788"), masked_checksum(b"123456789"));
    }

    /// The record is taken apart as TensorBoard does.
    #[test]
    fn a_record_is_length_checksum_data_checksum() {
        let record = framed(b"123456789");
        assert_eq!(record.len(), 8 + 4 + 9 + 4);
        assert_eq!(record[..8], [9, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(record[8..12], masked_checksum(&record[..8]).to_le_bytes());
        assert_eq!(&record[12..21], b"123456789");
        assert_eq!(record[21..], masked_checksum(b"123456789").to_le_bytes());
        assert_eq!(framed(b"").len(), 16);
    }
}
