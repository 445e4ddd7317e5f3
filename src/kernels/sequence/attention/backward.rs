//! The backward pass of attention. With the weights P of a block, made again from the products S and the logarithms of the
//! sums, and with dP = dy vᵀ: dS = P (dP - dy · y), dv = Pᵀ dy, dk = dSᵀ q and dq = dS k (Dao et al. 2022, algorithm 4).
//! With dropout by the factors F it is dP = F (dy vᵀ) and dv = (P F)ᵀ dy.

use super::dropped::Dropped;
use super::head::{BLOCK, Head, STRIP, blocks, cut, pack, padded_rows, scaled, strips};
use super::softmax::{self, dot};
use crate::kernels::simd::vectorise::vectorise;
use crate::tensor::{LANES, MatrixMut, MatrixRef};

/// The backward pass over heads that share keys and values.
pub struct Backward<'a> {
    /// What memory is there for, and the same with the keys that were taken.
    capacity: Head<'a>,
    head: Head<'a>,
    /// Keys, turned: `[keys, pitch]`, and in panels `[keys / 16][pitch][16]`, as values are.
    key_rows: &'a mut [f32],
    key_panels: &'a mut [f32],
    value_panels: &'a mut [f32],
    /// Sums over queries of the gradients of keys, turned, and of values: for each strip of keys `[pitch / 16][16][16]`.
    dk: &'a mut [f32],
    dv: &'a mut [f32],
    /// Of a block of queries, `[64, pitch]`: they, turned and scaled; the gradients of what comes out and of the queries;
    /// and what one block of keys adds to the latter, where also the gradients of a block of keys or values are unpacked.
    queries: &'a mut [f32],
    dy: &'a mut [f32],
    dq: &'a mut [f32],
    added: &'a mut [f32],
    /// Products, then weights, of a block, and their gradients: `[64, 64]`.
    weights: &'a mut [f32],
    dweights: &'a mut [f32],
    /// Whether no head has added to the sums.
    is_first: bool,
}

impl<'a> Backward<'a> {
    /// Floats of scratch.
    pub fn scratch_len(head: &Head) -> usize {
        3 * head.rows_len()
            + 2 * head.panels_len()
            + 3 * head.block_len()
            + head.either_block_len()
            + 2 * head.scores_len()
    }

