//! Attention between the positions of a sequence (Vaswani et al.: Attention Is All You Need, 2017), of queries, keys and
//! values that are there: several heads side by side, which may share keys and values in groups (Ainslie et al.: GQA,
//! 2023). The layers that make queries, keys and values, and that mix the heads, stand before it and behind it. Queries may
//! be those of some positions alone, and keys and values those of others.

use std::ops::Range;

use super::dropout::row_key;
use super::in_order::{Advance, Along, InOrder};
use super::layer::{Backward, Flops, Forward, Layer, Training, length_of};
use crate::kernels::image::Image;
use crate::kernels::sequence::attention::{self, Dropped, Head};
use crate::kernels::sequence::rotary::Rotary;
use crate::rng;
use crate::tensor::{MatrixMut, MatrixRef};

/// Attention without parameters. At each position the input has the queries of all heads, `[heads][width]`, then keys and
/// values, `[kv_heads][width]` each; the output is `[heads][width]`, zeros at positions that have no query.
#[derive(Clone, Debug)]
pub struct Attention {
    pub positions: usize,
    /// The positions that have a query, and those that have a key and a value.
    queries: Range<usize>,
    keys: Range<usize>,
    /// Of queries.
    pub heads: usize,
    /// Of keys and values, a divisor of the others: each serves as many heads of queries that follow each other.
    pub kv_heads: usize,
    /// Numbers of a query, of a key and of a value.
    pub width: usize,
    /// Whether a position sees itself and those before it alone.
    pub causal: bool,
    /// How queries and keys are turned by their positions, each counted from the first that has one, if they are.
    rotary: Option<Rotary>,
    /// The part of the weights that is dropped in training, in [0, 1).
    dropout: f64,
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
        let (queries, keys) = (0..positions, 0..positions);
        Attention { positions, queries, keys, heads, kv_heads, width, causal, rotary, dropout: 0.0 }
    }

    /// The same with a part of the weights of the softmax, in [0, 1), dropped in training.
    pub fn with_dropout(self, rate: f64) -> Attention {
        Attention { dropout: rate, ..self }
    }

    /// The same with queries at some positions alone, and keys and values at these or at others.
    ///
    /// # Panics
    /// If there are none of either, if they lie behind the last position, or if they are not the same where a position sees
    /// no later one.
    pub fn between(self, queries: Range<usize>, keys: Range<usize>) -> Attention {
        let is_part = |part: &Range<usize>| !part.is_empty() && part.end <= self.positions;
        assert!(is_part(&queries) && is_part(&keys), "{queries:?} and {keys:?} of {}", self.positions);
        assert!(!self.causal || queries == keys, "causal attention of {queries:?} to {keys:?}");
        Attention { queries, keys, ..self }
    }

    /// Whether every position has a query, a key and a value.
    fn is_of_all(&self) -> bool {
        [&self.queries, &self.keys].into_iter().all(|part| *part == (0..self.positions))
    }

    /// What drops weights of a head of a row, if some are.
    fn dropped(&self, training: Option<&Training>, row: usize, head: usize) -> Option<Dropped> {
        let training = training.filter(|_| self.dropout > 0.0)?;
        Some(Dropped::new(self.dropout, rng::mix(row_key(training, row) ^ head as u64)))
    }

    /// What the layer takes: queries, keys and values.
    pub fn input(&self) -> Image {
        Image::new(1, self.positions, (self.heads + 2 * self.kv_heads) * self.width)
    }

    fn output(&self) -> Image {
        Image::new(1, self.positions, self.heads * self.width)
    }

    fn head(&self) -> Head<'_> {
        let Attention { width, causal, .. } = *self;
        let [queries, keys] = [self.queries.len(), self.keys.len()];
        Head { queries, keys, width, causal, rotary: self.rotary.as_ref() }
    }

    /// The heads of queries that have these keys and values.
    fn group(&self, shared: usize) -> Range<usize> {
        let size = self.heads / self.kv_heads;
        shared * size..(shared + 1) * size
    }

    /// The numbers of keys and values of a head of these, among all heads of a position.
    fn keys_and_values(&self, shared: usize) -> [usize; 2] {
        [self.heads + shared, self.heads + self.kv_heads + shared]
    }

    /// The positions of queries, and of keys, of a sequence of so many positions; without either nothing comes out.
    fn counted(&self, length: usize) -> [Range<usize>; 2] {
        let part = |part: &Range<usize>| part.start.min(length)..part.end.min(length);
        [part(&self.queries), part(&self.keys)]
    }

    /// The rows of a head at some positions, by its number in a row of such an image: `[part.len(), width]`.
    fn rows<'x>(&self, x: &'x [f32], image: Image, number: usize, part: &Range<usize>) -> MatrixRef<'x> {
        let start = part.start * image.pitch + number * self.width;
        MatrixRef::new(&x[start..], part.len(), self.width, image.pitch)
    }

    fn rows_mut<'x>(
        &self,
        x: &'x mut [f32],
        image: Image,
        number: usize,
        part: &Range<usize>,
    ) -> MatrixMut<'x> {
        let start = part.start * image.pitch + number * self.width;
        MatrixMut::new(&mut x[start..], part.len(), self.width, image.pitch)
    }

    /// The logarithms of the sums of a row's head, of what is saved: `[rows, heads, queries]`.
    fn saved(&self, row: usize, head: usize) -> Range<usize> {
        let start = (row * self.heads + head) * self.queries.len();
        start..start + self.queries.len()
    }
}

