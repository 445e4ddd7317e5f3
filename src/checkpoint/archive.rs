//! What is saved and restored: named arrays of numbers, and single values.

use std::fmt::Display;
use std::io::{self, Read, Write};
use std::path::Path;
use std::vec;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

use crate::foreign::shortened;
use crate::{Error, Result};

/// What lives on from step to step.
pub trait State {
    /// Hands each number of the state to the archive, which notes it or puts another one in its place. Names and order
    /// are the same in both directions, and so are lengths, but for those of vectors that were restored before them.
    ///
    /// # Errors
    /// Those of the archive.
    fn visit(&mut self, archive: &mut Archive) -> Result<()>;
}

/// A number of an array.
pub trait Number: Copy {
    /// The name of its type in safetensors.
    const TYPE: &'static str;
    const SIZE: usize;

    fn append_to(self, bytes: &mut Vec<u8>);

    /// The number of [`SIZE`](Number::SIZE) bytes.
    fn of(bytes: &[u8]) -> Self;
}

macro_rules! number {
    ($type:ty, $name:literal) => {
        impl Number for $type {
            const TYPE: &'static str = $name;
            const SIZE: usize = size_of::<$type>();

            fn append_to(self, bytes: &mut Vec<u8>) {
                bytes.extend(self.to_le_bytes());
            }

            fn of(bytes: &[u8]) -> $type {
                let mut own = [0; size_of::<$type>()];
                own.copy_from_slice(bytes);
                <$type>::from_le_bytes(own)
            }
        }
    };
}

number!(f32, "F32");
number!(f64, "F64");
number!(u32, "U32");
number!(u8, "U8");

/// An array in a file.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    pub name: String,
    pub kind: String,
    /// How many numbers there are.
    pub len: usize,
}

/// A number that keeps all its bits in JSON, which knows no infinity and no NaN.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Bits(pub f64);

impl Serialize for Bits {
    fn serialize<S: Serializer>(&self, to: S) -> std::result::Result<S::Ok, S::Error> {
        to.serialize_str(&format!("{:016x}", self.0.to_bits()))
    }
}

impl<'de> Deserialize<'de> for Bits {
    fn deserialize<D: Deserializer<'de>>(from: D) -> std::result::Result<Bits, D::Error> {
        let text = String::deserialize(from)?;
        let bits = u64::from_str_radix(&text, 16).map_err(serde::de::Error::custom)?;
        Ok(Bits(f64::from_bits(bits)))
    }
}

/// A state on its way to a file, or back.
pub struct Archive<'a> {
    pass: Pass<'a>,
    /// What the names of the part under way begin with.
    prefix: String,
}

/// A state is noted in two passes, so that nothing is copied: the first says what there is.
enum Pass<'a> {
    Measure { entries: Vec<Entry>, values: Map<String, Value> },
    Write { to: &'a mut dyn Write },
    Read { from: &'a mut dyn Read, path: &'a Path, entries: vec::IntoIter<Entry>, values: Map<String, Value> },
}

/// Bytes that are converted at a time.
const CHUNK: usize = 1 << 16;

impl<'a> Archive<'a> {
    /// The arrays of a state, in their order, and its values.
    ///
    /// # Errors
    /// Those of `visit`.
    pub fn measure(
        visit: impl FnOnce(&mut Archive) -> Result<()>,
    ) -> Result<(Vec<Entry>, Map<String, Value>)> {
        let pass = Pass::Measure { entries: Vec::new(), values: Map::new() };
        let mut archive = Archive { pass, prefix: String::new() };
        visit(&mut archive)?;
        match archive.pass {
            Pass::Measure { entries, values } => Ok((entries, values)),
            Pass::Write { .. } | Pass::Read { .. } => unreachable!("the pass does not change"),
        }
    }

