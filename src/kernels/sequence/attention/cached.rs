//! Causal attention to keys and values that are kept, as a text is read and continued: positions that follow each other see
//! themselves and all before them.
//!
//! Blocks of keys begin at multiples of 64 positions, whatever the queries are, and of the last block, which holds the queries'
//! own keys, strips of queries begin at multiples of 16. So all sums of a query have an order that follows from its position
//! alone: it has the same bits whether it comes by itself or with others.

use std::ops::Range;

use super::head::{BLOCK, Head, STRIP, cut, padded_rows, scaled};
use super::softmax::Softmax;
use crate::kernels::products::gemm::{self, Epilogue};
use crate::tensor::{LANES, MatrixMut, MatrixRef, padded};

/// Attention of a few queries, those of positions that follow each other, to what is kept of a head of keys and values.
pub struct Cached<'a> {
    /// Of as many keys as positions that can be kept, and of the most queries at once.
    head: Head<'a>,
    /// Of a block: queries, turned and scaled; sums of values, and what one block of keys adds to them; `[64, pitch]`.
    queries: &'a mut [f32],
    sums: &'a mut [f32],
    added: &'a mut [f32],
    /// Products, then weights, of a block: `[64, 64]`.
    scores: &'a mut [f32],
}

/// Cuts positions at the multiples of `each`.
fn pieces(positions: Range<usize>, each: usize) -> impl Iterator<Item = Range<usize>> {
    let Range { mut start, end } = positions;
    std::iter::from_fn(move || {
        let piece = start..((start / each + 1) * each).min(end);
        start = piece.end;
        (!piece.is_empty()).then_some(piece)
    })
}

/// What the queries of some positions meet in one block of keys.
struct Meeting {
    /// The positions of the queries, which lie in one block.
    queries: Range<usize>,
    /// The keys, from a multiple of 64 on.
    keys: Range<usize>,
    /// Whether these are the queries' own, of which each sees a part.
    is_cut: bool,
}

impl Meeting {
    /// How many of the keys the query of this number sees.
    #[inline(always)]
    fn seen(&self, query: usize) -> usize {
        if self.is_cut { self.queries.start + query + 1 - self.keys.start } else { self.keys.len() }
    }

    /// The queries in parts, by their numbers, each with how many of the keys they see together.
    fn parts(&self) -> impl Iterator<Item = (Range<usize>, usize)> {
        let Range { start, .. } = self.queries;
        let parts = pieces(self.queries.clone(), if self.is_cut { STRIP } else { BLOCK });
        parts.map(move |part| {
            let own = part.start - start..part.end - start;
            let seen = self.seen(own.end - 1);
            (own, seen)
        })
    }
}

impl<'a> Cached<'a> {
    /// Floats that are kept of a head of keys and values: keys, turned, in panels `[positions / 16][width][16]`, and values,
    /// `[positions, pitch]`.
    pub fn kept_len(head: &Head) -> usize {
        padded(head.keys) * head.width + head.rows_len()
    }

    /// Floats of scratch.
    pub fn scratch_len(head: &Head) -> usize {
        3 * head.block_len() + head.scores_len()
    }

