//! The parts of a training beside its model and its samples: planned, and their memory allocated, before the
//! first step.

use crate::checkpoint::{Archive, State};
use crate::data::augment::Augmenter;
use crate::kernels::loss::Targets;
use crate::losses::LossFunction;
use crate::model::{Model, PlacedLayer, Recipe};
use crate::optim::Rule;
use crate::optim::schedule::Span;
use crate::team::Shared;
use crate::train::plan::workspace::{Sizes, Workspace};
use crate::train::plan::{Plan, Requirements};
use crate::train::source::Source;
use crate::train::step::Step;
use crate::train::step::augmented::Augmented;
use crate::train::step::averages::{self, Averages, Due};
use crate::{Error, Result};

/// The most steps that a rule may have done before a training: no training has done so many, and all can be counted on.
pub(super) const MOST_BEGUN: u64 = 1 << 53;

/// A training that is to be planned.
pub(in crate::train) struct Request<'a> {
    pub recipe: &'a Recipe,
    /// The samples of an epoch.
    pub count: usize,
    /// Whether their targets are values, not classes.
    pub are_values: bool,
    /// Rows of the loss for each sample: the positions of sequences with a target each, else 1.
    pub positions: usize,
    /// Whether their targets are tokens, a class for each of the positions, of which there may be one.
    pub are_tokens: bool,
    pub threads: usize,
    pub augmenter: Option<&'a Augmenter>,
    /// The most numbers of a sample that are not 0, if samples come without their zeros.
    pub sparse_entries: Option<usize>,
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
    pub loss: LossFunction,
    /// The most samples of a step.
    pub batch: usize,
    /// Steps that the rule has done before the first one of the run.
    pub begun: u64,
}

impl Prepared {
    /// The steps of an epoch, as all workers run them, on the model for which this was prepared and by its recipe.
    pub fn step<'s>(
        &'s mut self,
        model: &'s mut Model,
        recipe: &'s Recipe,
        source: Source<'s>,
        augmented: Option<Augmented<'s>>,
        averages: Due,
    ) -> Step<'s> {
        let classes = match source.targets {
            Targets::Tokens(_) => model.classes(),
            _ => model.outputs(),
        };
        let (layers, parameters) = model.parts_mut();
        Step {
            layers,
            loss: &self.loss,
            classes,
            source,
            augmented,
            rule: self.rule.as_ref(),
            treatment: &recipe.gradient,
            penalty: recipe.model.penalty(),
            constraint: &recipe.constraint,
            averages,
            plan: &self.plan,
            parameters: Shared::array(parameters),
            memory: self.workspace.share(layers, &self.plan),
            seed: recipe.train.seed,
            begun: self.begun,
        }
    }

    /// Lets all rows begin with no state of a batch before.
    pub fn clear_carried(&mut self) {
        self.workspace.clear_carried();
    }

    /// Puts the trained parameters back into the model, before the epoch of this number, from 1, and after so many
    /// steps.
    pub fn begin_epoch(&mut self, epoch: usize, steps: u64, model: &mut Model) -> Due {
        self.averages.begin(epoch, steps, model.parts_mut().1, &mut self.workspace)
    }

    /// Puts the parameters to evaluate into the model, after the epoch of this number, whether or not it is complete.
    pub fn end_epoch(&mut self, epoch: usize, is_complete: bool, model: &mut Model) {
        self.averages.end(epoch, is_complete, model.parts_mut().1, &mut self.workspace);
    }
}

impl State for Prepared {
    fn visit(&mut self, archive: &mut Archive) -> Result<()> {
        archive.state("optimizer", &mut self.workspace)?;
        archive.state("averages", &mut self.averages)?;
        archive.optional("begun", &mut self.begun)?;
        archive.check(
            "begun",
            self.begun <= MOST_BEGUN,
            "a number of steps that can have been done",
            self.begun,
        )
    }
}

impl Request<'_> {
    /// Plans the training of `model`, and allocates its memory.
    ///
    /// # Errors
    /// If memory is short, a schedule does not fit into the run, a batch has too few samples to be normalised, or the layers
    /// to freeze are not there.
    pub fn prepare(&self, model: &Model) -> Result<Prepared> {
        let &Request { recipe, count, positions, threads, augmenter, sparse_entries, wants_norm, .. } = self;
        let one = recipe.train.batch.clamp(1, count);
        let rule = recipe.optimizer.rule();
        // Batches that make one step are blocks of one batch.
        let batch = one.saturating_mul(recipe.train.accumulate.max(1)).min(count);
        let span = span(recipe, count.div_ceil(batch) as u64, rule.as_ref())?;
        averages::check(recipe, span.steps)?;
        let features = model.input().iter().product();
        let parameters = model.storage().len();
        let layers = model.layers();
        let frozen = model.frozen(recipe)?;
        let plan = Plan::new(&Requirements {
            layers,
            frozen: &frozen,
            features,
            workers: threads,
            batch,
            part: one,
            whole_columns: recipe.needs_whole_columns(),
            sparse_entries,
            slots: rule.slots(),
            needs_norm: wants_norm
                || recipe.gradient.clip_norm.is_some()
                || recipe.stop.gradient_norm.is_some()
                || rule.full_batch().is_some(),
            per_tensor: rule.per_tensor(),
            augments: augmenter.map(Augmenter::scratch_lens),
            mixes: augmenter.is_some() && recipe.augment.mixup.is_some(),
            carries: recipe.train.carry_state,
            keeps_slow: recipe.lookahead.is_some(),
            keeps_average: recipe.average.is_some(),
        });
        if !plan.rows.norms.is_empty() {
            check_batches(recipe, layers, &plan.rows.norms, count, one)?;
        }
        let targets = if self.are_values { model.outputs() } else { 0 };
        let tokens = if self.are_tokens { positions } else { 0 };
        let sizes = Sizes { features, targets, positions, tokens, parameters, batch, slots: rule.slots() };
        let mut workspace = Workspace::new(sizes, layers, &plan)?;
        let averages = Averages::new(recipe, rule.evaluated(), (model, &frozen), &mut workspace);
        let loss = model.loss().function();
        Ok(Prepared { rule, span, plan, workspace, averages, loss, batch, begun: 0 })
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
