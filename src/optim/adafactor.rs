//! Adafactor: steps scaled by the root of second moments, of which a matrix keeps one for each row and each column.

use super::elementwise::{each_0, each_1};
use super::per_tensor::{Factored, PerTensor};
use super::rule::{Coefficients, Rule, StepSettings, coefficients};

/// With `β = 1 - t^-power`: of a matrix `[out, in]`, means over its rows and its columns, `r ← β r + (1 - β) mean(g²)` of
/// each output and `c` likewise of each input, give `v = r c / max(mean(r), ε₁)`; of all else `v ← β v + (1 - β) g²`.
/// `u = g / max(√v, ε₁)`, `p ← (1 - rate · decay) p - min(rate, 1 / √t) · max(ε₂, rms(p)) · u / max(1, rms(u) / threshold)`,
/// rms being the root of the mean square of a whole parameter before the step.
///
/// As `torch.optim.Adafactor`, which factors the kernels of convolutions too; Shazeer, Stern: Adafactor, adaptive learning
/// rates with sublinear memory cost (2018).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Adafactor {
    pub power: f64,
    pub weight_decay: f64,
    pub factored: Factored,
}

impl Default for Adafactor {
    fn default() -> Self {
        Adafactor { power: 0.8, weight_decay: 0.0, factored: Factored::default() }
    }
}

impl Rule for Adafactor {
    /// What it keeps lies with the plan of whole parameters.
    fn slots(&self) -> usize {
        0
    }

    fn per_tensor(&self) -> Option<PerTensor> {
        Some(PerTensor::Factored(self.factored))
    }

    fn coefficients(&self, settings: StepSettings) -> Coefficients {
        let (rate, step) = (settings.learning_rate, settings.step as f64);
        let shrink = 1.0 - rate * self.weight_decay * settings.decay;
        coefficients([rate.min(1.0 / step.sqrt()), shrink, step.powf(-self.power), self.factored.floor()])
    }

    fn direct(
        &self,
        coefficients: &Coefficients,
        _matrix: bool,
        parameters: &[f32],
        gradients: &mut [f32],
        slots: &mut [&mut [f32]],
    ) {
        let [_, _, new, floor, ..] = *coefficients;
        each_1(
            gradients,
            parameters,
            slots,
            #[inline(always)]
            |g, _, square| {
                *square = new.mul_add(*g * *g - *square, *square);
                *g /= (if *square < floor { floor } else { *square }).sqrt();
            },
        );
    }

    fn blend(&self, coefficients: &Coefficients, means: &mut [f32], of_step: &[f32]) {
        let [_, _, new, ..] = *coefficients;
        each_0(
            means,
            of_step,
            #[inline(always)]
            |mean, of_step| *mean = new.mul_add(of_step - *mean, *mean),
        );
    }

    fn apply(
        &self,
        coefficients: &Coefficients,
        parameters: &mut [f32],
        directions: &mut [f32],
        _slots: &mut [&mut [f32]],
    ) {
        let [rate, shrink, ..] = *coefficients;
        each_0(
            parameters,
            directions,
            #[inline(always)]
            |p, d| *p = shrink * *p - rate * d,
        );
    }
}
