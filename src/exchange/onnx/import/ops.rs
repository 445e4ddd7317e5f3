//! The operators that are known, by families.

mod activations;
mod arithmetic;
mod attention;
mod constants;
mod dense;
pub mod fold;
mod norms;
mod places;
mod pools;
mod recurrent;
mod reshape;
mod shapes;
mod windows;

use super::context::Operation;

/// The operation of an operator of the standard domain.
pub fn named(operator: &str) -> Option<Operation> {
    let families = [
        constants::named,
        shapes::named,
        dense::named,
        windows::named,
        pools::named,
        norms::named,
        activations::named,
        arithmetic::named,
        recurrent::named,
        places::named,
    ];
    families.into_iter().find_map(|family| family(operator))
}

/// Why an operator is not known, with what there is to do.
pub fn unknown(operator: &str) -> String {
    attention::hint(operator).unwrap_or_else(|| "no layer of fallline does what it does".into())
}
