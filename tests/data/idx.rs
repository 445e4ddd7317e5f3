//! The IDX reader and writer: every element type and rank, every kind of broken file, and random
//! bytes.

use std::path::Path;

use crate::common;
use crate::common::idx::{gzip, idx as file};
use fallline::data::idx::{ElementType, Elements, Idx};
use fallline::data::{Features, Samples};
use fallline::engine::error::Error;
use proptest::prelude::*;

fn parse(bytes: &[u8]) -> Result<Idx, Error> {
    Idx::from_bytes(Path::new("x.idx"), bytes)
}

fn content(idx: &Idx) -> Vec<u8> {
    let mut bytes = Vec::new();
    idx.write_to(&mut bytes).unwrap();
    bytes
}

/// A value of this type that depends on `i` and uses its sign and all of its bytes.
fn elements(element_type: ElementType, count: usize) -> Elements {
    let numbers = (0..count as i64).map(|i| (i * 0x0123_4567_89AB + 77) * if i % 2 == 0 { 1 } else { -1 });
    match element_type {
        ElementType::U8 => Elements::U8(numbers.map(|n| n as u8).collect()),
        ElementType::I8 => Elements::I8(numbers.map(|n| n as i8).collect()),
        ElementType::I16 => Elements::I16(numbers.map(|n| n as i16).collect()),
        ElementType::I32 => Elements::I32(numbers.map(|n| n as i32).collect()),
        ElementType::F32 => Elements::F32(numbers.map(|n| n as f32 * 1e-7).collect()),
        ElementType::F64 => Elements::F64(numbers.map(|n| n as f64 * 1e-7).collect()),
    }
}

#[test]
fn every_type_and_rank_survives_writing_and_reading() {
    let folder = tempfile::tempdir().unwrap();
    for element_type in ElementType::ALL {
        for dimensions in [vec![7], vec![3, 5], vec![2, 3, 4], vec![1, 2, 1, 3], vec![2, 1, 3, 1, 2]] {
            let count = dimensions.iter().product();
            let idx = Idx { dimensions, elements: elements(element_type, count) };
            for gzip in [false, true] {
                // The name says nothing about compression.
                let path = folder.path().join("array");
                idx.write(&path, gzip).unwrap();
                assert_eq!(Idx::read(&path).unwrap(), idx);
                assert_eq!(std::fs::read(&path).unwrap().starts_with(&[0x1f, 0x8b]), gzip);
            }
        }
    }
}

#[test]
fn bytes_are_laid_out_as_the_format_says() {
    let idx = Idx { dimensions: vec![1, 2], elements: Elements::I16(vec![-2, 0x0102]) };
    assert_eq!(content(&idx), [0, 0, 0x0B, 2, 0, 0, 0, 1, 0, 0, 0, 2, 0xFF, 0xFE, 1, 2]);
    let idx = parse(&file(0x0D, &[1], &[0x3F, 0x80, 0, 0])).unwrap();
    assert_eq!(idx.elements, Elements::F32(vec![1.0]));
    let idx = parse(&file(0x0E, &[1], &[0xC0, 0, 0, 0, 0, 0, 0, 0])).unwrap();
    assert_eq!(idx.elements, Elements::F64(vec![-2.0]));
    let idx = parse(&file(0x0C, &[1], &[0xFF, 0xFF, 0xFF, 0x00])).unwrap();
    assert_eq!(idx.elements, Elements::I32(vec![-256]));
    let idx = parse(&file(0x09, &[1], &[0x80])).unwrap();
    assert_eq!(idx.elements, Elements::I8(vec![-128]));
}

