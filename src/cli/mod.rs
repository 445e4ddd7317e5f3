//! The command line.

mod bench;
mod calibrate;
pub mod data;
mod eval;
mod export;
mod generate;
pub mod images;
mod import;
mod kernel;
mod layers;
mod losses;
mod optimizers;
mod output;
mod partial;
mod predict;
mod profile;
mod recipes;
mod report;
mod reproduce;
mod resumed;
mod search;
mod shared;
mod signals;
mod tour;
mod train;
mod values;

use shared::{DIVERGED, say};
use std::io::{ErrorKind, Write};
use std::path::Path;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::Error;
use crate::pipe::{self, Awaited};
use crate::report::markup::for_terminal;
use crate::report::terminal;
use crate::team::not_started;

/// The exit code of every failure, as of clap for wrong arguments.
const FAILURE: u8 = 2;

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
  fallline export mlp.safetensors --onnx mlp.onnx
  fallline calibrate                   what this machine can do
  fallline bench --out report          how fast it trains
  fallline profile mnist-mlp           where the time of a step goes
  fallline reproduce mnist-mlp-98      whether the accuracy is reached, over several seeds
  fallline tour --out tour             what gradient descent is, in ten cases with pictures

Whatever a command writes takes the place of a file of that name once it is whole; what the
command reads is never written over.
Every failure prints a line that starts with `error:` and exits with code 2; with code 4 if a
training has diverged, which is that it ends with a larger loss than it began with, or with none
that is finite.";

#[derive(Debug, Subcommand)]
enum Command {
    /// Train a network by a recipe.
    Train(train::TrainArguments),
    /// Measure a saved model on the test samples of its data set.
    Eval(eval::EvalArguments),
    /// Write text with a saved model of text, token by token.
    Generate(generate::GenerateArguments),
    /// Make a model of one of another program: an ONNX file, or PyTorch's parameters.
    Import(import::ImportArguments),
    /// Predict the rows of a table, or the classes of pictures, with a saved model.
    Predict(predict::PredictArguments),
    /// Write a saved model for other programs: ONNX, or a state dict of PyTorch.
    Export(export::ExportArguments),
    /// Train recipes from several seeds and compare their mean accuracy with its target.
    Reproduce(reproduce::ReproduceArguments),
    /// Search for the best settings of a recipe: grid, random, Hyperband, Parzen estimators; or a learning-rate test.
    Search(search::SearchArguments),
    /// Measure training throughput per update rule, batch size and threads.
    Bench(bench::BenchArguments),
    /// Show where the time of a training step goes, how much could be saved, and why.
    Profile(profile::ProfileArguments),
    /// Measure what this machine can do: arithmetic, memory, threads.
    Calibrate(calibrate::CalibrateArguments),
    /// Run ten short cases of gradient descent, each explained and with its pictures, on one page.
    Tour(tour::TourArguments),
    /// Make a page of charts from the results of training runs, or of a benchmark.
    Report(report::ReportArguments),
    /// List the built-in recipes, or show one.
    Recipes(recipes::RecipesArguments),
    /// List the update rules with their defaults, hyper-parameters and formulas.
    Optimizers(optimizers::OptimizersArguments),
    /// List the layers with their formulas, settings and what they take.
    Layers(layers::LayersArguments),
    /// List the losses with their formulas, hyper-parameters and targets.
    Losses(losses::LossesArguments),
    /// Download, check, describe, show and generate data sets.
    Data {
        #[command(subcommand)]
        command: data::DataCommand,
    },
}

/// Runs the program with the arguments of the process.
pub fn main() -> ExitCode {
    crate::tensor::heed_limits();
    pipe::on_waiting(tell_waiting);
    // Where a file may grow no further, writing it then fails and can be told, and the program goes on.
    #[cfg(unix)]
    signal_hook::flag::register(libc::SIGXFSZ, std::sync::Arc::default()).ok();
    let done = |()| ExitCode::SUCCESS;
    let arguments = parsed();
    if let Err(error) = signals::install() {
        return failed(&not_started("one that listens for signals", &error).into());
    }
    let result = match arguments.command {
        Command::Train(arguments) => train::run(arguments),
        Command::Eval(arguments) => eval::run(arguments).map(done),
        Command::Generate(arguments) => generate::run(arguments).map(done),
        Command::Import(arguments) => import::run(arguments).map(done),
        Command::Predict(arguments) => predict::run(arguments).map(done),
        Command::Export(arguments) => export::run(arguments).map(done),
        Command::Reproduce(arguments) => reproduce::run(arguments),
        Command::Search(arguments) => search::run(arguments),
        Command::Bench(arguments) => bench::run(arguments),
        Command::Profile(arguments) => profile::run(arguments),
        Command::Calibrate(arguments) => calibrate::run(arguments).map(done),
        Command::Tour(arguments) => tour::run(arguments),
        Command::Report(arguments) => report::run(arguments).map(done),
        Command::Recipes(arguments) => recipes::run(arguments).map(done),
        Command::Optimizers(arguments) => optimizers::run(arguments).map(done),
        Command::Layers(arguments) => layers::run(arguments).map(done),
        Command::Losses(arguments) => losses::run(arguments).map(done),
        Command::Data { command } => data::run(command).map(done),
    };
    match result {
        Ok(code) => code,
        // Whoever reads our output has seen enough, as in `fallline recipes | head -1`.
        Err(error) if is_closed_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => failed(&error),
    }
}

/// Says what has failed, and gives the exit code for it.
fn failed(error: &anyhow::Error) -> ExitCode {
    say("error", error);
    match error.downcast_ref::<Error>() {
        Some(Error::Diverged { .. }) => ExitCode::from(DIVERGED),
        _ => ExitCode::from(FAILURE),
    }
}

/// Says why nothing happens.
fn tell_waiting(path: &Path, awaited: Awaited) {
    let awaited = match awaited {
        Awaited::Reader => "reads this pipe",
        Awaited::Writer => "writes to this pipe",
    };
    writeln!(terminal::stderr(), "{}: waiting for a program that {awaited}", path.display()).ok();
}

/// The arguments of the process. Where they are wrong, or ask for help, the program ends here.
fn parsed() -> Arguments {
    Arguments::try_parse().unwrap_or_else(|error| {
        let text = error.render().to_string();
        if !error.use_stderr() || for_terminal(&text) == text {
            error.exit();
        }
        // An argument that is not understood may be the name of any file.
        terminal::stderr().write_all(text.as_bytes()).ok();
        std::process::exit(error.exit_code())
    })
}

fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error.downcast_ref::<std::io::Error>().is_some_and(|error| error.kind() == ErrorKind::BrokenPipe)
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
