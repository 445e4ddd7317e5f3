//! Recurrent layers. ONNX has the gates of an LSTM in the order input, output, forget, cell and those of a GRU in the order
//! update, reset, hidden; PyTorch, and so the layers here, input, forget, cell, output and reset, update, new.

use std::rc::Rc;

use crate::exchange::onnx::import::array::{Array, Fit};
use crate::exchange::onnx::import::context::{Call, Context, Operation, Value, config};
use crate::exchange::onnx::import::flow::{Axis, Flow, product};

pub fn named(operator: &str) -> Option<Operation> {
    Some(match operator {
        "LSTM" => |context, call| layer(context, call, &LSTM),
        "GRU" => |context, call| layer(context, call, &GRU),
        "RNN" => |context, call| layer(context, call, &RNN),
        _ => return None,
    })
}

/// A kind of recurrent layer.
struct Cell {
    name: &'static str,
    /// For each gate the number of it in ONNX's order.
    gates: &'static [usize],
    /// The activations of a direction, where they are named.
    activations: &'static [&'static str],
}

const LSTM: Cell = Cell { name: "lstm", gates: &[0, 2, 3, 1], activations: &["Sigmoid", "Tanh", "Tanh"] };
const GRU: Cell = Cell { name: "gru", gates: &[1, 0, 2], activations: &["Sigmoid", "Tanh"] };
const RNN: Cell = Cell { name: "rnn", gates: &[0], activations: &["Tanh"] };

/// The names of a direction's parameters.
const NAMES: [[&str; 4]; 2] = [
    ["weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"],
    ["weight_ih_l0_reverse", "weight_hh_l0_reverse", "bias_ih_l0_reverse", "bias_hh_l0_reverse"],
];

fn layer(context: &mut Context, call: &Call, cell: &Cell) -> Fit<Vec<Value>> {
    let directions = directions(call)?;
    let nonlinearity = nonlinearity(call, cell, directions)?;
    check(call, cell)?;
    let batch_first = call.int("layout", 0) == 1;
    let flow = sequence(context, call.flow(0)?, batch_first)?;
    let (_, inputs) = flow.channels()?;
    let positions = product(flow.spatial());
    let weight = call.constant(2)?;
    let units = weight.shape.last().copied().unwrap_or(0);
    let tensors = tensors(call, cell, [directions, inputs, units])?;
    let of = |returns: &'static str| {
        let layer = config(
            cell.name,
            [
                ("units", units.into()),
                ("bidirectional", (directions == 2).into()),
                ("returns", returns.into()),
            ],
        )?;
        match nonlinearity {
            Some(name) if cell.name == "rnn" => {
                layer.with("nonlinearity", name).map_err(|error| error.to_string())
            }
            _ => Ok(layer),
        }
    };
    let (batch, both) = (Axis::Batch, Axis::Directions(directions));
    let (all, last) = match batch_first {
        true => (vec![batch, Axis::Positions(positions), both, Axis::Channels(units)], vec![batch, both]),
        false => (vec![Axis::Positions(positions), both, batch, Axis::Channels(units)], vec![both, batch]),
    };
    let last = [last, vec![Axis::Features(units)]].concat();
    let all = context.layer(call, &flow, of("all")?, tensors.clone(), all);
    let last = context.layer(call, &flow, of("last")?, tensors, last);
    Ok(vec![Value::Flow(all), Value::Flow(last)])
}

/// The input as a sequence; a sample that is a row of numbers may be one of one channel.
fn sequence(context: &mut Context, flow: &Flow, batch_first: bool) -> Fit<Flow> {
    let mut flow = flow.clone();
    if context.is_data(&flow) && flow.axes.contains(&Axis::Unit) {
        for axis in &mut flow.axes {
            match *axis {
                Axis::Features(positions) => {
                    *axis = Axis::Positions(positions);
                    context.input = [1, positions, 1];
                }
                Axis::Unit => *axis = Axis::Channels(1),
                _ => {}
            }
        }
    }
    let fits = match flow.axes[..] {
        [Axis::Batch, Axis::Positions(_), Axis::Channels(_)] => batch_first,
        [Axis::Positions(_), Axis::Batch, Axis::Channels(_)] => !batch_first,
        _ => false,
    };
    let wanted = if batch_first { "[batch, positions, channels]" } else { "[positions, batch, channels]" };
    if fits { Ok(flow) } else { Err(format!("expected a sequence {wanted}, found {}", flow.described())) }
}

