//! Attention between the positions of a sequence (Vaswani et al.: Attention Is All You Need, 2017), of queries, keys and
//! values that are there: several heads side by side, which may share keys and values in groups (Ainslie et al.: GQA,
//! 2023). The layers that make queries, keys and values, and that mix the heads, stand before it and behind it.

use super::in_order::{Advance, Along, InOrder};
use super::layer::{Backward, Flops, Forward, Layer};
use crate::kernels::image::Image;
use crate::kernels::sequence::attention::{self, Head};
use crate::kernels::sequence::rotary::Rotary;
use crate::tensor::{MatrixMut, MatrixRef};

/// Attention without parameters. At each position the input has the queries of all heads, `[heads][width]`, then keys and
/// values, `[kv_heads][width]` each; the output is `[heads][width]`.
#[derive(Clone, Debug)]
pub struct Attention {
    pub positions: usize,
    /// Of queries.
    pub heads: usize,
    /// Of keys and values, a divisor of the others: each serves as many heads of queries that follow each other.
    pub kv_heads: usize,
    /// Numbers of a query, of a key and of a value.
    pub width: usize,
    /// Whether a position sees itself and those before it alone.
    pub causal: bool,
    /// How queries and keys are turned by their positions, if they are.
    rotary: Option<Rotary>,
}

impl Attention {
    /// Heads of this width, so many of queries and so many of keys and values; with rotary positions the base of the
    /// angles.
    ///
    /// # Panics
    /// If the heads of keys and values do not divide those of queries, or the numbers that are turned are no pairs.
    pub fn new(
        positions: usize,
        [heads, kv_heads]: [usize; 2],
        width: usize,
        causal: bool,
        rotary: Option<f32>,
    ) -> Attention {
        assert!(kv_heads > 0 && heads.is_multiple_of(kv_heads), "{kv_heads} heads for {heads}");
        let rotary = rotary.map(|base| Rotary::new(positions, width, base));
        Attention { positions, heads, kv_heads, width, causal, rotary }
    }

    /// What the layer takes: queries, keys and values.
    pub fn input(&self) -> Image {
        Image::new(1, self.positions, (self.heads + 2 * self.kv_heads) * self.width)
    }

    fn output(&self) -> Image {
        Image::new(1, self.positions, self.heads * self.width)
    }

    fn head(&self) -> Head<'_> {
        let Attention { positions, width, causal, .. } = *self;
        Head { positions, width, causal, rotary: self.rotary.as_ref() }
    }

    /// The heads of queries that have these keys and values.
    fn group(&self, shared: usize) -> std::ops::Range<usize> {
        let size = self.heads / self.kv_heads;
        shared * size..(shared + 1) * size
    }

    /// The numbers of keys and values of a head of these, among all heads of a position.
    fn keys_and_values(&self, shared: usize) -> [usize; 2] {
        [self.heads + shared, self.heads + self.kv_heads + shared]
    }

    /// The rows of a head, by its number in a row of such an image: `[positions, width]`.
    fn rows<'x>(&self, x: &'x [f32], image: Image, number: usize) -> MatrixRef<'x> {
        MatrixRef::new(&x[number * self.width..], self.positions, self.width, image.pitch)
    }

    fn rows_mut<'x>(&self, x: &'x mut [f32], image: Image, number: usize) -> MatrixMut<'x> {
        MatrixMut::new(&mut x[number * self.width..], self.positions, self.width, image.pitch)
    }

    /// The logarithms of the sums of a row's head, of what is saved: `[rows, heads, positions]`.
    fn saved(&self, row: usize, head: usize) -> std::ops::Range<usize> {
        let start = (row * self.heads + head) * self.positions;
        start..start + self.positions
    }
}

/// Zeros in what pads each pixel.
fn pad(row: &mut [f32], Image { channels, pitch, .. }: Image) {
    if channels < pitch {
        row.chunks_exact_mut(pitch).for_each(|pixel| pixel[channels..].fill(0.0));
    }
}

impl Layer for Attention {
    fn kind(&self) -> String {
        if self.causal { "causal attention".into() } else { "attention".into() }
    }

