//! By what samples are known again.

use crc32c::{crc32c, crc32c_append};

use super::samples::{Features, Samples, Targets};

/// Numbers whose bytes are summed together.
const CHUNK: usize = 1024;

impl Samples {
    /// CRC-32C of features, targets, weights and lengths.
    #[doc(hidden)]
    pub fn checksum(&self) -> u32 {
        let sum = match self.features() {
            Features::Bytes(bytes) => crc32c(bytes),
            Features::Floats(values) => floats(0, values),
        };
        let sum = match self.targets() {
            Targets::Classes(classes) => crc32c_append(sum, classes),
            Targets::Values { values, .. } => floats(sum, values),
            Targets::Tokens(tokens) => words(sum, &tokens.ids),
            Targets::None => sum,
        };
        words(floats(sum, self.weights()), self.lengths())
    }
}

fn floats(sum: u32, values: &[f32]) -> u32 {
    values.chunks(CHUNK).fold(sum, |sum, values| {
        let mut bytes = [0; 4 * CHUNK];
        bytes
            .chunks_exact_mut(4)
            .zip(values)
            .for_each(|(to, value)| to.copy_from_slice(&value.to_le_bytes()));
        crc32c_append(sum, &bytes[..4 * values.len()])
    })
}

fn words(sum: u32, values: &[u32]) -> u32 {
    values.iter().fold(sum, |sum, value| crc32c_append(sum, &value.to_le_bytes()))
}
