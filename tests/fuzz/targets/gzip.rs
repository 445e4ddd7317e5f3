//! IDX files, compressed with gzip (RFC 1952).

use std::io::{Read, Write};

use fallline::data::idx::Idx;
use flate2::bufread::MultiGzDecoder;
use flate2::write::{DeflateEncoder, GzEncoder};
use flate2::{Compression, Crc, GzBuilder};

use super::idx;
use crate::bytes;
use crate::harness::{Accepted, Input, Target};
use crate::random::Random;

pub static TARGET: Target = Target { name: "gzip", share: 2, seeds, spoil, read, memory };

/// The elements that really come out, room for as many more as a header may promise, and the state of the
/// decompression.
fn memory(input: &[u8]) -> usize {
    10 * inflated(input).len() + (256 << 10)
}

fn read(input: &Input) -> Result<Accepted, String> {
    let array = Idx::read(input.path).map_err(|error| error.to_string())?;
    let bytes = input.bytes.to_vec();
    Ok(Box::new(move || {
        let expected = if bytes.starts_with(&[0x1f, 0x8b]) { inflated(&bytes) } else { bytes };
        if idx::content(&array) == expected { Ok(()) } else { Err("another content".into()) }
    }))
}

/// What comes out before the end or the first fault.
fn inflated(input: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    MultiGzDecoder::new(input).read_to_end(&mut bytes).ok();
    bytes
}

fn seeds() -> Vec<Vec<u8>> {
    let files = idx::seeds().into_iter().step_by(3);
    let mut seeds: Vec<Vec<u8>> = files.map(|file| member(&file, Compression::best())).collect();
    let file = idx::seeds().pop().unwrap_or_default();
    seeds.push(member(&file, Compression::none()));
    let builder = GzBuilder::new().filename("train-images").comment("made up").extra(vec![1, 2, 3]).mtime(7);
    let mut named = builder.write(Vec::new(), Compression::fast());
    named.write_all(&file).unwrap();
    seeds.push(named.finish().unwrap());
    let (start, end) = file.split_at(file.len() / 2);
    seeds.push(
        [
            member(start, Compression::fast()),
            member(&[], Compression::fast()),
            member(end, Compression::none()),
        ]
        .concat(),
    );
    seeds
}

fn member(bytes: &[u8], level: Compression) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), level);
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A stream of spoilt or sound content, cut into members, spoilt itself, or followed by something.
fn spoil(random: &mut Random, seeds: &[Vec<u8>]) -> Vec<u8> {
    let seed = random.pick(seeds);
    let mut file = match random.below(4) {
        0 => seed.clone(),
        1 => {
            let content = idx::spoil(random, &[inflated(seed)]);
            members(random, &content)
        }
        2 => members(random, &inflated(seed)),
        // A small file that becomes a large one.
        _ if random.one_in(50) => {
            let zeros = 1 << (10 + random.below(11));
            member(&[inflated(seed), vec![0; zeros]].concat(), Compression::best())
        }
        _ => sound_at_the_end(random, seed, seeds),
    };
    match random.below(6) {
        0 => bytes::spoil(random, &mut file, seeds),
        1 => {
            let padding = *random.pick(&[1, 7, 511, 512, 20_000]);
            file.resize(file.len() + padding, 0);
        }
        2 => file.extend(random.pick(seeds)),
        3 => {
            let at = random.below(file.len());
            bytes::number(random, &mut file, at);
        }
        _ => {}
    }
    file
}

/// Content as one or several members, some of them empty, each compressed in its own way.
fn members(random: &mut Random, content: &[u8]) -> Vec<u8> {
    let mut file = Vec::new();
    let mut rest = content;
    for _ in 0..random.few(5) {
        let (start, end) = rest.split_at(random.below(rest.len() + 1));
        file.extend(member(start, Compression::new(random.below(10) as u32)));
        rest = end;
    }
    file.extend(member(rest, Compression::fast()));
    file
}

/// A spoilt deflate stream whose checksum and length are those of what comes out of it.
fn sound_at_the_end(random: &mut Random, seed: &[u8], seeds: &[Vec<u8>]) -> Vec<u8> {
    const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::new(random.below(10) as u32));
    encoder.write_all(&inflated(seed)).unwrap();
    let mut stream = encoder.finish().unwrap();
    bytes::spoil(random, &mut stream, seeds);
    let mut decoder = flate2::bufread::DeflateDecoder::new(&stream[..]);
    let mut content = Vec::new();
    decoder.by_ref().take(1 << 20).read_to_end(&mut content).ok();
    let used = decoder.total_in() as usize;
    let mut sum = Crc::new();
    sum.update(&content);
    [&HEADER, &stream[..used.min(stream.len())], &sum.sum().to_le_bytes(), &sum.amount().to_le_bytes()]
        .concat()
}
