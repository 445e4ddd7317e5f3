//! Pictures for `predict`: PNG files and IDX files.

use std::ffi::OsStr;
use std::io::{BufReader, Cursor, Read};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use png::{ColorType, Transformations};

use crate::data::idx::{ElementType, IdxReader};
use crate::data::{Features, Samples, files};
use crate::error::Error;
use crate::train::analysis;
use crate::{panics, pipe};

/// The first bytes of every PNG file.
const PNG_SIGNATURE: [u8; 8] = [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n'];

/// Bytes that a PNG file may have beside its picture: texts, profiles, what compression adds.
const PNG_BESIDE: usize = 16 << 20;

/// How an IDX file begins, plain or compressed with gzip.
const IDX_STARTS: [[u8; 2]; 2] = [[0, 0], [0x1f, 0x8b]];

/// What the samples that are read at once may be: all pictures of some files.
#[derive(Debug)]
pub struct Pictures {
    /// One for each sample.
    pub pictures: Vec<Picture>,
    /// Grey, of the size that the model reads; their targets mean nothing.
    pub samples: Samples,
}

/// Where a picture is from.
#[derive(Clone, Debug, PartialEq)]
pub struct Picture {
    /// The file, and for one of many in a file its index.
    pub label: String,
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

/// The pictures of PNG files, of IDX files, or the one that `FILE:INDEX` names in an IDX file; at least
/// one. Each file is opened and read once, from its beginning to its end. `invert` is for dark ink on light
/// ground.
///
/// # Errors
/// If a file cannot be read, its pictures are not `height` x `width`, or not all are of one element type.
pub fn read(arguments: &[PathBuf], [height, width]: [usize; 2], invert: bool) -> anyhow::Result<Pictures> {
    let mut all: Option<Part> = None;
    for argument in arguments {
        let part = read_one(argument, [height, width], invert)?;
        match &mut all {
            None => all = Some(part),
            Some(all) => all.append(part)?,
        }
    }
    let Some(Part { pictures, features, element_type }) = all else {
        bail!("expected a picture, found none")
    };
    let samples = Samples::unlabelled(features, element_type, [height, width, 1])?;
    Ok(Pictures { pictures, samples })
}

/// The pictures of one file.
struct Part {
    /// At least one.
    pictures: Vec<Picture>,
    features: Features,
    element_type: ElementType,
}

impl Part {
    fn append(&mut self, other: Part) -> anyhow::Result<()> {
        if self.element_type != other.element_type {
            bail!(
                "pictures: expected one element type, found {} in {} and {} in {}",
                self.element_type.name(),
                self.pictures[0].label,
                other.element_type.name(),
                other.pictures[0].label,
            );
        }
        match (&mut self.features, other.features) {
            (Features::Bytes(all), Features::Bytes(more)) => all.extend(more),
            (Features::Floats(all), Features::Floats(more)) => all.extend(more),
            _ => unreachable!("of one element type"),
        }
        self.pictures.extend(other.pictures);
        Ok(())
    }
}

fn read_one(argument: &Path, size: [usize; 2], invert: bool) -> anyhow::Result<Part> {
    let (path, index) = split_index(argument);
    let file = pipe::open(&path).map_err(Error::io(&path, "open"))?;
    let length = file.length().map_err(Error::io(&path, "read"))?;
    let mut file = BufReader::new(file);
    let mut start = Vec::new();
    let first = (&mut file).take(PNG_SIGNATURE.len() as u64).read_to_end(&mut start);
    first.map_err(Error::io(&path, "read"))?;
    let whole = Cursor::new(start.clone()).chain(file);
    let mut part = if start == PNG_SIGNATURE {
        if index.is_some() {
            bail!("{}: expected an IDX file before `:INDEX`, found a PNG file", path.display());
        }
        // What shows through a transparent picture is ground: white if the ink is dark.
        let ground = if invert { 255 } else { 0 };
        let pixels = read_png(&path, whole, size, ground)?;
        let picture = Picture { label: argument.display().to_string(), place: None };
        Part { pictures: vec![picture], features: Features::Bytes(pixels), element_type: ElementType::U8 }
    } else if IDX_STARTS.iter().any(|idx| start.starts_with(idx)) {
        read_idx(IdxReader::new(&path, whole, length)?, size, index)?
    } else {
        let found: Vec<String> = start.iter().take(4).map(|byte| format!("0x{byte:02X}")).collect();
        let found = if found.is_empty() { "an empty file".to_string() } else { found.join(" ") };
        bail!("{}: byte 0: expected a PNG file or an IDX file, found {found}", path.display());
    };
    match &mut part.features {
        Features::Bytes(pixels) if invert => pixels.iter_mut().for_each(|pixel| *pixel = 255 - *pixel),
        Features::Floats(_) if invert => {
            let found = part.element_type.name();
            bail!("{}: expected pixels of type u8 with --invert, found {found}", path.display());
        }
        _ => {}
    }
    Ok(part)
}

/// A sample as a picture; floats are stretched as by [`analysis::picture_of`], which is for small ones only.
pub fn drawn(samples: &Samples, index: usize) -> Option<analysis::Picture> {
    let [height, width, _] = samples.shape();
    match samples.row_bytes(index) {
        Some(bytes) => Some(analysis::Picture { pixels: bytes.to_vec(), height, width }),
        None => analysis::picture_of(samples, index),
    }
}

/// The path and index of `FILE:INDEX`; a file whose name really ends so is taken as it is.
pub(super) fn split_index(argument: &Path) -> (PathBuf, Option<usize>) {
    let split = if argument.exists() { None } else { split_colon(argument.as_os_str()) };
    match split.map(|(path, index)| (path, index.parse())) {
        Some((path, Ok(index))) => (path.into(), Some(index)),
        _ => (argument.to_path_buf(), None),
    }
}

/// What stands before and after the last colon, if that is text.
#[cfg(unix)]
fn split_colon(argument: &OsStr) -> Option<(&OsStr, &str)> {
    use std::os::unix::ffi::OsStrExt;
    let bytes = argument.as_bytes();
    let colon = bytes.iter().rposition(|&byte| byte == b':')?;
    Some((OsStr::from_bytes(&bytes[..colon]), std::str::from_utf8(&bytes[colon + 1..]).ok()?))
}

#[cfg(not(unix))]
fn split_colon(argument: &OsStr) -> Option<(&OsStr, &str)> {
    let (path, index) = argument.to_str()?.rsplit_once(':')?;
    Some((path.as_ref(), index))
}

fn wrong_size(path: &Path, [height, width]: [usize; 2], found: impl std::fmt::Display) -> anyhow::Error {
    anyhow::anyhow!(
        "{}: expected a picture of {height}x{width} pixels, which the model reads, found {found}",
        path.display()
    )
}

/// A PNG file of any colour type and depth as grey bytes over a ground of this grey.
fn read_png(
    path: &Path,
    file: impl Read,
    [height, width]: [usize; 2],
    ground: u8,
) -> anyhow::Result<Vec<u8>> {
    let unreadable = || format!("{}: expected a sound PNG file", path.display());
    let describe = |error: png::DecodingError| anyhow::anyhow!("{}, found: {error}", unreadable());
    // The decoder goes back and forth, which a pipe cannot: eight bytes a pixel are the most, and a filter a
    // row.
    let most = (height * (width * 8 + 1) + PNG_BESIDE) as u64;
    let mut file_bytes = Vec::new();
    file.take(most + 1).read_to_end(&mut file_bytes).map_err(Error::io(path, "read"))?;
    if file_bytes.len() as u64 > most {
        bail!("{}, found more than {most} bytes", unreadable());
    }
    let mut decoder = png::Decoder::new(Cursor::new(file_bytes));
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
fn read_idx(file: IdxReader, [height, width]: [usize; 2], index: Option<usize>) -> anyhow::Result<Part> {
    let path = file.path().to_path_buf();
    let count = match *file.dimensions() {
        [h, w] if [h, w] == [height, width] => 1,
        [count, h, w] | [count, h, w, 1] if [h, w] == [height, width] => count,
        _ => {
            let sizes: Vec<String> = file.dimensions().iter().take(8).map(usize::to_string).collect();
            return Err(wrong_size(&path, [height, width], format_args!("dimensions {}", sizes.join("x"))));
        }
    };
    let chosen = match index {
        None => 0..count,
        Some(index) if index < count => index..index + 1,
        Some(index) => bail!("{}: expected an index below {count}, found {index}", path.display()),
    };
    let element_type = file.element_type();
    let mut features = files::features(file)?;
    if chosen.len() < count {
        let part = chosen.start * height * width..chosen.end * height * width;
        features = match features {
            Features::Bytes(pixels) => Features::Bytes(pixels[part].to_vec()),
            Features::Floats(values) => Features::Floats(values[part].to_vec()),
        };
    }
    let picture = |index: usize| Picture {
        label: format!("{}:{index}", path.display()),
        place: Some(Place { file: path.clone(), index, of: count }),
    };
    Ok(Part { pictures: chosen.map(picture).collect(), features, element_type })
}

#[cfg(test)]
mod tests;
