//! Pictures for `predict`: PNG files (ISO/IEC 15948), and IDX files.

use std::io::{Read, Write};

use fallline::cli::images;
use flate2::{Compression, Crc, read::ZlibDecoder, write::ZlibEncoder};

use super::idx;
use crate::bytes;
use crate::harness::{Accepted, Input, Target};
use crate::random::Random;

pub static TARGET: Target = Target { name: "picture", share: 2, seeds, spoil, read, memory };

/// Height and width of the pictures that the model reads.
const SIZE: [usize; 2] = [3, 2];

/// The file twice, and what the decoder needs beside the picture.
fn memory(input: &[u8]) -> usize {
    4 * input.len() + (1 << 20)
}

fn read(input: &Input) -> Result<Accepted, String> {
    let invert = input.bytes.len() % 2 == 1;
    let read =
        images::read(&[input.path.to_path_buf()], SIZE, invert).map_err(|error| format!("{error:#}"))?;
    Ok(Box::new(move || {
        let [height, width] = SIZE;
        let is_sound =
            read.samples.shape() == [height, width, 1] && read.samples.len() == read.pictures.len();
        if is_sound && !read.pictures.is_empty() { Ok(()) } else { Err(format!("{read:?}")) }
    }))
}

const SIGNATURE: [u8; 8] = [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n'];

/// A part of a PNG file: its type and what is in it.
type Chunk = ([u8; 4], Vec<u8>);

fn file(chunks: &[Chunk]) -> Vec<u8> {
    let mut file = SIGNATURE.to_vec();
    for (kind, data) in chunks {
        let mut sum = Crc::new();
        sum.update(kind);
        sum.update(data);
        file.extend((data.len() as u32).to_be_bytes());
        file.extend(kind);
        file.extend(data);
        file.extend(sum.sum().to_be_bytes());
    }
    file
}

/// The chunks of a sound file.
fn chunks(file: &[u8]) -> Vec<Chunk> {
    let mut chunks = Vec::new();
    let mut rest = &file[SIGNATURE.len().min(file.len())..];
    while let Some(([length, kind], after)) = rest.split_at_checked(8).map(|(start, after)| {
        let halves: [[u8; 4]; 2] =
            [[start[0], start[1], start[2], start[3]], [start[4], start[5], start[6], start[7]]];
        (halves, after)
    }) {
        let length = u32::from_be_bytes(length) as usize;
        let Some((data, after)) = after.split_at_checked(length) else { break };
        chunks.push((kind, data.to_vec()));
        rest = after.get(4..).unwrap_or_default();
    }
    chunks
}

fn compressed(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn header(colour: u8, depth: u8, interlaced: bool) -> Chunk {
    let [height, width] = SIZE.map(|size| (size as u32).to_be_bytes());
    (*b"IHDR", [&width[..], &height, &[depth, colour, 0, 0, u8::from(interlaced)]].concat())
}

/// Rows of pixels, each behind its filter; interlaced pictures have seven of fewer pixels.
fn rows(colour: u8, depth: u8, interlaced: bool) -> Vec<u8> {
    // First row, first column, and the distances between them, of each pass.
    const PASSES: [[usize; 4]; 7] =
        [[0, 0, 8, 8], [0, 4, 8, 8], [4, 0, 8, 4], [0, 2, 4, 4], [2, 0, 4, 2], [0, 1, 2, 2], [1, 0, 2, 1]];
    let samples = [1, 0, 3, 1, 2, 0, 4][usize::from(colour)];
    let passes = if interlaced { &PASSES[..] } else { &[[0, 0, 1, 1]] };
    let mut bytes = Vec::new();
    for &[row, column, rows, columns] in passes {
        let width = SIZE[1].saturating_sub(column).div_ceil(columns);
        let height = SIZE[0].saturating_sub(row).div_ceil(rows);
        for filter in (0..height).filter(|_| width > 0) {
            bytes.push((filter % 5) as u8);
            let count = (width * samples * usize::from(depth)).div_ceil(8);
            let sample = |i: usize| match (colour, depth) {
                (3, 8) => (i % 2) as u8,
                (_, 8 | 16) => (40 * i) as u8,
                _ => 0x11,
            };
            bytes.extend((0..count).map(sample));
        }
    }
    bytes
}

fn seeds() -> Vec<Vec<u8>> {
    let kinds = [
        (0, 1),
        (0, 2),
        (0, 4),
        (0, 8),
        (0, 16),
        (2, 8),
        (2, 16),
        (3, 1),
        (3, 4),
        (3, 8),
        (4, 8),
        (4, 16),
        (6, 8),
        (6, 16),
    ];
    let mut seeds: Vec<Vec<u8>> = Vec::new();
    for (index, (colour, depth)) in kinds.into_iter().enumerate() {
        for interlaced in [false, true] {
            let mut all = vec![header(colour, depth, interlaced)];
            if colour == 3 {
                all.push((*b"PLTE", (0..6).map(|i| 40 * i).collect()));
                all.push((*b"tRNS", vec![255, 7]));
            }
            let data = compressed(&rows(colour, depth, interlaced));
            let (start, end) = data.split_at(if index % 2 == 0 { data.len() } else { 4 });
            all.push((*b"IDAT", start.to_vec()));
            if !end.is_empty() {
                all.push((*b"IDAT", end.to_vec()));
            }
            all.push((*b"IEND", vec![]));
            seeds.push(file(&all));
        }
    }
    let beside: [Chunk; 12] = [
        (*b"gAMA", 45455u32.to_be_bytes().to_vec()),
        (*b"cHRM", (0..32).collect()),
        (*b"sRGB", vec![0]),
        (*b"iCCP", [b"profile\0\0".to_vec(), compressed(&[7; 300])].concat()),
        (*b"pHYs", vec![0, 0, 0, 1, 0, 0, 0, 1, 1]),
        (*b"tEXt", b"Title\0a picture".to_vec()),
        (*b"zTXt", [b"Comment\0\0".to_vec(), compressed(b"a picture")].concat()),
        (*b"iTXt", b"Title\0\0\0en\0Titel\0ein Bild".to_vec()),
        (*b"tRNS", vec![0, 40]),
        (*b"bKGD", vec![0, 1]),
        (*b"acTL", vec![0, 0, 0, 1, 0, 0, 0, 0]),
        (*b"fcTL", [&[0; 7], &[2, 0, 0, 0, 3][..], &[0; 8], &[0, 1, 0, 10, 0, 0]].concat()),
    ];
    let mut all = chunks(&seeds[6]);
    all.splice(1..1, beside);
    seeds.push(file(&all));
    // Arrays of pictures, too.
    for dimensions in [vec![3, 2], vec![4, 3, 2]] {
        let count: usize = dimensions.iter().product();
        let elements = fallline::data::idx::Elements::U8((0..count).map(|i| i as u8).collect());
        seeds.push(idx::content(&fallline::data::idx::Idx { dimensions, elements }));
    }
    seeds
}

/// A file spoilt as bytes, or in its chunks, whose checksums are right then.
fn spoil(random: &mut Random, seeds: &[Vec<u8>]) -> Vec<u8> {
    let seed = random.pick(seeds);
    let mut bytes = seed.clone();
    if !seed.starts_with(&SIGNATURE) {
        return idx::spoil(random, &[bytes]);
    }
    if random.one_in(6) {
        bytes::spoil(random, &mut bytes, seeds);
        return bytes;
    }
    let mut all = chunks(seed);
    for _ in 0..random.few(4) {
        change(random, &mut all, seeds);
    }
    let mut bytes = file(&all);
    if random.one_in(20) {
        let at = random.below(bytes.len());
        bytes::number(random, &mut bytes, at);
    }
    bytes.truncate(bytes::LONGEST);
    bytes
}

fn change(random: &mut Random, all: &mut Vec<Chunk>, seeds: &[Vec<u8>]) {
    if all.is_empty() {
        return;
    }
    let (at, other) = (random.below(all.len()), random.below(all.len()));
    match random.below(10) {
        0 => drop(all.remove(at)),
        1 => all.swap(at, other),
        2 => {
            let again = all[at].clone();
            all.insert(other, again);
        }
        3 => {
            let others = chunks(random.pick::<Vec<u8>>(seeds));
            if !others.is_empty() {
                all.insert(at, random.pick(&others).clone());
            }
        }
        // Width, height, depth, colours, interlacing.
        4 => {
            let (_, data) = &mut all[0];
            if let Some(place) = (!data.is_empty()).then(|| random.below(data.len())) {
                data[place] = *random.pick(&[0, 1, 2, 3, 4, 6, 8, 16, 255]);
            }
        }
        5 => {
            let kind = &mut all[at].0;
            kind[random.below(4)] ^= 1 << random.below(8);
        }
        6 | 7 => bytes::spoil(random, &mut all[at].1, seeds),
        // What is compressed, spoilt and compressed again; a text of megabytes now and then.
        _ => {
            let data = &mut all[at].1;
            let start = data.windows(2).position(|pair| pair == [0x78, 0x01]).unwrap_or(0);
            let mut plain = Vec::new();
            ZlibDecoder::new(&data[start..]).take(1 << 20).read_to_end(&mut plain).ok();
            bytes::spoil(random, &mut plain, seeds);
            if random.one_in(200) {
                plain.resize(1 << (12 + random.below(13)), 0);
            }
            data.truncate(start);
            data.extend(compressed(&plain));
        }
    }
}
