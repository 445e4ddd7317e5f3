use std::fs::File;

use png::BitDepth;

use super::*;
use crate::data::idx::{Elements, Idx};

fn read(argument: &str, size: [usize; 2], invert: bool) -> anyhow::Result<Pictures> {
    super::read(&[PathBuf::from(argument)], size, invert)
}

/// The bytes of a file's pictures.
fn pixels(argument: &str, invert: bool) -> Vec<u8> {
    match read(argument, [2, 3], invert).unwrap().samples.features() {
        Features::Bytes(pixels) => pixels.clone(),
        Features::Floats(_) => panic!("not bytes"),
    }
}

/// Writes a PNG file of 2 x 3 pixels.
fn png_file(folder: &Path, colour: ColorType, depth: BitDepth, bytes: &[u8]) -> String {
    let path = folder.join("picture.png");
    let mut encoder = png::Encoder::new(File::create(&path).unwrap(), 3, 2);
    encoder.set_color(colour);
    encoder.set_depth(depth);
    if colour == ColorType::Indexed {
        encoder.set_palette(vec![0, 0, 0, 255, 255, 255, 255, 0, 0]);
    }
    encoder.write_header().unwrap().write_image_data(bytes).unwrap();
    path.to_str().unwrap().to_string()
}

#[test]
fn every_kind_of_png_becomes_grey() {
    let folder = tempfile::tempdir().unwrap();
    let grey = [0, 51, 102, 153, 204, 255];
    let each = |f: &dyn Fn(u8) -> Vec<u8>| grey.iter().flat_map(|&g| f(g)).collect::<Vec<u8>>();
    let files = [
        (ColorType::Grayscale, BitDepth::Eight, grey.to_vec()),
        (ColorType::Grayscale, BitDepth::Four, vec![0x03, 0x60, 0x9c, 0xf0]),
        (ColorType::Grayscale, BitDepth::Sixteen, each(&|g| vec![g, g])),
        (ColorType::GrayscaleAlpha, BitDepth::Eight, each(&|g| vec![g, 255])),
        (ColorType::Rgb, BitDepth::Eight, each(&|g| vec![g, g, g])),
        (ColorType::Rgb, BitDepth::Sixteen, each(&|g| vec![g, g, g, g, g, g])),
        (ColorType::Rgba, BitDepth::Eight, each(&|g| vec![g, g, g, 255])),
    ];
    for (colour, depth, bytes) in files {
        let path = png_file(folder.path(), colour, depth, &bytes);
        assert_eq!(pixels(&path, false), grey, "{colour:?} {depth:?}");
        let Pictures { pictures, samples } = read(&path, [2, 3], false).unwrap();
        assert_eq!(pictures, [Picture { label: path, place: None }]);
        assert_eq!((samples.shape(), samples.element_type()), ([2, 3, 1], ElementType::U8));
    }
    let path = png_file(folder.path(), ColorType::Indexed, BitDepth::Eight, &[0, 1, 2, 2, 1, 0]);
    assert_eq!(pixels(&path, false), [0, 255, 76, 76, 255, 0]);
}

#[test]
fn ground_shows_through_and_ink_can_be_inverted() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = [200, 0, 200, 255, 0, 0, 0, 255, 100, 128, 0, 128];
    let path = png_file(folder.path(), ColorType::GrayscaleAlpha, BitDepth::Eight, &bytes);
    assert_eq!(pixels(&path, false), [0, 200, 0, 0, 50, 0]);
    // The ground of an inverted picture is white before, and so no ink after.
    assert_eq!(pixels(&path, true), [0, 55, 0, 255, 78, 128]);
}

#[test]
fn pictures_of_another_size_and_broken_ones_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = png_file(folder.path(), ColorType::Grayscale, BitDepth::Eight, &[0; 6]);
    let refusal = |path: &str| read(path, [28, 28], false).unwrap_err().to_string();
    let message = refusal(&path);
    assert!(
        message.ends_with("expected a picture of 28x28 pixels, which the model reads, found 2x3"),
        "{message}"
    );
    assert!(refusal(&format!("{path}:0")).ends_with("before `:INDEX`, found a PNG file"));
    assert!(refusal("no-such.png").starts_with("no-such.png: cannot open: "));

    let bytes = std::fs::read(&path).unwrap();
    for length in 8..bytes.len() - 16 {
        std::fs::write(&path, &bytes[..length]).unwrap();
        let message = read(&path, [2, 3], false).unwrap_err().to_string();
        assert!(message.contains("expected a sound PNG file, found: "), "{length}: {message}");
    }
}

#[test]
fn idx_files_give_all_pictures_or_the_one_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pictures.idx");
    let bytes: Vec<u8> = (0..12).collect();
    Idx { dimensions: vec![2, 2, 3], elements: Elements::U8(bytes) }.write(&path, false).unwrap();
    let name = path.to_str().unwrap();

    assert_eq!(pixels(name, false), (0..12).collect::<Vec<u8>>());
    let all = read(name, [2, 3], false).unwrap().pictures;
    assert_eq!(all[1].label, format!("{name}:1"));
    assert_eq!(read(&format!("{name}:1"), [2, 3], false).unwrap().pictures, all[1..]);
    assert_eq!(pixels(&format!("{name}:1"), false), [6, 7, 8, 9, 10, 11]);
    let refusal = |argument: &str, size| read(argument, size, false).unwrap_err().to_string();
    assert!(refusal(&format!("{name}:2"), [2, 3]).ends_with("expected an index below 2, found 2"));
    assert!(refusal(name, [3, 2]).ends_with("found dimensions 2x2x3"));
}

