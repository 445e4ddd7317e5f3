//! `lstm`, `gru` and `rnn`: recurrent layers, or stacks of them, each the projection of all positions and the recurrence
//! behind it.

use super::position::image_of;
use crate::hyper::{HyperParameter, HyperValues, unit_open};
use crate::kernels::activation::Activation;
use crate::kernels::image::Image;
use crate::layers::dense::Dense;
use crate::layers::dropout::Dropout;
use crate::layers::kind::{Input, LayerKind, Misfit, Refusal};
use crate::layers::node::Node;
use crate::layers::position_dense::PositionDense;
use crate::layers::recurrent::{Cell, MOST_LAYERS, NAMES, Recurrent};
use crate::layers::shape::{Incoming, Shape};
use crate::layers::windows;
use crate::tensor::{LANES, padded};

/// The most units of a direction.
const MOST_UNITS: usize = 1 << 16;

/// What comes out: the states at all positions, or the last one of each direction.
const RETURNS: [&str; 2] = ["all", "last"];

const NONLINEARITIES: [&str; 2] = ["tanh", "relu"];

/// The state before the first position.
const INITIAL_STATES: [&str; 2] = ["zeros", "trained"];

const UNITS: HyperParameter =
    HyperParameter::integer("units", 1, [1, MOST_UNITS], "the units of the state, of each direction")
        .required();

const BIDIRECTIONAL: HyperParameter = HyperParameter::choice(
    "bidirectional",
    false,
    "whether a second recurrence, from the last position to the first, has its units behind those of the first",
);

const RETURN: HyperParameter = HyperParameter::name(
    "returns",
    "all",
    &RETURNS,
    "the states at all positions, or as features the last state of each direction",
);

const LAYERS: HyperParameter = HyperParameter::integer(
    "layers",
    1,
    [1, MOST_LAYERS],
    "layers one behind the other, of which the last one gives what `returns` says",
);

const DROPOUT: HyperParameter =
    HyperParameter::number("dropout", 0.0, unit_open(), "the rate of dropout behind each layer but the last");

const INITIAL: HyperParameter = HyperParameter::name(
    "initial",
    "zeros",
    &INITIAL_STATES,
    "the state before the first position: zeros, or parameters of each layer and direction that begin as zeros",
);

/// With a tanh or a ReLU.
pub(in crate::layers) static RNN: LayerKind =
    LayerKind::of_chain("rnn", |settings, input| make(plain(settings), settings, input))
        .input(Input::Image)
        .formula("h = tanh(W x + b + U h + d), or relu")
        .source("Elman 1990; as torch.nn.RNN")
        .hyper_parameters(&[
            UNITS,
            BIDIRECTIONAL,
            RETURN,
            HyperParameter::name("nonlinearity", "tanh", &NONLINEARITIES, "what the sums go through"),
            LAYERS,
            DROPOUT,
            INITIAL,
        ])
        .differs_in_training_where(drops)
        .conflict(|settings| conflict(plain(settings), settings))
        .output(|settings, input| output(plain(settings), settings, input))
        .fan_in(|settings, input| fan_in(plain(settings), settings, input));

/// With a cell state.
pub(in crate::layers) static LSTM: LayerKind =
    LayerKind::of_chain("lstm", |settings, input| make(Cell::Lstm, settings, input))
        .input(Input::Image)
        .formula("h = o tanh(c), c = f c + i g; i, f, o = σ(W x + b + U h + d), g = tanh(W x + b + U h + d)")
        .source("Hochreiter, Schmidhuber 1997; Gers, Schmidhuber, Cummins 2000; as torch.nn.LSTM")
        .hyper_parameters(&[UNITS, BIDIRECTIONAL, RETURN, LAYERS, DROPOUT, INITIAL])
        .differs_in_training_where(drops)
        .conflict(|settings| conflict(Cell::Lstm, settings))
        .output(|settings, input| output(Cell::Lstm, settings, input))
        .fan_in(|settings, input| fan_in(Cell::Lstm, settings, input));

/// With a gate less, and without a cell state.
pub(in crate::layers) static GRU: LayerKind =
    LayerKind::of_chain("gru", |settings, input| make(Cell::Gru, settings, input))
        .input(Input::Image)
        .formula("h = (1 - z) n + z h, n = tanh(W x + b + r (U h + d)); r, z = σ(W x + b + U h + d)")
        .source("Cho et al. 2014; as torch.nn.GRU")
        .hyper_parameters(&[UNITS, BIDIRECTIONAL, RETURN, LAYERS, DROPOUT, INITIAL])
        .differs_in_training_where(drops)
        .conflict(|settings| conflict(Cell::Gru, settings))
        .output(|settings, input| output(Cell::Gru, settings, input))
        .fan_in(|settings, input| fan_in(Cell::Gru, settings, input));

