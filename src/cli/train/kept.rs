//! `--checkpoint` and `--resume`: what is kept of a training, and how it goes on.

use std::ffi::{OsStr, OsString};
use std::path::{self, Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::arguments::TrainArguments;
use super::table;
use crate::data::samples::Origin;
use crate::data::{DataSet, source};
use crate::foreign::shortened;
use crate::model::Recipe;
use crate::model::recipe::Override;
use crate::train::checkpoints::KEPT;
use crate::train::{Checkpoints, Every};
use crate::{Error, Result};

/// The options of a command that are no part of its recipe, as a checkpoint holds them. Paths are absolute.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Options {
    data: Option<PathBuf>,
    /// Where files of a recipe are looked for that have no other folder.
    folder: Option<PathBuf>,
    save: Option<PathBuf>,
    json: Option<PathBuf>,
    report: Option<PathBuf>,
    tensorboard: Option<PathBuf>,
    threads: Option<u16>,
    every: Option<String>,
    keep: Option<u16>,
    allow_divergence: bool,
    quiet: bool,
}

/// The recipe of `--resume DIR` alone, and with the options of the command that wrote the checkpoint there, where the new
/// one says nothing else; nothing of any other command.
///
/// # Errors
/// [`Error::Mismatch`] if there is no checkpoint; those of [`Checkpoints::recorded`]; those of the overrides.
pub(super) fn recorded(arguments: &mut TrainArguments, overrides: &[Override]) -> Result<Option<Recipe>> {
    let Some(folder) = arguments.resume.as_deref().filter(|_| arguments.recipe.is_none()) else {
        return Ok(None);
    };
    let Some(identity) = Checkpoints::recorded(folder)? else {
        // The file of --init tells how to begin.
        if arguments.init.is_some() {
            return Ok(None);
        }
        return Err(Error::Mismatch {
            what: folder.display().to_string(),
            expected:
                "a checkpoint to go on from, or the recipe to begin with before --resume, or --init with one"
                    .into(),
            found: "neither".into(),
        });
    };
    let options: Options = serde_json::from_value(identity.options).map_err(|error| Error::Mismatch {
        what: folder.display().to_string(),
        expected: "the checkpoint of a `fallline train`".into(),
        found: shortened(&error.to_string()),
    })?;
    let place = format!("the recipe of {}", folder.display());
    let mut recipe = Recipe::parse_with(&identity.recipe, &place, overrides)?;
    put_folder(&mut recipe, options.folder);
    let TrainArguments { data, save, json, report, tensorboard, threads, .. } = &mut *arguments;
    let paths = [(data, options.data), (save, options.save), (json, options.json)];
    for (own, old) in paths.into_iter().chain([(report, options.report), (tensorboard, options.tensorboard)])
    {
        *own = own.take().or(old);
    }
    *threads = threads.or(options.threads);
    arguments.keep = arguments.keep.or(options.keep);
    let every = options.every.and_then(|text| text.parse().ok());
    arguments.checkpoint_every = arguments.checkpoint_every.or(every);
    arguments.allow_divergence |= options.allow_divergence;
    arguments.quiet |= options.quiet;
    Ok(Some(recipe))
}

/// Says where files of a recipe are looked for that have no other folder.
pub(in crate::cli) fn put_folder(recipe: &mut Recipe, folder: Option<PathBuf>) {
    if let Some(table) = &mut recipe.data.table {
        table.folder = folder;
    } else if let Some(text) = &mut recipe.data.text {
        text.folder = folder;
    }
}

/// Checks that what is read can be read again by whoever goes on.
///
/// # Errors
/// [`Error::Mismatch`] of standard input.
pub(super) fn check(arguments: &TrainArguments) -> Result<()> {
    if place(arguments).is_none() || arguments.recipe() != OsStr::new("-") {
        return Ok(());
    }
    Err(Error::Mismatch {
        what: "data of a training with checkpoints".into(),
        expected: "a file, which can be read again".into(),
        found: "standard input".into(),
    })
}

