//! Recurrent layers against their naive twin in f64, and that against finite differences.

use crate::common::compare::{bits, close, widened};
use crate::common::splitmix::uniform;
use crate::pass::{Activations, Placed, packed};
use fallline::LayerConfig;
use fallline::engine::kernels::image::Image;
use fallline::engine::kernels::reference;
use fallline::engine::layers::{Cell, Layer, Recurrent, Shape};
use fallline::testing::check_layer;

/// Of the largest number, or of 1.
const TOLERANCE: f64 = 1e-5;

/// Of central differences in f64.
const STEP: f64 = 1e-7;

/// Positions, units and rows.
const SMALL: [[usize; 3]; 3] = [[1, 1, 1], [2, 5, 3], [5, 3, 2]];
const LARGE: [[usize; 3]; 3] = [[3, 16, 5], [7, 19, 17], [12, 40, 9]];

/// Every cell, in one direction and both, with all states and the last ones.
fn layers([positions, units]: [usize; 2]) -> impl Iterator<Item = Recurrent> {
    let forms = [[false, false], [false, true], [true, false], [true, true]];
    let of = move |cell| {
        forms.map(|[bidirectional, last]| Recurrent::new(cell, positions, units, bidirectional, last))
    };
    Cell::ALL.into_iter().flat_map(of)
}

fn directions(layer: &Recurrent) -> usize {
    if layer.bidirectional { 2 } else { 1 }
}

/// Numbers of all gates of a position.
fn projected(layer: &Recurrent) -> usize {
    directions(layer) * layer.cell.gates() * layer.units
}

/// Lengths of the parameters, in their order.
fn lens(layer: &Recurrent) -> Vec<usize> {
    let gates = layer.cell.gates() * layer.units;
    [gates * layer.units, gates].repeat(directions(layer))
}

/// The parts of these lengths.
fn cut<T: Clone>(mut values: &[T], lens: &[usize]) -> Vec<Vec<T>> {
    let mut parts = Vec::new();
    for &len in lens {
        let (part, rest) = values.split_at(len);
        parts.push(part.to_vec());
        values = rest;
    }
    parts
}

/// `values` `[rows, outer, inner]` as `[rows, inner, outer]`.
fn turned(values: &[f32], [outer, inner]: [usize; 2]) -> Vec<f32> {
    let of_row = |row: &[f32]| {
        let column = |at: usize| row.iter().skip(at).step_by(inner).copied().collect::<Vec<_>>();
        (0..inner).flat_map(column).collect::<Vec<_>>()
    };
    values.chunks_exact(outer * inner).flat_map(of_row).collect()
}

/// The projections `[rows, T, channels]` and the parameters of a layer, one after the other: what it computes from.
struct Case {
    layer: Recurrent,
    rows: usize,
    all: Vec<f32>,
    dy: Vec<f32>,
}

/// The output `[rows, outputs]`, position by position, and the gradient of all that it is computed from.
#[derive(Clone)]
struct Answer {
    y: Vec<f32>,
    gradient: Vec<f32>,
}

impl Case {
    fn new(layer: Recurrent, rows: usize) -> Case {
        let x = uniform(1, rows * layer.positions * projected(&layer));
        let scale = 1.0 / (layer.units as f32).sqrt();
        let parameters = uniform(2, lens(&layer).iter().sum()).into_iter().map(|value| value * scale);
        let dy = uniform(3, rows * layer.outputs());
        Case { all: x.into_iter().chain(parameters).collect(), layer, rows, dy }
    }

    fn inputs(&self) -> usize {
        self.rows * self.layer.positions * projected(&self.layer)
    }

    /// A row by itself.
    fn row(&self, row: usize) -> Case {
        let (inputs, outputs) = (self.inputs() / self.rows, self.layer.outputs());
        let x = &self.all[row * inputs..(row + 1) * inputs];
        let dy = self.dy[row * outputs..(row + 1) * outputs].to_vec();
        Case { layer: self.layer.clone(), rows: 1, all: [x, &self.all[self.inputs()..]].concat(), dy }
    }

    /// The output of these numbers by the twin.
    fn exact(&self, all: &[f64]) -> Vec<f64> {
        let Recurrent { cell, units, last, .. } = self.layer;
        let (x, parameters) = all.split_at(self.inputs());
        let parameters = cut(parameters, &lens(&self.layer));
        let parameters = parameters.chunks_exact(2).map(|of| [of[0].clone(), of[1].clone()]).collect();
        let twin = reference::Recurrent { cell, units, parameters, last };
        x.chunks_exact(self.inputs() / self.rows).flat_map(|x| twin.forward(x)).collect()
    }

