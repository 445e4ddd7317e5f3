//! The options of bench.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::cli::values::{positive, seconds, threads, tolerance};

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct BenchArguments {
    /// Built-in recipes (see `fallline recipes`), or paths of recipe files that end with .toml
    /// [default: the suite's].
    #[arg(value_name = "RECIPE")]
    pub(in crate::cli) recipes: Vec<OsString>,
    /// Update rules, such as sgd,adam; all that `fallline optimizers` lists [default: the suite's; with
    /// RECIPE, the recipe's own].
    #[arg(long, value_name = "NAME,...", value_delimiter = ',')]
    pub(in crate::cli) optimizer: Vec<String>,
    /// Samples of a step, such as 16,256 [default: the suite's].
    #[arg(long, value_name = "N,...", value_delimiter = ',', value_parser = positive, allow_negative_numbers = true)]
    pub(in crate::cli) batch: Vec<usize>,
    /// Numbers of threads, such as 1,2 [default: 1 and the cores that this process may use; the full
    /// suite takes the powers of two between them, too].
    #[arg(long, value_name = "N,...", value_delimiter = ',', value_parser = threads, allow_negative_numbers = true)]
    pub(in crate::cli) threads: Vec<usize>,
    /// The numbers that products work on.
    #[arg(long, value_name = "NAME,...", value_delimiter = ',', default_value = "f32")]
    precision: Vec<Precision>,
    /// What to run if nothing else is said: one network, or three sizes of them.
    #[arg(long, value_name = "NAME", default_value = "quick")]
    pub(super) suite: SuiteName,
    /// Measuring time of each case, in seconds [default: the suite's, 1.2 or 3].
    #[arg(long, value_name = "S", value_parser = seconds, allow_negative_numbers = true)]
    pub(in crate::cli) seconds: Option<f64>,
    /// The folder that holds the data sets; no other is looked into [default: $FALLLINE_DATA alone, or
    /// else datasets/, then the user's cache folder; generated digits stand in for what is in neither of
    /// these two].
    #[arg(long, value_name = "DIR")]
    pub(in crate::cli) data: Option<PathBuf>,
    /// Write report.html, bench.json, cases.csv and each chart as SVG and PNG into this folder. Files of
    /// these names are replaced when the benchmark is done.
    #[arg(long, value_name = "DIR")]
    pub(super) out: Option<PathBuf>,
    /// Write the results to this file as JSON. It is replaced when they are whole; until then they are
    /// kept in FILE.partial.
    #[arg(long, value_name = "FILE")]
    pub(super) json: Option<PathBuf>,
    /// Write the results to this file as CSV, one line for each case. It is replaced when they are whole.
    #[arg(long, value_name = "FILE")]
    pub(super) csv: Option<PathBuf>,
    /// Run other frameworks beside each case: pytorch (all of its kinds), pytorch-eager,
    /// pytorch-channels-last (the same for images, in another layout), pytorch-compile, jax (not for
    /// networks of images, but for those of sequences). They need the Python that $FALLLINE_PEERS_PYTHON names, or that
    /// scripts/peers/setup has put into .venv; what is missing is noted and left out.
    #[arg(long, value_name = "NAME,...")]
    pub(super) compare: Option<String>,
    /// Go on with the results that an interrupted run has left beside --json or in --out: those in
    /// FILE.partial, or else in FILE. Cases that have all runs are not measured again. Results of another
    /// machine, version, choice or recipe are refused with what is different.
    #[arg(long)]
    pub(super) resume: bool,
    /// Compare with the results in this JSON file, case by case. Compared are fractions of the peak, so
    /// that a clock which has changed since then counts for nothing.
    #[arg(long, value_name = "FILE")]
    pub(super) baseline: Option<PathBuf>,
    /// Run one kernel of a network by itself, on its real shapes, warm and cold, against its roof: an operation
    /// of a layer, such as '0 weight-gradient'; `all` of them one by one; or `list` them.
    #[arg(long, value_name = "KERNEL", conflicts_with_all = ["suite", "out", "json", "csv", "compare", "resume", "baseline"])]
    pub(super) kernel: Option<String>,
    /// With --kernel: replace any value of the recipe, such as model.layers.0.units=64; may be given many
    /// times.
    #[arg(long, value_name = "KEY=VALUE", requires = "kernel")]
    pub(in crate::cli) set: Vec<String>,
    /// The part of the baseline's throughput that a case may lose or win and count as the same.
    #[arg(long, value_name = "X", default_value = "0.05", value_parser = tolerance, allow_negative_numbers = true)]
    pub(super) tolerance: f64,
}

pub(super) const EXAMPLES: &str = "\
Examples:
  fallline bench --out report
  fallline bench mnist-mlp-512 --optimizer sgd,adam --batch 64,1024 --threads 1,2
  fallline bench --suite full --out report --json full.json
  fallline bench --json full.json --suite full --resume
  fallline bench --batch 64,1024 --optimizer adam --threads 2 --compare pytorch,jax
  fallline bench mnist-lenet5 mnist-fast99 --threads 2 --compare pytorch
  fallline bench chars-transformer --threads 2 --compare pytorch,jax
  fallline bench --baseline before.json
  fallline bench mnist-mlp --batch 64 --kernel list
  fallline bench mnist-mlp --batch 64 --kernel '0 weight-gradient'

All cases run in turn, again and again, so that the machine's moods meet them all. Quoted are
medians and their 95 % bootstrap intervals. The fraction of the peak is that of the f32
multiply-adds that the same threads did in registers just before each run. Nothing else should run
meanwhile.

Ctrl-C (or SIGTERM, SIGHUP) ends the benchmark after the run under way. What it has measured is
kept in FILE.partial (bench.json.partial in DIR) for --resume, which goes on after the last round in
which all cases (with --compare, the same case of all frameworks) were run in turn; results of an earlier benchmark
stay until those of this one are whole. Nothing that is read is written over. The exit code is 3
if --baseline has found a case, or all of them together, to be slower than --tolerance allows,
with 95 % confidence.";

#[derive(Clone, Copy, Debug, PartialEq, ValueEnum)]
pub(super) enum SuiteName {
    Quick,
    Full,
}

#[derive(Clone, Copy, Debug, PartialEq, ValueEnum)]
pub(super) enum Precision {
    F32,
}
