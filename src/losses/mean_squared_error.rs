//! The mean of the squared differences.

use super::function::LossFunction;
use super::kind::LossKind;
use crate::kernels::loss::ElementwiseLoss;
use crate::kernels::reference;

pub(super) static KIND: LossKind =
    LossKind::new("mean-squared-error", |_| LossFunction::elementwise(Squared))
        .formula("(1 / C) Σᵢ (yᵢ - tᵢ)²")
        .source("Gauss: Theoria combinationis observationum (1823); as torch.nn.MSELoss")
        .reference(|_, y, t| reference::mean_squared_error(y, t));

#[derive(Clone, Copy)]
struct Squared;

impl ElementwiseLoss for Squared {
    #[inline(always)]
    fn at(self, y: f32, t: f32) -> (f32, f32) {
        let d = y - t;
        (d * d, 2.0 * d)
    }
}
