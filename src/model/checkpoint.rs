//! Files of saved models: safetensors with PyTorch's names and layouts (`0.weight` is
//! `[out, in]`), so that other tools read them as they are.

use std::collections::{BTreeMap, HashMap};
use std::io::{self, BufReader, Read, Write};
use std::path::{Path, PathBuf};

use half::{bf16, f16};
use safetensors::tensor::{Metadata, TensorInfo};
use safetensors::{Dtype, SafeTensorError};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::section::on_one_line;
use crate::error::{Error, Result};
use crate::{atomic_file, memory, panics, pipe};

/// What the names of tensors begin with that an optimizer has kept beside the parameters: `optimizer.state.0.weight.exp_avg`.
pub const STATE: &str = "optimizer.state.";

/// The largest model file that is read, in bytes.
const LARGEST_FILE: u64 = 16 << 30;
/// The largest header that is read, in bytes: a recipe is at most one MiB, and a tensor some hundred bytes.
/// Parsing takes several times as much memory.
const LARGEST_HEADER: u64 = 8 << 20;
/// Bytes before the header: its length as a little-endian u64.
const LENGTH_BYTES: u64 = 8;

/// What the memory of tensors is for, in messages.
const TENSORS: &str = "the tensors of a model file";

/// A tensor of a saved model.
#[derive(Clone, Debug, PartialEq)]
pub struct NamedTensor {
    /// Such as `0.weight`.
    pub name: String,
    pub shape: Vec<usize>,
    /// Row-major; as many as the product of the shape.
    pub values: Vec<f32>,
}

/// Writes the tensors and the metadata. The file is complete or does not appear at all; an older
/// file of that name survives every failure. The same input always makes the same bytes.
///
/// # Errors
/// [`Error::Io`]; [`Error::Mismatch`] if a tensor's values are not as many as its shape says.
pub fn save(path: &Path, tensors: &[NamedTensor], metadata: &BTreeMap<String, String>) -> Result<()> {
    for tensor in tensors {
        let count: usize = tensor.shape.iter().product();
        if count != tensor.values.len() {
            return Err(Error::Mismatch {
                what: format!("values of tensor {}", tensor.name),
                expected: format!("{count} for shape {:?}", tensor.shape),
                found: tensor.values.len().to_string(),
            });
        }
    }
    let shapes: Vec<_> = tensors.iter().map(|tensor| (&*tensor.name, &*tensor.shape)).collect();
    save_each(path, &shapes, metadata, |index, write| write(&tensors[index].values))
}

/// [`save`], where the values of each tensor, by its number, are made when their turn comes: `values` hands them
/// on, so that they need not all be in memory at once.
pub(super) fn save_each(
    path: &Path,
    tensors: &[(&str, &[usize])],
    metadata: &BTreeMap<String, String>,
    mut values: impl FnMut(usize, &mut dyn FnMut(&[f32]) -> io::Result<()>) -> io::Result<()>,
) -> Result<()> {
    let header = header(tensors, metadata)?;
    atomic_file::write(path, |file| {
        file.write_all(&(header.len() as u64).to_le_bytes())?;
        file.write_all(header.as_bytes())?;
        (0..tensors.len()).try_for_each(|index| values(index, &mut |values| write_values(file, values)))
    })
}

/// The header of the format, written here because the crate orders metadata at random.
fn header(tensors: &[(&str, &[usize])], metadata: &BTreeMap<String, String>) -> Result<String> {
    let mut entries = Map::new();
    entries.insert("__metadata__".to_string(), json!(metadata));
    let mut offset = 0;
    for (name, shape) in tensors {
        let end = offset + 4 * shape.iter().product::<usize>();
        let entry = json!({ "dtype": "F32", "shape": shape, "data_offsets": [offset, end] });
        if entries.insert(name.to_string(), entry).is_some() {
            return Err(Error::Mismatch {
                what: "names of tensors".to_string(),
                expected: "each of them once".to_string(),
                found: format!("{name} twice"),
            });
        }
        offset = end;
    }
    let mut header = Value::Object(entries).to_string();
    // Spaces up to a multiple of eight keep the values aligned for readers that map the file.
    let padded = header.len().next_multiple_of(8);
    header.extend(std::iter::repeat_n(' ', padded - header.len()));
    Ok(header)
}