    fn outputs(&self) -> usize {
        self.output().features()
    }

    fn image(&self) -> Option<Image> {
        Some(self.output())
    }

    /// By convention products of all queries with all keys count, though causal attention leaves out nearly half of them, and
    /// those that the backward pass makes again do not.
    fn flops(&self) -> Flops {
        let pairs = self.positions as f64 * self.positions as f64;
        let forward = 2.0 * (2.0 * pairs * self.width as f64 * self.heads as f64);
        Flops { forward, backward: 2.0 * forward, gradient: 0.0 }
    }

    fn scratch_len(&self) -> usize {
        let head = self.head();
        attention::Forward::scratch_len(&head).max(attention::Backward::scratch_len(&head))
    }

    /// The logarithm of the sum of the exponentials for each query.
    fn saved_len(&self, rows: usize) -> usize {
        rows * self.heads * self.positions
    }

    fn forward(&self, Forward { mut y, x, scratch, .. }: Forward) {
        let (scratch, saved) = scratch.split_at_mut(self.scratch_len());
        let (input, output) = (self.input(), self.output());
        let mut pass = attention::Forward::new(self.head(), scratch);
        for row in 0..y.rows() {
            let (x, y) = (x.row(row), y.row(row));
            for shared in 0..self.kv_heads {
                let [keys, values] = self.keys_and_values(shared).map(|number| self.rows(x, input, number));
                pass.take_keys(keys, values);
                for head in self.group(shared) {
                    let log_sums = &mut saved[self.saved(row, head)];
                    pass.attend(self.rows_mut(y, output, head), log_sums, self.rows(x, input, head));
                }
            }
            pad(y, output);
        }
    }

    fn prepares_gradient(&self) -> bool {
        false
    }

    fn along(&self) -> Along<'_> {
        if self.causal { Along::InOrder(self) } else { Along::Together }
    }

    /// Inverts the forward pass.
    fn backward(&self, Backward { dx, dy, x, y, scratch, .. }: Backward) {
        let Some(mut dx) = dx else { return };
        let (scratch, saved) = scratch.split_at_mut(self.scratch_len());
        let (input, output, dy) = (self.input(), self.output(), dy.as_ref());
        let mut pass = attention::Backward::new(self.head(), scratch);
        for row in 0..dx.rows() {
            let (dx, dy, x, y) = (dx.row(row), dy.row(row), x.row(row), y.row(row));
            for shared in 0..self.kv_heads {
                let [of_keys, of_values] = self.keys_and_values(shared);
                pass.take_keys(self.rows(x, input, of_keys), self.rows(x, input, of_values));
                for head in self.group(shared) {
                    let [dy, y] = [dy, y].map(|y| self.rows(y, output, head));
                    let own = [dy, y, self.rows(x, input, head)];
                    pass.attend(self.rows_mut(dx, input, head), own, &saved[self.saved(row, head)]);
                }
                pass.finish_keys(self.rows_mut(dx, input, of_keys));
                pass.finish_values(self.rows_mut(dx, input, of_values));
            }
            pad(dx, input);
        }
    }
}

/// What is kept are the keys, turned where positions are rotary, and the values of the positions before: a cache.
impl InOrder for Attention {
    /// `[positions, kv_heads, width]` of keys, then of values.
    fn state_len(&self) -> usize {
        2 * self.positions * self.kv_heads * self.width
    }

    /// A query, and a weight for each position.
    fn work_len(&self) -> usize {
        self.width + self.positions
    }

    fn most(&self) -> Option<usize> {
        Some(self.positions)
    }

