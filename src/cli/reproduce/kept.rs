//! `--checkpoint` and `--resume`: what is kept of a reproduction, and how it goes on.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::arguments::ReproduceArguments;
use crate::cli::shared::shell_word;
use crate::cli::train::kept::{absolute, beside, found, put_folder};
use crate::foreign::shortened;
use crate::model::Recipe;
use crate::model::recipe::{MOST_SEEDS, Override};
use crate::team::MAX_THREADS;
use crate::train::checkpoints::KEPT;
use crate::train::reproduce::{Keeping, Kept, Reproduction, STATE, Task, is_record};
use crate::{Error, Result};

/// The options of a command that are no part of its recipes, as its folder holds them. Paths are absolute.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Options {
    /// Of each recipe.
    places: Vec<Place>,
    seeds: Option<usize>,
    json: Option<PathBuf>,
    out: Option<PathBuf>,
    threads: Option<usize>,
    every: Option<String>,
    keep: Option<u16>,
    allow_divergence: bool,
}

/// Where a recipe finds its data.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Place {
    data: Option<PathBuf>,
    /// Where files of a recipe are looked for that have no other folder.
    folder: Option<PathBuf>,
}

/// Recipes, each with the folder of its data, if that is known.
pub(super) type Recipes = Vec<(Recipe, Option<PathBuf>)>;

/// The recipes of `--resume DIR` alone, each with the folder of its data, and with the options of the command that kept its
/// trainings there, where the new one says nothing else; nothing of any other command.
///
/// # Errors
/// [`Error::Mismatch`] if nothing is kept there; those of [`Reproduction::read`]; those of the overrides.
pub(super) fn recorded(
    arguments: &mut ReproduceArguments,
    overrides: &[Override],
) -> Result<Option<Recipes>> {
    let is_alone = arguments.recipes.is_empty() && !arguments.all;
    let Some(folder) = arguments.resume.clone().filter(|_| is_alone) else { return Ok(None) };
    let Some(kept) = Reproduction::read(&folder)? else {
        return Err(Error::Mismatch {
            what: folder.display().to_string(),
            expected: "trainings to go on with, or the recipes to begin with before --resume".into(),
            found: "neither".into(),
        });
    };
    let options = checked(kept.options, &folder)?;
    let mut recipes = Vec::new();
    for (index, recipe) in kept.recipes.iter().enumerate() {
        let name = shortened(&recipe.name);
        let place = format!("the recipe {name} of {}", folder.display());
        let mut recipe = Recipe::parse_with(&recipe.training.recipe, &place, overrides)?;
        let place = options.places.get(index).cloned().unwrap_or_default();
        put_folder(&mut recipe, place.folder);
        recipes.push((recipe, arguments.data.clone().or(place.data)));
    }
    arguments.until_accuracy = arguments.until_accuracy.or(kept.until_accuracy);
    arguments.seeds = arguments.seeds.or(options.seeds);
    arguments.json = arguments.json.take().or(options.json);
    arguments.out = arguments.out.take().or(options.out);
    arguments.threads = arguments.threads.or(options.threads);
    arguments.keep = arguments.keep.or(options.keep);
    let every = options.every.and_then(|text| text.parse().ok());
    arguments.checkpoint_every = arguments.checkpoint_every.or(every);
    arguments.allow_divergence |= options.allow_divergence;
    Ok(Some(recipes))
}

/// Options of which none asks for more than the command line may.
fn checked(options: serde_json::Value, folder: &Path) -> Result<Options> {
    let refused = |key: &str, expected: String, found: String| {
        let (place, key) = (folder.join(STATE).display().to_string(), key.into());
        Error::Setting { place, key, expected, found }
    };
    let options: Options = serde_json::from_value(options).map_err(|error| {
        let expected = "those of a `fallline reproduce`".into();
        refused("options", expected, shortened(&error.to_string()))
    })?;
    for (key, value, most) in
        [("seeds", options.seeds, MOST_SEEDS), ("threads", options.threads, MAX_THREADS)]
    {
        if let Some(value) = value.filter(|value| !(1..=most).contains(value)) {
            return Err(refused(key, format!("a whole number from 1 to {most}"), value.to_string()));
        }
    }
    Ok(options)
}

/// The file that says what is kept, which is none of a command's results.
pub(super) fn state(arguments: &ReproduceArguments) -> Option<PathBuf> {
    arguments.place().map(|folder| folder.join(STATE))
}

/// Refuses results that would take the place of the record of a training.
pub(super) fn check_results(arguments: &ReproduceArguments) -> Result<()> {
    let (Some(folder), Some(file)) = (arguments.place(), &arguments.json) else { return Ok(()) };
    let is_there = file.parent().is_some_and(|parent| absolute(parent) == absolute(folder));
    match is_there && file.file_name().is_some_and(is_record) {
        false => Ok(()),
        true => Err(Error::Mismatch {
            what: format!("--json {}", file.display()),
            expected: "a file that is no record of a training".into(),
            found: "the name of one that is kept".into(),
        }),
    }
}

/// The folder in which the trainings are kept, if the options ask for one. `folders`: of each recipe, the folder of its data,
/// if one was named.
///
/// # Errors
/// Those of [`Kept::begin`] and [`Kept::resume`].
pub(super) fn open(
    arguments: &ReproduceArguments,
    tasks: &[Task],
    folders: &[Option<PathBuf>],
) -> Result<Option<Kept>> {
    let Some(folder) = arguments.place() else { return Ok(None) };
    let every = arguments.checkpoint_every.unwrap_or_default();
    let keep = arguments.keep.map_or(KEPT, usize::from);
    let place = |(task, named): (&Task, &Option<PathBuf>)| Place {
        data: found(named.as_deref(), &task.recipe, &task.data),
        folder: Some(beside(&task.recipe)),
    };
    let whole = |path: &Option<PathBuf>| path.as_deref().map(absolute);
    let options = Options {
        places: tasks.iter().zip(folders).map(place).collect(),
        seeds: arguments.seeds,
        json: whole(&arguments.json),
        out: whole(&arguments.out),
        threads: arguments.threads,
        every: Some(every.to_string()),
        keep: arguments.keep,
        allow_divergence: arguments.allow_divergence,
    };
    let options = serde_json::to_value(options).map_err(|error| Error::Mismatch {
        what: "paths of a reproduction that is kept".into(),
        expected: "paths in UTF-8, as JSON holds them".into(),
        found: error.to_string(),
    })?;
    let keeping = Keeping { every, keep, options };
    let until = arguments.until_accuracy;
    match arguments.resume {
        Some(_) => Kept::resume(folder, keeping, tasks, until),
        None => Kept::begin(folder, keeping, tasks, until),
    }
    .map(Some)
}

/// How an interrupted reproduction goes on; nothing of one that is not kept.
pub(super) fn how_to_go_on(arguments: &ReproduceArguments) -> Option<String> {
    let folder = shell_word(&arguments.place()?.display().to_string());
    Some(format!("`fallline reproduce --resume {folder}` goes on"))
}
