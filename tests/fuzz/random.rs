//! The chance by which inputs are made: a seed, a target and a number give the same input anywhere.

use crate::common::splitmix::SplitMix64;

/// A stream of random numbers.
pub struct Random(SplitMix64);

impl Random {
    /// The stream of input `index` of a target.
    pub fn of(seed: u64, target: &str, index: u64) -> Random {
        // The name's bytes and the numbers go through the generator one after the other.
        let words = target.bytes().map(u64::from).chain([seed, index]);
        let mixed = words.fold(0, |state: u64, word| {
            SplitMix64(state ^ word.wrapping_mul(0x2545_f491_4f6c_dd1d)).next().unwrap_or(0)
        });
        Random(SplitMix64(mixed))
    }

    pub fn next(&mut self) -> u64 {
        self.0.next().unwrap_or(0)
    }

    /// From 0, below `count`, which is at least 1.
    pub fn below(&mut self, count: usize) -> usize {
        ((u128::from(self.next()) * count as u128) >> 64) as usize
    }

    /// Whether something happens that happens once in `times`.
    pub fn one_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    /// One of `choices`, of which there is at least one.
    pub fn pick<'a, T>(&mut self, choices: &'a [T]) -> &'a T {
        &choices[self.below(choices.len())]
    }

    /// 1 mostly, and each further one half as often, up to `most`.
    pub fn few(&mut self, most: usize) -> usize {
        (1 + self.next().trailing_ones() as usize).min(most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_are_the_same_again_and_differ_from_each_other() {
        let first = |seed, target, index| Random::of(seed, target, index).next();
        assert_eq!(first(1, "png", 7), first(1, "png", 7));
        let others = [first(2, "png", 7), first(1, "idx", 7), first(1, "png", 8), first(7, "png", 1)];
        assert!(others.iter().all(|&other| other != first(1, "png", 7)));
        let mut random = Random::of(1, "x", 0);
        let seen: std::collections::BTreeSet<usize> = (0..200).map(|_| random.below(5)).collect();
        assert_eq!(seen, (0..5).collect());
        assert!((0..100).all(|_| (1..=3).contains(&random.few(3))));
    }
}
