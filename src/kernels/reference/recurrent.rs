//! The naive twin of recurrent layers, one sequence at a time, by PyTorch's formulas.

use crate::kernels::sequence::recurrent::Cell;

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// The states h and c `[H]` after a position, of the projections `x` and the sums `W_hh h + b_hh`, `[gates H]`, and the states
/// before; c of a cell that has none is left alone.
pub fn recurrent_cell(cell: Cell, [x, sums]: [&[f64]; 2], [h, c]: [&[f64]; 2]) -> [Vec<f64>; 2] {
    let units = h.len();
    let [mut after, mut cell_state] = [h.to_vec(), c.to_vec()];
    for unit in 0..units {
        let of = |gate: usize| (x[gate * units + unit], sums[gate * units + unit]);
        let sum = |gate: usize| of(gate).0 + of(gate).1;
        after[unit] = match cell {
            Cell::Lstm => {
                let [i, f, o] = [0, 1, 3].map(|gate| sigmoid(sum(gate)));
                cell_state[unit] = f * c[unit] + i * sum(2).tanh();
                o * cell_state[unit].tanh()
            }
            Cell::Gru => {
                let [r, z] = [0, 1].map(|gate| sigmoid(sum(gate)));
                let n = (of(2).0 + r * of(2).1).tanh();
                (1.0 - z) * n + z * h[unit]
            }
            Cell::Tanh => sum(0).tanh(),
            Cell::Relu => sum(0).max(0.0),
        };
    }
    [after, cell_state]
}

/// A recurrent layer behind its input projection, in one direction or both.
#[derive(Clone, Debug)]
pub struct Recurrent {
    pub cell: Cell,
    pub units: usize,
    /// Of each direction W_hh, `[gates H, H]`, and b_hh, `[gates H]`.
    pub parameters: Vec<[Vec<f64>; 2]>,
    /// Whether only the last state of each direction comes out.
    pub last: bool,
}

impl Recurrent {
    /// What comes out of one sequence of projections, `[T, directions, gates, H]`: `[T, directions, H]`, or the last states,
    /// `[directions, H]`.
    pub fn forward(&self, x: &[f64]) -> Vec<f64> {
        let (units, directions) = (self.units, self.parameters.len());
        let position = directions * self.cell.gates() * units;
        let mut all = vec![0.0; x.len() / position * directions * units];
        let mut last = Vec::new();
        for direction in 0..directions {
            let mut states = [vec![0.0; units], vec![0.0; units]];
            let mut positions: Vec<usize> = (0..x.len() / position).collect();
            if direction == 1 {
                positions.reverse();
            }
            for at in positions {
                states = self.step(direction, &x[at * position..(at + 1) * position], &states);
                let start = (at * directions + direction) * units;
                all[start..start + units].copy_from_slice(&states[0]);
            }
            last.extend_from_slice(&states[0]);
        }
        if self.last { last } else { all }
    }

    /// The states after a position of projections `x`, `[directions, gates, H]`.
    fn step(&self, direction: usize, x: &[f64], [h, c]: &[Vec<f64>; 2]) -> [Vec<f64>; 2] {
        let [weight, bias] = &self.parameters[direction];
        let rows = weight.chunks_exact(self.units).zip(bias);
        let sums: Vec<f64> =
            rows.map(|(weight, bias)| bias + weight.iter().zip(h).map(|(w, h)| w * h).sum::<f64>()).collect();
        let start = direction * sums.len();
        recurrent_cell(self.cell, [&x[start..start + sums.len()], &sums], [h, c])
    }
}
