//! `fallline reproduce`

mod arguments;
mod kept;
mod watcher;

use std::ffi::{OsStr, OsString};
use std::io::ErrorKind;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{anyhow, bail};

pub use arguments::ReproduceArguments;
use watcher::Watcher;

use super::output::Outputs;
use super::partial::Growing;
use super::resumed;
use super::shared::settings;
use super::signals::{self, Signal};
use crate::model::Recipe;
use crate::model::recipe::Override;
use crate::report::markup::for_terminal;
use crate::report::numbers::counted;
use crate::report::{json, reproduce as tables, run, terminal};
use crate::team::Team;
use crate::train::reproduce::{self, Kept, ReproduceRecord, Task};
use crate::train::{TrainRecord, machine};
use crate::{Error, Result};

/// The exit code if a recipe has missed its target.
const MISSED: u8 = 1;

/// What is still done after the first signal.
const STOPPING: &str = "the training under way is dropped";

/// The same of trainings that are kept.
const KEEPING: &str = "keeping the state of the training under way";

pub fn run(mut arguments: ReproduceArguments) -> anyhow::Result<ExitCode> {
    let overrides = settings(&arguments.set)?;
    let recipes = match kept::recorded(&mut arguments, &overrides)? {
        Some(recorded) => recorded,
        None => recipes(&arguments, &overrides)?,
    };
    let arguments = arguments;
    let in_folder = arguments.out.as_ref().map(|folder| folder.join(tables::JSON));
    let records: Vec<Growing> =
        arguments.json.iter().chain(&in_folder).map(|file| Growing::new(file)).collect();
    let outputs = check_outputs(&arguments, &records)?;

    let until = arguments.until_accuracy;
    let folders: Vec<Option<PathBuf>> = recipes.iter().map(|(_, folder)| folder.clone()).collect();
    let tasks = reproduce::tasks_in(recipes, arguments.seeds, until)?;
    tasks.iter().try_for_each(|task| outputs.check_data(&task.data))?;
    let team = Team::new(arguments.threads.unwrap_or_else(machine::usable_cores))?;
    reproduce::check(&tasks, &team)?;
    let kept = kept::open(&arguments, &tasks, &folders)?;
    if let Some(folder) = &arguments.out {
        std::fs::create_dir_all(folder).map_err(Error::io(folder, "create"))?;
    }
    let mut record = ReproduceRecord::new(&tasks, super::shared::command_line(), team.threads(), until);
    let mut watcher = Watcher::new(&records, team.threads(), until);
    let what = if kept.is_some() { KEEPING } else { STOPPING };
    let stop = signals::listen(watcher.line.line(), what);
    let outcome = match &kept {
        Some(kept) => {
            say_what_is_known(&arguments, kept, &tasks, &watcher);
            reproduce::run_kept(&mut record, &tasks, kept, &team, stop.flag(), &mut watcher)
        }
        None => reproduce::run(&mut record, &tasks, &team, stop.flag(), &mut watcher),
    };
    watcher.line.finish();
    outcome.map_err(|error| with_kept(error, &arguments, &record, &records))?;

    let mut text = String::new();
    if record.recipes.len() > 1 {
        text += &format!("{}\n", tables::table(&record, terminal::columns()));
    }
    if let Some(signal) = stop.signal() {
        text += &tables::missing(&record, signal.text());
    }
    let written = match record.is_complete() {
        true => finish(&arguments, &record, &records, &mut text),
        false => keep(&record, &records, &mut text),
    };
    if let Some(how) = kept::how_to_go_on(&arguments).filter(|_| !record.is_complete()) {
        text += &format!("{how}\n");
    }
    let printed = watcher.unprinted.map_or_else(|| terminal::print_coloured(&text), Err);
    written?;
    let diverged = super::shared::diverged(diverged(&record), arguments.allow_divergence);
    match printed {
        // A closed pipe does not change the verdict.
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(diverged.unwrap_or_else(|| exit_code(&record, stop.signal()))),
    }
}

/// That all that is to be written can be, before hours are spent.
fn check_outputs(arguments: &ReproduceArguments, records: &[Growing]) -> Result<Outputs> {
    let json = records.first().filter(|_| arguments.json.is_some());
    let outputs = Outputs::files(json.into_iter().flat_map(Growing::paths))
        .report(arguments.out.as_ref(), &[tables::JSON, tables::PARTIAL, tables::PAGE]);
    let state = kept::state(arguments);
    let read = arguments.recipes.iter().filter_map(|name| Recipe::path(name));
    outputs.check(read.chain(state.as_deref()))?;
    kept::check_results(arguments)?;
    Ok(outputs)
}

/// Says how much is done already of trainings that are kept.
fn say_what_is_known(arguments: &ReproduceArguments, kept: &Kept, tasks: &[Task], watcher: &Watcher) {
    let (line, done) = (watcher.line.line(), kept.done(tasks));
    let of = tasks.iter().map(|task| task.seeds.len()).sum();
    if let Some(folder) = arguments.place().filter(|_| done > 0) {
        resumed::other_program(&line, folder, kept.program());
        line.announce(&format!(
            "going on in {}: {done} of {} done",
            folder.display(),
            counted(of, "training")
        ));
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

/// The recipes that were asked for, with what `--set` says, and the folder of their data, if one is named.
fn recipes(arguments: &ReproduceArguments, overrides: &[Override]) -> anyhow::Result<kept::Recipes> {
    let built_in = Recipe::built_in_names();
    let names: Vec<&OsStr> = match arguments.all {
        true => built_in.iter().map(OsStr::new).collect(),
        false if arguments.recipes.is_empty() => {
            bail!("expected the name of a recipe, or --all; built-in recipes: {}", built_in.join(", "))
        }
        false => arguments.recipes.iter().map(OsString::as_os_str).collect(),
    };
    let load = |name: &&OsStr| Ok((Recipe::load(name, overrides)?, arguments.data.clone()));
    Ok(names.iter().map(load).collect::<Result<_>>()?)
}

/// The error, and where the trainings before it are kept.
fn with_kept(
    error: Error,
    arguments: &ReproduceArguments,
    record: &ReproduceRecord,
    records: &[Growing],
) -> anyhow::Error {
    if let Some(how) = kept::how_to_go_on(arguments) {
        return anyhow!("{error}; {how}");
    }
    match records.iter().find_map(Growing::partial).filter(|_| has_runs(record)) {
        Some(path) => anyhow!("{error}; the trainings before it are kept in {}", path.display()),
        None => error.into(),
    }
}
