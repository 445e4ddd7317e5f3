//! `fallline bench --kernel`: one kernel of a network by itself.

use std::ffi::{OsStr, OsString};
use std::process::ExitCode;
use std::time::Duration;

use super::bench::arguments::BenchArguments;
use super::signals;
use crate::bench::profile::kernel::{self, Request};
use crate::error::Error;
use crate::model::Recipe;
use crate::model::recipe::Override;
use crate::report::kernels as tables;
use crate::report::progress::Spinner;
use crate::report::terminal;
use crate::train::machine;

/// Measuring time of a kernel, if nothing is said.
const TIME: Duration = Duration::from_millis(600);

/// What is still done after the first signal.
const STOPPING: &str = "the kernels that are measured are shown";

/// The name that asks which kernels there are, and that of all of them.
const LIST: &str = "list";
const ALL: &str = "all";

pub fn run(arguments: &BenchArguments, wanted: &str) -> anyhow::Result<ExitCode> {
    let request = Request {
        recipe: recipe(arguments)?,
        data_dir: arguments.data.clone(),
        threads: single("--threads", &arguments.threads)?.copied().unwrap_or_else(machine::usable_cores),
        time: arguments.seconds.map_or(TIME, Duration::from_secs_f64),
    };
    if wanted == LIST {
        terminal::print_coloured(&tables::list(&kernel::list(&request)?))?;
        return Ok(ExitCode::SUCCESS);
    }
    let line = Spinner::new();
    let stop = signals::listen(line.line(), STOPPING);
    let wanted = Some(wanted).filter(|&wanted| wanted != ALL);
    let kernels = kernel::run(&request, wanted, stop.flag(), &mut |what| line.say(what));
    line.finish();
    terminal::print_coloured(&tables::table(&kernels?))?;
    Ok(ExitCode::SUCCESS)
}

/// The one recipe, with what the arguments say instead.
fn recipe(arguments: &BenchArguments) -> crate::Result<Recipe> {
    let name = single("RECIPE", &arguments.recipes)?.map_or(OsStr::new("digits-mlp"), OsString::as_os_str);
    let mut overrides: Vec<Override> = Vec::new();
    if let Some(name) = single("--optimizer", &arguments.optimizer)? {
        overrides.push(Override::new("optimizer.name", name.as_str()));
    }
    if let Some(&batch) = single("--batch", &arguments.batch)? {
        overrides.push(Override::new("train.batch", i64::try_from(batch).unwrap_or(i64::MAX)));
    }
    for text in &arguments.set {
        overrides.push(text.parse()?);
    }
    Recipe::load(name, &overrides)
}

/// The only value of an option, if there is one.
fn single<'a, T>(option: &str, values: &'a [T]) -> crate::Result<Option<&'a T>> {
    match values {
        [] => Ok(None),
        [value] => Ok(Some(value)),
        more => Err(Error::Setting {
            place: "command line".into(),
            key: option.into(),
            expected: "one with --kernel".into(),
            found: more.len().to_string(),
        }),
    }
}