fn write_values(file: &mut dyn Write, values: &[f32]) -> io::Result<()> {
    let mut bytes = Vec::with_capacity(1 << 16);
    for chunk in values.chunks(1 << 14) {
        bytes.clear();
        bytes.extend(chunk.iter().flat_map(|value| value.to_le_bytes()));
        file.write_all(&bytes)?;
    }
    Ok(())
}

/// Reads the tensors, sorted by name, and the metadata.
///
/// # Errors
/// Those of [`ModelFile::open`] and [`ModelFile::read`].
pub fn load(path: &Path) -> Result<(Vec<NamedTensor>, BTreeMap<String, String>)> {
    let file = ModelFile::open(path)?;
    let metadata = file.metadata().clone();
    Ok((file.read()?, metadata))
}

/// Reads the bytes of a model file; `path` is what errors call it.
///
/// # Errors
/// [`Error::Format`], as [`load`].
pub fn parse(bytes: &[u8], path: &Path) -> Result<(Vec<NamedTensor>, BTreeMap<String, String>)> {
    let file = ModelFile::from_reader(bytes, Some(bytes.len() as u64), path)?;
    let metadata = file.metadata().clone();
    Ok((file.read()?, metadata))
}

/// Whether a tensor is the count that PyTorch's batch normalisation keeps beside its running statistics, one
/// integer, which nothing here needs.
fn is_batch_count(name: &str, info: &TensorInfo) -> bool {
    name.rsplit('.').next() == Some("num_batches_tracked")
        && info.dtype == Dtype::I64
        && info.shape.iter().all(|&size| size == 1)
}

/// A tensor of a file that is still to be read.
struct Stored {
    name: String,
    info: TensorInfo,
    /// Whether it is passed over.
    is_skipped: bool,
}

/// What a header says of a tensor.
pub struct TensorFacts<'a> {
    pub name: &'a str,
    pub shape: &'a [usize],
    /// The type of its numbers, as safetensors calls it: "F32".
    pub kind: String,
    /// Whether numbers of this type are read.
    pub is_read: bool,
}

/// A model file whose header has been read and no tensor yet: so what is no model costs no memory.
pub struct ModelFile<R> {
    reader: R,
    path: PathBuf,
    metadata: BTreeMap<String, String>,
    /// In the order in which they lie in the file.
    tensors: Vec<Stored>,
    /// Whether the file is known to be as long as its header promises.
    is_whole: bool,
}

impl ModelFile<BufReader<pipe::Input>> {
    /// Opens a file, or a pipe, and reads its header.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::Format`] if it is no safetensors file, or its header does not agree with its
    /// length.
    pub fn open(path: &Path) -> Result<Self> {
        let file = ModelFile::open_any(path)?;
        file.check_types()?;
        Ok(file)
    }

    /// The same of a file whose tensors may be of any types: such as are not read have to be
    /// [passed over](ModelFile::renamed).
    ///
    /// # Errors
    /// As [`open`](ModelFile::open), but for types.
    pub fn open_any(path: &Path) -> Result<Self> {
        let file = pipe::open(path).map_err(Error::io(path, "open"))?;
        let length = file.length().map_err(Error::io(path, "read"))?;
        ModelFile::of_any(BufReader::new(file), length, path)
    }
}

impl<R: Read> ModelFile<R> {
    /// Reads the header; `length` is that of the whole file, if it is known, and `path` what errors call it.
    ///
    /// # Errors
    /// As [`ModelFile::open`].
    pub fn from_reader(reader: R, length: Option<u64>, path: &Path) -> Result<Self> {
        let file = ModelFile::of_any(reader, length, path)?;
        file.check_types()?;
        Ok(file)
    }

