//! `fallline reproduce`

use std::ffi::{OsStr, OsString};
use std::io::{ErrorKind, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{anyhow, bail};
use clap::Args;

use super::output::Outputs;
use super::partial::Growing;
use super::signals::{self, Signal};
use super::values::{threads, whole};
use crate::model::Recipe;
use crate::model::recipe::{MOST_SEEDS, Override};
use crate::report::markup::for_terminal;
use crate::report::numbers::percent;
use crate::report::progress::Spinner;
use crate::report::{json, reproduce as tables, run, terminal};
use crate::team::Team;
use crate::train::reproduce::{self, RecipeRecord, ReproduceRecord};
use crate::train::{Evaluation, Observer, Phase, Progress, TrainRecord, machine};
use crate::{Error, Result};

/// The exit code if a recipe has missed its target.
const MISSED: u8 = 1;

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct ReproduceArguments {
    /// Built-in recipes (see `fallline recipes`), or paths of recipe files that end with .toml.
    #[arg(value_name = "RECIPE")]
    recipes: Vec<OsString>,
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
    /// The folder that holds the data sets; no other is looked into [default: $FALLLINE_DATA alone, or
    /// else datasets/, then the user's cache folder].
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
    /// Do not fail because of trainings that diverge. They are named all the same, and they count.
    #[arg(long)]
    allow_divergence: bool,
    /// Write the results to this file as JSON. It is replaced when all trainings are done; until then,
    /// after each of them, what there is goes to FILE.partial.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Write report.html, reproduce.json and each chart as SVG and PNG into this folder. Files of these
    /// names are replaced when all trainings are done.
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

Exit codes: 0 if all targets are met, 1 if one is missed, 2 if something failed, 4 if a training
has diverged and --allow-divergence is not given. Ctrl-C keeps the trainings that are done in
FILE.partial (reproduce.json.partial in DIR) and says what is missing; results of an earlier
command stay as they are. The exit code is then 4 or 1 as before, and else 130 (143 for SIGTERM,
129 for SIGHUP).";

/// What is still done after the first signal.
const STOPPING: &str = "the training under way is dropped";

pub fn run(arguments: ReproduceArguments) -> anyhow::Result<ExitCode> {
    let recipes = recipes(&arguments)?;
    let in_folder = arguments.out.as_ref().map(|folder| folder.join(tables::JSON));
    let records: Vec<Growing> =
        arguments.json.iter().chain(&in_folder).map(|file| Growing::new(file)).collect();
    let json = records.first().filter(|_| arguments.json.is_some());
    let outputs = Outputs::files(json.into_iter().flat_map(Growing::paths))
        .report(arguments.out.as_ref(), &[tables::JSON, tables::PARTIAL, tables::PAGE]);
    outputs.check(arguments.recipes.iter().filter_map(|name| Recipe::path(name)))?;

    let until = arguments.until_accuracy;
    let tasks = reproduce::tasks(recipes, arguments.seeds, until, arguments.data.as_deref())?;
    tasks.iter().try_for_each(|task| outputs.check_data(&task.data))?;
    let team = Team::new(arguments.threads.unwrap_or_else(machine::usable_cores))?;
    reproduce::check(&tasks, &team)?;
    if let Some(folder) = &arguments.out {
        std::fs::create_dir_all(folder).map_err(Error::io(folder, "create"))?;
    }
    let mut record = ReproduceRecord::new(&tasks, super::shared::command_line(), team.threads(), until);
    let (line, threads) = (Spinner::new(), team.threads());
    let stop = signals::listen(line.line(), STOPPING);
    let mut watcher = Watcher {
        line,
        what: String::new(),
        named: String::new(),
        records: &records,
        threads,
        until,
        unprinted: None,
    };
    let outcome = reproduce::run(&mut record, &tasks, &team, stop.flag(), &mut watcher);
    watcher.line.finish();
    outcome.map_err(|error| with_kept(error, &record, &records))?;

    let mut text = String::new();
    if record.recipes.len() > 1 {
        text += &format!("{}\n", tables::table(&record));
    }
    if let Some(signal) = stop.signal() {
        text += &tables::missing(&record, signal.text());
    }
    let written = match record.is_complete() {
        true => finish(&arguments, &record, &records, &mut text),
        false => keep(&record, &records, &mut text),
    };
    let printed =
        watcher.unprinted.map_or_else(|| terminal::coloured_stdout().write_all(text.as_bytes()), Err);
    written?;
    let diverged = super::shared::diverged(diverged(&record), arguments.allow_divergence);
    match printed {
        // A closed pipe does not change the verdict.
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(diverged.unwrap_or_else(|| exit_code(&record, stop.signal()))),
    }
}

/// Writes everything that was asked for, and adds to `text` what was written.
fn finish(
    arguments: &ReproduceArguments,
    record: &ReproduceRecord,
    records: &[Growing],
    text: &mut String,
) -> Result<()> {
    for growing in records {
        growing.finish(|path| json::write(path, record))?;
        *text += &terminal::wrote(growing.file());
    }
    if let Some(folder) = &arguments.out {
        *text +=
            &format!("wrote {} and the charts beside it\n", for_terminal(&tables::write(folder, record)?));
    }
    Ok(())
}

/// Keeps the trainings that are done, leaves the results of an earlier command as they are, and adds to
/// `text` what there is to say.
fn keep(record: &ReproduceRecord, records: &[Growing], text: &mut String) -> Result<()> {
    if !has_runs(record) {
        return Ok(());
    }
    for growing in records {
        let path = growing.leave(|path| json::write(path, record))?.display().to_string();
        let path = for_terminal(&path);
        *text += &format!("kept in {path}");
        let page = format!("; `fallline report {path}` makes a page of it");
        *text += if growing.partial().is_some() { &page } else { "" };
        text.push('\n');
    }
    Ok(())
}

fn has_runs(record: &ReproduceRecord) -> bool {
    record.recipes.iter().any(|recipe| !recipe.runs.is_empty())
}

fn exit_code(record: &ReproduceRecord, signal: Option<Signal>) -> ExitCode {
    if record.has_missed() {
        ExitCode::from(MISSED)
    } else if record.is_complete() {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(signal.unwrap_or(Signal::Interrupt).exit_code())
    }
}

/// The trainings that have diverged, a line for each.
fn diverged(record: &ReproduceRecord) -> Option<String> {
    let line = |(recipe, record): (&str, &TrainRecord)| {
        let text = run::divergence(record.diverged.as_ref()?);
        Some(format!("{recipe}, seed {}: {text}", record.seed))
    };
    let lines: Vec<String> = record.diverged().into_iter().filter_map(line).collect();
    (!lines.is_empty()).then(|| lines.join("\n"))
}

/// The recipes that were asked for, changed by `--set`.
fn recipes(arguments: &ReproduceArguments) -> anyhow::Result<Vec<Recipe>> {
    let overrides: Vec<Override> = arguments.set.iter().map(|text| text.parse()).collect::<Result<_>>()?;
    let built_in = Recipe::built_in_names();
    let names: Vec<&OsStr> = match arguments.all {
        true => built_in.iter().map(OsStr::new).collect(),
        false if arguments.recipes.is_empty() => {
            bail!("expected the name of a recipe, or --all; built-in recipes: {}", built_in.join(", "))
        }
        false => arguments.recipes.iter().map(OsString::as_os_str).collect(),
    };
    Ok(names.iter().map(|name| Recipe::load(name, &overrides)).collect::<Result<_>>()?)
}

/// The error, and where the trainings before it are kept.
fn with_kept(error: Error, record: &ReproduceRecord, records: &[Growing]) -> anyhow::Error {
    match records.iter().find_map(Growing::partial).filter(|_| has_runs(record)) {
        Some(path) => anyhow!("{error}; the trainings before it are kept in {}", path.display()),
        None => error.into(),
    }
}

/// Shows what is trained, prints what is done, and keeps it.
struct Watcher<'a> {
    line: Spinner,
    /// Recipe and seed under way.
    what: String,
    /// The one whose validation samples without a finite loss have been named.
    named: String,
    records: &'a [Growing],
    threads: usize,
    until: Option<f64>,
    /// Why the first text that could not be printed was not.
    unprinted: Option<std::io::Error>,
}

impl Watcher<'_> {
    fn print(&mut self, text: &str) {
        // The results are written even if nobody reads along; what could not be printed is told at the end.
        let mut printed = Ok(());
        self.line.suspend(|| printed = terminal::coloured_stdout().write_all(text.as_bytes()));
        if let Err(error) = printed {
            self.unprinted.get_or_insert(error);
        }
    }
}

