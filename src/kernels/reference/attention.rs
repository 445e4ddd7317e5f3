//! The naive twin of attention: all weights of a head at once, and rotary positions as products of complex numbers.

use std::ops::Range;

/// Attention of several heads over the positions of one sample, of queries, keys and values that are there.
#[derive(Clone, Debug)]
pub struct Attention {
    pub positions: usize,
    /// The positions that have queries, and those that have keys and values; each part is counted from its first.
    pub queries: Range<usize>,
    pub keys: Range<usize>,
    /// Of queries, and of keys and values.
    pub heads: usize,
    pub kv_heads: usize,
    /// Numbers of a query, of a key and of a value.
    pub width: usize,
    pub causal: bool,
    /// The base of the angles, if queries and keys are turned.
    pub rotary: Option<f64>,
}

impl Attention {
    /// Of all positions with each other.
    pub fn of(
        positions: usize,
        [heads, kv_heads]: [usize; 2],
        width: usize,
        causal: bool,
        rotary: Option<f64>,
    ) -> Attention {
        let (queries, keys) = (0..positions, 0..positions);
        Attention { positions, queries, keys, heads, kv_heads, width, causal, rotary }
    }

    /// Numbers of a position that go in: the queries of all heads, then keys, then values.
    pub fn inputs(&self) -> usize {
        (self.heads + 2 * self.kv_heads) * self.width
    }

    /// Numbers of a position that come out.
    pub fn outputs(&self) -> usize {
        self.heads * self.width
    }

    /// The places in a position's input of a head's query, key and value.
    fn places(&self, head: usize) -> [usize; 3] {
        let shared = head * self.kv_heads / self.heads;
        let first = [head, self.heads + shared, self.heads + self.kv_heads + shared];
        first.map(|number| number * self.width)
    }

    /// A query or a key, turned by the angles of its position, or by their opposites.
    fn turned(&self, row: &[f64], position: usize, sign: f64) -> Vec<f64> {
        let Some(base) = self.rotary else { return row.to_vec() };
        let mut turned = row.to_vec();
        let half = self.width / 2;
        for pair in 0..half {
            let rate = (-(2.0 * pair as f64 / self.width as f64) * base.ln()).exp();
            let angle = sign * position as f64 * rate;
            let [re, im] = [row[pair], row[pair + half]];
            turned[pair] = re * angle.cos() - im * angle.sin();
            turned[pair + half] = re * angle.sin() + im * angle.cos();
        }
        turned
    }

    /// The rows of a head at one of its places, `[among.len()][width]`.
    fn rows(&self, x: &[f64], among: &Range<usize>, place: usize, is_turned: bool) -> Vec<Vec<f64>> {
        let row = |position: usize| {
            let row = &x[position * self.inputs() + place..][..self.width];
            if is_turned { self.turned(row, position - among.start, 1.0) } else { row.to_vec() }
        };
        among.clone().map(row).collect()
    }

    /// Queries, keys and values of a head, turned.
    fn head(&self, x: &[f64], head: usize) -> [Vec<Vec<f64>>; 3] {
        let [q, k, v] = self.places(head);
        let of_keys = |place, is_turned| self.rows(x, &self.keys, place, is_turned);
        [self.rows(x, &self.queries, q, true), of_keys(k, true), of_keys(v, false)]
    }

    /// The weights of all keys for one query.
    fn weights(&self, q: &[f64], keys: &[Vec<f64>], position: usize) -> Vec<f64> {
        let scale = 1.0 / (self.width as f64).sqrt();
        let seen = if self.causal { position + 1 } else { keys.len() };
        let scores: Vec<f64> = keys[..seen].iter().map(|key| dot(q, key) * scale).collect();
        let largest = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let sum: f64 = scores.iter().map(|score| (score - largest).exp()).sum();
        let mut weights: Vec<f64> = scores.iter().map(|score| (score - largest).exp() / sum).collect();
        weights.resize(keys.len(), 0.0);
        weights
    }

    /// The output `[positions, heads * width]` of `x` `[positions, inputs]`; zeros where there is no query.
    pub fn forward(&self, x: &[f64]) -> Vec<f64> {
        self.forward_dropped(x, |_, _, _| 1.0)
    }

    /// The same with each weight times a factor, by its head, query and key.
    pub fn forward_dropped(&self, x: &[f64], factor: impl Fn(usize, usize, usize) -> f64) -> Vec<f64> {
        let mut y = vec![0.0; self.positions * self.outputs()];
        for head in 0..self.heads {
            let [queries, keys, values] = self.head(x, head);
            for (position, q) in queries.iter().enumerate() {
                let place = self.queries.start + position;
                let y = &mut y[place * self.outputs() + head * self.width..][..self.width];
                let weights = self.weights(q, &keys, position);
                for (other, (weight, value)) in weights.iter().zip(&values).enumerate() {
                    add(y, value, weight * factor(head, position, other));
                }
            }
        }
        y
    }

    /// The gradient of `x`, from that of the output.
    pub fn backward(&self, dy: &[f64], x: &[f64]) -> Vec<f64> {
        self.backward_dropped(dy, x, |_, _, _| 1.0)
    }

