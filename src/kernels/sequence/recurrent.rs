//! Recurrent cells at one position of one sequence, by PyTorch's formulas: what is left of a position once its products
//! are made. σ is the sigmoid, x are the projections `W_ih x + b_ih` and s the sums `W_hh h + b_hh`, gate by gate:
//!
//! - LSTM (Hochreiter, Schmidhuber, "Long Short-Term Memory", 1997; with the forget gate of Gers, Schmidhuber, Cummins,
//!   2000): i, f, o = σ(x + s), g = tanh(x + s), c' = f c + i g, h' = o tanh(c');
//! - GRU (Cho et al., "Learning Phrase Representations using RNN Encoder-Decoder", 2014): r, z = σ(x + s),
//!   n = tanh(x + r s), h' = (1 - z) n + z h;
//! - the plain cell (Elman, "Finding Structure in Time", 1990): h' = tanh(x + s), or relu(x + s).
//!
//! Each loop writes one slice: a loop over many of which several are written is not compiled to vectors, for each might
//! overlap each other one.

use crate::kernels::simd::math;
use crate::kernels::simd::vectorise::vectorise;

/// A recurrent cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cell {
    /// With the gates i, f, g, o, in PyTorch's order.
    Lstm,
    /// With the gates r, z, n, in PyTorch's order.
    Gru,
    /// The plain cell with the hyperbolic tangent.
    Tanh,
    /// The plain cell with the rectifier.
    Relu,
}

impl Cell {
    pub const ALL: [Cell; 4] = [Cell::Lstm, Cell::Gru, Cell::Tanh, Cell::Relu];

    /// How many gates it has; one in which the state itself is computed counts.
    pub const fn gates(self) -> usize {
        match self {
            Cell::Lstm => 4,
            Cell::Gru => 3,
            Cell::Tanh | Cell::Relu => 1,
        }
    }

    /// Whether the backward pass wants more than the gates and the state before: of an LSTM its cell state, of a GRU a
    /// part of the sums.
    pub const fn keeps_more(self) -> bool {
        matches!(self, Cell::Lstm | Cell::Gru)
    }
}

/// What the forward pass of a position reads and writes, for H units.
pub struct Forward<'a> {
    /// The projections, `[gates H]`.
    pub x: &'a [f32],
    /// The sums, `[gates H]`.
    pub sums: &'a [f32],
    /// The state, `[H]`: that before the position, which becomes that after it.
    pub h: &'a mut [f32],
    /// The cell state of an LSTM, `[H]`, likewise; of other cells it is not touched.
    pub c: &'a mut [f32],
    /// What is kept for the backward pass: the gates, `[gates H]`, the state before, `[H]`, and, if the cell
    /// [keeps more](Cell::keeps_more), the cell state before or the sums of n, `[H]`.
    pub gates: &'a mut [f32],
    pub before: &'a mut [f32],
    pub more: &'a mut [f32],
}

/// What the backward pass of a position reads and writes.
pub struct Backward<'a> {
    /// The gradient of what the position gives to the output, `[H]`, or empty if that is nothing.
    pub dy: &'a [f32],
    /// The gradient of the state after the position by way of the sums of the next one, `[H]`. It is overwritten.
    pub dh: &'a mut [f32],
    /// What goes past the sums, `[H]`: the gradient of an LSTM's cell state, and of a GRU's state where z lets it
    /// through; after the position, which becomes that before it. Of other cells it is not touched.
    pub past: &'a mut [f32],
    /// What the forward pass kept. The gradient of the sums overwrites the gates.
    pub gates: &'a mut [f32],
    pub before: &'a [f32],
    pub more: &'a [f32],
    /// The gradient of the sums, `[gates H]`.
    pub dsums: &'a mut [f32],
    /// The gradient of the projections, `[gates H]`, if it is wanted.
    pub dx: Option<&'a mut [f32]>,
}

/// The state after a position.
pub fn forward(cell: Cell, at: Forward) {
    let Forward { x, sums, h, c, gates, before, more } = at;
    debug_assert!(x.len() == cell.gates() * h.len() && sums.len() == x.len() && gates.len() == x.len());
    before.copy_from_slice(h);
    match cell {
        Cell::Lstm => {
            more.copy_from_slice(c);
            lstm(gates, [x, sums], h, c);
        }
        Cell::Gru => {
            more.copy_from_slice(&sums[2 * h.len()..]);
            gru(gates, [x, sums], h);
        }
        Cell::Tanh => {
            vectorise(
                #[inline(always)]
                || tanhs(gates, x, sums),
            );
            h.copy_from_slice(gates);
        }
        Cell::Relu => {
            vectorise(
                #[inline(always)]
                || {
                    for ((gate, x), sum) in gates.iter_mut().zip(x).zip(sums) {
                        // In this order, NaN stays NaN.
                        *gate = if x + sum <= 0.0 { 0.0 } else { x + sum };
                    }
                },
            );
            h.copy_from_slice(gates);
        }
    }
}

