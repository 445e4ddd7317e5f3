//! The IDX file format of MNIST (Y. LeCun, "The MNIST database of handwritten digits"): two zero
//! bytes, the element type, the number of dimensions, the dimensions as big-endian u32, then the
//! elements in row-major order, big-endian. Files may be compressed with gzip.
//!
//! Files are not trusted. The header of a plain file is compared with its size before anything is
//! allocated. That of a compressed file or of a pipe cannot be, so there memory grows with the elements
//! that have come, and nothing is read past what the header promises: neither a header of terabytes nor a
//! compressed bomb costs anything. Elements are converted piece by piece as they come, so that no second
//! copy of a file is ever in memory.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};

use byteorder::{BigEndian, ByteOrder, WriteBytesExt};
use flate2::write::GzEncoder;

use super::gzip::{self, Members};
use crate::atomic_file;
use crate::error::{Error, Result};
use crate::{memory, pipe};

/// An n-dimensional array, as an IDX file holds it.
#[derive(Clone, Debug, PartialEq)]
pub struct Idx {
    /// The dimensions: at least one, each at least 1, the slowest first: `[60000, 28, 28]`.
    pub dimensions: Vec<usize>,
    /// The elements, row-major, as many as the product of the dimensions.
    pub elements: Elements,
}

/// The elements of an IDX file, by type.
#[derive(Clone, Debug, PartialEq)]
pub enum Elements {
    U8(Vec<u8>),
    I8(Vec<i8>),
    I16(Vec<i16>),
    I32(Vec<i32>),
    F32(Vec<f32>),
    F64(Vec<f64>),
}

/// The type of the elements of an IDX file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ElementType {
    U8 = 0x08,
    I8 = 0x09,
    I16 = 0x0B,
    I32 = 0x0C,
    F32 = 0x0D,
    F64 = 0x0E,
}

impl ElementType {
    /// Every type of the format.
    pub const ALL: [ElementType; 6] = [
        ElementType::U8,
        ElementType::I8,
        ElementType::I16,
        ElementType::I32,
        ElementType::F32,
        ElementType::F64,
    ];

    /// The name of the type in Rust: "u8".
    pub fn name(self) -> &'static str {
        match self {
            ElementType::U8 => "u8",
            ElementType::I8 => "i8",
            ElementType::I16 => "i16",
            ElementType::I32 => "i32",
            ElementType::F32 => "f32",
            ElementType::F64 => "f64",
        }
    }

    /// The type of this name.
    pub fn named(name: &str) -> Option<ElementType> {
        ElementType::ALL.into_iter().find(|known| known.name() == name)
    }

    /// Whether the elements are whole numbers.
    pub fn is_integer(self) -> bool {
        !matches!(self, ElementType::F32 | ElementType::F64)
    }

    /// The name of the type in names of files, as in those of MNIST: "ubyte".
    pub fn in_file_names(self) -> &'static str {
        match self {
            ElementType::U8 => "ubyte",
            ElementType::I8 => "byte",
            ElementType::I16 => "short",
            ElementType::I32 => "int",
            ElementType::F32 => "float",
            ElementType::F64 => "double",
        }
    }

    /// The size of one element in bytes.
    pub fn bytes(self) -> usize {
        match self {
            ElementType::U8 | ElementType::I8 => 1,
            ElementType::I16 => 2,
            ElementType::I32 | ElementType::F32 => 4,
            ElementType::F64 => 8,
        }
    }
}

impl Elements {
    /// The number of elements.
    pub fn len(&self) -> usize {
        match self {
            Elements::U8(values) => values.len(),
            Elements::I8(values) => values.len(),
            Elements::I16(values) => values.len(),
            Elements::I32(values) => values.len(),
            Elements::F32(values) => values.len(),
            Elements::F64(values) => values.len(),
        }
    }

    /// Whether there are no elements.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The type of the elements.
    pub fn element_type(&self) -> ElementType {
        match self {
            Elements::U8(_) => ElementType::U8,
            Elements::I8(_) => ElementType::I8,
            Elements::I16(_) => ElementType::I16,
            Elements::I32(_) => ElementType::I32,
            Elements::F32(_) => ElementType::F32,
            Elements::F64(_) => ElementType::F64,
        }
    }

