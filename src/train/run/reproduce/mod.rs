//! A recipe trained from several seeds, to see whether its accuracy is reached again.
//!
//! A training is not given the test samples (see `run::TrainingSet`); the network that it leaves is tested
//! once, and nothing is changed after that. So nothing can be chosen by the test, of a run or among runs:
//! every seed that was asked for counts.

mod kept;
mod record;
mod task;

pub use kept::{Keeping, Kept, KeptRecipe, Reproduction, STATE, is_record};
use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
pub use task::Task;

pub use record::{
    REPRODUCE_SCHEMA, Reached, RecipeRecord, ReproduceRecord, ValueEstimates, Verdict, time_to,
};

use crate::data::DataSet;
use crate::model::recipe::Held;
use crate::model::{Model, Recipe};
use crate::team::Team;
use crate::train::observer::Observer;
use crate::train::record::Ending;
use crate::train::record::TrainRecord;
use crate::train::run::checkpoints::Checkpoints;
use crate::train::run::dataset;
use crate::train::run::fit::{Control, check_test, check_training, fit, split_of, test};
use crate::train::run::training_set::TrainingSet;
use crate::{Error, Result};

/// The part of the training samples that is set aside, where the recipe sets none aside itself, to see when the
/// validation accuracy is reached.
pub const HELD: f64 = 0.1;

/// Observes the reproduction of recipes.
pub trait Watcher: Observer {
    /// Called before the first seed of a recipe.
    fn recipe(&mut self, _recipe: &RecipeRecord) {}

    /// Called before each seed.
    fn seed(&mut self, _recipe: &RecipeRecord, _seed: u64) {}

    /// Called after each seed with all results so far, the last of which is the last run of the recipe with this
    /// index.
    ///
    /// # Errors
    /// An error that is returned ends the reproduction.
    fn done(&mut self, _record: &ReproduceRecord, _recipe: usize) -> Result<()> {
        Ok(())
    }

    /// Called in the place of [`done`](Watcher::done) for a seed that was done before the reproduction was interrupted.
    ///
    /// # Errors
    /// An error that is returned ends the reproduction.
    fn was_done(&mut self, record: &ReproduceRecord, recipe: usize) -> Result<()> {
        self.done(record, recipe)
    }

    /// Called with what is wrong with the record of a seed that was done: it is trained again.
    fn damaged(&mut self, _error: &Error) {}
}

/// Each recipe with its samples, which recipes share where they can, and its seeds: as many as `seeds`
/// says, or the recipe itself. With `until`, trainings end after the epoch whose validation accuracy is at
/// least that, on the validation part of a data set that has one.
///
/// # Errors
/// Those of [`dataset::load`].
pub fn tasks(
    recipes: Vec<Recipe>,
    seeds: Option<usize>,
    until: Option<f64>,
    data_dir: Option<&Path>,
) -> Result<Vec<Task>> {
    let folder = data_dir.map(Path::to_path_buf);
    tasks_in(recipes.into_iter().map(|recipe| (recipe, folder.clone())).collect(), seeds, until)
}

/// [`tasks`] of recipes each of which has the folder of its data beside it, if that is known.
///
/// # Errors
/// Those of [`dataset::load`].
pub fn tasks_in(
    recipes: Vec<(Recipe, Option<PathBuf>)>,
    seeds: Option<usize>,
    until: Option<f64>,
) -> Result<Vec<Task>> {
    let mut tasks: Vec<Task> = Vec::new();
    let mut folders: Vec<Option<PathBuf>> = Vec::new();
    for (mut recipe, folder) in recipes {
        if until.is_some() {
            recipe.stop.accuracy = until;
        }
        let mut loaded = tasks.iter().zip(&folders);
        let loaded = loaded.find(|(task, of)| **of == folder && is_same_data(&task.recipe, &recipe));
        let data = match loaded {
            Some((task, _)) => Arc::clone(&task.data),
            None => Arc::new(dataset::load(&recipe.data, folder.as_deref())?),
        };
        if until.is_some() && !data.validates {
            recipe.data.validation = recipe.data.validation.or(Some(Held::Part(HELD)));
        }
        let recipe = recipe.for_samples(&data.train)?;
        let count = seeds.unwrap_or(recipe.reproduce.seeds) as u64;
        let seeds = (0..count).map(|more| recipe.train.seed.wrapping_add(more)).collect();
        tasks.push(Task { recipe, data, seeds });
        folders.push(folder);
    }
    Ok(tasks)
}

fn is_same_data(a: &Recipe, b: &Recipe) -> bool {
    let key = |recipe: &Recipe| {
        let data = &recipe.data;
        (data.set.clone(), data.train_samples, data.test_samples, data.seed)
    };
    let [of_a, of_b] = [&a.data, &b.data];
    key(a) == key(b) && of_a.table == of_b.table && of_a.text == of_b.text && of_a.task == of_b.task
}

