//! The methods with a line search, which need the gradient of all samples.

use super::config::OptimizerKind;
use super::shared::PENALTY;
use crate::hyper::{HyperParameter, HyperValues, non_negative};
use crate::optim::full_batch::{Formula, Method, Settings};
use crate::optim::{FullBatch, Search};

/// The most steps that L-BFGS may remember, and the most evaluations of a line search.
const MOST: usize = 10_000;

const MAX_EVAL: HyperParameter = HyperParameter::integer(
    "max_eval",
    25,
    [1, MOST],
    "the most evaluations of loss and gradient in a line search",
);
const TOLERANCE_GRAD: HyperParameter = HyperParameter::number(
    "tolerance_grad",
    1e-7,
    non_negative(),
    "the training ends when no element of the gradient is larger",
);
pub(super) const TOLERANCE_CHANGE: HyperParameter = HyperParameter::number(
    "tolerance_change",
    1e-9,
    non_negative(),
    "it ends when no parameter, or not the loss, changes by more",
);
pub(super) const OBJECTIVE_PENALTY: HyperParameter = HyperParameter {
    about: "L2 penalty: weight_decay / 2 · Σ p² is part of the loss that is searched, though not shown",
    ..PENALTY
};

/// How often a search begins anew.
pub(super) const fn restarts() -> HyperParameter {
    HyperParameter::integer(
        "restarts",
        0,
        [0, MOST],
        "how often it begins anew from another point, each time for an equal share of the epochs at most; the best point \
         is kept",
    )
}

/// Where it does.
pub(super) const fn spread(about: &'static str) -> HyperParameter {
    HyperParameter::number("spread", 0.5, non_negative(), about)
}

const RESTARTS: HyperParameter = restarts();
const SPREAD: HyperParameter = spread("the standard deviation of their points about the first one");

pub(super) const LBFGS: OptimizerKind = OptimizerKind::new("lbfgs", 1.0, |values| {
    Box::new(full_batch(values, Method::Lbfgs { history_size: values.integer("history_size") }))
})
.hyper_parameters(&[
    HyperParameter::integer(
        "history_size",
        100,
        [1, MOST],
        "the steps that are remembered; no more than the run has",
    ),
    MAX_EVAL,
    TOLERANCE_GRAD,
    TOLERANCE_CHANGE,
    OBJECTIVE_PENALTY,
    RESTARTS,
    SPREAD,
])
.full_batch()
.formula(
    "d = -H g, H the inverse Hessian that the last steps s and changes of the gradient y tell \
     of, H = (1 - ρ s yᵀ) H (1 - ρ y sᵀ) + ρ s sᵀ for each, ρ = 1 / yᵀs; p ← p + a d, a meeting the \
     strong Wolfe conditions with c₁ = 1e-4, c₂ = 0.9; the learning rate is the first a that is \
     tried, in the first step times min(1, 1 / Σ|g|)",
)
.source(
    "Liu, Nocedal: On the limited memory BFGS method for large scale optimization (1989); \
     Nocedal, Wright: Numerical optimization (2006), algorithms 7.4, 7.5, 3.5, 3.6; as \
     torch.optim.LBFGS with line_search_fn=\"strong_wolfe\", one iteration a step",
);

pub(super) const CG: OptimizerKind = OptimizerKind::new("cg", 1.0, |values| {
    let formula = Formula::named(values.name_of("formula")).expect("the table has its names from there");
    Box::new(full_batch(values, Method::ConjugateGradient { formula }))
})
.hyper_parameters(&[
    HyperParameter::name("formula", "polak-ribiere", &Formula::NAMES, "that of β"),
    MAX_EVAL,
    TOLERANCE_GRAD,
    TOLERANCE_CHANGE,
    OBJECTIVE_PENALTY,
    RESTARTS,
    SPREAD,
])
.full_batch()
.formula(
    "d ← -g + β d, y the change of g; β = max(0, g · y / g' · g') (polak-ribiere), g · g / g' · \
     g' (fletcher-reeves) or g · y / d · y (hestenes-stiefel), g' the gradient before; β = 0 after as \
     many steps as there are parameters, where d would not lead down and, with fletcher-reeves, where \
     |g · g'| ≥ 0.1 g · g; p ← p + a d, a meeting the strong Wolfe conditions with c₁ = 1e-4, c₂ = \
     0.1; the learning rate times min(1, 1 / Σ|g|) is the first a that is tried",
)
.source(
    "Hestenes, Stiefel (1952); Fletcher, Reeves (1964); Polak, Ribière (1969); Nocedal, Wright: \
     Numerical optimization (2006), §5.2, algorithms 5.4, 3.5, 3.6",
);

fn full_batch(values: &HyperValues, method: Method) -> FullBatch {
    let settings = Settings {
        method,
        max_eval: values.integer("max_eval"),
        tolerance_grad: values.number("tolerance_grad"),
        tolerance_change: values.number("tolerance_change"),
    };
    FullBatch {
        search: Search::Descent(settings),
        weight_decay: values.number("weight_decay"),
        restarts: values.integer("restarts"),
        spread: values.number("spread"),
    }
}
