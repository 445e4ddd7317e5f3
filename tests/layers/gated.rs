//! Trained slopes and gated linear units against their naive twins in f64.

use crate::common::compare::{close, widened};
use crate::common::splitmix::uniform;
use crate::pass::{Activations, Placed, packed};
use fallline::engine::kernels::activation::Activation;
use fallline::engine::kernels::image::Image;
use fallline::engine::kernels::reference::{activation, activation_derivative};
use fallline::engine::layers::{Gated, Layer, Prelu, Shape};

const TOLERANCE: f64 = 2e-6;

/// Height, width, channels; one pixel is features.
const SHAPES: [[usize; 3]; 7] =
    [[1, 1, 1], [1, 1, 2], [1, 1, 17], [1, 1, 34], [3, 2, 2], [4, 5, 16], [2, 3, 38]];

/// What a layer gives, `[rows, channels, pixels]`, and the gradients of its input and its parameters.
#[derive(Clone)]
struct Answer {
    y: Vec<f32>,
    dx: Vec<f32>,
    dw: Vec<f32>,
}

fn shape([height, width, channels]: [usize; 3]) -> Shape {
    if height * width == 1 {
        Shape::Features(channels)
    } else {
        Shape::Image(Image::new(height, width, channels))
    }
}

fn matrix(values: &[f32], shape: Shape) -> Activations {
    match shape {
        Shape::Features(features) => Activations::padded(values, features),
        Shape::Image(image) => Activations::images(values, image),
    }
}

fn values(matrix: &Activations, shape: Shape) -> Vec<f32> {
    match shape {
        Shape::Features(features) => matrix.features(features),
        Shape::Image(image) => matrix.channels(image),
    }
}

fn fast(layer: &dyn Layer, [input, output]: [Shape; 2], [x, dy]: [&[f32]; 2], w: &[Vec<f32>]) -> Answer {
    let placed = Placed::new(layer, packed(layer, w));
    let (x, mut dy) = (matrix(x, input), matrix(dy, output));
    let y = placed.forward_at_once(&x);
    let dx = placed.backward(&mut dy, &x, &y, Some(x.columns)).expect("it was asked for");
    let dw = if w.is_empty() { Vec::new() } else { placed.gradient(&dy, &x).concat() };
    Answer { y: values(&y, output), dx: values(&dx, input), dw }
}

/// The same in f64.
struct Exact {
    y: Vec<f64>,
    dx: Vec<f64>,
    dw: Vec<f64>,
}

fn agrees(fast: &Answer, exact: &Exact) -> bool {
    close(&fast.y, &exact.y, TOLERANCE)
        && close(&fast.dx, &exact.dx, TOLERANCE)
        && close(&fast.dw, &exact.dw, 4.0 * TOLERANCE)
}

fn breaks_are_seen(right: &Answer, exact: &Exact) {
    let parts: [fn(&mut Answer) -> &mut Vec<f32>; 3] = [|a| &mut a.y, |a| &mut a.dx, |a| &mut a.dw];
    for part in parts {
        let mut wrong = right.clone();
        if let Some(first) = part(&mut wrong).first_mut() {
            *first += 1e-3 * first.abs().max(1.0);
            assert!(!agrees(&wrong, exact));
        }
    }
}

/// y = max(x, 0) + w min(x, 0), with the channel of each number told by `channel`.
fn prelu(x: &[f64], dy: &[f64], w: &[f64], channel: impl Fn(usize) -> usize) -> Exact {
    let slope = |at: usize| w[if w.len() == 1 { 0 } else { channel(at) }];
    let y = x.iter().enumerate().map(|(at, x)| x.max(0.0) + slope(at) * x.min(0.0)).collect();
    let dx = (0..x.len()).map(|at| if x[at] > 0.0 { dy[at] } else { slope(at) * dy[at] }).collect();
    let mut dw = vec![0.0; w.len()];
    for at in 0..x.len() {
        dw[if w.len() == 1 { 0 } else { channel(at) }] += dy[at] * x[at].min(0.0);
    }
    Exact { y, dx, dw }
}

#[test]
fn trained_slopes_agree_with_their_twin() {
    for form in SHAPES {
        for (by_channel, rows) in [(false, 1), (true, 1), (false, 19), (true, 19)] {
            let input = shape(form);
            let (numbers, pixels) = (rows * input.features(), form[0] * form[1]);
            let [x, dy] = [1, 2].map(|seed| uniform(seed, numbers));
            let w = uniform(3, if by_channel { form[2] } else { 1 });
            let layer = Prelu { input, by_channel, initial: 0.25 };
            let answer = fast(&layer, [input; 2], [&x, &dy], std::slice::from_ref(&w));
            let exact = prelu(&widened(&x), &widened(&dy), &widened(&w), |at| at / pixels % form[2]);
            assert!(agrees(&answer, &exact), "{form:?} {by_channel} {rows}");
            breaks_are_seen(&answer, &exact);
        }
    }
}

/// The data are not padded.
#[test]
fn a_first_layer_takes_data_as_they_lie() {
    let (x, w) = (uniform(1, 30), uniform(3, 10));
    for by_channel in [false, true] {
        let layer = Prelu { input: Shape::Features(10), by_channel, initial: 0.25 };
        let placed = Placed::new(&layer, packed(&layer, &[w[..if by_channel { 10 } else { 1 }].to_vec()]));
        let [data, later] = [Activations::data(&x, 10), Activations::padded(&x, 10)]
            .map(|x| placed.forward_at_once(&x).features(10));
        assert_eq!(data, later);
    }
    let layer = Gated { input: Shape::Features(10), gate: Activation::SIGMOID };
    let placed = Placed::new(&layer, Vec::new());
    let [data, later] = [Activations::data(&x, 10), Activations::padded(&x, 10)]
        .map(|x| placed.forward_at_once(&x).features(5));
    assert_eq!(data, later);
}

/// y = a gate(b), of rows `[channels, pixels]`.
fn gated(x: &[f64], dy: &[f64], gate: Activation, row: usize) -> Exact {
    let mut exact = Exact { y: Vec::new(), dx: vec![0.0; x.len()], dw: Vec::new() };
    for start in (0..x.len()).step_by(row) {
        for at in start..start + row / 2 {
            let (a, b, dy) = (x[at], x[at + row / 2], dy[exact.y.len()]);
            exact.y.push(a * activation(gate, b));
            exact.dx[at] = dy * activation(gate, b);
            exact.dx[at + row / 2] = dy * a * activation_derivative(gate, b);
        }
    }
    exact
}

#[test]
fn gates_agree_with_their_twin() {
    let gates =
        [Activation::SIGMOID, Activation::SILU, Activation::GELU, Activation::RELU, Activation::IDENTITY];
    for form in SHAPES.into_iter().filter(|form| form[2].is_multiple_of(2)) {
        for (gate, rows) in gates.into_iter().flat_map(|gate| [(gate, 1), (gate, 19)]) {
            let input = shape(form);
            let output = shape([form[0], form[1], form[2] / 2]);
            let x = uniform(1, rows * input.features());
            let dy = uniform(2, rows * output.features());
            let layer = Gated { input, gate };
            let answer = fast(&layer, [input, output], [&x, &dy], &[]);
            let exact = gated(&widened(&x), &widened(&dy), gate, input.features());
            assert!(agrees(&answer, &exact), "{form:?} {gate:?} {rows}");
            breaks_are_seen(&answer, &exact);
        }
    }
}
