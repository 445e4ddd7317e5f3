//! Seeded random streams: one for each (seed, purpose, index), independent of all others, so that
//! no result depends on the order in which workers draw.

use rand::SeedableRng;
use rand::rngs::Xoshiro256PlusPlus;

/// A random stream; use it through `rand::Rng`, `rand::RngExt` and `rand_distr`.
pub type Stream = Xoshiro256PlusPlus;

/// What a stream is for. Streams of different purposes never coincide.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Initial weights; the index is the parameter's.
    Init = 1,
    /// The order of samples; the index is the epoch.
    Shuffle = 2,
    /// Generated digits; the index is the sample.
    Digits = 3,
    /// Resampling of measurements.
    Bootstrap = 5,
    /// Samples set aside for validation; the index is the class.
    Split = 6,
    /// What dropout drops; the index is the step.
    Dropout = 9,
    /// What becomes of a sample; the index is made of epoch and sample.
    Augment = 8,
    /// What a global search draws; the index is that of the restart.
    Global = 22,
    /// What is mixed with what; the index is the epoch.
    Mixup = 10,
    /// The samples that the centres of k-means begin as.
    Centres = 11,
    /// Samples of generated sets; the index is the sample's, the last one that of what all share.
    Generated = 21,
    /// Settings to be tried; the index is the trial's.
    Search = 20,
    /// Samples and starts of the tour; the index is the case's own.
    Tour = 23,
    /// Tokens of generated text.
    Generate = 24,
    /// The order of samples of one length, and of batches of about one length; the index is the epoch.
    Buckets = 25,
    /// Random choices inside tests.
    Test = 4,
}

/// The stream of this seed, purpose and index.
pub fn stream(seed: u64, purpose: Purpose, index: u64) -> Stream {
    Stream::seed_from_u64(key(seed, purpose, index))
}

/// A number for this seed, purpose and index, which generators by counters begin with.
pub fn key(seed: u64, purpose: Purpose, index: u64) -> u64 {
    // Three rounds of SplitMix64's finaliser keep neighbouring seeds and indices apart.
    let state = mix(seed);
    let state = mix(state ^ purpose as u64);
    mix(state ^ index)
}

/// One step of SplitMix64 (Steele, Lea, Flood 2014).
pub fn mix(state: u64) -> u64 {
    let mut z = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::Rng;

    #[test]
    fn streams_repeat_and_differ() {
        let draw = |seed, purpose, index| stream(seed, purpose, index).next_u64();
        assert_eq!(draw(1, Purpose::Init, 0), draw(1, Purpose::Init, 0));
        let mut seen = std::collections::HashSet::new();
        for seed in 0..4 {
            for purpose in [
                Purpose::Init,
                Purpose::Shuffle,
                Purpose::Digits,
                Purpose::Split,
                Purpose::Dropout,
                Purpose::Augment,
                Purpose::Mixup,
                Purpose::Centres,
                Purpose::Generated,
                Purpose::Global,
                Purpose::Search,
                Purpose::Test,
            ] {
                for index in 0..100 {
                    assert!(seen.insert(draw(seed, purpose, index)));
                }
            }
        }
    }
}
