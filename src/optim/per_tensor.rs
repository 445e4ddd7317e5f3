//! What rules for whole parameters do between the two halves of a step.

use super::elementwise::each_2;

/// What is done to the direction of each parameter, such as a layer's weight, before the step along it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum PerTensor {
    /// It is multiplied by ‖parameter‖ / ‖direction‖, Euclidean norms, or by 1 where one of the two
    /// is 0.
    TrustRatio,
    /// That of each matrix is made about orthogonal. Other parameters' stay what they are.
    Orthogonal(Orthogonal),
    /// That of each matrix is its gradient divided by the root of what means over rows and columns say of its square.
    /// All are then scaled by their own and their parameter's size.
    Factored(Factored),
}

/// How a gradient is scaled by factored second moments: a matrix `[out, in]` keeps the mean square of each row and each
/// column, r and c, which [`Rule::blend`](super::Rule::blend) brings up to date; its direction is `g / √v`,
/// `v = max(r c / max(mean(r), ε), ε²)`. What is no matrix has one slot of its own. Then a direction u is multiplied by
/// `max(smallest, rms(p)) / max(1, rms(u) / threshold)`.
///
/// Shazeer, Stern: Adafactor, adaptive learning rates with sublinear memory cost (2018), algorithm 4; ε where
/// `torch.optim.Adafactor` has it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Factored {
    /// ε₁
    pub epsilon: f64,
    /// ε₂
    pub smallest: f64,
    /// d
    pub threshold: f64,
}

impl Default for Factored {
    fn default() -> Self {
        Factored { epsilon: f32::EPSILON.into(), smallest: 1e-3, threshold: 1.0 }
    }
}

impl Factored {
    /// The least mean square.
    pub fn floor(&self) -> f64 {
        self.epsilon * self.epsilon
    }

    /// What a direction of this root of its mean square, of a parameter of that one, is multiplied by. NaN stays NaN.
    pub fn scale(&self, direction: f64, parameter: f64) -> f64 {
        let size = if parameter < self.smallest { self.smallest } else { parameter };
        let over = direction / self.threshold;
        size / if over < 1.0 { 1.0 } else { over }
    }
}

/// How a matrix X `[out, in]` is made about orthogonal: with X ← X / max(‖X‖, ε), so many times
/// X ← (a I + b A + c A²) X, A = X Xᵀ; then it is multiplied by [`Adjustment::factor`].
///
/// The Newton-Schulz iteration of Jordan et al.: Muon, an optimizer for hidden layers in neural
/// networks (2024). Singular values end between about 0.7 and 1.2.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Orthogonal {
    pub steps: usize,
    /// a, b, c
    pub coefficients: [f64; 3],
    pub epsilon: f64,
    pub adjustment: Adjustment,
    /// Whether the weights of the last layer are left as other parameters are.
    pub spare_last_layer: bool,
}

impl Default for Orthogonal {
    fn default() -> Self {
        Orthogonal {
            steps: 5,
            coefficients: [3.4445, -4.7750, 2.0315],
            epsilon: 1e-7,
            adjustment: Adjustment::Original,
            spare_last_layer: true,
        }
    }
}

/// How the size of a matrix's step depends on its shape; `torch.optim.Muon`'s `adjust_lr_fn`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Adjustment {
    /// √max(1, out / in); Jordan et al. (2024).
    Original,
    /// 0.2 √max(out, in), which makes elements about as large as AdamW's; Liu et al.: Muon is scalable
    /// for LLM training (2025).
    MatchRmsAdamw,
    /// √(out / in); Bernstein: Deriving Muon (2025).
    SpectralUnclamped,
}

impl Adjustment {
    /// What the orthogonal matrix `[outputs, inputs]` is multiplied by.
    pub fn factor(self, outputs: usize, inputs: usize) -> f64 {
        let (outputs, inputs) = (outputs as f64, inputs as f64);
        match self {
            Adjustment::Original => (outputs / inputs).max(1.0).sqrt(),
            Adjustment::MatchRmsAdamw => 0.2 * outputs.max(inputs).sqrt(),
            Adjustment::SpectralUnclamped => (outputs / inputs).sqrt(),
        }
    }
}

/// Makes gradients into Adam's directions, `decay · p + factor · m / (√v · root_correction + ε)`;
/// `terms` are factor, root_correction, the parts of m and v that are kept and added, ε and decay.
#[inline(always)]
pub(super) fn adam_directions(
    gradients: &mut [f32],
    parameters: &[f32],
    slots: &mut [&mut [f32]],
    terms: [f32; 8],
) {
    let [factor, root_correction, keep1, new1, keep2, new2, epsilon, decay] = terms;
    each_2(
        gradients,
        parameters,
        slots,
        #[inline(always)]
        |g, p, mean, square| {
            *mean = keep1.mul_add(*mean, new1 * *g);
            *square = keep2.mul_add(*square, new2 * (*g * *g));
            let root = square.sqrt().mul_add(root_correction, epsilon);
            *g = decay.mul_add(p, factor * *mean / root);
        },
    );
}
