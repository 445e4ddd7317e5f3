//! `fallline profile`

use std::ffi::{OsStr, OsString};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::bail;
use clap::Args;

use super::output::Outputs;
use super::signals;
use super::values::{seconds, threads, tolerance};
use crate::bench::profile::compare::ProfileComparison;
use crate::bench::profile::record::PROFILE_SCHEMA;
use crate::bench::profile::request::is_part_of;
use crate::bench::profile::trace::of_timeline;
use crate::bench::profile::{self, Length, ProfileRecord, Request, TraceEvent};
use crate::error::Error;
use crate::model::recipe::Override;
use crate::model::{Recipe, saved};
use crate::report::profile as tables;
use crate::report::progress::Spinner;
use crate::report::results::{self, Results};
use crate::report::{json, markup::for_terminal, terminal};
use crate::train::{dataset, machine};

/// The exit code if the step is slower than that of the other profile.
const SLOWER: u8 = 3;

/// How long is measured if nothing else is said, and the longest time that may be said.
/// What is still done after the first signal.
const STOPPING: &str = "what was measured is shown";

const SECONDS: f64 = 3.0;

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct ProfileArguments {
    /// A built-in recipe (see `fallline recipes`); the path of a recipe file that ends with .toml, or of a
    /// saved model that ends with .safetensors, whose network is profiled from new weights; or of a profile
    /// that ends with .json, which is shown again and not measured.
    #[arg(value_name = "RECIPE|FILE", default_value = "digits-mlp")]
    target: OsString,
    /// The folder that holds the data set; no other is looked into [default: $FALLLINE_DATA alone, or else
    /// datasets/, then the user's cache folder; generated digits stand in for what is in neither of these two].
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// The update rule [default: the recipe's]; see `fallline optimizers`.
    #[arg(long, value_name = "NAME")]
    optimizer: Option<String>,
    /// Samples of one step, or all of them [default: the recipe's].
    #[arg(long, visible_alias = "batch-size", value_name = "N|all", allow_negative_numbers = true)]
    batch: Option<String>,
    /// Threads to train with [default: the cores that this process may use].
    #[arg(long, value_name = "N", value_parser = threads, allow_negative_numbers = true)]
    threads: Option<usize>,
    /// Measure for so many seconds [default: 3].
    #[arg(long, value_name = "S", value_parser = seconds, allow_negative_numbers = true)]
    seconds: Option<f64>,
    /// Measure the steps from A to below B, counted from 0, after those before them.
    #[arg(long, value_name = "A..B", value_parser = steps, conflicts_with = "seconds", allow_hyphen_values = true)]
    steps: Option<Range<u64>>,
    /// Show this layer alone, with what it is made of, in the table and in the trace: its module, such as 2
    /// or 3.layers.0, as the table names it.
    #[arg(long, value_name = "N")]
    layer: Option<String>,
    /// Replace any value of the recipe, such as model.layers.0.units=64; may be given many times.
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// The forward pass alone, as in inference, and not training.
    #[arg(long)]
    predict: bool,
    /// Count cycles, instructions and cache misses of each call site, where the system allows it.
    #[arg(long)]
    counters: bool,
    /// Write each call of each worker to this file, in the trace-event format that Perfetto and
    /// chrome://tracing open; compressed if its name ends with .gz.
    #[arg(long, value_name = "FILE")]
    trace: Option<PathBuf>,
    /// Write folded stacks to this file, in nanoseconds of a step, for flame-graph programs.
    #[arg(long, value_name = "FILE")]
    folded: Option<PathBuf>,
    /// Write the profile to this file as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Write the call sites to this file as CSV, one line for each.
    #[arg(long, value_name = "FILE")]
    csv: Option<PathBuf>,
    /// Write report.html, profile.json, sites.csv, flame.svg, and roofline and timeline as SVG and PNG into
    /// this folder, which is made if it is missing.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Compare with the profile in this JSON file, call site by call site; between two batch sizes, by the
    /// sample.
    #[arg(long, value_name = "FILE")]
    compare: Option<PathBuf>,
    /// The part by which the step may be slower than that of --compare and count as the same.
    #[arg(long, value_name = "X", default_value = "0.05", value_parser = tolerance, allow_negative_numbers = true)]
    tolerance: f64,
}

const EXAMPLES: &str = "\
Examples:
  fallline profile mnist-mlp
  fallline profile mnist-cnn --batch 64 --threads 2 --out profile
  fallline profile mnist-mlp --optimizer lion --set model.layers.0.units=512
  fallline profile mnist-lenet5 --steps 100..200 --trace trace.json.gz
  fallline profile mnist-mlp --predict --batch 1024
  fallline profile mnist-mlp --json before.json
  fallline profile mnist-mlp --compare before.json
  fallline profile before.json --layer 0 --csv sites.csv

