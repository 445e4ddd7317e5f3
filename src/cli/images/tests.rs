use png::BitDepth;

use super::*;

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
        let pictures = read(&path, [2, 3], false).unwrap();
        assert_eq!(
            pictures,
            [Picture { label: path, pixels: grey.to_vec(), place: None }],
            "{colour:?} {depth:?}"
        );
    }
    let path = png_file(folder.path(), ColorType::Indexed, BitDepth::Eight, &[0, 1, 2, 2, 1, 0]);
    assert_eq!(read(&path, [2, 3], false).unwrap()[0].pixels, [0, 255, 76, 76, 255, 0]);
}

#[test]
fn ground_shows_through_and_ink_can_be_inverted() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = [200, 0, 200, 255, 0, 0, 0, 255, 100, 128, 0, 128];
    let path = png_file(folder.path(), ColorType::GrayscaleAlpha, BitDepth::Eight, &bytes);
    assert_eq!(read(&path, [2, 3], false).unwrap()[0].pixels, [0, 200, 0, 0, 50, 0]);
    // The ground of an inverted picture is white before, and so no ink after.
    assert_eq!(read(&path, [2, 3], true).unwrap()[0].pixels, [0, 55, 0, 255, 78, 128]);
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
    let pixels: Vec<u8> = (0..12).collect();
    Idx { dimensions: vec![2, 2, 3], elements: Elements::U8(pixels) }.write(&path, false).unwrap();
    let name = path.to_str().unwrap();

    let all = read(name, [2, 3], false).unwrap();
    assert_eq!(all.iter().map(|p| p.pixels[0]).collect::<Vec<_>>(), [0, 6]);
    assert_eq!(all[1].label, format!("{name}:1"));
    assert_eq!(read(&format!("{name}:1"), [2, 3], false).unwrap(), all[1..]);
    let refusal = |argument: &str, size| read(argument, size, false).unwrap_err().to_string();
    assert!(refusal(&format!("{name}:2"), [2, 3]).ends_with("expected an index below 2, found 2"));
    assert!(refusal(name, [3, 2]).ends_with("found dimensions 2x2x3"));
    Idx { dimensions: vec![2, 3], elements: Elements::F32(vec![0.0; 6]) }.write(&path, false).unwrap();
    assert!(refusal(name, [2, 3]).contains("expected pixels of type u8, found "));
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
