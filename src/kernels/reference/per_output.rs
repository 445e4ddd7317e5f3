//! What acts on all incoming weights of one output, or on one vector of parameters: the naive twins of
//! [`columns`](crate::kernels::update::columns) and of weight normalisation.

use super::dense::{Dense, DenseGradients};
use crate::kernels::activation::Activation;
use crate::kernels::update::columns::ADAPTIVE_EPSILON;

fn norm(values: &[f64]) -> f64 {
    values.iter().map(|x| x * x).sum::<f64>().sqrt()
}

/// Adaptive gradient clipping of the gradient of one output's weights, or of one vector.
pub fn clip_adaptively(gradient: &mut [f64], parameters: &[f64], limit: f64) {
    let most = limit * norm(parameters).max(ADAPTIVE_EPSILON);
    let size = norm(gradient);
    if size >= most {
        gradient.iter_mut().for_each(|g| *g *= most / size);
    }
}

/// The max-norm constraint of one output's weights.
pub fn limit_norm(weights: &mut [f64], limit: f64) {
    let size = norm(weights);
    if size > limit {
        weights.iter_mut().for_each(|w| *w *= limit / size);
    }
}

/// A dense layer with normalised weights, `w = g v / ‖v‖` for each output.
#[derive(Clone, Debug)]
pub struct WeightNorm {
    /// `[out]`
    pub g: Vec<f64>,
    /// `[out, in]`
    pub v: Vec<f64>,
    /// `[out]`
    pub bias: Vec<f64>,
    pub activation: Activation,
}

/// The gradients of a dense layer with normalised weights, summed over the rows of a batch.
#[derive(Clone, Debug)]
pub struct WeightNormGradients {
    /// `[rows, in]`
    pub x: Vec<f64>,
    /// `[out]`
    pub g: Vec<f64>,
    /// `[out, in]`
    pub v: Vec<f64>,
    /// `[out]`
    pub bias: Vec<f64>,
}

impl WeightNorm {
    fn inputs(&self) -> usize {
        self.v.len() / self.g.len()
    }

    /// The dense layer that it stands for.
    pub fn dense(&self) -> Dense {
        let row = |(v, g): (&[f64], &f64)| {
            let factor = g / norm(v);
            v.iter().map(|v| v * factor).collect::<Vec<_>>()
        };
        let weight = self.v.chunks_exact(self.inputs()).zip(&self.g).flat_map(row).collect();
        Dense { weight, bias: self.bias.clone(), activation: self.activation }
    }

    /// The output, `[rows, out]`, of `x`, `[rows, in]`.
    pub fn forward(&self, x: &[f64]) -> Vec<f64> {
        self.dense().forward(x)
    }

    /// The gradients at the input `x`, `[rows, in]`, of which `dy`, `[rows, out]`, is that of the output.
    pub fn backward(&self, dy: &[f64], x: &[f64]) -> WeightNormGradients {
        let DenseGradients { x, weight, bias } = self.dense().backward(dy, x);
        let (mut of_g, mut of_v) = (Vec::new(), Vec::new());
        let rows = weight.chunks_exact(self.inputs()).zip(self.v.chunks_exact(self.inputs()));
        for ((dw, v), g) in rows.zip(&self.g) {
            let size = norm(v);
            // w = g u with the direction u = v / ‖v‖, so dg = Σ dw u; du = g dw; and of v only what is
            // across u moves u: dv = (du - (Σ du u) u) / ‖v‖.
            let direction: Vec<f64> = v.iter().map(|v| v / size).collect();
            let along: f64 = dw.iter().zip(&direction).map(|(dw, u)| dw * u).sum();
            of_g.push(along);
            of_v.extend(dw.iter().zip(&direction).map(|(dw, u)| g * (dw - along * u) / size));
        }
        WeightNormGradients { x, g: of_g, v: of_v, bias }
    }
}