The table names call sites, an operation of a layer each, with the largest possible saving first;
its columns are explained in docs/profile.md. Roofs are measured in the same run. Nothing else
should run meanwhile.

Ctrl-C ends the measurement after the step under way; what was measured is shown and written. The
exit code is 3 if --compare finds the step slower than --tolerance allows.";

pub fn run(arguments: ProfileArguments) -> anyhow::Result<ExitCode> {
    let shown_again = ends_with(&arguments.target, ".json").then(|| PathBuf::from(&arguments.target));
    let outputs = check_outputs(&arguments, shown_again.as_deref())?;
    let other = arguments.compare.as_deref().map(read).transpose()?;
    let (record, events) = match &shown_again {
        Some(path) => {
            check_not_measured(&arguments)?;
            let record = read(path)?;
            let events = of_timeline(&record);
            (record, events)
        }
        None => measured(&arguments, &outputs)?,
    };
    let compared = other.map(|other| ProfileComparison::of(&record, &other, arguments.tolerance));
    let layer = arguments.layer.as_deref();
    // What was measured shall not be lost to a mistyped layer.
    let known = layer.map_or(Ok(()), |module| check_layer(&record, module));
    let columns = match console::Term::stdout().size_checked() {
        Some((_, columns)) => usize::from(columns),
        // A file has room for all.
        None => usize::MAX,
    };
    let mut text = tables::table(&record, columns, layer.filter(|_| known.is_ok()), compared.as_ref());
    let written = write(&arguments, &record, &events, compared.as_ref(), &mut text);
    let printed = terminal::print_coloured(&text);
    written?;
    known?;
    printed?;
    let is_slower = compared.is_some_and(|compared| compared.is_slower());
    Ok(if is_slower { ExitCode::from(SLOWER) } else { ExitCode::SUCCESS })
}

fn ends_with(name: &OsStr, ending: &str) -> bool {
    name.as_encoded_bytes().ends_with(ending.as_bytes())
}

/// Runs the steps, with a line on a terminal that says what is going on.
fn measured(
    arguments: &ProfileArguments,
    outputs: &Outputs,
) -> anyhow::Result<(ProfileRecord, Vec<TraceEvent>)> {
    let length = match (&arguments.steps, arguments.seconds) {
        (Some(steps), _) => Length::Steps(steps.clone()),
        (None, seconds) => Length::Seconds(seconds.unwrap_or(SECONDS)),
    };
    let recipe = recipe(arguments)?;
    outputs.check_apart([Path::new(&arguments.target)])?;
    let mut notes = Vec::new();
    let data = dataset::load_or_digits(&recipe, arguments.data.as_deref(), &mut notes)?;
    outputs.check_data(&data)?;
    let request = Request {
        recipe,
        threads: arguments.threads.unwrap_or_else(machine::usable_cores),
        length,
        layer: arguments.layer.clone(),
        predict: arguments.predict,
        trace: arguments.trace.is_some(),
        counters: arguments.counters,
        command: super::shared::command_line(),
    };
    let line = Spinner::new();
    let stop = signals::listen(line.line(), STOPPING);
    let outcome = profile::measure(&request, &data, stop.flag(), &mut |what| line.say(what));
    line.finish();
    let (mut record, events) = outcome?;
    record.notes.splice(0..0, notes);
    if let Some(signal) = stop.signal() {
        let text = format!("Interrupted by {}: fewer steps were measured than asked for.", signal.text());
        record.notes.push(text);
    }
    Ok((record, events))
}

/// The recipe with what the arguments say instead.
fn recipe(arguments: &ProfileArguments) -> crate::Result<Recipe> {
    let name = arguments.optimizer.as_deref();
    let mut overrides: Vec<Override> =
        name.map(|name| Override::new("optimizer.name", name)).into_iter().collect();
    if let Some(batch) = &arguments.batch {
        overrides.push(format!("train.batch={batch}").parse()?);
    }
    for text in &arguments.set {
        overrides.push(text.parse()?);
    }
    let target = &arguments.target;
    if !ends_with(target, ".safetensors") {
        return Recipe::load(target, &overrides);
    }
    let saved = saved::load(Path::new(target))?;
    Recipe::parse_with(&saved.recipe.to_toml(), &format!("{}: recipe", target.display()), &overrides)
}

