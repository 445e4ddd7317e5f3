//! `fallline calibrate`

use std::path::PathBuf;

use clap::Args;

use super::output::Outputs;
use crate::bench::calibrate;
use crate::report::progress::Spinner;
use crate::report::{calibration, json, terminal};
use crate::train::machine::usable_cores;

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct CalibrateArguments {
    /// Measure with up to so many threads [default: the cores that this process may use].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    threads: Option<u16>,
    /// Write the results to this file as JSON; a file of this name is replaced.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

const EXAMPLES: &str = "\
Examples:
  fallline calibrate
  fallline calibrate --json machine.json
  fallline calibrate --threads 1

Close other programs first; what disturbs the measurements is told at the end. Without --threads,
the results are kept in the user's cache folder for `fallline bench`.";

pub fn run(arguments: CalibrateArguments) -> anyhow::Result<()> {
    Outputs::files(&arguments.json).check(calibrate::cached_at().as_deref())?;
    let threads = arguments.threads.map_or_else(usable_cores, usize::from);
    let spinner = Spinner::new();
    super::signals::show(spinner.line());
    let measured = calibrate::run(threads, &mut |what| spinner.say(what));
    spinner.finish();
    let measured = measured?;

    let mut text = calibration::text(&measured);
    let written = arguments.json.as_deref().map_or(Ok(()), |path| json::write(path, &measured));
    if let (Some(path), Ok(())) = (&arguments.json, &written) {
        text += &format!("\nwrote {}\n", path.display());
    }
    // With another number of threads it is somebody's look at a part of the machine.
    if arguments.threads.is_none() {
        match calibrate::store(&measured) {
            Ok(path) => text += &format!("\nkept in {}\n", path.display()),
            // What was asked for is there all the same.
            Err(error) => text += &format!("\nwarning: not kept for later: {error}\n"),
        }
    }
    let printed = terminal::print(&text);
    written?;
    Ok(printed?)
}
