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

/// Batches of which the samples are sorted by their lengths together.
const POOL: usize = 50;

/// Puts samples of about the same length into the same batch of an epoch's `order` `[samples]`, by `lengths`, those of
/// all samples: pools of 50 batches of the order are sorted by length, samples of one length in an order of their own, and
/// then whole batches are shuffled. The last batch stays where it is, since it may be short. It follows from the
/// arguments alone, and nothing is allocated.
pub fn bucket(order: &mut [u32], lengths: &[u32], batch: usize, seed: u64, epoch: u64) {
    let batch = batch.clamp(1, order.len().max(1));
    let key = rng::key(seed, Purpose::Buckets, epoch);
    let place = |&sample: &u32| (lengths[sample as usize], rng::mix(key ^ u64::from(sample)), sample);
    order.chunks_mut(batch.saturating_mul(POOL)).for_each(|pool| pool.sort_unstable_by_key(place));
    let mut stream = rng::stream(seed, Purpose::Buckets, epoch);
    let whole = order.len() / batch;
    for last in (1..whole).rev() {
        let other = below(&mut stream, last as u64 + 1) as usize;
        if other < last {
            let (before, from) = order.split_at_mut(last * batch);
            before[other * batch..][..batch].swap_with_slice(&mut from[..batch]);
        }
    }
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
    fn samples_of_a_batch_are_of_about_one_length() {
        let (samples, batch) = (5_003, 10);
        let lengths: Vec<u32> = (0..samples).map(|i| 1 + (i * 7919 % 1013 % 40) as u32).collect();
        let plain = shuffled(samples, 3, 1);
        let bucketed = |seed, epoch| {
            let mut order = plain.clone();
            bucket(&mut order, &lengths, batch, seed, epoch);
            order
        };
        let order = bucketed(3, 1);
        // It is a permutation that repeats, and other seeds and epochs have others.
        let mut sorted = order.clone();
        sorted.sort();
        assert!(sorted.iter().copied().eq(0..samples as u32));
        assert_eq!(order, bucketed(3, 1));
        assert!(order != bucketed(4, 1) && order != bucketed(3, 2));
        // Positions up to the longest of each batch, and those that count.
        let computed = |order: &[u32]| -> u32 {
            let longest = |batch: &[u32]| batch.iter().map(|&i| lengths[i as usize]).max().unwrap_or(0);
            batches(order, batch).map(|batch| longest(batch) * batch.len() as u32).sum()
        };
        let counted: u32 = lengths.iter().sum();
        assert!(f64::from(computed(&order)) < 1.03 * f64::from(counted));
        assert!(f64::from(computed(&plain)) > 1.5 * f64::from(counted));
        // Long batches do not follow each other.
        let of_batch: Vec<u32> = batches(&order, batch).map(|batch| lengths[batch[0] as usize]).collect();
        let rising = of_batch.windows(2).filter(|pair| pair[0] <= pair[1]).count();
        assert!((0.4..0.6).contains(&(rising as f64 / of_batch.len() as f64)), "{rising}");
    }

    #[test]
    fn few_samples_make_a_bucket() {
        for (samples, batch) in [(1, 1), (1, 9), (3, 2), (0, 4), (7, 100)] {
            let mut order = shuffled(samples, 1, 0);
            bucket(&mut order, &[2, 1, 2, 1, 5, 1, 1], batch, 1, 0);
            order.sort();
            assert!(order.iter().copied().eq(0..samples as u32));
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