    /// An archive that writes the arrays, one behind the other.
    pub fn write(to: &'a mut dyn Write) -> Archive<'a> {
        Archive { pass: Pass::Write { to }, prefix: String::new() }
    }

    /// An archive that restores from these arrays, one behind the other, and values.
    pub fn read(
        from: &'a mut dyn Read,
        path: &'a Path,
        entries: Vec<Entry>,
        values: Map<String, Value>,
    ) -> Archive<'a> {
        Archive {
            pass: Pass::Read { from, path, entries: entries.into_iter(), values },
            prefix: String::new(),
        }
    }

    /// Whether the state is restored.
    pub fn is_reading(&self) -> bool {
        matches!(self.pass, Pass::Read { .. })
    }

    /// Whether only arrays are written: the values are known by then.
    pub fn is_writing(&self) -> bool {
        matches!(self.pass, Pass::Write { .. })
    }

    /// Refuses a restored value that cannot be: a file may come from anywhere. What is saved is not looked at.
    ///
    /// # Errors
    /// [`Error::Format`] if it does not hold.
    pub fn check(&self, name: &str, holds: bool, expected: &str, found: impl Display) -> Result<()> {
        match &self.pass {
            Pass::Read { path, .. } if !holds => {
                let place = format!("{}{name}", self.prefix);
                Err(wrong(path, &place, expected.into(), shortened(&found.to_string())))
            }
            _ => Ok(()),
        }
    }

    /// A part of the state, whose names begin with this one.
    ///
    /// # Errors
    /// Those of `visit`.
    pub fn part(&mut self, name: &str, visit: impl FnOnce(&mut Archive) -> Result<()>) -> Result<()> {
        let len = self.prefix.len();
        self.prefix += name;
        self.prefix.push('.');
        let outcome = visit(self);
        self.prefix.truncate(len);
        outcome
    }

    /// [`part`](Archive::part) that is a state of its own.
    ///
    /// # Errors
    /// Those of its visit.
    pub fn state(&mut self, name: &str, state: &mut (impl State + ?Sized)) -> Result<()> {
        self.part(name, |archive| state.visit(archive))
    }

    /// A part that need not be there; where it is restored, it is made with `new` first.
    ///
    /// # Errors
    /// Those of its visit.
    pub fn option<T: State>(
        &mut self,
        name: &str,
        part: &mut Option<T>,
        new: impl FnOnce() -> T,
    ) -> Result<()> {
        let mut is_there = part.is_some();
        self.value(name, &mut is_there)?;
        if self.is_reading() {
            *part = is_there.then(new);
        }
        part.as_mut().map_or(Ok(()), |part| self.state(name, part))
    }

    /// An array.
    ///
    /// # Errors
    /// [`Error::Format`] if the file has another one; [`Error::Io`].
    pub fn numbers<T: Number>(&mut self, name: &str, numbers: &mut [T]) -> Result<()> {
        // What is empty lies nowhere: a file could not tell the order of several.
        if numbers.is_empty() {
            return Ok(());
        }
        let name = format!("{}{name}", self.prefix);
        match &mut self.pass {
            Pass::Measure { entries, .. } => {
                debug_assert!(entries.iter().all(|entry| entry.name != name), "{name} twice");
                entries.push(Entry { name, kind: T::TYPE.into(), len: numbers.len() });
                Ok(())
            }
            Pass::Write { to } => write_numbers(*to, numbers).map_err(Error::io(&name, "write")),
            Pass::Read { from, path, entries, .. } => {
                let expected = Entry { name, kind: T::TYPE.into(), len: numbers.len() };
                let found = entries.next();
                if found.as_ref() != Some(&expected) {
                    let found = found.as_ref().map_or("no more of them".to_string(), described);
                    return Err(wrong(path, "tensors", described(&expected), found));
                }
                read_numbers(*from, numbers).map_err(Error::io(*path, "read"))
            }
        }
    }

