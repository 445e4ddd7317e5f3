//! Tasks for networks of sequences and of codes, drawn by the program: each sample follows from the seed and its number.

use rand::RngExt;
use rand_distr::{Distribution, StandardNormal};

use super::checks::mismatch;
use super::samples::{DataSet, Features, Origin, Samples, Targets, Tokens};
use crate::error::Result;
use crate::kernels::loss::NO_TOKEN;
use crate::memory;
use crate::rng::{self, Purpose, Stream};

/// Symbols of the copy task beside the blank and the sign to begin, which are the last two tokens.
const SYMBOLS: u32 = 8;
const BLANK: u32 = SYMBOLS;
const BEGIN: u32 = SYMBOLS + 1;
/// The sign at which the reversed symbols begin, which is the last token.
const START: u32 = SYMBOLS;
/// Symbols to remember.
const REMEMBERED: usize = 10;

/// Users, items and rank of the ratings, and the standard deviation of what no model can know of them.
pub const RATINGS: [usize; 3] = [500, 300, 4];
pub const RATING_NOISE: f32 = 0.25;
/// The mean of all ratings, and the standard deviation of the biases of users and of items.
const RATING_MEAN: f32 = 3.5;
const RATING_BIAS: f32 = 0.3;

/// The index of the first test sample, far from any training sample, and of what all samples of a set share.
const FIRST_TEST: u64 = 1 << 32;
const SHARED: u64 = u64::MAX;

/// A task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Task {
    /// The sum of two numbers, which are marked among many (Hochreiter, Schmidhuber: Long Short-Term Memory, 1997,
    /// experiment 4, with marks of 0 and 1). A sample is `[positions, 2]`: a number in [0, 1), and its mark.
    Adding,
    /// Ten symbols, then blanks, then a sign: the ten are to be said again (Arjovsky, Shah, Bengio: Unitary Evolution
    /// Recurrent Neural Networks, 2016). A sample is tokens; those of the recall alone count.
    Copy,
    /// Symbols that are to be said in reverse, a source and a target for networks from one sequence to another (Vaswani et al.:
    /// Attention Is All You Need, 2017). A sample is tokens: the symbols, then a sign to begin and all but the last of the
    /// reversed ones, at each of which the next one is to be said.
    Reverse,
    /// What users think of items: a mean, a bias of each, and the product of two vectors of [rank 4](RATINGS), with noise. A
    /// sample is two codes, the user's and the item's.
    Ratings,
}

impl Task {
    /// All of them.
    pub const ALL: [Task; 4] = [Task::Adding, Task::Copy, Task::Reverse, Task::Ratings];

    /// The name in recipes.
    pub fn name(self) -> &'static str {
        match self {
            Task::Adding => "adding",
            Task::Copy => "copy",
            Task::Reverse => "reverse",
            Task::Ratings => "ratings",
        }
    }

    /// The task of this name.
    pub fn named(name: &str) -> Option<Task> {
        Task::ALL.into_iter().find(|task| task.name() == name)
    }

    /// Positions among which the marks are, blanks between symbols and recall, or symbols to reverse; where nothing is said, and the most. None
    /// where samples are no sequences.
    pub fn length(self) -> Option<[usize; 2]> {
        match self {
            Task::Adding => Some([200, 1 << 16]),
            Task::Copy => Some([50, 1 << 16]),
            Task::Reverse => Some([20, 1 << 15]),
            Task::Ratings => None,
        }
    }

    /// Training and test samples where nothing is said.
    pub fn samples(self) -> [usize; 2] {
        match self {
            Task::Adding | Task::Copy | Task::Reverse => [20_000, 2_000],
            Task::Ratings => [60_000, 10_000],
        }
    }

    /// So many samples of the task, for training and for the test, of this [`length`](Task::length).
    ///
    /// # Errors
    /// [`Error::Mismatch`](crate::Error::Mismatch) if there are none, or more than memory holds.
    pub fn data_set(self, samples: [usize; 2], length: usize, seed: u64) -> Result<DataSet> {
        let [train, test] = samples;
        let (train, test) = (self.draw(train, length, seed, 0)?, self.draw(test, length, seed, FIRST_TEST)?);
        let outputs = match self {
            Task::Copy => SYMBOLS as usize + 2,
            Task::Reverse => SYMBOLS as usize + 1,
            Task::Adding | Task::Ratings => 1,
        };
        DataSet::new(self.name(), outputs, train, test, Origin::Generated { seed })
    }

    fn draw(self, count: usize, length: usize, seed: u64, first: u64) -> Result<Samples> {
        if count == 0 || u32::try_from(count).is_err() {
            return Err(mismatch("number of samples", "1 to 4294967295", count));
        }
        let streams = (0..count).map(|index| rng::stream(seed, Purpose::Generated, first + index as u64));
        match self {
            Task::Adding => adding(streams, length),
            Task::Copy => copying(streams, length),
            Task::Reverse => reversing(streams, length),
            Task::Ratings => ratings(streams, seed),
        }
    }
}