fn place(arguments: &TrainArguments) -> Option<&Path> {
    arguments.resume.as_deref().or(arguments.checkpoint.as_deref())
}

/// Whether there is a checkpoint from which the training goes on.
///
/// # Errors
/// Those of [`Checkpoints::recorded`].
pub(super) fn goes_on(arguments: &TrainArguments) -> Result<bool> {
    Ok(arguments.resume.as_deref().map(Checkpoints::recorded).transpose()?.flatten().is_some())
}

/// The checkpoints that the options ask for, if they do.
///
/// # Errors
/// Those of [`Checkpoints::begin`] and [`Checkpoints::resume`].
pub(super) fn open(
    arguments: &TrainArguments,
    recipe: &Recipe,
    data: &DataSet,
) -> Result<Option<Checkpoints>> {
    let Some(folder) = place(arguments) else { return Ok(None) };
    let every = arguments.checkpoint_every.unwrap_or_default();
    let keep = arguments.keep.map_or(KEPT, usize::from);
    let checkpoints = match arguments.resume {
        Some(_) => Checkpoints::resume(folder, every, keep)?,
        None => Checkpoints::begin(folder, every, keep)?,
    };
    let options =
        Options { data: found(arguments.data.as_deref(), recipe, data), ..options(arguments, recipe, every) };
    let options = serde_json::to_value(options).map_err(|error| Error::Mismatch {
        what: "paths of a training with checkpoints".into(),
        expected: "paths in UTF-8, as checkpoints hold them".into(),
        found: error.to_string(),
    })?;
    Ok(Some(checkpoints.with_options(options)))
}

pub(in crate::cli) fn absolute(path: &Path) -> PathBuf {
    path::absolute(path).unwrap_or_else(|_| path.to_path_buf())
}

/// The folder of the data: the one that was `named`, or that in which a set was found which may be looked for in several.
pub(in crate::cli) fn found(named: Option<&Path>, recipe: &Recipe, data: &DataSet) -> Option<PathBuf> {
    let place = match &data.origin {
        // A path is none that is looked for.
        Origin::Folder(folder) if !source::is_path(&recipe.data.set) => Some(folder.as_path()),
        _ => None,
    };
    named.or(place).map(absolute)
}

/// The folder in which files of a recipe are looked for that have no other folder.
pub(in crate::cli) fn beside(recipe: &Recipe) -> PathBuf {
    let of_data = recipe.data.table.as_ref().and_then(|table| table.folder.as_deref());
    let of_data = of_data.or(recipe.data.text.as_ref().and_then(|text| text.folder.as_deref()));
    // An empty path is the folder of a recipe beside which the command was given.
    absolute(of_data.filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new(".")))
}

fn options(arguments: &TrainArguments, recipe: &Recipe, every: Every) -> Options {
    let whole = |path: &Option<PathBuf>| path.as_deref().map(absolute);
    let TrainArguments { save, json, report, tensorboard, threads, keep, .. } = arguments;
    Options {
        data: None,
        folder: Some(beside(recipe)),
        save: whole(save),
        json: whole(json),
        report: whole(report),
        tensorboard: whole(tensorboard),
        threads: *threads,
        every: Some(every.to_string()),
        keep: *keep,
        allow_divergence: arguments.allow_divergence,
        quiet: arguments.quiet,
    }
}

/// How an interrupted training goes on, for its last lines.
pub(super) fn how_to_go_on(arguments: &TrainArguments) -> String {
    let Some(folder) = place(arguments) else { return String::new() };
    let folder = crate::cli::shared::shell_word(&folder.display().to_string());
    format!("`fallline train --resume {folder}` goes on\n")
}

impl TrainArguments {
    /// The recipe or table that was named, or the default.
    pub(super) fn recipe(&self) -> &OsStr {
        self.recipe.as_ref().map_or(OsStr::new("digits-mlp"), OsString::as_os_str)
    }

    /// The path of the table that was named, if it is one.
    pub(super) fn table(&self) -> Option<&Path> {
        table::path(self.recipe())
    }
}