    /// A value that JSON can hold: without numbers that may not be finite.
    ///
    /// # Errors
    /// [`Error::Format`] if the file has none, or another kind of value.
    pub fn value<T: Serialize + DeserializeOwned>(&mut self, name: &str, value: &mut T) -> Result<()> {
        let name = format!("{}{name}", self.prefix);
        match &mut self.pass {
            Pass::Measure { values, .. } => {
                let json = serde_json::to_value(&*value).map_err(|error| Error::Mismatch {
                    what: name.clone(),
                    expected: "a value that JSON can hold".into(),
                    found: error.to_string(),
                })?;
                let before = values.insert(name, json);
                debug_assert!(before.is_none(), "a name twice");
                Ok(())
            }
            Pass::Write { .. } => Ok(()),
            Pass::Read { path, values, .. } => {
                let found = values.shift_remove(&name);
                let Some(found) = found else {
                    return Err(wrong(path, &name, "a value".into(), "none".into()));
                };
                *value = serde_json::from_value(found).map_err(|error| {
                    wrong(path, &name, "a value of its kind".into(), shortened(&error.to_string()))
                })?;
                Ok(())
            }
        }
    }

    /// A value that is noted where it is not the default one: files from before there was such a value have none.
    ///
    /// # Errors
    /// Those of [`value`](Archive::value).
    pub fn optional<T: Serialize + DeserializeOwned + Default + PartialEq>(
        &mut self,
        name: &str,
        value: &mut T,
    ) -> Result<()> {
        let is_there = match &self.pass {
            Pass::Read { values, .. } => values.contains_key(&format!("{}{name}", self.prefix)),
            Pass::Measure { .. } | Pass::Write { .. } => *value != T::default(),
        };
        if is_there {
            return self.value(name, value);
        }
        *value = T::default();
        Ok(())
    }

    /// A number that need not be finite.
    ///
    /// # Errors
    /// Those of [`value`](Archive::value).
    pub fn double(&mut self, name: &str, number: &mut f64) -> Result<()> {
        let mut bits = Bits(*number);
        self.value(name, &mut bits)?;
        *number = bits.0;
        Ok(())
    }

    /// A number that need be neither there nor finite.
    ///
    /// # Errors
    /// Those of [`value`](Archive::value).
    pub fn maybe(&mut self, name: &str, number: &mut Option<f64>) -> Result<()> {
        let mut bits = number.map(Bits);
        self.value(name, &mut bits)?;
        *number = bits.map(|bits| bits.0);
        Ok(())
    }

    /// That nothing is left which was not asked for.
    ///
    /// # Errors
    /// [`Error::Format`] with the first name.
    pub fn finish(self) -> Result<()> {
        let Pass::Read { path, mut entries, values, .. } = self.pass else { return Ok(()) };
        let left = entries.next().map(|entry| described(&entry));
        match left.or_else(|| values.keys().next().cloned()) {
            Some(left) => Err(wrong(path, "state", "nothing more".into(), shortened(&left))),
            None => Ok(()),
        }
    }
}

fn described(entry: &Entry) -> String {
    shortened(&format!("{} of {} numbers of type {}", entry.name, entry.len, entry.kind))
}

fn wrong(path: &Path, place: &str, expected: String, found: String) -> Error {
    Error::Format { path: path.into(), place: place.into(), expected, found }
}

fn write_numbers<T: Number>(to: &mut dyn Write, numbers: &[T]) -> io::Result<()> {
    let mut bytes = Vec::with_capacity(CHUNK.min(numbers.len() * T::SIZE));
    for chunk in numbers.chunks(CHUNK / T::SIZE) {
        bytes.clear();
        chunk.iter().for_each(|number| number.append_to(&mut bytes));
        to.write_all(&bytes)?;
    }
    Ok(())
}

fn read_numbers<T: Number>(from: &mut dyn Read, numbers: &mut [T]) -> io::Result<()> {
    let mut bytes = vec![0; CHUNK.min(numbers.len() * T::SIZE)];
    for chunk in numbers.chunks_mut(CHUNK / T::SIZE) {
        let bytes = &mut bytes[..chunk.len() * T::SIZE];
        from.read_exact(bytes)?;
        chunk.iter_mut().zip(bytes.chunks_exact(T::SIZE)).for_each(|(number, bytes)| *number = T::of(bytes));
    }
    Ok(())
}
