//! Squared error that becomes linear.

use super::function::LossFunction;
use super::kind::LossKind;
use crate::hyper::{HyperParameter, positive};
use crate::kernels::loss::ElementwiseLoss;
use crate::kernels::reference;

pub(super) static KIND: LossKind =
    LossKind::new("huber", |values| LossFunction::elementwise(Huber { delta: values.single("delta") }))
        .formula("(1 / C) Σᵢ h(abs(yᵢ - tᵢ)), h(d) = d² / 2 up to δ, δ (d - δ / 2) above")
        .source("Huber: Robust estimation of a location parameter (1964); as torch.nn.HuberLoss")
        .hyper_parameters(&[HyperParameter::single(
            "delta",
            1.0,
            positive(),
            "δ, the difference from which on the loss is linear",
        )])
        .reference(|values, y, t| reference::huber(y, t, values.single("delta").into()));

#[derive(Clone, Copy)]
struct Huber {
    delta: f32,
}

impl ElementwiseLoss for Huber {
    #[inline(always)]
    fn at(self, y: f32, t: f32) -> (f32, f32) {
        let (d, delta) = (y - t, self.delta);
        // NaN is not large, and stays NaN.
        let large = d.abs() > delta;
        let value = if large { delta * (d.abs() - 0.5 * delta) } else { 0.5 * d * d };
        (value, if large { delta.copysign(d) } else { d })
    }
}