/// The plain cell that the settings name.
fn plain(settings: &HyperValues) -> Cell {
    if settings.name_of("nonlinearity") == "relu" { Cell::Relu } else { Cell::Tanh }
}

fn directions(settings: &HyperValues) -> usize {
    if settings.choice("bidirectional") { 2 } else { 1 }
}

fn returns_last(settings: &HyperValues) -> bool {
    settings.name_of("returns") == "last"
}

/// Whether numbers between the layers are dropped in training.
fn drops(settings: &HyperValues) -> bool {
    settings.number("dropout") > 0.0
}

/// The projections of both directions are one product, of which each has whole panels; and dropout lies between layers.
fn conflict(cell: Cell, settings: &HyperValues) -> Option<Misfit> {
    if drops(settings) && settings.integer("layers") == 1 {
        let expected = "0 with `layers = 1`, since it lies between layers; `dropout` is a layer, too";
        return Some(("dropout", expected.into(), settings.number("dropout").to_string()));
    }
    let units = settings.integer("units");
    let is_whole = (cell.gates() * units).is_multiple_of(LANES);
    let of_gates = LANES >> cell.gates().trailing_zeros();
    let expected = || format!("a multiple of {of_gates} with `bidirectional`");
    (settings.choice("bidirectional") && !is_whole).then(|| ("units", expected(), units.to_string()))
}

fn output(cell: Cell, settings: &HyperValues, input: Shape) -> Result<Shape, Refusal> {
    let (states, positions) = (directions(settings) * settings.integer("units"), image_of(input).pixels());
    // The projections are more than what comes out.
    windows::check_size(positions as u128 * padded(cell.gates() * states) as u128)?;
    Ok(match returns_last(settings) {
        true => Shape::Features(states),
        false => Shape::Image(Image::new(1, positions, states)),
    })
}

/// Numbers of the input and the state that go into all gates of a unit.
fn fan_in(cell: Cell, settings: &HyperValues, input: Shape) -> usize {
    let states = directions(settings) * settings.integer("units");
    let behind = if settings.integer("layers") > 1 { states } else { 0 };
    cell.gates() * (input.channels().max(behind) + settings.integer("units"))
}

/// The layers of the stack, and what is between them.
fn make(cell: Cell, settings: &HyperValues, input: Incoming) -> Vec<Node> {
    let (image, layers) = (image_of(input.shape), settings.integer("layers"));
    let states = Image::new(1, image.pixels(), directions(settings) * settings.integer("units"));
    let mut nodes = Vec::new();
    for number in 0..layers {
        let (image, is_data) = if number == 0 { (image, input.is_data) } else { (states, false) };
        let is_last = number + 1 == layers;
        nodes.extend(layer(cell, settings, number, image, is_data));
        if drops(settings) && !is_last {
            let (features, rate) = (states.features(), settings.number("dropout"));
            let dropout = Dropout { features, image: Some(states), rate, channels: false };
            nodes.push(Node::layer(Box::new(dropout)));
        }
    }
    nodes
}

/// The layer of this number: the projection of all positions and the recurrence.
fn layer(cell: Cell, settings: &HyperValues, number: usize, image: Image, is_data: bool) -> [Node; 2] {
    let units = settings.integer("units");
    let init = Recurrent::initial(units);
    let dense = Dense {
        inputs: image.channels,
        outputs: directions(settings) * cell.gates() * units,
        bias: true,
        activation: Activation::IDENTITY,
        weight_init: init,
        bias_init: init,
        input_gradient: !is_data,
        whole_columns: false,
        by_inputs: false,
        sparse_input: false,
    };
    let (bidirectional, names) = (settings.choice("bidirectional"), NAMES[number].input);
    let projection = match bidirectional {
        true => PositionDense::new_pair(image, dense, names),
        false => PositionDense::new(image, dense, names[0]),
    };
    let last = returns_last(settings) && number + 1 == settings.integer("layers");
    let recurrent = Recurrent::new(cell, image.pixels(), units, bidirectional, last)
        .in_stack(number)
        .with_trained_state(settings.name_of("initial") == "trained");
    [Node::layer(Box::new(projection)), Node::layer(Box::new(recurrent))]
}
