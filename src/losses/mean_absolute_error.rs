//! The mean of the differences without their signs.

use super::function::LossFunction;
use super::kind::LossKind;
use crate::kernels::loss::ElementwiseLoss;
use crate::kernels::reference;

pub(super) static KIND: LossKind =
    LossKind::new("mean-absolute-error", |_| LossFunction::elementwise(Absolute))
        .formula("(1 / C) Σᵢ abs(yᵢ - tᵢ)")
        .source("Laplace (1774); the slope at 0 is taken to be 0; as torch.nn.L1Loss")
        .reference(|_, y, t| reference::mean_absolute_error(y, t));

#[derive(Clone, Copy)]
struct Absolute;

impl ElementwiseLoss for Absolute {
    #[inline(always)]
    fn at(self, y: f32, t: f32) -> (f32, f32) {
        let d = y - t;
        let slope = match d {
            d if d > 0.0 => 1.0,
            d if d < 0.0 => -1.0,
            // 0 or NaN stays.
            d => d,
        };
        (d.abs(), slope)
    }
}
