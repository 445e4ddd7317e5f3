//! The IDX file format of MNIST (Y. LeCun, "The MNIST database of handwritten digits"): two zero
//! bytes, the element type, the number of dimensions, the dimensions as big-endian u32, then the
//! elements in row-major order, big-endian. Files may be compressed with gzip.
//!
//! Files are not trusted: nothing is allocated from a number in a header. Elements are read into
//! a buffer that grows with the bytes really there, and no further than one byte past what the
//! header promises, so that neither a header of terabytes nor a compressed bomb costs anything.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::Path;

use byteorder::{BigEndian, ByteOrder, WriteBytesExt};
use flate2::bufread::MultiGzDecoder;
use flate2::write::GzEncoder;

use crate::atomic_file;
use crate::error::{Error, Result};
use crate::panics::Guarded;

/// An n-dimensional array, as an IDX file holds it.
#[derive(Clone, Debug, PartialEq)]
pub struct Idx {
    /// At least one, each at least 1, the slowest first: `[60000, 28, 28]`.
    pub dimensions: Vec<usize>,
    /// Row-major, as many as the product of the dimensions.
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

    /// Its name in Rust: "u8".
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

    /// Whether there are none.
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

    /// `bytes` is big-endian and holds whole elements only.
    fn from_big_endian(element_type: ElementType, mut bytes: Vec<u8>) -> Elements {
        let count = bytes.len() / element_type.bytes();
        match element_type {
            ElementType::U8 => {
                // Kept for the whole run, so the slack of the growing buffer is given back.
                bytes.shrink_to_fit();
                Elements::U8(bytes)
            }
            ElementType::I8 => Elements::I8(bytes.into_iter().map(|byte| byte as i8).collect()),
            ElementType::I16 => Elements::I16(convert(count, &bytes, BigEndian::read_i16_into)),
            ElementType::I32 => Elements::I32(convert(count, &bytes, BigEndian::read_i32_into)),
            ElementType::F32 => Elements::F32(convert(count, &bytes, BigEndian::read_f32_into)),
            ElementType::F64 => Elements::F64(convert(count, &bytes, BigEndian::read_f64_into)),
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

fn convert<T: Clone + Default>(count: usize, bytes: &[u8], read_into: fn(&[u8], &mut [T])) -> Vec<T> {
    let mut values = vec![T::default(); count];
    read_into(bytes, &mut values);
    values
}

impl Idx {
    /// Reads a file, plain or compressed: its first bytes tell, not its name.
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be read, [`Error::Format`] if it is not a sound IDX file.
    pub fn read(path: &Path) -> Result<Idx> {
        let file = File::open(path).map_err(Error::io(path, "open"))?;
        let metadata = file.metadata().map_err(Error::io(path, "read"))?;
        // A pipe has no length that could be known in advance.
        let length = metadata.is_file().then_some(metadata.len());
        Idx::from_reader(path, BufReader::new(file), length)
    }

    /// Reads an IDX file that is in memory, plain or compressed; `path` is for messages only.
    ///
    /// # Errors
    /// [`Error::Format`] if it is not a sound IDX file.
    pub fn from_bytes(path: &Path, bytes: &[u8]) -> Result<Idx> {
        Idx::from_reader(path, bytes, Some(bytes.len() as u64))
    }

    fn from_reader(path: &Path, mut reader: impl BufRead, length: Option<u64>) -> Result<Idx> {
        let start = reader.fill_buf().map_err(Error::io(path, "read"))?;
        if start.starts_with(&GZIP_MAGIC) {
            Source { path, gzip: true, length, reader: Guarded(MultiGzDecoder::new(reader)) }.parse()
        } else {
            Source { path, gzip: false, length, reader }.parse()
        }
    }

    /// Writes the file whole or not at all (see [`atomic_file::write`]), compressed if `gzip`. The
    /// same array always gives the same bytes.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::Mismatch`] if the dimensions are not those of the elements or not
    /// what the format can hold.
    pub fn write(&self, path: &Path, gzip: bool) -> Result<()> {
        self.check(path)?;
        atomic_file::write(path, |out| {
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
        })
    }

    /// Writes the uncompressed content: the very bytes that the array was read from.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn write_to(&self, out: &mut dyn Write) -> io::Result<()> {
        out.write_all(&[0, 0, self.elements.element_type() as u8, self.dimensions.len() as u8])?;
        for &dimension in &self.dimensions {
            out.write_u32::<BigEndian>(dimension as u32)?;
        }
        self.elements.write_big_endian(out)
    }

    fn check(&self, path: &Path) -> Result<()> {
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

/// The first two bytes of every gzip file (RFC 1952).
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

/// An IDX file being read.
struct Source<'a, R> {
    path: &'a Path,
    gzip: bool,
    /// The size of the file in bytes, compressed if it is, where it is known before reading.
    length: Option<u64>,
    /// The uncompressed content.
    reader: R,
}

/// What a header promises.
struct Header {
    element_type: ElementType,
    dimensions: Vec<usize>,
    /// The size of the header in bytes.
    bytes: u64,
    /// The size of the elements in bytes.
    payload: u64,
}

impl<R: Read> Source<'_, R> {
    fn parse(mut self) -> Result<Idx> {
        let header = self.header()?;
        let what = format!("{} of {}", joined(&header.dimensions), header.element_type.name());
        let total = header.bytes + header.payload;
        self.check_length(total, &what)?;
        let mut payload = Vec::new();
        let read = Read::take(&mut self.reader, header.payload + 1).read_to_end(&mut payload);
        let reached = header.bytes + payload.len() as u64;
        read.map_err(|error| self.broken(reached, error))?;
        if reached < total {
            let expected = format!("{total} bytes in all for {what}");
            return Err(self.format(reached, expected, "the end of the data".into()));
        }
        if reached > total {
            let expected = format!("the end of the data after {what}");
            return Err(self.format(total, expected, "more data".into()));
        }
        let elements = Elements::from_big_endian(header.element_type, payload);
        Ok(Idx { dimensions: header.dimensions, elements })
    }

    /// Compares what the header promises with the size of the file, before anything is read.
    fn check_length(&self, total: u64, what: &str) -> Result<()> {
        let Some(length) = self.length else { return Ok(()) };
        let expected = format!("{total} bytes in all for {what}");
        if !self.gzip && length != total {
            return Err(self.format(length.min(total), expected, format!("{length} bytes")));
        }
        let most = length.saturating_mul(DEFLATE_RATIO);
        if self.gzip && most < total {
            let found = format!("a file of {length} bytes, which cannot hold more than {most}");
            return Err(self.format(4, expected, found));
        }
        Ok(())
    }

    fn header(&mut self) -> Result<Header> {
        let mut magic = [0; 4];
        self.fill(&mut magic, 0, "an IDX header of at least 8 bytes")?;
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
        self.fill(&mut sizes, 4, &format!("the sizes of {rank} dimensions"))?;
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
    fn fill(&mut self, buffer: &mut [u8], position: u64, expected: &str) -> Result<()> {
        let mut filled = 0;
        while filled < buffer.len() {
            let reached = position + filled as u64;
            match self.reader.read(&mut buffer[filled..]) {
                Ok(0) => {
                    return Err(self.format(reached, expected.into(), "the end of the data".into()));
                }
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.broken(reached, error)),
            }
        }
        Ok(())
    }

    /// An error of the reader, which for compressed files is one of the data.
    fn broken(&self, position: u64, error: io::Error) -> Error {
        if !self.gzip {
            return Error::io(self.path, "read")(error);
        }
        let found = match error.kind() {
            io::ErrorKind::UnexpectedEof => "the end of the file".to_string(),
            _ => error.to_string(),
        };
        self.format(position, "sound gzip data to the end of the file".into(), found)
    }

    fn format(&self, byte: u64, expected: String, found: String) -> Error {
        let of = if self.gzip { " of the uncompressed data" } else { "" };
        Error::Format { path: self.path.to_path_buf(), place: format!("byte {byte}{of}"), expected, found }
    }
}

/// No deflate stream expands by more than this (zlib's technical notes: 1032 to 1 in the limit).
const DEFLATE_RATIO: u64 = 1032;

/// The size of the header of 255 dimensions, rounded up.
const MAX_HEADER: u64 = 2048;

/// "60000 x 28 x 28"
pub(crate) fn joined(dimensions: &[usize]) -> String {
    /// A header may name 255 of them.
    const MOST: usize = 8;
    let shown: Vec<String> = dimensions.iter().take(MOST).map(usize::to_string).collect();
    let more = if dimensions.len() > MOST { " x …" } else { "" };
    shown.join(" x ") + more
}