    /// The elements as f64, which holds every type of the format exactly.
    pub fn iter_f64(&self) -> Box<dyn Iterator<Item = f64> + '_> {
        match self {
            Elements::U8(values) => Box::new(values.iter().map(|&value| f64::from(value))),
            Elements::I8(values) => Box::new(values.iter().map(|&value| f64::from(value))),
            Elements::I16(values) => Box::new(values.iter().map(|&value| f64::from(value))),
            Elements::I32(values) => Box::new(values.iter().map(|&value| f64::from(value))),
            Elements::F32(values) => Box::new(values.iter().map(|&value| f64::from(value))),
            Elements::F64(values) => Box::new(values.iter().copied()),
        }
    }

    fn write_big_endian(&self, out: &mut dyn Write) -> io::Result<()> {
        match self {
            Elements::U8(values) => out.write_all(values),
            Elements::I8(values) => values.iter().try_for_each(|&value| out.write_i8(value)),
            Elements::I16(values) => values.iter().try_for_each(|&value| out.write_i16::<BigEndian>(value)),
            Elements::I32(values) => values.iter().try_for_each(|&value| out.write_i32::<BigEndian>(value)),
            Elements::F32(values) => values.iter().try_for_each(|&value| out.write_f32::<BigEndian>(value)),
            Elements::F64(values) => values.iter().try_for_each(|&value| out.write_f64::<BigEndian>(value)),
        }
    }
}

impl Idx {
    /// Reads a file, plain or compressed: its first bytes decide, not its name.
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be read, [`Error::Format`] if it is not a sound IDX file,
    /// [`Error::Mismatch`] if it does not fit into memory.
    pub fn read(path: &Path) -> Result<Idx> {
        IdxReader::open(path)?.read()
    }

    /// Reads an IDX file that is in memory, plain or compressed; `path` is for messages only.
    ///
    /// # Errors
    /// Those of [`Idx::read`].
    pub fn from_bytes(path: &Path, bytes: &[u8]) -> Result<Idx> {
        IdxReader::new(path, bytes, Some(bytes.len() as u64))?.read()
    }

    /// Writes the file whole or not at all (see [`atomic_file::write`]), compressed if `gzip`. The
    /// same array always gives the same bytes.
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be written; [`Error::Mismatch`] if the dimensions are not those of the elements or
    /// not what the format can hold.
    pub fn write(&self, path: &Path, gzip: bool) -> Result<()> {
        self.check(path)?;
        atomic_file::write(path, |out| self.encode(out, gzip))
    }

    /// Writes the content of a file, compressed if `gzip`.
    ///
    /// # Errors
    /// Those of writing to `out`.
    pub(super) fn encode(&self, out: &mut dyn Write, gzip: bool) -> io::Result<()> {
        if !gzip {
            return self.write_to(out);
        }
        let mut compressed = GzEncoder::new(out, flate2::Compression::default());
        // Small writes are costly in the encoder.
        let mut buffered = io::BufWriter::new(&mut compressed);
        self.write_to(&mut buffered)?;
        buffered.flush()?;
        drop(buffered);
        compressed.finish().map(drop)
    }

    /// Writes the uncompressed content: the very bytes that the array was read from.
    ///
    /// # Errors
    /// Those of writing to `out`.
    pub fn write_to(&self, out: &mut dyn Write) -> io::Result<()> {
        out.write_all(&[0, 0, self.elements.element_type() as u8, self.dimensions.len() as u8])?;
        for &dimension in &self.dimensions {
            out.write_u32::<BigEndian>(dimension as u32)?;
        }
        self.elements.write_big_endian(out)
    }

    pub(super) fn check(&self, path: &Path) -> Result<()> {
        let product = self.dimensions.iter().try_fold(1usize, |product, &d| product.checked_mul(d));
        let fits = (1..=255).contains(&self.dimensions.len())
            && self.dimensions.iter().all(|&d| d >= 1 && u32::try_from(d).is_ok());
        if fits && product == Some(self.elements.len()) {
            return Ok(());
        }
        Err(Error::Mismatch {
            what: format!("array to be written to {}", path.display()),
            expected: "1 to 255 dimensions of at least 1 whose product is the number of elements".into(),
            found: format!("{} with {} elements", joined(&self.dimensions), self.elements.len()),
        })
    }
}

