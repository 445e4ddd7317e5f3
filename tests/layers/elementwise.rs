//! Activations as layers of their own against their naive twins.

use crate::activations;
use crate::common::compare::close;
use crate::common::splitmix::uniform;
use crate::pass::{Activations, Placed};
use fallline::engine::kernels::activation::Activation;
use fallline::engine::kernels::reference;
use fallline::engine::layers::Elementwise;

const TOLERANCE: f64 = 1e-6;

/// A layer's output and the gradient of its input, each `[rows, features]`.
fn fast(layer: &Elementwise, x: &Activations, dy: &[f32]) -> [Vec<f32>; 2] {
    let placed = Placed::new(layer, Vec::new());
    let y = placed.forward_at_once(x);
    let mut dy = Activations::padded(dy, layer.features);
    let dx = placed.backward(&mut dy, x, &y, Some(layer.features)).expect("it was asked for");
    [y.features(layer.features), dx.features(layer.features)]
}

fn agrees(activation: Activation, answer: &[Vec<f32>; 2], x: &[f32], dy: &[f32]) -> bool {
    let y = x.iter().map(|&x| reference::activation(activation, x.into()));
    let dx = x
        .iter()
        .zip(dy)
        .map(|(&x, &dy)| f64::from(dy) * reference::activation_derivative(activation, x.into()));
    close(&answer[0], &y.collect::<Vec<_>>(), TOLERANCE)
        && close(&answer[1], &dx.collect::<Vec<_>>(), TOLERANCE)
}

#[test]
fn activation_layers_agree_with_their_twins() {
    for activation in activations() {
        for rows in [1, 2, 17, 300] {
            for features in [1, 3, 10, 16, 17, 33, 113, 225] {
                let layer = Elementwise { features, activation, image: None };
                let x: Vec<f32> = uniform(1, rows * features).into_iter().map(|x| 4.0 * x).collect();
                let dy = uniform(2, rows * features);
                let answer = fast(&layer, &Activations::padded(&x, features), &dy);
                assert!(agrees(activation, &answer, &x, &dy), "{activation:?} {rows} x {features}");
            }
        }
    }
}

#[test]
fn a_first_layer_takes_data_without_padding() {
    for activation in activations() {
        let layer = Elementwise { features: 10, activation, image: None };
        let x = uniform(1, 30);
        let placed = Placed::new(&layer, Vec::new());
        let [first, later] = [Activations::data(&x, 10), Activations::padded(&x, 10)]
            .map(|x| placed.forward_at_once(&x).features(10));
        assert_eq!(first, later);
    }
}

#[test]
fn a_broken_gradient_is_seen() {
    for activation in activations() {
        let layer = Elementwise { features: 17, activation, image: None };
        let (x, dy) = (uniform(1, 34), uniform(2, 34));
        let right = fast(&layer, &Activations::padded(&x, 17), &dy);
        for part in 0..2 {
            let mut wrong = right.clone();
            wrong[part][20] += 1e-4;
            assert!(agrees(activation, &right, &x, &dy) && !agrees(activation, &wrong, &x, &dy));
        }
    }
}
