//! The file of a checkpoint: safetensors, with the values as JSON in its first tensor, and a checksum over all of it.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use crc32c::{crc32c, crc32c_append};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::archive::{Archive, Entry, Number};
use crate::foreign::{self, LARGEST_JSON, shortened};
use crate::{Error, Result, atomic_file, memory};

/// What the metadata say that such a file is.
const FORMAT: &str = "fallline-checkpoint";

/// The version of what it holds: another one where an older program would misunderstand it.
const VERSION: u64 = 1;

/// The tensor that holds the values.
const VALUES: &str = "state.json";

/// The key of the checksum, with digits in whose place zeros stand where it is computed.
const CHECKSUM: &str = "crc32c";
const NO_CHECKSUM: &str = "00000000";

const LENGTH_BYTES: usize = 8;

/// The longest header that is read, in bytes.
const LARGEST_HEADER: u64 = 16 << 20;

/// Bytes that are looked at together.
const CHUNK: usize = 1 << 18;

/// Writes the state that `visit` goes over, whole or not at all, with what `about` says of it. It is visited several
/// times, and must not change meanwhile.
///
/// # Errors
/// [`Error::Io`]; those of `visit`.
pub fn write(path: &Path, about: &str, visit: &mut dyn FnMut(&mut Archive) -> Result<()>) -> Result<()> {
    let (entries, values) = Archive::measure(&mut *visit)?;
    let mut values = Value::Object(values).to_string().into_bytes();
    values.resize(values.len().next_multiple_of(8), b' ');
    let header = header(&entries, values.len(), about);
    let length = (header.len() as u64).to_le_bytes();
    let start = crc32c_append(crc32c_append(crc32c(&length), header.as_bytes()), &values);
    let mut sum = Sum(start);
    visit(&mut Archive::write(&mut sum))?;
    let header = header.replacen(&field(NO_CHECKSUM), &field(&format!("{:08x}", sum.0)), 1);
    atomic_file::write(path, |file| {
        file.write_all(&length)?;
        file.write_all(header.as_bytes())?;
        file.write_all(&values)?;
        visit(&mut Archive::write(&mut *file)).map_err(|error| match error {
            Error::Io { source, .. } => source,
            other => io::Error::other(other.to_string()),
        })
    })
}

/// The checksum as it stands in the header.
fn field(digits: &str) -> String {
    format!("\"{CHECKSUM}\":\"{digits}\"")
}

/// The checksum of what is written to it.
struct Sum(u32);