/// Inverts [`forward`], but for the product by which the gradient of the sums becomes one of the state before.
pub fn backward(cell: Cell, at: Backward) {
    let Backward { dy, dh, past, gates, before, more, dsums, dx } = at;
    debug_assert!(dsums.len() == cell.gates() * dh.len() && gates.len() == dsums.len());
    add(dh, dy);
    match cell {
        Cell::Lstm => lstm_gradient(dsums, gates, more, dh, past),
        Cell::Gru => gru_gradient(dsums, gates, [before, more], dh, past),
        Cell::Tanh => vectorise(
            #[inline(always)]
            || {
                for ((dsum, dh), h) in dsums.iter_mut().zip(&*dh).zip(&*gates) {
                    *dsum = dh * slope_of_tanh(*h);
                }
            },
        ),
        Cell::Relu => vectorise(
            #[inline(always)]
            || {
                for ((dsum, dh), h) in dsums.iter_mut().zip(&*dh).zip(&*gates) {
                    *dsum = if *h > 0.0 { *dh } else { 0.0 };
                }
            },
        ),
    }
    if let Some(dx) = dx {
        dx.copy_from_slice(dsums);
    }
    if cell == Cell::Gru {
        // The sums of n, unlike its projections, are multiplied by r.
        let (r, new) = (&gates[..dh.len()], &mut dsums[2 * dh.len()..]);
        multiply(new, r);
    }
    gates.copy_from_slice(dsums);
}

/// to = σ(x + sums), all `[n]`.
#[inline(always)]
fn sigmoids(to: &mut [f32], x: &[f32], sums: &[f32]) {
    for ((to, x), sum) in to.iter_mut().zip(x).zip(sums) {
        *to = math::sigmoid(x + sum);
    }
}

/// to = tanh(x + sums), all `[n]`.
#[inline(always)]
fn tanhs(to: &mut [f32], x: &[f32], sums: &[f32]) {
    for ((to, x), sum) in to.iter_mut().zip(x).zip(sums) {
        *to = math::tanh(x + sum);
    }
}

/// The derivative of the sigmoid, by its value.
#[inline(always)]
fn slope_of_sigmoid(value: f32) -> f32 {
    value * (1.0 - value)
}

/// The derivative of the hyperbolic tangent, by its value.
#[inline(always)]
fn slope_of_tanh(value: f32) -> f32 {
    (-value).mul_add(value, 1.0)
}

/// to += from, where there are numbers in `from`.
fn add(to: &mut [f32], from: &[f32]) {
    vectorise(
        #[inline(always)]
        || {
            for (to, from) in to.iter_mut().zip(from) {
                *to += from;
            }
        },
    );
}

/// to *= by, both `[n]`.
fn multiply(to: &mut [f32], by: &[f32]) {
    vectorise(
        #[inline(always)]
        || {
            for (to, by) in to.iter_mut().zip(by) {
                *to *= by;
            }
        },
    );
}

/// The parts of a slice `[4 H]`.
#[inline(always)]
fn quarters(all: &[f32], units: usize) -> [&[f32]; 4] {
    [0, 1, 2, 3].map(
        #[inline(always)]
        |part| &all[part * units..(part + 1) * units],
    )
}

fn lstm(gates: &mut [f32], [x, sums]: [&[f32]; 2], h: &mut [f32], c: &mut [f32]) {
    let units = h.len();
    let [g, o] = [2 * units, 3 * units];
    vectorise(
        #[inline(always)]
        || {
            sigmoids(&mut gates[..g], &x[..g], &sums[..g]);
            tanhs(&mut gates[g..o], &x[g..o], &sums[g..o]);
            sigmoids(&mut gates[o..], &x[o..], &sums[o..]);
            let [i, f, g, o] = quarters(gates, units);
            for (((c, i), f), g) in c.iter_mut().zip(i).zip(f).zip(g) {
                *c = f.mul_add(*c, i * g);
            }
            for ((h, o), c) in h.iter_mut().zip(o).zip(&*c) {
                *h = o * math::tanh(*c);
            }
        },
    );
}

/// `before` is the cell state before the position, `dc` the gradient of that after it, which becomes that of `before`.
fn lstm_gradient(dsums: &mut [f32], gates: &[f32], before: &[f32], dh: &[f32], dc: &mut [f32]) {
    let units = dh.len();
    vectorise(
        #[inline(always)]
        || {
            let [i, f, g, o] = quarters(gates, units);
            let (di, rest) = dsums.split_at_mut(units);
            let (df, rest) = rest.split_at_mut(units);
            let (dg, d_o) = rest.split_at_mut(units);
            // tanh(c') has the place of the gradient of o until that is made of it.
            for ((((tanh, c), i), f), g) in d_o.iter_mut().zip(before).zip(i).zip(f).zip(g) {
                *tanh = math::tanh(f.mul_add(*c, i * g));
            }
            for (((dc, dh), o), tanh) in dc.iter_mut().zip(dh).zip(o).zip(&*d_o) {
                *dc = (dh * o).mul_add(slope_of_tanh(*tanh), *dc);
            }
            for ((tanh, dh), o) in d_o.iter_mut().zip(dh).zip(o) {
                *tanh = dh * *tanh * slope_of_sigmoid(*o);
            }
            for (((di, dc), g), i) in di.iter_mut().zip(&*dc).zip(g).zip(i) {
                *di = dc * g * slope_of_sigmoid(*i);
            }
            for (((df, dc), c), f) in df.iter_mut().zip(&*dc).zip(before).zip(f) {
                *df = dc * c * slope_of_sigmoid(*f);
            }
            for (((dg, dc), i), g) in dg.iter_mut().zip(&*dc).zip(i).zip(g) {
                *dg = dc * i * slope_of_tanh(*g);
            }
            for (dc, f) in dc.iter_mut().zip(f) {
                *dc *= f;
            }
        },
    );
}

