//! `fallline train`

mod folds;
mod watchers;

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::Args;

use watchers::Watchers;

use super::output::{self, Outputs};
use crate::data::{DataSet, Origin};
use crate::model::recipe::{AverageMethod, Override, TrainConfig, check_samples};
use crate::model::{Model, Recipe, saved};
use crate::optim::schedule::Schedule;
use crate::report::numbers::{counted, duration, loss, percent, shape, thousands};
use crate::report::tensorboard::EventWriter;
use crate::report::{json, progress::TerminalObserver, run, summary};
use crate::team::Team;
use crate::train::{self, TrainRecord, dataset, machine};
use crate::{Error, Result};

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct TrainArguments {
    /// A built-in recipe (see `fallline recipes`), or the path of a recipe file that ends with .toml.
    #[arg(value_name = "RECIPE", default_value = "digits-mlp")]
    recipe: String,
    /// The folder that holds the data set, or a folder named after it [default: $FALLLINE_DATA, then
    /// datasets/, then the user's cache folder].
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
    /// Save the trained model to this file (safetensors).
    #[arg(long, value_name = "FILE")]
    save: Option<PathBuf>,
    /// Write the results to this file as JSON.
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

Ctrl-C ends the training after the step under way; the model is still tested and saved, the results
are written, and the exit code is 0. A second Ctrl-C ends the program at once, with code 130.";

pub fn run(arguments: TrainArguments) -> anyhow::Result<()> {
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
    if let Some(folder) = &arguments.report {
        std::fs::create_dir_all(folder).map_err(Error::io(folder, "create"))?;
    }
    let name = format!("{}-{}-seed{}", recipe.name, recipe.optimizer.name(), recipe.train.seed);
    let events = arguments.tensorboard.as_deref().map(|folder| EventWriter::create(folder, &name));
    let mut watchers = Watchers {
        terminal: TerminalObserver::new(recipe.train.epochs, arguments.quiet),
        events: events.transpose()?,
    };
    if !arguments.quiet {
        // Whoever asked for a saved model gets it, even if nobody reads along.
        std::io::stdout().write_all(heading(&recipe, &data, held, &model).as_bytes()).ok();
    }

    let stop = super::stop_on_ctrl_c()?;
    let record = train::run(&mut model, &data, &recipe, &team, &stop, &mut watchers);
    watchers.terminal.finish();
    // Also of a run that diverged, whose events show where.
    let events = watchers.events.map(|events| {
        let path = events.path().to_path_buf();
        events.finish(record.as_ref().ok()).map(|()| path.display().to_string())
    });
    let mut record = record?;
    if arguments.report.is_some() {
        // Cannot fail: the model has been tested on these samples.
        record.analysis = Some(train::analyse(&model, &data.test, &recipe.data, &team)?);
    }

    // All files are tried before any failure is reported: what was trained shall not be lost.
    let saved = arguments.save.as_deref().map(|path| {
        let save = |path: &Path| saved::save(path, &model, &recipe, data.train.shape(), data.classes);
        output::save_or_rescue(path, save).map(|()| path.display().to_string())
    });
    let written =
        arguments.json.as_deref().map(|path| json::write(path, &record).map(|()| path.display().to_string()));
    let report = arguments.report.as_deref().map(|folder| run::write(folder, &record));

    let mut text = result(&record, &recipe);
    let outcomes: Vec<Result<String>> = [saved, written, report, events].into_iter().flatten().collect();
    for path in outcomes.iter().flatten() {
        text += &format!("wrote {path}\n");
    }
    let printed = std::io::stdout().write_all(text.as_bytes());
    outcomes.into_iter().collect::<Result<Vec<_>>>()?;
    Ok(printed?)
}

/// That all that is to be written can be, before hours are spent.
fn check_outputs(arguments: &TrainArguments) -> Result<Outputs> {
    if let Some(folder) = &arguments.tensorboard {
        output::check_folder(folder)?;
    }
    let outputs = Outputs::files([&arguments.save, &arguments.json].into_iter().flatten())
        .report(arguments.report.as_ref(), &[run::JSON, run::PAGE]);
    outputs.check([Path::new(&arguments.recipe)])?;
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
        "{}: {}\n{}{}: {train} training{validation} and {test} test samples of {shape}, {} classes\n{}{}, \
         learning rate {}{}, {}, {}, seed {}\n\n{}\n",
        recipe.name,
        recipe.summary,
        data.name,
        origin(&data.origin),
        data.classes,
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
        ending(&record.stop_reason),
    );
    if let Some(seen) = &record.validation {
        text +=
            &format!("validation loss {}, validation accuracy {}", loss(seen.loss), percent(seen.accuracy));
        if let Some(epoch) = record.best_epoch {
            text += &format!("; the parameters are those of epoch {epoch}, the best");
        }
        text.push('\n');
    }
    if let Some(test) = &record.test {
        text += &format!("test loss {}, test accuracy {}", loss(test.loss), percent(test.accuracy));
        if let Some(target) = recipe.target {
            let outcome = if test.accuracy >= target { "reached" } else { "not reached" };
            text += &format!(" (target {}: {outcome})", percent(target));
        }
        text.push('\n');
    }
    text
}

/// The short reason of the record, in words.
fn ending(stop_reason: &str) -> &str {
    match stop_reason {
        "interrupted" => "interrupted by Ctrl-C",
        other => run::ending(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::{Evaluation, ModelFacts};

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
            warnings: Vec::new(),
            test: Some(Evaluation { loss: 0.08, accuracy: 0.9765 }),
            train_seconds: 2.5,
            stop_reason: "epochs".into(),
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
        record.test = Some(Evaluation { loss: 0.08, accuracy: 0.97 });
        record.stop_reason = "interrupted".into();
        let text = result(&record, &recipe);
        assert!(text.ends_with("97.00 % (target 97.30 %: not reached)\n"), "{text}");
        assert!(text.contains("2 threads: interrupted by Ctrl-C\n"), "{text}");
    }
}