    pub fn new(head: Head<'a>, mut scratch: &'a mut [f32]) -> Backward<'a> {
        let mut next = |len| cut(&mut scratch, len);
        Backward {
            key_rows: next(head.rows_len()),
            key_panels: next(head.panels_len()),
            value_panels: next(head.panels_len()),
            dk: next(head.rows_len()),
            dv: next(head.rows_len()),
            queries: next(head.block_len()),
            dy: next(head.block_len()),
            dq: next(head.block_len()),
            added: next(head.either_block_len()),
            weights: next(head.scores_len()),
            dweights: next(head.scores_len()),
            is_first: true,
            capacity: head,
            head,
        }
    }

    /// Takes the keys and values of a sample, `[keys, width]`, for the queries that come: as many as there are,
    /// which may be fewer than there is memory for.
    pub fn take_keys(&mut self, keys: MatrixRef, values: MatrixRef) {
        self.head = self.capacity.with_keys(keys.rows());
        let head = self.head;
        head.turned(self.key_rows, keys, 0, 1.0);
        pack(self.key_panels, MatrixRef::new(self.key_rows, head.keys, head.width, head.pitch()));
        pack(self.value_panels, values);
        self.is_first = true;
    }

    /// The gradient of the queries of a head from that of what comes out, from the latter and from the queries, all
    /// `[queries, width]`, and the logarithms of the sums that the forward pass left, `[queries]`; with the weights
    /// dropped that were so there.
    pub fn attend(
        &mut self,
        mut dq: MatrixMut,
        [dy, y, queries]: [MatrixRef; 3],
        log_sums: &[f32],
        dropped: Option<&Dropped>,
    ) {
        let head = self.head;
        for (number, block) in blocks(queries.rows()).enumerate() {
            let n = block.len();
            let [dy, y, queries] = [dy, y, queries].map(|rows| rows.block(block.clone(), 0..head.width));
            head.turned(self.queries, queries, block.start, head.scale());
            scaled(padded_rows(self.dy, dy), dy, 1.0);
            let products = row_products(dy, y);
            self.block(number, n, &products[..n], &log_sums[block.clone()], dropped);
            let dq = dq.reborrow().into_rows(block.clone());
            // Queries were scaled on their way to the products.
            head.turned_back(dq, self.dq, block.start, head.scale());
        }
        self.is_first = false;
    }

    /// Makes the gradient of a block of `n` queries, and adds to those of keys and values.
    fn block(
        &mut self,
        number: usize,
        n: usize,
        products: &[f32],
        log_sums: &[f32],
        dropped: Option<&Dropped>,
    ) {
        let (head, pitch) = (self.head, self.head.pitch());
        let own = number * BLOCK..number * BLOCK + n;
        for (keys, is_cut) in head.seen(number) {
            let sizes = [n, keys.len()];
            let seen = (&keys, is_cut);
            head.scores(self.weights, self.queries, n, self.key_panels, seen);
            softmax::weights(self.weights, head.score_pitch(), sizes, is_cut, log_sums);
            head.scores(self.dweights, self.dy, n, self.value_panels, seen);
            if let Some(dropped) = dropped {
                let (dweights, weights) = (&mut *self.dweights, &mut *self.weights);
                dropped.backward(dweights, weights, head.score_pitch(), [&own, &keys], products);
            }
            // The first queries that see these keys begin the sums, and all others add to them.
            let begins = self.is_first && number == if head.causal { keys.start / BLOCK } else { 0 };
            let sums = keys.start * pitch..keys.end * pitch;
            let weights = head.weights(self.weights, n, &keys);
            head.gradient(&mut self.dv[sums.clone()], self.dy, weights, is_cut, !begins);
            if dropped.is_none() {
                softmax::backward(self.dweights, self.weights, head.score_pitch(), sizes, is_cut, products);
            }
            let dweights = head.weights(self.dweights, n, &keys);
            head.gradient(&mut self.dk[sums], self.queries, dweights, is_cut, !begins);
            if keys.start == 0 {
                head.weighted(self.dq, dweights, self.key_rows, seen);
            } else {
                head.weighted(self.added, dweights, self.key_rows, seen);
                add(&mut self.dq[..n * pitch], self.added);
            }
        }
    }

    /// Writes the gradient of the keys, summed over the heads that came: `[keys, width]`.
    pub fn finish_keys(&mut self, mut dk: MatrixMut) {
        let (head, pitch) = (self.head, self.head.pitch());
        for keys in blocks(head.keys) {
            unpack(self.added, &self.dk[keys.start * pitch..keys.end * pitch], keys.len(), pitch);
            head.turned_back(dk.reborrow().into_rows(keys.clone()), self.added, keys.start, 1.0);
        }
    }

    /// The same for the values.
    pub fn finish_values(&mut self, mut dv: MatrixMut) {
        let (head, pitch) = (self.head, self.head.pitch());
        for keys in blocks(head.keys) {
            unpack(self.added, &self.dv[keys.start * pitch..keys.end * pitch], keys.len(), pitch);
            let from = MatrixRef::new(self.added, keys.len(), head.width, pitch);
            scaled(dv.reborrow().into_rows(keys), from, 1.0);
        }
    }
}

/// The product of each row with another, `[n, width]` each, n at most 64.
fn row_products(a: MatrixRef, b: MatrixRef) -> [f32; BLOCK] {
    let mut products = [0.0; BLOCK];
    vectorise(
        #[inline(always)]
        || {
            for (row, product) in products.iter_mut().enumerate().take(a.rows()) {
                *product = dot(a.row(row), b.row(row));
            }
        },
    );
    products
}

/// sums += added, elementwise.
fn add(sums: &mut [f32], added: &[f32]) {
    vectorise(
        #[inline(always)]
        || {
            for (sum, added) in sums.iter_mut().zip(added) {
                *sum += added;
            }
        },
    );
}

/// Rows `[n, pitch]` from `panels` `[strips][pitch / 16][16][16]`.
fn unpack(rows: &mut [f32], panels: &[f32], n: usize, pitch: usize) {
    for (strip, panels) in strips(n).zip(panels.chunks(STRIP * pitch)) {
        let rows = &mut rows[strip.start * pitch..strip.end * pitch];
        for (panel, column) in panels.chunks_exact(strip.len() * LANES).zip((0..pitch).step_by(LANES)) {
            let to = rows.chunks_exact_mut(pitch).zip(panel.as_chunks::<LANES>().0);
            to.for_each(|(row, lanes)| row[column..column + LANES].copy_from_slice(lanes));
        }
    }
}
