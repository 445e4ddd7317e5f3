//! All monomials of the features up to a degree, as `sklearn.preprocessing.PolynomialFeatures` without the constant, which
//! the bias of the layer behind it is.

use super::layer::{Backward, Forward, Layer};
use crate::kernels::elementwise::monomials::Monomials;

/// `y` is each product of 1 to `degree` features of x, by degree, then by the features in their order.
#[derive(Clone, Debug)]
pub struct Polynomial {
    pub degree: usize,
    /// Whether the factors of a product are different features.
    pub interactions_only: bool,
    /// Those of this degree.
    pub monomials: Monomials,
}

impl Layer for Polynomial {
    fn kind(&self) -> String {
        let only = if self.interactions_only { ", interactions only" } else { "" };
        format!("polynomial-features of degree {}{only}", self.degree)
    }

    fn outputs(&self) -> usize {
        self.monomials.count()
    }

    fn forward(&self, Forward { mut y, x, .. }: Forward) {
        for row in 0..y.rows() {
            let (y, padding) = y.row(row).split_at_mut(self.monomials.count());
            self.monomials.forward(y, &x.row(row)[..self.monomials.inputs()]);
            padding.fill(0.0);
        }
    }

    fn prepares_gradient(&self) -> bool {
        false
    }

    /// Inverts the forward pass.
    fn backward(&self, Backward { dx, mut dy, x, y, .. }: Backward) {
        let Some(mut dx) = dx else { return };
        let (inputs, count) = (self.monomials.inputs(), self.monomials.count());
        for row in 0..dx.rows() {
            let (dx, padding) = dx.row(row).split_at_mut(inputs);
            let (x, y) = (&x.row(row)[..inputs], &y.row(row)[..count]);
            self.monomials.backward(dx, &mut dy.row(row)[..count], x, y);
            padding.fill(0.0);
        }
    }
}
