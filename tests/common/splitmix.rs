//! The numbers from which the golden files were computed, made again: the twin of
//! `scripts/golden/common.py` and `first_steps.py`, bit for bit.

/// Seeds, one for each tensor. Layer i (from 0) has weights `WEIGHTS + i` and biases `BIASES + i`.
pub const PROTOTYPES: u64 = 1;
pub const LABELS: u64 = 2;
pub const PIXELS: u64 = 3;
pub const WEIGHTS: u64 = 100;
pub const BIASES: u64 = 200;
pub const INPUTS: u64 = 300;
pub const PARAMETERS: u64 = 400;
pub const GRADIENTS: u64 = 401;

/// SplitMix64 (Steele, Lea, Flood 2014): an endless stream of u64 from a state.
pub struct SplitMix64(pub u64);

impl Iterator for SplitMix64 {
    type Item = u64;

    fn next(&mut self) -> Option<u64> {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        Some(z ^ (z >> 31))
    }
}

/// `count` values in [-1, 1): the top 24 bits of each output, times 2^-23, minus 1. Every step is exact.
pub fn uniform(seed: u64, count: usize) -> Vec<f32> {
    const UNIT: f32 = 1.0 / (1 << 23) as f32;
    SplitMix64(seed).take(count).map(|z| (z >> 40) as f32 * UNIT - 1.0).collect()
}

/// Initial weights of a layer, `[out, fan_in]` row-major: uniform * sqrt(6 / fan_in), the bound in f32
/// (quotient rounded, then root), the product rounded once.
pub fn weights(layer: u64, out: usize, fan_in: usize) -> Vec<f32> {
    let bound = (6.0 / fan_in as f32).sqrt();
    uniform(WEIGHTS + layer, out * fan_in).into_iter().map(|u| u * bound).collect()
}

/// Initial biases of a layer, `[out]`: uniform * 0.1.
pub fn biases(layer: u64, out: usize) -> Vec<f32> {
    uniform(BIASES + layer, out).into_iter().map(|u| u * 0.1).collect()
}

/// Class numbers below `classes`, `[count]`.
pub fn labels(count: usize, classes: u64) -> Vec<u8> {
    SplitMix64(LABELS).take(count).map(|z| (z % classes) as u8).collect()
}

/// The made-up data of `first_steps.json`: bytes `[samples, 784]` and labels `[samples]` below 10, noisy
/// pictures of ten random prototypes. The first samples do not depend on how many there are.
pub fn made_up_data(samples: usize) -> (Vec<u8>, Vec<u8>) {
    const SIZE: usize = 784;
    let prototypes: Vec<bool> = SplitMix64(PROTOTYPES).take(10 * SIZE).map(|z| z % 100 < 20).collect();
    let labels = labels(samples, 10);
    let byte = |(place, z): (usize, u64)| {
        let (sample, pixel) = (place / SIZE, place % SIZE);
        // One pixel in ten shows the class; the others are on or off by chance.
        let faithful = z % 100 < 10;
        let chance = (z >> 40) % 100 < 20;
        let on = if faithful { prototypes[labels[sample] as usize * SIZE + pixel] } else { chance };
        if on { 128 + (z >> 57) as u8 } else { 0 }
    };
    let images = SplitMix64(PIXELS).take(samples * SIZE).enumerate().map(byte).collect();
    (images, labels)
}

/// The wrapping sum of (place + 1) * bit pattern, place from 0: equal to a golden file's
/// `weight_fingerprints` and `bias_fingerprints` when the tensors are.
pub fn fingerprint(values: &[f32]) -> u64 {
    weighted_sum(values.iter().map(|value| value.to_bits().into()))
}

/// The wrapping sum of (place + 1) * byte, place from 0: equal to a golden file's `byte_fingerprint` or
/// `label_fingerprint` when the bytes are.
pub fn byte_fingerprint(bytes: &[u8]) -> u64 {
    weighted_sum(bytes.iter().map(|&byte| byte.into()))
}

fn weighted_sum(values: impl Iterator<Item = u64>) -> u64 {
    (1..)
        .zip(values)
        .fold(0, |sum: u64, (place, value): (u64, u64)| sum.wrapping_add(place.wrapping_mul(value)))
}

#[test]
fn splitmix64_gives_the_published_numbers() {
    // From the state 1234567: https://rosettacode.org/wiki/Pseudo-random_numbers/Splitmix64
    let first: Vec<u64> = SplitMix64(1234567).take(3).collect();
    assert_eq!(first, [6457827717110365317, 3203168211198807973, 9817491932198370423]);
}
