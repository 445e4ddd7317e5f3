//! `fallline bench`

pub(super) mod arguments;

use crate::cli::bench::arguments::SuiteName;
pub use arguments::BenchArguments;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use super::output::Outputs;
use super::partial::{self, Growing};
use super::signals;
use crate::atomic_file;
use crate::bench::compare::Comparison;
use crate::bench::peers::Framework;
use crate::bench::plan::{BenchPlan, Choice, ROUNDS, Suite};
use crate::bench::record::{BENCH_SCHEMA, BenchRecord, CaseRecord};
use crate::bench::{calibrate, suite};
use crate::error::Error;
use crate::model::Recipe;
use crate::report::markup::for_terminal;
use crate::report::numbers::duration;
use crate::report::progress::Spinner;
use crate::report::results::{self, Results};
use crate::report::{bench as tables, comparison, json, terminal};
use crate::train::machine;

/// What is still done after the first signal.
const STOPPING: &str = "after the run under way, whose results are kept";

/// The exit code if a case is slower than the baseline.
const SLOWER: u8 = 3;

/// The results' file in the folder of `--out`.
const RECORD: &str = "bench.json";
/// The same before they are whole.
const PARTIAL: &str = "bench.json.partial";

/// Results are saved after each run, but no more often than this.
const SAVE_EVERY: Duration = Duration::from_secs(1);

pub fn run(arguments: BenchArguments) -> anyhow::Result<ExitCode> {
    if let Some(kernel) = &arguments.kernel {
        return super::kernel::run(&arguments, kernel);
    }
    // The parser asks for --kernel, but not beside options that can't stand with it, such as --json.
    if let Some(change) = arguments.set.first() {
        return Err(Error::Setting {
            place: "command line".into(),
            key: "--set".into(),
            expected: "--kernel beside it, or a recipe file with the value".into(),
            found: change.clone(),
        }
        .into());
    }
    let files = Files::of(&arguments);
    let baseline = arguments.baseline.as_deref().map(read).transpose()?;
    let previous = arguments.resume.then(|| resumed(&files.records)).transpose()?;
    let outputs = files.outputs(&arguments);
    let cached = calibrate::cached_at();
    outputs.check(
        arguments
            .recipes
            .iter()
            .filter_map(|name| Recipe::path(name))
            .chain(arguments.baseline.as_deref())
            .chain(cached.as_deref()),
    )?;

    let mut plan = BenchPlan::new(&choice(&arguments)?, arguments.data.as_deref())?;
    plan.data.iter().try_for_each(|data| outputs.check_data(data))?;
    if let (Some(baseline), Some(path)) = (&baseline, &arguments.baseline) {
        check_common(&suite::cases(&plan), baseline, path)?;
    }
    let most = plan.cases.iter().map(|case| case.threads).max().unwrap_or(1);
    if most > machine::usable_cores() {
        plan.notes.push(format!(
            "{most} threads on the {} cores that this process may use: they take turns",
            machine::usable_cores()
        ));
    }
    if let Some(folder) = &arguments.out {
        std::fs::create_dir_all(folder).map_err(Error::io(folder, "create"))?;
    }
    let mut watcher = Watcher::new(&files.records);
    let calibration = calibrate::load_cached();
    let stop = signals::listen(watcher.line.line(), STOPPING);
    let record = suite::run(&mut plan, calibration, previous.as_ref(), stop.flag(), &mut watcher);
    watcher.line.finish();
    let record = record?;

    let mut text = tables::table(&record, terminal::columns());
    let written = match runs(&record) < ROUNDS * record.cases.len() && stop.signal().is_some() {
        true => keep(&record, &files, &mut text),
        false => finish(&arguments, &record, &files, &mut text),
    };
    let printed = terminal::print_coloured(&text);
    written?;
    printed?;
    let Some(baseline) = baseline else { return Ok(ExitCode::SUCCESS) };
    let comparison = Comparison::of(&record, &baseline, arguments.tolerance);
    terminal::print_coloured(&format!("\n{}", comparison::text(&comparison)))?;
    Ok(if comparison.is_slower() { ExitCode::from(SLOWER) } else { ExitCode::SUCCESS })
}

/// That the baseline has one of the cases that will be measured, before they are.
fn check_common(chosen: &[CaseRecord], baseline: &BenchRecord, path: &Path) -> crate::Result<()> {
    let is_common = |case: &CaseRecord| baseline.cases.iter().any(|old| old.is_same_case(case));
    if chosen.iter().any(is_common) {
        return Ok(());
    }
    // Enough to see what is another: the recipe, the rule, the batch, the threads.
    let first = |cases: &[CaseRecord]| match cases {
        [] => "none".to_string(),
        [one] => one.full_title(),
        [one, rest @ ..] => format!("{} and {} more", one.full_title(), rest.len()),
    };
    Err(Error::Format {
        path: path.into(),
        place: "key `cases`".into(),
        expected: format!("a case that is measured now ({})", first(chosen)),
        found: first(&baseline.cases),
    })
}

/// Files of results.
struct Files {
    /// That of --json, that of --out.
    records: Vec<Growing>,
    csv: Option<Growing>,
}

impl Files {
    fn of(arguments: &BenchArguments) -> Files {
        let in_folder = arguments.out.as_ref().map(|folder| folder.join(RECORD));
        let records = arguments.json.iter().chain(&in_folder).map(|file| Growing::new(file)).collect();
        Files { records, csv: arguments.csv.as_deref().map(Growing::new) }
    }

