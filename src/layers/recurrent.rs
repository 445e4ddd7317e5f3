//! Recurrent layers behind their input projection: LSTM, GRU and the plain cell, in one direction or both.
//!
//! `W_ih x + b_ih` of all positions is a [`PositionDense`](super::PositionDense) layer before this one. What remains is a
//! product with the state for each position after the other: of all rows together, so that the weights are read once a
//! position and not once a row.

mod in_order;
mod initial;
mod names;
mod sharding;

use std::ops::Range;

use super::dense::Dense;
use super::derived::Derived;
use super::in_order::Along;
use super::layer::{Backward, Flops, Forward, Layer, RowsGradient, length_of};
use super::parameter::ParameterSpec;
use super::sharding::{Partitioning, Sharding};
use crate::init::Init;
use crate::kernels::activation::Activation;
use crate::kernels::image::{Image, channels};
use crate::kernels::products::chunks::{Chunks, Positions};
use crate::kernels::products::gemm::{self, Epilogue};
use crate::kernels::sequence::recurrent;
use crate::kernels::simd::prefetch::PrefetchQueue;
use crate::tensor::{MatrixMut, MatrixRef, padded, row_stride};

pub use crate::kernels::sequence::recurrent::Cell;
pub(in crate::layers) use names::{MOST_LAYERS, NAMES, Names};

/// Rows that are a whole register tile of the products with the state, or nearly.
const AT_ONCE: usize = 8;

/// A recurrent layer of H units over T positions. Its input is the projections, channels `[directions, gates, H]` without
/// gaps; its output the states at all positions, channels `[directions, H]`, or the last state of each direction as
/// features. It begins with a state of zeros or, if that is trained, with its parameters h0 and c0; in one direction it can go
/// on where the sequence before has ended.
///
/// Its storage holds W_hh and b_hh of one direction, then those of the other, and then what is trained of the state before the
/// first position.
#[derive(Clone, Debug)]
pub struct Recurrent {
    pub cell: Cell,
    pub positions: usize,
    pub units: usize,
    pub bidirectional: bool,
    pub last: bool,
    /// Its number in a stack of layers, by which its parameters are named.
    pub number: usize,
    /// Whether the state before the first position is trained.
    pub trained: bool,
    /// `W_hh h + b_hh` of one direction: of H inputs and `gates H` outputs.
    state: Dense,
}

/// Memory that all positions and directions have in turn.
struct Work<'a> {
    /// The sums `W_hh h + b_hh`, or their gradient, `[rows, stride of gates H]`.
    sums: &'a mut [f32],
    /// The state, or its gradient, `[rows, stride of H]`.
    h: &'a mut [f32],
    /// The cell state, or [what goes past the sums](recurrent::Backward::past), `[rows, stride of H]`.
    c: &'a mut [f32],
}

/// The states before the first position of some rows.
struct Before<'a> {
    /// What is trained of one direction, or nothing.
    initial: &'a [f32],
    /// What the sequences before have left, `[rows, carried_len]`.
    carried: Option<MatrixMut<'a>>,
}

/// What is kept of one direction for the backward pass and the gradient.
struct Saved<'a> {
    /// The gates, then the gradient of the sums, `[rows, T, stride of gates H]`.
    gates: &'a mut [f32],
    /// The state before each position, `[rows, T, stride of H]`.
    before: &'a mut [f32],
    /// [More](Cell::keeps_more) of each position, `[rows, T, stride of H]`, or nothing.
    more: &'a mut [f32],
    /// Of a trained state before the first position whether a row began with it, then its gradient,
    /// `[rows, 2, stride of H]`; else nothing.
    initial: &'a mut [f32],
}

impl Recurrent {
    /// The initial values are PyTorch's, uniform up to 1 / √H.
    pub fn new(cell: Cell, positions: usize, units: usize, bidirectional: bool, last: bool) -> Recurrent {
        let init = Recurrent::initial(units);
        let state = Dense {
            inputs: units,
            outputs: cell.gates() * units,
            bias: true,
            activation: Activation::IDENTITY,
            weight_init: init,
            bias_init: init,
            // Of the state before, whatever the layer's own input is.
            input_gradient: true,
            whole_columns: false,
            by_inputs: false,
            sparse_input: false,
        };
        Recurrent { cell, positions, units, bidirectional, last, number: 0, trained: false, state }
    }

    /// The layer of this number, below 16, of a stack.
    pub fn in_stack(self, number: usize) -> Recurrent {
        Recurrent { number, ..self }
    }

    /// The layer with a trained state before the first position, or one of zeros.
    pub fn with_trained_state(self, trained: bool) -> Recurrent {
        Recurrent { trained, ..self }
    }

