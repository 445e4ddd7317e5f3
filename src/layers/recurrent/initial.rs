//! The state before the first position: zeros, numbers that are trained, or what the sequence before has left.
//!
//! A trained state lies in storage behind the weights and biases of all directions: h0 `[H]` and, of an LSTM, c0 `[H]` of one
//! direction, then those of the other, each padded. What is carried from sequence to sequence lies alike, and behind it, where
//! the initial state is trained, whether anything has been carried yet: memory of zeros is the beginning of a stream.

use std::ops::Range;

use super::{Before, Recurrent, Work};
use crate::init::Init;
use crate::kernels::sequence::recurrent::Cell;
use crate::layers::parameter::{Layout, ParameterSpec};
use crate::tensor::{LANES, MatrixMut, padded, row_stride};

impl Recurrent {
    /// States of a direction: an LSTM has two.
    fn states(&self) -> usize {
        if self.cell == Cell::Lstm { 2 } else { 1 }
    }

    /// Floats of what is trained of one direction.
    pub(super) fn initial_len(&self) -> usize {
        if self.trained { self.states() * padded(self.units) } else { 0 }
    }

    /// Where what is trained of one direction lies in storage.
    pub(super) fn initial_range(&self, direction: usize) -> Range<usize> {
        let start = self.directions() * self.stored() + direction * self.initial_len();
        start..start + self.initial_len()
    }

    /// Where the numbers of a state, h or c, begin in what is trained or carried.
    fn place(&self, state: usize) -> usize {
        state * padded(self.units)
    }

    /// The parameters that are the state before the first position of a direction: zeros at first.
    pub(super) fn initial_parameters(&self, direction: usize) -> Vec<ParameterSpec> {
        let start = self.initial_range(direction).start;
        let of = |state: usize| {
            let place = start + self.place(state);
            ParameterSpec {
                name: self.names().initial[direction][state],
                shape: vec![self.units],
                range: place..place + padded(self.units),
                layout: Layout::Plain,
                init: Some(Init::Zeros),
            }
        };
        (0..if self.trained { self.states() } else { 0 }).map(of).collect()
    }

    /// Floats of a row that go on to the next sequence.
    pub(super) fn carries(&self) -> usize {
        match self.bidirectional {
            // The second direction comes from what lies ahead.
            true => 0,
            false => self.states() * padded(self.units) + if self.trained { LANES } else { 0 },
        }
    }

    /// Floats of a row that are kept of the state before the first position, for its gradient: the two states.
    pub(super) fn initial_kept(&self) -> usize {
        if self.trained { 2 * row_stride(self.units) } else { 0 }
    }

    /// Puts the states before the first position in place, and of a trained one into `kept` whether a row begins with it.
    /// Returns whether all are zeros.
    pub(super) fn begin(&self, work: &mut Work, kept: &mut [f32], before: &mut Before, rows: usize) -> bool {
        work.h.fill(0.0);
        work.c.fill(0.0);
        if !self.trained && before.carried.is_none() {
            return true;
        }
        let stride = row_stride(self.units);
        for row in 0..rows {
            let carried = before.carried.as_mut().map(|carried| &*carried.row(row));
            let is_first =
                self.trained && carried.is_none_or(|carried| carried[self.carries() - LANES] == 0.0);
            if self.trained {
                kept[row * self.initial_kept()] = if is_first { 1.0 } else { 0.0 };
            }
            let from = carried.filter(|_| !is_first).unwrap_or(before.initial);
            for (state, to) in [&mut *work.h, &mut *work.c].into_iter().take(self.states()).enumerate() {
                to[row * stride..][..self.units].copy_from_slice(&from[self.place(state)..][..self.units]);
            }
        }
        false
    }

    /// Leaves the states behind the last position to the next sequence.
    pub(super) fn carry_on(&self, work: &Work, carried: &mut MatrixMut) {
        let stride = row_stride(self.units);
        for row in 0..carried.rows() {
            let to = carried.row(row);
            for (state, from) in [&*work.h, &*work.c].into_iter().take(self.states()).enumerate() {
                to[self.place(state)..][..self.units].copy_from_slice(&from[row * stride..][..self.units]);
            }
            if self.trained {
                let is_carried = self.carries() - LANES;
                to[is_carried] = 1.0;
            }
        }
    }

    /// Keeps the gradient of the states before the first position, of which `work` has what comes by way of the sums, `h`, and
    /// past them, `c`: zeros of rows that began with another state than the trained one.
    pub(super) fn keep_initial_gradient(&self, work: &Work, kept: &mut [f32]) {
        let stride = row_stride(self.units);
        for (row, kept) in kept.chunks_exact_mut(self.initial_kept()).enumerate() {
            let is_first = kept[0] != 0.0;
            let (dh, dc) = kept.split_at_mut(stride);
            let [h, past] = [&*work.h, &*work.c].map(|of| &of[row * stride..][..self.units]);
            dc[..self.units].copy_from_slice(past);
            for ((dh, h), past) in dh.iter_mut().zip(h).zip(past) {
                *dh = if self.cell == Cell::Gru { h + past } else { *h };
            }
            if !is_first {
                dh.fill(0.0);
                dc.fill(0.0);
            }
        }
    }

    /// Adds the gradients that were kept, row by row, to `out` `[initial_len]`.
    pub(super) fn sum_initial_gradient(&self, out: &mut [f32], kept: &[f32], accumulate: bool) {
        if !accumulate {
            out.fill(0.0);
        }
        for kept in kept.chunks_exact(self.initial_kept()) {
            let states = kept.chunks_exact(row_stride(self.units));
            for (out, state) in out.chunks_exact_mut(padded(self.units)).zip(states) {
                out.iter_mut().zip(&state[..self.units]).for_each(|(out, own)| *out += own);
            }
        }
    }
}
