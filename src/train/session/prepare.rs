//! The parts of a training beside its model and its samples: planned, and their memory allocated, before the
//! first step.

use crate::data::augment::Augmenter;
use crate::model::{Model, PlacedLayer, Recipe};
use crate::optim::Rule;
use crate::optim::schedule::Span;
use crate::train::plan::workspace::{Sizes, Workspace};
use crate::train::plan::{Plan, Training};
use crate::train::step::averages::{self, Averages};
use crate::{Error, Result};

/// A training that is to be planned.
pub(in crate::train) struct Request<'a> {
    pub recipe: &'a Recipe,
    /// The samples of an epoch.
    pub count: usize,
    /// Whether their targets are values, not classes.
    pub are_values: bool,
    pub threads: usize,
    pub augmenter: Option<&'a Augmenter>,
    /// Whether the norm of each step's gradient is wanted, whatever the recipe does with it.
    pub wants_norm: bool,
}

/// The parts of a training that was planned.
pub(in crate::train) struct Prepared {
    pub rule: Box<dyn Rule>,
    /// Steps and epochs of the whole run.
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
        let plan = Plan::new(&Training {
            layers,
            features,
            workers: threads,
            batch,
            part: one,
            slots: rule.slots(),
            needs_norm: wants_norm
                || recipe.gradient.clip_norm.is_some()
                || recipe.stop.gradient_norm.is_some()
                || rule.full_batch().is_some(),
            per_tensor: rule.per_tensor(),
            augments: augmenter.map(Augmenter::scratch_lens),
            mixes: augmenter.is_some() && recipe.augment.mixup.is_some(),
            keeps_slow: recipe.lookahead.is_some(),
            keeps_average: recipe.average.is_some(),
        });
        if !plan.rows.norms.is_empty() {
            check_batches(recipe, layers, &plan.rows.norms, count, one)?;
        }
        let targets = if are_values { model.outputs() } else { 0 };
        let sizes = Sizes { features, targets, parameters, batch, slots: rule.slots() };
        let mut workspace = Workspace::new(sizes, layers, &plan)?;
        let averages = Averages::new(recipe, rule.evaluated(), model, &mut workspace);
        Ok(Prepared { rule, span, plan, workspace, averages, batch })
    }
}

/// The layers, by their indices, that normalise by batch and have one value of each feature for a sample: a batch
/// of one sample equals its own mean, and nothing is left to normalise.
pub(in crate::train) fn needs_two_samples<'a>(
    layers: &'a [PlacedLayer],
    norms: &'a [usize],
) -> impl Iterator<Item = usize> + 'a {
    let takes_one =
        |index: &usize| layers[*index].layer.as_batch_norm().is_some_and(|norm| norm.values() == 1);
    norms.iter().copied().filter(takes_one)
}

/// Checks that every batch has more than one value of each feature to normalise.
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
    // A recipe that was read from a text has been checked for it; one that a program made may have not.
    if recipe.schedule.needs_momentum() && rule.momentum().is_none() {
        let expected = format!("none with the optimizer `{}`", recipe.optimizer.name());
        return Err(refused("momentum", expected, "a scheduled momentum".into()));
    }
    Ok(Span { steps: steps_per_epoch.saturating_mul(epochs as u64), steps_per_epoch })
}
