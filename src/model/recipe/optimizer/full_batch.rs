//! The methods with a line search, and what a recipe must say, and must not, with a rule for the full
//! batch.

use super::super::TrainConfig;
use super::own_average::beside_own_average;
use super::table::{PENALTY, nothing, number};
use super::{Allowed, HyperParameter, OptimizerConfig, OptimizerKind};
use crate::error::{Error, Result};
use crate::model::recipe::Recipe;
use crate::model::recipe::layers::{LayerConfig, Over, find_layer};
use crate::model::section::{Section, non_negative};
use crate::optim::FullBatch;
use crate::optim::full_batch::{Formula, Method, Settings};
use crate::optim::schedule::Schedule;

/// The most steps that L-BFGS may remember, and the most evaluations of a line search.
const MOST: usize = 10_000;

const MAX_EVAL: HyperParameter = HyperParameter {
    key: "max_eval",
    about: "the most evaluations of loss and gradient in a line search",
    allowed: Allowed::Integer { default: 25, low: 1, high: MOST },
};
const TOLERANCE_GRAD: HyperParameter = number(
    "tolerance_grad",
    1e-7,
    non_negative(),
    "the training ends when no element of the gradient is larger",
);
const TOLERANCE_CHANGE: HyperParameter = number(
    "tolerance_change",
    1e-9,
    non_negative(),
    "it ends when no parameter, or not the loss, changes by more",
);
const OBJECTIVE_PENALTY: HyperParameter = HyperParameter {
    about: "L2 penalty: weight_decay / 2 · Σ p² is part of the loss that is searched, though not shown",
    ..PENALTY
};

pub(super) const LBFGS: OptimizerKind = OptimizerKind {
    name: "lbfgs",
    learning_rate: 1.0,
    formula: "d = -H g, H the inverse Hessian that the last steps s and changes of the gradient y tell \
        of, H = (1 - ρ s yᵀ) H (1 - ρ y sᵀ) + ρ s sᵀ for each, ρ = 1 / yᵀs; p ← p + a d, a meeting the \
        strong Wolfe conditions with c₁ = 1e-4, c₂ = 0.9; the learning rate is the first a that is \
        tried, in the first step times min(1, 1 / Σ|g|)",
    source: "Liu, Nocedal: On the limited memory BFGS method for large scale optimization (1989); \
        Nocedal, Wright: Numerical optimization (2006), algorithms 7.4, 7.5, 3.5, 3.6; as \
        torch.optim.LBFGS with line_search_fn=\"strong_wolfe\", one iteration a step",
    full_batch: true,
    hyper_parameters: &[
        HyperParameter {
            key: "history_size",
            about: "the steps that are remembered; no more than the run has",
            allowed: Allowed::Integer { default: 100, low: 1, high: MOST },
        },
        MAX_EVAL,
        TOLERANCE_GRAD,
        TOLERANCE_CHANGE,
        OBJECTIVE_PENALTY,
    ],
    conflict: nothing,
    make: |config| {
        Box::new(full_batch(config, Method::Lbfgs { history_size: config.integer("history_size") }))
    },
};

pub(super) const CG: OptimizerKind = OptimizerKind {
    name: "cg",
    learning_rate: 1.0,
    formula: "d ← -g + β d, y the change of g; β = max(0, g · y / g' · g') (polak-ribiere), g · g / g' · \
        g' (fletcher-reeves) or g · y / d · y (hestenes-stiefel), g' the gradient before; β = 0 after as \
        many steps as there are parameters, where d would not lead down and, with fletcher-reeves, where \
        |g · g'| ≥ 0.1 g · g; p ← p + a d, a meeting the strong Wolfe conditions with c₁ = 1e-4, c₂ = \
        0.1; the learning rate times min(1, 1 / Σ|g|) is the first a that is tried",
    source: "Hestenes, Stiefel (1952); Fletcher, Reeves (1964); Polak, Ribière (1969); Nocedal, Wright: \
        Numerical optimization (2006), §5.2, algorithms 5.4, 3.5, 3.6",
    full_batch: true,
    hyper_parameters: &[
        HyperParameter {
            key: "formula",
            about: "that of β",
            allowed: Allowed::Name("polak-ribiere", &Formula::NAMES),
        },
        MAX_EVAL,
        TOLERANCE_GRAD,
        TOLERANCE_CHANGE,
        OBJECTIVE_PENALTY,
    ],
    conflict: nothing,
    make: |config| {
        let formula = Formula::named(config.name_of("formula")).expect("the table has its names from there");
        Box::new(full_batch(config, Method::ConjugateGradient { formula }))
    },
};