/// Checks that every task can be trained and tested, before hours are spent on the first.
///
/// # Errors
/// The error that one of their trainings would begin with.
pub fn check(tasks: &[Task], team: &Team) -> Result<()> {
    for Task { recipe, data, seeds } in tasks {
        let mut model = build(recipe, data)?;
        check_test(&model, data, recipe, team)?;
        // What can go wrong depends on how many samples there are, which a seed should not change.
        let mut sizes = HashSet::new();
        for &seed in seeds {
            let recipe = seeded(recipe, seed);
            let split = split_of(data, &recipe)?;
            if sizes.insert(split.as_ref().map(|split| split.held.len())) {
                check_training(&mut model, &data.train, split.as_ref(), &recipe, team)?;
            }
        }
    }
    Ok(())
}

/// Trains and tests all seeds of all tasks in turn, and adds each to `record`, which
/// [`ReproduceRecord::new`] has made of the same tasks. A run that `stop` ends is left out, and so are
/// those after it.
///
/// A training that diverges counts like any other, and without a test if its network is of no use.
///
/// # Errors
/// If the watcher fails; what was done before is in the record.
pub fn run(
    record: &mut ReproduceRecord,
    tasks: &[Task],
    team: &Team,
    stop: &AtomicBool,
    watcher: &mut (dyn Watcher + Send),
) -> Result<()> {
    for (index, task) in tasks.iter().enumerate() {
        watcher.recipe(&record.recipes[index]);
        for &seed in &task.seeds {
            watcher.seed(&record.recipes[index], seed);
            let Some(done) = one(task, seed, team, None, stop, watcher)? else { return Ok(()) };
            record.add(index, done);
            watcher.done(record, index)?;
        }
    }
    Ok(())
}

/// [`run`] of a reproduction that is kept in a folder: seeds that are done there are not trained again, and a training that
/// was interrupted goes on, with the same bits as if it had not been. One that `stop` ends is kept there.
///
/// # Errors
/// If the watcher fails, or the checkpoints of a training cannot be written or gone on from; what was done before is in the
/// record.
pub fn run_kept(
    record: &mut ReproduceRecord,
    tasks: &[Task],
    kept: &Kept,
    team: &Team,
    stop: &AtomicBool,
    watcher: &mut (dyn Watcher + Send),
) -> Result<()> {
    for (index, task) in tasks.iter().enumerate() {
        watcher.recipe(&record.recipes[index]);
        for &seed in &task.seeds {
            watcher.seed(&record.recipes[index], seed);
            let known = kept.record(index, seed).unwrap_or_else(|error| {
                watcher.damaged(&error);
                None
            });
            if let Some(done) = known {
                record.add(index, done);
                watcher.was_done(record, index)?;
                continue;
            }
            let mut checkpoints = kept.checkpoints(index, seed)?;
            let Some(done) = one(task, seed, team, Some(&mut checkpoints), stop, watcher)? else {
                return Ok(());
            };
            drop(checkpoints);
            // The training is not lost: its last checkpoint is still there.
            if let Err(error) = kept.add(index, &done) {
                watcher.checkpoint(Err(&error));
            }
            record.add(index, done);
            watcher.done(record, index)?;
        }
    }
    Ok(())
}

/// One training from this seed, and its test; nothing if it was stopped.
fn one(
    task: &Task,
    seed: u64,
    team: &Team,
    checkpoints: Option<&mut Checkpoints>,
    stop: &AtomicBool,
    watcher: &mut (dyn Watcher + Send),
) -> Result<Option<TrainRecord>> {
    let Task { recipe, data, .. } = task;
    let recipe = seeded(recipe, seed);
    let mut model = build(&recipe, data)?;
    let split = split_of(data, &recipe)?;
    let control = Control { checkpoints, ..Control::new(stop, watcher) };
    let mut record = fit(&mut model, &TrainingSet::of(data), split, &recipe, team, control)?;
    if record.stop_reason == Ending::Interrupted.name() {
        return Ok(None);
    }
    test(&mut record, &model, data, &recipe, team, watcher)?;
    if data.validates {
        // There is no test part.
        record.test = record.validation.clone();
    }
    Ok(Some(record))
}

fn seeded(recipe: &Recipe, seed: u64) -> Recipe {
    let mut recipe = recipe.clone();
    recipe.train.seed = seed;
    recipe
}

fn build(recipe: &Recipe, data: &DataSet) -> Result<Model> {
    Model::build(&recipe.model, data.train.shape(), data.classes, recipe.train.seed)
}
