//! The gradients of the reference functions against central differences, in f64. The fast kernels
//! are held against the same reference functions elsewhere.

use crate::activation::activations;
use fallline::kernels::activation::Activation;
use fallline::kernels::reference::{self, numeric_gradient};

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

type Loss = fn(&[f64]) -> (f64, Vec<f64>);

const LOSSES: [(&str, Loss); 13] = [
    ("cross-entropy", |y| reference::softmax_cross_entropy(y, 2)),
    ("cross-entropy with probabilities", |y| {
        reference::cross_entropy(y, &probabilities(y.len()), &vec![1.0; y.len()], 0.0)
    }),
    ("cross-entropy, smoothed and weighted", |y| {
        let weights: Vec<f64> = (0..y.len()).map(|i| i as f64 / 2.0).collect();
        reference::cross_entropy(y, &reference::one_hot(2, y.len()), &weights, 0.2)
    }),
    ("divergence", |y| reference::kl_divergence(y, &probabilities(y.len()))),
    ("divergence from a label", |y| reference::kl_divergence(y, &reference::one_hot(2, y.len()))),
    ("squared error against a label", |y| reference::mean_squared_error(y, &reference::one_hot(2, y.len()))),
    ("squared error against values", |y| reference::mean_squared_error(y, &values(y.len()))),
    ("absolute error", |y| reference::mean_absolute_error(y, &values(y.len()))),
    ("huber", |y| reference::huber(y, &values(y.len()), 1.3)),
    ("binary cross-entropy", |y| reference::binary_cross_entropy(y, &probabilities(y.len()))),
    ("poisson", |y| reference::poisson(y, &probabilities(y.len()))),
    ("hinge", |y| reference::hinge(y, 2, 1.0, false)),
    ("squared hinge", |y| reference::hinge(y, 2, 0.7, true)),
];

/// Targets away from the kinks of the losses.
fn values(width: usize) -> Vec<f64> {
    (0..width).map(|i| (i as f64).sin()).collect()
}

fn probabilities(width: usize) -> Vec<f64> {
    reference::softmax(&values(width))
}

#[test]
fn losses() {
    for (name, loss) in LOSSES {
        for width in [3, 10, 33] {
            let y: Vec<f64> = (0..width).map(|i| 3.0 * (1.7 * f64::from(i)).cos()).collect();
            let gradient = loss(&y).1;
            assert!(is_gradient_of(&gradient, |y| loss(y).0, &y), "{name} {width}");
            let mut broken = gradient;
            broken[1] += 1e-6;
            assert!(!is_gradient_of(&broken, |y| loss(y).0, &y), "{name} {width}");
        }
    }
}
