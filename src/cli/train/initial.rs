//! `--init` and `--init-optimizer`: the files that a model's first parameters, and what its optimizer has kept, come from.

use super::arguments::TrainArguments;
use super::kept;
use crate::data::DataSet;
use crate::exchange::weights::{Options, optimizer};
use crate::model::recipe::Override;
use crate::model::{Fit, Model, Recipe, saved};
use crate::train::OptimizerState;
use crate::{Error, Result};

/// What is said of the file before training.
#[derive(Debug, Default)]
pub(super) struct Said {
    /// What was taken from it; empty, or lines.
    pub text: String,
    pub warnings: Vec<String>,
}

/// The recipe in the file, where none is named beside it.
///
/// # Errors
/// [`Error::Mismatch`] if the file can be read but once; those of [`saved::recipe_of`].
pub(super) fn recipe(arguments: &TrainArguments, overrides: &[Override]) -> Result<Option<Recipe>> {
    let Some(path) = arguments.init.as_deref().filter(|_| arguments.recipe.is_none()) else {
        return Ok(None);
    };
    if path.exists() && !path.is_file() {
        return Err(Error::Mismatch {
            what: path.display().to_string(),
            expected: "a recipe beside what is no ordinary file, and is read once".into(),
            found: "none".into(),
        });
    }
    saved::recipe_of(path, overrides).map(Some)
}

/// Takes the first parameters from the file, if there is one. Where a training goes on, all is in its checkpoint: nothing is
/// said of the file then, one that is gone is not missed, and another one is refused.
///
/// # Errors
/// Those of [`Model::initialise`], and of the check of what its inputs mean.
pub(super) fn take(
    arguments: &TrainArguments,
    model: &mut Model,
    recipe: &Recipe,
    data: &DataSet,
) -> Result<Said> {
    let Some(path) = &arguments.init else { return Ok(Said::default()) };
    let goes_on = kept::goes_on(arguments)?;
    if goes_on && !path.exists() {
        return Ok(Said::default());
    }
    let fit = if arguments.init_partial { Fit::Partial } else { Fit::All };
    let initialised = model.initialise(path, fit)?;
    if goes_on {
        // Its parameters are not used, only compared.
        return Ok(Said::default());
    }
    let warnings = initialised.check(&data.train, &recipe.data)?;
    Ok(Said { text: initialised.text() + "\n\n", warnings })
}

/// What the optimizer begins with, if there is a file of that; the same holds for it where a training goes on.
///
/// # Errors
/// Those of [`optimizer::read`].
pub(super) fn optimizer(
    arguments: &TrainArguments,
    model: &Model,
    recipe: &Recipe,
) -> Result<Option<OptimizerState>> {
    let Some(path) = &arguments.init_optimizer else { return Ok(None) };
    if !path.exists() && kept::goes_on(arguments)? {
        return Ok(None);
    }
    let frozen = model.frozen(recipe)?;
    optimizer::read(path, model, &frozen, &recipe.optimizer, &Options::default()).map(Some)
}