    fn names(&self) -> &'static Names {
        &NAMES[self.number]
    }

    /// What all parameters of a recurrent layer begin with, those of the projection included.
    pub fn initial(units: usize) -> Init {
        let high = 1.0 / (units as f32).sqrt();
        Init::Uniform { low: -high, high }
    }

    fn directions(&self) -> usize {
        if self.bidirectional { 2 } else { 1 }
    }

    /// Numbers of all gates of one direction.
    fn gates_len(&self) -> usize {
        self.state.outputs
    }

    fn input(&self) -> Image {
        Image::new(1, self.positions, self.directions() * self.gates_len())
    }

    fn output(&self) -> Image {
        Image::new(1, self.positions, self.directions() * self.units)
    }

    /// Floats of storage of one direction.
    fn stored(&self) -> usize {
        self.state.bias_range().end
    }

    /// A direction's part of what lies one direction after the other.
    fn part(&self, direction: usize, len: usize) -> Range<usize> {
        let len = len / self.directions();
        direction * len..(direction + 1) * len
    }

    /// Floats from one position to the next of what is kept: of gates, of states, and of what more there is.
    fn strides(&self) -> [usize; 3] {
        let [gates, state] = [self.gates_len(), self.units].map(row_stride);
        [gates, state, if self.cell.keeps_more() { state } else { 0 }]
    }

    /// Cuts the scratch of so many rows.
    fn cut<'a>(&self, scratch: &'a mut [f32], rows: usize, direction: usize) -> (Work<'a>, Saved<'a>) {
        let [gates, state, more] = self.strides();
        let (sums, rest) = scratch.split_at_mut(rows * gates);
        let (h, rest) = rest.split_at_mut(rows * state);
        let (c, rest) = rest.split_at_mut(rows * state);
        let positions = rows * self.positions;
        let kept = positions * (gates + state + more) + rows * self.initial_kept();
        let kept = &mut rest[direction * kept..(direction + 1) * kept];
        let (gates, kept) = kept.split_at_mut(positions * gates);
        let (before, kept) = kept.split_at_mut(positions * state);
        let (more, initial) = kept.split_at_mut(positions * more);
        (Work { sums, h, c }, Saved { gates, before, more, initial })
    }

    /// Columns of the factors of the gradient of the weights.
    fn factors(&self) -> [usize; 2] {
        [padded(self.gates_len()), self.units]
    }

    /// Floats behind all else for [`Chunks`] of these.
    fn chunks_len(&self) -> usize {
        Chunks::scratch_len(self.factors())
    }

    /// The position that a direction comes to at a step, in a sequence of so many positions: the other direction begins
    /// with the last one.
    fn position(&self, direction: usize, step: usize, length: usize) -> usize {
        if direction == 0 { step } else { length - 1 - step }
    }

    /// Steps of the longest of so many rows.
    fn steps(&self, lengths: &[u32], rows: usize) -> usize {
        (0..rows).map(|row| length_of(lengths, row, self.positions)).max().unwrap_or(0)
    }

    /// Where the projections of a position lie in a row.
    fn projected(&self, direction: usize, position: usize) -> Range<usize> {
        let start = position * self.input().pitch + direction * self.gates_len();
        start..start + self.gates_len()
    }

    /// Where the state after a step lies in a row of the output, if it comes out, in a sequence of so many positions.
    fn given(&self, direction: usize, step: usize, length: usize) -> Option<Range<usize>> {
        let start = direction * self.units;
        let start = match self.last {
            false => self.position(direction, step, length) * self.output().pitch + start,
            true if step + 1 == length => start,
            true => return None,
        };
        Some(start..start + self.units)
    }

    /// The sums of all rows from their states; where these are zeros, as they are before the first step, the bias.
    fn add_up(&self, Work { sums, h, .. }: &mut Work, are_zeros: bool, rows: usize, storage: &[f32]) {
        let [stride, of_state, _] = self.strides();
        let columns = padded(self.gates_len());
        if are_zeros {
            let bias = &storage[self.state.bias_range()];
            sums.chunks_exact_mut(stride).for_each(|sums| sums[..columns].copy_from_slice(bias));
            return;
        }
        let sums = MatrixMut::new(sums, rows, columns, stride);
        // [rows x H] * [H x gates H] -> [rows x gates H], m = rows, n = gates H, k = H
        self.state.apply(sums, MatrixRef::new(h, rows, self.units, of_state), storage, 0..columns);
    }

    /// Zeros behind the length of each row, of what is kept of each position, `[rows, T, stride]`: so the gradient of the
    /// weights has nothing of these positions.
    fn clear_behind(&self, kept: &mut [f32], stride: usize, lengths: &[u32]) {
        for (row, kept) in (0..lengths.len()).zip(kept.chunks_exact_mut(self.positions * stride)) {
            kept[length_of(lengths, row, self.positions) * stride..].fill(0.0);
        }
    }

    fn forward_along(
        &self,
        direction: usize,
        y: &mut MatrixMut,
        (x, lengths): (MatrixRef, &[u32]),
        storage: &[f32],
        mut before: Before,
        scratch: &mut [f32],
    ) {
        let (rows, [of_gates, of_state, of_more]) = (x.rows(), self.strides());
        let (mut work, saved) = self.cut(scratch, rows, direction);
        self.clear_behind(saved.before, of_state, lengths);
        let begins_with_zeros = self.begin(&mut work, saved.initial, &mut before, rows);
        for step in 0..self.steps(lengths, rows) {
            self.add_up(&mut work, begins_with_zeros && step == 0, rows, storage);
            for row in 0..rows {
                let length = length_of(lengths, row, self.positions);
                // A sequence that has ended keeps its state.
                if step >= length {
                    continue;
                }
                let position = self.position(direction, step, length);
                let at = row * self.positions + position;
                recurrent::forward(
                    self.cell,
                    recurrent::Forward {
                        x: &x.row(row)[self.projected(direction, position)],
                        sums: &work.sums[row * of_gates..][..self.gates_len()],
                        h: &mut work.h[row * of_state..][..self.units],
                        c: &mut work.c[row * of_state..][..self.units],
                        gates: &mut saved.gates[at * of_gates..][..self.gates_len()],
                        before: &mut saved.before[at * of_state..][..self.units],
                        more: &mut saved.more[at * of_more..][..self.units.min(of_more)],
                    },
                );
                if let Some(place) = self.given(direction, step, length) {
                    y.row(row)[place].copy_from_slice(&work.h[row * of_state..][..self.units]);
                }
            }
        }
        if let Some(carried) = &mut before.carried {
            self.carry_on(&work, carried);
        }
    }

    /// Goes back through the steps. Leaves the gradient of the sums where the gates were.
    fn backward_along(
        &self,
        direction: usize,
        mut dx: Option<&mut MatrixMut>,
        (dy, lengths): (MatrixRef, &[u32]),
        derived: &[f32],
        scratch: &mut [f32],
    ) {
        let (rows, [of_gates, of_state, of_more]) = (dy.rows(), self.strides());
        let (work, saved) = self.cut(scratch, rows, direction);
        work.h.fill(0.0);
        work.c.fill(0.0);
        self.clear_behind(saved.gates, of_gates, lengths);
        if !lengths.is_empty() {
            // Rows that are not begun with give nothing to the gradient of their states.
            work.sums.fill(0.0);
        }
        for step in (0..self.steps(lengths, rows)).rev() {
            for row in 0..rows {
                let length = length_of(lengths, row, self.positions);
                if step >= length {
                    continue;
                }
                let position = self.position(direction, step, length);
                let at = row * self.positions + position;
                let (gates, padding) =
                    saved.gates[at * of_gates..][..of_gates].split_at_mut(self.gates_len());
                padding.fill(0.0);
                recurrent::backward(
                    self.cell,
                    recurrent::Backward {
                        dy: self.given(direction, step, length).map_or(&[][..], |place| &dy.row(row)[place]),
                        dh: &mut work.h[row * of_state..][..self.units],
                        past: &mut work.c[row * of_state..][..self.units],
                        gates,
                        before: &saved.before[at * of_state..][..self.units],
                        more: &saved.more[at * of_more..][..self.units.min(of_more)],
                        dsums: &mut work.sums[row * of_gates..][..self.gates_len()],
                        dx: dx.as_mut().map(|dx| &mut dx.row(row)[self.projected(direction, position)]),
                    },
                );
            }
            // What is carried from the sequence before has no gradient.
            if step > 0 || self.trained {
                // [rows x gates H] * [gates H x H] -> [rows x H], m = rows, n = H, k = gates H
                let dh = MatrixMut::new(work.h, rows, padded(self.units), of_state);
                let dsums = MatrixRef::new(work.sums, rows, self.gates_len(), of_gates);
                gemm::product(dh, dsums, derived, None, Epilogue::Plain);
            }
        }
        if self.trained {
            self.keep_initial_gradient(&work, saved.initial);
        }
    }
}

