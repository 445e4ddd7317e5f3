//! L-BFGS: the inverse of the Hessian, as the last steps saw it.

use super::vector::{add_scaled, dot, set_negative};
use crate::checkpoint::{Archive, State};
use crate::{Result, memory};

/// The last pairs of a step s and the change y of the gradient over it.
#[derive(Debug)]
pub struct History {
    /// Numbers of a vector.
    count: usize,
    /// The most pairs.
    capacity: usize,
    /// The place of the oldest pair.
    oldest: usize,
    pairs: usize,
    /// The steps s, `[capacity + 1, count]`; the place behind the newest pair is free.
    steps: Vec<f64>,
    /// The changes y of the gradient, `[capacity + 1, count]`.
    changes: Vec<f64>,
    /// The reciprocals 1 / (s · y), `[capacity + 1]`.
    inverses: Vec<f64>,
    /// The factors that the first loop subtracts and the second adds, `[capacity + 1]`.
    factors: Vec<f64>,
    /// The scale of the first H, s · y / (y · y) of the newest pair.
    scale: f64,
}

impl History {
    /// A history of up to `capacity` pairs of vectors of `count` numbers.
    ///
    /// # Errors
    /// If there is no memory for it.
    pub fn new(count: usize, capacity: usize) -> Result<History> {
        let places = capacity + 1;
        let vectors = || memory::filled(super::settings::USE, 0.0, places.saturating_mul(count));
        let (steps, changes) = (vectors()?, vectors()?);
        let [inverses, factors] = [0; 2].map(|_| vec![0.0; places]);
        Ok(History { count, capacity, oldest: 0, pairs: 0, steps, changes, inverses, factors, scale: 1.0 })
    }

    /// Bytes of such a history.
    pub fn bytes(count: usize, capacity: usize) -> usize {
        let places = capacity.saturating_add(1);
        places.saturating_mul(count).saturating_mul(2 * size_of::<f64>())
    }

    pub fn forget(&mut self) {
        (self.oldest, self.pairs) = (0, 0);
    }

    pub fn is_empty(&self) -> bool {
        self.pairs == 0
    }

    /// Adds the step `step` times `direction`, over which the gradient went from `before` to `after`; in
    /// place of the oldest, if there is no room. All \[count\].
    ///
    /// A pair whose s · y is not above the rounding error of y · y is left out: the inverse would not stay
    /// positive definite (Byrd, Lu, Nocedal, Zhu: A limited memory algorithm for bound constrained
    /// optimization, 1995, equation 3.9).
    pub fn add(&mut self, step: f64, direction: &[f64], before: &[f64], after: &[f64]) {
        let place = (self.oldest + self.pairs) % (self.capacity + 1);
        let range = place * self.count..(place + 1) * self.count;
        let (s, y) = (&mut self.steps[range.clone()], &mut self.changes[range]);
        for (((s, y), d), (before, after)) in
            s.iter_mut().zip(y.iter_mut()).zip(direction).zip(before.iter().zip(after))
        {
            (*s, *y) = (step * d, after - before);
        }
        let (sy, yy) = (dot(s, y), dot(y, y));
        // The comparison is false where one is NaN, too.
        if sy > f64::EPSILON * yy {
            self.inverses[place] = 1.0 / sy;
            self.scale = sy / yy;
            if self.pairs < self.capacity {
                self.pairs += 1;
            } else {
                self.oldest = (self.oldest + 1) % (self.capacity + 1);
            }
        }
    }

    /// Algorithm 7.4, the two loops: `direction` ← -H `gradient`, with H of equation 7.19; both \[count\].
    pub fn direct(&mut self, direction: &mut [f64], gradient: &[f64]) {
        set_negative(direction, gradient);
        let place = |age: usize| (self.oldest + age) % (self.capacity + 1);
        let row = |place: usize| place * self.count..(place + 1) * self.count;
        for place in (0..self.pairs).rev().map(place) {
            self.factors[place] = self.inverses[place] * dot(&self.steps[row(place)], direction);
            add_scaled(direction, -self.factors[place], &self.changes[row(place)]);
        }
        if self.pairs > 0 {
            direction.iter_mut().for_each(|d| *d *= self.scale);
        }
        for place in (0..self.pairs).map(place) {
            let given = self.inverses[place] * dot(&self.changes[row(place)], direction);
            add_scaled(direction, self.factors[place] - given, &self.steps[row(place)]);
        }
    }
}

impl State for History {
    fn visit(&mut self, archive: &mut Archive) -> Result<()> {
        archive.value("oldest", &mut self.oldest)?;
        archive.value("pairs", &mut self.pairs)?;
        (self.oldest, self.pairs) = (self.oldest % (self.capacity + 1), self.pairs.min(self.capacity));
        archive.double("scale", &mut self.scale)?;
        // The other places are written before they are read.
        for age in 0..self.pairs {
            let place = (self.oldest + age) % (self.capacity + 1);
            let row = place * self.count..(place + 1) * self.count;
            archive.numbers(&format!("steps.{age}"), &mut self.steps[row.clone()])?;
            archive.numbers(&format!("changes.{age}"), &mut self.changes[row])?;
            archive.numbers(&format!("inverses.{age}"), &mut self.inverses[place..=place])?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Steps along the axes on x² / 2 + 2 y² + 8 z²: the inverse Hessian is then known.
    #[test]
    fn pairs_along_the_axes_give_the_inverse_of_a_diagonal() {
        let hessian = [1.0, 4.0, 16.0];
        let mut history = History::new(3, 3).unwrap();
        for (axis, curvature) in hessian.into_iter().enumerate() {
            let mut direction = [0.0; 3];
            direction[axis] = -1.0;
            let mut after = [0.0; 3];
            after[axis] = -0.5 * curvature;
            history.add(0.5, &direction, &[0.0; 3], &after);
        }
        let mut direction = [0.0; 3];
        history.direct(&mut direction, &[1.0, 1.0, 1.0]);
        assert_eq!(direction, [-1.0, -0.25, -0.0625]);
        // The oldest makes room; its axis takes the scale of the newest instead.
        let mut history = History { capacity: 2, ..history };
        history.forget();
        assert!(history.is_empty());
        history.direct(&mut direction, &[1.0, 2.0, 3.0]);
        assert_eq!(direction, [-1.0, -2.0, -3.0]);
    }

    #[test]
    fn the_oldest_pair_makes_room_and_bad_pairs_are_left_out() {
        let mut history = History::new(2, 1).unwrap();
        history.add(1.0, &[1.0, 0.0], &[0.0; 2], &[4.0, 0.0]);
        let mut direction = [0.0; 2];
        history.direct(&mut direction, &[1.0, 1.0]);
        assert_eq!(direction, [-0.25, -0.25]);
        history.add(1.0, &[0.0, 1.0], &[0.0; 2], &[0.0, 2.0]);
        history.direct(&mut direction, &[1.0, 1.0]);
        assert_eq!((direction, history.pairs), ([-0.5, -0.5], 1));
        for after in [[0.0, 0.0], [-1.0, -1.0], [f64::NAN, 1.0]] {
            history.add(1.0, &[1.0, 1.0], &[0.0; 2], &after);
            history.direct(&mut direction, &[1.0, 1.0]);
            assert_eq!(direction, [-0.5, -0.5], "{after:?}");
        }
    }
}
