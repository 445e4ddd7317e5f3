//! Runs in words and tables, for a page.

use super::values::metric;
use super::warnings;
use crate::model::InitialState;
use crate::report::metrics::part;
use crate::report::numbers::{counted, duration, loss, percent, rounded, significant, thousands};
use crate::report::page::{Cell, Column, Part, Section, Table, Tone};
use crate::stats;
use crate::train::analysis::Analysis;
use crate::train::{EpochRecord, ModelFacts, Phase, TrainRecord};

/// The first section of a page: the facts of one run, or a table of several.
pub fn section(runs: &[(&str, &TrainRecord)]) -> Section {
    let mut parts = match runs {
        [(_, record)] => vec![Part::Facts(facts(record))],
        _ => vec![Part::Table(run_table(runs)), Part::Heading("Machines".into()), machines(runs)],
    };
    let notes: Vec<String> = runs.iter().flat_map(|(name, record)| notes(name, record)).collect();
    if !notes.is_empty() {
        parts.push(Part::Notes(notes));
    }
    Section { heading: if runs.len() == 1 { "Run" } else { "Runs" }.into(), parts }
}

/// The epochs of a run in words: "3 epochs", "2 epochs and a part".
pub fn epochs(record: &TrainRecord) -> String {
    let incomplete = record.epochs.last().is_some_and(|last| last.incomplete);
    let part = if incomplete { " and a part" } else { "" };
    counted(record.epochs_begun() - usize::from(incomplete), "epoch") + part
}

fn whole_epochs(record: &TrainRecord) -> impl Iterator<Item = &EpochRecord> {
    record.epochs.iter().filter(|epoch| !epoch.incomplete)
}

/// The median throughput of all whole epochs, or of what there is.
pub(super) fn throughput(record: &TrainRecord) -> Option<f64> {
    let speed = |epoch: &EpochRecord| epoch.samples_per_second;
    let mut speeds: Vec<f64> = whole_epochs(record).map(speed).collect();
    if speeds.is_empty() {
        speeds = record.epochs.iter().map(speed).collect();
    }
    (!speeds.is_empty()).then(|| stats::median(&speeds))
}

/// The notes of a run: a divergence, an incomplete epoch, samples without a finite loss, and warnings.
fn notes(name: &str, record: &TrainRecord) -> Vec<String> {
    let incomplete = record.epochs.last().filter(|epoch| epoch.incomplete).map(|last| {
        let samples = last.samples.map(|samples| format!(", after {}", counted(samples, "sample")));
        format!("epoch {} is incomplete{}", last.epoch, samples.unwrap_or_default())
    });
    let diverged = record.diverged.as_ref().map(warnings::divergence);
    let seen = [(Phase::Validating, &record.validation), (Phase::Testing, &record.test)];
    // Of a training that has failed, they are no news.
    let seen = seen.into_iter().filter(|_| record.diverged.is_none());
    let outliers = seen
        .filter_map(|(phase, seen)| Some(warnings::not_finite(phase, seen.as_ref()?.not_finite.as_ref()?)));
    let all = diverged.into_iter().chain(incomplete).chain(outliers);
    let all = all.chain(record.warnings.iter().map(warnings::text));
    all.map(|note| format!("{name}: {note}.")).collect()
}

fn facts(record: &TrainRecord) -> Vec<(String, String)> {
    let machine = &record.machine;
    let facts = [
        ("Test accuracy", record.test.as_ref().and_then(|test| test.accuracy).map(percent)),
        ("Test RMSE", metric(record.test.as_ref(), |values| values.rmse).map(significant)),
        ("Test MAE", metric(record.test.as_ref(), |values| values.mae).map(significant)),
        ("Test R²", metric(record.test.as_ref(), |values| values.r_squared).map(part)),
        ("Test loss", record.test.as_ref().map(|test| loss(test.loss))),
        ("Recipe", Some(record.recipe.clone())),
        ("Data set", record.data.clone()),
        ("Update rule", record.optimizer.clone()),
        ("Averages", (!record.averages.is_empty()).then(|| record.averages.join(", "))),
        ("Learning rate", learning_rate(record).map(|rate| rate.to_string())),
        ("Batch", record.batch.map(|batch| counted(batch, "sample"))),
        ("Seed", Some(record.seed.to_string())),
        ("Epochs", Some(epochs(record))),
        ("Ended", Some(ending(record))),
        ("Best epoch", record.best_epoch.map(|epoch| format!("{epoch}, whose parameters are kept"))),
        ("Validation accuracy", record.validation.as_ref().and_then(|seen| seen.accuracy).map(percent)),
        ("Validation RMSE", metric(record.validation.as_ref(), |values| values.rmse).map(significant)),
        ("Validation R²", metric(record.validation.as_ref(), |values| values.r_squared).map(part)),
        ("Training time", Some(duration(record.train_seconds))),
        ("Throughput", throughput(record).map(|speed| format!("{} samples/s", rounded(speed)))),
        ("First parameters", record.init.as_ref().map(|init| format!("those of {}", init.path))),
        ("State of the optimizer", record.init_optimizer.as_ref().map(optimizer_state)),
        ("Trained numbers", Some(trained(&record.model))),
        ("Operations of a step", Some(format!("{} a sample", rounded(record.model.train_flops_per_sample)))),
        ("Threads", Some(thousands(record.threads as u64))),
        ("Processor", Some(machine.cpu.clone())),
        ("Usable cores", Some(thousands(machine.cores as u64))),
        ("Instruction set", Some(machine.instruction_set.clone())),
        ("System", Some(machine.os.clone())),
    ];
    facts.into_iter().filter_map(|(name, value)| Some((name.to_string(), value?))).collect()
}