fn gru(gates: &mut [f32], [x, sums]: [&[f32]; 2], h: &mut [f32]) {
    let units = h.len();
    let n = 2 * units;
    vectorise(
        #[inline(always)]
        || {
            sigmoids(&mut gates[..n], &x[..n], &sums[..n]);
            let (rz, new) = gates.split_at_mut(n);
            let (r, z) = rz.split_at(units);
            for (((new, r), x), sum) in new.iter_mut().zip(r).zip(&x[n..]).zip(&sums[n..]) {
                *new = math::tanh(r.mul_add(*sum, *x));
            }
            for ((h, z), new) in h.iter_mut().zip(z).zip(&*new) {
                *h = z.mul_add(*h - *new, *new);
            }
        },
    );
}

/// The gradient of the projections. `before` is the state before the position and `sums` those of n; `past` is what goes
/// past the sums of the next position, and becomes that of this one.
fn gru_gradient(
    dx: &mut [f32],
    gates: &[f32],
    [before, sums]: [&[f32]; 2],
    dh: &mut [f32],
    past: &mut [f32],
) {
    let units = dh.len();
    vectorise(
        #[inline(always)]
        || {
            let (r, rest) = gates.split_at(units);
            let (z, new) = rest.split_at(units);
            let (dr, rest) = dx.split_at_mut(units);
            let (dz, dn) = rest.split_at_mut(units);
            for (dh, past) in dh.iter_mut().zip(&*past) {
                *dh += past;
            }
            for (((dn, dh), z), new) in dn.iter_mut().zip(&*dh).zip(z).zip(new) {
                *dn = dh * (1.0 - *z) * slope_of_tanh(*new);
            }
            for (((dr, dn), sum), r) in dr.iter_mut().zip(&*dn).zip(sums).zip(r) {
                *dr = dn * sum * slope_of_sigmoid(*r);
            }
            for ((((dz, dh), h), new), z) in dz.iter_mut().zip(&*dh).zip(before).zip(new).zip(z) {
                *dz = dh * (h - new) * slope_of_sigmoid(*z);
            }
            for ((past, dh), z) in past.iter_mut().zip(&*dh).zip(z) {
                *past = dh * z;
            }
        },
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::reference;

    fn numbers(count: usize, step: f64) -> Vec<f32> {
        (0..count).map(|at| (3.0 * ((at + 1) as f64 * step).fract() - 1.5) as f32).collect()
    }

    /// One position of all cells, of one unit, of less than a vector, of several and a rest: its state is its twin's, and
    /// what the backward pass needs is kept.
    #[test]
    fn positions_agree_with_their_twin() {
        for (cell, units) in Cell::ALL.into_iter().flat_map(|cell| [1, 5, 16, 45].map(|units| (cell, units)))
        {
            let len = cell.gates() * units;
            let [x, sums] = [0.618_033_988_7, 0.754_877_666_2].map(|step| numbers(len, step));
            let [h, c] = [0.569_840_291, 0.682_327_803].map(|step| numbers(units, step));
            let wide = |values: &[f32]| values.iter().map(|&value| f64::from(value)).collect::<Vec<_>>();
            let exact = reference::recurrent_cell(cell, [&wide(&x), &wide(&sums)], [&wide(&h), &wide(&c)]);
            let [mut after, mut cell_state, mut gates] = [h.clone(), c.clone(), vec![f32::NAN; len]];
            let [mut before, mut more] =
                [units, if cell.keeps_more() { units } else { 0 }].map(|n| vec![f32::NAN; n]);
            forward(
                cell,
                Forward {
                    x: &x,
                    sums: &sums,
                    h: &mut after,
                    c: &mut cell_state,
                    gates: &mut gates,
                    before: &mut before,
                    more: &mut more,
                },
            );
            let agrees = |found: &[f32], exact: &[f64]| {
                found.iter().zip(exact).all(|(found, exact)| (f64::from(*found) - exact).abs() < 2e-6)
            };
            assert!(agrees(&after, &exact[0]) && agrees(&cell_state, &exact[1]), "{cell:?} {units}");
            assert!(before == h && gates.iter().all(|gate| gate.is_finite()));
            assert!(
                more.is_empty() || more == if cell == Cell::Lstm { c } else { sums[2 * units..].to_vec() }
            );
            after[units - 1] += 1e-5;
            assert!(!agrees(&after, &exact[0]));
        }
    }
}
