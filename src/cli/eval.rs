//! `fallline eval`

mod data;

use data::TestSet;
use std::path::PathBuf;

use anyhow::bail;
use clap::Args;
use serde::Serialize;

use super::output::Outputs;
use super::values::MOST_SHOWN;
use crate::atomic_file;
use crate::data::{Samples, Targets};
use crate::model::Model;
use crate::model::saved::{self, SavedModel};
use crate::report::markup::for_terminal;
use crate::report::metrics::{naive_forecasts, score};
use crate::report::mistakes::{self, Shown};
use crate::report::numbers::counted;
use crate::report::picture::Palette;
use crate::report::{json, numbers, run, terminal};
use crate::team::Team;
use crate::train::analysis::{self, LARGEST_SIDE, Mistake};
use crate::train::machine::{Machine, usable_cores};
use crate::train::metrics::{self, Metrics};
use crate::train::{self, Evaluation, NotFinite};

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct EvalArguments {
    /// A file that `fallline train --save` wrote.
    #[arg(long, value_name = "FILE")]
    model: PathBuf,
    /// Rows to try a model of a table on, with the target (CSV, plain or gzip; - is standard input), or a text for a model of
    /// texts: a file, or the name of a published one [default: the test rows of its training, or the part of the text that
    /// was set aside].
    #[arg(value_name = "FILE")]
    table: Option<PathBuf>,
    /// The folder that holds the data set, or a folder named after it; no other is looked into [default:
    /// $FALLLINE_DATA alone, or else datasets/, then the user's cache folder].
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Replace data.scale, data.mean or data.deviation of the model's recipe: what values are divided by,
    /// what is then subtracted, and what is divided by last. May be given many times.
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Write the results to this file as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Show the N worst mistakes: of the test samples that are read as another class than theirs, those
    /// with the largest losses, with their class, the class that they are read as, and its probability.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=MOST_SHOWN))]
    mistakes: Option<u16>,
    /// Write the worst mistakes, 24 unless --mistakes says otherwise, as a contact sheet to this PNG file.
    #[arg(long, value_name = "FILE")]
    sheet: Option<PathBuf>,
    /// Threads to compute with [default: the cores that this process may use].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    threads: Option<u16>,
}

const EXAMPLES: &str = "\
Examples:
  fallline eval --model mlp.safetensors
  fallline eval --model income.safetensors adult-test.csv
  fallline eval --model mlp.safetensors --data my-mnist --json eval.json
  fallline eval --model mlp.safetensors --data as-floats --set data.scale=1
  fallline eval --model mlp.safetensors --mistakes 6 --sheet mistakes.png";

/// Mistakes on a sheet where nothing is said.
pub(super) const ON_SHEET: u16 = 24;

/// The result of `eval` as JSON.
#[derive(Debug, Serialize)]
struct EvalRecord {
    schema: &'static str,
    recipe: String,
    data: String,
    samples: usize,
    threads: usize,
    machine: Machine,
    test: Evaluation,
    seconds: f64,
    metrics: Metrics,
    /// Only where they were asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    mistakes: Option<Vec<Mistake>>,
}

