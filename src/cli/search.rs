//! `fallline search`

mod arguments;

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{anyhow, bail};

pub use arguments::SearchArguments;

use super::output::{self, Outputs};
use super::partial::Growing;
use super::shared::{command_line, say, settings};
use super::signals::{self, Signal, Stop};
use super::train::table::{self, Made};
use crate::data::DataSet;
use crate::model::Recipe;
use crate::model::recipe::Override;
use crate::report::numbers::counted;
use crate::report::progress::Spinner;
use crate::report::{json, search as tables, terminal};
use crate::search::journal::Journal;
use crate::search::range_test::RANGE_TEST;
use crate::search::{
    Plan, ScoredBy, Search, SearchMethod, SearchProgress, SearchRecord, SearchWatcher, TrialRecord,
    TrialState,
};
use crate::train::dataset;
use crate::{Error, Result};

/// What the name of the file of trials beside a file of results ends with.
const BESIDE: &str = ".trials.jsonl";

/// What is still done after the first signal.
const STOPPING: &str = "the trials under way are dropped";
const STOPPING_TEST: &str = "the test ends here";

pub fn run(arguments: SearchArguments) -> anyhow::Result<ExitCode> {
    let is_test = arguments.method.as_deref() == Some(RANGE_TEST);
    let method = match arguments.method.as_deref().filter(|_| !is_test) {
        Some(name) => named(name)?,
        None => SearchMethod::default(),
    };
    if is_test && (arguments.resume || arguments.seed.is_some()) {
        bail!(
            "{RANGE_TEST}: expected neither --resume nor --seed: the test is one short training from the recipe's seed"
        );
    }
    let journal = if is_test { None } else { journal_path(&arguments) };
    if arguments.resume && journal.is_none() {
        bail!("--resume: expected --out DIR or --json FILE of the search to go on with, found neither");
    }
    let outputs = outputs(&arguments, journal.as_ref())?;
    let (recipe, data, assumed) = recipe_and_data(&arguments)?;
    outputs.check_data(&data)?;

    let mut search = Search::new(&recipe).method(method);
    for over in &arguments.over {
        search = search.over(over)?;
    }
    (search.trials, search.folds, search.threads) = (arguments.trials, arguments.folds, arguments.threads);
    search.seed = arguments.seed.unwrap_or(search.seed);
    if is_test {
        terminal::print(&assumed).ok();
        return range_test(&arguments, &search, &data);
    }
    let plan = Plan::new(&search, &data)?.of_command(command_line());
    let (opened, known) = match (&journal, arguments.resume) {
        (None, _) => (None, Vec::new()),
        (Some(path), true) => {
            if !path.exists() {
                bail!(
                    "{}: expected the trials of a search to go on with, found no such file",
                    path.display()
                );
            }
            let (journal, known) = Journal::resume(path, &plan.identity())?;
            (Some(journal), known)
        }
        (Some(path), false) => {
            make_folder(&arguments)?;
            (Some(Journal::begin(path, &plan.identity())?), Vec::new())
        }
    };
    let mut shown =
        Shown { line: Spinner::new(), scored_by: ScoredBy::of(data.train.targets()), unprinted: None };
    shown.print(&(assumed + &tables::heading(&plan, &recipe.name, &data.name)));
    let stop = signals::listen(shown.line.line(), STOPPING);
    let record = plan.run(opened, known, stop.flag(), &mut shown);
    shown.line.finish();
    let record = record.map_err(|error| with_kept(error, journal.as_deref()))?;

    let mut text = tables::result(&record, terminal::columns());
    if record.incomplete {
        text += &missing(&record, plan.trainings(), &stop, journal.as_deref());
    }
    let written = if record.incomplete { Ok(()) } else { finish(&arguments, &record, &mut text) };
    let printed = shown.unprinted.map_or_else(|| terminal::print_coloured(&text), Err);
    written?;
    match printed {
        // A closed pipe does not change the verdict.
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error.into()),
        _ => exit_code(&record, &stop),
    }
}

/// The method of this name, of which a range test is one here.
fn named(name: &str) -> Result<SearchMethod> {
    let known = || SearchMethod::ALL.into_iter().map(SearchMethod::name).chain([RANGE_TEST]);
    name.parse().map_err(|_| Error::unknown("command line: `--method`", "method", name, known()))
}

fn range_test(arguments: &SearchArguments, search: &Search, data: &DataSet) -> anyhow::Result<ExitCode> {
    let line = Spinner::new();
    let stop = signals::listen(line.line(), STOPPING_TEST);
    line.say("raising the learning rate step by step");
    let record = search.range_test(data, stop.flag());
    line.finish();
    let record = SearchRecord { command: command_line(), ..record? };
    let mut text = tables::result(&record, terminal::columns());
    let written = if record.incomplete { Ok(()) } else { finish(arguments, &record, &mut text) };
    let printed = terminal::print_coloured(&text);
    written?;
    match printed {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error.into()),
        _ if record.incomplete => Ok(interrupted(&stop)),
        _ => Ok(ExitCode::SUCCESS),
    }
}

/// The file that keeps each trial: in the folder of results, or beside their file; none beside what is no file.
fn journal_path(arguments: &SearchArguments) -> Option<PathBuf> {
    if let Some(folder) = &arguments.out {
        return Some(folder.join(tables::TRIALS));
    }
    let json = arguments.json.as_ref()?;
    Growing::new(json).partial()?;
    let mut name = json.clone().into_os_string();
    name.push(BESIDE);
    Some(name.into())
}

