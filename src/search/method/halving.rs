//! Successive halving and Hyperband: many settings for few epochs, the best of them for more (Li, Jamieson, DeSalvo,
//! Rostamizadeh, Talwalkar: Hyperband, a novel bandit-based approach to hyperparameter optimization, 2018).
//!
//! Each rung trains from scratch. As schedules go by all epochs of the recipe, a training that is ended at a rung has come to
//! what the whole one would have come to by then, bit for bit; so a trial that is kept is the same training, gone further.

use super::proposer::{Cost, Proposal, Proposer, ranked};
use super::random::place;
use crate::search::space::Space;

/// One of so many goes on, with so many times the epochs.
const ETA: usize = 3;

/// Brackets of trials, which run beside each other: in the n-th round each has its n-th rung.
pub struct Halving {
    brackets: Vec<Bracket>,
    /// The brackets of the round under way, with how many trials each has in it.
    under_way: Vec<(usize, usize)>,
}

/// Some trials, of which a third goes on at each rung.
struct Bracket {
    /// The epochs of each rung, the last of which are all.
    rungs: Vec<usize>,
    /// How many of them are done.
    done: usize,
    /// The trials that are left, with their places.
    members: Vec<(usize, Vec<f64>)>,
}

/// The epochs of the rungs of a training of so many: a third each time, down to one.
fn rungs(epochs: usize) -> Vec<usize> {
    let (mut rungs, mut divisor) = (vec![epochs], 1.0);
    while rungs.last().is_some_and(|&last| last > 1) {
        divisor *= ETA as f64;
        rungs.push(((epochs as f64 / divisor).round() as usize).max(1));
    }
    rungs.reverse();
    rungs
}

/// How many of so many trials come to each rung.
fn sizes(trials: usize, rungs: usize) -> impl Iterator<Item = usize> {
    (0..rungs).scan(trials, |left, _| {
        let now = *left;
        *left = (*left / ETA).max(1);
        Some(now)
    })
}

/// The epochs that a bracket of so many trials takes.
fn cost(trials: usize, rungs: &[usize]) -> usize {
    sizes(trials, rungs.len())
        .zip(rungs)
        .map(|(trials, epochs)| trials.saturating_mul(*epochs))
        .fold(0, usize::saturating_add)
}

/// The most trials that a bracket can have with so many epochs.
fn affordable(budget: usize, rungs: &[usize]) -> usize {
    let (mut low, mut high) = (0, budget + 1);
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        if cost(middle, rungs) <= budget { low = middle } else { high = middle }
    }
    low
}

/// The rungs of each bracket: of successive halving one with all rungs, of Hyperband one for each rung that it begins with.
fn brackets(epochs: usize, hyperband: bool) -> Vec<Vec<usize>> {
    let all = rungs(epochs);
    let begins = if hyperband { all.len() } else { 1 };
    (0..begins).map(|begin| all[begin..].to_vec()).collect()
}

/// The least budget, in whole trainings of so many epochs, with which each bracket has a trial.
pub fn least_trials(epochs: usize, hyperband: bool) -> usize {
    let brackets = brackets(epochs, hyperband);
    let dearest = brackets.iter().map(|rungs| cost(1, rungs)).max().unwrap_or(0);
    dearest.saturating_mul(brackets.len()).div_ceil(epochs)
}

/// How many trials the brackets have, each of which gets an equal part of the epochs of `trials` whole trainings.
fn shares(epochs: usize, trials: usize, brackets: &[Vec<usize>]) -> Vec<usize> {
    let share = epochs.saturating_mul(trials) / brackets.len();
    brackets.iter().map(|rungs| affordable(share, rungs)).collect()
}

impl Halving {
    /// How many settings would be tried.
    pub fn settings(epochs: usize, trials: usize, hyperband: bool) -> usize {
        shares(epochs, trials, &brackets(epochs, hyperband)).into_iter().fold(0, usize::saturating_add)
    }

    /// How many trainings there would be, if none diverges.
    pub fn trainings(epochs: usize, trials: usize, hyperband: bool) -> usize {
        let brackets = brackets(epochs, hyperband);
        let counts = shares(epochs, trials, &brackets);
        counts.into_iter().zip(&brackets).map(|(count, rungs)| sizes(count, rungs.len()).sum::<usize>()).sum()
    }

    /// A budget of `trials` whole trainings of so many epochs, on random places.
    pub fn new(space: &Space, seed: u64, epochs: usize, trials: usize, hyperband: bool) -> Halving {
        let rungs = brackets(epochs, hyperband);
        let mut first = 0;
        let brackets = shares(epochs, trials, &rungs)
            .into_iter()
            .zip(rungs)
            .map(|(count, rungs)| {
                let members =
                    (first..first + count).map(|trial| (trial, place(space, seed, trial))).collect();
                first += count;
                Bracket { rungs, done: 0, members }
            })
            .collect();
        Halving { brackets, under_way: Vec::new() }
    }
}

