//! What methods are asked and what they answer.

use std::cmp::Ordering;

use crate::search::space::Space;

/// A trial of the next round.
#[derive(Clone, Debug, PartialEq)]
pub struct Proposal {
    /// The number of the trial, from 0. A later round may go on with one.
    pub trial: usize,
    /// The place of its values, `[keys]`, each from 0 to 1.
    pub place: Vec<f64>,
    /// The epochs after which it is tried; all of the recipe without it.
    pub epochs: Option<usize>,
}

/// What a trial has come to: less is better.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cost {
    /// The score, negated; infinite of a trial that has none.
    pub score: f64,
    /// The loss, which decides between equal scores.
    pub loss: f64,
}

impl Cost {
    /// That of a trial without a score.
    pub const FAILED: Cost = Cost { score: f64::INFINITY, loss: f64::INFINITY };

    /// Which is better.
    pub fn order(&self, other: &Cost) -> Ordering {
        self.score.total_cmp(&other.score).then(self.loss.total_cmp(&other.loss))
    }
}

/// The indices of costs, the best first; of equal ones the first.
pub fn ranked(costs: &[Cost]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..costs.len()).collect();
    order.sort_by(|&a, &b| costs[a].order(&costs[b]));
    order
}

/// A method of search.
pub trait Proposer: Send {
    /// The trials of the next round; none at the end. `last`: what those of the last round came to, in their order.
    fn next(&mut self, last: &[Cost]) -> Vec<Proposal>;
}

/// A proposal of a whole training.
pub(super) fn whole(space: &Space, trial: usize, place: &[f64]) -> Proposal {
    Proposal { trial, place: space.snapped(place), epochs: None }
}

#[cfg(test)]
pub(in crate::search) mod tests {
    use super::*;

    pub fn space(overs: &[&str]) -> Space {
        Space { overs: overs.iter().map(|text| text.parse().unwrap()).collect() }
    }

    /// Runs a method on a function of the place and the epochs to its end; all proposals and their costs.
    pub fn run(method: &mut dyn Proposer, cost: impl Fn(&Proposal) -> f64) -> Vec<(Proposal, f64)> {
        let (mut all, mut last) = (Vec::new(), Vec::new());
        loop {
            let round = method.next(&last);
            if round.is_empty() {
                return all;
            }
            last = round.iter().map(|next| Cost { score: cost(next), loss: 0.0 }).collect();
            all.extend(round.into_iter().zip(last.iter().map(|cost| cost.score)));
        }
    }

    #[test]
    fn scores_come_first_and_losses_decide_between_equals() {
        let cost = |score, loss| Cost { score, loss };
        let costs = [Cost::FAILED, cost(-0.9, 0.3), cost(-0.9, 0.2), cost(-0.95, 9.0), cost(-0.9, 0.2)];
        assert_eq!(ranked(&costs), [3, 2, 4, 1, 0]);
    }
}