/// That all that is to be written can be, before hours are spent.
fn outputs(arguments: &SearchArguments, journal: Option<&PathBuf>) -> Result<Outputs> {
    let beside = journal.filter(|_| arguments.out.is_none());
    let names = [tables::JSON, tables::PAGE, tables::BEST, tables::TRIALS];
    let outputs = Outputs::files(arguments.json.iter().chain(beside)).report(arguments.out.as_ref(), &names);
    let read = Recipe::path(&arguments.recipe).or_else(|| table::path(&arguments.recipe));
    outputs.check(read.filter(|path| path.as_os_str() != "-"))?;
    Ok(outputs)
}

fn make_folder(arguments: &SearchArguments) -> Result<()> {
    let Some(folder) = &arguments.out else { return Ok(()) };
    std::fs::create_dir_all(folder).map_err(Error::io(folder, "create"))
}

/// The recipe, changed by the options, its samples, and what was assumed of a table. Paths of tables hold wherever the
/// winner's recipe is put.
fn recipe_and_data(arguments: &SearchArguments) -> Result<(Recipe, DataSet, String)> {
    let epochs = arguments.epochs.map(|epochs| Override::new("train.epochs", epochs));
    let target = arguments.target.as_deref().map(|name| Override::new("data.target", name));
    let mut changes: Vec<Override> = epochs.into_iter().chain(target).collect();
    changes.extend(settings(&arguments.set)?);
    let folder = arguments.data.as_deref();
    let (mut recipe, data, assumed) = match table::path(&arguments.recipe) {
        Some(path) => {
            let made = Made::of(path, &changes, folder)?;
            let assumed = made.assumed();
            (made.recipe, made.data, assumed)
        }
        None => {
            let recipe = Recipe::load(&arguments.recipe, &changes)?;
            let data = dataset::load(&recipe.data, folder)?;
            (recipe, data, String::new())
        }
    };
    if let Some(table) = &mut recipe.data.table {
        let full = |file: &str| {
            let path = table.path(file, folder).canonicalize().ok()?;
            path.is_file().then(|| path.to_str().map(String::from)).flatten()
        };
        let [file, test] =
            [Some(&table.file), table.test_file.as_ref()].map(|file| file.and_then(|file| full(file)));
        table.file = file.unwrap_or_else(|| table.file.clone());
        table.test_file = test.or(table.test_file.take());
        table.folder = None;
    }
    Ok((recipe, data, assumed))
}

/// Writes everything that was asked for, and adds to `text` what was written.
fn finish(arguments: &SearchArguments, record: &SearchRecord, text: &mut String) -> Result<()> {
    if let Some(path) = &arguments.json {
        output::save_or_rescue(path, |path| json::write(path, record))?;
        *text += &terminal::wrote(path);
    }
    if let Some(folder) = &arguments.out {
        for path in tables::write(folder, record)? {
            *text += &terminal::wrote(Path::new(&path));
        }
    }
    Ok(())
}

/// What an interrupted search says.
fn missing(record: &SearchRecord, of: usize, stop: &Stop, journal: Option<&Path>) -> String {
    let done: usize = record.trials.iter().map(|trial| trial.rungs.len().max(1)).sum();
    let by = stop.signal().unwrap_or(Signal::Interrupt).text();
    let kept = journal.filter(|_| done > 0).map_or(String::new(), |path| {
        format!(", kept in {}; the same command with --resume goes on", path.display())
    });
    format!("interrupted by {by}: {} of {} done{kept}\n", done, counted(of, "training"))
}

fn with_kept(error: Error, journal: Option<&Path>) -> anyhow::Error {
    match journal {
        Some(path) => anyhow!("{error}; the trials before it are kept in {}", path.display()),
        None => error.into(),
    }
}

fn interrupted(stop: &Stop) -> ExitCode {
    ExitCode::from(stop.signal().unwrap_or(Signal::Interrupt).exit_code())
}

/// That of a search with a winner is 0; of one without, that of a training that has diverged if a trial has.
fn exit_code(record: &SearchRecord, stop: &Stop) -> anyhow::Result<ExitCode> {
    if record.incomplete {
        return Ok(interrupted(stop));
    }
    if record.winner().is_some() {
        return Ok(ExitCode::SUCCESS);
    }
    if record.count(TrialState::Diverged) > 0 {
        say("error", &"no trial has come to its end: all have diverged or failed");
        return Ok(ExitCode::from(super::shared::DIVERGED));
    }
    let reason = record.trials.iter().find_map(|trial| trial.reason.clone()).unwrap_or_default();
    Err(anyhow!("no trial could be trained: {reason}"))
}

/// Shows what is being trained, and prints what is done.
struct Shown {
    line: Spinner,
    scored_by: ScoredBy,
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

    fn say(&self, done: SearchProgress) {
        let best = done
            .best
            .map_or(String::new(), |score| format!(", best {}", tables::named(self.scored_by, score)));
        self.line.say(&format!("{} of {} done{best}", done.done, counted(done.of, "training")));
    }
}

impl SearchWatcher for Shown {
    fn begin(&mut self, done: SearchProgress) {
        if done.done > 0 {
            self.print(&format!("going on after {}\n", counted(done.done, "training")));
        }
        self.say(done);
    }

    fn trial(&mut self, done: SearchProgress, trial: &TrialRecord) {
        self.print(&tables::trial_line(self.scored_by, done, trial));
        self.say(done);
    }
}
