//! A recurrent layer one position after the other, also where several come at once, whose projections are one product: what it
//! keeps is its state.

use super::Recurrent;
use crate::kernels::sequence::recurrent;
use crate::layers::in_order::{Advance, InOrder};
use crate::tensor::{MatrixMut, MatrixRef, padded};

impl InOrder for Recurrent {
    /// State and cell state.
    fn state_len(&self) -> usize {
        2 * padded(self.units)
    }

    /// Sums and gates, the state before, and what more the backward pass would want: of one position, each of which needs the
    /// state that the one before it leaves.
    fn work_len(&self, _positions: usize) -> usize {
        2 * padded(self.gates_len()) + 2 * padded(self.units)
    }

    fn advance(&self, Advance { mut y, x, at, state, storage, scratch, .. }: Advance) {
        let (columns, of_state) = (padded(self.gates_len()), padded(self.units));
        if at == 0 {
            // Zeros are what is there.
            let initial = &storage[self.initial_range(0)];
            state[..initial.len()].copy_from_slice(initial);
        }
        let (h, c) = state.split_at_mut(of_state);
        let (sums, rest) = scratch.split_at_mut(columns);
        let (gates, rest) = rest.split_at_mut(columns);
        let (before, rest) = rest.split_at_mut(of_state);
        let more = if self.cell.keeps_more() { self.units } else { 0 };
        for row in 0..x.rows() {
            let before_sums = MatrixRef::new(h, 1, self.units, of_state);
            self.state.apply(MatrixMut::new(sums, 1, columns, columns), before_sums, storage, 0..columns);
            recurrent::forward(
                self.cell,
                recurrent::Forward {
                    x: &x.row(row)[..self.gates_len()],
                    sums: &sums[..self.gates_len()],
                    h: &mut h[..self.units],
                    c: &mut c[..self.units],
                    gates: &mut gates[..self.gates_len()],
                    before: &mut before[..self.units],
                    more: &mut rest[..more],
                },
            );
            let (y, padding) = y.row(row).split_at_mut(self.units);
            y.copy_from_slice(&h[..self.units]);
            padding.fill(0.0);
        }
    }
}
