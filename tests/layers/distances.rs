//! Squared distances to centres against their naive twin in f64.

use crate::common::compare::{close, widened};
use crate::common::splitmix::uniform;
use crate::pass::{Activations, Placed, packed};
use fallline::Init;
use fallline::engine::kernels::reference::{squared_distances, squared_distances_gradients};
use fallline::engine::layers::SquaredDistances;

const TOLERANCE: f64 = 2e-6;

/// Inputs and centres.
const SHAPES: [[usize; 2]; 8] = [[1, 1], [1, 7], [2, 3], [15, 16], [16, 1], [17, 18], [33, 5], [130, 40]];

/// The output `[rows, centres]`, and the gradients of input and centres.
struct Answer {
    parts: [Vec<f32>; 3],
}

fn fast([inputs, centres]: [usize; 2], [x, dy]: [&[f32]; 2], c: &[f32]) -> Answer {
    let layer = SquaredDistances { inputs, centres, init: Init::Zeros };
    let placed = Placed::new(&layer, packed(&layer, &[c.to_vec()]));
    let (x, mut dy) = (Activations::padded(x, inputs), Activations::padded(dy, centres));
    let y = placed.forward_at_once(&x);
    let dx = placed.backward(&mut dy, &x, &y, Some(x.columns)).expect("it was asked for");
    let gradient = placed.gradient(&dy, &x).concat();
    Answer { parts: [y.features(centres), dx.features(inputs), gradient] }
}

fn exact([inputs, centres]: [usize; 2], [x, dy]: [&[f32]; 2], c: &[f32]) -> [Vec<f64>; 3] {
    let [x, dy, c] = [x, dy, c].map(widened);
    let mut of_centres = vec![0.0; c.len()];
    let (mut y, mut of_x) = (Vec::new(), Vec::new());
    for (x, dy) in x.chunks_exact(inputs).zip(dy.chunks_exact(centres)) {
        y.extend(squared_distances(x, &c));
        let [dx, dc] = squared_distances_gradients(x, &c, dy);
        of_x.extend(dx);
        of_centres.iter_mut().zip(dc).for_each(|(sum, own)| *sum += own);
    }
    [y, of_x, of_centres]
}

fn agrees(answer: &Answer, exact: &[Vec<f64>; 3]) -> bool {
    answer.parts.iter().zip(exact).all(|(fast, exact)| close(fast, exact, 4.0 * TOLERANCE))
}

#[test]
fn they_agree_with_their_twin() {
    for shape in SHAPES {
        let [inputs, centres] = shape;
        for rows in [1, 2, 19, 130] {
            let (x, c) = (uniform(1, rows * inputs), uniform(3, centres * inputs));
            // Some gradients are 0, as all but one behind a minimum.
            let sparse = |(index, dy)| if index % 3 == 1 { 0.0 } else { dy };
            let dy: Vec<f32> = uniform(2, rows * centres).into_iter().enumerate().map(sparse).collect();
            let mut answer = fast(shape, [&x, &dy], &c);
            let exact = exact(shape, [&x, &dy], &c);
            assert!(agrees(&answer, &exact), "{shape:?} {rows}");
            // A deviation would be seen in each part.
            for part in 0..3 {
                let right = answer.parts[part][0];
                answer.parts[part][0] += 1e-3 * right.abs().max(1.0);
                assert!(!agrees(&answer, &exact), "{shape:?} {rows} {part}");
                answer.parts[part][0] = right;
            }
        }
    }
}

/// The data are not padded.
#[test]
fn a_first_layer_takes_data_as_they_lie() {
    let (x, c) = (uniform(1, 30), uniform(3, 40));
    let layer = SquaredDistances { inputs: 10, centres: 4, init: Init::Zeros };
    let placed = Placed::new(&layer, packed(&layer, &[c]));
    let [data, later] = [Activations::data(&x, 10), Activations::padded(&x, 10)]
        .map(|x| placed.forward_at_once(&x).features(4));
    assert_eq!(data, later);
}

/// What is not a number is not hidden.
#[test]
fn nan_stays() {
    let (mut x, c) = (uniform(1, 20), uniform(3, 30));
    x[3] = f32::NAN;
    let answer = fast([10, 3], [&x, &[1.0; 6]], &c);
    assert!(
        answer.parts[0][..3].iter().all(|y| y.is_nan()) && answer.parts[0][3..].iter().all(|y| y.is_finite())
    );
}