pub fn run(arguments: EvalArguments) -> anyhow::Result<()> {
    let outputs = Outputs::files([&arguments.json, &arguments.sheet].into_iter().flatten());
    outputs.check([&*arguments.model])?;
    let settings = super::shared::settings(&arguments.set)?;
    let saved = saved::load(&arguments.model)?;
    let folder = arguments.data.as_deref();
    let data = TestSet::of(&arguments.model, &saved, arguments.table.as_ref(), folder, &outputs)?;
    let what = format!("data set `{}`", data.name);
    let seen = saved.normalisation(&what, data.samples.element_type(), &settings)?;
    if arguments.sheet.is_some() && analysis::picture_of(&data.samples, 0).is_none() {
        let shape = numbers::shape(data.samples.shape());
        bail!(
            "--sheet: expected samples that are pictures of at most {LARGEST_SIDE}x{LARGEST_SIDE}, found {shape}"
        );
    }
    let asked = arguments.mistakes.or(arguments.sheet.as_ref().map(|_| ON_SHEET));
    if let Some(found) = asked.and_then(|_| in_place_of_classes(&saved, &data.samples)) {
        let option = if arguments.mistakes.is_some() { "--mistakes" } else { "--sheet" };
        bail!("{option}: expected samples with one class each, found {found}");
    }
    let threads = arguments.threads.map_or_else(usable_cores, usize::from);
    let team = Team::new(threads)?;
    let start = std::time::Instant::now();
    let order = train::Order::of(&saved.recipe.train, &saved.model, &data.samples);
    let test = train::evaluate_in(order, &saved.model, &data.samples, &seen, &team)?;
    let seconds = start.elapsed().as_secs_f64();
    let metrics = metrics::of_in(order, &saved.model, &data.samples, &seen, &team)?;
    let worst = asked
        .map(|most| analysis::worst_mistakes(order, &saved.model, &data.samples, &seen, &team, most.into()));
    let worst = worst.transpose()?;
    let record = EvalRecord {
        schema: "fallline.eval/1",
        recipe: saved.recipe.name,
        data: data.name.clone(),
        samples: data.samples.len(),
        threads,
        machine: Machine::current(),
        test,
        seconds,
        metrics,
        mistakes: worst.as_ref().map(|(mistakes, _)| mistakes.clone()),
    };
    let sample = name_of_sample(&saved.model, arguments.table.is_some());
    if let Some(samples) = record.test.not_finite.as_ref().filter(|lost| lost.samples == record.samples) {
        // What would be counted of such answers says nothing.
        let (model, all) = (arguments.model.display(), counted(record.samples, sample));
        let NotFinite { samples, first } = samples;
        bail!(
            "{model}: expected finite outputs, found others for {samples} of {all}, the first of which is {first}"
        );
    }
    if let Some(samples) = &record.test.not_finite {
        super::shared::say("warning", &run::not_finite_of(sample, samples));
    }
    if let Some(path) = &arguments.json {
        json::write(path, &record)?;
    }
    let mut text = for_terminal(&lines(&record, sample, &data.class_names));
    if let Some((mistakes, count)) = worst {
        let shown: Vec<Shown> =
            mistakes.into_iter().map(|mistake| shown(mistake, &data.samples, &data.class_names)).collect();
        if let Some(path) = &arguments.sheet {
            let sheet = mistakes::sheet(&shown, count, &record.recipe);
            atomic_file::write(path, |file| file.write_all(&sheet))?;
        }
        if arguments.mistakes.is_some() {
            let columns = super::shared::columns();
            text += &format!(
                "\n{}",
                mistakes::terminal(&shown, count, data.samples.len(), Palette::of_stdout(), columns)
            );
        }
    }
    Ok(terminal::print_coloured(&text)?)
}

/// What samples have for targets that are no class for each, in which there are no mistakes to show.
fn in_place_of_classes(saved: &SavedModel, samples: &Samples) -> Option<&'static str> {
    match samples.targets() {
        _ if !saved.model.loss().takes_targets() => Some("those of a model without targets"),
        Targets::Classes(_) => None,
        Targets::Tokens(_) if samples.vocabulary().is_some() => Some("a text"),
        Targets::Tokens(_) => Some("a class for each position"),
        Targets::Values { .. } => Some("values"),
        Targets::None => Some("none"),
    }
}

/// What a sample is called: of a text, one of another text or of the part that was set aside.
fn name_of_sample(model: &Model, is_of_file: bool) -> &'static str {
    match model.vocabulary() {
        Some(vocabulary) if is_of_file && vocabulary.is_of_lines() => "line",
        Some(_) if is_of_file => "window",
        Some(_) => "validation sample",
        None => "test sample",
    }
}

fn shown<'a>(mistake: Mistake, samples: &Samples, class_names: &'a [String]) -> Shown<'a> {
    let (picture, name) = (analysis::picture_of(samples, mistake.index), format!("sample {}", mistake.index));
    Shown { mistake, picture, name, class_names }
}

fn lines(record: &EvalRecord, sample: &str, class_names: &[String]) -> String {
    let word = if matches!(record.metrics, Metrics::Clusters(_)) { "inertia" } else { "loss" };
    let score = Some(score(&record.test, "")).filter(|score| !score.is_empty());
    let score = score.map_or(String::new(), |score| format!("{score}, "));
    format!(
        "{} on {} of {}: {word} {}, {score}in {}\n{}{}",
        record.recipe,
        counted(record.samples, sample),
        record.data,
        numbers::loss(record.test.loss),
        numbers::duration(record.seconds),
        naive_forecasts(&record.test),
        crate::report::metrics::text(&record.metrics, class_names),
    )
}
