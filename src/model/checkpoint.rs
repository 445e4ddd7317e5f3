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
    name.ends_with(".num_batches_tracked")
        && info.dtype == Dtype::I64
        && info.shape.iter().all(|&size| size == 1)
}

/// A model file whose header has been read and no tensor yet: so what is no model costs no memory.
pub struct ModelFile<R> {
    reader: R,
    path: PathBuf,
    metadata: BTreeMap<String, String>,
    /// In the order in which they lie in the file.
    tensors: Vec<(String, TensorInfo)>,
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
        let file = pipe::open(path).map_err(Error::io(path, "open"))?;
        let length = file.length().map_err(Error::io(path, "read"))?;
        ModelFile::from_reader(BufReader::new(file), length, path)
    }
}

impl<R: Read> ModelFile<R> {
    /// Reads the header; `length` is that of the whole file, if it is known, and `path` what errors call it.
    ///
    /// # Errors
    /// As [`ModelFile::open`].
    pub fn from_reader(mut reader: R, length: Option<u64>, path: &Path) -> Result<Self> {
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
        let info = |name: String| header.info(&name).cloned().map(|info| (name, info));
        let mut tensors: Vec<_> = header.offset_keys().into_iter().filter_map(info).collect();
        tensors.sort_by_key(|(_, info)| info.data_offsets);
        for (name, info) in &tensors {
            let is_read = [Dtype::F32, Dtype::F64, Dtype::F16, Dtype::BF16].contains(&info.dtype);
            if !is_read && !is_batch_count(name, info) {
                let (expected, found) = ("numbers of type F32, F64, F16 or BF16", info.dtype.to_string());
                return Err(format_error(path, format!("tensor {name}"), expected, found));
            }
        }
        Ok(ModelFile { reader, path: path.into(), metadata, tensors, is_whole: length.is_some() })
    }

    pub fn metadata(&self) -> &BTreeMap<String, String> {
        &self.metadata
    }

    /// Numbers of all tensors that [`read`](ModelFile::read) gives.
    pub fn numbers(&self) -> usize {
        let given = self.tensors.iter().filter(|(name, info)| !is_batch_count(name, info));
        given.map(|(_, info)| info.shape.iter().product::<usize>()).sum()
    }

    /// Names and shapes of the tensors that [`read`](ModelFile::read) gives, in the order in which they lie
    /// in the file.
    pub fn shapes(&self) -> impl Iterator<Item = (&str, &[usize])> {
        let given = self.tensors.iter().filter(|(name, info)| !is_batch_count(name, info));
        given.map(|(name, info)| (&**name, &*info.shape))
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
        for (name, info) in std::mem::take(&mut self.tensors) {
            let values = self.values(&name, &info)?;
            if !is_batch_count(&name, &info) {
                take(NamedTensor { name, shape: info.shape, values })?;
            }
        }
        let more = self.reader.read(&mut [0]).map_err(Error::io(&self.path, "read"))?;
        if more > 0 {
            let expected = "as many bytes as the tensors of its header fill";
            return Err(format_error(&self.path, "file".into(), expected, "more".into()));
        }
        Ok(())
    }

