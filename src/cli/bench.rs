//! `fallline bench`

use std::ffi::OsString;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};

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
use crate::team::MAX_THREADS;
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

/// The longest measuring time of a case.
const MOST_SECONDS: f64 = 3600.0;

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct BenchArguments {
    /// Built-in recipes (see `fallline recipes`), or paths of recipe files that end with .toml
    /// [default: the suite's].
    #[arg(value_name = "RECIPE")]
    pub(super) recipes: Vec<OsString>,
    /// Update rules, such as sgd,adam; all that `fallline optimizers` lists [default: the suite's; with
    /// RECIPE, the recipe's own].
    #[arg(long, value_name = "NAME,...", value_delimiter = ',')]
    pub(super) optimizer: Vec<String>,
    /// Samples of a step, such as 16,256 [default: the suite's].
    #[arg(long, value_name = "N,...", value_delimiter = ',', value_parser = positive, allow_negative_numbers = true)]
    pub(super) batch: Vec<usize>,
    /// Numbers of threads, such as 1,2 [default: 1 and the cores that this process may use; the full
    /// suite takes the powers of two between them, too].
    #[arg(long, value_name = "N,...", value_delimiter = ',', value_parser = threads, allow_negative_numbers = true)]
    pub(super) threads: Vec<usize>,
    /// The numbers that products work on.
    #[arg(long, value_name = "NAME,...", value_delimiter = ',', default_value = "f32")]
    precision: Vec<Precision>,
    /// What to run if nothing else is said: one network, or three sizes of them.
    #[arg(long, value_name = "NAME", default_value = "quick")]
    suite: SuiteName,
    /// Measuring time of each case, in seconds [default: the suite's, 1.2 or 3].
    #[arg(long, value_name = "S", value_parser = seconds, allow_negative_numbers = true)]
    pub(super) seconds: Option<f64>,
    /// The folder that holds the data sets; no other is looked into [default: $FALLLINE_DATA alone, or
    /// else datasets/, then the user's cache folder; generated digits stand in for what is in neither of
    /// these two].
    #[arg(long, value_name = "DIR")]
    pub(super) data: Option<PathBuf>,
    /// Write report.html, bench.json, cases.csv and each chart as SVG and PNG into this folder. Files of
    /// these names are replaced when the benchmark is done.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Write the results to this file as JSON. It is replaced when they are whole; until then they are
    /// kept in FILE.partial.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Write the results to this file as CSV, one line for each case. It is replaced when they are whole.
    #[arg(long, value_name = "FILE")]
    csv: Option<PathBuf>,
    /// Run other frameworks beside each case: pytorch (all of its kinds), pytorch-eager,
    /// pytorch-channels-last (the same for images, in another layout), pytorch-compile, jax (not for
    /// layers of images). They need the Python that $FALLLINE_PEERS_PYTHON names, or that
    /// scripts/peers/setup has put into .venv; what is missing is noted and left out.
    #[arg(long, value_name = "NAME,...")]
    compare: Option<String>,
    /// Go on with the results that an interrupted run has left beside --json or in --out: those in
    /// FILE.partial, or else in FILE.
    #[arg(long)]
    resume: bool,
    /// Compare with the results in this JSON file, case by case. Compared are fractions of the peak, so
    /// that a clock which has changed since then counts for nothing.
    #[arg(long, value_name = "FILE")]
    baseline: Option<PathBuf>,
    /// Run one kernel of a network by itself, on its real shapes, warm and cold, against its roof: an operation
    /// of a layer, such as '0 weight-gradient'; `all` of them one by one; or `list` them.
    #[arg(long, value_name = "KERNEL", conflicts_with_all = ["suite", "out", "json", "csv", "compare", "resume", "baseline"])]
    pub(super) kernel: Option<String>,
    /// With --kernel: replace any value of the recipe, such as model.layers.0.units=64; may be given many
    /// times.
    #[arg(long, value_name = "KEY=VALUE", requires = "kernel")]
    pub(super) set: Vec<String>,
    /// The part of the baseline's throughput that a case may lose or win and count as the same.
    #[arg(long, value_name = "X", default_value = "0.05", value_parser = tolerance, allow_negative_numbers = true)]
    tolerance: f64,
}

const EXAMPLES: &str = "\
Examples:
  fallline bench --out report
  fallline bench mnist-mlp-512 --optimizer sgd,adam --batch 64,1024 --threads 1,2
  fallline bench --suite full --out report --json full.json
  fallline bench --json full.json --suite full --resume
  fallline bench --batch 64,1024 --optimizer adam --threads 2 --compare pytorch,jax
  fallline bench mnist-lenet5 mnist-fast99 --threads 2 --compare pytorch
  fallline bench --baseline before.json
  fallline bench mnist-mlp --batch 64 --kernel list
  fallline bench mnist-mlp --batch 64 --kernel '0 weight-gradient'

All cases run in turn, again and again, so that the machine's moods meet them all. Quoted are
medians and their 95 % bootstrap intervals. The fraction of the peak is that of the f32
multiply-adds that the same threads did in registers just before each run. Nothing else should run
meanwhile.

Ctrl-C (or SIGTERM, SIGHUP) ends the benchmark after the run under way. What it has measured is
kept in FILE.partial (bench.json.partial in DIR) for --resume; results of an earlier benchmark
stay until those of this one are whole. Nothing that is read is written over. The exit code is 3
if --baseline has found a case, or all of them together, to be slower than --tolerance allows,
with 95 % confidence.";

#[derive(Clone, Copy, Debug, PartialEq, ValueEnum)]
enum SuiteName {
    Quick,
    Full,
}

#[derive(Clone, Copy, Debug, PartialEq, ValueEnum)]
enum Precision {
    F32,
}

pub fn run(arguments: BenchArguments) -> anyhow::Result<ExitCode> {
    if let Some(kernel) = &arguments.kernel {
        return super::kernel::run(&arguments, kernel);
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

    let mut text = tables::table(&record);
    let written = match runs(&record) < ROUNDS * record.cases.len() && stop.signal().is_some() {
        true => keep(&record, &files, &mut text),
        false => finish(&arguments, &record, &files, &mut text),
    };
    let mut out = terminal::coloured_stdout();
    let printed = out.write_all(text.as_bytes());
    written?;
    printed?;
    let Some(baseline) = baseline else { return Ok(ExitCode::SUCCESS) };
    let comparison = Comparison::of(&record, &baseline, arguments.tolerance);
    out.write_all(format!("\n{}", comparison::text(&comparison)).as_bytes())?;
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

fn positive(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(number) if number > 0 => Ok(number),
        _ => Err("expected a whole number above 0".into()),
    }
}

fn threads(text: &str) -> Result<usize, String> {
    positive(text)
        .ok()
        .filter(|&threads| threads <= MAX_THREADS)
        .ok_or_else(|| format!("expected a whole number from 1 to {MAX_THREADS}"))
}

fn seconds(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(seconds) if seconds > 0.0 && seconds <= MOST_SECONDS => Ok(seconds),
        _ => Err(format!("expected seconds above 0, at most {MOST_SECONDS}")),
    }
}

fn tolerance(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(part) if (0.0..1.0).contains(&part) => Ok(part),
        _ => Err("expected a part of 1 from 0 to below 1, such as 0.05".into()),
    }
}
