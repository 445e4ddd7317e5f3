//! Files of checkpoints that say something else than the training that wrote them, with the right checksum.

use crc32c::{crc32c, crc32c_append};
use serde_json::{Value, json};

/// The file with what `change` makes of the text that says what it is of, and of its values.
pub fn crafted(bytes: &[u8], change: impl FnOnce(&mut String, &mut Value)) -> Vec<u8> {
    let start = 8 + u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let mut header: Value = serde_json::from_slice(&bytes[8..start]).unwrap();
    let old = header["state.json"]["data_offsets"][1].as_u64().unwrap();
    let (text, arrays) = bytes[start..].split_at(old as usize);
    let mut values: Value = serde_json::from_slice(text).unwrap();
    let mut about = header["__metadata__"]["about"].as_str().unwrap().to_string();
    change(&mut about, &mut values);
    let text = values.to_string().into_bytes();
    let new = text.len() as u64;
    for (name, tensor) in header.as_object_mut().unwrap() {
        if name == "state.json" {
            (tensor["shape"], tensor["data_offsets"]) = (json!([new]), json!([0, new]));
        } else if name != "__metadata__" {
            let moved = [0usize, 1].map(|end| tensor["data_offsets"][end].as_u64().unwrap() - old + new);
            tensor["data_offsets"] = json!(moved);
        }
    }
    let metadata = &mut header["__metadata__"];
    (metadata["about"], metadata["crc32c"]) = (about.into(), "00000000".into());
    let header = header.to_string();
    let length = (header.len() as u64).to_le_bytes();
    let sum = [header.as_bytes(), &text[..], arrays].into_iter().fold(crc32c(&length), crc32c_append);
    let header = header.replacen("\"crc32c\":\"00000000\"", &format!("\"crc32c\":\"{sum:08x}\""), 1);
    [&length[..], header.as_bytes(), &text[..], arrays].concat()
}