    fn of_any(mut reader: R, length: Option<u64>, path: &Path) -> Result<Self> {
        if let Some(length) = length.filter(|&length| length < LENGTH_BYTES) {
            return Err(format_error(path, "file".into(), "at least 8 bytes", length.to_string()));
        }
        if let Some(length) = length.filter(|&length| length > LARGEST_FILE) {
            return Err(format_error(path, "file".into(), &largest(), format!("{length} bytes")));
        }
        let mut start = [0; LENGTH_BYTES as usize];
        reader.read_exact(&mut start).map_err(|error| broken(path, error, "at least 8 bytes"))?;
        let header_bytes = u64::from_le_bytes(start);
        let most = length.map_or(LARGEST_HEADER, |length| (length - LENGTH_BYTES).min(LARGEST_HEADER));
        if header_bytes > most {
            let expected = format!("a safetensors header of at most {most} bytes");
            let found = format!("a length of {header_bytes}");
            return Err(format_error(path, "byte 0".into(), &expected, found));
        }
        let mut header = Vec::new();
        reader.by_ref().take(header_bytes).read_to_end(&mut header).map_err(Error::io(path, "read"))?;
        if (header.len() as u64) < header_bytes {
            let expected = format!("a header of {header_bytes} bytes");
            return Err(format_error(path, "file".into(), &expected, format!("{} bytes", header.len())));
        }
        let header = panics::caught(|| checked(&header)).map_err(|panic| {
            format_error(path, "header".into(), "a safetensors header", format!("one that {panic}"))
        })?;
        let header = header.map_err(|error| unreadable(path, &error))?;
        let tensors_len = header.data_len() as u64;
        let total = LENGTH_BYTES + header_bytes + tensors_len;
        let expected = "as many bytes as the tensors of its header fill";
        if let Some(length) = length.filter(|&length| length != total) {
            let found = format!("{length} bytes where the header promises {total}");
            return Err(format_error(path, "file".into(), expected, found));
        }
        if total > LARGEST_FILE {
            let found = format!("a header that promises {total} bytes");
            return Err(format_error(path, "file".into(), &largest(), found));
        }
        let metadata = header.metadata().iter().flatten();
        let metadata = metadata.map(|(key, value)| (key.clone(), value.clone())).collect();
        let stored = |name: String| {
            let info = header.info(&name).cloned()?;
            let is_skipped = is_batch_count(&name, &info);
            Some(Stored { name, info, is_skipped })
        };
        let mut tensors: Vec<_> = header.offset_keys().into_iter().filter_map(stored).collect();
        tensors.sort_by_key(|stored| stored.info.data_offsets);
        Ok(ModelFile { reader, path: path.into(), metadata, tensors, is_whole: length.is_some() })
    }

    /// Checks that the numbers of all tensors can be read that are not passed over.
    ///
    /// # Errors
    /// [`Error::Format`] with the first of another type.
    pub fn check_types(&self) -> Result<()> {
        match self.tensors().find(|tensor| !tensor.is_read) {
            None => Ok(()),
            Some(TensorFacts { name, kind, .. }) => {
                let expected = "numbers of type F32, F64, F16 or BF16";
                Err(format_error(&self.path, format!("tensor {name}"), expected, kind))
            }
        }
    }

    pub fn metadata(&self) -> &BTreeMap<String, String> {
        &self.metadata
    }

    /// What is given by [`read`](ModelFile::read).
    fn given(&self) -> impl Iterator<Item = &Stored> {
        self.tensors.iter().filter(|stored| !stored.is_skipped)
    }

    /// Numbers of all tensors that [`read`](ModelFile::read) gives.
    pub fn numbers(&self) -> usize {
        self.given().map(|stored| stored.info.shape.iter().product::<usize>()).sum()
    }

    /// Names and shapes of the tensors that [`read`](ModelFile::read) gives, in the order in which they lie
    /// in the file.
    pub fn shapes(&self) -> impl Iterator<Item = (&str, &[usize])> {
        self.given().map(|stored| (&*stored.name, &*stored.info.shape))
    }

