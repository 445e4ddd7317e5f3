//! The order in which an epoch visits the samples, and its mini-batches.

use rand::Rng;

use crate::rng::{self, Purpose};

/// Puts the order of the samples in one epoch into `out`: 0, 1, 2, ..., shuffled if `shuffle`. It
/// follows from the arguments alone. Nothing is allocated if `out` has room for `samples`.
///
/// # Panics
/// If there are more than 2^32 samples; [`Samples`](super::Samples) never holds as many.
pub fn order(samples: usize, seed: u64, epoch: u64, shuffle: bool, out: &mut Vec<u32>) {
    let samples = u32::try_from(samples).expect("at most u32::MAX samples");
    out.clear();
    out.extend(0..samples);
    if !shuffle {
        return;
    }
    mix(out, &mut rng::stream(seed, Purpose::Shuffle, epoch));
}

/// Puts the order of the samples of a stream, of which each begins where the one before it ends, into `out`, for batches in which
/// each row goes on where that row of the batch before has ended: row `i` of batch `k` is sample `i * (samples / batch) + k`.
/// What `batch` rows of the same length leave over at the end is not in it. Nothing is allocated if `out` has room for
/// `samples`.
///
/// # Panics
/// If `batch` is 0, or there are more than 2^32 samples.
pub fn in_streams(samples: usize, batch: usize, out: &mut Vec<u32>) {
    let samples = u32::try_from(samples).expect("at most u32::MAX samples");
    let Ok(batch) = u32::try_from(batch) else { return out.clear() };
    let of_row = samples / batch;
    out.clear();
    out.extend((0..of_row).flat_map(|step| (0..batch).map(move |row| row * of_row + step)));
}

/// Puts `values` `[n]` into a random order, by the method of Fisher and Yates in Durstenfeld's form
/// (Communications of the ACM 7(7), 1964).
pub(super) fn mix(values: &mut [u32], stream: &mut rng::Stream) {
    for last in (1..values.len()).rev() {
        values.swap(last, below(stream, last as u64 + 1) as usize);
    }
}

/// A random number below `bound`, spelled out so that the order outlives changes of the `rand`
/// crate. The high half of a 128-bit product (Lemire 2019) favours no number by more than
/// bound / 2^64, which for up to 2^32 samples no experiment can see.
fn below(stream: &mut rng::Stream, bound: u64) -> u64 {
    ((u128::from(stream.next_u64()) * u128::from(bound)) >> 64) as u64
}

/// The batches of an epoch's `order` `[samples]`, one after the other. The last one is short if the batch size does not
/// divide the number of samples; it is trained too.
///
/// # Panics
/// If `batch` is 0.
pub fn batches(order: &[u32], batch: usize) -> std::slice::Chunks<'_, u32> {
    order.chunks(batch)
}

/// The number of batches of an epoch, the last short one included.
pub fn count(samples: usize, batch: usize) -> usize {
    samples.div_ceil(batch)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shuffled(samples: usize, seed: u64, epoch: u64) -> Vec<u32> {
        let mut out = Vec::new();
        order(samples, seed, epoch, true, &mut out);
        out
    }

    #[test]
    fn an_order_is_a_permutation_that_repeats_and_differs() {
        for samples in [0, 1, 2, 3, 17, 1000] {
            let mut sorted = shuffled(samples, 7, 3);
            assert_eq!(sorted, shuffled(samples, 7, 3));
            sorted.sort();
            assert!(sorted.iter().copied().eq(0..samples as u32));
        }
        assert_ne!(shuffled(1000, 7, 3), shuffled(1000, 7, 4));
        assert_ne!(shuffled(1000, 7, 3), shuffled(1000, 8, 3));
        assert_ne!(shuffled(1000, 7, 3), Vec::from_iter(0..1000));
    }

    /// Anyone who resumes or repeats a run depends on these never changing.
    #[test]
    fn the_order_of_a_seed_is_fixed_for_good() {
        assert_eq!(shuffled(10, 1, 0), GOLDEN);
        let mut plain = Vec::new();
        order(4, 1, 0, false, &mut plain);
        assert_eq!(plain, [0, 1, 2, 3]);
    }

    /// The order by a separate implementation of SplitMix64, xoshiro256++ and the shuffle in Python.
    const GOLDEN: [u32; 10] = [9, 3, 4, 0, 1, 6, 7, 8, 2, 5];

    /// Every sample is equally likely at every place: chi-squared over 8 x 8 cells, 56 000 draws.
    /// Its expectation is 49 and its 99.99 % point 94; off by one in the swap gives thousands.
    #[test]
    fn every_place_is_equally_likely() {
        let chi_squared = |orders: &mut dyn Iterator<Item = Vec<u32>>| {
            let (mut seen, mut total) = ([[0.0f64; 8]; 8], 0.0);
            for order in orders {
                total += 1.0;
                order.iter().enumerate().for_each(|(place, &sample)| seen[place][sample as usize] += 1.0);
            }
            let expected = total / 8.0;
            seen.iter().flatten().map(|count| (count - expected).powi(2) / expected).sum::<f64>()
        };
        assert!(chi_squared(&mut (0..7000).map(|epoch| shuffled(8, 5, epoch))) < 94.0);
        // Sattolo's variant, the usual mistake: no sample ever stays at its place.
        let sattolo = |epoch| {
            let mut out = Vec::from_iter(0..8u32);
            let mut stream = rng::stream(5, Purpose::Test, epoch);
            (1..8).rev().for_each(|last| out.swap(last, below(&mut stream, last as u64) as usize));
            out
        };
        assert!(chi_squared(&mut (0..7000).map(sattolo)) > 1000.0);
    }

    #[test]
    fn rows_of_a_stream_go_on_in_the_next_batch() {
        let order = |samples, batch| {
            let mut out = vec![7];
            in_streams(samples, batch, &mut out);
            out
        };
        assert_eq!(order(7, 1), [0, 1, 2, 3, 4, 5, 6]);
        assert_eq!(order(11, 3), [0, 3, 6, 1, 4, 7, 2, 5, 8]);
        assert_eq!((order(5, 5), order(5, 6), order(5, usize::MAX)), (vec![0, 1, 2, 3, 4], vec![], vec![]));
        for (samples, batch) in [(100, 7), (64, 8), (1000, 64)] {
            let all = order(samples, batch);
            assert_eq!(all.len(), samples / batch * batch);
            for (before, after) in all.chunks(batch).zip(all.chunks(batch).skip(1)) {
                assert!(before.iter().zip(after).all(|(before, after)| before + 1 == *after));
            }
            let mut sorted = all.clone();
            sorted.sort_unstable();
            assert!(sorted.iter().copied().eq(0..all.len() as u32));
        }
    }

    #[test]
    fn nothing_is_allocated_when_there_is_room() {
        let mut out = Vec::with_capacity(100);
        let before = out.as_ptr();
        for epoch in 0..3 {
            order(100, 1, epoch, true, &mut out);
        }
        assert_eq!((before, out.capacity()), (out.as_ptr(), 100));
    }

    #[test]
    fn batches_cover_every_sample_once_and_keep_the_short_one() {
        let order = shuffled(10, 1, 1);
        for (batch, sizes) in [(1, vec![1; 10]), (4, vec![4, 4, 2]), (10, vec![10]), (64, vec![10])] {
            assert_eq!(batches(&order, batch).map(<[u32]>::len).collect::<Vec<_>>(), sizes);
            assert_eq!(batches(&order, batch).flatten().copied().collect::<Vec<_>>(), order);
            assert_eq!(count(10, batch), sizes.len());
        }
    }
}
