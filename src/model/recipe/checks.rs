//! What the tables of a recipe say has to go together: what is refused in one beside another.

use super::config::Recipe;
use super::layers::find_layer;
use super::optimizer::Optimizer;
use super::train::TrainConfig;
use crate::data::text::Form;
use crate::error::{Error, Result};
use crate::layers::LayerSettings;
use crate::losses::{self, Loss};
use crate::model::section::Section;
use crate::optim::Search;
use crate::optim::schedule::Schedule;

/// A setting that makes no sense beside the others: its key, what would, and what it is.
pub(crate) type Misfit = (&'static str, String, String);

/// Refuses what does not go together, where the section, the outermost of the recipe, says that it stands.
pub(super) fn check(root: &Section, recipe: &Recipe) -> Result<()> {
    let misfit = beside_the_rule(recipe).or_else(|| beside_augmentation(recipe));
    let misfit = misfit.or_else(|| beside_k_means(recipe)).or_else(|| beside_embedding(recipe));
    let misfit = misfit
        .or_else(|| recipe.model.untied())
        .or_else(|| recipe.beside_carrying())
        .or_else(|| beside_buckets(recipe));
    misfit.map_or(Ok(()), |(key, expected, found)| Err(root.setting(key, &expected, &found)))
}

/// Refuses a recipe that cannot be followed with so many training samples: a step of a rule for the full
/// batch has to take all of them, and k-means can't have more clusters. What is refused at reading, too, for recipes that
/// were not read.
///
/// # Errors
/// [`Error::Setting`] with the key.
pub fn check_samples(recipe: &Recipe, samples: usize) -> Result<()> {
    let misfit = beside_the_rule(recipe)
        .or_else(|| too_few(&recipe.optimizer, &recipe.train, samples))
        .or_else(|| too_many_clusters(recipe, samples));
    misfit.map_or(Ok(()), |misfit| Err(refused(recipe, misfit)))
}

/// Refuses augmentation that does not go with the rest of the recipe. What is refused at reading, too, for
/// recipes that were not read.
///
/// # Errors
/// [`Error::Setting`] with the key.
pub fn check_augmentation(recipe: &Recipe) -> Result<()> {
    beside_augmentation(recipe).map_or(Ok(()), |misfit| Err(refused(recipe, misfit)))
}

pub(super) fn refused(recipe: &Recipe, (key, expected, found): Misfit) -> Error {
    Error::Setting { place: format!("recipe {}", recipe.name), key: key.into(), expected, found }
}

/// What does not go with the update rule, however many samples there are.
fn beside_the_rule(recipe: &Recipe) -> Option<Misfit> {
    all_and_several(&recipe.train)
        .or_else(|| beside_lasso(recipe))
        .or_else(|| beside_a_search(recipe))
        .or_else(|| beside_own_average(recipe))
}

fn all_and_several(train: &TrainConfig) -> Option<Misfit> {
    (train.takes_all() && train.accumulate > 1)
        .then(|| ("train.accumulate", "1 with `batch = \"all\"`".to_string(), train.accumulate.to_string()))
}

fn too_few(optimizer: &Optimizer, train: &TrainConfig, samples: usize) -> Option<Misfit> {
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

fn too_many_clusters(recipe: &Recipe, samples: usize) -> Option<Misfit> {
    let clusters = recipe.model.k_means?.clusters;
    let expected = || format!("at most {samples}, as many as there are samples to train on");
    (clusters > samples).then(|| ("model.clusters", expected(), clusters.to_string()))
}

/// Samples of one length, or in an order of their own.
fn beside_buckets(recipe: &Recipe) -> Option<Misfit> {
    let Recipe { data, train, optimizer, .. } = recipe;
    if !train.buckets {
        return None;
    }
    let refused = |expected: &str| Some(("train.buckets", expected.to_string(), "true".to_string()));
    let is_stream = data.text.as_deref().is_some_and(|text| matches!(text.setup.form, Form::Stream { .. }));
    if is_stream || data.table.is_some() || data.task.is_some() {
        return refused(
            "false where samples are of one length: those of several are lines, `data.form = \"lines\"`",
        );
    }
    if !train.shuffle {
        return refused("false with `shuffle = false`");
    }
    if optimizer.kind().full_batch || train.takes_all() {
        return refused("false where each step takes all samples");
    }
    None
}

/// Windows of a series, of which a target follows.
fn beside_k_means(recipe: &Recipe) -> Option<Misfit> {
    let setup = &recipe.data.table.as_ref()?.setup;
    let expected = "none with `model.kind = \"k-means\"`, which groups rows and predicts nothing of them";
    (recipe.model.k_means.is_some() && setup.windows.is_some())
        .then(|| ("data.window", expected.into(), "one".into()))
}

/// A rule whose steps the proximal step of a lasso could not be measured by.
fn beside_lasso(recipe: &Recipe) -> Option<Misfit> {
    let Recipe { model, optimizer, .. } = recipe;
    let has_steps = optimizer.rule().gain(optimizer.rule().momentum()).is_some();
    (model.penalty().l1 != 0.0 && !has_steps).then(|| {
        let expected = "`sgd`, `momentum` or `nesterov` with `model.kind = \"lasso\"`, whose proximal step takes \
                        weights to 0 by as much as such a rule moves them";
        ("optimizer.name", expected.to_string(), format!("`{}`", optimizer.name()))
    })
}

/// What the search of a method leaves no place for.
fn beside_a_search(recipe: &Recipe) -> Option<Misfit> {
    let Recipe { optimizer, schedule, gradient, constraint, lookahead, .. } = recipe;
    let how = optimizer.rule().full_batch()?;
    let search = if matches!(how.search, Search::Descent(_)) { "line search" } else { "search" };
    let with = format!("with the optimizer `{}`", optimizer.name());
    let changes = |layer: &LayerSettings| layer.is_different_in_training();
    if let Some(layer) = find_layer(&recipe.model.layers, changes) {
        let expected = format!(
            "neither `batch-norm` nor `dropout` {with}: they behave differently in training than at the end of a search"
        );
        return Some(("model.layers", expected, layer.kind().name().into()));
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
        return Some((key, format!("`constant` {with}, whose {search} finds each step"), found));
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
    if let Some((key, limit)) = limits.into_iter().find_map(|(key, limit)| Some((key, limit?))) {
        let expected = format!("none {with}, whose {search} needs loss and gradient as they are");
        return Some((key, expected, limit.to_string()));
    }
    (how.keeps_the_best() && lookahead.is_some()).then(|| {
        let several = if how.restarts > 0 { " and `restarts`" } else { "" };
        ("lookahead", format!("none {with}{several}, which keeps the best point"), "lookahead".into())
    })
}

/// What would work on the trained parameters, where the average follows from the rule's own, or schedules a rate that the
/// average takes as constant.
fn beside_own_average(recipe: &Recipe) -> Option<Misfit> {
    recipe.optimizer.rule().evaluated()?;
    let with = format!("with the optimizer `{}`", recipe.optimizer.name());
    let rate = &recipe.schedule.learning_rate;
    if *rate != Schedule::constant() {
        let (key, found) = match &rate.warmup {
            Some(_) => ("schedule", "a warm-up".to_string()),
            None => ("schedule.name", rate.name()),
        };
        let expected = format!("`constant` {with}, which averages instead, and has a warm-up of its own");
        return Some((key, expected, found));
    }
    let averages = [
        ("lookahead", recipe.lookahead.is_some(), "lookahead"),
        ("average", recipe.average.is_some(), recipe.average.map_or("", |average| average.method.name())),
    ];
    if let Some((key, _, found)) = averages.into_iter().find(|(_, is_there, _)| *is_there) {
        return Some((key, format!("none {with}, which averages by itself"), found.into()));
    }
    let limits = [
        ("constraint.clip_weights", recipe.constraint.clip_weights),
        ("constraint.max_norm", recipe.constraint.max_norm),
    ];
    let (key, limit) = limits.into_iter().find_map(|(key, limit)| Some((key, limit?)))?;
    let expected = format!("none {with}, whose average follows from parameters that it would not hold");
    Some((key, expected, limit.to_string()))
}

/// What augmentation does not go with.
fn beside_augmentation(recipe: &Recipe) -> Option<Misfit> {
    let Recipe { augment, optimizer, model, .. } = recipe;
    if !augment.is_off() && optimizer.kind().full_batch {
        let name = optimizer.name();
        let expected = format!("none with the optimizer `{name}`, whose steps compare one and the same loss");
        return Some(("augment", expected, "one".into()));
    }
    if augment.mixup.is_some() && !model.loss.takes_mixtures() {
        let with_mixtures: Vec<&str> = losses::ALL
            .iter()
            .filter(|kind| Loss::of(kind).takes_mixtures())
            .map(|kind| kind.name())
            .collect();
        let expected = format!(
            "none with the loss `{}`, which takes no mixtures of classes: one of {}",
            model.loss.name(),
            with_mixtures.join(", ")
        );
        return Some(("augment.mixup", expected, "one".into()));
    }
    None
}

/// What columns that are embedded, and the layer that embeds them, do not go with.
fn beside_embedding(recipe: &Recipe) -> Option<Misfit> {
    let Recipe { model, augment, data, .. } = recipe;
    if model.embedding().is_some() && !augment.is_off() {
        let expected =
            "none with an `embedding` first, whose codes are no numbers that could change a little";
        return Some(("augment", expected.into(), "one".into()));
    }
    let (linear, setup) = (model.linear?, &data.table.as_ref()?.setup);
    let given = [("data.embed", setup.embed.is_some()), ("data.embeddings", !setup.embeddings.is_empty())];
    let (key, _) = given.into_iter().find(|(_, is_given)| *is_given)?;
    let expected = format!(
        "none with `model.kind = \"{}\"`, which has a coefficient for each category; `data.most_categories` says of how many",
        linear.kind.name()
    );
    Some((key, expected, "one".into()))
}
