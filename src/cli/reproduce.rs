//! `fallline reproduce`

use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::Ordering::Relaxed;

use anyhow::{anyhow, bail};
use clap::Args;

use super::output::Outputs;
use crate::model::Recipe;
use crate::model::recipe::{MOST_SEEDS, Override};
use crate::report::numbers::percent;
use crate::report::progress::Spinner;
use crate::report::{json, reproduce as tables};
use crate::team::{MAX_THREADS, Team};
use crate::train::reproduce::{self, RecipeRecord, ReproduceRecord};
use crate::train::{Observer, Progress, machine};
use crate::{Error, Result};

/// The exit code if a recipe has missed its target.
const MISSED: u8 = 1;

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct ReproduceArguments {
    /// Built-in recipes (see `fallline recipes`), or paths of recipe files that end with .toml.
    #[arg(value_name = "RECIPE")]
    recipes: Vec<String>,
    /// All built-in recipes.
    #[arg(long, conflicts_with = "recipes")]
    all: bool,
    /// Trainings of each recipe, the first from the recipe's seed, the next from that plus 1, and so on
    /// [default: the recipe's reproduce.seeds].
    #[arg(long, value_name = "N", value_parser = seeds, allow_negative_numbers = true)]
    seeds: Option<usize>,
    /// Time to accuracy: end each training after the epoch whose accuracy on validation samples is at
    /// least X, a fraction of 1. They are the recipe's own or a tenth of the training samples, never test
    /// samples. The target is then that all seeds come to it.
    #[arg(long, value_name = "X", value_parser = accuracy, allow_negative_numbers = true)]
    until_accuracy: Option<f64>,
    /// The folder that holds the data sets [default: $FALLLINE_DATA, then datasets/, then the user's
    /// cache folder].
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Threads to train with [default: the cores that this process may use]. They change times, and no
    /// bit of any result.
    #[arg(long, value_name = "N", value_parser = threads, allow_negative_numbers = true)]
    threads: Option<usize>,
    /// Replace any value of all these recipes, such as train.epochs=1 or target=0.95; may be given many
    /// times.
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Write the results to this file as JSON, anew after each training.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Write report.html, reproduce.json and each chart as SVG and PNG into this folder.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

const EXAMPLES: &str = "\
Examples:
  fallline reproduce mnist-mlp-98
  fallline reproduce mnist-softmax mnist-mlp --seeds 3 --out report
  fallline reproduce --all --json all.json
  fallline reproduce my-recipe.toml --data my-data --set target=0.9
  fallline reproduce mnist-mlp --until-accuracy 0.97

Each network is tested once, when its training has ended; nothing is chosen by the test samples.
The mean of all seeds is compared with the recipe's `target`. Training time is that of the epochs,
without loading, testing and validation.

Exit codes: 0 if all targets are met, 1 if one is missed, 2 if something failed. Ctrl-C keeps the
trainings that are done and says what is missing; the exit code is then 1 if a target has been
missed, and else 130.";

pub fn run(arguments: ReproduceArguments) -> anyhow::Result<ExitCode> {
    let recipes = recipes(&arguments)?;
    let outputs =
        Outputs::files(&arguments.json).report(arguments.out.as_ref(), &[tables::JSON, tables::PAGE]);
    outputs.check(arguments.recipes.iter().map(Path::new))?;
    let records: Vec<PathBuf> = arguments
        .json
        .iter()
        .cloned()
        .chain(arguments.out.iter().map(|folder| folder.join(tables::JSON)))
        .collect();

    let until = arguments.until_accuracy;
    let tasks = reproduce::tasks(recipes, arguments.seeds, until, arguments.data.as_deref())?;
    tasks.iter().try_for_each(|task| outputs.check_data(&task.data))?;
    let team = Team::new(arguments.threads.unwrap_or_else(machine::usable_cores))?;
    reproduce::check(&tasks, &team)?;
    if let Some(folder) = &arguments.out {
        std::fs::create_dir_all(folder).map_err(Error::io(folder, "create"))?;
    }
    let mut record = ReproduceRecord::new(&tasks, super::command_line(), team.threads(), until);
    let stop = super::stop_on_ctrl_c()?;
    let (line, threads) = (Spinner::new(), team.threads());
    let mut watcher =
        Watcher { line, what: String::new(), records: &records, threads, until, unprinted: None };
    let outcome = reproduce::run(&mut record, &tasks, &team, &stop, &mut watcher);
    watcher.line.finish();
    if let Err(error) = outcome {
        return Err(placed(error, &record));
    }

    let mut text = String::new();
    if record.recipes.len() > 1 {
        text += &format!("{}\n", tables::table(&record));
    }
    if stop.load(Relaxed) {
        text += &tables::missing(&record);
    }
    for path in &records {
        json::write(path, &record)?;
        text += &format!("wrote {}\n", path.display());
    }
    if let Some(folder) = &arguments.out {
        text += &format!("wrote {} and the charts beside it\n", tables::write(folder, &record)?);
    }
    let printed = watcher.unprinted.map_or_else(|| std::io::stdout().write_all(text.as_bytes()), Err);
    match printed {
        // A closed pipe does not change the verdict.
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(exit_code(&record)),
    }
}

fn exit_code(record: &ReproduceRecord) -> ExitCode {
    if record.has_missed() {
        ExitCode::from(MISSED)
    } else if record.is_complete() {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(super::KILLED as u8)
    }
}

/// The recipes that were asked for, changed by `--set`.
fn recipes(arguments: &ReproduceArguments) -> anyhow::Result<Vec<Recipe>> {
    let overrides: Vec<Override> = arguments.set.iter().map(|text| text.parse()).collect::<Result<_>>()?;
    let built_in = Recipe::built_in_names();
    let names: Vec<&str> = match arguments.all {
        true => built_in,
        false if arguments.recipes.is_empty() => {
            bail!("expected the name of a recipe, or --all; built-in recipes: {}", built_in.join(", "))
        }
        false => arguments.recipes.iter().map(String::as_str).collect(),
    };
    Ok(names.iter().map(|name| Recipe::load(name, &overrides)).collect::<Result<_>>()?)
}

/// The error with the recipe and the seed that it ended.
fn placed(error: Error, record: &ReproduceRecord) -> anyhow::Error {
    let unfinished = record.recipes.iter().find_map(|recipe| Some((recipe, *recipe.missing().first()?)));
    match (&error, unfinished) {
        (Error::Diverged { .. }, Some((recipe, seed))) => anyhow!("{}, seed {seed}: {error}", recipe.recipe),
        _ => error.into(),
    }
}

/// Shows what is trained, prints what is done, and keeps it.
struct Watcher<'a> {
    line: Spinner,
    /// Recipe and seed under way.
    what: String,
    records: &'a [PathBuf],
    threads: usize,
    until: Option<f64>,
    /// Why the first text that could not be printed was not.
    unprinted: Option<std::io::Error>,
}

