//! Pictures for `predict`: PNG files and IDX files.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use png::{ColorType, Transformations};

use crate::data::idx::{Elements, Idx};
use crate::error::Error;
use crate::panics;

/// The first bytes of every PNG file.
const PNG_SIGNATURE: [u8; 8] = [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n'];

/// How an IDX file begins, plain or compressed with gzip.
const IDX_STARTS: [[u8; 2]; 2] = [[0, 0], [0x1f, 0x8b]];

/// A grey picture of the size that the model reads.
#[derive(Clone, Debug, PartialEq)]
pub struct Picture {
    /// The file, and for one of many in a file its index.
    pub label: String,
    /// `[height, width]`
    pub pixels: Vec<u8>,
    /// Where it lies in an IDX file; absent for a PNG file.
    pub place: Option<Place>,
}

/// One of the pictures of an IDX file.
#[derive(Clone, Debug, PartialEq)]
pub struct Place {
    pub file: PathBuf,
    /// From 0...
    pub index: usize,
    /// ...below this, the number of pictures in the file.
    pub of: usize,
}

/// The pictures of a PNG file, of an IDX file, or the one that `FILE:INDEX` names in an IDX file.
/// `invert` is for dark ink on light ground.
///
/// # Errors
/// If a file cannot be read or its pictures are not `height` x `width`.
pub fn read(argument: &str, [height, width]: [usize; 2], invert: bool) -> anyhow::Result<Vec<Picture>> {
    let (path, index) = split_index(argument);
    let start = start_of(&path)?;
    let mut pictures = if start == PNG_SIGNATURE {
        if index.is_some() {
            bail!("{}: expected an IDX file before `:INDEX`, found a PNG file", path.display());
        }
        // What shows through a transparent picture is ground: white if the ink is dark.
        let ground = if invert { 255 } else { 0 };
        let pixels = read_png(&path, [height, width], ground)?;
        vec![Picture { label: argument.to_string(), pixels, place: None }]
    } else if IDX_STARTS.iter().any(|idx| start.starts_with(idx)) {
        read_idx(&path, [height, width], index)?
    } else {
        let found: Vec<String> = start.iter().take(4).map(|byte| format!("0x{byte:02X}")).collect();
        let found = if found.is_empty() { "an empty file".to_string() } else { found.join(" ") };
        bail!("{}: byte 0: expected a PNG file or an IDX file, found {found}", path.display());
    };
    if invert {
        pictures.iter_mut().flat_map(|picture| &mut picture.pixels).for_each(|pixel| *pixel = 255 - *pixel);
    }
    Ok(pictures)
}

/// The path and index of `FILE:INDEX`; a file whose name really ends so is taken as it is.
pub(super) fn split_index(argument: &str) -> (PathBuf, Option<usize>) {
    let whole = PathBuf::from(argument);
    if whole.exists() {
        return (whole, None);
    }
    match argument.rsplit_once(':').map(|(path, index)| (path, index.parse())) {
        Some((path, Ok(index))) => (PathBuf::from(path), Some(index)),
        _ => (whole, None),
    }
}

/// The first bytes of a file, as many as it takes to know a PNG file.
fn start_of(path: &Path) -> crate::Result<Vec<u8>> {
    let file = File::open(path).map_err(Error::io(path, "open"))?;
    let mut start = Vec::new();
    file.take(PNG_SIGNATURE.len() as u64).read_to_end(&mut start).map_err(Error::io(path, "read"))?;
    Ok(start)
}

fn wrong_size(path: &Path, [height, width]: [usize; 2], found: impl std::fmt::Display) -> anyhow::Error {
    anyhow::anyhow!(
        "{}: expected a picture of {height}x{width} pixels, which the model reads, found {found}",
        path.display()
    )
}

/// A PNG file of any colour type and depth as grey bytes over a ground of this grey.
fn read_png(path: &Path, [height, width]: [usize; 2], ground: u8) -> anyhow::Result<Vec<u8>> {
    let unreadable = || format!("{}: expected a sound PNG file", path.display());
    let describe = |error: png::DecodingError| anyhow::anyhow!("{}, found: {error}", unreadable());
    let file = File::open(path).map_err(Error::io(path, "open"))?;
    let mut decoder = png::Decoder::new(BufReader::new(file));
    decoder.set_transformations(Transformations::normalize_to_color8());
    // Nobody asks for them, and a small profile may inflate to many megabytes.
    decoder.set_ignore_text_chunk(true);
    decoder.set_ignore_iccp_chunk(true);
    let broken = |panic: String| anyhow::anyhow!("{}, found one that {panic}", unreadable());
    let mut reader = panics::caught(|| decoder.read_info()).map_err(broken)?.map_err(describe)?;
    let found = [reader.info().height as usize, reader.info().width as usize];
    // Before the picture is allocated: a header may promise any size.
    if found != [height, width] {
        return Err(wrong_size(path, [height, width], format_args!("{}x{}", found[0], found[1])));
    }
    let mut bytes = vec![0; reader.output_buffer_size().with_context(unreadable)?];
    // A palette that is no whole colours makes the crate panic.
    panics::caught(|| reader.next_frame(&mut bytes)).map_err(broken)?.map_err(describe)?;
    let (colour, _) = reader.output_color_type();
    let pixels: Vec<u8> =
        bytes.chunks_exact(colour.samples()).map(|pixel| grey(pixel, colour, ground)).collect();
    if pixels.len() != height * width {
        return Err(wrong_size(path, [height, width], format_args!("{} pixels", pixels.len())));
    }
    Ok(pixels)
}

/// The grey of a pixel over a ground, by the luma weights of ITU-R BT.601.
fn grey(pixel: &[u8], colour: ColorType, ground: u8) -> u8 {
    let luma = |p: &[u8]| {
        let [red, green, blue] = [p[0], p[1], p[2]].map(u32::from);
        (299 * red + 587 * green + 114 * blue + 500) / 1000
    };
    let (value, alpha) = match colour {
        ColorType::Rgb => (luma(pixel), 255),
        ColorType::Rgba => (luma(pixel), u32::from(pixel[3])),
        ColorType::GrayscaleAlpha => (u32::from(pixel[0]), u32::from(pixel[1])),
        // An indexed picture has been expanded to RGB or RGBA.
        ColorType::Grayscale | ColorType::Indexed => (u32::from(pixel[0]), 255),
    };
    // At most 255: a weighted mean of two bytes.
    ((value * alpha + u32::from(ground) * (255 - alpha) + 127) / 255) as u8
}

/// All pictures of an IDX file, or the one at `index`.
fn read_idx(path: &Path, [height, width]: [usize; 2], index: Option<usize>) -> anyhow::Result<Vec<Picture>> {
    let Idx { dimensions, elements } = Idx::read(path)?;
    let Elements::U8(bytes) = elements else {
        bail!("{}: expected pixels of type u8, found {}", path.display(), elements.element_type().name());
    };
    let count = match dimensions[..] {
        [h, w] if [h, w] == [height, width] => 1,
        [count, h, w] | [count, h, w, 1] if [h, w] == [height, width] => count,
        _ => {
            let sizes: Vec<String> = dimensions.iter().map(usize::to_string).collect();
            return Err(wrong_size(path, [height, width], format_args!("dimensions {}", sizes.join("x"))));
        }
    };
    let chosen = match index {
        None => 0..count,
        Some(index) if index < count => index..index + 1,
        Some(index) => bail!("{}: expected an index below {count}, found {index}", path.display()),
    };
    let size = height * width;
    let picture = |index: usize| Picture {
        label: format!("{}:{index}", path.display()),
        pixels: bytes[index * size..(index + 1) * size].to_vec(),
        place: Some(Place { file: path.to_path_buf(), index, of: count }),
    };
    Ok(chosen.map(picture).collect())
}

#[cfg(test)]
mod tests;