impl Layer for Recurrent {
    fn kind(&self) -> String {
        let name = match self.cell {
            Cell::Lstm => "lstm",
            Cell::Gru => "gru",
            Cell::Tanh => "rnn",
            Cell::Relu => "rnn by relu",
        };
        if self.bidirectional { format!("bidirectional {name}") } else { name.into() }
    }

    fn outputs(&self) -> usize {
        if self.last { self.directions() * self.units } else { self.output().features() }
    }

    fn image(&self) -> Option<Image> {
        (!self.last).then(|| self.output())
    }

    fn parameters(&self) -> Vec<ParameterSpec> {
        let of = |direction: usize| {
            let start = direction * self.stored();
            let named = move |(spec, name): (ParameterSpec, &'static str)| {
                let range = start + spec.range.start..start + spec.range.end;
                ParameterSpec { name, range, ..spec }
            };
            self.state.parameters().into_iter().zip(self.names().state[direction]).map(named)
        };
        let initial = (0..self.directions()).flat_map(|direction| self.initial_parameters(direction));
        (0..self.directions()).flat_map(of).chain(initial).collect()
    }

    /// The products of all positions; that with the zeros before the first one counts, as elsewhere.
    fn flops(&self) -> Flops {
        let Flops { forward, backward, gradient } = self.state.flops();
        let products = (self.directions() * self.positions) as f64;
        Flops { forward: products * forward, backward: products * backward, gradient: products * gradient }
    }

