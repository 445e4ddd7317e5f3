//! `fallline train`

mod arguments;
mod folds;
mod heading;
mod initial;
pub(in crate::cli) mod kept;
mod outcomes;
pub(in crate::cli) mod table;
mod watchers;

pub use arguments::TrainArguments;
use heading::heading;
use std::path::Path;
use std::process::ExitCode;

use outcomes::Outcomes;
use table::Made;
use watchers::Watchers;

use super::output::{self, Outputs};
use super::partial::Growing;
use super::signals;

use crate::model::recipe::{Override, check_samples};
use crate::model::{Model, Recipe};
use crate::report::metrics::{naive_forecasts, score};
use crate::report::numbers::{counted, duration, loss, percent};
use crate::report::tensorboard::EventWriter;
use crate::report::{json, progress::TerminalObserver, run, terminal};
use crate::team::Team;
use crate::train::{self, Control, Ending, Evaluation, TrainRecord, dataset, machine};
use crate::{Error, Result};

/// What is still done after the first signal.
const STOPPING: &str = "testing and saving";

/// The same of a training whose state is kept.
const KEEPING: &str = "keeping the state, testing and saving";

pub fn run(mut arguments: TrainArguments) -> anyhow::Result<ExitCode> {
    let overrides = overrides(&arguments)?;
    kept::check(&arguments)?;
    let recorded = kept::recorded(&mut arguments, &overrides)?;
    let arguments = arguments;
    let of_table = arguments.table().filter(|_| recorded.is_none());
    let recorded =
        recorded.map_or_else(|| initial::recipe(&arguments, &overrides), |recipe| Ok(Some(recipe)))?;
    let recipe = match recorded {
        None if of_table.is_none() => Some(Recipe::load(arguments.recipe(), &overrides)?),
        recorded => recorded,
    };
    let outputs = check_outputs(&arguments)?;

    let folder = arguments.data.as_deref();
    let (recipe, data, assumed) = match (recipe, of_table) {
        (None, Some(path)) => {
            let made = Made::of(path, &overrides, folder)?;
            let assumed = made.assumed();
            (made.recipe, made.data, assumed)
        }
        (recipe, _) => {
            let recipe = recipe.map_or_else(|| Recipe::load(arguments.recipe(), &overrides), Ok)?;
            let data = dataset::load(&recipe.data, folder)?;
            (recipe, data, String::new())
        }
    };
    outputs.check_data(&data)?;
    let recipe = recipe.for_samples(&data.train)?;
    if let Some(number) = arguments.folds {
        return folds::run(&arguments, number, &recipe, &data);
    }
    let split = train::split_of(&data, &recipe)?;
    // Windows of a series that see what is set aside are in neither part.
    let [trained, held] = split.map_or([data.train.len(), 0], |split| [split.subset.len(), split.held.len()]);
    check_samples(&recipe, trained)?;
    let mut model = Model::build(&recipe.model, data.train.shape(), data.classes, recipe.train.seed)?;
    let initialised = initial::take(&arguments, &mut model, &recipe, &data)?;
    let optimizer = initial::optimizer(&arguments, &model, &recipe)?;
    let team = Team::new(arguments.threads.map_or_else(machine::usable_cores, usize::from))?;
    // Before a word is said or a folder made.
    train::check(&mut model, &data, &recipe, &team)?;
    let mut checkpoints = kept::open(&arguments, &recipe, &data)?;
    if let Some(folder) = &arguments.report {
        std::fs::create_dir_all(folder).map_err(Error::io(folder, "create"))?;
    }
    let name = format!("{}-{}-seed{}", recipe.name, recipe.optimizer.name(), recipe.train.seed);
    let events = arguments.tensorboard.as_deref().map(|folder| EventWriter::create(folder, &name));
    let mut watchers = Watchers {
        terminal: TerminalObserver::new(recipe.train.epochs, arguments.quiet),
        events: events.transpose()?,
        results: None,
        quiet: arguments.quiet,
    };
    if !arguments.quiet {
        // Whoever asked for a saved model gets it, even if nobody reads along.
        let heading = assumed + &heading(&recipe, &data, [trained, held], &model);
        terminal::print(&(heading + &initialised.text)).ok();
    }
    for warning in &initialised.warnings {
        watchers.terminal.line().announce(&format!("warning: {warning}"));
    }

    let what = if checkpoints.is_some() { KEEPING } else { STOPPING };
    let stop = signals::listen(watchers.terminal.line(), what);
    let (checkpoints, optimizer) = (checkpoints.as_mut(), optimizer.as_ref());
    let control = Control { checkpoints, optimizer, ..Control::new(stop.flag(), &mut watchers) };
    let trained = train::train_under(&mut model, &data, &recipe, &team, control);
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
        let order = train::Order::of(&recipe.train, &model, &data.test);
        let analysis = outcomes.step(train::analyse_in(order, &model, &data.test, &recipe.data, &team));
        record.analysis = analysis.map(|analysis| analysis.named(&data.class_names));
    }
    if recipe.model.linear.is_some() {
        watchers.terminal.say("solving exactly");
        record.exact = outcomes.step(train::exact(&model, &data.train, &recipe)).flatten();
    }
    if recipe.model.k_means.is_some() {
        watchers.terminal.say("clustering by Lloyd's algorithm");
        record.lloyd = outcomes.step(train::lloyd(&model, &data.train, &recipe)).flatten();
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

    // A text has no test.
    let is_lost = !data.validates && model.first_not_finite().is_some();
    let mut text = result(&record, &recipe, is_lost) + &outcomes.written;
    if record.stop_reason == Ending::Interrupted.name() {
        text += &kept::how_to_go_on(&arguments);
    }
    let printed = terminal::print(&text);
    let text = record.diverged.as_ref().map(run::divergence);
    let code = crate::cli::shared::diverged(text, arguments.allow_divergence);
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
    let read = Recipe::path(arguments.recipe()).or_else(|| arguments.table());
    let read = read.filter(|path| path.as_os_str() != "-");
    let models = [arguments.init.as_deref(), arguments.init_optimizer.as_deref()];
    outputs.check(read.into_iter().chain(models.into_iter().flatten()))?;
    Ok(outputs)
}

