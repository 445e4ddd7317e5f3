//! What is said before training.

use super::table;
use crate::data::{DataSet, Origin, Samples};
use crate::model::recipe::{AverageMethod, TrainConfig};
use crate::model::{Model, Recipe};
use crate::optim::schedule::Schedule;
use crate::report::numbers::{counted, shape, thousands};
use crate::report::{summary, terminal};

/// What is about to be trained, with so many samples to learn from and so many set aside for validation.
pub(super) fn heading(recipe: &Recipe, data: &DataSet, [trained, held]: [usize; 2], model: &Model) -> String {
    let [train, test] = [trained, data.test.len()].map(|count| thousands(count as u64));
    let validation =
        if held > 0 { format!(", {} validation", thousands(held as u64)) } else { String::new() };
    let other = if data.validates { "validation" } else { "test" };
    let (samples, shape) = samples(&data.train);
    let (targets, sees) = match data.train.encoder() {
        Some(encoder) => {
            (String::new(), table::columns(encoder, &data.notes, recipe.model.k_means.is_some()))
        }
        None => {
            let formula = recipe.data.formula(data.train.element_type());
            (format!(", {} classes", data.classes), format!("network sees {formula}\n"))
        }
    };
    let title = match recipe.summary.as_str() {
        "" => recipe.name.clone(),
        summary => format!("{}: {summary}", recipe.name),
    };
    format!(
        "{title}\n{}{}: {train} training{validation} and {test} {other} {samples} of {shape}{targets}\n\
         {sees}{}{}, learning rate {}{}, {}, {}, seed {}\n\n{}\n",
        data.name,
        origin(&data.origin),
        recipe.optimizer.name(),
        averages(recipe),
        recipe.optimizer.learning_rate,
        scheduled(recipe),
        batches(&recipe.train),
        counted(recipe.train.epochs, "epoch"),
        recipe.train.seed,
        summary::table(&model.summary_with(&model.frozen(recipe).unwrap_or_default()), terminal::columns()),
    )
}

/// What samples are, and what each consists of.
fn samples(samples: &Samples) -> (&'static str, String) {
    let shape = shape(samples.shape());
    if let Some(vocabulary) = samples.vocabulary() {
        let name = if vocabulary.is_of_lines() { "lines" } else { "windows" };
        return (name, counted(samples.features_per_sample(), "token"));
    }
    let is_series = samples.encoder().is_some_and(|encoder| encoder.windows.is_some());
    (if is_series { "windows" } else { "samples" }, shape)
}

/// What a step takes.
pub(super) fn batches(train: &TrainConfig) -> String {
    match (train.takes_all(), train.accumulate) {
        (true, _) => "all samples in one batch".to_string(),
        (_, 1) => format!("batches of {}", train.batch),
        (_, several) => format!("batches of {several} x {}", train.batch),
    }
}

/// The averages that compose with the rule.
pub(super) fn averages(recipe: &Recipe) -> String {
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
pub(super) fn scheduled(recipe: &Recipe) -> String {
    let schedule = &recipe.schedule.learning_rate;
    if *schedule == Schedule::constant() {
        return String::new();
    }
    let warmup = if schedule.warmup.is_some() { "warm-up, then " } else { "" };
    format!(" ({warmup}{})", schedule.name())
}

/// Where the samples came from.
pub(super) fn origin(origin: &Origin) -> String {
    match origin {
        Origin::Folder(folder) => format!(" in {}", folder.display()),
        Origin::Generated { seed } => format!(", generated from seed {seed}"),
        Origin::Embedded => ", part of the program".to_string(),
        Origin::Files(files) => {
            let files: Vec<String> = files.iter().map(|file| file.display().to_string()).collect();
            format!(", from {}", files.join(" and "))
        }
    }
}