/// Where a network has to remember: two marks among `length` numbers, at least two, one in each half.
fn adding(streams: impl ExactSizeIterator<Item = Stream>, length: usize) -> Result<Samples> {
    let length = length.max(2);
    let mut features: Vec<f32> =
        memory::reserved("numbers to add", streams.len().saturating_mul(2 * length))?;
    let mut sums: Vec<f32> = memory::reserved("sums", streams.len())?;
    for mut stream in streams {
        let numbers: Vec<f32> = (0..length).map(|_| stream.random()).collect();
        let marks = [stream.random_range(0..length / 2), stream.random_range(length / 2..length)];
        for (position, &number) in numbers.iter().enumerate() {
            features.extend([number, if marks.contains(&position) { 1.0 } else { 0.0 }]);
        }
        sums.push(marks.iter().map(|&mark| numbers[mark]).sum());
    }
    Samples::floats(features, [1, length, 2], Targets::Values { values: sums, width: 1 }, 0)
}

/// Symbols, blanks and the sign to begin, then blanks in whose place the symbols are to be said again.
fn copying(streams: impl ExactSizeIterator<Item = Stream>, blanks: usize) -> Result<Samples> {
    let (count, positions) = (streams.len(), 2 * REMEMBERED + blanks + 1);
    let mut features: Vec<u8> = memory::reserved("symbols to copy", count.saturating_mul(positions))?;
    let mut ids: Vec<u32> = memory::reserved("symbols to recall", count.saturating_mul(positions))?;
    for mut stream in streams {
        let symbols: Vec<u32> = (0..REMEMBERED).map(|_| stream.random_range(0..SYMBOLS)).collect();
        features.extend(symbols.iter().map(|&symbol| symbol as u8));
        features.extend(std::iter::repeat_n(BLANK as u8, blanks));
        features.push(BEGIN as u8);
        features.extend([BLANK as u8; REMEMBERED]);
        ids.extend(std::iter::repeat_n(NO_TOKEN, positions - REMEMBERED));
        ids.extend(symbols);
    }
    let tokens = Tokens { ids, positions, step: positions, vocabulary: SYMBOLS as usize + 2 };
    Samples::windows(Features::Bytes(features), positions, positions, Targets::Tokens(tokens), count)
}

/// Symbols, the sign to begin, and all but the last of them in reverse; to be said are all of them in reverse.
fn reversing(streams: impl ExactSizeIterator<Item = Stream>, length: usize) -> Result<Samples> {
    let (count, positions) = (streams.len(), 2 * length);
    let mut features: Vec<u8> = memory::reserved("symbols to reverse", count.saturating_mul(positions))?;
    let mut ids: Vec<u32> = memory::reserved("symbols in reverse", count.saturating_mul(positions))?;
    for mut stream in streams {
        let symbols: Vec<u32> = (0..length).map(|_| stream.random_range(0..SYMBOLS)).collect();
        features.extend(symbols.iter().map(|&symbol| symbol as u8));
        features.push(START as u8);
        features.extend(symbols[1..].iter().rev().map(|&symbol| symbol as u8));
        ids.extend(std::iter::repeat_n(NO_TOKEN, length));
        ids.extend(symbols.iter().rev());
    }
    let tokens = Tokens { ids, positions, step: positions, vocabulary: SYMBOLS as usize + 1 };
    Samples::windows(Features::Bytes(features), positions, positions, Targets::Tokens(tokens), count)
}