    /// The same tensors, with the types of their numbers.
    pub fn tensors(&self) -> impl Iterator<Item = TensorFacts<'_>> {
        self.given().map(|Stored { name, info, .. }| TensorFacts {
            name,
            shape: &info.shape,
            kind: info.dtype.to_string(),
            is_read: [Dtype::F32, Dtype::F64, Dtype::F16, Dtype::BF16].contains(&info.dtype),
        })
    }

    /// Gives each tensor another name; where there is none, the tensor is passed over.
    #[must_use]
    pub fn renamed(mut self, name: impl Fn(&str) -> Option<String>) -> Self {
        for stored in self.tensors.iter_mut().filter(|stored| !stored.is_skipped) {
            match name(&stored.name) {
                Some(name) => stored.name = name,
                None => stored.is_skipped = true,
            }
        }
        self
    }

    /// Reads the tensors, sorted by name, as f32: those of other types become the nearest.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::Format`] if the file ends before or goes on behind them; an error if memory
    /// is short.
    pub fn read(self) -> Result<Vec<NamedTensor>> {
        memory::check(TENSORS, self.numbers().saturating_mul(size_of::<f32>()))?;
        let mut read = Vec::with_capacity(self.tensors.len());
        self.read_each(|tensor| {
            read.push(tensor);
            Ok(())
        })?;
        read.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(read)
    }

    /// Reads one tensor after the other, in the order of the file, for `take`.
    ///
    /// # Errors
    /// As [`read`](ModelFile::read), and those of `take`.
    pub fn read_each(mut self, mut take: impl FnMut(NamedTensor) -> Result<()>) -> Result<()> {
        for Stored { name, info, is_skipped } in std::mem::take(&mut self.tensors) {
            if is_skipped {
                self.skip(info.data_offsets.1 - info.data_offsets.0)?;
                continue;
            }
            let values = self.values(&name, &info)?;
            take(NamedTensor { name, shape: info.shape, values })?;
        }
        let more = self.reader.read(&mut [0]).map_err(Error::io(&self.path, "read"))?;
        if more > 0 {
            let expected = "as many bytes as the tensors of its header fill";
            return Err(format_error(&self.path, "file".into(), expected, "more".into()));
        }
        Ok(())
    }

    /// Passes over so many bytes.
    fn skip(&mut self, bytes: usize) -> Result<()> {
        let passed = io::copy(&mut self.reader.by_ref().take(bytes as u64), &mut io::sink());
        if passed.map_err(Error::io(&self.path, "read"))? == bytes as u64 {
            return Ok(());
        }
        let expected = "as many bytes as the tensors of its header fill";
        Err(format_error(&self.path, "file".into(), expected, "the end of the file".into()))
    }

    fn values(&mut self, name: &str, info: &TensorInfo) -> Result<Vec<f32>> {
        /// Bytes that are converted together: a multiple of every size of a number.
        const CHUNK: usize = 1 << 16;
        let mut left = info.data_offsets.1 - info.data_offsets.0;
        let size = (info.dtype.bitsize() / 8).max(1);
        // Of a pipe nobody knows whether it holds what its header promises, so the values grow with it.
        let mut values = memory::reserved(TENSORS, if self.is_whole { left / size } else { 0 })?;
        let mut chunk = vec![0; CHUNK.min(left)];
        while left > 0 {
            let part = &mut chunk[..CHUNK.min(left)];
            let expected = "as many bytes as the tensors of its header fill";
            self.reader.read_exact(part).map_err(|error| broken(&self.path, error, expected))?;
            let room = values.capacity() - values.len();
            if room < part.len() / size {
                // By halves, not by chunks: otherwise it would be copied for each of them.
                let more = (part.len() / size).max(values.len() / 2);
                memory::reserve(TENSORS, &mut values, more)?;
            }
            match info.dtype {
                Dtype::F32 => values.extend(part.chunks_exact(size).map(|b| f32::from_le_bytes(array(b)))),
                Dtype::F64 => {
                    for value in part.chunks_exact(size).map(|b| f64::from_le_bytes(array(b))) {
                        if value.is_finite() && !(value as f32).is_finite() {
                            let found = format!("{value:e} at index {}", values.len());
                            let place = format!("tensor {name}");
                            return Err(format_error(
                                &self.path,
                                place,
                                "numbers within the range of f32",
                                found,
                            ));
                        }
                        values.push(value as f32);
                    }
                }
                Dtype::F16 => {
                    values.extend(part.chunks_exact(size).map(|b| f16::from_le_bytes(array(b)).to_f32()))
                }
                Dtype::BF16 => {
                    values.extend(part.chunks_exact(size).map(|b| bf16::from_le_bytes(array(b)).to_f32()))
                }
                // `check_types` has refused it, or whoever reads such a file passes over it.
                _ => {
                    let found = info.dtype.to_string();
                    let (place, expected) =
                        (format!("tensor {name}"), "numbers of type F32, F64, F16 or BF16");
                    return Err(format_error(&self.path, place, expected, found));
                }
            }
            left -= part.len();
        }
        Ok(values)
    }
}