/// An IDX file whose header has been read, and compared with the size of the file as far as that is
/// known; its elements are still to come.
pub struct IdxReader<'a> {
    source: Source<'a>,
    header: Header,
}

/// The bytes of an IDX file.
struct Source<'a> {
    path: PathBuf,
    gzip: bool,
    /// The size of the file in bytes, compressed if it is, where it is known before reading.
    length: Option<u64>,
    /// The uncompressed content.
    reader: Box<dyn Read + 'a>,
}

/// The promises of a header.
struct Header {
    element_type: ElementType,
    dimensions: Vec<usize>,
    /// The size of the header in bytes.
    bytes: u64,
    /// The size of the elements in bytes.
    payload: u64,
}

impl<'a> IdxReader<'a> {
    /// Opens a file, plain or compressed, and reads its header.
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be read, [`Error::Format`] if it is no IDX file or has not the size that
    /// its header promises.
    pub fn open(path: &Path) -> Result<IdxReader<'static>> {
        let file = pipe::open(path).map_err(Error::io(path, "open"))?;
        let length = file.length().map_err(Error::io(path, "read"))?;
        IdxReader::new(path, BufReader::new(file), length)
    }

    /// Reads the header from `reader`, which has `length` bytes in all, if that is known;
    /// `path` is for messages only.
    ///
    /// # Errors
    /// Those of [`IdxReader::open`].
    pub fn new(path: &Path, mut reader: impl BufRead + 'a, length: Option<u64>) -> Result<IdxReader<'a>> {
        let gzip = begins_as_gzip(&mut reader).map_err(Error::io(path, "read"))?;
        let reader: Box<dyn Read + 'a> = if gzip { Box::new(Members::new(reader)) } else { Box::new(reader) };
        let mut source = Source { path: path.to_path_buf(), gzip, length, reader };
        let header = source.header()?;
        source.check_length(&header)?;
        Ok(IdxReader { source, header })
    }

    pub fn path(&self) -> &Path {
        &self.source.path
    }

    pub fn element_type(&self) -> ElementType {
        self.header.element_type
    }

    /// The dimensions: at least one, each at least 1, the slowest first.
    pub fn dimensions(&self) -> &[usize] {
        &self.header.dimensions
    }

    /// The number of elements that the header promises.
    pub fn count(&self) -> u64 {
        self.header.payload / self.header.element_type.bytes() as u64
    }

    /// Reads the elements.
    ///
    /// # Errors
    /// [`Error::Io`] if they cannot be read; [`Error::Format`] if there are not as many as promised, or more;
    /// [`Error::Mismatch`] if they do not fit into memory.
    pub fn read(mut self) -> Result<Idx> {
        let elements = match self.header.element_type {
            ElementType::U8 => Elements::U8(self.values(Vec::extend_from_slice)?),
            ElementType::I8 => Elements::I8(self.values(each(|[byte]| i8::from_be_bytes([byte])))?),
            ElementType::I16 => Elements::I16(self.values(each(i16::from_be_bytes))?),
            ElementType::I32 => Elements::I32(self.values(each(i32::from_be_bytes))?),
            ElementType::F32 => Elements::F32(self.values(each(f32::from_be_bytes))?),
            ElementType::F64 => Elements::F64(self.values(each(f64::from_be_bytes))?),
        };
        Ok(Idx { dimensions: self.header.dimensions, elements })
    }

    /// Reads the elements, of whatever type, as f32: the nearest of each.
    ///
    /// # Errors
    /// Those of [`IdxReader::read`].
    pub fn floats(mut self) -> Result<Vec<f32>> {
        match self.header.element_type {
            ElementType::U8 => self.values(each(|[byte]| f32::from(byte))),
            ElementType::I8 => self.values(each(|[byte]| f32::from(byte as i8))),
            ElementType::I16 => self.values(each(|bytes| f32::from(i16::from_be_bytes(bytes)))),
            ElementType::I32 => self.values(each(|bytes| i32::from_be_bytes(bytes) as f32)),
            ElementType::F32 => self.values(each(f32::from_be_bytes)),
            ElementType::F64 => self.values(each(|bytes| f64::from_be_bytes(bytes) as f32)),
        }
    }

    /// Reads the elements piece by piece, each of which `append` adds to the result.
    fn values<T>(&mut self, append: impl Fn(&mut Vec<T>, &[u8])) -> Result<Vec<T>> {
        let Header { bytes, payload, .. } = self.header;
        let size = self.header.element_type.bytes() as u64;
        // The count is addressable, since the bytes are.
        let count = (payload / size) as usize;
        let what = format!("the elements of {}", self.source.path.display());
        memory::check(&what, count.saturating_mul(size_of::<T>()))?;
        // The size of a plain file has proven the header right.
        let is_proven = !self.source.gzip && self.source.length.is_some();
        let mut values = Vec::new();
        let mut piece = vec![0; PIECE.min(payload as usize)];
        let mut read = 0;
        while read < payload {
            let piece = &mut piece[..(PIECE as u64).min(payload - read) as usize];
            let expected = || self.header.total();
            self.source.fill(piece, bytes + read, expected)?;
            read += piece.len() as u64;
            let added = piece.len() / size as usize;
            if values.capacity() - values.len() < added {
                let come = values.len() + added;
                // Never more than an eighth of all is moved to a larger place.
                let room = if is_proven || come >= count / GROWTH {
                    count
                } else {
                    (GROWTH * come).min(count / GROWTH)
                };
                let taken = values.try_reserve_exact(room - values.len());
                taken.map_err(|_| memory::refused(&what, room.saturating_mul(size_of::<T>())))?;
            }
            append(&mut values, piece);
        }
        if !self.source.is_at_end(bytes + payload)? {
            let expected = format!("the end of the data after {}", self.header);
            return Err(self.source.format(bytes + payload, expected, "more data".into()));
        }
        Ok(values)
    }
}

