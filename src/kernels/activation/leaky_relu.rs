//! ReLU with a slope below 0. The sign of y tells that of x, unless the slope is 0 or negative.

use super::entry::{Elementwise, Entry, Kernels, Limit, Parameter};

pub(super) const ENTRY: Entry = Entry {
    name: "leaky-relu",
    formula: "x if x > 0, else slope x",
    source: "Maas, Hannun, Ng 2013",
    parameter: Some(Parameter { key: "slope", default: 0.01, limit: Limit::NonNegative }),
    is_linear_near_0: false,
    derivative_from_output: |slope| slope > 0.0,
    reference: |slope, x| if x > 0.0 { x } else { slope * x },
    reference_derivative: |slope, x| if x > 0.0 { 1.0 } else { slope },
    kernels: Kernels::of::<LeakyRelu>(),
};

#[derive(Clone, Copy)]
struct LeakyRelu {
    slope: f32,
}

impl Elementwise for LeakyRelu {
    #[inline(always)]
    fn new(parameter: f32) -> LeakyRelu {
        LeakyRelu { slope: parameter }
    }

    #[inline(always)]
    fn apply(self, x: f32) -> f32 {
        if x <= 0.0 { self.slope * x } else { x }
    }

    /// The derivative: from y where that has the sign of x, else from x.
    #[inline(always)]
    fn derivative(self, saved: f32) -> f32 {
        if saved <= 0.0 { self.slope } else { 1.0 }
    }
}