/// A chunk of exactly so many bytes.
fn array<const N: usize>(bytes: &[u8]) -> [u8; N] {
    let mut array = [0; N];
    array.copy_from_slice(bytes);
    array
}

/// The header, whose tensors have been found to follow each other and to be as long as their shapes say.
fn checked(header: &[u8]) -> std::result::Result<Metadata, SafeTensorError> {
    let text = std::str::from_utf8(header).map_err(SafeTensorError::InvalidHeader)?;
    let header: Header = serde_json::from_str(text).map_err(SafeTensorError::InvalidHeaderDeserialization)?;
    let mut tensors: Vec<_> = header.tensors.into_iter().collect();
    tensors.sort_by(|a, b| a.1.data_offsets.cmp(&b.1.data_offsets).then_with(|| a.0.cmp(&b.0)));
    Metadata::new(header.metadata, tensors)
}

/// A header as its text says it.
#[derive(Deserialize)]
struct Header {
    #[serde(rename = "__metadata__")]
    metadata: Option<HashMap<String, String>>,
    #[serde(flatten)]
    tensors: HashMap<String, TensorInfo>,
}

/// An error while reading; the end of the file is one of its format.
fn broken(path: &Path, error: io::Error, expected: &str) -> Error {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => {
            format_error(path, "file".into(), expected, "the end of the file".into())
        }
        _ => Error::io(path, "read")(error),
    }
}

/// An error of the safetensors reader in our words, with the place in the file.
fn unreadable(path: &Path, error: &SafeTensorError) -> Error {
    let (place, expected) = match error {
        SafeTensorError::HeaderTooSmall => ("file".to_string(), "at least 8 bytes"),
        SafeTensorError::HeaderTooLarge | SafeTensorError::InvalidHeaderLength => {
            ("byte 0".to_string(), "the length of a safetensors header that the file holds")
        }
        SafeTensorError::MetadataIncompleteBuffer => {
            ("file".to_string(), "as many bytes as the tensors of its header fill")
        }
        SafeTensorError::InvalidOffset(name) => {
            (format!("tensor {name}"), "offsets that follow the tensor before it")
        }
        SafeTensorError::TensorInvalidInfo => {
            ("header".to_string(), "offsets that agree with the shapes of the tensors")
        }
        SafeTensorError::ValidationOverflow => ("header".to_string(), "shapes that can be held in memory"),
        _ => ("header".to_string(), "a safetensors header"),
    };
    format_error(path, place, expected, error.to_string())
}

/// [`LARGEST_FILE`] as errors tell it.
fn largest() -> String {
    format!("at most {} GiB", LARGEST_FILE >> 30)
}

/// `place` and `found` may hold names from the file.
fn format_error(path: &Path, place: String, expected: &str, found: String) -> Error {
    let (place, found) = (on_one_line(&place), on_one_line(&found));
    Error::Format { path: path.to_path_buf(), place, expected: expected.to_string(), found }
}

#[cfg(test)]
mod tests;