    fn advance(&self, Advance { y, x, at, state, scratch, .. }: Advance) {
        let (width, each) = (self.width, self.kv_heads * self.width);
        let (keys, values) = state.split_at_mut(self.positions * each);
        let [of_keys, of_values] = self.keys_and_values(0).map(|number| number * width);
        let own = at * each..(at + 1) * each;
        values[own.clone()].copy_from_slice(&x[of_values..of_values + each]);
        let turn = |to: &mut [f32], from: &[f32]| match &self.rotary {
            Some(rotary) => {
                let from = MatrixRef::new(from, 1, width, width);
                rotary.rotate(MatrixMut::new(to, 1, width, width), from, at, 1.0);
            }
            None => to.copy_from_slice(from),
        };
        let from = x[of_keys..of_keys + each].chunks_exact(width);
        keys[own].chunks_exact_mut(width).zip(from).for_each(|(to, from)| turn(to, from));
        let (query, weights) = scratch.split_at_mut(width);
        let (y, padding) = y.split_at_mut(self.heads * width);
        for (head, y) in y.chunks_exact_mut(width).enumerate() {
            turn(query, &x[head * width..(head + 1) * width]);
            let shared = head / (self.heads / self.kv_heads);
            let [keys, values] = [&keys[..], &values[..]]
                .map(|all| MatrixRef::new(&all[shared * width..], at + 1, width, each));
            attention::attend_one(y, query, keys, values, &mut weights[..at + 1]);
        }
        padding.fill(0.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::reference;

    const ROWS: usize = 2;

    /// Of the largest number, or of 1.
    const TOLERANCE: f64 = 1e-5;

    fn numbers(count: usize, step: f64) -> Vec<f32> {
        (1..=count).map(|i| ((i as f64 * step).fract() * 4.0 - 2.0) as f32).collect()
    }

    /// Rows of samples `[ROWS, positions, channels]`, padded with zeros.
    fn placed(values: &[f32], image: Image) -> Vec<f32> {
        let mut rows = vec![0.0; ROWS * image.columns()];
        for (to, from) in rows.chunks_exact_mut(image.pitch).zip(values.chunks_exact(image.channels)) {
            to[..from.len()].copy_from_slice(from);
        }
        rows
    }

    /// The inverse; padding must be zeros.
    fn taken(rows: &[f32], image: Image) -> Vec<f32> {
        let pixel = |pixel: &[f32]| {
            assert!(pixel[image.channels..].iter().all(|&x| x == 0.0), "padding");
            pixel[..image.channels].to_vec()
        };
        rows.chunks_exact(image.pitch).flat_map(pixel).collect()
    }

    /// The output and the gradient of the input, `[ROWS, positions, channels]`.
    fn fast(layer: &Attention, x: &[f32], dy: &[f32]) -> [Vec<f32>; 2] {
        let (input, output) = (layer.input(), layer.output());
        let (x, mut dy) = (placed(x, input), placed(dy, output));
        let [mut y, mut dx] = [output, input].map(|image| vec![f32::NAN; ROWS * image.columns()]);
        let mut scratch = vec![f32::NAN; layer.scratch_len() + layer.saved_len(ROWS)];
        let [of_x, of_y] = [input, output].map(|image| image.columns());
        layer.forward(Forward {
            y: MatrixMut::new(&mut y, ROWS, of_y, of_y),
            x: MatrixRef::new(&x, ROWS, of_x, of_x),
            storage: &[],
            derived: &[],
            columns: 0..of_y,
            scratch: &mut scratch,
            training: None,
        });
        let saved = layer.scratch_len();
        scratch[..saved].fill(f32::NAN);
        layer.backward(Backward {
            dx: Some(MatrixMut::new(&mut dx, ROWS, of_x, of_x)),
            dy: MatrixMut::new(&mut dy, ROWS, of_y, of_y),
            x: MatrixRef::new(&x, ROWS, of_x, of_x),
            y: MatrixRef::new(&y, ROWS, of_y, of_y),
            storage: &[],
            derived: &[],
            scratch: &mut scratch,
            training: None,
        });
        [taken(&y, output), taken(&dx, input)]
    }

    /// The same in f64.
    fn exact(layer: &Attention, rotary: Option<f32>, x: &[f32], dy: &[f32]) -> [Vec<f64>; 2] {
        let &Attention { positions, heads, kv_heads, width, causal, .. } = layer;
        let rotary = rotary.map(f64::from);
        let twin = reference::attention::Attention { positions, heads, kv_heads, width, causal, rotary };
        let [x, dy] = [x, dy].map(|values| values.iter().map(|x| f64::from(*x)).collect::<Vec<f64>>());
        let rows = || x.chunks_exact(positions * twin.inputs());
        let gradients = dy.chunks_exact(positions * twin.outputs());
        let dx = gradients.zip(rows()).flat_map(|(dy, x)| twin.backward(dy, x)).collect();
        [rows().flat_map(|x| twin.forward(x)).collect(), dx]
    }

    fn deviation(fast: &[f32], exact: &[f64]) -> f64 {
        assert_eq!(fast.len(), exact.len());
        let scale = exact.iter().fold(1.0f64, |largest, x| largest.max(x.abs()));
        let each = fast.iter().zip(exact).map(|(fast, exact)| (f64::from(*fast) - exact).abs() / scale);
        each.fold(0.0, |largest, x| if x <= largest { largest } else { x })
    }

    fn agrees(positions: usize, heads: [usize; 2], width: usize) {
        for (causal, rotary) in [(false, None), (true, None), (true, Some(100.0)), (false, Some(10_000.0))] {
            let layer = Attention::new(positions, heads, width, causal, rotary);
            let x = numbers(ROWS * layer.input().features(), 0.618_033_988_7);
            let dy = numbers(ROWS * layer.output().features(), 0.754_877_666_2);
            let (fast, exact) = (fast(&layer, &x, &dy), exact(&layer, rotary, &x, &dy));
            for (number, (fast, exact)) in fast.iter().zip(&exact).enumerate() {
                let found = deviation(fast, exact);
                assert!(
                    found <= TOLERANCE,
                    "{positions} {heads:?} {width} {causal} {rotary:?} {number}: {found:e}"
                );
                // What the test would see.
                let mut wrong = fast.clone();
                *wrong.last_mut().unwrap() += 1e-3 * exact.iter().fold(1.0f32, |m, x| m.max(x.abs() as f32));
                assert!(deviation(&wrong, exact) > TOLERANCE);
            }
        }
    }

    #[test]
    fn short_sequences_agree_with_the_twin() {
        for positions in [1, 2, 17] {
            for heads in [[1, 1], [2, 1], [2, 2], [4, 2], [4, 1]] {
                [8, 16, 20, 32].into_iter().for_each(|width| agrees(positions, heads, width));
            }
        }
    }

    /// Of one block and of several, of which the last is short.
    #[test]
    fn long_sequences_agree_with_the_twin() {
        for (positions, heads, width) in [
            (64, [2, 1], 20),
            (64, [1, 1], 32),
            (65, [1, 1], 8),
            (65, [4, 2], 16),
            (130, [2, 1], 20),
            (130, [1, 1], 32),
        ] {
            agrees(positions, heads, width);
        }
    }

    /// Products that no exponential holds.
    #[test]
    fn large_products_do_not_overflow() {
        let layer = Attention::new(70, [1, 1], 16, true, None);
        let x: Vec<f32> = numbers(ROWS * layer.input().features(), 0.618_033_988_7);
        let x: Vec<f32> = x.iter().map(|x| x * 100.0).collect();
        let dy = numbers(ROWS * layer.output().features(), 0.754_877_666_2);
        let [y, dx] = fast(&layer, &x, &dy);
        assert!(y.iter().chain(&dx).all(|x| x.is_finite()));
    }

    /// What a later position holds changes nothing before it.
    #[test]
    fn causal_attention_does_not_look_ahead() {
        let layer = Attention::new(70, [2, 1], 8, true, Some(10_000.0));
        let (inputs, outputs) = (layer.input().channels, layer.output().channels);
        let mut x = numbers(ROWS * layer.input().features(), 0.618_033_988_7);
        let dy = numbers(ROWS * layer.output().features(), 0.754_877_666_2);
        let [before, _] = fast(&layer, &x, &dy);
        let changed = 66;
        x[changed * inputs..70 * inputs].iter_mut().for_each(|x| *x += 1.0);
        let [after, _] = fast(&layer, &x, &dy);
        assert_eq!(before[..changed * outputs], after[..changed * outputs]);
        assert_ne!(before[changed * outputs..70 * outputs], after[changed * outputs..70 * outputs]);
    }
}
