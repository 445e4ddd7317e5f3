//! Dropout: numbers become 0 at random, and the others grow so that the mean stays (Srivastava, Hinton,
//! Krizhevsky, Sutskever, Salakhutdinov: Dropout, 2014; inverted, as in PyTorch).
//!
//! Which ones is a function of a key and of their place alone: nothing is kept for the backward pass, and
//! whole vectors are drawn at a time.

use crate::kernels::simd::vectorise::vectorise;

/// What is dropped.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Dropping {
    /// A number is dropped where the 32 bits drawn for it are below this.
    threshold: u32,
    /// What is left grows by this factor.
    factor: f32,
}

impl Dropping {
    /// Of a part `rate` of all numbers, in [0, 1).
    pub fn new(rate: f64) -> Dropping {
        Dropping { threshold: (rate * 2f64.powi(32)) as u32, factor: (1.0 / (1.0 - rate)) as f32 }
    }
}

/// 32 bits for each place of a key: a counter, mixed by two rounds of multiplications and shifts with the
/// halves of the key between them. Constants are those of "lowbias32" (Wellons: Prospecting for hash
/// functions, 2018), by which every bit of the counter changes each bit drawn about half of the time.
#[inline(always)]
fn drawn([first, second]: [u32; 2], place: u32) -> u32 {
    let mut bits = place.wrapping_mul(0x9e37_79b9) ^ first;
    bits = (bits ^ (bits >> 16)).wrapping_mul(0x7feb_352d);
    bits = (bits ^ (bits >> 15)).wrapping_add(second).wrapping_mul(0x846c_a68b);
    bits = (bits ^ (bits >> 16)).wrapping_mul(0x7feb_352d);
    bits ^ (bits >> 15)
}

fn halves(key: u64) -> [u32; 2] {
    [key as u32, (key >> 32) as u32]
}

/// What the numbers of a row become, and so what becomes of their gradient: `y` as `x` or 0. If `y` is
/// longer, its rest is zeros.
pub fn apply(y: &mut [f32], x: &[f32], key: u64, dropping: Dropping) {
    let (y, rest) = y.split_at_mut(x.len());
    rest.fill(0.0);
    let (key, Dropping { threshold, factor }) = (halves(key), dropping);
    vectorise(
        #[inline(always)]
        || {
            for (place, (y, x)) in y.iter_mut().zip(x).enumerate() {
                *y = if drawn(key, place as u32) >= threshold { x * factor } else { 0.0 };
            }
        },
    );
}

