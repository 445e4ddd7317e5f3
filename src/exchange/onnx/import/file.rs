//! The file itself: read whole, and decoded once it is known to be sound.

use std::io::Read;
use std::path::Path;

use prost::Message;

use super::super::proto::ModelProto;
use super::misfit::format_error;
use super::wire;
use crate::error::{Error, Result};
use crate::{memory, pipe};

/// The largest file of the format, which protobuf bounds.
const LARGEST: u64 = (1 << 31) - 1;

/// What the memory is for, in messages.
const FILE: &str = "an ONNX file";

/// Reads a file and decodes it.
///
/// # Errors
/// [`Error::Io`] if it cannot be read; [`Error::Format`] if it is none of ONNX, or too large.
pub fn read(path: &Path) -> Result<ModelProto> {
    let mut input = pipe::open(path).map_err(Error::io(path, "read"))?;
    let length = input.length().map_err(Error::io(path, "read"))?;
    let too_large = |found: String| format_error(path, "file", "at most 2 GiB, as protobuf has it", found);
    if let Some(length) = length.filter(|&length| length > LARGEST) {
        return Err(too_large(format!("{length} bytes")));
    }
    // The bytes and what is decoded of them are in memory together.
    let known = length.and_then(|length| usize::try_from(length).ok()).unwrap_or(0);
    memory::check(FILE, known.saturating_mul(2))?;
    let mut bytes = memory::reserved(FILE, known)?;
    input.by_ref().take(LARGEST + 1).read_to_end(&mut bytes).map_err(Error::io(path, "read"))?;
    if bytes.len() as u64 > LARGEST {
        return Err(too_large("more".into()));
    }
    decoded(path, &bytes)
}

fn decoded(path: &Path, bytes: &[u8]) -> Result<ModelProto> {
    let wrong = |found: String| format_error(path, "file", "a model of ONNX", found);
    if bytes.is_empty() {
        return Err(wrong("an empty file".into()));
    }
    wire::count(bytes).map_err(wrong)?;
    let model = ModelProto::decode(bytes).map_err(|error| wrong(error.to_string()))?;
    if model.graph.is_none() {
        return Err(wrong("none: it has no graph".into()));
    }
    Ok(model)
}