fn directions(call: &Call) -> Fit<usize> {
    match call.text("direction").as_deref() {
        None | Some("forward") => Ok(1),
        Some("bidirectional") => Ok(2),
        Some(other) => Err(format!("expected `direction` forward or bidirectional, found {other}")),
    }
}

/// The activation of a plain layer, if the node names those that layers have.
fn nonlinearity(call: &Call, cell: &Cell, directions: usize) -> Fit<Option<&'static str>> {
    let named = call.texts("activations");
    let is = |known: &[&str]| named.iter().map(String::as_str).eq(known.repeat(directions));
    match named.is_empty() || is(cell.activations) {
        true => Ok(None),
        false if cell.name == "rnn" && is(&["Relu"]) => Ok(Some("relu")),
        false => Err(format!("expected the activations {}, found {named:?}", cell.activations.join(", "))),
    }
}

/// That nothing is asked for which the layers have not.
fn check(call: &Call, cell: &Cell) -> Fit<()> {
    if cell.name == "gru" {
        // By the other order PyTorch's layer, and the one here, would compute something else.
        call.expect("linear_before_reset", 1, 0)?;
    }
    call.expect("input_forget", 0, 0)?;
    if call.has("clip") {
        return Err("expected no `clip`".into());
    }
    let names = ["sequence_lens", "initial_h", "initial_c", "P"];
    for (name, index) in names.into_iter().zip(4..) {
        let is_zero = match call.input(index) {
            Value::Absent | Value::Zeros => true,
            Value::Constant(array) if index > 4 => {
                array.as_floats().is_some_and(|values| values.iter().all(|&value| value == 0.0))
            }
            _ => false,
        };
        if !is_zero {
            return Err(format!("expected no `{name}`, or zeros, found another"));
        }
    }
    Ok(())
}

/// The parameters of both directions, in PyTorch's order.
fn tensors(
    call: &Call,
    cell: &Cell,
    [directions, inputs, units]: [usize; 3],
) -> Fit<Vec<(&'static str, Rc<Array>)>> {
    let gates = cell.gates.len();
    let rows = gates.checked_mul(units).ok_or("expected weights that can be held in memory")?;
    let whole = |input: usize, shape: [usize; 3]| -> Fit<&[f32]> {
        let array = call.constant(input)?;
        let fits = array
            .shape
            .iter()
            .copied()
            .filter(|&size| size != 1)
            .eq(shape.into_iter().filter(|&size| size != 1));
        let values = array.as_floats().filter(|_| fits);
        values.ok_or_else(|| format!("expected input {input} of shape {shape:?}, found {:?}", array.shape))
    };
    let (input, state) = (whole(1, [directions, rows, inputs])?, whole(2, [directions, rows, units])?);
    let bias = match call.optional(3)? {
        None => vec![0.0; 2 * directions * rows],
        Some(_) => whole(3, [directions, 2, rows]).or_else(|_| whole(3, [directions, 1, 2 * rows]))?.to_vec(),
    };
    let part = |values: &[f32], number: usize, columns: usize| {
        let values = &values[number * rows * columns..][..rows * columns];
        let gate = |&gate: &usize| &values[gate * units * columns..][..units * columns];
        cell.gates.iter().flat_map(gate).copied().collect::<Vec<f32>>()
    };
    let mut tensors = Vec::new();
    for (direction, names) in NAMES.into_iter().enumerate().take(directions) {
        let values = [
            Array::floats(vec![rows, inputs], part(input, direction, inputs)),
            Array::floats(vec![rows, units], part(state, direction, units)),
            Array::floats(vec![rows], part(&bias, 2 * direction, 1)),
            Array::floats(vec![rows], part(&bias, 2 * direction + 1, 1)),
        ];
        tensors.extend(names.into_iter().zip(values.map(Rc::new)));
    }
    Ok(tensors)
}