impl Write for Sum {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 = crc32c_append(self.0, bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn header(entries: &[Entry], values: usize, about: &str) -> String {
    let mut all = Map::new();
    // The checksum comes first, so that no other text can be taken for it.
    let metadata = json!({
        CHECKSUM: NO_CHECKSUM,
        "format": FORMAT,
        "version": VERSION.to_string(),
        "about": about,
    });
    all.insert("__metadata__".into(), metadata);
    let mut offset = 0;
    let own = Entry { name: VALUES.into(), kind: "U8".into(), len: values };
    for entry in std::iter::once(&own).chain(entries) {
        let end = offset + entry.len * size_of_type(&entry.kind).unwrap_or(0);
        let place = json!({ "dtype": entry.kind, "shape": [entry.len], "data_offsets": [offset, end] });
        all.insert(entry.name.clone(), place);
        offset = end;
    }
    let mut header = Value::Object(all).to_string();
    // Spaces up to a multiple of eight keep the values aligned for readers that map the file.
    let padded = header.len().next_multiple_of(8);
    header.extend(std::iter::repeat_n(' ', padded - header.len()));
    header
}

fn size_of_type(kind: &str) -> Option<usize> {
    match kind {
        "F32" | "U32" => Some(4),
        "F64" => Some(8),
        "U8" => Some(1),
        _ => None,
    }
}

/// A file that was found whole.
#[derive(Debug)]
pub struct Checkpoint {
    path: PathBuf,
    about: String,
    entries: Vec<Entry>,
    values: Map<String, Value>,
    /// Where the arrays begin.
    start: u64,
}

/// What a file turned out to be.
#[derive(Debug)]
pub enum Opened {
    Whole(Checkpoint),
    /// With what is wrong.
    Damaged(Error),
}

#[derive(Deserialize)]
struct Header {
    #[serde(rename = "__metadata__", default)]
    metadata: BTreeMap<String, String>,
    #[serde(flatten)]
    tensors: BTreeMap<String, Tensor>,
}

#[derive(Deserialize)]
struct Tensor {
    dtype: String,
    shape: Vec<u64>,
    data_offsets: [u64; 2],
}

/// Opens a file and reads through it once, to see that it is whole.
///
/// # Errors
/// [`Error::Format`] if it is another program's, or of a version that this program does not know; [`Error::Io`].
pub fn open(path: &Path) -> Result<Opened> {
    let mut file = File::open(path).map_err(Error::io(path, "open"))?;
    let length = file.metadata().map_err(Error::io(path, "read"))?.len();
    let damaged = |place: &str, expected: &str, found: String| {
        let (place, expected) = (place.into(), expected.into());
        Ok(Opened::Damaged(Error::Format { path: path.into(), place, expected, found }))
    };
    let Some(header) = read_header(&mut file, length).map_err(Error::io(path, "read"))? else {
        return damaged("file", "a header that is all there", format!("{length} bytes"));
    };
    let parsed: Header = match foreign::json(&header) {
        Ok(parsed) => parsed,
        Err(fault) => return damaged("header", &fault.expected, fault.found),
    };
    // One damaged byte does not make it another program's.
    let says = |word: &str| header.windows(word.len()).any(|part| part == word.as_bytes());
    if !says(FORMAT) && !says(CHECKSUM) {
        let (place, expected) = ("header".into(), "the checkpoint of a training by fallline".into());
        let found = "another safetensors file".into();
        return Err(Error::Format { path: path.into(), place, expected, found });
    }
    let metadata = |key: &str| parsed.metadata.get(key).map_or("", String::as_str);
    let sum = checksum(&mut file, &header, metadata(CHECKSUM)).map_err(Error::io(path, "read"))?;
    if format!("{sum:08x}") != metadata(CHECKSUM) {
        let expected = format!("the checksum {}", shortened(metadata(CHECKSUM)));
        return damaged("file", &expected, format!("{sum:08x}"));
    }
    if metadata("format") != FORMAT || metadata("version") != VERSION.to_string() {
        return Err(Error::Format {
            path: path.into(),
            place: "version".into(),
            expected: format!("{VERSION}, which this version of fallline knows"),
            found: shortened(metadata("version")),
        });
    }
    let about = metadata("about").to_string();
    let start = (LENGTH_BYTES + header.len()) as u64;
    let Some(mut entries) = entries(parsed.tensors, length - start) else {
        return damaged("header", "tensors that fill the file", "others".into());
    };
    let bytes = if entries.is_empty() { 0 } else { entries.remove(0).len };
    if bytes as u64 > LARGEST_JSON {
        return damaged(VALUES, &format!("at most {LARGEST_JSON} bytes"), bytes.to_string());
    }
    let mut text: Vec<u8> = memory::filled("the values of a checkpoint", 0, bytes)?;
    let read = file.seek(SeekFrom::Start(start)).and_then(|_| file.read_exact(&mut text));
    read.map_err(Error::io(path, "read"))?;
    let values = match foreign::json(&text) {
        Ok(values) => values,
        Err(fault) => return damaged(VALUES, &fault.expected, fault.found),
    };
    Ok(Opened::Whole(Checkpoint { path: path.into(), about, entries, values, start: start + bytes as u64 }))
}

/// The bytes of the header, if they are all there.
fn read_header(file: &mut File, length: u64) -> io::Result<Option<Vec<u8>>> {
    let mut bytes = [0; LENGTH_BYTES];
    if length < LENGTH_BYTES as u64 {
        return Ok(None);
    }
    file.read_exact(&mut bytes)?;
    let promised = u64::from_le_bytes(bytes);
    if promised > (length - LENGTH_BYTES as u64).min(LARGEST_HEADER) {
        return Ok(None);
    }
    let mut header = vec![0; promised as usize];
    file.read_exact(&mut header)?;
    Ok(Some(header))
}

/// The checksum of a file that stands behind its header, to its end.
fn checksum(file: &mut File, header: &[u8], said: &str) -> io::Result<u32> {
    let mut own = header.to_vec();
    let field = field(said).into_bytes();
    let digits = field.len() - 1 - said.len()..field.len() - 1;
    if let Some(place) = own.windows(field.len()).position(|part| part == field)
        && said.len() == NO_CHECKSUM.len()
    {
        own[place + digits.start..place + digits.end].copy_from_slice(NO_CHECKSUM.as_bytes());
    }
    let mut sum = crc32c_append(crc32c(&(header.len() as u64).to_le_bytes()), &own);
    let mut chunk = vec![0; CHUNK];
    loop {
        match file.read(&mut chunk)? {
            0 => return Ok(sum),
            count => sum = crc32c_append(sum, &chunk[..count]),
        }
    }
}

/// The tensors in the order in which they lie, if they fill so many bytes without gaps; the values first.
fn entries(tensors: BTreeMap<String, Tensor>, bytes: u64) -> Option<Vec<Entry>> {
    let mut tensors: Vec<(String, Tensor)> = tensors.into_iter().collect();
    tensors.sort_by_key(|(_, tensor)| tensor.data_offsets);
    let mut end = 0;
    let mut entries = Vec::with_capacity(tensors.len());
    for (name, Tensor { dtype, shape, data_offsets }) in tensors {
        let [len] = shape[..] else { return None };
        let size = size_of_type(&dtype)? as u64;
        if data_offsets[0] != end || data_offsets[1] != end.checked_add(len.checked_mul(size)?)? {
            return None;
        }
        end = data_offsets[1];
        entries.push(Entry { name, kind: dtype, len: usize::try_from(len).ok()? });
    }
    let is_whole = end == bytes && entries.first().is_some_and(|first| first.name == VALUES);
    is_whole.then_some(entries)
}

impl Checkpoint {
    /// Opens a file that must be whole.
    ///
    /// # Errors
    /// [`Error::Format`] if it is damaged, another program's, or of a later version; [`Error::Io`].
    pub fn open(path: &Path) -> Result<Checkpoint> {
        match open(path)? {
            Opened::Whole(checkpoint) => Ok(checkpoint),
            Opened::Damaged(error) => Err(error),
        }
    }

    /// Whether a file says that it is a checkpoint, whole or not. What is no ordinary file, such as a pipe, is none.
    ///
    /// # Errors
    /// [`Error::Io`]
    pub fn is_at(path: &Path) -> Result<bool> {
        let about = fs::metadata(path).map_err(Error::io(path, "open"))?;
        if !about.is_file() {
            return Ok(false);
        }
        let mut file = File::open(path).map_err(Error::io(path, "open"))?;
        let header = read_header(&mut file, about.len()).map_err(Error::io(path, "read"))?;
        // In the text of any other entry the quotes would be escaped.
        let says = format!("\"format\":\"{FORMAT}\"");
        Ok(header.is_some_and(|header| header.windows(says.len()).any(|part| part == says.as_bytes())))
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// An array of f32 by its whole name, and nothing else of the state.
    ///
    /// # Errors
    /// [`Error::Format`] if there is none; [`Error::Io`]; an error if memory is short.
    pub fn floats(&self, name: &str) -> Result<Vec<f32>> {
        let mut place = self.start;
        for entry in &self.entries {
            if entry.name == name && entry.kind == f32::TYPE {
                let mut floats: Vec<f32> = memory::filled("an array of a checkpoint", 0.0, entry.len)?;
                let mut file = File::open(&self.path).map_err(Error::io(&self.path, "open"))?;
                file.seek(SeekFrom::Start(place)).map_err(Error::io(&self.path, "read"))?;
                // The file was found to hold all its arrays.
                let own = vec![Entry { name: name.into(), kind: entry.kind.clone(), len: entry.len }];
                Archive::read(&mut BufReader::new(file), &self.path, own, Map::new())
                    .numbers(name, &mut floats)?;
                return Ok(floats);
            }
            place += (entry.len * size_of_type(&entry.kind).unwrap_or(0)) as u64;
        }
        let (path, place, expected) = (self.path.clone(), "tensors".into(), format!("{name} of type F32"));
        Err(Error::Format { path, place, expected, found: "no such array".into() })
    }

    /// Whether a value of the state is noted, by its whole name.
    pub fn has(&self, name: &str) -> bool {
        self.values.contains_key(name)
    }

    /// What was said of it when it was written.
    pub fn about(&self) -> &str {
        &self.about
    }

    /// A value of the state by its whole name, without any of it being put back.
    ///
    /// # Errors
    /// Those of [`Archive::value`].
    pub fn value<T: Serialize + DeserializeOwned + Default>(&self, name: &str) -> Result<T> {
        let found = self.values.get(name).map(|found| (name.to_string(), found.clone()));
        let (mut nothing, mut value) = (io::empty(), T::default());
        let values = found.into_iter().collect();
        Archive::read(&mut nothing, &self.path, Vec::new(), values).value(name, &mut value)?;
        Ok(value)
    }

    /// Puts the state back, of which `visit` names each part.
    ///
    /// # Errors
    /// [`Error::Format`] if the parts are others than those that were saved; [`Error::Io`].
    pub fn restore(&self, visit: impl FnOnce(&mut Archive) -> Result<()>) -> Result<()> {
        let mut file = File::open(&self.path).map_err(Error::io(&self.path, "open"))?;
        file.seek(SeekFrom::Start(self.start)).map_err(Error::io(&self.path, "read"))?;
        let mut reader = BufReader::new(file);
        let mut archive = Archive::read(&mut reader, &self.path, self.entries.clone(), self.values.clone());
        visit(&mut archive)?;
        archive.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Debug, PartialEq)]
    struct Things {
        floats: Vec<f32>,
        doubles: Vec<f64>,
        none: Vec<u32>,
        loss: f64,
        maybe: Option<f64>,
        word: String,
    }

    fn visit(things: &mut Things, archive: &mut Archive) -> Result<()> {
        archive.numbers("floats", &mut things.floats)?;
        archive.part("inner", |archive| {
            archive.numbers("none", &mut things.none)?;
            archive.numbers("doubles", &mut things.doubles)?;
            archive.double("loss", &mut things.loss)
        })?;
        archive.maybe("maybe", &mut things.maybe)?;
        archive.value("word", &mut things.word)
    }

    fn things() -> Things {
        Things {
            floats: (0..40_000).map(|i| (i as f32).sin()).collect(),
            doubles: vec![0.1, -0.0, 1e-310],
            none: Vec::new(),
            loss: f64::NEG_INFINITY,
            maybe: Some(0.1 + 0.2),
            word: "\"crc32c\":\"00000000\" ü".into(),
        }
    }

    fn empty() -> Things {
        Things {
            floats: vec![0.0; 40_000],
            doubles: vec![0.0; 3],
            none: Vec::new(),
            loss: 0.0,
            maybe: None,
            word: String::new(),
        }
    }

    fn saved() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("c.safetensors");
        let mut things = things();
        write(&path, "about \"crc32c\":\"00000000\" it", &mut |archive| visit(&mut things, archive)).unwrap();
        (folder, path)
    }

    fn whole(path: &Path) -> Checkpoint {
        match open(path).unwrap() {
            Opened::Whole(found) => found,
            Opened::Damaged(error) => panic!("{error}"),
        }
    }

    #[test]
    fn a_state_comes_back_with_the_same_bits() {
        let (_folder, path) = saved();
        let found = whole(&path);
        assert_eq!(found.about(), "about \"crc32c\":\"00000000\" it");
        let mut back = empty();
        found.restore(|archive| visit(&mut back, archive)).unwrap();
        assert_eq!(back, things());
        assert_eq!(found.value::<String>("word").unwrap(), things().word);
        assert!(back.doubles[1].is_sign_negative());
        assert!(Checkpoint::is_at(&path).unwrap());
        fs::write(path.with_extension("other"), "{\"format\":\"fallline-checkpoint\"}").unwrap();
        assert!(!Checkpoint::is_at(&path.with_extension("other")).unwrap());
        assert_eq!(found.floats("floats").unwrap(), things().floats);
        assert!(found.floats("doubles").is_err() && found.has("word") && !found.has("words"));
        // The format crate reads it, too.
        let bytes = fs::read(&path).unwrap();
        let other = safetensors::SafeTensors::deserialize(&bytes).unwrap();
        assert_eq!(other.tensor("floats").unwrap().shape(), [40_000]);
    }

    #[test]
    fn another_state_is_not_put_in_its_place() {
        let (_folder, path) = saved();
        let found = whole(&path);
        let mut back = empty();
        back.floats.pop();
        let error = found.restore(|archive| visit(&mut back, archive)).unwrap_err().to_string();
        assert!(error.contains("floats of 39999 numbers of type F32, found floats of 40000"), "{error}");
        let mut number = 0u8;
        let error = found.restore(|archive| archive.value("word", &mut number)).unwrap_err().to_string();
        assert!(error.contains("word: expected a value of its kind"), "{error}");
        let error = found.restore(|archive| archive.value("other", &mut number)).unwrap_err().to_string();
        assert!(error.contains("other: expected a value, found none"), "{error}");
        let error = found.restore(|_| Ok(())).unwrap_err().to_string();
        assert!(error.contains("expected nothing more, found floats"), "{error}");
    }

    /// Each bit of the beginning, some of the rest, and each end.
    #[test]
    fn every_damage_is_noticed() {
        let (_folder, path) = saved();
        let bytes = fs::read(&path).unwrap();
        let is_whole = |bytes: &[u8]| {
            fs::write(&path, bytes).unwrap();
            matches!(open(&path), Ok(Opened::Whole(_)))
        };
        assert!(is_whole(&bytes));
        let header = 8 + u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
        for place in (0..header + 400).chain((header..bytes.len()).step_by(7001)).chain([bytes.len() - 1]) {
            for bit in [0, 5, 7] {
                let mut damaged = bytes.clone();
                damaged[place] ^= 1 << bit;
                fs::write(&path, &damaged).unwrap();
                // It is not taken for another program's, either.
                assert!(matches!(open(&path), Ok(Opened::Damaged(_))), "bit {bit} of byte {place}");
            }
        }
        for len in [0, 3, 8, 9, header - 1, header, header + 1, bytes.len() - 1] {
            assert!(!is_whole(&bytes[..len]), "{len} bytes");
        }
        assert!(!is_whole(&[&bytes[..], b"x"].concat()));
        assert!(!is_whole(&[]));
    }

    #[test]
    fn files_of_others_and_of_later_versions_are_refused() {
        let (_folder, path) = saved();
        let values: Vec<u8> = vec![0; 8];
        let view = safetensors::tensor::TensorView::new(safetensors::Dtype::F32, vec![2], &values).unwrap();
        fs::write(&path, safetensors::serialize([("w", view)], None).unwrap()).unwrap();
        let error = open(&path).unwrap_err().to_string();
        assert!(
            error.ends_with(
                "expected the checkpoint of a training by fallline, found another safetensors file"
            )
        );

        let header = header(&[], 8, "").replace("\"version\":\"1\"", "\"version\":\"2\"");
        let length = (header.len() as u64).to_le_bytes();
        let sum = crc32c_append(crc32c_append(crc32c(&length), header.as_bytes()), b"{}      ");
        let header = header.replacen(NO_CHECKSUM, &format!("{sum:08x}"), 1);
        fs::write(&path, [&length, header.as_bytes(), b"{}      "].concat()).unwrap();
        let error = open(&path).unwrap_err().to_string();
        assert!(
            error.ends_with("version: expected 1, which this version of fallline knows, found 2"),
            "{error}"
        );
    }
}
