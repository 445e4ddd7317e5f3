//! Samples set aside: for validation, and in turn for cross-validation.

use std::collections::BTreeMap;

use super::batches::mix;
use super::samples::{MOST_CLASSES, Samples};
use crate::rng::{self, Purpose};
use crate::{Error, Result};

/// The samples to learn from, and others to validate on: indices in ascending order, at least
/// one in each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Split {
    pub subset: Vec<u32>,
    pub held: Vec<u32>,
}

impl Split {
    fn holding(samples: usize, held: impl Iterator<Item = u32>) -> Split {
        let mut is_held = vec![false; samples];
        held.for_each(|index| is_held[index as usize] = true);
        let (held, subset) = (0..samples as u32).partition(|&index| is_held[index as usize]);
        Split { subset, held }
    }

    /// The split, if each part has a sample that counts.
    fn weighed(self, samples: &Samples) -> Result<Split> {
        let weights = samples.weights();
        for (what, part) in [("to learn from", &self.subset), ("set aside", &self.held)] {
            if !weights.is_empty() && part.iter().all(|&index| weights[index as usize] == 0.0) {
                return Err(Error::Mismatch {
                    what: format!("weights of the samples {what}"),
                    expected: "at least one above 0".into(),
                    found: "none".into(),
                });
            }
        }
        Ok(self)
    }
}

/// Sets `count` of the samples aside, chosen at random by `seed`. If `stratified`, and if the
/// targets are classes, each class gives its share of them, rounded up for the classes with the
/// largest remainders.
///
/// # Errors
/// [`Error::Mismatch`] if `count` is 0 or leaves no sample to learn from; also if the samples have weights, and all
/// that are set aside, or all others, one of 0.
pub fn hold_out(samples: &Samples, count: usize, stratified: bool, seed: u64) -> Result<Split> {
    if count == 0 || count >= samples.len() {
        return Err(Error::Mismatch {
            what: "samples set aside for validation".into(),
            expected: format!("at least 1 and fewer than the {} training samples", samples.len()),
            found: count.to_string(),
        });
    }
    let groups = shuffled_groups(samples, stratified, seed);
    from_groups(&groups, samples.len(), count).weighed(samples)
}

/// Sets the last `count` of so many samples aside, which come in the order of time; the `gap` samples before them are in
/// neither part, since they overlap with them.
///
/// # Errors
/// [`Error::Mismatch`] if `count` is 0 or leaves no sample to learn from.
pub fn hold_out_last(samples: usize, count: usize, gap: usize) -> Result<Split> {
    let subset = samples.saturating_sub(count.saturating_add(gap));
    if count == 0 || subset == 0 {
        let beside =
            if gap > 0 { format!(", {gap} of which overlap with those set aside") } else { String::new() };
        return Err(Error::Mismatch {
            what: "windows set aside for validation".into(),
            expected: format!("at least 1 and fewer than the {samples} training windows{beside}"),
            found: count.to_string(),
        });
    }
    let all = samples as u32;
    Ok(Split { subset: (0..subset as u32).collect(), held: (all - count as u32..all).collect() })
}

/// Sets `count` of so many rows aside, chosen at random by `seed`; where `strata` `[rows]` has a number for each row, each
/// number gives its share of them.
///
/// # Errors
/// [`Error::Mismatch`] if `count` is 0 or leaves no row.
pub fn hold_out_rows(strata: Option<&[u32]>, rows: usize, count: usize, seed: u64) -> Result<Split> {
    if count == 0 || count >= rows {
        let expected = format!("at least 1 and fewer than all {rows}");
        return Err(Error::Mismatch {
            what: "rows set aside for the test".into(),
            expected,
            found: count.to_string(),
        });
    }
    let mut groups: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    for row in 0..rows as u32 {
        groups.entry(strata.map_or(0, |strata| strata[row as usize])).or_default().push(row);
    }
    let mut groups: Vec<Vec<u32>> = groups.into_values().collect();
    for (index, group) in groups.iter_mut().enumerate() {
        mix(group, &mut rng::stream(seed, Purpose::Split, index as u64));
    }
    Ok(from_groups(&groups, rows, count))
}

/// Sets `count` of all samples aside, those that are first in their groups, of which each gives its share.
fn from_groups(groups: &[Vec<u32>], samples: usize, count: usize) -> Split {
    let sizes: Vec<usize> = groups.iter().map(Vec::len).collect();
    let shares = shares(&sizes, count);
    let held = groups.iter().zip(shares).flat_map(|(group, share)| &group[..share]).copied();
    Split::holding(samples, held)
}

/// As many splits as `folds`: each sample is set aside in one of them. The numbers of samples set
/// aside differ by at most one; if `stratified`, so do those of each class.
///
/// # Errors
/// [`Error::Mismatch`] if there are fewer than 2 folds, or more than samples; also if all samples of a fold have a
/// weight of 0.
pub fn folds(samples: &Samples, folds: usize, stratified: bool, seed: u64) -> Result<Vec<Split>> {
    if folds < 2 || folds > samples.len() {
        return Err(Error::Mismatch {
            what: "folds".into(),
            expected: format!("2 to {}, as many as there are training samples", samples.len()),
            found: folds.to_string(),
        });
    }
    // Dealt like cards, class after class.
    let dealt = shuffled_groups(samples, stratified, seed).concat();
    let held = |fold| dealt.iter().copied().skip(fold).step_by(folds);
    let split = |fold| Split::holding(samples.len(), held(fold)).weighed(samples);
    (0..folds).map(split).collect()
}

