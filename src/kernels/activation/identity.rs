//! The identity, for layers without an activation: nothing is computed for it.

use super::entry::{Elements, Entry, Kernels};

pub(super) const ENTRY: Entry = Entry {
    name: "identity",
    formula: "x",
    source: "",
    parameter: None,
    is_linear_near_0: true,
    derivative_from_output: |_| true,
    reference: |_, x| x,
    reference_derivative: |_, _| 1.0,
    kernels: Kernels {
        apply: |_, x| x,
        forward: |_, elements| copy(elements),
        backward: |_, elements, _| copy(elements),
    },
};

fn copy(elements: Elements) {
    match elements {
        Elements::Apart(to, from) => to.copy_from_slice(from),
        Elements::InPlace(_) => {}
    }
}
