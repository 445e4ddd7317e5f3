//! The options of search.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Args;

use crate::cli::values::{positive, threads};

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct SearchArguments {
    /// A built-in recipe (see `fallline recipes`), the path of a recipe file that ends with .toml, or a table, as for
    /// `fallline train`.
    #[arg(value_name = "RECIPE|TABLE", default_value = "digits-mlp")]
    pub(super) recipe: OsString,
    /// How trials are chosen: grid, random, halving, hyperband or tpe; or range-test, which is one short training whose
    /// learning rate rises from step to step [default: random].
    #[arg(long, value_name = "NAME")]
    pub(super) method: Option<String>,
    /// A key of the recipe and what it may be: LOW..HIGH, evenly or, with :log behind it, by logarithms; with :N behind it N
    /// points of the range; or VALUE,VALUE. May be given many times [default: the learning rate from a hundredth of the
    /// recipe's to a hundred times that].
    #[arg(long, value_name = "KEY=RANGE")]
    pub(super) over: Vec<String>,
    /// How many trials there are [default: 30]. halving and hyperband spend the epochs of N whole trainings; a grid has as
    /// many trials as points; a range test has N steps [default: 300].
    #[arg(long, value_name = "N", value_parser = positive, allow_negative_numbers = true)]
    pub(super) trials: Option<usize>,
    /// The seed of the choice of values [default: 1]. All trainings have the recipe's seed.
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub(super) seed: Option<u64>,
    /// The folder that holds the data set, or a folder named after it; no other is looked into [default:
    /// $FALLLINE_DATA alone, or else datasets/, then the user's cache folder].
    #[arg(long, value_name = "DIR")]
    pub(super) data: Option<PathBuf>,
    /// The column of a table that is to be predicted, by its name or its number, or several with commas between them
    /// [default: the recipe's, or the last column].
    #[arg(long, value_name = "COLUMN")]
    pub(super) target: Option<String>,
    /// Replace any value of the recipe, such as data.validation=0.2; may be given many times.
    #[arg(long, value_name = "KEY=VALUE")]
    pub(super) set: Vec<String>,
    /// Passes over the training samples of a whole training [default: the recipe's].
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub(super) epochs: Option<u32>,
    /// Try each trial on K folds, in place of one part of the training samples.
    #[arg(long, value_name = "K", value_parser = positive, allow_negative_numbers = true)]
    pub(super) folds: Option<usize>,
    /// Threads, each of which trains a trial of its own [default: the cores that this process may use]. They change
    /// times, and no bit of any result.
    #[arg(long, value_name = "N", value_parser = threads, allow_negative_numbers = true)]
    pub(super) threads: Option<usize>,
    /// Write the results to this file as JSON when all trials are done. Until then each trial that is done goes to
    /// FILE.trials.jsonl, unless --out is given.
    #[arg(long, value_name = "FILE")]
    pub(super) json: Option<PathBuf>,
    /// Write search.json, report.html, each chart as SVG and PNG, and the winner as a recipe, best.toml, into this folder;
    /// and each trial into trials.jsonl as soon as it is done.
    #[arg(long, value_name = "DIR")]
    pub(super) out: Option<PathBuf>,
    /// Go on with a search that was interrupted: trials that are on the disk are not trained again, and the result is that
    /// of a search that was not. All other options that decide the trials must be the same.
    #[arg(long)]
    pub(super) resume: bool,
}

const EXAMPLES: &str = "\
Examples:
  fallline search
  fallline search mnist-mlp --over optimizer.learning_rate=1e-4..1e-1:log \\
      --over train.batch=32,64,128
  fallline search mnist-mlp --method tpe --trials 40 --over optimizer.learning_rate=1e-4..1e-1:log \\
      --over model.layers.0.units=32..512:log --over gradient.l1=1e-7..1e-3:log --out search
  fallline search --method hyperband --epochs 27 --trials 20 --out search
  fallline search --method grid --over optimizer.name=adam,sgd \\
      --over optimizer.learning_rate=1e-3..1e-1:log:5
  fallline search houses.csv --target price --folds 5 --out search
  fallline search mnist-lenet5 --method range-test --out rates
  fallline train search/best.toml

Each trial is trained on a part of the training samples and tried on the rest: a tenth of them, or
as many as data.validation says, or K folds. Test samples are never looked at. The score is the
accuracy, or R² where targets are values.

Exit codes: 0 if a trial has come to its end, 2 if something failed, 4 if none has and some have
diverged. Ctrl-C drops the trials under way; those that are done are kept, and the code is 130 (143
for SIGTERM, 129 for SIGHUP).";