/// Writes everything that was asked for, and adds to the text what was written. Everything is tried before
/// a failure is reported.
fn write(
    arguments: &ProfileArguments,
    record: &ProfileRecord,
    events: &[TraceEvent],
    compared: Option<&ProfileComparison>,
    text: &mut String,
) -> crate::Result<()> {
    let content = |path: &Path, content: String| {
        crate::atomic_file::write(path, |file| file.write_all(content.as_bytes()))
    };
    let mut outcomes: Vec<crate::Result<String>> = Vec::new();
    let mut add = |path: &Path, outcome: crate::Result<()>| {
        outcomes.push(outcome.map(|()| path.display().to_string()));
    };
    if let Some(path) = &arguments.json {
        add(path, json::write(path, record));
    }
    if let Some(path) = &arguments.csv {
        add(path, content(path, tables::csv(record)));
    }
    if let Some(path) = &arguments.folded {
        add(path, content(path, tables::folded(record)));
    }
    if let Some(path) = &arguments.trace {
        let layer = arguments.layer.as_deref();
        let traced = tables::write_trace(path, record, events, layer, tables::MOST_EVENTS);
        outcomes.push(traced.map(|held| format!("{}: {held}", path.display())));
    }
    if let Some(folder) = &arguments.out {
        let made = tables::write_all(folder, record, compared);
        outcomes
            .push(made.map(|()| format!("{} and the files beside it", folder.join(tables::PAGE).display())));
    }
    for (index, path) in outcomes.iter().flatten().enumerate() {
        *text += if index == 0 { "\n" } else { "" };
        *text += &format!("wrote {}\n", for_terminal(path));
    }
    outcomes.into_iter().collect::<crate::Result<Vec<_>>>().map(drop)
}

/// All that is to be written; that it can be, before anything is measured.
fn check_outputs(arguments: &ProfileArguments, shown_again: Option<&Path>) -> crate::Result<Outputs> {
    let own = [&arguments.json, &arguments.csv, &arguments.folded, &arguments.trace];
    let outputs = Outputs::files(own.into_iter().flatten()).report(arguments.out.as_ref(), &tables::FILES);
    outputs.check(shown_again.into_iter().chain(arguments.compare.as_deref()))?;
    Ok(outputs)
}

/// That nothing was asked of a profile that only a measurement can give.
fn check_not_measured(arguments: &ProfileArguments) -> anyhow::Result<()> {
    let asked = [
        ("--data", arguments.data.is_some()),
        ("--optimizer", arguments.optimizer.is_some()),
        ("--batch", arguments.batch.is_some()),
        ("--threads", arguments.threads.is_some()),
        ("--seconds", arguments.seconds.is_some()),
        ("--steps", arguments.steps.is_some()),
        ("--set", !arguments.set.is_empty()),
        ("--predict", arguments.predict),
        ("--counters", arguments.counters),
    ];
    match asked.iter().find(|(_, is_asked)| *is_asked) {
        None => Ok(()),
        Some((option, _)) => bail!(
            "{option}: expected a recipe to measure, found the profile {}, which is only shown again",
            arguments.target.display()
        ),
    }
}

/// That the layer has call sites.
fn check_layer(record: &ProfileRecord, module: &str) -> crate::Result<()> {
    let mut known: Vec<&str> = record.sites.iter().filter_map(|site| site.layer.as_deref()).collect();
    if known.iter().any(|layer| is_part_of(Some(layer), module)) {
        return Ok(());
    }
    known.sort_unstable();
    known.dedup();
    Err(Error::unknown("command line: --layer", "layer", module, known))
}

/// The profile in a file that `profile` wrote.
fn read(path: &Path) -> crate::Result<ProfileRecord> {
    match results::read(path)? {
        Results::Profile(record) => Ok(*record),
        other => {
            let (place, expected) = ("key `schema`".into(), format!("\"{PROFILE_SCHEMA}\""));
            let found = format!("\"{}\"", other.schema());
            Err(Error::Format { path: path.into(), place, expected, found })
        }
    }
}

fn steps(text: &str) -> Result<Range<u64>, String> {
    let wrong = || "expected the first step and the one after the last, such as 100..200".to_string();
    let (first, end) = text.split_once("..").ok_or_else(wrong)?;
    match (first.trim().parse(), end.trim().parse()) {
        (Ok(first), Ok(end)) if first < end => Ok(first..end),
        _ => Err(wrong()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_a_range() {
        assert_eq!(steps("100..200"), Ok(100..200));
        assert_eq!(steps("0..1"), Ok(0..1));
        for wrong in
            ["", "5", "5..", "..5", "5..5", "6..5", "-1..5", "a..b", "1...3", "0..99999999999999999999"]
        {
            assert!(steps(wrong).is_err(), "{wrong}");
        }
    }
}
