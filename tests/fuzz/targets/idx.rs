//! IDX files, plain.

use fallline::data::idx::{ElementType, Elements, Idx};

use crate::bytes::{self, EDGES};
use crate::harness::{Accepted, Input, Target};
use crate::random::Random;

pub static TARGET: Target = Target { name: "idx", share: 2, seeds, spoil, read, memory };

/// The elements once as they lie in the file, once as they are read, and a piece of the file.
fn memory(input: &[u8]) -> usize {
    3 * input.len() + (128 << 10)
}

fn read(input: &Input) -> Result<Accepted, String> {
    let array = Idx::read(input.path).map_err(|error| error.to_string())?;
    let bytes = input.bytes.to_vec();
    Ok(Box::new(
        move || if content(&array) == bytes { Ok(()) } else { Err("it is written otherwise".into()) },
    ))
}

/// An array as the bytes of a plain file.
pub fn content(array: &Idx) -> Vec<u8> {
    let mut bytes = Vec::new();
    array.write_to(&mut bytes).unwrap();
    bytes
}

/// Small arrays of every element type, of one to four dimensions.
pub fn seeds() -> Vec<Vec<u8>> {
    let shapes: [&[usize]; 4] = [&[3], &[2, 2], &[2, 3, 2], &[2, 3, 2, 3]];
    let arrays = shapes.iter().flat_map(|shape| {
        ElementType::ALL.map(|element_type| {
            let count = shape.iter().product();
            Idx { dimensions: shape.to_vec(), elements: elements(element_type, count) }
        })
    });
    arrays.map(|array| content(&array)).collect()
}

fn elements(element_type: ElementType, count: usize) -> Elements {
    let numbers = 0..count;
    match element_type {
        ElementType::U8 => Elements::U8(numbers.map(|i| 7 * i as u8).collect()),
        ElementType::I8 => Elements::I8(numbers.map(|i| 3 - i as i8).collect()),
        ElementType::I16 => Elements::I16(numbers.map(|i| 1000 - 300 * i as i16).collect()),
        ElementType::I32 => Elements::I32(numbers.map(|i| 70_000 * i as i32).collect()),
        ElementType::F32 => Elements::F32(numbers.map(|i| 0.1 * i as f32).collect()),
        ElementType::F64 => Elements::F64(numbers.map(|i| 1e-9 * i as f64).collect()),
    }
}

/// Bytes without a plan, or a header that promises something else, of which the elements may know.
pub fn spoil(random: &mut Random, seeds: &[Vec<u8>]) -> Vec<u8> {
    let mut file = random.pick(seeds).clone();
    if random.one_in(3) || file.len() < 8 {
        bytes::spoil(random, &mut file, seeds);
        return file;
    }
    for _ in 0..random.few(4) {
        let rank = usize::from(file[3]).clamp(1, file.len() / 4 - 1);
        let dimension = 4 + 4 * random.below(rank);
        match random.below(6) {
            0 => file[2] = *random.pick(&ElementType::ALL) as u8,
            1 => file[3] = *random.pick(&[0, 1, 2, 3, 4, 5, 254, 255]),
            2 => file[dimension..dimension + 4].copy_from_slice(&(*random.pick(&EDGES) as u32).to_be_bytes()),
            3 => bytes::number(random, &mut file, dimension),
            4 => {
                let small = 1 + random.below(40) as u32;
                file[dimension..dimension + 4].copy_from_slice(&small.to_be_bytes());
            }
            _ => file[dimension + 3] ^= 1,
        }
    }
    if random.one_in(2) {
        fit(random, &mut file);
    }
    file
}

/// Makes the elements as many as the header promises, if they are not too many.
fn fit(random: &mut Random, file: &mut Vec<u8>) {
    let header = 4 + 4 * usize::from(file[3]);
    let Some(sizes) = file.get(4..header) else { return };
    let sizes =
        sizes.chunks_exact(4).map(|size| u32::from_be_bytes([size[0], size[1], size[2], size[3]]) as usize);
    let bytes =
        ElementType::ALL.into_iter().find(|&known| known as u8 == file[2]).map_or(1, ElementType::bytes);
    let total = sizes.fold(bytes, usize::saturating_mul).saturating_add(header);
    if total <= bytes::LONGEST {
        let filling = random.next() as u8;
        file.resize(total, filling);
    }
}
