//! `fallline train --folds K`

use std::path::Path;
use std::process::ExitCode;

use super::arguments::TrainArguments;
use super::heading;
use super::outcomes::Outcomes;
use super::watchers::Watchers;
use crate::cli::partial::Growing;
use crate::cli::signals::{self, Signal};
use crate::data::DataSet;
use crate::model::{Model, Recipe};
use crate::report::metrics::part;
use crate::report::numbers::{counted, loss, percent, significant};
use crate::report::{json, progress::TerminalObserver, run, terminal};
use crate::team::Team;
use crate::train::folds::Spread;
use crate::train::{self, FoldsRecord, machine};

/// What is still done after the first signal.
const STOPPING: &str = "the fold under way is dropped";

pub fn run(
    arguments: &TrainArguments,
    folds: usize,
    recipe: &Recipe,
    data: &DataSet,
) -> anyhow::Result<ExitCode> {
    let team = Team::new(arguments.threads.map_or_else(machine::usable_cores, usize::from))?;
    let mut watchers = Watchers {
        terminal: TerminalObserver::new(recipe.train.epochs, arguments.quiet),
        events: None,
        results: arguments.json.as_deref().map(Growing::new),
        quiet: arguments.quiet,
    };
    if !arguments.quiet {
        let model = Model::build(&recipe.model, data.train.shape(), data.classes, recipe.train.seed)?;
        terminal::print(&heading(recipe, data, [data.train.len(), 0], &model)).ok();
    }
    let stop = signals::listen(watchers.terminal.line(), STOPPING);
    let record = train::cross_validate(data, recipe, folds, &team, stop.flag(), &mut watchers);
    watchers.terminal.finish();
    let record = record?;

    let mut outcomes = Outcomes::default();
    let mut text = result(&record, stop.signal());
    let is_whole = record.incomplete_of.is_none();
    let write = |path: &Path| json::write(path, &record);
    match &watchers.results {
        Some(growing) if is_whole => {
            outcomes.wrote(growing.finish(write).map(|()| growing.file().display().to_string()));
        }
        Some(growing) if !record.folds.is_empty() => {
            outcomes.wrote(growing.leave(write).map(|path| path.display().to_string()));
        }
        _ => {}
    }
    text += &outcomes.written;
    let printed = terminal::print(&text);
    let diverged = |(index, record): (usize, &train::TrainRecord)| {
        let text = run::divergence(record.diverged.as_ref()?);
        Some(format!("fold {}: {text}", index + 1))
    };
    let texts: Vec<String> = record.folds.iter().enumerate().filter_map(diverged).collect();
    let text = (!texts.is_empty()).then(|| texts.join("\n"));
    let failed = crate::cli::shared::diverged(text, arguments.allow_divergence);
    let interrupted = stop.signal().filter(|_| !is_whole).map(|signal| ExitCode::from(signal.exit_code()));
    outcomes.end(printed, failed.or(interrupted))
}

/// What the folds come to, as far as they are done.
fn result(record: &FoldsRecord, signal: Option<Signal>) -> String {
    let FoldsRecord { accuracy, rmse, r_squared, loss: losses, folds, .. } = record;
    let mut text = String::new();
    if let Some(all) = record.incomplete_of {
        let by = signal.unwrap_or(Signal::Interrupt).text();
        text += &format!("interrupted by {by}: {} of {all} folds are done\n", folds.len());
    }
    if folds.is_empty() {
        return text;
    }
    let deviation = |value: f64, text: String| if value.is_finite() { text } else { "-".into() };
    let accuracies = accuracy.map_or(String::new(), |all| {
        format!("validation accuracy {} ± {}, ", percent(all.mean), percent(all.deviation))
    });
    let of_values = |name: &str, all: Option<Spread>, text: fn(f64) -> String| {
        let told = |value: f64| deviation(value, text(value));
        all.map_or(String::new(), |all| {
            format!("validation {name} {} ± {}, ", told(all.mean), told(all.deviation))
        })
    };
    let scores = accuracies + &of_values("RMSE", *rmse, significant) + &of_values("R²", *r_squared, part);
    text += &format!(
        "{}: {scores}validation loss {} ± {} (mean ± standard deviation)\n",
        counted(folds.len(), "fold"),
        deviation(losses.mean, loss(losses.mean)),
        deviation(losses.deviation, loss(losses.deviation)),
    );
    text
}
