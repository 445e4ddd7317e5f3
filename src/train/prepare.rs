//! What a training needs beside its model and its samples: planned, and its memory allocated, before the first
//! step.

use super::averages::{self, Averages};
use super::plan::{PerTensorPlan, Plan};
use super::workspace::Workspace;
use crate::data::augment::Augmenter;
use crate::model::{Model, PlacedLayer, Recipe};
use crate::optim::Rule;
use crate::optim::schedule::Span;
use crate::{Error, Result};

/// A training that is to be planned.
pub(super) struct Request<'a> {
    pub recipe: &'a Recipe,
    /// The samples of an epoch.
    pub count: usize,
    /// Whether they have values to come close to, and not classes.
    pub are_values: bool,
    pub threads: usize,
    pub augmenter: Option<&'a Augmenter>,
    /// Whether the norm of each step's gradient is wanted, whatever the recipe does with it.
    pub wants_norm: bool,
}

/// What it needs.
pub(super) struct Prepared {
    pub rule: Box<dyn Rule>,
    /// Of the whole run.
    pub span: Span,
    pub plan: Plan,
    pub workspace: Workspace,
    pub averages: Averages,
    /// The most samples of a step.
    pub batch: usize,
}

impl Request<'_> {
    /// Plans the training of `model`, and allocates its memory.
    ///
    /// # Errors
    /// If memory is short, a schedule does not fit into the run, or a batch has too few samples to be normalised.
    pub fn prepare(&self, model: &mut Model) -> Result<Prepared> {
        let &Request { recipe, count, are_values, threads, augmenter, wants_norm } = self;
        let one = recipe.train.batch.clamp(1, count);
        model.own_whole_columns(recipe.needs_whole_columns());
        model.own_by_inputs(Plan::owns_by_inputs(one));
        let rule = recipe.optimizer.rule();
        // Batches that make one step are blocks of one batch.
        let batch = one.saturating_mul(recipe.train.accumulate.max(1)).min(count);
        let span = span(recipe, count.div_ceil(batch) as u64, rule.as_ref())?;
        averages::check(recipe, span.steps)?;
        let features = model.input().iter().product();
        let parameters = model.storage().len();
        let layers = model.layers();
        let mut plan = Plan::new(layers, features, threads);
        if !plan.rows.norms.is_empty() {
            check_batches(recipe, layers, &plan.rows.norms, count, one)?;
            check_saved(layers, &plan.rows.norms)?;
            plan.block = one;
        } else if batch > one {
            plan.block = plan.block.min(one);
        }
        plan.cut_into_parts(layers, batch);
        plan.fetch_updates(size_of_val(model.storage()) * (1 + rule.slots()));
        plan.needs_norm = wants_norm
            || recipe.gradient.clip_norm.is_some()
            || recipe.stop.gradient_norm.is_some()
            || rule.full_batch().is_some();
        plan.per_tensor = rule.per_tensor().map(|what| PerTensorPlan::new(what, layers));
        (plan.keeps_slow, plan.keeps_average) = (recipe.lookahead.is_some(), recipe.average.is_some());
        if let Some(augmenter) = augmenter {
            plan.augment(augmenter.scratch_lens(), recipe.augment.mixup.map(|_| features));
        }
        let target_width = if are_values { model.outputs() } else { 0 };
        let mut workspace =
            Workspace::new(layers, features, target_width, parameters, batch, rule.slots(), &plan)?;
        let averages = Averages::new(recipe, rule.evaluated(), model, &mut workspace);
        Ok(Prepared { rule, span, plan, workspace, averages, batch })
    }
}

/// The layers, by their numbers, that normalise by batch and have one value of each feature for a sample: a batch
/// of one sample is always as far from its own mean as it gets, which is nothing.
pub(super) fn needs_two_samples<'a>(
    layers: &'a [PlacedLayer],
    norms: &'a [usize],
) -> impl Iterator<Item = usize> + 'a {
    let takes_one =
        |index: &usize| layers[*index].layer.as_batch_norm().is_some_and(|norm| norm.values() == 1);
    norms.iter().copied().filter(takes_one)
}

/// That there is more than one value of each feature to normalise, in every batch.
fn check_batches(
    recipe: &Recipe,
    layers: &[PlacedLayer],
    norms: &[usize],
    samples: usize,
    batch: usize,
) -> Result<()> {
    let last = samples % batch;
    match needs_two_samples(layers, norms).next() {
        Some(index) if batch == 1 || last == 1 => Err(Error::Setting {
            place: format!("recipe {}", recipe.name),
            key: "train.batch".into(),
            expected: format!(
                "batches of at least 2 samples, the last one of an epoch too, with layer {} ({}) in training",
                layers[index].module,
                layers[index].layer.kind()
            ),
            found: if batch == 1 {
                "batches of 1".into()
            } else {
                format!("{batch}, which leaves a batch of 1 of {samples} samples")
            },
        }),
        _ => Ok(()),
    }
}

/// That no layer saves something of some rows for its backward pass where a normalisation by batch follows: other rows
/// come in between then, in the same memory.
fn check_saved(layers: &[PlacedLayer], norms: &[usize]) -> Result<()> {
    let Some(&last) = norms.last() else { return Ok(()) };
    let name = |index: usize| format!("layer {} ({})", layers[index].module, layers[index].layer.kind());
    match layers[..last].iter().position(|placed| placed.layer.saved_len(1) > 0) {
        Some(index) => Err(Error::Mismatch {
            what: name(index),
            expected: "no normalisation by batch after a layer that saves something for its backward pass"
                .into(),
            found: name(last),
        }),
        None => Ok(()),
    }
}

/// How long the run of a recipe is, once its schedules have been found to fit.
fn span(recipe: &Recipe, steps_per_epoch: u64, rule: &dyn Rule) -> Result<Span> {
    let epochs = recipe.train.epochs;
    let refused = |key: &str, expected: String, found: String| Error::Setting {
        place: format!("recipe {}", recipe.name),
        key: format!("schedule.{key}"),
        expected,
        found,
    };
    if let Err(misfit) = recipe.schedule.check(epochs, Some(steps_per_epoch)) {
        return Err(refused(&misfit.key, misfit.expected, misfit.found));
    }
    // A recipe that was read has been checked for it; one that a program made may have not.
    if recipe.schedule.needs_momentum() && rule.momentum().is_none() {
        let expected = format!("none with the optimizer `{}`", recipe.optimizer.name());
        return Err(refused("momentum", expected, "a scheduled momentum".into()));
    }
    Ok(Span { steps: steps_per_epoch.saturating_mul(epochs as u64), steps_per_epoch })
}
