//! The global methods, which go by the losses of all samples at the points that they propose.

use super::config::OptimizerKind;
use super::full_batch::{OBJECTIVE_PENALTY, TOLERANCE_CHANGE, restarts, spread};
use crate::hyper::{HyperParameter, HyperValues, non_negative, positive, unit};
use crate::optim::full_batch::{Formula, Method};
use crate::optim::global::{
    AnnealingSettings, CmaEsSettings, Cooling, Covariance, GeneticSettings, Global, GlobalMethod,
};
use crate::optim::{FullBatch, Search};

/// The most points of a generation, and the most proposals of an iteration.
const MOST: usize = 10_000;
/// Of a strategy's own choice of its population.
const LEAST_POPULATION: usize = 4;

const LOCALS: [&str; 3] = ["none", "lbfgs", "cg"];

const LOCAL: HyperParameter = HyperParameter::name(
    "local",
    "none",
    &LOCALS,
    "the descent from the best point of each iteration, whose result is kept if it is the best so far",
);
const LOCAL_ITERATIONS: HyperParameter =
    HyperParameter::integer("local_iterations", 10, [1, MOST], "the most iterations of each such descent");

pub(super) const ANNEALING: OptimizerKind = OptimizerKind::new("annealing", 0.1, |values| {
    let cooling = Cooling::named(values.name_of("cooling")).expect("the table has its names from there");
    global(
        values,
        GlobalMethod::Annealing(AnnealingSettings {
            initial_temperature: values.number("initial_temperature"),
            final_temperature: values.number("final_temperature"),
            cooling,
            steps: values.integer("steps"),
            shrink: values.choice("shrink"),
        }),
    )
})
.hyper_parameters(&[
    HyperParameter::number("initial_temperature", 0.1, positive(), "T₀, in units of the loss"),
    HyperParameter::number("final_temperature", 1e-4, positive(), "T₁, at most T₀"),
    HyperParameter::name(
        "cooling",
        "exponential",
        &Cooling::NAMES,
        "T = T₀ (T₁ / T₀)ᵗ or T₀ + (T₁ - T₀) t, t from 0 to 1 over the epochs",
    ),
    HyperParameter::integer("steps", 100, [1, MOST], "the steps that are proposed in an epoch"),
    HyperParameter::choice("shrink", true, "whether steps shrink by √(T / T₀)"),
    LOCAL,
    LOCAL_ITERATIONS,
    restarts(),
    spread("the standard deviation of their points about the first one"),
    OBJECTIVE_PENALTY,
])
.conflict(|values| {
    let first = values.number("initial_temperature");
    (values.number("final_temperature") > first)
        .then(|| ("final_temperature", format!("at most `initial_temperature` ({first})")))
})
.full_batch()
.formula(
    "a walk: q = p + rate · √(T / T₀) · z, z standard normal; p ← q with the probability \
     min(1, e^(-(loss(q) - loss(p)) / T)); the best point of all is the model",
)
.source(
    "Kirkpatrick, Gelatt, Vecchi: Optimization by simulated annealing (1983); Metropolis et al.: Equation of state \
     calculations by fast computing machines (1953)",
);

