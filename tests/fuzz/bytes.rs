//! Spoiling bytes that mean anything.

use super::random::Random;

/// The longest input, in bytes: most faults need less, and short ones are quick.
pub const LONGEST: usize = 1 << 16;

/// Numbers at which counts and sizes go wrong.
pub const EDGES: [u64; 16] = [
    0,
    1,
    2,
    0x7f,
    0x80,
    0xff,
    0x7fff,
    0xffff,
    0x10000,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_ffff,
    0x1_0000_0000,
    0x7fff_ffff_ffff_ffff,
    0x8000_0000_0000_0000,
    0xffff_ffff_ffff_ffff,
];

/// Makes a few changes; `others` are inputs from which pieces are taken.
pub fn spoil(random: &mut Random, bytes: &mut Vec<u8>, others: &[Vec<u8>]) {
    for _ in 0..random.few(6) {
        change(random, bytes, others);
    }
    bytes.truncate(LONGEST);
}

fn change(random: &mut Random, bytes: &mut Vec<u8>, others: &[Vec<u8>]) {
    if bytes.is_empty() {
        bytes.extend((0..random.below(20)).map(|_| random.next() as u8));
        return;
    }
    let at = random.below(bytes.len());
    let length = 1 + (8 * random.few(8)).min(bytes.len() - at - 1).min(random.below(64));
    match random.below(12) {
        0 | 1 => bytes[at] ^= 1 << random.below(8),
        2 => bytes[at] = *random.pick(&EDGES) as u8,
        3 => bytes[at] = random.next() as u8,
        4 => drop(bytes.drain(at..at + length)),
        5 => {
            let count = random.few(10);
            let new: Vec<u8> = (0..count).map(|_| random.next() as u8).collect();
            drop(bytes.splice(at..at, new));
        }
        6 => {
            let again = bytes[at..at + length].repeat(random.few(8));
            drop(bytes.splice(at..at, again));
        }
        7 => bytes.truncate(at),
        8 | 9 => number(random, bytes, at),
        10 => {
            let other = random.pick(others);
            let from = random.below(other.len() + 1);
            bytes.truncate(at);
            bytes.extend(&other[from..]);
        }
        _ => {
            let value = *random.pick(&[0, 0xff, 0x20, 0x41]);
            bytes[at..at + length].fill(value);
        }
    }
}

/// Replaces a number of two, four or eight bytes by one of the edges, or by itself times or plus a little.
pub fn number(random: &mut Random, bytes: &mut [u8], at: usize) {
    let size = *random.pick(&[2, 4, 4, 8]);
    let Some(place) = bytes.get_mut(at..at + size) else { return };
    let is_big = random.one_in(2);
    if is_big {
        place.reverse();
    }
    let mut old = [0; 8];
    old[..size].copy_from_slice(place);
    let old = u64::from_le_bytes(old);
    let new = match random.below(4) {
        0 => old.wrapping_mul(2 + random.below(300) as u64),
        1 => old.wrapping_add(random.below(5) as u64).wrapping_sub(2),
        _ => *random.pick(&EDGES),
    };
    place.copy_from_slice(&new.to_le_bytes()[..size]);
    if is_big {
        place.reverse();
    }
}