/// Bytes that are read in one call; a multiple of the size of every element.
const PIECE: usize = 64 * 1024;

/// Memory is taken for at most so many times the elements that have come, whatever is promised.
const GROWTH: usize = 8;

/// Converts the elements of a piece one by one.
fn each<const SIZE: usize, T>(convert: impl Fn([u8; SIZE]) -> T) -> impl Fn(&mut Vec<T>, &[u8]) {
    move |values, piece| values.extend(piece.as_chunks().0.iter().map(|&bytes| convert(bytes)))
}

fn begins_as_gzip(reader: &mut impl BufRead) -> io::Result<bool> {
    loop {
        match reader.fill_buf() {
            // A pipe may have brought one byte only, which no IDX file begins with.
            Ok(start) => {
                let seen = &start[..start.len().min(gzip::MAGIC.len())];
                return Ok(!seen.is_empty() && gzip::MAGIC.starts_with(seen));
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

impl Header {
    /// The expected size of the whole file, for messages.
    fn total(&self) -> String {
        format!("{} bytes in all for {self}", self.bytes + self.payload)
    }
}

impl std::fmt::Display for Header {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        write!(f, "{} of {}", joined(&self.dimensions), self.element_type.name())
    }
}

impl Source<'_> {
    /// Compares the size that the header promises with that of the file, before anything is read.
    fn check_length(&self, header: &Header) -> Result<()> {
        let Some(length) = self.length else { return Ok(()) };
        let total = header.bytes + header.payload;
        if !self.gzip && length != total {
            return Err(self.format(length.min(total), header.total(), format!("{length} bytes")));
        }
        let most = length.saturating_mul(DEFLATE_RATIO);
        if self.gzip && most < total {
            let found = format!("a file of {length} bytes, which cannot hold more than {most}");
            return Err(self.format(4, header.total(), found));
        }
        Ok(())
    }

    fn header(&mut self) -> Result<Header> {
        let mut magic = [0; 4];
        self.fill(&mut magic, 0, || "an IDX header of at least 8 bytes".into())?;
        let [zero, also_zero, code, rank] = magic;
        if (zero, also_zero) != (0, 0) {
            let found = format!("0x{zero:02X} 0x{also_zero:02X}");
            return Err(self.format(0, "0x00 0x00, the start of an IDX file".into(), found));
        }
        let Some(element_type) = ElementType::ALL.into_iter().find(|&known| known as u8 == code) else {
            let expected = "an element type (0x08, 0x09, 0x0B, 0x0C, 0x0D or 0x0E)".into();
            return Err(self.format(2, expected, format!("0x{code:02X}")));
        };
        if rank == 0 {
            return Err(self.format(3, "at least 1 dimension".into(), "0".into()));
        }
        let mut sizes = vec![0; 4 * usize::from(rank)];
        self.fill(&mut sizes, 4, || format!("the sizes of {rank} dimensions"))?;
        let dimensions: Vec<usize> =
            sizes.chunks_exact(4).map(|size| BigEndian::read_u32(size) as usize).collect();
        if let Some(empty) = dimensions.iter().position(|&size| size == 0) {
            let found = format!("0 in {}", joined(&dimensions));
            return Err(self.format(4 + 4 * empty as u64, "at least 1 item".into(), found));
        }
        let elements = dimensions.iter().try_fold(1u64, |product, &size| product.checked_mul(size as u64));
        let payload = elements.and_then(|count| count.checked_mul(element_type.bytes() as u64));
        // Below this bound every later sum of sizes fits in u64 and every size in isize.
        let Some(payload) = payload.filter(|&bytes| bytes < isize::MAX as u64 - MAX_HEADER) else {
            let expected = "dimensions whose product can be addressed".into();
            return Err(self.format(4, expected, joined(&dimensions)));
        };
        Ok(Header { element_type, dimensions, bytes: 4 + sizes.len() as u64, payload })
    }

    /// Fills `buffer` with the bytes from `position` on.
    fn fill(&mut self, buffer: &mut [u8], position: u64, expected: impl Fn() -> String) -> Result<()> {
        let mut filled = 0;
        while filled < buffer.len() {
            let reached = position + filled as u64;
            match self.read(&mut buffer[filled..], reached)? {
                0 => return Err(self.format(reached, expected(), "the end of the data".into())),
                count => filled += count,
            }
        }
        Ok(())
    }

    /// Whether nothing follows at `position`.
    fn is_at_end(&mut self, position: u64) -> Result<bool> {
        Ok(self.read(&mut [0], position)? == 0)
    }

    /// Reads some bytes, which lie at `position`; 0 at the end.
    fn read(&mut self, buffer: &mut [u8], position: u64) -> Result<usize> {
        loop {
            match self.reader.read(buffer) {
                Ok(count) => return Ok(count),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.broken(position, error)),
            }
        }
    }

    /// An error of the reader, which for compressed files is one of the data.
    fn broken(&self, position: u64, error: io::Error) -> Error {
        if !self.gzip {
            return Error::io(&self.path, "read")(error);
        }
        let found = match error.kind() {
            io::ErrorKind::UnexpectedEof => "the end of the file".to_string(),
            _ => error.to_string(),
        };
        self.format(position, "sound gzip data to the end of the file".into(), found)
    }

    fn format(&self, byte: u64, expected: String, found: String) -> Error {
        let of = if self.gzip { " of the uncompressed data" } else { "" };
        Error::Format { path: self.path.clone(), place: format!("byte {byte}{of}"), expected, found }
    }
}

/// No deflate stream expands by more than this (zlib's technical notes: 1032 to 1 in the limit).
const DEFLATE_RATIO: u64 = 1032;

/// The size of the header of 255 dimensions, rounded up.
const MAX_HEADER: u64 = 2048;

/// Dimensions in words: "60000 x 28 x 28".
pub(crate) fn joined(dimensions: &[usize]) -> String {
    /// The most that are written; a header may name 255 of them.
    const MOST: usize = 8;
    let shown: Vec<String> = dimensions.iter().take(MOST).map(usize::to_string).collect();
    let more = if dimensions.len() > MOST { " x …" } else { "" };
    shown.join(" x ") + more
}
