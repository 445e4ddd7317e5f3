//! Rotary positions (Su et al., "RoFormer", 2021): the numbers of a query or a key, in pairs, are turned by angles that
//! are proportional to its position. The product of two of them then depends on how far apart they are, and on their
//! positions in no other way. The pairs are those of Llama: number i and number i + width / 2.

use crate::kernels::simd::vectorise::vectorise;
use crate::tensor::{MatrixMut, MatrixRef};

/// The turns of all positions.
#[derive(Clone, Debug)]
pub struct Rotary {
    /// Pairs of numbers in a query.
    pairs: usize,
    /// Of each angle, `[positions, pairs]`.
    cosines: Vec<f32>,
    sines: Vec<f32>,
}

impl Rotary {
    /// The turns of so many positions, for queries of `width` numbers, an even number: pair i is turned by
    /// position · base^(-2 i / width).
    ///
    /// # Panics
    /// If `width` is odd.
    pub fn new(positions: usize, width: usize, base: f32) -> Rotary {
        assert!(width.is_multiple_of(2), "{width} numbers are not pairs");
        let pairs = width / 2;
        let (mut cosines, mut sines) =
            (Vec::with_capacity(positions * pairs), Vec::with_capacity(positions * pairs));
        for position in 0..positions {
            for pair in 0..pairs {
                // In double precision: rounded to single, the angle of a late position would be off by more than its
                // sine is rounded.
                let rate = f64::from(base).powf(-2.0 * pair as f64 / width as f64);
                let (sine, cosine) = (position as f64 * rate).sin_cos();
                cosines.push(cosine as f32);
                sines.push(sine as f32);
            }
        }
        Rotary { pairs, cosines, sines }
    }

    /// Turns rows `from` `[n, width]`, of which the first is that of position `first`, and multiplies them by a factor.
    pub fn rotate(&self, to: MatrixMut, from: MatrixRef, first: usize, factor: f32) {
        self.turn(to, from, first, [factor, factor]);
    }

    /// The same turn backwards, which is what a gradient takes: the inverse of a turn is its transpose.
    pub fn rotate_back(&self, to: MatrixMut, from: MatrixRef, first: usize, factor: f32) {
        self.turn(to, from, first, [factor, -factor]);
    }

    /// Turns by angles of which the cosine and the sine are multiplied by these factors.
    fn turn(&self, mut to: MatrixMut, from: MatrixRef, first: usize, [of_cosine, of_sine]: [f32; 2]) {
        let pairs = self.pairs;
        assert_eq!([to.columns(), from.columns()], [2 * pairs; 2], "numbers of a query");
        vectorise(
            #[inline(always)]
            || {
                for row in 0..to.rows() {
                    let start = (first + row) * pairs;
                    let (cosines, sines) =
                        (&self.cosines[start..start + pairs], &self.sines[start..start + pairs]);
                    let (a, b) = from.row(row).split_at(pairs);
                    let (to_a, to_b) = to.row(row).split_at_mut(pairs);
                    let (b, to_b) = (&b[..pairs], &mut to_b[..pairs]);
                    for i in 0..pairs {
                        let (cosine, sine) = (cosines[i] * of_cosine, sines[i] * of_sine);
                        to_a[i] = a[i].mul_add(cosine, -(b[i] * sine));
                        to_b[i] = b[i].mul_add(cosine, a[i] * sine);
                    }
                }
            },
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WIDTH: usize = 10;

    fn turned(rotary: &Rotary, row: &[f32], position: usize, back: bool) -> Vec<f32> {
        let mut to = vec![f32::NAN; WIDTH];
        let (view, from) = (MatrixMut::new(&mut to, 1, WIDTH, WIDTH), MatrixRef::new(row, 1, WIDTH, WIDTH));
        if back {
            rotary.rotate_back(view, from, position, 1.0);
        } else {
            rotary.rotate(view, from, position, 1.0);
        }
        to
    }

    fn row(step: f64) -> Vec<f32> {
        (1..=WIDTH).map(|i| ((i as f64 * step).fract() * 2.0 - 1.0) as f32).collect()
    }

    fn dot(a: &[f32], b: &[f32]) -> f64 {
        a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
    }

    /// The first pair is turned by one radian from position to position.
    #[test]
    fn pairs_are_turned_by_their_angles() {
        let rotary = Rotary::new(9, WIDTH, 10_000.0);
        let from = row(0.618_033_988_7);
        assert_eq!(turned(&rotary, &from, 0, false), from);
        for position in 0..9 {
            let to = turned(&rotary, &from, position, false);
            for pair in 0..WIDTH / 2 {
                let angle = position as f64 * 10_000f64.powf(-(pair as f64) / 5.0);
                let [a, b] = [from[pair], from[pair + 5]].map(f64::from);
                let expected = [a * angle.cos() - b * angle.sin(), b * angle.cos() + a * angle.sin()];
                for (place, expected) in [pair, pair + 5].into_iter().zip(expected) {
                    assert!((f64::from(to[place]) - expected).abs() < 3e-7, "{position} {place}");
                }
            }
        }
    }

    #[test]
    fn a_turn_back_undoes_it() {
        let rotary = Rotary::new(5000, WIDTH, 10_000.0);
        let from = row(0.754_877_666_2);
        for position in [1, 17, 4999] {
            let there = turned(&rotary, &from, position, false);
            let back = turned(&rotary, &there, position, true);
            assert!(from.iter().zip(&back).all(|(from, back)| (from - back).abs() < 1e-6), "{position}");
            assert_ne!(from, there);
        }
    }

    /// What rotary positions are for.
    #[test]
    fn products_depend_on_distances_alone() {
        let rotary = Rotary::new(3000, WIDTH, 10_000.0);
        let (q, k) = (row(0.618_033_988_7), row(0.754_877_666_2));
        let product = |of_q, of_k| dot(&turned(&rotary, &q, of_q, false), &turned(&rotary, &k, of_k, false));
        let expected = product(7, 2);
        for shift in [1, 100, 2990] {
            assert!((product(7 + shift, 2 + shift) - expected).abs() < 2e-6, "{shift}");
        }
        assert!((product(8, 2) - expected).abs() > 1e-3);
    }
}
