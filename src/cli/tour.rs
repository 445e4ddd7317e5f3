//! `fallline tour`

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;

use super::output::{self, Outputs};
use super::shared::{columns, command_line};
use super::signals::{self, Signal, Stop};
use super::values::threads;
use crate::error::{Error, Result};
use crate::report::numbers::counted;
use crate::report::progress::Spinner;
use crate::report::{json, terminal, tour as pages};
use crate::tour::{self, CASES, Case, CaseRecord, Setting, TourRecord};
use crate::train::machine;

#[derive(Debug, Args)]
#[command(after_help = after_help())]
pub struct TourArguments {
    /// The cases to run, which come in the order of the tour [default: all].
    #[arg(value_name = "CASE")]
    cases: Vec<String>,
    /// Write report.html, tour.json and each picture as SVG and PNG into this folder. Files of these names are replaced:
    /// pictures as soon as their case is done, the others at the end.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Threads of trainings [default: the cores that this process may use]. They change times, and no bit of any result.
    #[arg(long, value_name = "N", value_parser = threads, allow_negative_numbers = true)]
    threads: Option<usize>,
    /// Also write texts and numbers to this file as JSON, when all cases are done.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// The cases there are, and examples.
fn after_help() -> String {
    let width = CASES.iter().map(|case| case.name.len()).max().unwrap_or(0);
    let line = |case: &&Case| format!("  {:width$}  {}\n", case.name, case.summary);
    let first = CASES.first().map_or("", |case| case.name);
    let cases: String = CASES.iter().map(line).collect();
    format!(
        "Cases:\n{cases}\n\
         Examples:\n  fallline tour --out tour\n  fallline tour {first} --out tour\n\n\
         Each case is also a short program in examples/, which the page names. Ctrl-C ends the tour after the case\n\
         under way; the page then has the cases that are done, and the exit code is 130 (143 for SIGTERM, 129 for\n\
         SIGHUP)."
    )
}

/// What is still done after the first signal.
const STOPPING: &str = "the case under way is finished first";

pub fn run(arguments: TourArguments) -> anyhow::Result<ExitCode> {
    let cases = chosen(&arguments.cases)?;
    let outputs = Outputs::files(&arguments.json).report(Some(&arguments.out), &[pages::JSON, pages::PAGE]);
    outputs.check([])?;
    std::fs::create_dir_all(&arguments.out).map_err(Error::io(&arguments.out, "create"))?;
    let setting = Setting { threads: arguments.threads.unwrap_or_else(machine::usable_cores) };

    let mut shown = Shown { line: Spinner::new(), unprinted: None };
    let stop = signals::listen(shown.line.line(), STOPPING);
    let mut done = Vec::new();
    let outcome = all(&cases, &setting, &arguments.out, &stop, &mut shown, &mut done);
    shown.line.finish();
    let is_complete = done.len() == cases.len();
    let record =
        TourRecord { command: command_line(), incomplete: !is_complete, ..TourRecord::of(done, &setting) };
    let mut text = if is_complete { pages::result(&record) } else { missing(&record, cases.len(), &stop) };
    // What is done is kept, also where another case has failed.
    let written = finish(&arguments, &record, &mut text);
    let printed = shown.unprinted.map_or_else(|| terminal::print_coloured(&text), Err);
    outcome?;
    written?;
    match printed {
        // A closed pipe does not change the verdict.
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error.into()),
        _ if is_complete => Ok(ExitCode::SUCCESS),
        _ => Ok(ExitCode::from(signal(&stop).exit_code())),
    }
}

/// The cases of these names, each once, in the order of the tour; all of them without any.
fn chosen(names: &[String]) -> Result<Vec<&'static Case>> {
    names.iter().try_for_each(|name| tour::case(name).map(drop))?;
    let is_chosen = |case: &&Case| names.is_empty() || names.iter().any(|name| name == case.name);
    Ok(CASES.into_iter().filter(is_chosen).collect())
}

/// Runs the cases until a signal comes, and writes the pictures of each that is done.
fn all(
    cases: &[&Case],
    setting: &Setting,
    folder: &Path,
    stop: &Stop,
    shown: &mut Shown,
    done: &mut Vec<CaseRecord>,
) -> Result<()> {
    for (index, case) in cases.iter().enumerate() {
        if stop.signal().is_some() {
            break;
        }
        shown.line.say(&format!("{}/{}  {}: {}", index + 1, cases.len(), case.title, case.summary));
        let record = tour::run(case, setting)?;
        pages::pictures(folder, &record)?;
        shown.print(&pages::case_block(index + 1, cases.len(), &record, columns()));
        done.push(record);
    }
    Ok(())
}

/// Writes the page and the record, and adds to `text` what was written.
fn finish(arguments: &TourArguments, record: &TourRecord, text: &mut String) -> Result<()> {
    if record.cases.is_empty() {
        return Ok(());
    }
    for path in pages::write(&arguments.out, record)? {
        *text += &terminal::wrote(Path::new(&path));
    }
    if let Some(path) = arguments.json.as_ref().filter(|_| !record.incomplete) {
        output::save_or_rescue(path, |path| json::write(path, record))?;
        *text += &terminal::wrote(path);
    }
    Ok(())
}

fn signal(stop: &Stop) -> Signal {
    stop.signal().unwrap_or(Signal::Interrupt)
}

/// What a tour that did not come to its end says; nothing where a failure has more to say.
fn missing(record: &TourRecord, of: usize, stop: &Stop) -> String {
    let kept = if record.cases.is_empty() { "nothing is kept" } else { "the page has those that are done" };
    let by = |signal: Signal| {
        format!(
            "\ninterrupted by {}: {} of {} done; {kept}\n",
            signal.text(),
            record.cases.len(),
            counted(of, "case")
        )
    };
    stop.signal().map_or(String::new(), by)
}

/// Shows what is under way, and prints what is done.
struct Shown {
    line: Spinner,
    /// Why the first text that could not be printed was not.
    unprinted: Option<std::io::Error>,
}

impl Shown {
    fn print(&mut self, text: &str) {
        // The results are written even if nobody reads along; what could not be printed is told at the end.
        if let Err(error) = self.line.print(text) {
            self.unprinted.get_or_insert(error);
        }
    }
}