/// [`apply`] to whole channels: `y`, `x` `[pixels, pitch]`; `factors` is scratch of `[pitch]`.
pub fn apply_to_channels(y: &mut [f32], x: &[f32], factors: &mut [f32], key: u64, dropping: Dropping) {
    let (key, Dropping { threshold, factor }) = (halves(key), dropping);
    for (place, to) in factors.iter_mut().enumerate() {
        *to = if drawn(key, place as u32) >= threshold { factor } else { 0.0 };
    }
    let factors = &*factors;
    vectorise(
        #[inline(always)]
        || {
            for (y, x) in y.chunks_exact_mut(factors.len()).zip(x.chunks_exact(factors.len())) {
                for ((y, x), factor) in y.iter_mut().zip(x).zip(factors) {
                    *y = x * factor;
                }
            }
        },
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROWS: usize = 400;
    const PLACES: usize = 1000;

    /// Rows of 1 where a number is kept, and of 0.
    fn kept(rate: f64) -> Vec<Vec<f64>> {
        let row = |key: usize| {
            let mut y = vec![0.0; PLACES];
            apply(
                &mut y,
                &[1.0; PLACES],
                crate::rng::key(1, crate::rng::Purpose::Test, key as u64),
                Dropping::new(rate),
            );
            y.iter().map(|&y| f64::from(u8::from(y != 0.0))).collect()
        };
        (0..ROWS).map(row).collect()
    }

    fn mean(values: impl Iterator<Item = f64>, count: usize) -> f64 {
        values.sum::<f64>() / count as f64
    }

    /// Six standard deviations of the mean of so many draws of 1 with this probability.
    fn bound(probability: f64, draws: usize) -> f64 {
        6.0 * (probability * (1.0 - probability) / draws as f64).sqrt()
    }

    #[test]
    fn so_many_are_dropped_and_the_mean_stays() {
        for rate in [0.0, 0.1, 0.5, 0.9] {
            let rows = kept(rate);
            let all = mean(rows.iter().flatten().copied(), ROWS * PLACES);
            assert!((all - (1.0 - rate)).abs() <= bound(rate, ROWS * PLACES), "{rate}: {all}");
            // Of each row and of each place, too.
            for row in &rows {
                assert!((mean(row.iter().copied(), PLACES) - (1.0 - rate)).abs() <= bound(rate, PLACES));
            }
            for place in 0..PLACES {
                let of_place = mean(rows.iter().map(|row| row[place]), ROWS);
                assert!((of_place - (1.0 - rate)).abs() <= bound(rate, ROWS), "{rate} {place}: {of_place}");
            }
        }
        let mut y = [0.0; 64];
        apply(&mut y, &[3.0; 64], 1, Dropping::new(0.25));
        assert!(y.iter().all(|&y| y == 0.0 || y == 4.0) && y.contains(&0.0) && y.contains(&4.0));
    }

    /// Neither neighbours, nor numbers at other distances, nor rows of other keys know of each other.
    #[test]
    fn draws_are_independent() {
        let rate = 0.5;
        let rows = kept(rate);
        let agree = |pairs: &mut dyn Iterator<Item = (f64, f64)>| {
            let (mut equal, mut count) = (0.0, 0);
            pairs.for_each(|(a, b)| (equal, count) = (equal + f64::from(u8::from(a == b)), count + 1));
            (equal / count as f64 - 0.5).abs() / bound(0.5, count)
        };
        for lag in [1, 2, 3, 4, 7, 8, 16, 17, 32, 64, 128, 256, 512] {
            let mut pairs = rows.iter().flat_map(|row| row.iter().copied().zip(row[lag..].iter().copied()));
            let off = agree(&mut pairs);
            assert!(off < 1.0, "{lag}: {off}");
        }
        for lag in [1, 2, 16, 128] {
            let mut pairs =
                rows.iter().zip(&rows[lag..]).flat_map(|(a, b)| a.iter().copied().zip(b.iter().copied()));
            let off = agree(&mut pairs);
            assert!(off < 1.0, "rows {lag}: {off}");
            // Nor does a row repeat another, shifted.
            let mut pairs = rows
                .iter()
                .zip(&rows[lag..])
                .flat_map(|(a, b)| a[lag..].iter().copied().zip(b.iter().copied()));
            let off = agree(&mut pairs);
            assert!(off < 1.0, "shifted rows {lag}: {off}");
        }
        // What repeats is seen.
        let mut same = rows.iter().flat_map(|row| row.iter().map(|&x| (x, x)));
        assert!(agree(&mut same) > 1.0);
    }

    /// Pairs of bits of a row: a chi-square test with 3 degrees of freedom of runs of two, and one with
    /// 255 of bytes of the numbers drawn.
    #[test]
    fn bits_are_uniform() {
        let key = halves(crate::rng::key(7, crate::rng::Purpose::Test, 0));
        for shift in [0, 8, 16, 24] {
            let mut counts = [0.0f64; 256];
            let draws = 1 << 18;
            (0..draws).for_each(|place| counts[(drawn(key, place) >> shift) as usize & 255] += 1.0);
            let expected = f64::from(draws) / 256.0;
            let chi: f64 = counts.iter().map(|count| (count - expected).powi(2) / expected).sum();
            // 255 ± 6 standard deviations of sqrt(510).
            assert!((119.0..391.0).contains(&chi), "{shift}: {chi}");
        }
        // Every bit of the place changes about half of the bits drawn.
        for bit in 0..20 {
            let changed: u32 = (0..4096)
                .map(|place| (drawn(key, place) ^ drawn(key, place ^ (1 << bit))).count_ones())
                .sum();
            let part = f64::from(changed) / (32.0 * 4096.0);
            assert!((part - 0.5).abs() < 0.02, "{bit}: {part}");
        }
    }

    #[test]
    fn channels_go_together() {
        let (mut y, mut factors) = (vec![9.0; 7 * 32], vec![0.0; 32]);
        apply_to_channels(&mut y, &[1.0; 7 * 32], &mut factors, 5, Dropping::new(0.5));
        assert!(y.chunks(32).all(|pixel| pixel == factors));
        assert!(factors.contains(&0.0) && factors.contains(&2.0));
    }
}
