//! An activation as a layer of its own: for those whose derivative needs the input (GELU, SiLU),
//! and wherever one does not follow a dense layer.

use std::ops::Range;

use super::{Flops, Layer};
use crate::kernels::activation::{self, Activation};
use crate::tensor::{MatrixMut, MatrixRef};

/// `y = activation(x)`, element by element.
#[derive(Clone, Debug)]
pub struct Elementwise {
    pub features: usize,
    pub activation: Activation,
}

impl Layer for Elementwise {
    fn kind(&self) -> String {
        self.activation.name().into()
    }

    fn outputs(&self) -> usize {
        self.features
    }

    /// None: by convention only products count.
    fn flops(&self) -> Flops {
        Flops::default()
    }

    fn forward(
        &self,
        mut y: MatrixMut,
        x: MatrixRef,
        _storage: &[f32],
        _derived: &[f32],
        _columns: Range<usize>,
    ) {
        for row in 0..y.rows() {
            let (y, x) = (y.row(row), x.row(row));
            // Padding stays zero, which an activation need not make of it; the first layer's input
            // has none.
            let (y, padding) = y.split_at_mut(self.features);
            activation::forward(self.activation, y, &x[..self.features]);
            padding.fill(0.0);
        }
    }

    fn backward(
        &self,
        dx: Option<MatrixMut>,
        dy: MatrixMut,
        x: MatrixRef,
        y: MatrixRef,
        _storage: &[f32],
        _derived: &[f32],
    ) {
        let Some(mut dx) = dx else { return };
        let dy = dy.as_ref();
        let saved = if self.activation.derivative_from_output() { y } else { x };
        for row in 0..dx.rows() {
            activation::backward(self.activation, dx.row(row), dy.row(row), saved.row(row));
        }
    }
}