    fn saved_len(&self, rows: usize) -> usize {
        let [gates, state, more] = self.strides();
        let each = (gates + state + more).saturating_mul(self.directions() * self.positions);
        let once = gates + 2 * state + self.directions() * self.initial_kept();
        rows.saturating_mul(each.saturating_add(once)).saturating_add(self.chunks_len())
    }

    fn carried_len(&self) -> usize {
        self.carries()
    }

    fn rows_at_once(&self) -> usize {
        AT_ONCE
    }

    fn along(&self) -> Along<'_> {
        if self.bidirectional || self.last { Along::Together } else { Along::InOrder(self) }
    }

    fn forward(&self, Forward { mut y, x, storage, scratch, lengths, mut carried, .. }: Forward) {
        for direction in 0..self.directions() {
            let part = self.part(direction, self.directions() * self.stored());
            let initial = &storage[self.initial_range(direction)];
            let carried = carried.as_mut().map(|carried| carried.reborrow());
            let before = Before { initial, carried };
            self.forward_along(direction, &mut y, (x, lengths), &storage[part], before, scratch);
        }
        for row in 0..y.rows() {
            if self.last {
                y.row(row)[self.outputs()..].fill(0.0);
            } else {
                let output = self.output();
                channels::clear_padding(y.row(row), output);
                y.row(row)[length_of(lengths, row, self.positions) * output.pitch..].fill(0.0);
            }
        }
    }

    fn backward(&self, Backward { mut dx, dy, derived, scratch, lengths, .. }: Backward) {
        for direction in 0..self.directions() {
            let derived = &derived[self.part(direction, derived.len())];
            self.backward_along(direction, dx.as_mut(), (dy.as_ref(), lengths), derived, scratch);
        }
        let Some(mut dx) = dx else { return };
        let input = self.input();
        for row in 0..dx.rows() {
            channels::clear_padding(dx.row(row), input);
            dx.row(row)[length_of(lengths, row, self.positions) * input.pitch..].fill(0.0);
        }
    }

    fn gradient(&self, RowsGradient { out, dy, accumulate, scratch, .. }: RowsGradient) {
        let positions = dy.rows() * self.positions;
        let [of_gates, of_state, _] = self.strides();
        let (scratch, chunks) = scratch.split_at_mut(scratch.len() - self.chunks_len());
        for direction in 0..self.directions() {
            let (_, saved) = self.cut(scratch, dy.rows(), direction);
            if self.trained {
                let out = &mut out[self.initial_range(direction)];
                self.sum_initial_gradient(out, saved.initial, accumulate);
            }
            let dsums = MatrixRef::new(saved.gates, positions, padded(self.gates_len()), of_gates);
            let before = MatrixRef::new(saved.before, positions, self.units, of_state);
            let out = &mut out[self.part(direction, self.directions() * self.stored())];
            let (dw, db) = out.split_at_mut(self.state.weights_len());
            let [columns, units] = self.factors();
            let [dsums, before] = [Positions::new(dsums, columns), Positions::new(before, units)];
            Chunks::new(chunks, [columns, units]).each(
                [dsums, before],
                &[],
                0..columns,
                |dsums, before, has_earlier| {
                    let accumulate = accumulate || has_earlier;
                    // [gates H x positions] * [positions x H] -> [gates H x H], m = H, n = gates H, k = positions of all rows
                    gemm::gradient(dw, dsums, before, accumulate, &PrefetchQueue::default());
                    gemm::column_sums(db, dsums, accumulate);
                },
            );
        }
    }

    fn sharding(&self) -> Option<&dyn Sharding> {
        Some(self)
    }

    fn partition(&self, wanted: Partitioning) -> Option<Box<dyn Sharding>> {
        // States are never without their zeros.
        let wanted = Partitioning { sparse_input: false, ..wanted };
        Some(Box::new(Recurrent { state: self.state.partitioned(wanted), ..self.clone() }))
    }

    fn derived(&self) -> Option<&dyn Derived> {
        Some(self)
    }
}
