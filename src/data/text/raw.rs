//! The text itself: read from a file, or written by the grammar.

use std::io::Read;
use std::path::{Path, PathBuf};

use super::setup::TextSource;
use super::{grammar, published};
use crate::data::known;
use crate::data::samples::Origin;
use crate::error::{Error, Result};
use crate::{memory, pipe};

/// The byte order mark that some programs put before a text.
const MARK: &[u8] = b"\xef\xbb\xbf";

/// What is taken for a byte of a text, at most: the text, its tokens as inputs, and as targets.
const BYTES_EACH: usize = 1 + 4 + 4 + 4;

/// A text.
pub struct Raw {
    pub name: String,
    pub origin: Origin,
    /// Of a file, else empty.
    pub path: PathBuf,
    bytes: Vec<u8>,
    /// Where the text begins, behind a byte order mark.
    start: usize,
}

impl Raw {
    /// The text of a source, as [`load`](super::load) finds it.
    pub fn of(source: &TextSource, beside: Option<&Path>, seed: u64, data_dir: Option<&Path>) -> Result<Raw> {
        match source {
            TextSource::Grammar { characters } => {
                if let Some(folder) = data_dir {
                    return Err(Error::Mismatch {
                        what: "folder of data (--data)".into(),
                        expected: "none for a text that is generated (`data.file` names one in the folder)"
                            .into(),
                        found: folder.display().to_string(),
                    });
                }
                memory::check("the text", characters.saturating_mul(BYTES_EACH))?;
                let bytes = grammar::write(*characters, seed).into_bytes();
                let origin = Origin::Generated { seed };
                Ok(Raw { name: "grammar".into(), origin, path: PathBuf::new(), bytes, start: 0 })
            }
            TextSource::File(file) => Raw::read(path_of(file, beside, data_dir)?),
        }
    }

    /// The text of a file that was named by itself: at this path or, if there is none, the published text of that name.
    pub fn of_file(path: &Path, data_dir: Option<&Path>) -> Result<Raw> {
        let published = path.to_str().and_then(known::text).filter(|_| path.symlink_metadata().is_err());
        let published = published.map(|text| published::find(text, data_dir)).transpose()?;
        Raw::read(published.unwrap_or_else(|| path.to_path_buf()))
    }

    fn read(path: PathBuf) -> Result<Raw> {
        let bytes = read(&path)?;
        let start = if bytes.starts_with(MARK) { MARK.len() } else { 0 };
        let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned());
        let (name, origin) = (stem.unwrap_or_else(|| "text".into()), Origin::Files(vec![path.clone()]));
        let text = Raw { name, origin, path, bytes, start };
        if text.bytes().is_empty() {
            return Err(text.format("the text".into(), "characters", "none: the file is empty".into()));
        }
        Ok(text)
    }

    /// All of it; UTF-8 unless it is to be read `by_bytes`.
    pub fn checked(&self, by_bytes: bool) -> Result<&[u8]> {
        let text = self.bytes();
        if by_bytes {
            return Ok(text);
        }
        std::str::from_utf8(text).map_err(|error| {
            let place = self.start + error.valid_up_to();
            let expected = "UTF-8 (by `unit = \"bytes\"` any bytes are read)";
            self.format(format!("byte {place}"), expected, format!("the byte 0x{:02x}", self.bytes[place]))
        })?;
        Ok(text)
    }

    /// An error of what is in the text, which then says in which file that is.
    pub fn located(&self, error: Error) -> Error {
        match error {
            Error::Mismatch { what, expected, found } if !self.path.as_os_str().is_empty() => {
                Error::Mismatch { what: format!("{}: {what}", self.path.display()), expected, found }
            }
            other => other,
        }
    }

    fn bytes(&self) -> &[u8] {
        &self.bytes[self.start..]
    }

    fn format(&self, place: String, expected: &str, found: String) -> Error {
        Error::Format { path: self.path.clone(), place, expected: expected.into(), found }
    }
}

/// The path of a file of this name.
fn path_of(file: &str, beside: Option<&Path>, data_dir: Option<&Path>) -> Result<PathBuf> {
    if let Some(text) = known::text(file) {
        return published::find(text, data_dir);
    }
    if let Some(folder) = data_dir {
        return Ok(folder.join(file));
    }
    let beside = beside.map(|folder| folder.join(file)).filter(|path| path.is_file());
    Ok(beside.unwrap_or_else(|| PathBuf::from(file)))
}

fn read(path: &Path) -> Result<Vec<u8>> {
    let mut file = pipe::open(path).map_err(Error::io(path, "open"))?;
    let length = file.length().map_err(Error::io(path, "read"))?;
    let length = length.map_or(0, |length| usize::try_from(length).unwrap_or(usize::MAX));
    let what = format!("the text {}", path.display());
    memory::check(&what, length.saturating_mul(BYTES_EACH))?;
    let mut bytes = memory::reserved(&what, length.saturating_add(1))?;
    memory::refusable(|| file.read_to_end(&mut bytes)).map_err(Error::io(path, "read"))?;
    Ok(bytes)
}