    fn values(&mut self, name: &str, info: &TensorInfo) -> Result<Vec<f32>> {
        /// Bytes that are converted together: a multiple of every size of a number.
        const CHUNK: usize = 1 << 16;
        let mut left = info.data_offsets.1 - info.data_offsets.0;
        let size = info.dtype.bitsize() / 8;
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
                // Passed over.
                _ => {}
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
mod tests {
    use super::*;

    fn sample() -> (Vec<NamedTensor>, BTreeMap<String, String>) {
        let tensor = |name: &str, shape: &[usize]| {
            let count = shape.iter().product::<usize>();
            let values = (0..count).map(|i| (i as f32 - 3.5) * 0.1).collect();
            NamedTensor { name: name.to_string(), shape: shape.to_vec(), values }
        };
        let metadata = ["recipe", "a", "z", "k"].map(|key| (key.to_string(), format!("{key}: \"\u{e9}\n\"")));
        let tensors = vec![tensor("0.bias", &[3]), tensor("0.weight", &[3, 50]), tensor("1.weight", &[0, 7])];
        (tensors, BTreeMap::from(metadata))
    }

    fn saved() -> (tempfile::TempDir, std::path::PathBuf, Vec<u8>) {
        let (folder, (tensors, metadata)) = (tempfile::tempdir().unwrap(), sample());
        let path = folder.path().join("model.safetensors");
        save(&path, &tensors, &metadata).unwrap();
        let bytes = std::fs::read(&path).unwrap();
        (folder, path, bytes)
    }

    fn refusal(path: &Path, bytes: &[u8]) -> String {
        std::fs::write(path, bytes).unwrap();
        let message = load(path).unwrap_err().to_string();
        assert!(message.contains("model.safetensors: "), "{message}");
        message.split_once("model.safetensors: ").unwrap().1.to_string()
    }

    #[test]
    fn a_model_comes_back_as_it_was_saved() {
        let (_folder, path, bytes) = saved();
        assert_eq!(load(&path).unwrap(), sample());
        let header = u64::from_le_bytes(bytes[..8].try_into().unwrap());
        assert_eq!((header % 8, bytes.len() as u64), (0, 8 + header + 153 * 4));
        assert_eq!(saved().2, bytes, "the same model must make the same bytes");
    }

    #[test]
    fn a_file_that_the_format_crate_wrote_is_read() {
        let values: Vec<u8> = [1.0f32, -2.0].iter().flat_map(|v| v.to_le_bytes()).collect();
        let view = safetensors::tensor::TensorView::new(Dtype::F32, vec![2, 1], &values).unwrap();
        let bytes = safetensors::serialize([("w", view)], None).unwrap();
        let (tensors, metadata) = parse(&bytes, Path::new("x")).unwrap();
        assert_eq!(tensors, [NamedTensor { name: "w".into(), shape: vec![2, 1], values: vec![1.0, -2.0] }]);
        assert!(metadata.is_empty());
    }

    #[test]
    fn files_that_are_not_models_are_refused() {
        let (_folder, path, bytes) = saved();
        assert_eq!(refusal(&path, b"short"), "file: expected at least 8 bytes, found 5");
        assert_eq!(
            refusal(&path, &[0xff; 20]),
            "byte 0: expected a safetensors header of at most 12 bytes, found a length of 18446744073709551615"
        );
        let truncated = refusal(&path, &bytes[..bytes.len() - 1]);
        assert!(truncated.starts_with("file: expected as many bytes as the tensors of its header fill"));
        let longer = refusal(&path, &[&bytes[..], b"!"].concat());
        assert!(longer.starts_with("file: expected as many bytes as the tensors of its header fill"));
        let garbled = refusal(&path, &[&bytes[..8], b"]", &bytes[9..]].concat());
        assert!(
            garbled.starts_with("header: expected a safetensors header, found invalid JSON"),
            "{garbled}"
        );
    }

    #[test]
    fn a_header_that_promises_more_than_there_is_is_refused() {
        let (_folder, path, _) = saved();
        for (shape, end, expected) in [
            ("[4611686018427387904,4]", 8, "header: expected shapes that can be held in memory"),
            ("[1099511627776]", 8, "header: expected offsets that agree with the shapes"),
            ("[1099511627776]", 4_398_046_511_104u64, "file: expected as many bytes"),
        ] {
            let header =
                format!("{{\"w\":{{\"dtype\":\"F32\",\"shape\":{shape},\"data_offsets\":[0,{end}]}}}}");
            let bytes = [&(header.len() as u64).to_le_bytes(), header.as_bytes(), &[0; 8]].concat();
            let message = refusal(&path, &bytes);
            assert!(message.starts_with(expected), "{message}");
        }
    }

    #[test]
    fn numbers_of_another_type_are_refused() {
        let (_folder, path, _) = saved();
        let view = safetensors::tensor::TensorView::new(Dtype::I64, vec![1], &[0; 8]).unwrap();
        let bytes = safetensors::serialize([("0.weight", view)], None).unwrap();
        let expected = "tensor 0.weight: expected numbers of type F32, F64, F16 or BF16, found I64";
        assert_eq!(refusal(&path, &bytes), expected);
    }

    #[test]
    fn names_from_a_file_make_no_further_line_and_no_long_message() {
        let (_folder, path, _) = saved();
        let name = format!("0.weight\nerror: {}", "x".repeat(5000));
        let view = safetensors::tensor::TensorView::new(Dtype::I64, vec![1], &[0; 8]).unwrap();
        let message = refusal(&path, &safetensors::serialize([(name, view)], None).unwrap());
        assert!(message.lines().count() == 1 && message.len() < 400, "{message}");
    }

    /// What PyTorch writes of a network in another precision, with the counters of its batch normalisation.
    #[test]
    fn other_floating_point_types_are_converted_and_counters_passed_over() {
        let tensor = safetensors::tensor::TensorView::new;
        let view = |dtype, bytes| tensor(dtype, vec![2], bytes).unwrap();
        let double: Vec<u8> = [0.1f64, -1e-3].iter().flat_map(|x| x.to_le_bytes()).collect();
        let half: Vec<u8> =
            [f16::from_f32(0.1), f16::MIN_POSITIVE_SUBNORMAL].iter().flat_map(|x| x.to_le_bytes()).collect();
        let brain: Vec<u8> = [bf16::from_f32(0.1), bf16::MAX].iter().flat_map(|x| x.to_le_bytes()).collect();
        let counted = 7i64.to_le_bytes();
        let tensors = [
            ("0.weight", view(Dtype::F64, &double)),
            ("1.num_batches_tracked", tensor(Dtype::I64, vec![], &counted).unwrap()),
            ("2.weight", view(Dtype::F16, &half)),
            ("3.weight", view(Dtype::BF16, &brain)),
        ];
        let bytes = safetensors::serialize(tensors, None).unwrap();
        let (read, _) = parse(&bytes, Path::new("m")).unwrap();
        let values: Vec<_> = read.iter().map(|tensor| (tensor.name.as_str(), &tensor.values[..])).collect();
        // By hand: 0.1 is 0x2e66 as f16 and 0x3dcd as bf16; the least f16 is 2^-24.
        let expected: [(&str, &[f32]); 3] = [
            ("0.weight", &[0.1, -1e-3]),
            ("2.weight", &[0.099975586, 5.9604645e-8]),
            ("3.weight", &[0.100097656, 3.3895314e38]),
        ];
        assert_eq!(values, expected);

        let refusal = |name: &str, view| {
            let bytes = safetensors::serialize([(name, view)], None).unwrap();
            parse(&bytes, Path::new("m")).map(|(tensors, _)| tensors.len()).map_err(|error| error.to_string())
        };
        // A name alone makes no count: what has another type or shape is a tensor like others.
        let counts = view(Dtype::I64, &double);
        assert!(refusal("1.num_batches_tracked", counts).unwrap_err().ends_with("F16 or BF16, found I64"));
        assert_eq!(refusal("1.num_batches_tracked", view(Dtype::F64, &double)), Ok(1));
        let large: Vec<u8> = [1.0, 1e300f64].iter().flat_map(|x| x.to_le_bytes()).collect();
        let expected = "m: tensor w: expected numbers within the range of f32, found 1e300 at index 1";
        assert_eq!(refusal("w", view(Dtype::F64, &large)).unwrap_err(), expected);
    }

    #[test]
    fn a_pipe_is_read_once_and_to_its_end() {
        let (_folder, path, bytes) = saved();
        let from_pipe = |bytes: &[u8]| ModelFile::from_reader(bytes, None, &path).and_then(ModelFile::read);
        assert_eq!(from_pipe(&bytes).unwrap(), sample().0);
        for length in [0, 7, 20, bytes.len() - 1] {
            let message = from_pipe(&bytes[..length]).unwrap_err().to_string();
            assert!(message.contains("model.safetensors: file: expected"), "{length}: {message}");
        }
        let longer = from_pipe(&[&bytes[..], b"!"].concat()).unwrap_err().to_string();
        assert!(longer.ends_with("as the tensors of its header fill, found more"), "{longer}");
    }

    #[test]
    fn tensors_that_contradict_themselves_are_not_saved() {
        let (folder, (mut tensors, metadata)) = (tempfile::tempdir().unwrap(), sample());
        let path = folder.path().join("model.safetensors");
        tensors[0].values.pop();
        let message = save(&path, &tensors, &metadata).unwrap_err().to_string();
        assert_eq!(message, "values of tensor 0.bias: expected 3 for shape [3], found 2");
        let twice = [sample().0[0].clone(), sample().0[0].clone()];
        assert!(save(&path, &twice, &metadata).unwrap_err().to_string().ends_with("found 0.bias twice"));
        assert!(!path.exists());
    }
}
