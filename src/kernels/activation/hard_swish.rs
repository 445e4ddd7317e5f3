//! SiLU with a sigmoid of three straight pieces.

use super::entry::{Elementwise, Entry, Kernels};

const SIXTH: f32 = 1.0 / 6.0;

pub(super) const ENTRY: Entry = Entry {
    name: "hard-swish",
    formula: "x min(max(x + 3, 0), 6) / 6",
    source: "Howard et al. 2019",
    parameter: None,
    is_linear_near_0: false,
    derivative_from_output: |_| false,
    reference: |_, x| x * (x + 3.0).clamp(0.0, 6.0) / 6.0,
    reference_derivative: |_, x| {
        if x <= -3.0 {
            0.0
        } else if x >= 3.0 {
            1.0
        } else {
            x / 3.0 + 0.5
        }
    },
    kernels: Kernels::of::<HardSwish>(),
};

#[derive(Clone, Copy)]
struct HardSwish;

impl Elementwise for HardSwish {
    #[inline(always)]
    fn new(_parameter: f32) -> HardSwish {
        HardSwish
    }

    #[inline(always)]
    fn apply(self, x: f32) -> f32 {
        // Compared in this way, NaN stays NaN; below -3 the result is 0 even for infinity.
        let gate = if x >= 3.0 { 1.0 } else { x.mul_add(SIXTH, 0.5) };
        if x <= -3.0 { 0.0 } else { x * gate }
    }

    /// The derivative: x / 3 + 1/2 between -3 and 3, 0 below and 1 above.
    #[inline(always)]
    fn derivative(self, saved: f32) -> f32 {
        let slope = if saved >= 3.0 { 1.0 } else { saved.mul_add(2.0 * SIXTH, 0.5) };
        if saved <= -3.0 { 0.0 } else { slope }
    }
}
