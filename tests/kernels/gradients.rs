//! The gradients of the reference functions against central differences, in f64. The fast kernels
//! are held against the same reference functions elsewhere.

use crate::activation::activations;
use fallline::engine::kernels::activation::Activation;
use fallline::engine::kernels::reference::{self, numeric_gradient};
use fallline::engine::losses::{self, Takes};
use fallline::{HyperValue, Loss};

const STEP: f64 = 1e-5;

/// Whether a gradient is that of `f` at `x`: central differences err by about STEP^2.
fn is_gradient_of(gradient: &[f64], f: impl Fn(&[f64]) -> f64, x: &[f64]) -> bool {
    let numeric = numeric_gradient(f, x, STEP);
    numeric.iter().zip(gradient).all(|(n, g)| (n - g).abs() <= 1e-8 * g.abs().max(1.0))
}

/// Points on both sides of, but not at, the kink of ReLU.
fn points() -> Vec<f64> {
    (-40..40).map(|i| (f64::from(i) + 0.5) / 8.0).collect()
}

fn derivative_is_right(activation: Activation, derivative: impl Fn(f64) -> f64) -> bool {
    let value = |x: &[f64]| reference::activation(activation, x[0]);
    points().into_iter().all(|x| is_gradient_of(&[derivative(x)], value, &[x]))
}

#[test]
fn elementwise() {
    for activation in activations() {
        let derivative = |x| reference::activation_derivative(activation, x);
        assert!(derivative_is_right(activation, derivative), "{activation:?}");
        let broken = |x| reference::activation_derivative(activation, x) * (1.0 + 1e-5);
        assert!(!derivative_is_right(activation, broken), "{activation:?}");
    }
}

/// All losses that are built in, with their hyper-parameters as they are by default, and some with others.
fn all_losses(width: usize) -> Vec<Loss> {
    let weights: Vec<f32> = (0..width).map(|i| i as f32 / 2.0).collect();
    let with = |loss: Loss, key: &str, value: HyperValue| loss.with(key, value).unwrap();
    let smoothed = with(Loss::cross_entropy(), "label_smoothing", 0.2.into());
    let more = [
        with(smoothed, "class_weights", weights.clone().into()),
        with(Loss::focal(0.75), "alpha", weights.into()),
        with(Loss::hinge(0.7), "squared", true.into()),
        Loss::focal(0.0),
        Loss::huber(1.3),
    ];
    losses::ALL.into_iter().map(Loss::of).chain(more).collect()
}

/// Targets away from the kinks of the losses.
fn values(width: usize) -> Vec<f64> {
    (0..width).map(|i| (i as f64).sin()).collect()
}

fn probabilities(width: usize) -> Vec<f64> {
    reference::softmax(&values(width))
}

#[test]
fn losses() {
    for width in [3, 10, 33] {
        for loss in all_losses(width) {
            let about = loss.kind().about();
            let label = reference::one_hot(2, width);
            let targets = match about.takes {
                Takes::Classes => vec![label],
                Takes::Numbers(range) if !range.contains(-1.0) => vec![label, probabilities(width)],
                Takes::Numbers(_) => vec![label, values(width)],
                _ => vec![label, probabilities(width)],
            };
            let y: Vec<f64> = (0..width).map(|i| 3.0 * (1.7 * i as f64).cos()).collect();
            for t in targets {
                let of = |y: &[f64]| (about.reference.unwrap())(loss.values(), y, &t);
                let gradient = of(&y).1;
                assert!(is_gradient_of(&gradient, |y| of(y).0, &y), "{loss:?} {width}");
                let mut broken = gradient;
                broken[1] += 1e-6;
                assert!(!is_gradient_of(&broken, |y| of(y).0, &y), "{loss:?} {width}");
            }
        }
    }
}
