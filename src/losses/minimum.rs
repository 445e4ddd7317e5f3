//! The least of the outputs. Of squared distances to centres it is the quantisation error, which k-means makes small.

use super::function::LossFunction;
use super::kind::{LossKind, Takes};
use crate::kernels::loss::{RowLoss, Target};
use crate::kernels::reference;

pub(super) static KIND: LossKind = LossKind::new("minimum", |_| LossFunction::by_row(Minimum))
    .formula("minᵢ yᵢ")
    .source(
        "Of squared distances to centres the quantisation error of k-means: MacQueen: Some methods for classification and \
         analysis of multivariate observations (1967); Bottou, Bengio: Convergence properties of the k-means algorithms \
         (1995); of equal outputs the first has the gradient",
    )
    .takes(Takes::Nothing)
    .reference(|_, y, _| reference::minimum(y));

struct Minimum;

impl RowLoss for Minimum {
    #[inline(always)]
    fn row(&self, outputs: &[f32], _: Target, gradient: Option<&mut [f32]>) -> f32 {
        let (mut least, mut place) = (outputs[0], 0);
        for (index, &output) in outputs.iter().enumerate() {
            // NaN stays: nothing is below it.
            if output < least || output.is_nan() {
                (least, place) = (output, index);
            }
        }
        if let Some(gradient) = gradient {
            gradient[place] = if least.is_nan() { least } else { 1.0 };
        }
        least
    }
}
