//! Whether the files of a run are all there.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::Value;

/// What a folder holds, by the paths from there. What is new in each run of the names is left out of them.
pub type Contents = BTreeMap<String, Vec<u8>>;

/// What files of events are called here: their names have the time in them.
const EVENTS: &str = "events";

/// Whether this is what the program writes before it gives files their names, or lies in such a folder.
pub fn is_temporary(name: &str) -> bool {
    name.split('/').any(|part| part.starts_with(".fallline-") && part.ends_with(".tmp"))
}

/// All files in a folder and its folders, and those folders in it that are temporary.
pub fn contents(folder: &Path) -> Contents {
    let mut found = Contents::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(&next).unwrap() {
            let path = entry.unwrap().path();
            let from_here = path.strip_prefix(folder).unwrap();
            if path.is_dir() {
                let name = format!("{}/", from_here.display());
                if is_temporary(&name) {
                    found.insert(name, Vec::new());
                }
                folders.push(path);
                continue;
            }
            let is_events = from_here.to_string_lossy().contains("tfevents");
            let name = if is_events { from_here.with_file_name(EVENTS) } else { from_here.to_path_buf() };
            found.insert(name.to_string_lossy().into_owned(), fs::read(&path).unwrap());
        }
    }
    found
}

/// Whether a file of this name is whole: as in a run without faults, or, where times are in it, to its end.
pub fn is_whole(name: &str, bytes: &[u8], usual: &[u8]) -> bool {
    let ends = |mark: &str| bytes.trim_ascii_end().ends_with(mark.as_bytes());
    if bytes == usual {
        true
    } else if name.ends_with(".html") {
        ends("</html>")
    } else if name.ends_with(".svg") {
        ends("</svg>")
    } else if name.ends_with(".png") {
        bytes.ends_with(b"IEND\xaeB`\x82")
    } else if name.ends_with(EVENTS) {
        are_records(bytes)
    } else if name.ends_with(".jsonl") {
        let is_json = |line: &[u8]| serde_json::from_slice::<Value>(line).is_ok();
        bytes.strip_suffix(b"\n").is_some_and(|lines| lines.split(|&byte| byte == b'\n').all(is_json))
    } else if name.contains("checkpoint-") {
        has_checksum(bytes)
    } else {
        name.contains(".json") && serde_json::from_slice::<Value>(bytes).is_ok()
    }
}

/// Records with their length before them and checksums behind both, to the end of the file.
fn are_records(mut bytes: &[u8]) -> bool {
    while !bytes.is_empty() {
        let Some((length, rest)) = bytes.split_first_chunk() else { return false };
        let length = u64::from_le_bytes(*length) as usize;
        let Some(rest) = rest.get(length + 8..) else { return false };
        bytes = rest;
    }
    true
}

/// The checksum in the header of a checkpoint is over all of it, with zeros in its own place.
fn has_checksum(bytes: &[u8]) -> bool {
    const FIELD: &[u8] = b"\"crc32c\":\"";
    let Some(place) = bytes.windows(FIELD.len()).position(|part| part == FIELD) else { return false };
    let digits = place + FIELD.len()..place + FIELD.len() + 8;
    let Some(said) = bytes.get(digits.clone()) else { return false };
    let mut without = bytes.to_vec();
    without[digits].fill(b'0');
    format!("{:08x}", crc32c::crc32c(&without)).as_bytes() == said
}