/// What an optimizer began with.
fn optimizer_state(state: &InitialState) -> String {
    let of = state.path.as_ref().map_or(String::new(), |path| format!(" of {path}"));
    format!("that{of} after {}", counted(state.steps as usize, "step"))
}

/// How many parameters were trained, and of how many if not of all.
fn trained(model: &ModelFacts) -> String {
    let all = thousands(model.parameters as u64);
    model.trained.map_or(all.clone(), |trained| format!("{} of {all}", thousands(trained as u64)))
}

/// The learning rate of the last epoch.
fn learning_rate(record: &TrainRecord) -> Option<f64> {
    record.epochs.last()?.learning_rate
}

/// Why the training of a record ended, in words.
pub fn ending(record: &TrainRecord) -> String {
    let text = match record.stop_reason.as_str() {
        "interrupted" => match record.signal.as_deref() {
            None => "interrupted",
            Some("SIGINT") => "interrupted by Ctrl-C",
            Some(signal) => return format!("interrupted by {signal}"),
        },
        "diverged" => "no longer finite",
        "epochs" => "all epochs done",
        "steps" => "all steps done",
        "seconds" => "time is up",
        "accuracy" => "accuracy reached",
        "loss" => "loss reached",
        "gradient-norm" => "gradient below its limit",
        "tolerance" => "the loss stands still",
        "patience" => "no improvement on the validation samples",
        "tolerance-grad" => "converged: the gradient is below tolerance_grad",
        "tolerance-change" => "converged: an iteration changed less than tolerance_change",
        "line-search" => "the line search found no lower loss, not even along the gradient",
        other => other,
    };
    text.to_string()
}

fn run_table(runs: &[(&str, &TrainRecord)]) -> Table {
    let accuracy = |record: &TrainRecord| record.test.as_ref().and_then(|test| test.accuracy);
    let explained = |record: &TrainRecord| metric(record.test.as_ref(), |values| values.r_squared);
    let highest = |value: &dyn Fn(&TrainRecord) -> Option<f64>| {
        runs.iter().filter_map(|(_, record)| value(record)).fold(f64::NEG_INFINITY, f64::max)
    };
    let (best, best_explained) = (highest(&accuracy), highest(&explained));
    let has_classes = runs.iter().any(|(_, record)| accuracy(record).is_some());
    let has_values = runs.iter().any(|(_, record)| explained(record).is_some());
    // Accuracies on different data do not compare.
    let compares = runs.windows(2).all(|pair| pair[0].1.data == pair[1].1.data);
    let toned =
        |cell: Cell, is_best: bool| cell.toned(if is_best && compares { Tone::Good } else { Tone::Plain });
    let row = |(name, record): &(&str, &TrainRecord)| {
        let (last, test) = (record.epochs.last(), record.test.as_ref());
        let mut cells = vec![Cell::text(name)];
        if has_classes || !has_values {
            cells.push(toned(optional(accuracy(record), percent), accuracy(record) == Some(best)));
        }
        if has_values {
            cells.push(optional(metric(test, |values| values.rmse), significant));
            cells.push(optional(metric(test, |values| values.mae), significant));
            cells.push(toned(optional(explained(record), part), explained(record) == Some(best_explained)));
        }
        cells.extend([
            optional(test.map(|test| test.loss), loss),
            optional(last.map(|epoch| epoch.train_loss), loss),
            Cell::number(epochs(record), record.epochs_begun() as f64),
            Cell::number(duration(record.train_seconds), record.train_seconds),
            optional(throughput(record), rounded),
            optional(learning_rate(record), |rate| rate.to_string()),
            optional(record.batch.map(|batch| batch as f64), rounded),
            count(record.threads),
            count(record.model.parameters),
            Cell::text(&ending(record)),
        ]);
        cells
    };
    let mut columns = vec![("run", "recipe, update rule, seed")];
    if has_classes || !has_values {
        columns.push(("test accuracy", "after the last epoch; the highest is emphasised"));
    }
    if has_values {
        columns.push(("test RMSE", "root of the mean squared error, in the units of the data"));
        columns.push(("test MAE", "mean absolute error, in the units of the data"));
        columns.push(("test R²", "the part of the variance that is explained; the highest is emphasised"));
    }
    columns.extend([
        ("test loss", "after the last epoch"),
        ("training loss", "mean of the last epoch"),
        ("epochs", ""),
        ("training time", "without loading and testing"),
        ("samples/s", "median of the epochs"),
        ("learning rate", "of the last epoch"),
        ("batch", "samples of a step"),
        ("threads", ""),
        ("trained numbers", ""),
        ("ended", ""),
    ]);
    Table {
        caption: "Runs side by side".into(),
        columns: columns.iter().map(|(title, hint)| Column::new(title, hint)).collect(),
        rows: runs.iter().map(row).collect(),
    }
}