pub(super) const GENETIC: OptimizerKind = OptimizerKind::new("genetic", 0.1, |values| {
    global(
        values,
        GlobalMethod::Genetic(GeneticSettings {
            population: values.integer("population"),
            tournament: values.integer("tournament"),
            crossover_rate: values.number("crossover_rate"),
            blend: values.number("blend"),
            mutation_rate: values.number("mutation_rate"),
            elite: values.integer("elite"),
            tolerance_change: values.number("tolerance_change"),
        }),
    )
})
.hyper_parameters(&[
    HyperParameter::integer("population", 40, [2, MOST], "the points of a generation"),
    HyperParameter::integer("tournament", 3, [1, MOST], "the points that are drawn for a parent, the best of which it is"),
    HyperParameter::number("crossover_rate", 0.9, unit(), "the part of children that have two parents"),
    HyperParameter::number(
        "blend",
        0.5,
        non_negative(),
        "α: how far beyond its parents a child may lie, in parts of their distance",
    ),
    HyperParameter::number("mutation_rate", 0.1, unit(), "the part of a child's parameters that mutate"),
    HyperParameter::integer("elite", 2, [0, MOST], "the best points so many stay"),
    HyperParameter {
        about: "the training ends when no parameter differs by more within the population",
        ..TOLERANCE_CHANGE
    },
    LOCAL,
    LOCAL_ITERATIONS,
    restarts(),
    spread("the standard deviation of their points, and of the first population, about the first one"),
    OBJECTIVE_PENALTY,
])
.conflict(|values| {
    let population = values.integer("population");
    if values.integer("tournament") > population {
        return Some(("tournament", format!("at most `population` ({population})")));
    }
    (values.integer("elite") >= population).then(|| ("elite", format!("below `population` ({population})")))
})
.full_batch()
.formula(
    "a child's parameter is drawn evenly from [min(a, b) - α |a - b|, max(a, b) + α |a - b|], a and b its parents', each \
     the best of a tournament; a mutation adds rate · z, z standard normal; the elite stays, and its first is the model",
)
.source(
    "Eshelman, Schaffer: Real-coded genetic algorithms and interval-schemata (1993); Goldberg, Deb: A comparative \
     analysis of selection schemes used in genetic algorithms (1991)",
);

pub(super) const CMA_ES: OptimizerKind = OptimizerKind::new("cma-es", 0.3, |values| {
    let covariance = Covariance::named(values.name_of("covariance")).expect("the table has its names from there");
    let tolerance_change = values.number("tolerance_change");
    let population = values.integer("population");
    global(values, GlobalMethod::CmaEs(CmaEsSettings { population, covariance, tolerance_change }))
})
.hyper_parameters(&[
    HyperParameter::integer("population", 0, [0, MOST], "λ, at least 4; 0 is 4 + ⌊3 ln n⌋ of n parameters"),
    HyperParameter::name(
        "covariance",
        "full",
        &Covariance::NAMES,
        "any C, of at most 1,000 parameters, or a diagonal one, of at most 100,000",
    ),
    HyperParameter {
        about: "the training ends when no parameter's standard deviation is larger",
        ..TOLERANCE_CHANGE
    },
    LOCAL,
    LOCAL_ITERATIONS,
    restarts(),
    spread("the standard deviation of their points about the first one"),
    OBJECTIVE_PENALTY,
])
.conflict(|values| {
    (1..LEAST_POPULATION)
        .contains(&values.integer("population"))
        .then(|| ("population", format!("0 or an integer from {LEAST_POPULATION} to {MOST}")))
})
.full_batch()
.formula(
    "λ points m + σ √C z, z standard normal; m moves to the weighted mean of the better half; C follows their steps and \
     the path of m, σ the length of that path; the learning rate is the first σ, the first C the identity; the best point \
     of all is the model",
)
.source(
    "Hansen: The CMA evolution strategy, a tutorial (2016), without negative weights; Ros, Hansen: A simple modification \
     in CMA-ES achieving linear time and space complexity (2008) for a diagonal C",
);

fn global(values: &HyperValues, method: GlobalMethod) -> Box<dyn crate::optim::Rule> {
    let local = match values.name_of("local") {
        "lbfgs" => Some(Method::Lbfgs { history_size: 100 }),
        "cg" => Some(Method::ConjugateGradient { formula: Formula::PolakRibiere }),
        _ => None,
    };
    let local_iterations = values.integer("local_iterations");
    Box::new(FullBatch {
        search: Search::Global(Global { method, local, local_iterations }),
        weight_decay: values.number("weight_decay"),
        restarts: values.integer("restarts"),
        spread: values.number("spread"),
    })
}
