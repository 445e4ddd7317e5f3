//! Files of saved models: safetensors with PyTorch's names and layouts (`0.weight` is
//! `[out, in]`), so that other tools read them as they are.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;

use safetensors::{Dtype, SafeTensorError, SafeTensors};
use serde_json::{Map, Value, json};

use crate::atomic_file;
use crate::error::{Error, Result};

/// The largest model file that is read, in bytes.
const LARGEST_FILE: u64 = 16 << 30;
/// The largest header that the format allows, in bytes.
const LARGEST_HEADER: u64 = 100_000_000;
/// Bytes before the header: its length as a little-endian u64.
const LENGTH_BYTES: u64 = 8;

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
    let header = header(tensors, metadata)?;
    atomic_file::write(path, |file| {
        file.write_all(&(header.len() as u64).to_le_bytes())?;
        file.write_all(header.as_bytes())?;
        tensors.iter().try_for_each(|tensor| write_values(file, &tensor.values))
    })
}

/// The header of the format, written here because the crate orders metadata at random.
fn header(tensors: &[NamedTensor], metadata: &BTreeMap<String, String>) -> Result<String> {
    let mut entries = Map::new();
    entries.insert("__metadata__".to_string(), json!(metadata));
    let mut offset = 0;
    for tensor in tensors {
        let count: usize = tensor.shape.iter().product();
        if count != tensor.values.len() {
            return Err(Error::Mismatch {
                what: format!("values of tensor {}", tensor.name),
                expected: format!("{count} for shape {:?}", tensor.shape),
                found: tensor.values.len().to_string(),
            });
        }
        let end = offset + 4 * count;
        let entry = json!({ "dtype": "F32", "shape": tensor.shape, "data_offsets": [offset, end] });
        if entries.insert(tensor.name.clone(), entry).is_some() {
            return Err(Error::Mismatch {
                what: "names of tensors".to_string(),
                expected: "each of them once".to_string(),
                found: format!("{} twice", tensor.name),
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
/// [`Error::Io`]; [`Error::Format`] if the file is no safetensors file, is incomplete, or holds
/// numbers of another type than F32.
pub fn load(path: &Path) -> Result<(Vec<NamedTensor>, BTreeMap<String, String>)> {
    let bytes = read_file(path)?;
    parse(&bytes, path)
}

/// Reads the bytes of a model file; `path` is what errors call it.
///
/// # Errors
/// [`Error::Format`], as [`load`].
pub fn parse(bytes: &[u8], path: &Path) -> Result<(Vec<NamedTensor>, BTreeMap<String, String>)> {
    let (_, header) = SafeTensors::read_metadata(bytes).map_err(|error| unreadable(path, &error))?;
    let file = SafeTensors::deserialize(bytes).map_err(|error| unreadable(path, &error))?;
    let mut tensors = Vec::new();
    for (name, view) in file.iter() {
        if view.dtype() != Dtype::F32 {
            let found = view.dtype().to_string();
            return Err(format_error(path, format!("tensor {name}"), "numbers of type F32", found));
        }
        // The reader has checked that the bytes are there and are as many as the shape says.
        let values = view.data().chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]));
        let (name, shape) = (name.to_string(), view.shape().to_vec());
        tensors.push(NamedTensor { name, shape, values: values.collect() });
    }
    tensors.sort_by(|a, b| a.name.cmp(&b.name));
    let metadata = header.metadata().iter().flatten();
    Ok((tensors, metadata.map(|(key, value)| (key.clone(), value.clone())).collect()))
}

/// The bytes of a file whose length and header length make sense.
fn read_file(path: &Path) -> Result<Vec<u8>> {
    let mut file = File::open(path).map_err(Error::io(path, "open"))?;
    let length = file.metadata().map_err(Error::io(path, "read"))?.len();
    let mut start = [0; LENGTH_BYTES as usize];
    if length < LENGTH_BYTES {
        return Err(format_error(path, "file".into(), "at least 8 bytes", length.to_string()));
    }
    if length > LARGEST_FILE {
        return Err(format_error(path, "file".into(), "at most 16 GiB", format!("{length} bytes")));
    }
    file.read_exact(&mut start).map_err(Error::io(path, "read"))?;
    let header = u64::from_le_bytes(start);
    let most = (length - LENGTH_BYTES).min(LARGEST_HEADER);
    if header > most {
        let expected = format!("a safetensors header of at most {most} bytes");
        return Err(format_error(path, "byte 0".into(), &expected, format!("a length of {header}")));
    }
    let mut bytes = start.to_vec();
    file.take(length - LENGTH_BYTES).read_to_end(&mut bytes).map_err(Error::io(path, "read"))?;
    Ok(bytes)
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

fn format_error(path: &Path, place: String, expected: &str, found: String) -> Error {
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
        let view = safetensors::tensor::TensorView::new(Dtype::F64, vec![1], &[0; 8]).unwrap();
        let bytes = safetensors::serialize([("0.weight", view)], None).unwrap();
        assert_eq!(refusal(&path, &bytes), "tensor 0.weight: expected numbers of type F32, found F64");
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