fn full_batch(config: &OptimizerConfig, method: Method) -> FullBatch {
    let settings = Settings {
        method,
        max_eval: config.integer("max_eval"),
        tolerance_grad: config.number("tolerance_grad"),
        tolerance_change: config.number("tolerance_change"),
    };
    FullBatch { settings, weight_decay: config.number("weight_decay") }
}

/// A setting that makes no sense beside the others: its key, what would, and what it is.
pub(super) type Misfit = (&'static str, String, String);

/// Refuses what makes no sense with the recipe's optimizer, where the section, the outermost of the
/// recipe, says that it stands.
pub fn check(root: &Section, recipe: &Recipe) -> Result<()> {
    let misfit = all_and_several(&recipe.train)
        .or_else(|| beside_a_search(recipe))
        .or_else(|| beside_own_average(recipe));
    misfit.map_or(Ok(()), |(key, expected, found)| Err(root.setting(key, &expected, &found)))
}

/// Refuses a recipe that cannot be followed with so many training samples: a step of a rule for the full
/// batch has to take all of them. What is refused at reading, too, for recipes that were not read.
///
/// # Errors
/// [`Error::Setting`] with the key.
pub fn check_samples(recipe: &Recipe, samples: usize) -> Result<()> {
    let misfit = all_and_several(&recipe.train)
        .or_else(|| beside_a_search(recipe))
        .or_else(|| beside_own_average(recipe))
        .or_else(|| too_few(&recipe.optimizer, &recipe.train, samples));
    misfit.map_or(Ok(()), |(key, expected, found)| {
        Err(Error::Setting { place: format!("recipe {}", recipe.name), key: key.into(), expected, found })
    })
}

fn all_and_several(train: &TrainConfig) -> Option<Misfit> {
    (train.takes_all() && train.accumulate > 1)
        .then(|| ("train.accumulate", "1 with `batch = \"all\"`".to_string(), train.accumulate.to_string()))
}

fn too_few(optimizer: &OptimizerConfig, train: &TrainConfig, samples: usize) -> Option<Misfit> {
    let is_too_few = train.batch.saturating_mul(train.accumulate) < samples;
    (optimizer.kind().full_batch && is_too_few).then(|| {
        let several = if train.accumulate > 1 { format!("{} x ", train.accumulate) } else { String::new() };
        let expected = format!(
            "\"all\", or at least the {samples} samples that are trained on, with the optimizer `{}`",
            optimizer.name()
        );
        ("train.batch", expected, format!("{several}{}", train.batch))
    })
}

/// What the line search of a method leaves no place for.
fn beside_a_search(recipe: &Recipe) -> Option<Misfit> {
    let Recipe { optimizer, schedule, gradient, constraint, .. } = recipe;
    optimizer.rule().full_batch()?;
    let with = format!("with the optimizer `{}`", optimizer.name());
    let changes = |layer: &LayerConfig| match layer {
        LayerConfig::Normalisation(config) => matches!(config.over, Over::Batch { .. }),
        layer => matches!(layer, LayerConfig::Dropout { .. }),
    };
    if let Some(layer) = find_layer(&recipe.model.layers, changes) {
        let expected = format!(
            "neither `batch-norm` nor `dropout` {with}: they answer otherwise in training than at the end of a search"
        );
        return Some(("model.layers", expected, layer.kind().into()));
    }
    if optimizer.learning_rate <= 0.0 {
        let expected = format!("a number above 0 {with}");
        return Some(("optimizer.learning_rate", expected, optimizer.learning_rate.to_string()));
    }
    let rate = &schedule.learning_rate;
    if *rate != Schedule::constant() {
        let (key, found) = match &rate.warmup {
            Some(_) => ("schedule", "a warm-up".to_string()),
            None => ("schedule.name", rate.name()),
        };
        return Some((key, format!("`constant` {with}, whose line search finds each step"), found));
    }
    if schedule.weight_decay.is_some() {
        let expected = format!("none {with}, which minimises one and the same loss");
        return Some(("schedule.weight_decay", expected, "one".into()));
    }
    if gradient.l1 != 0.0 {
        let expected = format!("0 {with}, which needs a smooth loss (`optimizer.weight_decay` is smooth)");
        return Some(("gradient.l1", expected, gradient.l1.to_string()));
    }
    let limits = [
        ("gradient.clip_value", gradient.clip_value),
        ("gradient.clip_norm", gradient.clip_norm),
        ("gradient.clip_adaptive", gradient.clip_adaptive),
        ("constraint.clip_weights", constraint.clip_weights),
        ("constraint.max_norm", constraint.max_norm),
    ];
    let (key, limit) = limits.into_iter().find_map(|(key, limit)| Some((key, limit?)))?;
    Some((
        key,
        format!("none {with}, whose line search needs loss and gradient as they are"),
        limit.to_string(),
    ))
}
