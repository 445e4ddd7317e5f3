//! The gradients of the naive dense layer against central differences, in f64.

use crate::activation::activations;
use crate::common::compare::{are_gradients, widened};
use crate::common::splitmix::uniform;
use fallline::engine::kernels::activation::Activation;
use fallline::engine::kernels::reference::{Dense, DenseGradients, numeric_gradient};

const STEP: f64 = 1e-5;

/// A naive dense layer and a batch.
struct Case {
    dense: Dense,
    /// `[rows, in]`
    x: Vec<f64>,
    /// `[rows, out]`: the gradient of the output. The loss whose gradient it is: Σ dy · y.
    dy: Vec<f64>,
}

impl Case {
    fn new([rows, inputs, outputs]: [usize; 3], activation: Activation) -> Case {
        let weight = widened(&uniform(1, outputs * inputs));
        let bias = widened(&uniform(2, outputs));
        Case {
            dense: Dense { weight, bias, activation },
            x: widened(&uniform(3, rows * inputs)),
            dy: widened(&uniform(4, rows * outputs)),
        }
    }

    fn loss(&self, dense: &Dense, x: &[f64]) -> f64 {
        dense.forward(x).iter().zip(&self.dy).map(|(y, dy)| y * dy).sum()
    }

    /// Whether these are the gradients, to 1e-6 relative; below 1 absolute.
    fn is_gradient(&self, gradients: &DenseGradients) -> bool {
        let dense = &self.dense;
        let by_x = numeric_gradient(|x| self.loss(dense, x), &self.x, STEP);
        let with_weight = |weight: &[f64]| Dense { weight: weight.to_vec(), ..dense.clone() };
        let by_weight = numeric_gradient(|w| self.loss(&with_weight(w), &self.x), &dense.weight, STEP);
        let with_bias = |bias: &[f64]| Dense { bias: bias.to_vec(), ..dense.clone() };
        let by_bias = numeric_gradient(|b| self.loss(&with_bias(b), &self.x), &dense.bias, STEP);
        are_gradients(&by_x, &gradients.x)
            && are_gradients(&by_weight, &gradients.weight)
            && are_gradients(&by_bias, &gradients.bias)
    }
}

#[test]
fn the_naive_dense_layer_has_the_gradients_of_its_output() {
    for activation in activations() {
        for shape in [[1, 1, 1], [3, 5, 4], [1, 7, 2], [6, 1, 3]] {
            let case = Case::new(shape, activation);
            assert!(case.is_gradient(&case.dense.backward(&case.dy, &case.x)), "{activation:?} {shape:?}");
        }
    }
}

#[test]
fn a_broken_gradient_is_seen() {
    let case = Case::new([3, 5, 4], Activation::TANH);
    let right = case.dense.backward(&case.dy, &case.x);
    let broken: [fn(&mut DenseGradients); 4] = [
        |gradients| gradients.x[7] += 1e-5,
        |gradients| gradients.weight[11] *= 1.001,
        |gradients| gradients.bias[2] = 0.0,
        // As if the weights were stored [in, out].
        |gradients| gradients.weight = (0..20).map(|i| gradients.weight[i % 5 * 4 + i / 5]).collect(),
    ];
    for break_it in broken {
        let mut wrong = right.clone();
        break_it(&mut wrong);
        assert!(!case.is_gradient(&wrong));
    }
}
