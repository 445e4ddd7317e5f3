//! Every combination of lists and points.

use super::proposer::{Cost, Proposal, Proposer, whole};
use crate::search::range::refused;
use crate::search::space::{Space, combined};
use crate::{Error, Result};

/// All points of a grid, in one round; the last key changes first.
pub struct Grid {
    round: Vec<Proposal>,
}

/// How many points there are; none if a range has no points.
pub fn points(space: &Space) -> Option<usize> {
    space.overs.iter().try_fold(1usize, |all, over| all.checked_mul(over.range.count()?))
}

/// Checks that there is a grid of at most so many points, and of as many as were asked for if it was said.
///
/// # Errors
/// [`Error::Setting`] with the key that has no points, or the number of them.
pub fn check(space: &Space, most: usize, asked: Option<usize>) -> Result<usize> {
    if let Some(over) = space.overs.iter().find(|over| over.range.count().is_none()) {
        let expected = "a list, or a range with a number of points for a grid, such as 1e-4..1e-1:log:7";
        return Err(refused(&over.key, expected, &over.text));
    }
    let count = points(space);
    let refused = |key: &str, expected: String, found: String| Error::Setting {
        place: "command line".into(),
        key: key.into(),
        expected,
        found,
    };
    match count.filter(|&count| count <= most) {
        None => {
            let found = count.map_or("more".into(), |count| count.to_string());
            Err(refused("--over", format!("a grid of at most {most} points"), found))
        }
        Some(count) if asked.is_some_and(|asked| asked != count) => {
            let found = asked.map_or(String::new(), |asked| asked.to_string());
            Err(refused("--trials", format!("none with a grid, which has {count} points"), found))
        }
        Some(count) => Ok(count),
    }
}

impl Grid {
    /// The grid of a space that [`check`] has found to have one.
    pub fn new(space: &Space) -> Grid {
        let ranges = space.overs.iter().map(|over| &over.range);
        let places: Vec<Vec<f64>> = ranges
            .map(|range| (0..range.count().unwrap_or(0)).map(|index| range.middle(index)).collect())
            .collect();
        let round = combined(&places);
        Grid { round: round.iter().enumerate().map(|(trial, place)| whole(space, trial, place)).collect() }
    }
}

impl Proposer for Grid {
    fn next(&mut self, _last: &[Cost]) -> Vec<Proposal> {
        std::mem::take(&mut self.round)
    }
}

#[cfg(test)]
mod tests {
    use super::super::proposer::tests::{run, space};
    use super::*;
    use crate::search::range::told;

    #[test]
    fn every_combination_comes_once_and_the_last_key_changes_first() {
        let space = space(&["a=1..3:3", "b=x,y"]);
        let all = run(&mut Grid::new(&space), |_| 0.0);
        let values =
            |next: &Proposal| space.values(&next.place).iter().map(told).collect::<Vec<_>>().join(" ");
        let values: Vec<String> = all.iter().map(|(next, _)| values(next)).collect();
        assert_eq!(values, ["1 x", "1 y", "2 x", "2 y", "3 x", "3 y"]);
        assert!(all.iter().enumerate().all(|(index, (next, _))| next.trial == index));
    }

    #[test]
    fn what_is_no_grid_is_refused() {
        let message = |overs: &[&str], asked| check(&space(overs), 100, asked).unwrap_err().to_string();
        assert!(message(&["a=1..3"], None).contains("a range with a number of points"));
        assert!(message(&["a=1..100:100", "b=1,2"], None).contains("at most 100 points, found 200"));
        assert!(message(&["a=1,2"], Some(5)).contains("which has 2 points, found 5"));
        let many: Vec<String> = (0..40).map(|key| format!("k{key}=1..9:9")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert!(message(&many, None).contains("found more"));
        assert_eq!(check(&space(&["a=1,2"]), 100, Some(2)).unwrap(), 2);
    }
}