/// The options that stand for values of the recipe, then what `--set` says.
fn overrides(arguments: &TrainArguments) -> Result<Vec<Override>> {
    let mut overrides: Vec<Override> = [
        arguments.epochs.map(|epochs| Override::new("train.epochs", epochs)),
        arguments.seed.map(|seed| Override::new("train.seed", seed)),
        arguments.target.as_deref().map(|name| Override::new("data.target", name)),
        arguments.optimizer.as_deref().map(|name| Override::new("optimizer.name", name)),
        arguments.schedule.as_deref().map(|name| Override::new("schedule.name", name)),
        arguments.lr.map(|rate| Override::new("optimizer.learning_rate", rate)),
        arguments.patience.map(|epochs| Override::new("stop.patience", epochs)),
        arguments.freeze.as_deref().map(|layers| Override::new("train.freeze", layers)),
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

/// How it ended; the test of a model that `is_lost`, as parameters are not finite, is missed.
fn result(record: &TrainRecord, recipe: &Recipe, is_lost: bool) -> String {
    let mut text = format!(
        "trained {} in {} on {}: {}\n",
        run::epochs(record),
        duration(record.train_seconds),
        counted(record.threads, "thread"),
        run::ending(record),
    );
    // The loss of k-means has a name.
    let word = if recipe.model.k_means.is_some() { "inertia" } else { "loss" };
    if let Some(seen) = &record.validation {
        text += &format!("validation {word} {}", loss(seen.loss));
        text += &with_score(seen, "validation ");
        // Of a data set with a validation part there is no test.
        text += &reached_loss(recipe, seen.loss, record.test.is_none());
        if let Some(epoch) = record.best_epoch {
            text += &format!("; the parameters are those of epoch {epoch}, the best");
        }
        text.push('\n');
    }
    if let Some(test) = &record.test {
        text += &format!("test {word} {}", loss(test.loss));
        text += &with_score(test, "test ");
        if let Some((target, accuracy)) = recipe.target.zip(test.accuracy) {
            let outcome = if accuracy >= target { "reached" } else { "not reached" };
            text += &format!(" (target {}: {outcome})", percent(target));
        }
        text += &reached_loss(recipe, test.loss, true);
        text.push('\n');
        text += &naive_forecasts(test);
    } else if is_lost {
        text += "not tested: parameters are not finite\n";
    }
    if let Some(exact) = &record.exact {
        text += &run::exact(exact);
        text.push('\n');
        text += &run::coefficients(exact);
    }
    if let Some(lloyd) = &record.lloyd {
        text += &run::lloyd(lloyd);
        text.push('\n');
    }
    text
}

/// Whether a loss is the one to come down to, where it `is_judged`; nothing of a recipe that names none.
fn reached_loss(recipe: &Recipe, found: f64, is_judged: bool) -> String {
    recipe.target_loss.filter(|_| is_judged).map_or(String::new(), |target| {
        let outcome = if found <= target { "reached" } else { "not reached" };
        format!(" (target loss {}: {outcome})", loss(target))
    })
}

/// What follows the loss in a line.
fn with_score(seen: &Evaluation, of: &str) -> String {
    let score = score(seen, of);
    if score.is_empty() { score } else { format!(", {score}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::metrics::ValueMetrics;
    use crate::train::{Divergence, ModelFacts};

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
            model: ModelFacts { parameters: 1, train_flops_per_sample: 1.0, trained: None },
            init: None,
            init_optimizer: None,
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
            exact: None,
            lloyd: None,
        };
        let recipe = Recipe::built_in("mnist-mlp").unwrap();
        assert_eq!(
            result(&record, &recipe, false),
            "trained 0 epochs in 2.5 s on 2 threads: all epochs done\n\
             test loss 0.0800, test accuracy 97.65 % (target 97.30 %: reached)\n"
        );
        let of_loss = Recipe { target: None, target_loss: Some(0.08), ..recipe.clone() };
        assert!(result(&record, &of_loss, false).ends_with("97.65 % (target loss 0.0800: reached)\n"));
        (record.validation, record.test) = (record.test.take(), None);
        let of_loss = Recipe { target_loss: Some(0.0799), ..of_loss };
        let text = result(&record, &of_loss, false);
        assert!(text.ends_with("validation accuracy 97.65 % (target loss 0.0799: not reached)\n"), "{text}");
        record.validation = None;
        record.test = Some(Evaluation::new(0.08, 0.97));
        (record.stop_reason, record.signal) = ("interrupted".into(), Some("SIGINT".into()));
        let text = result(&record, &recipe, false);
        assert!(text.ends_with("97.00 % (target 97.30 %: not reached)\n"), "{text}");
        assert!(text.contains("2 threads: interrupted by Ctrl-C\n"), "{text}");
        record.signal = Some("SIGTERM".into());
        assert!(result(&record, &recipe, false).contains("2 threads: interrupted by SIGTERM\n"));
        let values = ValueMetrics { rmse: 12.5, mae: 9.75, r_squared: 0.875, outputs: Vec::new() };
        record.test = Some(Evaluation { accuracy: None, values: Some(values), ..Evaluation::new(0.08, 0.0) });
        let text = result(&record, &recipe, false);
        assert!(text.ends_with("\ntest loss 0.0800, test RMSE 12.5, MAE 9.75, R² 0.8750\n"), "{text}");
        record.test = None;
        let (step, epoch, learning_rate) = (7, 1, 10.0);
        let what = "the loss".to_string();
        record.diverged = Some(Divergence { what, value: f64::NAN, first: None, step, epoch, learning_rate });
        assert!(result(&record, &recipe, true).ends_with("not tested: parameters are not finite\n"));
        assert!(!result(&record, &recipe, false).contains("not tested"), "it has no test");
    }
}