impl Proposer for Halving {
    fn next(&mut self, last: &[Cost]) -> Vec<Proposal> {
        let mut rest = last;
        for (index, count) in std::mem::take(&mut self.under_way) {
            let (costs, others) = rest.split_at(count.min(rest.len()));
            rest = others;
            let bracket = &mut self.brackets[index];
            bracket.done += 1;
            let kept = (bracket.members.len() / ETA).max(1);
            // Whatever has failed does not go on, even if nothing else is left.
            let best = ranked(costs).into_iter().filter(|&of| costs[of].score.is_finite()).take(kept);
            let mut best: Vec<usize> = best.collect();
            best.sort_unstable();
            bracket.members = best.into_iter().map(|of| bracket.members[of].clone()).collect();
        }
        let mut round = Vec::new();
        for (index, bracket) in self.brackets.iter().enumerate() {
            let Some(&epochs) = bracket.rungs.get(bracket.done) else { continue };
            let epochs = (bracket.done + 1 < bracket.rungs.len()).then_some(epochs);
            let of =
                |(trial, place): &(usize, Vec<f64>)| Proposal { trial: *trial, place: place.clone(), epochs };
            round.extend(bracket.members.iter().map(of));
            if !bracket.members.is_empty() {
                self.under_way.push((index, bracket.members.len()));
            }
        }
        round
    }
}

#[cfg(test)]
mod tests {
    use super::super::proposer::tests::{run, space};
    use super::*;

    #[test]
    fn rungs_are_thirds_down_to_one_epoch() {
        assert_eq!(rungs(81), [1, 3, 9, 27, 81]);
        assert_eq!((rungs(5), rungs(1), rungs(4)), (vec![1, 2, 5], vec![1], vec![1, 4]));
    }

    /// Table 1 of the paper has, for 81 epochs and eta 3, brackets of 81, 27, 9, 6 and 5 configurations, which its formula
    /// rounds up; here each bracket has the same part of the epochs, and rounds down.
    #[test]
    fn brackets_halve_as_in_the_paper() {
        let sizes = |trials, rungs| sizes(trials, rungs).collect::<Vec<_>>();
        assert_eq!(sizes(81, 5), [81, 27, 9, 3, 1]);
        assert_eq!(sizes(27, 4), [27, 9, 3, 1]);
        assert_eq!(sizes(6, 2), [6, 2]);
        assert_eq!((cost(81, &rungs(81)), cost(27, &rungs(81)[1..])), (405, 324));
        assert_eq!(affordable(405, &rungs(81)), 81);
        assert_eq!(Halving::settings(81, 25, true), 81 + 36 + 17 + 8 + 5);
    }

    #[test]
    fn the_budget_is_kept_and_nearly_spent() {
        let space = space(&["a=0.0..1.0"]);
        for epochs in [2, 5, 9, 30] {
            for hyperband in [false, true] {
                let least = least_trials(epochs, hyperband);
                for trials in [least, least + 7, 60] {
                    let all =
                        run(&mut Halving::new(&space, 1, epochs, trials, hyperband), |next| next.place[0]);
                    let spent: usize = all.iter().map(|(next, _)| next.epochs.unwrap_or(epochs)).sum();
                    assert!(spent <= epochs * trials, "{epochs} {hyperband} {trials}: {spent}");
                    assert!(trials < 60 || spent * 10 > epochs * trials * 9, "{epochs} {hyperband}: {spent}");
                    assert!(all.iter().any(|(next, _)| next.epochs.is_none()), "one is trained to its end");
                }
            }
        }
    }

    /// With a cost that no further epoch changes, the best of all places is kept to the end.
    #[test]
    fn the_best_third_goes_on() {
        let space = space(&["a=0.0..1.0"]);
        let mut halving = Halving::new(&space, 3, 9, 12, false);
        let all = run(&mut halving, |next| next.place[0]);
        let of = |epochs: Option<usize>| {
            let mut costs: Vec<f64> =
                all.iter().filter(|(next, _)| next.epochs == epochs).map(|(_, cost)| *cost).collect();
            costs.sort_by(f64::total_cmp);
            costs
        };
        let [first, second, third] = [of(Some(1)), of(Some(3)), of(None)];
        assert_eq!(second, first[..first.len() / 3]);
        assert_eq!(third, second[..second.len() / 3]);
    }

    #[test]
    fn what_has_failed_does_not_go_on() {
        let space = space(&["a=0.0..1.0"]);
        let all = run(&mut Halving::new(&space, 3, 9, 12, true), |next| match next.place[0] < 0.5 {
            true => f64::INFINITY,
            false => next.place[0],
        });
        assert!(all.iter().filter(|(next, _)| next.place[0] < 0.5 && next.epochs.is_none()).count() > 0);
        let later = all.iter().filter(|(next, _)| next.epochs == Some(3));
        let from_first =
            |trial: usize| all.iter().any(|(next, _)| next.trial == trial && next.epochs == Some(1));
        let kept: Vec<f64> =
            later.filter(|(next, _)| from_first(next.trial)).map(|(_, cost)| *cost).collect();
        assert!(!kept.is_empty() && kept.iter().all(|cost| cost.is_finite()), "{kept:?}");
        let none = run(&mut Halving::new(&space, 3, 9, 12, false), |_| f64::INFINITY);
        assert!(none.iter().all(|(next, _)| next.epochs == Some(1)), "all have failed at the first rung");
    }
}