/// The indices of all samples, one group for each class or one in all, each in random order.
fn shuffled_groups(samples: &Samples, stratified: bool, seed: u64) -> Vec<Vec<u32>> {
    let mut groups = match samples.labels().filter(|_| stratified) {
        Some(labels) => {
            let mut groups = vec![Vec::new(); MOST_CLASSES];
            (0..).zip(labels).for_each(|(index, &label)| groups[usize::from(label)].push(index));
            groups
        }
        None => vec![(0..samples.len() as u32).collect()],
    };
    for (class, group) in groups.iter_mut().enumerate() {
        mix(group, &mut rng::stream(seed, Purpose::Split, class as u64));
    }
    groups
}

/// Divides `count` among groups in proportion to their sizes, by the method of the largest
/// remainders (Hamilton's); of equal remainders the first is favoured. `count` is at most the sum of
/// the sizes, which is not 0.
fn shares(sizes: &[usize], count: usize) -> Vec<usize> {
    let total: u128 = sizes.iter().map(|&size| size as u128).sum();
    let product = |size: usize| size as u128 * count as u128;
    let mut shares: Vec<usize> = sizes.iter().map(|&size| (product(size) / total) as usize).collect();
    let mut order: Vec<usize> = (0..sizes.len()).collect();
    // The sort is stable.
    order.sort_by_key(|&group| std::cmp::Reverse(product(sizes[group]) % total));
    let missing = count - shares.iter().sum::<usize>();
    order[..missing].iter().for_each(|&group| shares[group] += 1);
    shares
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Samples of three classes: 60, 30 and 10, in turn where possible.
    fn samples() -> Samples {
        let labels: Vec<u8> = (0..100).map(|i| if i % 10 == 9 { 2 } else { u8::from(i % 10 > 5) }).collect();
        Samples::images(vec![0; 100], [1, 1, 1], labels, 3).unwrap()
    }

    fn of_each_class(samples: &Samples, indices: &[u32]) -> [usize; 3] {
        let mut counts = [0; 3];
        indices.iter().for_each(|&i| counts[usize::from(samples.label(i as usize).unwrap())] += 1);
        counts
    }

    fn check_partition(split: &Split) {
        assert!(split.subset.is_sorted() && split.held.is_sorted());
        let mut all = [&split.subset[..], &split.held].concat();
        all.sort();
        assert!(all.into_iter().eq(0..100));
    }

    #[test]
    fn every_class_gives_its_share() {
        let samples = samples();
        for (count, expected) in
            [(10, [6, 3, 1]), (50, [30, 15, 5]), (99, [59, 30, 10]), (1, [1, 0, 0]), (5, [3, 2, 0])]
        {
            let split = hold_out(&samples, count, true, 7).unwrap();
            check_partition(&split);
            assert_eq!(of_each_class(&samples, &split.held), expected, "{count}");
        }
        // Without strata it is chance.
        let counts = |seed| of_each_class(&samples, &hold_out(&samples, 50, false, seed).unwrap().held);
        assert!((0..20).any(|seed| counts(seed) != [30, 15, 5]));
    }

    #[test]
    fn the_seed_decides_and_nothing_else() {
        let samples = samples();
        for stratified in [false, true] {
            let held = |seed| hold_out(&samples, 20, stratified, seed).unwrap();
            assert_eq!(held(1), held(1));
            assert_ne!(held(1), held(2));
        }
        let splits = |seed| folds(&samples, 4, true, seed).unwrap();
        assert_eq!(splits(1), splits(1));
        assert_ne!(splits(1), splits(2));
    }

    #[test]
    fn rows_are_set_aside_by_their_strata() {
        let strata: Vec<u32> = (0..100).map(|row| if row % 10 == 0 { 700 } else { 3 }).collect();
        let split = hold_out_rows(Some(&strata), 100, 20, 5).unwrap();
        check_partition(&split);
        let rare = |rows: &[u32]| rows.iter().filter(|&&row| row % 10 == 0).count();
        assert_eq!((split.held.len(), rare(&split.held), rare(&split.subset)), (20, 2, 8));
        let plain = |seed| hold_out_rows(None, 100, 20, seed).unwrap();
        assert_ne!(plain(5), split);
        assert!(plain(1) == plain(1) && plain(1) != plain(2));
        assert!(hold_out_rows(None, 1, 1, 5).is_err() && hold_out_rows(None, 9, 0, 5).is_err());
    }

    #[test]
    fn each_sample_is_in_one_fold() {
        let samples = samples();
        for number in [2, 3, 7, 100] {
            let splits = folds(&samples, number, true, 1).unwrap();
            assert_eq!(splits.len(), number);
            splits.iter().for_each(check_partition);
            let mut all: Vec<u32> = splits.iter().flat_map(|split| split.held.clone()).collect();
            all.sort();
            assert!(all.into_iter().eq(0..100));
            let counts = splits.iter().map(|split| of_each_class(&samples, &split.held));
            for (class, size) in [60, 30, 10].into_iter().enumerate() {
                let fits = |counts: [usize; 3]| counts[class].abs_diff(size / number) <= 1;
                assert!(counts.clone().all(fits), "{number} folds, class {class}");
            }
        }
    }

    #[test]
    fn what_leaves_nothing_is_refused() {
        let samples = samples();
        let message = |count| hold_out(&samples, count, true, 1).unwrap_err().to_string();
        let expected = "samples set aside for validation: expected at least 1 and fewer than the 100 \
                        training samples, found ";
        assert_eq!(message(0), format!("{expected}0"));
        assert_eq!(message(100), format!("{expected}100"));
        for number in [0, 1, 101] {
            let message = folds(&samples, number, true, 1).unwrap_err().to_string();
            let expected = "folds: expected 2 to 100, as many as there are training samples, found ";
            assert_eq!(message, format!("{expected}{number}"));
        }
    }
}