    /// All that is written. What `--resume` reads is among it.
    fn outputs(&self, arguments: &BenchArguments) -> Outputs {
        let record = self.records.first().filter(|_| arguments.json.is_some());
        Outputs::files(record.into_iter().chain(&self.csv).flat_map(Growing::paths))
            .report(arguments.out.as_ref(), &[RECORD, PARTIAL, "report.html", "cases.csv"])
    }
}

/// Writes everything that was asked for, and adds to `text` what was written.
fn finish(
    arguments: &BenchArguments,
    record: &BenchRecord,
    files: &Files,
    text: &mut String,
) -> crate::Result<()> {
    for growing in &files.records {
        growing.finish(|path| json::write(path, record))?;
        *text += &terminal::wrote(growing.file());
    }
    if let Some(growing) = &files.csv {
        growing.finish(|path| write_csv(path, record))?;
        *text += &terminal::wrote(growing.file());
    }
    if let Some(folder) = &arguments.out {
        tables::write_all(folder, record)?;
        let page = folder.join("report.html").display().to_string();
        *text += &format!("wrote {} and the charts beside it\n", for_terminal(&page));
    }
    Ok(())
}

/// Keeps what an interrupted benchmark has measured, leaves the results of an earlier one as they are, and
/// adds to `text` what there is to say.
fn keep(record: &BenchRecord, files: &Files, text: &mut String) -> crate::Result<()> {
    let (made, all) = (runs(record), ROUNDS * record.cases.len());
    *text += &format!("interrupted after {made} of {all} runs");
    let partial = files.records.iter().find_map(Growing::partial).filter(|_| made > 0);
    *text += if partial.is_some() { "; the same command with --resume goes on\n" } else { "\n" };
    if made == 0 {
        return Ok(());
    }
    for growing in &files.records {
        let place = growing.leave(|path| json::write(path, record))?;
        *text += &format!("kept in {}\n", for_terminal(&place.display().to_string()));
    }
    if let Some(growing) = &files.csv {
        let place = growing.leave(|path| write_csv(path, record))?;
        *text += &format!("kept in {}\n", for_terminal(&place.display().to_string()));
    }
    if let Some(path) = partial {
        let path = path.display().to_string();
        *text += &format!("`fallline report {}` makes a page of it\n", for_terminal(&path));
    }
    Ok(())
}

fn write_csv(path: &Path, record: &BenchRecord) -> crate::Result<()> {
    atomic_file::write(path, |file| file.write_all(tables::csv(record).as_bytes()))
}

fn runs(record: &BenchRecord) -> usize {
    record.cases.iter().map(|case| case.samples_per_second.runs.len()).sum()
}

/// The suite's choice, with what the arguments say instead.
fn choice(arguments: &BenchArguments) -> crate::Result<Choice> {
    let suite = match arguments.suite {
        SuiteName::Quick => Suite::Quick,
        SuiteName::Full => Suite::Full,
    };
    let mut choice = suite.choice(machine::usable_cores());
    if !arguments.recipes.is_empty() {
        choice.recipes = arguments.recipes.clone();
        choice.optimizers.clear();
    }
    if !arguments.optimizer.is_empty() {
        choice.optimizers = arguments.optimizer.clone();
    }
    if !arguments.batch.is_empty() {
        choice.batches = arguments.batch.clone();
    }
    if !arguments.threads.is_empty() {
        choice.threads = arguments.threads.clone();
    }
    if let Some(seconds) = arguments.seconds {
        choice.time = Duration::from_secs_f64(seconds);
    }
    if let Some(names) = &arguments.compare {
        choice.peers = Framework::parse_list("command line", names)?;
    }
    Ok(choice)
}

/// The record to go on with.
fn resumed(records: &[Growing]) -> anyhow::Result<BenchRecord> {
    match partial::to_resume(records) {
        Some(path) => read(path),
        None => anyhow::bail!(
            "--resume: expected --json FILE or --out DIR with the results to go on with, found neither"
        ),
    }
}

/// The record in a file that `bench` wrote.
fn read(path: &Path) -> anyhow::Result<BenchRecord> {
    match results::read(path)? {
        Results::Bench(record) => Ok(*record),
        other => {
            let (place, expected) = ("key `schema`".into(), format!("\"{BENCH_SCHEMA}\""));
            let found = format!("\"{}\"", other.schema());
            Err(Error::Format { path: path.into(), place, expected, found }.into())
        }
    }
}

/// Shows which case runs, and keeps the results so far.
struct Watcher<'a> {
    line: Spinner,
    records: &'a [Growing],
    saved: Option<Instant>,
    begun: Instant,
}

impl<'a> Watcher<'a> {
    fn new(records: &'a [Growing]) -> Self {
        Watcher { line: Spinner::new(), records, saved: None, begun: Instant::now() }
    }
}

impl suite::Watcher for Watcher<'_> {
    fn running(&mut self, case: &CaseRecord, done: usize, of: usize) {
        let left = self.begun.elapsed().as_secs_f64() / done.max(1) as f64 * (of - done) as f64;
        let left = if done == 0 { String::new() } else { format!(", {} left", duration(left)) };
        self.line.say(&format!("run {} of {of}: {}{left}", done + 1, case.full_title()));
    }

    fn starting(&mut self, case: &CaseRecord) {
        self.line.say(&format!("starting {}", case.full_title()));
    }

    fn save(&mut self, record: &BenchRecord) -> crate::Result<()> {
        if self.saved.is_some_and(|saved| saved.elapsed() < SAVE_EVERY) {
            return Ok(());
        }
        self.saved = Some(Instant::now());
        self.records.iter().try_for_each(|growing| growing.keep(|path| json::write(path, record)))
    }
}