/// Both forms of each malformed file, and what the reader says to the plain one.
#[test]
fn malformed_files_are_refused_with_what_where_and_why() {
    let too_big = [u32::MAX; 8];
    let table: &[(&[u8], &str)] = &[
        (b"", "byte 0: expected an IDX header of at least 8 bytes, found the end of the data"),
        (b"\0\0\x08", "byte 3: expected an IDX header of at least 8 bytes, found the end of the data"),
        (b"PK\x03\x04rest", "byte 0: expected 0x00 0x00, the start of an IDX file, found 0x50 0x4B"),
        (
            b"\0\0\x0A\x01\0\0\0\x01x",
            "byte 2: expected an element type (0x08, 0x09, 0x0B, 0x0C, 0x0D or 0x0E), found 0x0A",
        ),
        (b"\0\0\x08\0", "byte 3: expected at least 1 dimension, found 0"),
        (
            b"\0\0\x08\x02\0\0\0\x01\0",
            "byte 9: expected the sizes of 2 dimensions, found the end of the data",
        ),
        (&file(0x08, &[3, 0, 2], b""), "byte 8: expected at least 1 item, found 0 in 3 x 0 x 2"),
        (&file(0x08, &[0], b""), "byte 4: expected at least 1 item, found 0 in 0"),
        (&file(0x08, &[2, 3], b"12345"), "byte 17: expected 18 bytes in all for 2 x 3 of u8, found 17 bytes"),
        (
            &file(0x08, &[2, 3], b"1234567"),
            "byte 18: expected 18 bytes in all for 2 x 3 of u8, found 19 bytes",
        ),
        (&file(0x0E, &[2], &[0; 15]), "byte 23: expected 24 bytes in all for 2 of f64, found 23 bytes"),
        (
            &file(0x08, &too_big, b""),
            "byte 4: expected dimensions whose product can be addressed, found 4294967295 x 4294967295 x \
             4294967295 x 4294967295 x 4294967295 x 4294967295 x 4294967295 x 4294967295",
        ),
        // The product is exactly 2^64, then 2^63: both used to be favourites for wrapping to 0.
        (
            &file(0x08, &[1 << 31, 1 << 31, 4], b""),
            "byte 4: expected dimensions whose product can be addressed, found 2147483648 x 2147483648 x 4",
        ),
        (
            &file(0x0E, &[1 << 30, 1 << 30], b""),
            "byte 4: expected dimensions whose product can be addressed, found 1073741824 x 1073741824",
        ),
    ];
    for (bytes, expected) in table {
        let error = parse(bytes).unwrap_err();
        assert!(matches!(error, Error::Format { .. }));
        assert_eq!(error.to_string(), format!("x.idx: {expected}"));
        assert!(matches!(parse(&gzip(bytes)), Err(Error::Format { .. })), "compressed: {expected}");
    }
}

#[test]
fn broken_compression_is_refused() {
    let good = file(0x08, &[2, 3], b"abcdef");
    let packed = gzip(&good);
    assert!(parse(&packed).is_ok());
    let changed = |at: usize| {
        let mut bytes = packed.clone();
        bytes[at] ^= 0x10;
        bytes
    };
    let length = packed.len();
    let joined = |rest: &[u8]| [&packed[..], rest].concat();
    let table = [
        ("bad checksum", changed(length - 8), "byte 18 of the uncompressed data: expected sound gzip data"),
        ("bad length", changed(length - 4), "byte 18 of the uncompressed data: expected sound gzip data"),
        ("bad method", changed(2), "byte 0 of the uncompressed data: expected sound gzip data"),
        ("no trailer", packed[..length - 8].to_vec(), "found the end of the file"),
        ("cut short", packed[..length - 12].to_vec(), "found the end of the file"),
        ("header only", packed[..10].to_vec(), "byte 0 of the uncompressed data"),
        ("two bytes", packed[..2].to_vec(), "byte 0 of the uncompressed data"),
        (
            "garbage after it",
            joined(b"garbage"),
            "byte 18 of the uncompressed data: expected sound gzip data",
        ),
        (
            "a second array",
            joined(&packed),
            "byte 18 of the uncompressed data: expected the end of the data after 2 x 3 of u8, found more data",
        ),
        (
            "truncated content",
            gzip(&good[..15]),
            "byte 15 of the uncompressed data: expected 18 bytes in all for 2 x 3 of u8, found the end of the data",
        ),
    ];
    for (name, bytes, expected) in table {
        let error = parse(&bytes).expect_err(name);
        assert!(matches!(error, Error::Format { .. }), "{name}: {error}");
        assert!(error.to_string().contains(expected), "{name}: {error}");
    }
}