    /// That of [`forward_dropped`](Attention::forward_dropped).
    pub fn backward_dropped(
        &self,
        dy: &[f64],
        x: &[f64],
        factor: impl Fn(usize, usize, usize) -> f64,
    ) -> Vec<f64> {
        let mut dx = vec![0.0; x.len()];
        let scale = 1.0 / (self.width as f64).sqrt();
        for head in 0..self.heads {
            let [queries, keys, values] = self.head(x, head);
            let zeros = |rows: usize| vec![vec![0.0; self.width]; rows];
            let [mut dq, mut dk, mut dv] = [queries.len(), keys.len(), keys.len()].map(zeros);
            for position in 0..queries.len() {
                let place = self.queries.start + position;
                let dy = &dy[place * self.outputs() + head * self.width..][..self.width];
                let weights = self.weights(&queries[position], &keys, position);
                let factors: Vec<f64> = (0..keys.len()).map(|other| factor(head, position, other)).collect();
                let dweights: Vec<f64> =
                    values.iter().zip(&factors).map(|(value, factor)| factor * dot(dy, value)).collect();
                let mean = dot(&weights, &dweights);
                for other in 0..keys.len() {
                    let dscore = weights[other] * (dweights[other] - mean) * scale;
                    add(&mut dq[position], &keys[other], dscore);
                    add(&mut dk[other], &queries[position], dscore);
                    add(&mut dv[other], dy, weights[other] * factors[other]);
                }
            }
            let [q, k, v] = self.places(head);
            let mut add_to = |position: usize, place: usize, row: &[f64]| {
                add(&mut dx[position * self.inputs() + place..][..self.width], row, 1.0);
            };
            for (position, dq) in dq.iter().enumerate() {
                add_to(self.queries.start + position, q, &self.turned(dq, position, -1.0));
            }
            for (position, (dk, dv)) in dk.iter().zip(&dv).enumerate() {
                add_to(self.keys.start + position, k, &self.turned(dk, position, -1.0));
                add_to(self.keys.start + position, v, dv);
            }
        }
        dx
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// to += factor row
fn add(to: &mut [f64], row: &[f64], factor: f64) {
    to.iter_mut().zip(row).for_each(|(to, x)| *to += factor * x);
}

#[cfg(test)]
mod tests {
    use super::super::numeric_gradient;
    use super::*;

    fn numbers(count: usize, step: f64) -> Vec<f64> {
        (1..=count).map(|i| (i as f64 * step).fract() * 4.0 - 2.0).collect()
    }

    #[test]
    fn gradients_are_those_of_differences() {
        for (heads, kv_heads) in [(1, 1), (2, 1), (4, 2)] {
            for (causal, rotary) in [(false, None), (true, None), (false, Some(10.0)), (true, Some(1e4))] {
                let whole = Attention::of(5, [heads, kv_heads], 4, causal, rotary);
                for (queries, keys) in [(0..5, 0..5), (2..5, 2..5), (3..5, 0..3)] {
                    if causal && queries != keys {
                        continue;
                    }
                    let twin = Attention { queries, keys, ..whole.clone() };
                    let x = numbers(5 * twin.inputs(), 0.618_033_988_7);
                    let dy = numbers(5 * twin.outputs(), 0.754_877_666_2);
                    let numeric = numeric_gradient(|x| dot(&dy, &twin.forward(x)), &x, 1e-5);
                    let gradient = twin.backward(&dy, &x);
                    for (at, (numeric, gradient)) in numeric.iter().zip(&gradient).enumerate() {
                        assert!((numeric - gradient).abs() < 1e-7, "{twin:?} {at}: {numeric} {gradient}");
                    }
                }
            }
        }
    }

    #[test]
    fn gradients_with_factors_are_those_of_differences() {
        let twin = Attention::of(5, [4, 2], 4, true, Some(10.0));
        let factor = |head: usize, query: usize, key: usize| [0.0, 1.25, 2.5][(head + 2 * query + key) % 3];
        let x = numbers(5 * twin.inputs(), 0.618_033_988_7);
        let dy = numbers(5 * twin.outputs(), 0.754_877_666_2);
        let numeric = numeric_gradient(|x| dot(&dy, &twin.forward_dropped(x, factor)), &x, 1e-5);
        for (numeric, gradient) in numeric.iter().zip(twin.backward_dropped(&dy, &x, factor)) {
            assert!((numeric - gradient).abs() < 1e-7, "{numeric} {gradient}");
        }
    }

    /// Equal products, so equal weights: means of what is seen.
    #[test]
    fn without_queries_it_is_a_mean() {
        for causal in [false, true] {
            let twin = Attention::of(3, [1, 1], 1, causal, None);
            let y = twin.forward(&[0.0, 1.0, 3.0, 0.0, 2.0, 5.0, 0.0, 3.0, 10.0]);
            let expected = if causal { [3.0, 4.0, 6.0] } else { [6.0; 3] };
            assert!(y.iter().zip(expected).all(|(y, expected)| (y - expected).abs() < 1e-12), "{y:?}");
        }
    }
}
