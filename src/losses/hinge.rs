//! A multi-class support vector machine.

use super::function::LossFunction;
use super::kind::{LossKind, Takes};
use crate::hyper::{HyperParameter, positive};
use crate::kernels::loss::{self, Hinge};
use crate::kernels::reference;

pub(super) static KIND: LossKind = LossKind::new("hinge", |values| {
    let hinge = Hinge { margin: values.single("margin"), squared: values.choice("squared") };
    LossFunction::blocks(move |pass| loss::hinge(pass, hinge))
})
.formula("(1 / C) Σᵢ max(0, m - y_c + yᵢ), i ≠ c; squared, the squares of these")
.source(
    "Weston, Watkins: Support vector machines for multi-class pattern recognition (1999); the slope at a kink \
     is taken to be 0; as torch.nn.MultiMarginLoss (p = 2 is squared)",
)
.takes(Takes::Classes)
.hyper_parameters(&[
    HyperParameter::single("margin", 1.0, positive(), "m, the distance to the right class that is enough"),
    HyperParameter::choice("squared", false, "whether what is lacking is squared"),
])
.reference(|values, y, t| {
    let class = t.iter().position(|&t| t == 1.0).unwrap_or(0);
    reference::hinge(y, class, values.single("margin").into(), values.choice("squared"))
});