    /// By how much the sum over `dy y` changes from numbers a step in some direction to numbers a step against it, for each
    /// unit of the way.
    fn slope(&self, change: impl Fn(usize) -> f64) -> f64 {
        let sum = |sign: f64| {
            let moved =
                self.all.iter().enumerate().map(|(at, value)| f64::from(*value) + sign * STEP * change(at));
            let y = self.exact(&moved.collect::<Vec<_>>());
            y.iter().zip(&self.dy).map(|(y, dy)| y * f64::from(*dy)).sum::<f64>()
        };
        (sum(1.0) - sum(-1.0)) / (2.0 * STEP)
    }

    /// As training computes it, with the gradient of the projections or without.
    fn fast(&self, input_gradient: bool) -> Answer {
        let Case { layer, all, dy, .. } = self;
        let (x, parameters) = all.split_at(self.inputs());
        let placed = Placed::new(layer, packed(layer, &cut(parameters, &lens(layer))));
        let [of_x, of_y] = [projected(layer), directions(layer) * layer.units];
        let x =
            Activations::images(&turned(x, [layer.positions, of_x]), Image::new(1, layer.positions, of_x));
        let mut dy = match layer.image() {
            Some(image) => Activations::images(&turned(dy, [layer.positions, of_y]), image),
            None => Activations::padded(dy, of_y),
        };
        let y = placed.forward_at_once(&x);
        let dx = placed.backward(&mut dy, &x, &y, input_gradient.then_some(x.columns));
        let dx = dx.map(|dx| dx.channels(Image::new(1, layer.positions, of_x)));
        let mut gradient = turned(&dx.unwrap_or_default(), [of_x, layer.positions]);
        gradient.extend(placed.gradient(&dy, &x).concat());
        let y = match layer.image() {
            Some(image) => turned(&y.channels(image), [of_y, layer.positions]),
            None => y.features(of_y),
        };
        Answer { y, gradient }
    }
}

fn cases(shapes: &[[usize; 3]]) -> impl Iterator<Item = Case> {
    let of = |[positions, units, rows]: [usize; 3]| {
        layers([positions, units]).map(move |layer| Case::new(layer, rows))
    };
    shapes.iter().copied().flat_map(of)
}

#[test]
fn gradients_agree_with_differences_of_the_twin() {
    for case in cases(&SMALL) {
        let (answer, exact) = (case.fast(true), case.exact(&widened(&case.all)));
        let differences: Vec<f64> =
            (0..case.all.len()).map(|place| case.slope(|at| if at == place { 1.0 } else { 0.0 })).collect();
        let agrees = |answer: &Answer| {
            close(&answer.y, &exact, TOLERANCE) && close(&answer.gradient, &differences, TOLERANCE)
        };
        assert!(agrees(&answer), "{:?} {}", case.layer, case.rows);
        let parts: [fn(&mut Answer) -> &mut Vec<f32>; 2] = [|a| &mut a.y, |a| &mut a.gradient];
        for part in parts {
            for at in [0, part(&mut answer.clone()).len() - 1] {
                let mut wrong = answer.clone();
                let value = &mut part(&mut wrong)[at];
                *value += 1e-3 * value.abs().max(1.0);
                assert!(!agrees(&wrong));
            }
        }
    }
}

/// Of many numbers the slope in one direction, of which each has its share.
#[test]
fn larger_layers_agree_with_the_twin() {
    for case in cases(&LARGE) {
        let answer = case.fast(true);
        assert!(close(&answer.y, &case.exact(&widened(&case.all)), TOLERANCE), "{:?}", case.layer);
        let direction = uniform(4, case.all.len());
        let slope = case.slope(|at| direction[at].into());
        let share = |(gradient, change): (&f32, &f32)| f64::from(*gradient) * f64::from(*change);
        let found: f64 = answer.gradient.iter().zip(&direction).map(share).sum();
        let size =
            answer.gradient.iter().zip(&direction).map(share).fold(0.0, |sum, share| sum + share.abs());
        assert!((found - slope).abs() <= 1e-6 * size, "{:?}: {found} and {slope} of {size}", case.layer);
    }
}

