//! Values at random (Bergstra, Bengio: Random search for hyper-parameter optimization, 2012).

use rand::RngExt;

use super::proposer::{Cost, Proposal, Proposer, whole};
use crate::rng::{Purpose, stream};
use crate::search::space::Space;

/// So many trials, in one round.
pub struct Random {
    round: Vec<Proposal>,
}

/// The place of a trial, `[keys]`: it depends on the seed and the trial's number alone.
pub fn place(space: &Space, seed: u64, trial: usize) -> Vec<f64> {
    let mut random = stream(seed, Purpose::Search, trial as u64);
    let place: Vec<f64> = (0..space.keys()).map(|_| random.random()).collect();
    space.snapped(&place)
}

impl Random {
    pub fn new(space: &Space, seed: u64, trials: usize) -> Random {
        Random { round: (0..trials).map(|trial| whole(space, trial, &place(space, seed, trial))).collect() }
    }
}

impl Proposer for Random {
    fn next(&mut self, _last: &[Cost]) -> Vec<Proposal> {
        std::mem::take(&mut self.round)
    }
}

#[cfg(test)]
mod tests {
    use super::super::proposer::tests::{run, space};
    use super::*;

    #[test]
    fn a_trial_depends_on_the_seed_and_its_number_alone() {
        let space = space(&["a=1e-4..1:log", "b=1..9", "c=x,y,z"]);
        let few = run(&mut Random::new(&space, 7, 5), |_| 0.0);
        let many = run(&mut Random::new(&space, 7, 50), |_| 0.0);
        assert_eq!((few.len(), many.len()), (5, 50));
        assert_eq!(few, many[..5]);
        assert_ne!(run(&mut Random::new(&space, 8, 5), |_| 0.0), few);
    }

    #[test]
    fn places_are_spread_evenly() {
        let space = space(&["a=0.0..1.0", "c=x,y"]);
        let all = run(&mut Random::new(&space, 1, 2000), |_| 0.0);
        let mean = all.iter().map(|(next, _)| next.place[0]).sum::<f64>() / 2000.0;
        // The mean of so many has a standard deviation of 0.0065.
        assert!((mean - 0.5).abs() < 0.026, "{mean}");
        let first = all.iter().filter(|(next, _)| space.values(&next.place)[1] == "x".into()).count();
        assert!((910..1090).contains(&first), "{first}");
    }
}
