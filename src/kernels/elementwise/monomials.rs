//! All monomials of some numbers up to a degree. Those of a degree are runs: a number times all monomials of the degree
//! before that begin with it or a later one, which lie one after the other.

use crate::kernels::simd::reduce::{LANES, tree};
use crate::kernels::simd::vectorise::vectorise;

/// How many monomials of degree 1 to `degree` there are of so many numbers, with `interactions_only` of different ones
/// alone; none if they are more than can be counted. Σₖ C(n + k - 1, k), or Σₖ C(n, k).
pub fn count(inputs: usize, degree: usize, interactions_only: bool) -> Option<u128> {
    let (mut term, mut sum) = (1u128, 0u128);
    for k in 1..=degree as u128 {
        let inputs = inputs as u128;
        let factor = if interactions_only { (inputs + 1).saturating_sub(k) } else { inputs + k - 1 };
        // A product of k successive numbers, so it can be divided.
        term = term.checked_mul(factor)? / k;
        sum = sum.checked_add(term)?;
    }
    Some(sum)
}

/// The monomials of so many numbers, in the order of the degree, then of their factors: a b c aa ab ac bb bc cc.
#[derive(Clone, Debug)]
pub struct Monomials {
    inputs: usize,
    count: usize,
    runs: Vec<Run>,
}

/// Monomials that are a number times others.
#[derive(Clone, Copy, Debug)]
struct Run {
    /// The number.
    input: usize,
    /// The first of the others.
    from: usize,
    /// The first of these.
    to: usize,
    len: usize,
}

impl Monomials {
    /// Those of `inputs` numbers whose [`count`] has been found to be one that memory holds.
    pub fn new(inputs: usize, degree: usize, interactions_only: bool) -> Monomials {
        let mut runs = Vec::new();
        // Where the monomials of the last degree begin that have no factor before each number; and where all end.
        let mut starts: Vec<usize> = (0..=inputs).collect();
        for _ in 1..degree {
            let (mut end, mut next) = (starts[inputs], Vec::with_capacity(inputs + 1));
            for input in 0..inputs {
                next.push(end);
                let from = starts[input + usize::from(interactions_only)];
                let len = starts[inputs] - from;
                runs.extend((len > 0).then_some(Run { input, from, to: end, len }));
                end += len;
            }
            next.push(end);
            starts = next;
        }
        Monomials { inputs, count: starts[inputs], runs }
    }

    /// How many numbers there are.
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// How many monomials there are.
    pub fn count(&self) -> usize {
        self.count
    }

    /// The numbers that are multiplied to the monomial at a place, which is below their [`count`](Monomials::count), from
    /// the first on.
    pub fn factors(&self, mut place: usize) -> Vec<usize> {
        let mut factors = Vec::new();
        while place >= self.inputs {
            // Runs lie in the order of their monomials, without gaps.
            let run = self.runs[self.runs.partition_point(|run| run.to <= place) - 1];
            factors.push(run.input);
            place = run.from + (place - run.to);
        }
        factors.push(place);
        factors
    }

    /// The monomials `y` `[count]` of the numbers `x` `[inputs]`.
    pub fn forward(&self, y: &mut [f32], x: &[f32]) {
        debug_assert!(y.len() == self.count && x.len() == self.inputs);
        vectorise(
            #[inline(always)]
            || {
                y[..x.len()].copy_from_slice(x);
                for &Run { input, from, to, len } in &self.runs {
                    let (before, y) = y.split_at_mut(to);
                    for (y, &of_others) in y[..len].iter_mut().zip(&before[from..from + len]) {
                        *y = x[input] * of_others;
                    }
                }
            },
        );
    }

    /// Inverts [`forward`](Monomials::forward): the gradient of the numbers, `dx` `[inputs]`, from that of the monomials, `dy`
    /// `[count]`, which is overwritten. Sums run in 16 lanes, whatever the instruction set.
    pub fn backward(&self, dx: &mut [f32], dy: &mut [f32], x: &[f32], y: &[f32]) {
        debug_assert!(dy.len() == self.count && y.len() == self.count);
        debug_assert!(dx.len() == self.inputs && x.len() == self.inputs);
        dx.fill(0.0);
        vectorise(
            #[inline(always)]
            || {
                // From the highest degree down, each factor gets its part.
                for &Run { input, from, to, len } in self.runs.iter().rev() {
                    let (before, dy) = dy.split_at_mut(to);
                    let (dothers, dy) = (&mut before[from..from + len], &dy[..len]);
                    dx[input] += dot(dy, &y[from..from + len]);
                    for (dothers, &dy) in dothers.iter_mut().zip(dy) {
                        *dothers = x[input].mul_add(dy, *dothers);
                    }
                }
                for (dx, dy) in dx.iter_mut().zip(&*dy) {
                    *dx += dy;
                }
            },
        );
    }
}

/// Σ a b over `a`, `b` `[n]`.
#[inline(always)]
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut lanes = [0.0f32; LANES];
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
    for (a, b) in a.iter().zip(b) {
        for ((lane, a), b) in lanes.iter_mut().zip(a).zip(b) {
            *lane = a.mul_add(*b, *lane);
        }
    }
    for ((lane, a), b) in lanes.iter_mut().zip(a_rest).zip(b_rest) {
        *lane = a.mul_add(*b, *lane);
    }
    tree(lanes, |a, b| a + b)
}
