//! A dense layer.

use super::activations::{activation, activation_derivative};
use crate::kernels::activation::Activation;

/// A dense layer, `y = activation(x · wᵀ + bias)`.
#[derive(Clone, Debug)]
pub struct Dense {
    /// The weights, `[out, in]`.
    pub weight: Vec<f64>,
    /// The bias, `[out]`; zeros are the same as none.
    pub bias: Vec<f64>,
    pub activation: Activation,
}

/// The gradients of a dense layer, summed over the rows of a batch.
#[derive(Clone, Debug)]
pub struct DenseGradients {
    /// The gradient of the input, `[rows, in]`.
    pub x: Vec<f64>,
    /// The gradient of the weights, `[out, in]`.
    pub weight: Vec<f64>,
    /// The gradient of the bias, `[out]`.
    pub bias: Vec<f64>,
}

impl Dense {
    fn inputs(&self) -> usize {
        self.weight.len() / self.bias.len()
    }

    /// `x · wᵀ + bias` of one row.
    fn affine(&self, x: &[f64]) -> Vec<f64> {
        let rows = self.weight.chunks_exact(self.inputs());
        let dot = |w: &[f64]| w.iter().zip(x).map(|(w, x)| w * x).sum::<f64>();
        rows.zip(&self.bias).map(|(w, bias)| dot(w) + bias).collect()
    }

    /// The output, `[rows, out]`, of `x`, `[rows, in]`.
    pub fn forward(&self, x: &[f64]) -> Vec<f64> {
        let row = |x| self.affine(x).into_iter().map(|z| activation(self.activation, z));
        x.chunks_exact(self.inputs()).flat_map(row).collect()
    }

    /// The gradients at the input `x`, `[rows, in]`, given `dy`, `[rows, out]`, that of the output.
    pub fn backward(&self, dy: &[f64], x: &[f64]) -> DenseGradients {
        let (inputs, outputs) = (self.inputs(), self.bias.len());
        let mut gradients = DenseGradients {
            x: vec![0.0; x.len()],
            weight: vec![0.0; self.weight.len()],
            bias: vec![0.0; outputs],
        };
        let rows = x.chunks_exact(inputs).zip(gradients.x.chunks_exact_mut(inputs));
        for ((x, dx), dy) in rows.zip(dy.chunks_exact(outputs)) {
            for (out, z) in self.affine(x).into_iter().enumerate() {
                // y = activation(z)
                let dz = dy[out] * activation_derivative(self.activation, z);
                // z = Σ w[out][i] x[i] + bias[out]
                let place = out * inputs..(out + 1) * inputs;
                dx.iter_mut().zip(&self.weight[place.clone()]).for_each(|(dx, w)| *dx += dz * w);
                gradients.weight[place].iter_mut().zip(x).for_each(|(dw, x)| *dw += dz * x);
                gradients.bias[out] += dz;
            }
        }
        gradients
    }
}