/// Legal gzip files may come in several members; their content is one.
#[test]
fn members_of_one_gzip_file_are_joined() {
    let good = file(0x08, &[2, 3], b"abcdef");
    let packed = [gzip(&good[..13]), gzip(&good[13..])].concat();
    assert_eq!(content(&parse(&packed).unwrap()), good);
}

#[test]
fn missing_files_and_folders_are_errors_of_the_system() {
    let folder = tempfile::tempdir().unwrap();
    for path in [folder.path().to_path_buf(), folder.path().join("no-such-file")] {
        assert!(matches!(Idx::read(&path), Err(Error::Io { .. })));
    }
}

#[test]
fn arrays_that_do_not_fit_the_format_are_not_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("array");
    for dimensions in [vec![], vec![5], vec![0, 6], vec![usize::MAX, 2], vec![1; 256]] {
        let idx = Idx { dimensions, elements: Elements::U8(vec![0; 6]) };
        assert!(matches!(idx.write(&path, false), Err(Error::Mismatch { .. })));
        assert!(!path.exists());
    }
}

fn samples(images: &Idx, labels: &Idx, classes: usize) -> Result<Samples, Error> {
    let folder = tempfile::tempdir().unwrap();
    let paths = [folder.path().join("images"), folder.path().join("labels")];
    images.write(&paths[0], true).unwrap();
    labels.write(&paths[1], false).unwrap();
    Samples::from_idx(&paths[0], &paths[1], classes)
}

fn labels(labels: &[u8]) -> Idx {
    Idx { dimensions: vec![labels.len()], elements: Elements::U8(labels.to_vec()) }
}

#[test]
fn images_and_labels_become_samples() {
    let images = Idx { dimensions: vec![2, 1, 3], elements: Elements::U8((0..6).collect()) };
    let read = samples(&images, &labels(&[4, 9]), 10).unwrap();
    assert_eq!((read.len(), read.shape(), read.label(1)), (2, [1, 3, 1], Some(9)));
    assert_eq!(read.row_bytes(1).unwrap(), [3, 4, 5]);

    let images = Idx { dimensions: vec![2, 1, 1, 3], elements: Elements::I16(vec![-1, 0, 1, 2, 3, 4]) };
    let wide = Idx { dimensions: vec![2], elements: Elements::I32(vec![0, 7]) };
    let read = samples(&images, &wide, 10).unwrap();
    assert_eq!((read.shape(), read.label(1)), ([1, 1, 3], Some(7)));
    assert_eq!(*read.features(), Features::Floats(vec![-1.0, 0.0, 1.0, 2.0, 3.0, 4.0]));
}

#[test]
fn images_and_labels_that_disagree_are_refused() {
    let images = Idx { dimensions: vec![2, 1, 3], elements: Elements::U8(vec![0; 6]) };
    let wide = |labels| Idx { dimensions: vec![2], elements: Elements::I32(labels) };
    let flat = Idx { dimensions: vec![6], elements: Elements::U8(vec![0; 6]) };
    let not_finite = Idx { dimensions: vec![1, 1, 1], elements: Elements::F64(vec![1e300]) };
    let square = Idx { dimensions: vec![2, 1], elements: Elements::U8(vec![0; 2]) };
    let floats = Idx { dimensions: vec![2], elements: Elements::F32(vec![0.0; 2]) };
    let table = [
        (&images, labels(&[1, 2, 3]), "expected 2, as many as images in "),
        (&images, labels(&[1, 10]), "expected classes from 0 to 9, found 10 at index 1"),
        (&images, wide(vec![-1, 0]), "expected classes from 0 to 9, found -1 at index 0"),
        (&images, wide(vec![0, 256]), "expected classes from 0 to 9, found 256 at index 1"),
        (&images, square, "expected one dimension, found 2 x 1"),
        (&images, floats, "expected an integer type, found f32"),
        (
            &flat,
            labels(&[0; 6]),
            "expected [samples, height, width] or [samples, height, width, channels], found 6",
        ),
        (&not_finite, labels(&[0]), "expected finite numbers, found inf at index 0"),
    ];
    for (images, labels, expected) in table {
        let error = samples(images, &labels, 10).unwrap_err();
        assert!(matches!(error, Error::Mismatch { .. }));
        assert!(error.to_string().contains(expected), "{error}");
    }
}