/// Zeros in these channels of the positions of a row that are not among some.
fn clear(row: &mut [f32], image: Image, among: &Range<usize>, channels: Range<usize>) {
    let (before, rest) = row.split_at_mut(among.start * image.pitch);
    let behind = &mut rest[among.len() * image.pitch..];
    for pixel in before.chunks_exact_mut(image.pitch).chain(behind.chunks_exact_mut(image.pitch)) {
        pixel[channels.clone()].fill(0.0);
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
        let kind = match self.causal {
            true => "causal attention",
            false if self.queries != self.keys => "cross-attention",
            false => "attention",
        };
        let part = if self.is_of_all() { "" } else { &format!(", {} positions", self.queries.len()) };
        match self.dropout {
            0.0 => format!("{kind}{part}"),
            rate => format!("{kind}{part}, dropout {rate}"),
        }
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
        let pairs = self.queries.len() as f64 * self.keys.len() as f64;
        let forward = 2.0 * (2.0 * pairs * self.width as f64 * self.heads as f64);
        Flops { forward, backward: 2.0 * forward, gradient: 0.0 }
    }

    fn scratch_len(&self) -> usize {
        let head = self.head();
        attention::Forward::scratch_len(&head).max(attention::Backward::scratch_len(&head))
    }

    /// The logarithm of the sum of the exponentials for each query.
    fn saved_len(&self, rows: usize) -> usize {
        rows * self.heads * self.queries.len()
    }

    /// Of a sequence that ends before the last position there are neither queries nor keys behind its length.
    fn forward(&self, Forward { mut y, x, scratch, training, lengths, .. }: Forward) {
        let (scratch, saved) = scratch.split_at_mut(self.scratch_len());
        let (input, output) = (self.input(), self.output());
        let mut pass = attention::Forward::new(self.head(), scratch);
        for row in 0..y.rows() {
            let length = length_of(lengths, row, self.positions);
            let x = &x.row(row)[..length * input.pitch];
            let (y, behind) = y.row(row).split_at_mut(length * output.pitch);
            behind.fill(0.0);
            let [of_queries, of_keys] = self.counted(length);
            if of_queries.is_empty() || of_keys.is_empty() {
                y.fill(0.0);
                continue;
            }
            for shared in 0..self.kv_heads {
                let [keys, values] =
                    self.keys_and_values(shared).map(|number| self.rows(x, input, number, &of_keys));
                pass.take_keys(keys, values);
                for head in self.group(shared) {
                    let log_sums = &mut saved[self.saved(row, head)][..of_queries.len()];
                    let y = self.rows_mut(y, output, head, &of_queries);
                    let queries = self.rows(x, input, head, &of_queries);
                    pass.attend(y, log_sums, queries, self.dropped(training, row, head).as_ref());
                }
            }
            clear(y, output, &of_queries, 0..output.channels);
            pad(y, output);
        }
    }

    fn prepares_gradient(&self) -> bool {
        false
    }

    fn along(&self) -> Along<'_> {
        if self.causal && self.is_of_all() { Along::InOrder(self) } else { Along::Together }
    }

    /// Inverts the forward pass.
    fn backward(&self, Backward { dx, dy, x, y, scratch, training, lengths, .. }: Backward) {
        let Some(mut dx) = dx else { return };
        let (scratch, saved) = scratch.split_at_mut(self.scratch_len());
        let (input, output, dy) = (self.input(), self.output(), dy.as_ref());
        let mut pass = attention::Backward::new(self.head(), scratch);
        for row in 0..dx.rows() {
            let length = length_of(lengths, row, self.positions);
            let (dx, behind) = dx.row(row).split_at_mut(length * input.pitch);
            behind.fill(0.0);
            let x = &x.row(row)[..length * input.pitch];
            let [dy, y] = [dy, y].map(|y| &y.row(row)[..length * output.pitch]);
            let [of_queries, of_keys] = self.counted(length);
            if of_queries.is_empty() || of_keys.is_empty() {
                dx.fill(0.0);
                continue;
            }
            for shared in 0..self.kv_heads {
                let numbers = self.keys_and_values(shared);
                let [keys, values] = numbers.map(|number| self.rows(x, input, number, &of_keys));
                pass.take_keys(keys, values);
                for head in self.group(shared) {
                    let [dy, y] = [dy, y].map(|y| self.rows(y, output, head, &of_queries));
                    let own = [dy, y, self.rows(x, input, head, &of_queries)];
                    let dq = self.rows_mut(dx, input, head, &of_queries);
                    let log_sums = &saved[self.saved(row, head)][..of_queries.len()];
                    pass.attend(dq, own, log_sums, self.dropped(training, row, head).as_ref());
                }
                let [key, value] = numbers;
                pass.finish_keys(self.rows_mut(dx, input, key, &of_keys));
                pass.finish_values(self.rows_mut(dx, input, value, &of_keys));
            }
            let channels = self.heads * self.width;
            clear(dx, input, &of_queries, 0..channels);
            clear(dx, input, &of_keys, channels..input.channels);
            pad(dx, input);
        }
    }
}

