//! How much each key has to do with the score.

use serde::{Deserialize, Serialize};

/// Fewer trials say nothing.
pub const LEAST_TRIALS: usize = 6;

/// The most parts that the values of a key are divided into.
const MOST_PARTS: usize = 5;

/// A key, and how much it has to do with the score.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Importance {
    pub key: String,
    /// The part of the variance of the trials' ranks that the key alone explains, from 0 to 1, adjusted for chance.
    pub part: f64,
}

/// The part of the variance of `ranks` `[trials]` that `groups` `[trials]` explain: the correlation ratio, adjusted for what
/// that many groups would explain by chance (Kelley: An unbiased correlation ratio measure, 1935), and at least 0. It is the
/// main effect of an analysis of variance: what keys do only together is in none.
pub fn explained(ranks: &[f64], groups: &[usize]) -> f64 {
    let count = ranks.len() as f64;
    let mean = ranks.iter().sum::<f64>() / count;
    let all: f64 = ranks.iter().map(|rank| (rank - mean).powi(2)).sum();
    let mut parts: Vec<usize> = groups.to_vec();
    parts.sort_unstable();
    parts.dedup();
    let within = |part: usize| {
        let of: Vec<f64> =
            ranks.iter().zip(groups).filter(|(_, of)| **of == part).map(|(rank, _)| *rank).collect();
        let mean = of.iter().sum::<f64>() / of.len() as f64;
        of.iter().map(|rank| (rank - mean).powi(2)).sum::<f64>()
    };
    let left: f64 = parts.iter().map(|&part| within(part)).sum();
    let freedom = count - parts.len() as f64;
    if all <= 0.0 || freedom <= 0.0 || parts.len() < 2 {
        return 0.0;
    }
    (1.0 - (left / freedom) / (all / (count - 1.0))).clamp(0.0, 1.0)
}

/// The group of each place `[trials]` of an ordered key: parts with as many trials each, equal places in one.
pub fn parts(places: &[f64]) -> Vec<usize> {
    let wanted = ((places.len() as f64).sqrt() as usize).clamp(2, MOST_PARTS);
    let mut sorted = places.to_vec();
    sorted.sort_by(f64::total_cmp);
    let edges: Vec<f64> = (1..wanted).map(|part| sorted[part * sorted.len() / wanted]).collect();
    places.iter().map(|place| edges.iter().filter(|&&edge| *place >= edge).count()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Purpose, stream};
    use rand::RngExt;

    #[test]
    fn what_decides_explains_all_and_chance_explains_nothing() {
        let mut random = stream(1, Purpose::Test, 0);
        let places: Vec<f64> = (0..400).map(|_| random.random()).collect();
        let noise: Vec<f64> = (0..400).map(|_| random.random()).collect();
        let mut order: Vec<usize> = (0..400).collect();
        order.sort_by(|&a, &b| places[a].total_cmp(&places[b]));
        let mut ranks = vec![0.0; 400];
        order.iter().enumerate().for_each(|(rank, &index)| ranks[index] = rank as f64);
        // Within a fifth of evenly spread ranks a 25th of their variance is left.
        assert!((explained(&ranks, &parts(&places)) - 0.96).abs() < 0.005);
        assert!(explained(&ranks, &parts(&noise)) < 0.03);
        assert_eq!(explained(&ranks, &[0; 400]), 0.0);
    }

    /// By hand: ranks 0 to 5 in two groups of three: 17.5 in all, 2 + 2 within; 1 - (4 / 4) / (17.5 / 5).
    #[test]
    fn the_ratio_is_adjusted() {
        let found = explained(&[0.0, 1.0, 2.0, 3.0, 4.0, 5.0], &[7, 7, 7, 1, 1, 1]);
        assert!((found - (1.0 - 1.0 / 3.5)).abs() < 1e-12, "{found}");
        assert_eq!(parts(&[0.1, 0.2, 0.3, 0.4]), [0, 0, 1, 1]);
        assert_eq!(parts(&[0.5; 9]), [2; 9], "equal places are in one part");
    }
}