/// Users and items drawn evenly, and their ratings.
fn ratings(streams: impl ExactSizeIterator<Item = Stream>, seed: u64) -> Result<Samples> {
    let [users, items, rank] = RATINGS;
    let mut shared = rng::stream(seed, Purpose::Generated, SHARED);
    let mut drawn = |count: usize, deviation: f32| -> Vec<f32> {
        let number =
            |_| deviation * <StandardNormal as Distribution<f32>>::sample(&StandardNormal, &mut shared);
        (0..count).map(number).collect()
    };
    // Products of two vectors have a variance of 1.
    let deviation = (rank as f32).powf(-0.25);
    let [of_users, of_items] = [users, items].map(|count| drawn(count * rank, deviation));
    let [user_bias, item_bias] = [users, items].map(|count| drawn(count, RATING_BIAS));
    let (mut features, mut values) = (Vec::new(), Vec::new());
    for mut stream in streams {
        let (user, item) = (stream.random_range(0..users), stream.random_range(0..items));
        let noise: f32 = StandardNormal.sample(&mut stream);
        let pairs = of_users[user * rank..][..rank].iter().zip(&of_items[item * rank..][..rank]);
        let product: f32 = pairs.map(|(a, b)| a * b).sum();
        features.extend([user as f32, item as f32]);
        values.push(RATING_MEAN + user_bias[user] + item_bias[item] + product + RATING_NOISE * noise);
    }
    Samples::floats(features, [1, 1, 2], Targets::Values { values, width: 1 }, 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_those_of_the_marked_numbers() {
        let set = Task::Adding.data_set([50, 10], 20, 3).unwrap();
        let (Features::Floats(features), Targets::Values { values, .. }) =
            (set.train.features(), set.train.targets())
        else {
            panic!("floats and values")
        };
        assert_eq!(set.train.shape(), [1, 20, 2]);
        for (sample, sum) in features.chunks(40).zip(values) {
            let marked: Vec<f32> =
                sample.chunks(2).filter(|pair| pair[1] == 1.0).map(|pair| pair[0]).collect();
            assert_eq!((marked.len(), marked.iter().sum::<f32>()), (2, *sum));
        }
        assert_ne!(set.train.take(&[0]).unwrap(), set.test.take(&[0]).unwrap());
    }

    #[test]
    fn symbols_are_to_be_said_again_at_the_end() {
        let set = Task::Copy.data_set([5, 2], 7, 3).unwrap();
        let Targets::Tokens(tokens) = set.train.targets() else { panic!("tokens") };
        assert_eq!((set.classes, tokens.positions), (10, 28));
        for sample in 0..5 {
            let (x, t) = (set.train.row_bytes(sample).unwrap(), tokens.view().of(sample));
            let symbols: Vec<u32> = x[..10].iter().map(|&symbol| symbol.into()).collect();
            assert!(symbols.iter().all(|&symbol| symbol < 8));
            assert_eq!((x[17], &t[18..]), (9, &symbols[..]));
            assert!(t[..18].iter().all(|&token| token == NO_TOKEN));
            assert!(x[10..17].iter().chain(&x[18..]).all(|&token| token == 8));
        }
    }

    #[test]
    fn symbols_are_to_be_said_in_reverse() {
        let set = Task::Reverse.data_set([5, 2], 7, 3).unwrap();
        let Targets::Tokens(tokens) = set.train.targets() else { panic!("tokens") };
        assert_eq!((set.classes, tokens.positions), (9, 14));
        for sample in 0..5 {
            let (x, t) = (set.train.row_bytes(sample).unwrap(), tokens.view().of(sample));
            let mut symbols: Vec<u32> = x[..7].iter().map(|&symbol| symbol.into()).collect();
            assert!(symbols.iter().all(|&symbol| symbol < 8));
            symbols.reverse();
            assert_eq!((x[7], &t[7..]), (8, &symbols[..]));
            assert!(t[..7].iter().all(|&token| token == NO_TOKEN));
            assert!(x[8..].iter().zip(&symbols).all(|(&token, &symbol)| u32::from(token) == symbol));
        }
    }

    #[test]
    fn ratings_are_codes_and_values_around_a_mean() {
        let set = Task::Ratings.data_set([4000, 10], 0, 3).unwrap();
        let Targets::Values { values, .. } = set.train.targets() else { panic!("values") };
        let mean = values.iter().sum::<f32>() / 4000.0;
        let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f32>() / 4000.0;
        // 1 of the products, 2 * 0.09 of biases, 0.0625 of noise.
        assert!((mean - 3.5).abs() < 0.2 && (variance - 1.24).abs() < 0.35, "{mean} {variance}");
        assert!(Task::Ratings.data_set([0, 1], 0, 3).is_err());
    }
}