/// What training leaves out at the front of a network changes no gradient of a parameter, and rows know nothing of each
/// other.
#[test]
fn bits_depend_neither_on_other_rows_nor_on_what_is_asked_for() {
    for case in cases(&[[7, 19, 5]]) {
        let whole = case.fast(true);
        let alone = case.fast(false);
        assert_eq!(bits(&whole.gradient[case.inputs()..]), bits(&alone.gradient), "{:?}", case.layer);
        let rows: Vec<Answer> = (0..case.rows).map(|row| case.row(row).fast(true)).collect();
        let of_rows = |of: &dyn Fn(&Answer) -> Vec<f32>| rows.iter().flat_map(of).collect::<Vec<_>>();
        assert_eq!(bits(&of_rows(&|answer| answer.y.clone())), bits(&whole.y));
        let inputs = case.inputs() / case.rows;
        let dx = of_rows(&|answer| answer.gradient[..inputs].to_vec());
        assert_eq!(bits(&dx), bits(&whole.gradient[..case.inputs()]));
    }
}

#[test]
fn recurrent_layers_pass_the_check() {
    for (kind, units, bidirectional) in [
        ("lstm", 5_usize, false),
        ("gru", 18, false),
        ("rnn", 3, false),
        ("lstm", 4, true),
        ("gru", 16, true),
    ] {
        for returns in ["all", "last"] {
            let layer = LayerConfig::named(kind).and_then(|layer| layer.with("units", units)).unwrap();
            let layer = layer.with("bidirectional", bidirectional).unwrap().with("returns", returns).unwrap();
            check_layer(&layer, Shape::Image(Image::new(1, 6, 3)))
                .unwrap_or_else(|error| panic!("{layer:?}: {error}"));
        }
    }
    for (kind, units, bidirectional) in [("lstm", 4_usize, true), ("gru", 5, false), ("rnn", 3, false)] {
        let layer = LayerConfig::named(kind).and_then(|layer| layer.with("units", units)).unwrap();
        let layer = layer.with("bidirectional", bidirectional).unwrap();
        let trained = layer.clone().with("initial", "trained").unwrap();
        let stack = layer.with("layers", 2_usize).unwrap().with("returns", "last").unwrap();
        let both = trained.clone().with("layers", 2_usize).unwrap().with("dropout", 0.25).unwrap();
        for layer in [trained, stack, both] {
            check_layer(&layer, Shape::Image(Image::new(1, 5, 3)))
                .unwrap_or_else(|error| panic!("{layer:?}: {error}"));
        }
    }
    let relu = LayerConfig::named("rnn").and_then(|layer| layer.with("units", 4)).unwrap();
    let relu = relu.with("nonlinearity", "relu").unwrap();
    check_layer(&relu, Shape::Image(Image::new(2, 2, 5))).unwrap();
}

/// Dropout is between layers, of which there are not any number.
#[test]
fn stacks_that_make_no_sense_are_refused() {
    for (settings, expected) in [
        ("dropout = 0.1", "0 with `layers = 1`"),
        ("layers = 17", "from 1 to 16"),
        ("initial = \"ones\"", "trained"),
    ] {
        let text = format!(
            "name = \"stack\"\n[data]\nset = \"digits\"\n[[model.layers]]\ntype = \"gru\"\nunits = 4\n{settings}\n\
             [[model.layers]]\ntype = \"flatten\"\n[[model.layers]]\ntype = \"dense\"\nunits = 10\n"
        );
        let error = fallline::engine::model::Recipe::parse(&text, "stack").unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}

/// Both directions are one projection, of which each has whole panels.
#[test]
fn units_that_do_not_fit_both_directions_are_refused() {
    for (kind, units, expected) in [("lstm", 6, "a multiple of 4"), ("gru", 8, "a multiple of 16")] {
        let text = format!(
            "name = \"both\"\n[data]\nset = \"digits\"\n[[model.layers]]\ntype = \"{kind}\"\nunits = {units}\n\
             bidirectional = true\n[[model.layers]]\ntype = \"flatten\"\n[[model.layers]]\ntype = \"dense\"\nunits = 10\n\
             [optimizer]\nname = \"sgd\"\nlearning_rate = 0.1\n[train]\nbatch = 8\nepochs = 1\n"
        );
        let error = fallline::engine::model::Recipe::parse(&text, "both").unwrap_err().to_string();
        assert!(error.contains(expected) && error.contains("`bidirectional`"), "{error}");
    }
}
