//! Of counts, whose rates are e to the power of the outputs.

use super::function::LossFunction;
use super::kind::{LossKind, Takes};
use crate::hyper::non_negative;
use crate::kernels::loss::ElementwiseLoss;
use crate::kernels::reference;
use crate::kernels::simd::math;

pub(super) static KIND: LossKind =
    LossKind::new("poisson", |_| LossFunction::elementwise(Poisson))
.formula("(1 / C) Σᵢ e^yᵢ - tᵢ yᵢ")
.source(
        "The negative logarithm of a likelihood: McCullagh, Nelder: Generalized linear models (1989), without \
         the part that is the same for all y; infinite above y = 88.7; as torch.nn.PoissonNLLLoss \
         (log_input, not full)",
    )
.takes(Takes::Numbers(non_negative()))
.reference(|_, y, t| reference::poisson(y, t));

#[derive(Clone, Copy)]
struct Poisson;

impl ElementwiseLoss for Poisson {
    #[inline(always)]
    fn at(self, y: f32, t: f32) -> (f32, f32) {
        let e = math::exp(y);
        ((-t).mul_add(y, e), e - t)
    }
}
