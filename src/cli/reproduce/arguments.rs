//! The options of reproduce.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::Args;

use crate::cli::values::{threads, whole};
use crate::model::recipe::MOST_SEEDS;
use crate::train::Every;

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct ReproduceArguments {
    /// Built-in recipes (see `fallline recipes`), or paths of recipe files that end with .toml.
    #[arg(value_name = "RECIPE")]
    pub(super) recipes: Vec<OsString>,
    /// All built-in recipes.
    #[arg(long, conflicts_with = "recipes")]
    pub(super) all: bool,
    /// Trainings of each recipe, the first from the recipe's seed, the next from that plus 1, and so on
    /// [default: the recipe's reproduce.seeds].
    #[arg(long, value_name = "N", value_parser = seeds, allow_negative_numbers = true)]
    pub(super) seeds: Option<usize>,
    /// Time to accuracy: end each training after the epoch whose accuracy on validation samples is at
    /// least X, a fraction of 1. They are the recipe's own or a tenth of the training samples, never test
    /// samples. The target is then that all seeds come to it.
    #[arg(long, value_name = "X", value_parser = accuracy, allow_negative_numbers = true)]
    pub(super) until_accuracy: Option<f64>,
    /// The folder that holds the data sets; no other is looked into [default: $FALLLINE_DATA alone, or
    /// else datasets/, then the user's cache folder].
    #[arg(long, value_name = "DIR")]
    pub(super) data: Option<PathBuf>,
    /// Threads to train with [default: the cores that this process may use]. They change times, and no
    /// bit of any result.
    #[arg(long, value_name = "N", value_parser = threads, allow_negative_numbers = true)]
    pub(super) threads: Option<usize>,
    /// Replace any value of all these recipes, such as train.epochs=1 or target=0.95; may be given many
    /// times.
    #[arg(long, value_name = "KEY=VALUE")]
    pub(super) set: Vec<String>,
    /// Keep what is done, and the state of the training under way, in this folder, made if it is not there, so that the
    /// reproduction can go on after an interruption as if there had been none; one that holds trainings already is refused.
    #[arg(long, value_name = "DIR", group = "kept")]
    pub(super) checkpoint: Option<PathBuf>,
    /// Go on with what is kept in this folder, and go on keeping it there: as recorded, or with the recipes and options
    /// of the first command; --seeds may be larger. With recipes it begins anew if there is nothing.
    #[arg(long, value_name = "DIR", group = "kept")]
    pub(super) resume: Option<PathBuf>,
    /// Write a checkpoint of the training under way so often, such as 10min, 500steps or 1epoch, besides at its beginning
    /// and when it is interrupted [default: 1epoch]. It is removed when the training is done.
    #[arg(long, value_name = "LENGTH", requires = "kept", allow_negative_numbers = true)]
    pub(super) checkpoint_every: Option<Every>,
    /// Keep so many of the newest checkpoints of the training under way [default: 2].
    #[arg(long, value_name = "N", requires = "kept", value_parser = clap::value_parser!(u16).range(1..))]
    pub(super) keep: Option<u16>,
    /// Do not fail because of trainings that diverge. They are named all the same, and they count.
    #[arg(long)]
    pub(super) allow_divergence: bool,
    /// Write the results to this file as JSON. It is replaced when all trainings are done; until then,
    /// after each of them, what there is goes to FILE.partial.
    #[arg(long, value_name = "FILE")]
    pub(super) json: Option<PathBuf>,
    /// Write report.html, reproduce.json and each chart as SVG and PNG into this folder. Files of these
    /// names are replaced when all trainings are done.
    #[arg(long, value_name = "DIR")]
    pub(super) out: Option<PathBuf>,
}

pub(super) const EXAMPLES: &str = "\
Examples:
  fallline reproduce mnist-mlp-98
  fallline reproduce mnist-softmax mnist-mlp --seeds 3 --out report
  fallline reproduce --all --json all.json
  fallline reproduce my-recipe.toml --data my-data --set target=0.9
  fallline reproduce mnist-mlp --until-accuracy 0.97
  fallline reproduce mnist-cnn --seeds 10 --checkpoint kept --checkpoint-every 10min --out report
  fallline reproduce --resume kept

Each network is tested once, when its training has ended; nothing is chosen by the test samples.
The mean of all seeds is compared with the recipe's `target`. Training time is that of the epochs,
without loading, testing and validation.

Exit codes: 0 if all targets are met, 1 if one is missed, 2 if something failed, 4 if a training
has diverged and --allow-divergence is not given. Ctrl-C keeps the trainings that are done in
FILE.partial (reproduce.json.partial in DIR) and says what is missing; results of an earlier
command stay as they are. The exit code is then 4 or 1 as before, and else 130 (143 for SIGTERM,
129 for SIGHUP). With --checkpoint or --resume the state of the training under way is kept too, and
--resume goes on from there.";

impl ReproduceArguments {
    /// The folder in which the trainings are kept, if they are.
    pub(super) fn place(&self) -> Option<&Path> {
        self.resume.as_deref().or(self.checkpoint.as_deref())
    }
}

fn seeds(text: &str) -> std::result::Result<usize, String> {
    whole(text, MOST_SEEDS)
}

fn accuracy(text: &str) -> std::result::Result<f64, String> {
    let part = text.parse().ok().filter(|&part| 0.0 < part && part <= 1.0);
    part.ok_or_else(|| "expected a fraction of 1, above 0 and at most 1, such as 0.97".into())
}
