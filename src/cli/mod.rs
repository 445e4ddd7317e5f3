//! The command line.

mod bench;
mod calibrate;
pub mod data;
mod eval;
mod images;
mod optimizers;
mod output;
mod partial;
mod predict;
mod recipes;
mod report;
mod reproduce;
mod train;

use std::io::{ErrorKind, Write};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::{Parser, Subcommand};

use crate::atomic_file;
use crate::pipe::{self, Awaited};
use crate::report::markup::for_terminal;

/// The exit code of every failure, as of clap for wrong arguments.
const FAILURE: u8 = 2;

/// The exit code after a second Ctrl-C: 128 + SIGINT, as shells have it.
const KILLED: i32 = 130;

/// Trains neural networks by gradient descent on multicore CPUs, close to the speed of the hardware.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100, after_help = EXAMPLES)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "\
Examples:
  fallline train                       train on generated digits; needs no download
  fallline recipes                     list what can be trained
  fallline data download mnist         fetch MNIST
  fallline train mnist-mlp --save mlp.safetensors
  fallline eval --model mlp.safetensors
  fallline predict --model mlp.safetensors --draw digit.png
  fallline calibrate                   what this machine can do
  fallline bench --out report          how fast it trains
  fallline reproduce mnist-mlp-98      whether the accuracy is reached, over several seeds

Whatever a command writes takes the place of a file of that name once it is whole; what the command
reads is never written over.
Every failure prints a line that starts with `error:` and exits with code 2.";

#[derive(Debug, Subcommand)]
enum Command {
    /// Train a network by a recipe.
    Train(train::TrainArguments),
    /// Measure a saved model on the test samples of its data set.
    Eval(eval::EvalArguments),
    /// Classify pictures with a saved model.
    Predict(predict::PredictArguments),
    /// Train recipes from several seeds and compare their mean accuracy with its target.
    Reproduce(reproduce::ReproduceArguments),
    /// Measure training throughput per update rule, batch size and threads.
    Bench(bench::BenchArguments),
    /// Measure what this machine can do: arithmetic, memory, threads.
    Calibrate(calibrate::CalibrateArguments),
    /// Make a page of charts from the results of training runs, or of a benchmark.
    Report(report::ReportArguments),
    /// List the built-in recipes, or show one.
    Recipes(recipes::RecipesArguments),
    /// List the update rules with their defaults, hyper-parameters and formulas.
    Optimizers(optimizers::OptimizersArguments),
    /// Download, check, describe, show and generate data sets.
    Data {
        #[command(subcommand)]
        command: data::DataCommand,
    },
}

/// Runs the program with the arguments of the process.
pub fn main() -> ExitCode {
    pipe::on_waiting(tell_waiting);
    // Where a file may grow no further, writing it then fails and can be told, and the program goes on.
    #[cfg(unix)]
    signal_hook::flag::register(libc::SIGXFSZ, Arc::default()).ok();
    let done = |()| ExitCode::SUCCESS;
    let result = match Arguments::parse().command {
        Command::Train(arguments) => train::run(arguments).map(done),
        Command::Eval(arguments) => eval::run(arguments).map(done),
        Command::Predict(arguments) => predict::run(arguments).map(done),
        Command::Reproduce(arguments) => reproduce::run(arguments),
        Command::Bench(arguments) => bench::run(arguments),
        Command::Calibrate(arguments) => calibrate::run(arguments).map(done),
        Command::Report(arguments) => report::run(arguments).map(done),
        Command::Recipes(arguments) => recipes::run(arguments).map(done),
        Command::Optimizers(arguments) => optimizers::run(arguments).map(done),
        Command::Data { command } => data::run(command).map(done),
    };
    match result {
        Ok(code) => code,
        // Whoever reads our output has seen enough, as in `fallline recipes | head -1`.
        Err(error) if is_closed_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            // Unlike `eprintln!`, this does not panic where standard error is closed or full.
            // Names in it may come from foreign files.
            writeln!(std::io::stderr(), "error: {}", for_terminal(&error.to_string())).ok();
            ExitCode::from(FAILURE)
        }
    }
}

/// Says why nothing happens.
fn tell_waiting(path: &Path, awaited: Awaited) {
    let awaited = match awaited {
        Awaited::Reader => "reads this pipe",
        Awaited::Writer => "writes to this pipe",
    };
    let text = format!("{}: waiting for a program that {awaited}", path.display());
    writeln!(std::io::stderr(), "{}", for_terminal(&text)).ok();
}

fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error.downcast_ref::<std::io::Error>().is_some_and(|error| error.kind() == ErrorKind::BrokenPipe)
}

/// Columns of a terminal that nothing is known of.
const COLUMNS: usize = 80;

/// The columns of the terminal that standard output goes to.
fn columns() -> usize {
    console::Term::stdout().size_checked().map_or(COLUMNS, |(_, columns)| usize::from(columns))
}

/// A flag that the first Ctrl-C (or a request to terminate) sets; the second one ends the process.
fn stop_on_ctrl_c() -> Result<Arc<AtomicBool>, ctrlc::Error> {
    let stop = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&stop);
    pipe::give_up_when(Arc::clone(&stop));
    ctrlc::set_handler(move || {
        if flag.swap(true, Ordering::Relaxed) {
            atomic_file::remove_temporaries();
            std::process::exit(KILLED);
        }
    })?;
    Ok(stop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_arguments_are_consistent() {
        Arguments::command().debug_assert();
    }
}
