//! A support vector machine for each output on its own.

use super::function::LossFunction;
use super::kind::{LossKind, Takes};
use crate::hyper::HyperParameter;
use crate::kernels::loss::ElementwiseLoss;
use crate::kernels::reference;

pub(super) static KIND: LossKind = LossKind::new("binary-hinge", |values| {
    LossFunction::elementwise(BinaryHinge { squared: values.choice("squared") })
})
.formula("(1 / C) Σᵢ max(0, 1 - sᵢ yᵢ), s 1 for the class and -1 for all others; squared, the squares of these")
.source(
    "Cortes, Vapnik: Support-vector networks (1995), each class against all others; the slope at a kink is taken to \
     be 0; as sklearn.svm.LinearSVC",
)
.takes(Takes::Classes)
.hyper_parameters(&[HyperParameter::choice("squared", false, "whether what is lacking is squared")])
.reference(|values, y, t| reference::binary_hinge(y, t, values.choice("squared")));

#[derive(Clone, Copy)]
struct BinaryHinge {
    squared: bool,
}

impl ElementwiseLoss for BinaryHinge {
    #[inline(always)]
    fn at(self, y: f32, t: f32) -> (f32, f32) {
        let sign = 2.0 * t - 1.0;
        let lacking = (-sign).mul_add(y, 1.0);
        // NaN is not below, and stays NaN.
        let is_reached = lacking <= 0.0;
        let (value, slope) =
            if self.squared { (lacking * lacking, -2.0 * sign * lacking) } else { (lacking, -sign) };
        // A slope of the plain hinge would hide a NaN.
        let slope = if lacking.is_nan() { lacking } else { slope };
        (if is_reached { 0.0 } else { value }, if is_reached { 0.0 } else { slope })
    }
}
