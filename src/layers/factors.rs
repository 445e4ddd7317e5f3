//! The product of two vectors with a bias each: behind an embedding of users and items it is the factorisation of the matrix
//! of their ratings (Koren, Bell, Volinsky: Matrix Factorization Techniques for Recommender Systems, 2009).

use super::kind::{Input, LayerKind};
use super::layer::{Backward, Forward, Layer};
use super::shape::Shape;

/// What recipes call it.
pub(super) static KIND: LayerKind =
    LayerKind::new("factor-product", |_, input| Box::new(FactorProduct { width: input.features() / 2 }))
        .formula("a · b + c + d, x being a, c, b, d: two vectors, each with a bias behind it")
        .source("Koren, Bell, Volinsky 2009")
        .input(Input::Features)
        .output(|_, input| {
            let features = input.features();
            if features.is_multiple_of(2) && features >= 4 {
                Ok(Shape::Features(1))
            } else {
                Err("an even number of features, at least 4: two vectors, each with its bias".into())
            }
        });

/// `y = Σᵢ aᵢ bᵢ + c + d`.
#[derive(Clone, Debug)]
pub struct FactorProduct {
    /// Numbers of a vector and its bias.
    width: usize,
}

impl Layer for FactorProduct {
    fn kind(&self) -> String {
        "factor-product".into()
    }

    fn outputs(&self) -> usize {
        1
    }

    fn forward(&self, pass: Forward) {
        let last = self.width - 1;
        pass.by_row([1, 2 * self.width], |y, x, _| {
            let (a, b) = x.split_at(self.width);
            let products = a[..last].iter().zip(&b[..last]);
            y[0] = products.fold(a[last] + b[last], |sum, (a, b)| a.mul_add(*b, sum));
        });
    }

    fn prepares_gradient(&self) -> bool {
        false
    }

    fn backward(&self, pass: Backward) {
        let last = self.width - 1;
        pass.by_row([1, 2 * self.width], |dx, dy, x, _| {
            let ((a, b), (da, db)) = (x.split_at(self.width), dx.split_at_mut(self.width));
            for i in 0..last {
                (da[i], db[i]) = (dy[0] * b[i], dy[0] * a[i]);
            }
            (da[last], db[last]) = (dy[0], dy[0]);
        });
    }
}
