//! `fallline train`

mod folds;
mod outcomes;
mod watchers;

use std::ffi::OsString;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;

use outcomes::Outcomes;
use watchers::Watchers;

use super::output::{self, Outputs};
use super::partial::Growing;
use super::signals;

use crate::data::{DataSet, Origin};
use crate::model::recipe::{AverageMethod, Override, TrainConfig, check_samples};
use crate::model::{Model, Recipe};
use crate::optim::schedule::Schedule;
use crate::report::numbers::{counted, duration, loss, percent, shape, thousands};
use crate::report::tensorboard::EventWriter;
use crate::report::{json, progress::TerminalObserver, run, summary, terminal};
use crate::team::Team;
use crate::train::{self, Ending, TrainRecord, dataset, machine};
use crate::{Error, Result};

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct TrainArguments {
    /// A built-in recipe (see `fallline recipes`), or the path of a recipe file that ends with .toml.
    #[arg(value_name = "RECIPE", default_value = "digits-mlp")]
    recipe: OsString,
    /// The folder that holds the data set, or a folder named after it; no other is looked into [default:
    /// $FALLLINE_DATA alone, or else datasets/, then the user's cache folder].
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Passes over the training samples [default: the recipe's].
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    epochs: Option<u32>,
    /// Samples of one step, or all of them [default: the recipe's].
    #[arg(long, visible_alias = "batch-size", value_name = "N|all", allow_negative_numbers = true)]
    batch: Option<String>,
    #[arg(long, value_name = "NAME", help = super::optimizers::help())]
    optimizer: Option<String>,
    /// The learning rate [default: the recipe's].
    #[arg(long, value_name = "X", allow_negative_numbers = true)]
    lr: Option<f64>,
    /// How the learning rate changes: constant, step, multi-step, exponential, inverse-time, polynomial,
    /// linear, cosine, cosine-restarts, one-cycle or plateau [default: the recipe's]. Another one than the
    /// recipe's starts from its own defaults, over the whole run.
    #[arg(long, value_name = "NAME")]
    schedule: Option<String>,
    /// The seed of initial weights and of the order of samples [default: the recipe's]. The same seed
    /// gives the same network, bit by bit, on any number of threads.
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    #[arg(value_parser = clap::value_parser!(i64).range(0..))]
    seed: Option<i64>,
    /// Set training samples aside and try the model on them after each epoch: so many, or as a number
    /// with a point that part of them [default: the recipe's].
    #[arg(long, value_name = "N|PART", allow_negative_numbers = true)]
    validation: Option<String>,
    /// End the training after so many epochs without a lower validation loss, and take the parameters
    /// of the best epoch [default: the recipe's].
    #[arg(long, value_name = "EPOCHS", allow_negative_numbers = true)]
    patience: Option<u32>,
    /// Cross-validation: train so many models, each on the training samples without one of so many
    /// parts, try it on that part, and print mean and standard deviation.
    #[arg(long, value_name = "K", allow_negative_numbers = true)]
    #[arg(conflicts_with_all = ["save", "report", "tensorboard"])]
    folds: Option<usize>,
    /// Threads to train with [default: the cores that this process may use].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    threads: Option<u16>,
    /// Replace any value of the recipe, such as optimizer.beta1=0.8 or model.layers.0.units=64; may be
    /// given many times.
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Save the trained model to this file (safetensors). A file of this name is replaced once the new
    /// one is whole; nothing that is read is written over. If that fails in the end, the model goes to
    /// another file, which is named.
    #[arg(long, value_name = "FILE")]
    save: Option<PathBuf>,
    /// Write the results to this file as JSON; the same holds for it.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Write a report into this folder, made if it is not there: run.json, report.html, and each chart
    /// as SVG and PNG. Files of these names are replaced. It holds what --json holds, and which classes
    /// are taken for which, with the worst mistakes; that takes another test.
    #[arg(long, value_name = "DIR")]
    report: Option<PathBuf>,
    /// Write event files for TensorBoard into this folder, made if it is not there. Each run has a new
    /// folder in it, named after recipe, optimizer and seed: mnist-mlp-adam-seed1, the next such run
    /// mnist-mlp-adam-seed1-2. Watch them with `tensorboard --logdir DIR`.
    #[arg(long, value_name = "DIR")]
    tensorboard: Option<PathBuf>,
    /// Exit with code 0 from a training that diverges, too. It is said all the same.
    #[arg(long)]
    allow_divergence: bool,
    /// Print the final result only.
    #[arg(long, short)]
    quiet: bool,
}

const EXAMPLES: &str = "\
Examples:
  fallline train
  fallline train mnist-mlp --epochs 5 --save mlp.safetensors --json mlp.json
  fallline train mnist-mlp --optimizer momentum --lr 0.02 --set optimizer.momentum=0.95
  fallline train mnist-mlp --schedule cosine --set schedule.warmup_epochs=1
  fallline train my-recipe.toml --data my-data
  fallline train mnist-mlp --validation 0.1 --patience 3 --epochs 100
  fallline train mnist-mlp --set stop.accuracy=0.97 --set gradient.clip_norm=1
  fallline train mnist-mlp --set gradient.clip_adaptive=0.01 --set constraint.max_norm=3
  fallline train mnist-mlp --set average.method=ema --set lookahead.steps=5
  fallline train mnist-mlp --folds 5 --json folds.json
  fallline train mnist-mlp --report mlp-report --tensorboard runs

Ctrl-C ends the training after the step under way; the model is still saved and tested, the
results are written, and the exit code is 0. A second Ctrl-C ends the program at once, with code
130. SIGTERM and SIGHUP do the same; the codes are then 143 and 129. With --folds, Ctrl-C drops
the fold under way; those that are done are in FILE.partial of --json FILE, and the code is 130.

A training has diverged if its last training loss is not finite, or above that of its first step
by more than chance explains (docs/training.md). The model is saved and the results are written,
unless parameters are no longer finite; the exit code is 4, or 0 with --allow-divergence.";

/// What is still done after the first signal.
const STOPPING: &str = "testing and saving";

pub fn run(arguments: TrainArguments) -> anyhow::Result<ExitCode> {
    let recipe = Recipe::load(&arguments.recipe, &overrides(&arguments)?)?;
    let outputs = check_outputs(&arguments)?;

    let data = dataset::load(&recipe.data, arguments.data.as_deref())?;
    outputs.check_data(&data)?;
    if let Some(number) = arguments.folds {
        return folds::run(&arguments, number, &recipe, &data);
    }
    let split = train::split(&data.train, &recipe)?;
    let held = split.map_or(0, |split| split.held.len());
    check_samples(&recipe, data.train.len() - held)?;
    let mut model = Model::build(&recipe.model, data.train.shape(), data.classes, recipe.train.seed)?;
    let team = Team::new(arguments.threads.map_or_else(machine::usable_cores, usize::from))?;
    // Before a word is said or a folder made.
    train::check(&mut model, &data, &recipe, &team)?;
    if let Some(folder) = &arguments.report {
        std::fs::create_dir_all(folder).map_err(Error::io(folder, "create"))?;
    }
    let name = format!("{}-{}-seed{}", recipe.name, recipe.optimizer.name(), recipe.train.seed);
    let events = arguments.tensorboard.as_deref().map(|folder| EventWriter::create(folder, &name));
    let mut watchers = Watchers {
        terminal: TerminalObserver::new(recipe.train.epochs, arguments.quiet),
        events: events.transpose()?,
        results: None,
    };
    if !arguments.quiet {
        // Whoever asked for a saved model gets it, even if nobody reads along.
        terminal::stdout().write_all(heading(&recipe, &data, held, &model).as_bytes()).ok();
    }

    let stop = signals::listen(watchers.terminal.line(), STOPPING);
    let trained = train::train(&mut model, &data, &recipe, &team, stop.flag(), &mut watchers);
    let mut outcomes = Outcomes::default();
    let mut record = match trained {
        Ok(record) => record,
        Err(error) => {
            watchers.terminal.finish();
            outcomes.events(watchers.events, None);
            return Err(error.into());
        }
    };
    if record.stop_reason == Ending::Interrupted.name() {
        record.signal = stop.signal().map(|signal| signal.name().into());
    }

    // First of all what took the time; and everything is tried before any failure is reported.
    if let Some(path) = &arguments.save {
        watchers.terminal.say("saving");
        outcomes.model(path, &model, &recipe, &data);
    }
    let tested = train::test(&mut record, &model, &data, &recipe, &team, &mut watchers);
    outcomes.step(tested);
    if arguments.report.is_some() && record.test.is_some() {
        watchers.terminal.say("looking at the mistakes");
        record.analysis = outcomes.step(train::analyse(&model, &data.test, &recipe.data, &team));
    }
    watchers.terminal.say("writing the results");
    if let Some(path) = &arguments.json {
        outcomes.file(path, |path| json::write(path, &record));
    }
    if let Some(folder) = &arguments.report {
        outcomes.wrote(run::write(folder, &record));
    }
    // Also of a run that diverged, whose events show where.
    outcomes.events(watchers.events, Some(&record));
    watchers.terminal.finish();

    let printed = terminal::stdout().write_all((result(&record, &recipe) + &outcomes.written).as_bytes());
    let text = record.diverged.as_ref().map(run::divergence);
    let code = super::diverged(text, arguments.allow_divergence);
    outcomes.end(printed, code)
}

/// That all that is to be written can be, before hours are spent.
fn check_outputs(arguments: &TrainArguments) -> Result<Outputs> {
    if let Some(folder) = &arguments.tensorboard {
        output::check_folder(folder)?;
    }
    let folds = arguments.json.as_deref().filter(|_| arguments.folds.is_some()).map(Growing::new);
    let partial = folds.as_ref().and_then(Growing::partial).map(Path::to_path_buf);
    let outputs = Outputs::files([&arguments.save, &arguments.json, &partial].into_iter().flatten())
        .report(arguments.report.as_ref(), &[run::JSON, run::PAGE]);
    outputs.check(Recipe::path(&arguments.recipe))?;
    Ok(outputs)
}

/// The options that stand for values of the recipe, then what `--set` says.
fn overrides(arguments: &TrainArguments) -> Result<Vec<Override>> {
    let mut overrides: Vec<Override> = [
        arguments.epochs.map(|epochs| Override::new("train.epochs", epochs)),
        arguments.seed.map(|seed| Override::new("train.seed", seed)),
        arguments.optimizer.as_deref().map(|name| Override::new("optimizer.name", name)),
        arguments.schedule.as_deref().map(|name| Override::new("schedule.name", name)),
        arguments.lr.map(|rate| Override::new("optimizer.learning_rate", rate)),
        arguments.patience.map(|epochs| Override::new("stop.patience", epochs)),
    ]
    .into_iter()
    .flatten()
    .collect();
    if let Some(batch) = &arguments.batch {
        overrides.push(format!("train.batch={batch}").parse()?);
    }
    if let Some(held) = &arguments.validation {
        overrides.push(format!("data.validation={held}").parse()?);
    }
    for text in &arguments.set {
        overrides.push(text.parse()?);
    }
    Ok(overrides)
}

/// What is about to be trained, with so many samples set aside for validation.
fn heading(recipe: &Recipe, data: &DataSet, held: usize, model: &Model) -> String {
    let [train, test] = [data.train.len() - held, data.test.len()].map(|count| thousands(count as u64));
    let validation =
        if held > 0 { format!(", {} validation", thousands(held as u64)) } else { String::new() };
    let shape = shape(data.train.shape());
    format!(
        "{}: {}\n{}{}: {train} training{validation} and {test} test samples of {shape}, {} classes\n\
         network sees {}\n{}{}, learning rate {}{}, {}, {}, seed {}\n\n{}\n",
        recipe.name,
        recipe.summary,
        data.name,
        origin(&data.origin),
        data.classes,
        recipe.data.formula(data.train.element_type()),
        recipe.optimizer.name(),
        averages(recipe),
        recipe.optimizer.learning_rate,
        scheduled(recipe),
        batches(&recipe.train),
        counted(recipe.train.epochs, "epoch"),
        recipe.train.seed,
        summary::table(&model.summary()),
    )
}

/// What a step takes.
fn batches(train: &TrainConfig) -> String {
    match (train.takes_all(), train.accumulate) {
        (true, _) => "all samples in one batch".to_string(),
        (_, 1) => format!("batches of {}", train.batch),
        (_, several) => format!("batches of {several} x {}", train.batch),
    }
}

/// The averages that compose with the rule.
fn averages(recipe: &Recipe) -> String {
    let lookahead = recipe
        .lookahead
        .map(|lookahead| format!(" with lookahead ({} steps, alpha {})", lookahead.steps, lookahead.alpha));
    let average = recipe.average.map(|average| {
        let decay = match average.method {
            AverageMethod::Ema(ema) => format!(", decay {}", ema.decay),
            AverageMethod::Swa => String::new(),
        };
        let word = if lookahead.is_some() { "and" } else { "with" };
        format!(" {word} {} (from epoch {}{decay})", average.method.name(), average.start)
    });
    lookahead.into_iter().chain(average).collect()
}

/// What becomes of the learning rate; nothing if it stays as it is.
fn scheduled(recipe: &Recipe) -> String {
    let schedule = &recipe.schedule.learning_rate;
    if *schedule == Schedule::constant() {
        return String::new();
    }
    let warmup = if schedule.warmup.is_some() { "warm-up, then " } else { "" };
    format!(" ({warmup}{})", schedule.name())
}

/// Where the samples came from.
fn origin(origin: &Origin) -> String {
    match origin {
        Origin::Folder(folder) => format!(" in {}", folder.display()),
        Origin::Generated { seed } => format!(", generated from seed {seed}"),
    }
}

/// How it ended.
fn result(record: &TrainRecord, recipe: &Recipe) -> String {
    let mut text = format!(
        "trained {} in {} on {}: {}\n",
        run::epochs(record),
        duration(record.train_seconds),
        counted(record.threads, "thread"),
        run::ending(record),
    );
    if let Some(seen) = &record.validation {
        text += &format!("validation loss {}", loss(seen.loss));
        if let Some(accuracy) = seen.accuracy {
            text += &format!(", validation accuracy {}", percent(accuracy));
        }
        if let Some(epoch) = record.best_epoch {
            text += &format!("; the parameters are those of epoch {epoch}, the best");
        }
        text.push('\n');
    }
    if let Some(test) = &record.test {
        text += &format!("test loss {}", loss(test.loss));
        if let Some(accuracy) = test.accuracy {
            text += &format!(", test accuracy {}", percent(accuracy));
        }
        if let Some((target, accuracy)) = recipe.target.zip(test.accuracy) {
            let outcome = if accuracy >= target { "reached" } else { "not reached" };
            text += &format!(" (target {}: {outcome})", percent(target));
        }
        text.push('\n');
    } else if record.diverged.is_some() {
        text += "not tested: parameters are not finite\n";
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::{Divergence, Evaluation, ModelFacts};

    #[test]
    fn the_result_compares_with_the_target() {
        let mut record = TrainRecord {
            schema: train::record::TRAIN_SCHEMA.into(),
            recipe: "mnist-mlp".into(),
            data: None,
            optimizer: None,
            averages: Vec::new(),
            batch: None,
            seed: 1,
            threads: 2,
            machine: machine::Machine::current(),
            model: ModelFacts { parameters: 1, train_flops_per_sample: 1.0 },
            epochs: Vec::new(),
            epochs_every: None,
            warnings: Vec::new(),
            test: Some(Evaluation::new(0.08, 0.9765)),
            train_seconds: 2.5,
            stop_reason: "epochs".into(),
            signal: None,
            diverged: None,
            best_epoch: None,
            validation: None,
            analysis: None,
        };
        let recipe = Recipe::built_in("mnist-mlp").unwrap();
        assert_eq!(
            result(&record, &recipe),
            "trained 0 epochs in 2.5 s on 2 threads: all epochs done\n\
             test loss 0.0800, test accuracy 97.65 % (target 97.30 %: reached)\n"
        );
        record.test = Some(Evaluation::new(0.08, 0.97));
        (record.stop_reason, record.signal) = ("interrupted".into(), Some("SIGINT".into()));
        let text = result(&record, &recipe);
        assert!(text.ends_with("97.00 % (target 97.30 %: not reached)\n"), "{text}");
        assert!(text.contains("2 threads: interrupted by Ctrl-C\n"), "{text}");
        record.signal = Some("SIGTERM".into());
        assert!(result(&record, &recipe).contains("2 threads: interrupted by SIGTERM\n"));
        record.test = None;
        let (step, epoch, learning_rate) = (7, 1, 10.0);
        let what = "the loss".to_string();
        record.diverged = Some(Divergence { what, value: f64::NAN, first: None, step, epoch, learning_rate });
        assert!(result(&record, &recipe).ends_with("not tested: parameters are not finite\n"));
    }
}