/// What is kept are the keys, turned where positions are rotary, and the values of the positions before: a cache.
impl InOrder for Attention {
    /// Keys and values of each head of these.
    fn state_len(&self) -> usize {
        self.kv_heads * attention::Cached::kept_len(&self.head())
    }

    fn work_len(&self, positions: usize) -> usize {
        attention::Cached::scratch_len(&Head { queries: positions, ..self.head() })
    }

    fn most(&self) -> Option<usize> {
        Some(self.positions)
    }

    fn advance(&self, Advance { mut y, x, at, state, scratch, .. }: Advance) {
        let (n, width) = (x.rows(), self.width);
        let columns = |number: usize| number * width..(number + 1) * width;
        let mut pass = attention::Cached::new(Head { queries: n, ..self.head() }, scratch);
        let each = attention::Cached::kept_len(&self.head());
        for (shared, kept) in state.chunks_exact_mut(each).enumerate() {
            pass.keep(kept, self.keys_and_values(shared).map(|number| x.block(0..n, columns(number))), at);
            for head in self.group(shared) {
                let y = y.reborrow().into_block(0..n, columns(head));
                pass.attend(y, kept, x.block(0..n, columns(head)), at);
            }
        }
        for row in 0..n {
            y.row(row)[self.heads * width..].fill(0.0);
        }
    }
}

#[cfg(test)]
mod tests;
