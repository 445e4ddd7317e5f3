//! The options of train.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Args;

use crate::cli::optimizers;
use crate::train::Every;

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct TrainArguments {
    /// A built-in recipe (see `fallline recipes`), or the path of a recipe file that ends with .toml; or a table that ends
    /// with .csv, .tsv, .tab, .data or .txt, or one of these with .gz, or - for standard input: a recipe is made for it,
    /// and printed [default: digits-mlp].
    #[arg(value_name = "RECIPE|TABLE")]
    pub(super) recipe: Option<OsString>,
    /// The folder that holds the data set, or a folder named after it; no other is looked into [default:
    /// $FALLLINE_DATA alone, or else datasets/, then the user's cache folder].
    #[arg(long, value_name = "DIR")]
    pub(super) data: Option<PathBuf>,
    /// The column of a table that is to be predicted, by its name or its number, or several with commas between them
    /// [default: the recipe's, or the last column].
    #[arg(long, value_name = "COLUMN")]
    pub(super) target: Option<String>,
    /// Passes over the training samples [default: the recipe's].
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub(super) epochs: Option<u32>,
    /// Samples of one step, or all of them [default: the recipe's].
    #[arg(long, visible_alias = "batch-size", value_name = "N|all", allow_negative_numbers = true)]
    pub(super) batch: Option<String>,
    #[arg(long, value_name = "NAME", help = optimizers::help())]
    pub(super) optimizer: Option<String>,
    /// The learning rate [default: the recipe's].
    #[arg(long, value_name = "X", allow_negative_numbers = true)]
    pub(super) lr: Option<f64>,
    /// Begin with the parameters of this file, a saved model or any other safetensors file whose tensors have the same names
    /// and shapes, instead of drawing them. All have to fit, or it is said which do not. Without a recipe, train by that
    /// in the file.
    #[arg(long, value_name = "FILE", conflicts_with = "folds")]
    pub(super) init: Option<PathBuf>,
    /// Take what fits from the file of --init, draw the rest, and say what that is: for other classes, say.
    #[arg(long, requires = "init", conflicts_with = "folds")]
    pub(super) init_partial: bool,
    /// Leave the parameters of these layers as they are, with commas between them: by their names, which are printed
    /// before the training, ranges of their numbers such as 0..3, or all-but-last [default: the recipe's].
    #[arg(long, value_name = "LAYERS")]
    pub(super) freeze: Option<String>,
    /// How the learning rate changes: constant, step, multi-step, exponential, inverse-time, polynomial,
    /// linear, cosine, cosine-restarts, one-cycle or plateau [default: the recipe's]. Another one than the
    /// recipe's starts from its own defaults, over the whole run.
    #[arg(long, value_name = "NAME")]
    pub(super) schedule: Option<String>,
    /// The seed of initial weights and of the order of samples [default: the recipe's]. The same seed
    /// gives the same network, bit by bit, on any number of threads.
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    #[arg(value_parser = clap::value_parser!(i64).range(0..))]
    pub(super) seed: Option<i64>,
    /// Set training samples aside and try the model on them after each epoch: so many, or as a number
    /// with a point that part of them [default: the recipe's].
    #[arg(long, value_name = "N|PART", allow_negative_numbers = true)]
    pub(super) validation: Option<String>,
    /// End the training after so many epochs without a lower validation loss, and take the parameters
    /// of the best epoch [default: the recipe's].
    #[arg(long, value_name = "EPOCHS", allow_negative_numbers = true)]
    pub(super) patience: Option<u32>,
    /// Cross-validation: train so many models, each on the training samples without one of so many
    /// parts, try it on that part, and print mean and standard deviation.
    #[arg(long, value_name = "K", allow_negative_numbers = true)]
    #[arg(conflicts_with_all = ["save", "report", "tensorboard"])]
    pub(super) folds: Option<usize>,
    /// Threads to train with [default: the cores that this process may use].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub(super) threads: Option<u16>,
    /// Replace any value of the recipe, such as optimizer.beta1=0.8 or model.layers.0.units=64; may be
    /// given many times.
    #[arg(long, value_name = "KEY=VALUE")]
    pub(super) set: Vec<String>,
    /// Save the trained model to this file (safetensors). A file of this name is replaced once the new
    /// one is whole; nothing that is read is written over. If that fails in the end, the model goes to
    /// another file, which is named.
    #[arg(long, value_name = "FILE")]
    pub(super) save: Option<PathBuf>,
    /// Write the results to this file as JSON; the same holds for it.
    #[arg(long, value_name = "FILE")]
    pub(super) json: Option<PathBuf>,
    /// Write a report into this folder, made if it is not there: run.json, report.html, and each chart
    /// as SVG and PNG. Files of these names are replaced. It holds what --json holds, and which classes
    /// are taken for which, with the worst mistakes; that takes another test.
    #[arg(long, value_name = "DIR")]
    pub(super) report: Option<PathBuf>,
    /// Write event files for TensorBoard into this folder, made if it is not there. Each run has a new
    /// folder in it, named after recipe, optimizer and seed: mnist-mlp-adam-seed1, the next such run
    /// mnist-mlp-adam-seed1-2. Watch them with `tensorboard --logdir DIR`.
    #[arg(long, value_name = "DIR")]
    pub(super) tensorboard: Option<PathBuf>,
    /// Keep the state of the training in this folder, made if it is not there, so that it can go on after an
    /// interruption as if there had been none; one that holds checkpoints already is refused.
    #[arg(long, value_name = "DIR", group = "kept", conflicts_with = "folds")]
    pub(super) checkpoint: Option<PathBuf>,
    /// Go on from the newest checkpoint in this folder, and go on writing them there: as recorded, or with the
    /// recipe and options of the first command. With a recipe it begins anew if there is none.
    #[arg(long, value_name = "DIR", group = "kept", conflicts_with = "folds")]
    pub(super) resume: Option<PathBuf>,
    /// Write a checkpoint so often, such as 10min, 500steps or 1epoch, besides at the beginning and the end, and
    /// when the training is interrupted [default: 1epoch]. Each is as large as the parameters and what the optimizer
    /// keeps of them: where epochs are short, a time is better.
    #[arg(
        long,
        value_name = "LENGTH",
        requires = "kept",
        conflicts_with = "folds",
        allow_negative_numbers = true
    )]
    pub(super) checkpoint_every: Option<Every>,
    /// Keep so many of the newest checkpoints [default: 2].
    #[arg(long, value_name = "N", requires = "kept", conflicts_with = "folds")]
    #[arg(value_parser = clap::value_parser!(u16).range(1..))]
    pub(super) keep: Option<u16>,
    /// Begin with what Adam, AdamW or SGD have kept of the parameters in another training, and count its steps on: a state dict
    /// that has it, of scripts/pt_to_safetensors.py --optimizer or of `fallline export` of a checkpoint.
    #[arg(long, value_name = "FILE", conflicts_with = "folds")]
    pub(super) init_optimizer: Option<PathBuf>,
    /// Exit with code 0 from a training that diverges, too. It is said all the same.
    #[arg(long)]
    pub(super) allow_divergence: bool,
    /// Print the final result only.
    #[arg(long, short)]
    pub(super) quiet: bool,
}

