//! `fallline eval`

use std::io::Write;
use std::path::PathBuf;

use anyhow::bail;
use clap::Args;
use serde::Serialize;

use crate::model::recipe::DataConfig;
use crate::model::saved;
use crate::report::numbers::{percent, thousands};
use crate::report::{json, numbers};
use crate::team::Team;
use crate::train::machine::{Machine, usable_cores};
use crate::train::metrics::{self, ClassMetrics};
use crate::train::{self, Evaluation, dataset};

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct EvalArguments {
    /// A file that `fallline train --save` wrote.
    #[arg(long, value_name = "FILE")]
    model: PathBuf,
    /// The folder that holds the data set, or a folder named after it [default: $FALLLINE_DATA, then
    /// datasets/, then the user's cache folder].
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Write the results to this file as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Threads to compute with [default: the cores that this process may use].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    threads: Option<u16>,
}

const EXAMPLES: &str = "\
Examples:
  fallline eval --model mlp.safetensors
  fallline eval --model mlp.safetensors --data my-mnist --json eval.json";

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
    metrics: ClassMetrics,
}

pub fn run(arguments: EvalArguments) -> anyhow::Result<()> {
    if let Some(path) = arguments.json.as_deref() {
        super::output::check(&[path], &[&arguments.model])?;
    }
    let saved = saved::load(&arguments.model)?;
    // The training samples are not needed, so a folder may hold fewer of them than were trained on.
    let wanted = DataConfig { train_samples: Some(1), ..saved.recipe.data.clone() };
    let data = dataset::load(&wanted, arguments.data.as_deref())?;
    if data.test.shape() != saved.input || data.classes != saved.classes {
        bail!(
            "{}: expected samples of {} in {} classes, found {} in {} classes in data set `{}`",
            arguments.model.display(),
            numbers::shape(saved.input),
            saved.classes,
            numbers::shape(data.test.shape()),
            data.classes,
            data.name,
        );
    }
    let threads = arguments.threads.map_or_else(usable_cores, usize::from);
    let team = Team::new(threads)?;
    let start = std::time::Instant::now();
    let test = train::evaluate(&saved.model, &data.test, &saved.recipe.data, &team)?;
    let seconds = start.elapsed().as_secs_f64();
    let metrics = metrics::of_classes(&saved.model, &data.test, &saved.recipe.data, &team)?;
    let record = EvalRecord {
        schema: "fallline.eval/1",
        recipe: saved.recipe.name,
        data: data.name,
        samples: data.test.len(),
        threads,
        machine: Machine::current(),
        test,
        seconds,
        metrics,
    };
    if let Some(path) = &arguments.json {
        json::write(path, &record)?;
    }
    Ok(std::io::stdout().write_all(lines(&record).as_bytes())?)
}

fn lines(record: &EvalRecord) -> String {
    let ClassMetrics { top_5, precision, recall, f1 } = record.metrics;
    let top_5 = top_5.map_or(String::new(), |part| format!("top-5 accuracy {}, ", percent(part)));
    format!(
        "{} on {} test samples of {}: loss {}, accuracy {}, in {}\n\
         {top_5}mean over the classes: precision {}, recall {}, F1 {}\n",
        record.recipe,
        thousands(record.samples as u64),
        record.data,
        numbers::loss(record.test.loss),
        percent(record.test.accuracy),
        numbers::duration(record.seconds),
        percent(precision),
        percent(recall),
        percent(f1),
    )
}
