//! Rprop: steps that follow the gradient's sign, longer while it stays and shorter when it turns.

use super::elementwise::each_2;
use super::rule::{Coefficients, Rule, StepSettings, coefficients};

/// With `s = g · g'`, `g'` the gradient of the step before: the step size grows by η₊ where `s > 0`,
/// shrinks by η₋ and `g ← 0` where `s < 0`; then `p ← p - sign(g) · size`. The learning rate is the
/// first size. For gradients of the full batch.
///
/// As `torch.optim.Rprop`; Riedmiller, Braun: A direct adaptive method for faster backpropagation
/// learning (1993).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rprop {
    /// The factor by which steps shrink, η₋, in (0, 1).
    pub shrink: f64,
    /// The factor by which steps grow, η₊, above 1.
    pub grow: f64,
    pub smallest: f64,
    pub largest: f64,
}

impl Default for Rprop {
    fn default() -> Self {
        Rprop { shrink: 0.5, grow: 1.2, smallest: 1e-6, largest: 50.0 }
    }
}

impl Rule for Rprop {
    fn slots(&self) -> usize {
        2
    }

    fn coefficients(&self, settings: StepSettings) -> Coefficients {
        // Slots begin as zeros.
        let first = if settings.step == 1 { settings.learning_rate } else { 0.0 };
        coefficients([first, self.shrink, self.grow, self.smallest, self.largest])
    }

    fn apply(
        &self,
        coefficients: &Coefficients,
        parameters: &mut [f32],
        gradients: &mut [f32],
        slots: &mut [&mut [f32]],
    ) {
        let [first, shrink, grow, smallest, largest, ..] = *coefficients;
        each_2(
            parameters,
            gradients,
            slots,
            #[inline(always)]
            |p, g, before, size| {
                let agreement = g * *before;
                let turned = agreement < 0.0;
                let factor = select(turned, shrink, select(agreement > 0.0, grow, 1.0));
                let scaled = (*size + first) * factor;
                let scaled = select(scaled < smallest, smallest, scaled);
                *size = select(scaled > largest, largest, scaled);
                let g = select(turned, 0.0, g);
                *p -= select(g > 0.0, *size, select(g < 0.0, -*size, 0.0));
                *before = g;
            },
        );
    }
}

/// Selects `yes` or `no`, bit by bit: with an `if` for each of so many choices the compiler makes branches, and no
/// vectors.
#[inline(always)]
fn select(condition: bool, yes: f32, no: f32) -> f32 {
    let mask = u32::from(condition).wrapping_neg();
    f32::from_bits(yes.to_bits() & mask | no.to_bits() & !mask)
}
