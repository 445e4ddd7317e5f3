//! In what order samples go through a network: each by itself, or as the parts of streams.

use std::ops::Range;

use crate::data::Samples;
use crate::model::Model;
use crate::model::recipe::TrainConfig;

/// The fewest samples of a stream, if there are so many: of each stream the first one begins without a state.
const LEAST: usize = 16;

/// Whether a sample goes on with the state that the one before it has left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Each is a sequence by itself.
    Apart,
    /// The samples, which are consecutive parts of one stream, are cut into streams of consecutive samples, side by side, at
    /// most so many of them. Each begins as a sequence does, and then states are carried from sample to sample.
    Streams(usize),
}

impl Order {
    /// As a training by these settings has seen samples: with `carry_state` in as many streams as a step has rows. Each
    /// by itself of samples that do not follow each other, and of a model that carries nothing.
    pub fn of(train: &TrainConfig, model: &Model, samples: &Samples) -> Order {
        let carries = model.layers().iter().any(|placed| placed.layer.carried_len() > 0);
        if train.carry_state && carries && samples.step() == samples.features_per_sample() {
            Order::Streams(train.batch.saturating_mul(train.accumulate).max(1))
        } else {
            Order::Apart
        }
    }

    pub(super) fn carries(self) -> bool {
        self != Order::Apart
    }

    /// The samples of a stream, of so many in all; the last stream may have fewer.
    pub(super) fn length(self, count: usize) -> usize {
        match self {
            Order::Apart => 1,
            Order::Streams(most) => count.div_ceil(most.max(1)).max(LEAST.min(count)).max(1),
        }
    }
}

/// Samples that go through a network together, one of each of some streams that follow each other, or just some that do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::train) struct Block {
    pub first: usize,
    /// From one of them to the next.
    pub step: usize,
    pub count: usize,
}

impl Block {
    /// The samples at this place of some streams of `length` of `count` samples: of the last stream there may be none.
    pub fn across(streams: &Range<usize>, at: usize, length: usize, count: usize) -> Block {
        let first = streams.start * length + at;
        let most = count.saturating_sub(first).div_ceil(length);
        Block { first, step: length, count: most.min(streams.len()) }
    }

    pub fn samples(self) -> impl ExactSizeIterator<Item = usize> {
        (0..self.count).map(move |row| self.first + row * self.step)
    }
}

impl From<Range<usize>> for Block {
    fn from(samples: Range<usize>) -> Block {
        Block { first: samples.start, step: 1, count: samples.len() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// However streams are shared, each sample goes through once, behind the one before it in its stream.
    #[test]
    fn streams_are_all_samples_in_order() {
        for (count, most) in [(0, 4), (1, 4), (16, 4), (17, 4), (90, 4), (91, 4), (100, 1), (1000, 300)] {
            let length = Order::Streams(most).length(count);
            let streams = count.div_ceil(length);
            assert!(streams <= most && (streams <= 1 || length >= LEAST), "{count} in {streams}");
            for together in [1, 2, 5] {
                let mut times = vec![0; count];
                for start in (0..streams).step_by(together) {
                    let own = start..(start + together).min(streams);
                    let mut next: Vec<usize> = own.clone().map(|stream| stream * length).collect();
                    for at in 0..length {
                        for (row, sample) in Block::across(&own, at, length, count).samples().enumerate() {
                            assert_eq!(sample, next[row]);
                            next[row] += 1;
                            times[sample] += 1;
                        }
                    }
                }
                assert!(times.iter().all(|&times| times == 1), "{count} {most} {together}");
            }
        }
        assert_eq!((Order::Apart.length(50), Order::Streams(usize::MAX).length(50)), (1, 16));
    }
}