#[test]
fn pictures_of_other_types_are_read_as_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pictures.idx");
    let write = |elements| Idx { dimensions: vec![2, 3], elements }.write(&path, true).unwrap();
    let name = path.to_str().unwrap();
    write(Elements::I16(vec![-1, 0, 1, 2, 3, 1000]));
    let Pictures { samples, .. } = read(name, [2, 3], false).unwrap();
    assert_eq!(*samples.features(), Features::Floats(vec![-1.0, 0.0, 1.0, 2.0, 3.0, 1000.0]));
    assert_eq!(samples.element_type(), ElementType::I16);
    assert_eq!(drawn(&samples, 0).unwrap().pixels, [0, 0, 1, 1, 1, 255]);
    let refusal = |error: anyhow::Result<Pictures>| error.unwrap_err().to_string();
    let inverted = refusal(read(name, [2, 3], true));
    assert!(inverted.ends_with("expected pixels of type u8 with --invert, found i16"), "{inverted}");
    let png = png_file(folder.path(), ColorType::Grayscale, BitDepth::Eight, &[0; 6]);
    let mixed = refusal(super::read(&[path.clone(), PathBuf::from(&png)], [2, 3], false));
    assert_eq!(mixed, format!("pictures: expected one element type, found i16 in {name}:0 and u8 in {png}"));
    write(Elements::F32(vec![0.0, 1.0, f32::NAN, 0.0, 0.0, 0.0]));
    assert!(refusal(read(name, [2, 3], false)).ends_with("expected finite numbers, found NaN at index 2"));
}

/// Not everyone's file names are UTF-8.
#[cfg(unix)]
#[test]
fn names_that_are_no_text_are_names() {
    use std::os::unix::ffi::OsStrExt;
    let folder = tempfile::tempdir().unwrap();
    let argument = |name: &[u8]| folder.path().join(OsStr::from_bytes(name));
    let path = argument(b"caf\xe9.idx");
    Idx { dimensions: vec![2, 2, 3], elements: Elements::U8((0..12).collect()) }.write(&path, false).unwrap();
    let all = super::read(std::slice::from_ref(&path), [2, 3], false).unwrap().pictures;
    assert_eq!(all[1].place, Some(Place { file: path, index: 1, of: 2 }));
    let one = super::read(&[argument(b"caf\xe9.idx:1")], [2, 3], false).unwrap().pictures;
    assert_eq!(one, all[1..]);
}

#[cfg(unix)]
#[test]
fn a_pipe_is_read_once() {
    let folder = tempfile::tempdir().unwrap();
    let idx = folder.path().join("pictures.idx");
    Idx { dimensions: vec![2, 2, 3], elements: Elements::U8((0..12).collect()) }.write(&idx, true).unwrap();
    let png = png_file(folder.path(), ColorType::Grayscale, BitDepth::Eight, &[1, 2, 3, 4, 5, 6]);
    for (file, expected) in [(idx.as_path(), (0..12).collect()), (Path::new(&png), vec![1, 2, 3, 4, 5, 6])] {
        let pipe = folder.path().join("pipe");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status().unwrap();
        assert!(made.success());
        let bytes = std::fs::read(file).unwrap();
        let (writing, end) = (pipe.clone(), bytes.len() / 2);
        // In two pieces, the first of one byte.
        let writer = std::thread::spawn(move || {
            let mut pipe = File::options().write(true).open(writing).unwrap();
            for piece in [&bytes[..1], &bytes[1..end], &bytes[end..]] {
                std::io::Write::write_all(&mut pipe, piece).unwrap();
                std::thread::sleep(std::time::Duration::from_millis(10));
            }
        });
        assert_eq!(pixels(pipe.to_str().unwrap(), false), expected);
        writer.join().unwrap();
        std::fs::remove_file(pipe).unwrap();
    }
}

/// The file of `png_file`, whose palette is then said to have one byte less, its checksum mended.
#[test]
fn a_palette_that_is_no_whole_colours_is_the_files_fault() {
    let folder = tempfile::tempdir().unwrap();
    let path = png_file(folder.path(), ColorType::Indexed, BitDepth::Eight, &[0, 1, 2, 2, 1, 0]);
    let bytes = std::fs::read(&path).unwrap();
    let palette = bytes.windows(4).position(|name| name == b"PLTE").unwrap();
    for length in [1, 4, 8] {
        let mut body = b"PLTE".to_vec();
        body.extend(&bytes[palette + 4..palette + 4 + length]);
        let mut broken = bytes[..palette - 4].to_vec();
        broken.extend((length as u32).to_be_bytes());
        broken.extend(&body);
        broken.extend(crc32(&body).to_be_bytes());
        broken.extend(&bytes[palette + 4 + 9 + 4..]);
        std::fs::write(&path, broken).unwrap();
        let message = read(&path, [2, 3], false).unwrap_err().to_string();
        assert!(message.contains("expected a sound PNG file, found"), "{length}: {message}");
    }
}

/// As the PNG specification has it, bit by bit.
fn crc32(bytes: &[u8]) -> u32 {
    let step = |crc: u32, _: u32| if crc & 1 == 1 { 0xedb8_8320 ^ (crc >> 1) } else { crc >> 1 };
    !bytes.iter().fold(u32::MAX, |crc, &byte| (0..8).fold(crc ^ u32::from(byte), step))
}