impl Watcher<'_> {
    fn print(&mut self, text: &str) {
        // The results are written even if nobody reads along; what could not be printed is told at the end.
        let mut printed = Ok(());
        self.line.suspend(|| printed = std::io::stdout().write_all(text.as_bytes()));
        if let Err(error) = printed {
            self.unprinted.get_or_insert(error);
        }
    }
}

impl Observer for Watcher<'_> {
    fn progress(&mut self, progress: &Progress) {
        let Progress { epoch, epochs, accuracy, .. } = progress;
        let accuracy = percent(*accuracy);
        self.line.say(&format!("{}: epoch {epoch}/{epochs}, training accuracy {accuracy}", self.what));
    }
}

impl reproduce::Watcher for Watcher<'_> {
    fn recipe(&mut self, recipe: &RecipeRecord) {
        self.print(&tables::heading(recipe, self.threads, self.until));
    }

    fn seed(&mut self, recipe: &RecipeRecord, seed: u64) {
        let (done, all) = (recipe.runs.len(), recipe.seeds.len());
        self.what = format!("{}, seed {seed} ({} of {all})", recipe.recipe, done + 1);
        self.line.say(&self.what);
    }

    fn done(&mut self, record: &ReproduceRecord, index: usize) -> Result<()> {
        let recipe = &record.recipes[index];
        let mut text =
            recipe.runs.last().map_or(String::new(), |run| tables::seed_line(recipe, run, self.until));
        if recipe.missing().is_empty() {
            text += &format!("{}\n", tables::result(recipe, self.until));
        }
        self.print(&text);
        self.records.iter().try_for_each(|path| json::write(path, record))
    }
}

fn seeds(text: &str) -> std::result::Result<usize, String> {
    whole(text, MOST_SEEDS)
}

fn threads(text: &str) -> std::result::Result<usize, String> {
    whole(text, MAX_THREADS)
}

fn whole(text: &str, most: usize) -> std::result::Result<usize, String> {
    let number = text.parse().ok().filter(|number| (1..=most).contains(number));
    number.ok_or_else(|| format!("expected a whole number from 1 to {most}"))
}

fn accuracy(text: &str) -> std::result::Result<f64, String> {
    let part = text.parse().ok().filter(|&part| 0.0 < part && part <= 1.0);
    part.ok_or_else(|| "expected a fraction of 1, above 0 and at most 1, such as 0.97".into())
}