impl Observer for Watcher<'_> {
    fn progress(&mut self, progress: &Progress) {
        let Progress { epoch, epochs, accuracy, .. } = progress;
        let accuracy =
            accuracy.map_or(String::new(), |part| format!(", training accuracy {}", percent(part)));
        self.line.say(&format!("{}: epoch {epoch}/{epochs}{accuracy}", self.what));
    }

    fn phase(&mut self, phase: Phase) {
        self.line.say(&format!("{}: {}", self.what, phase.text()));
    }

    fn evaluated(&mut self, phase: Phase, seen: &Evaluation) {
        // Of validation once for each seed, not after each epoch.
        let is_new = phase != Phase::Validating || self.named != self.what;
        if let Some(samples) = seen.not_finite.as_ref().filter(|_| is_new) {
            let text = run::not_finite(phase, samples);
            self.line.line().announce(&format!("warning: {}: {text}", self.what));
            self.named.clone_from(&self.what);
        }
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
        self.records.iter().try_for_each(|growing| growing.keep(|path| json::write(path, record)))
    }
}

fn seeds(text: &str) -> std::result::Result<usize, String> {
    whole(text, MOST_SEEDS)
}

fn accuracy(text: &str) -> std::result::Result<f64, String> {
    let part = text.parse().ok().filter(|&part| 0.0 < part && part <= 1.0);
    part.ok_or_else(|| "expected a fraction of 1, above 0 and at most 1, such as 0.97".into())
}