fn machines(runs: &[(&str, &TrainRecord)]) -> Part {
    let mut facts: Vec<(String, String)> = Vec::new();
    for (_, record) in runs {
        let machine = &record.machine;
        let cores = counted(machine.cores, "core");
        let fact = (machine.cpu.clone(), format!("{cores}, {}, {}", machine.instruction_set, machine.os));
        if !facts.contains(&fact) {
            facts.push(fact);
        }
    }
    Part::Facts(facts)
}

/// The table of precision and recall of each class.
pub fn classes(analysis: &Analysis) -> Table {
    let row = |(class, score): (usize, &crate::train::analysis::ClassScore)| {
        let name = match analysis.class_names.get(class) {
            Some(name) => Cell::text(name),
            None => count(class),
        };
        let mut cells = vec![name, count(score.samples)];
        cells.extend([score.precision, score.recall, score.f1].map(|part| optional(part, percent)));
        cells
    };
    let columns = [
        ("class", ""),
        ("test samples", ""),
        ("precision", "the part of the samples read as this class that are of it"),
        ("recall", "the part of the samples of this class that were read as it"),
        ("F1", "the harmonic mean of precision and recall"),
    ];
    Table {
        caption: "Precision and recall of each class".into(),
        columns: columns.map(|(title, hint)| Column::new(title, hint)).to_vec(),
        rows: analysis.classes.iter().enumerate().map(row).collect(),
    }
}

/// The table of all figures of each epoch.
pub fn epoch_table(record: &TrainRecord) -> Table {
    let validated = record.epochs.iter().any(|epoch| epoch.validation_loss.is_some());
    let searched = record.epochs.iter().any(|epoch| epoch.evaluations.is_some());
    let has_accuracy = record.epochs.iter().any(|epoch| epoch.train_accuracy.is_some());
    let row = |epoch: &EpochRecord| {
        let mut cells = vec![count(epoch.epoch), Cell::number(loss(epoch.train_loss), epoch.train_loss)];
        if has_accuracy {
            cells.push(optional(epoch.train_accuracy, percent));
        }
        if validated {
            cells.push(optional(epoch.validation_loss, loss));
        }
        if validated && has_accuracy {
            cells.push(optional(epoch.validation_accuracy, percent));
        }
        let samples = optional(epoch.samples.map(|samples| samples as f64), rounded);
        let incomplete = if epoch.incomplete { "incomplete" } else { "" };
        let tone = if epoch.incomplete { Tone::Warning } else { Tone::Plain };
        if searched {
            cells.push(optional(epoch.evaluations.map(|count| count as f64), rounded));
        }
        cells.extend([
            optional(epoch.learning_rate, |rate| rate.to_string()),
            samples.with_detail(incomplete.to_string()).toned(tone),
            Cell::number(duration(epoch.seconds), epoch.seconds),
            Cell::number(rounded(epoch.samples_per_second), epoch.samples_per_second),
        ]);
        cells
    };
    let mut columns = vec![("epoch", ""), ("training loss", "")];
    columns.extend(has_accuracy.then_some(("training accuracy", "")));
    columns.extend(validated.then_some(("validation loss", "")));
    columns.extend((validated && has_accuracy).then_some(("validation accuracy", "")));
    if searched {
        columns.push(("evaluations", "of loss and gradient of all samples"));
    }
    columns.extend([("learning rate", ""), ("samples", "trained on"), ("time", ""), ("samples/s", "")]);
    Table {
        caption: "Epochs".into(),
        columns: columns.iter().map(|(title, hint)| Column::new(title, hint)).collect(),
        rows: record.epochs.iter().map(row).collect(),
    }
}

fn count(number: usize) -> Cell {
    Cell::number(thousands(number as u64), number as f64)
}

/// The cell of a number that may be missing.
fn optional(value: Option<f64>, text: fn(f64) -> String) -> Cell {
    value.map_or(Cell::text("–"), |value| Cell::number(text(value), value))
}