pub(super) const EXAMPLES: &str = "\
Examples:
  fallline train
  fallline train mnist-mlp --epochs 5 --save mlp.safetensors --json mlp.json
  fallline train mnist-mlp --optimizer momentum --lr 0.02 --set optimizer.momentum=0.95
  fallline train mnist-mlp --schedule cosine --set schedule.warmup_epochs=1
  fallline train my-recipe.toml --data my-data
  fallline train houses.csv --target price --save houses.safetensors
  fallline train adult-train.csv --set data.test_file=adult-test.csv
  fallline train mnist-mlp --validation 0.1 --patience 3 --epochs 100
  fallline train mnist-mlp --set stop.accuracy=0.97 --set gradient.clip_norm=1
  fallline train mnist-mlp --set gradient.clip_adaptive=0.01 --set constraint.max_norm=3
  fallline train mnist-mlp --set average.method=ema --set lookahead.steps=5
  fallline train mnist-mlp --folds 5 --json folds.json
  fallline train mnist-mlp --report mlp-report --tensorboard runs
  fallline train mnist-mlp --set data.set=fashion-mnist --init mlp.safetensors --freeze all-but-last
  fallline train letters.toml --init cnn.safetensors --init-partial --freeze 0..3 --lr 1e-4
  fallline train mnist-cnn --checkpoint kept --checkpoint-every 10min --save cnn.safetensors
  fallline train --resume kept

Ctrl-C ends the training after the step under way; the model is still saved and tested, the
results are written, and the exit code is 0. A second Ctrl-C ends the program at once, with code
130. SIGTERM and SIGHUP do the same; the codes are then 143 and 129. With --folds, Ctrl-C drops
the fold under way; those that are done are in FILE.partial of --json FILE, and the code is 130.
With --checkpoint or --resume the state is kept first, and the training goes on with --resume.

A training has diverged if its last training loss is not finite, or above that of its first step
by more than chance explains (docs/training.md). The model is saved and the results are written,
unless parameters are no longer finite; the exit code is 4, or 0 with --allow-divergence.";