#[test]
fn the_real_mnist_is_as_its_authors_describe_it() {
    let Some(set) = common::mnist() else { return };
    assert_eq!((set.train.len(), set.test.len(), set.classes), (60_000, 10_000, 10));
    assert_eq!(set.train.shape(), [28, 28, 1]);
    assert_eq!(&set.train.labels().unwrap()[..10], [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]);
    let Features::Bytes(pixels) = set.train.features() else { panic!("MNIST is bytes") };
    let mean = pixels.iter().map(|&pixel| f64::from(pixel)).sum::<f64>() / pixels.len() as f64 / 255.0;
    assert!((mean - 0.1307).abs() < 1e-4, "{mean}");
}

/// A small valid file of any type.
fn valid() -> impl Strategy<Value = Vec<u8>> {
    let dimensions = prop::collection::vec(1u32..4, 1..5);
    (0..ElementType::ALL.len(), dimensions, any::<u64>()).prop_map(|(which, dimensions, seed)| {
        let element_type = ElementType::ALL[which];
        let bytes = dimensions.iter().product::<u32>() as usize * element_type.bytes();
        let payload: Vec<u8> =
            (0..bytes as u64).map(|i| (seed.wrapping_mul(2 * i + 1) >> 32) as u8).collect();
        file(element_type as u8, &dimensions, &payload)
    })
}

/// Changes some bytes, and cuts or lengthens the file.
fn mutated(bytes: Vec<u8>) -> impl Strategy<Value = Vec<u8>> {
    let length = bytes.len();
    let changes = prop::collection::vec((0..length, any::<u8>()), 0..4);
    (changes, 0..length + 8).prop_map(move |(changes, end)| {
        let mut bytes = bytes.clone();
        changes.into_iter().for_each(|(at, value)| bytes[at] = value);
        // Half of them keep their length.
        if end % 2 == 0 {
            bytes.resize(end, 0xA5);
        }
        bytes
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), start in 0..3) {
        let start: &[u8] = match start { 0 => &[], 1 => &[0, 0], _ => &[0x1f, 0x8b, 8, 0] };
        let bytes = [start, &bytes].concat();
        if let Ok(idx) = parse(&bytes) && !bytes.starts_with(&[0x1f, 0x8b]) {
            prop_assert_eq!(content(&idx), bytes);
        }
    }

    #[test]
    fn valid_files_come_back_bit_for_bit(bytes in valid()) {
        prop_assert_eq!(&content(&parse(&bytes).unwrap()), &bytes);
        prop_assert_eq!(&content(&parse(&gzip(&bytes)).unwrap()), &bytes);
    }

    #[test]
    fn mutated_files_are_refused_or_read_as_they_are(bytes in valid().prop_flat_map(mutated)) {
        for parsed in [parse(&bytes), parse(&gzip(&bytes))].into_iter().flatten() {
            prop_assert_eq!(content(&parsed), &bytes[..]);
        }
    }

    #[test]
    fn mutated_compressed_files_are_refused_or_unchanged(
        (bytes, packed) in valid().prop_flat_map(|bytes| (Just(bytes.clone()), mutated(gzip(&bytes))))
    ) {
        // The checksum catches what the format does not; what passes it had no effect, or is
        // no longer compressed.
        if let Ok(idx) = parse(&packed) {
            let content = content(&idx);
            prop_assert!(content == bytes || content == packed);
        }
    }
}