    pub fn new(head: Head<'a>, mut scratch: &'a mut [f32]) -> Cached<'a> {
        let mut next = |len| cut(&mut scratch, len);
        Cached {
            queries: next(head.block_len()),
            sums: next(head.block_len()),
            added: next(head.block_len()),
            scores: next(head.scores_len()),
            head,
        }
    }

    /// Keeps the keys and values, `[n, width]`, of the positions from `first` on: in `kept` `[kept_len]`, which has those
    /// before.
    pub fn keep(&mut self, kept: &mut [f32], [keys, values]: [MatrixRef; 2], first: usize) {
        let (head, width, pitch) = (self.head, self.head.width, self.head.pitch());
        let (panels, rows) = kept.split_at_mut(padded(head.keys) * width);
        for piece in pieces(first..first + keys.rows(), BLOCK) {
            let own = piece.start - first..piece.end - first;
            head.turned(self.added, keys.block(own.clone(), 0..width), piece.start, 1.0);
            for (position, key) in piece.clone().zip(self.added.chunks_exact(pitch)) {
                let panel = &mut panels[position / LANES * width * LANES..][..width * LANES];
                let lanes = panel.iter_mut().skip(position % LANES).step_by(LANES);
                lanes.zip(key).for_each(|(to, from)| *to = *from);
            }
            let values = values.block(own, 0..width);
            scaled(padded_rows(&mut rows[piece.start * pitch..piece.end * pitch], values), values, 1.0);
        }
    }

    /// The means of the values for the queries, both `[n, width]`, of the positions from `first` on, the keys and values
    /// of which are among those that are kept.
    pub fn attend(&mut self, mut y: MatrixMut, kept: &[f32], queries: MatrixRef, first: usize) {
        let (head, width) = (self.head, self.head.width);
        for piece in pieces(first..first + queries.rows(), BLOCK) {
            let own = piece.start - first..piece.end - first;
            head.turned(self.queries, queries.block(own.clone(), 0..width), piece.start, head.scale());
            let mut softmax = Softmax::default();
            let last = piece.start / BLOCK;
            for number in 0..=last {
                let keys = number * BLOCK..((number + 1) * BLOCK).min(piece.end);
                let meeting = Meeting { queries: piece.clone(), keys, is_cut: number == last };
                self.meet(&mut softmax, &meeting, kept);
            }
            softmax.finish(y.reborrow().into_rows(own), &mut [], self.sums, head.pitch());
        }
    }

    /// Adds what a block of keys gives to the sums of values.
    fn meet(&mut self, softmax: &mut Softmax, meeting: &Meeting, kept: &[f32]) {
        let (head, pitch, score_pitch) = (self.head, self.head.pitch(), self.head.score_pitch());
        let (panels, values) = kept.split_at(padded(head.keys) * head.width);
        let (n, start) = (meeting.queries.len(), meeting.keys.start);
        for (part, seen) in meeting.parts() {
            let columns = padded(seen);
            let scores = &mut self.scores[part.start * score_pitch..];
            let scores = MatrixMut::new(scores, part.len(), columns, score_pitch);
            let queries = MatrixRef::new(&self.queries[part.start * pitch..], part.len(), head.width, pitch);
            let panels = &panels[start * head.width..(start + columns) * head.width];
            // [n x width] * [width x keys] -> [n x keys], m = n, n = keys, k = width
            gemm::product(scores, queries, panels, None, Epilogue::Plain);
        }
        softmax.update_seen(
            self.scores,
            score_pitch,
            n,
            #[inline(always)]
            |query| meeting.seen(query),
        );
        let is_first = start == 0;
        let sums = if is_first { &mut *self.sums } else { &mut *self.added };
        for (part, seen) in meeting.parts() {
            let sums = MatrixMut::new(&mut sums[part.start * pitch..], part.len(), pitch, pitch);
            let scores = &self.scores[part.start * score_pitch..];
            let weights = MatrixRef::new(scores, part.len(), seen, score_pitch);
            let values = MatrixRef::new(&values[start * pitch..], seen, pitch, pitch);
            // [n x keys] * [keys x pitch] -> [n x pitch], m = n, n = width, k = keys
            gemm::multiply(sums, weights, values);
        }
        if !is_first {
            softmax.rescale_and_add(self.sums, self.added, pitch, n);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::reference;
    use crate::kernels::sequence::rotary::Rotary;

    /// The most positions that are kept: several blocks, and no whole ones.
    const MOST: usize = 150;

    /// The outputs `[positions, width]` of positions that come in chunks of these lengths, of which each position has a query,
    /// a key and a value, `x` `[positions, 3 width]`.
    fn in_chunks(chunks: &[usize], width: usize, rotary: Option<&Rotary>, x: &[f32]) -> Vec<f32> {
        let positions = chunks.iter().sum();
        let rows = MatrixRef::new(x, positions, 3 * width, 3 * width);
        // What is kept need not begin as zeros.
        let mut kept = vec![f32::NAN; Cached::kept_len(&head(1, width, rotary))];
        let mut y = vec![f32::NAN; positions * width];
        let mut first = 0;
        for &n in chunks {
            let head = head(n, width, rotary);
            let mut scratch = vec![f32::NAN; Cached::scratch_len(&head)];
            let mut pass = Cached::new(head, &mut scratch);
            let part = |number: usize| rows.block(first..first + n, number * width..(number + 1) * width);
            pass.keep(&mut kept, [part(1), part(2)], first);
            let y = MatrixMut::new(&mut y[first * width..], n, width, width);
            pass.attend(y, &kept, part(0), first);
            first += n;
        }
        y
    }

    fn head(queries: usize, width: usize, rotary: Option<&Rotary>) -> Head<'_> {
        Head { queries, keys: MOST, width, causal: true, rotary }
    }

    fn numbers(count: usize) -> Vec<f32> {
        (0..count).map(|i| ((i as f64 * 0.618_033_988_7).fract() * 4.0 - 2.0) as f32).collect()
    }

    #[test]
    fn positions_are_cut_at_multiples() {
        let cut = |positions, each| pieces(positions, each).collect::<Vec<_>>();
        assert_eq!(cut(60..130, 64), [60..64, 64..128, 128..130]);
        assert_eq!(cut(64..65, 16), std::slice::from_ref(&(64..65)));
        assert!(cut(7..7, 16).is_empty());
    }

    #[test]
    fn attention_in_order_agrees_with_the_twin() {
        for (positions, width, rotary) in [(1, 8, false), (2, 3, false), (17, 16, true), (MOST, 20, true)] {
            let turned = rotary.then_some(100.0);
            let twin = reference::attention::Attention::of(positions, [1, 1], width, true, turned);
            let x = numbers(positions * 3 * width);
            let wide: Vec<f64> = x.iter().map(|x| f64::from(*x)).collect();
            let rotary = rotary.then(|| Rotary::new(MOST, width, 100.0));
            let found = in_chunks(&vec![1; positions], width, rotary.as_ref(), &x);
            for (y, expected) in found.iter().zip(twin.forward(&wide)) {
                assert!((f64::from(*y) - expected).abs() < 1e-5, "{positions} {width}: {y} {expected}");
            }
        }
    }

    /// A position has the same bits however many come with it, and wherever they are cut.
    #[test]
    fn chunks_have_the_bits_of_single_positions() {
        let width = 20;
        let (rotary, x) = (Rotary::new(MOST, width, 100.0), numbers(MOST * 3 * width));
        let bits = |chunks: &[usize]| -> Vec<u32> {
            in_chunks(chunks, width, Some(&rotary), &x).iter().map(|y| y.to_bits()).collect()
        };
        let alone = bits(&[1; MOST]);
        for chunks in [&[MOST][..], &[64, 64, 22], &[1, 63, 65, 21], &[17, 70, 63], &[63, 1, 1, 80, 5]] {
            assert_eq!(bits(chunks), alone, "{chunks:?}");
        }
    }
}
