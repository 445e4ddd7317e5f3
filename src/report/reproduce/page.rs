//! The page of reproduced recipes.

use super::charts;
use super::numbers::{goal, scores, told};
use crate::report::metrics::part;
use crate::report::numbers::{counted, duration, loss, percent, significant, thousands};
use crate::report::page::{Cell, Column, Hero, Page, Part, Section, Table, Tone};
use crate::report::run::{ending, epochs};
use crate::train::TrainRecord;
use crate::train::metrics::ValueMetrics;
use crate::train::reproduce::{RecipeRecord, ReproduceRecord, Verdict, time_to};

/// The page as one HTML file.
pub fn page(record: &ReproduceRecord) -> String {
    let mut sections = vec![Section { heading: "Summary".into(), parts: summary(record) }];
    for (recipe, charts) in record.recipes.iter().zip(charts::all(record)) {
        let charts: Vec<_> = charts.into_iter().map(|(_, chart)| chart).collect();
        if !charts.is_empty() {
            let parts = vec![
                Part::Text(recipe.summary.clone()),
                Part::Charts(charts),
                Part::Table(seeds(recipe, record.until_accuracy)),
            ];
            sections.push(Section { heading: recipe.recipe.clone(), parts });
        }
    }
    sections.push(Section { heading: "How it was made".into(), parts: vec![Part::Facts(facts(record))] });
    let machine = &record.machine;
    let subtitle = format!(
        "{} · {} · {} · {}",
        machine.cpu,
        counted(record.threads, "thread"),
        machine.instruction_set,
        machine.os
    );
    let of_values = |recipe: &RecipeRecord| recipe.accuracy.is_none() && recipe.values.is_some();
    let title = match record.recipes.iter().all(of_values) && !record.recipes.is_empty() {
        true => "Errors, reproduced",
        false if record.recipes.iter().all(|recipe| recipe.loss.is_some()) && !record.recipes.is_empty() => {
            "Losses, reproduced"
        }
        false => "Accuracy, reproduced",
    };
    Page { title: title.into(), subtitle, heroes: heroes(record), sections }.to_html()
}

/// Of one recipe its mean beside the target, its time and its seeds; of several how many reached theirs.
fn heroes(record: &ReproduceRecord) -> Vec<Hero> {
    let until = record.until_accuracy;
    let time = |recipe: &RecipeRecord| match until {
        Some(_) => recipe.seconds_to_accuracy,
        None => recipe.train_seconds,
    };
    let [recipe] = &record.recipes[..] else {
        let count = |verdict| record.recipes.iter().filter(|recipe| recipe.verdict == verdict).count();
        let (met, missed) = (count(Verdict::Met), count(Verdict::Missed));
        let tone = if missed > 0 { Tone::Warning } else { Tone::Good };
        let note = format!("{missed} missed");
        let reached = Hero::new("Targets reached", format!("{met} of {}", met + missed), note).toned(tone);
        let runs: usize = record.recipes.iter().map(|recipe| recipe.runs.len()).sum();
        let of = counted(record.recipes.len(), "recipe");
        return vec![reached, Hero::new("Trainings", thousands(runs as u64), format!("of {of}"))];
    };
    let (done, all) = (recipe.runs.len(), recipe.seeds.len());
    let mean = told(recipe).map(|(score, mean)| {
        let note = format!("target {}: {}", goal(recipe, until), recipe.verdict.text());
        Hero::new(&format!("Mean {}", score.name), mean, note).toned(tone(recipe.verdict))
    });
    let (name, note) = match until {
        Some(_) => ("Time to it", "median over the seeds"),
        None => ("Training time", "median over the seeds"),
    };
    let time = time(recipe).map(|seconds| Hero::new(name, duration(seconds), note.into()));
    let spread = told(recipe).map_or(String::new(), |(score, _)| score.interval);
    let spread = if spread.is_empty() { spread } else { format!("95 % interval {spread}") };
    let seeds = Hero::new("Seeds", format!("{done} of {all}"), spread);
    mean.into_iter().chain(time).chain([seeds]).collect()
}

fn summary(record: &ReproduceRecord) -> Vec<Part> {
    let until = record.until_accuracy;
    let text = match until {
        None => {
            "Each recipe was trained from several seeds, and each network tested once, when its training \
             had ended. Nothing was chosen by the test samples."
        }
        Some(_) => {
            "Each training ended after the first epoch with that accuracy on samples set aside from the \
             training samples. The time is that of the training steps up to there, without validation."
        }
    };
    let row = |recipe: &RecipeRecord| {
        let none = || Cell::text("–");
        let [mean, deviation, interval] = match told(recipe) {
            None => [none(), none(), none()],
            Some((score, mean)) => {
                let width = score.estimate.interval.map(|[low, high]| high - low);
                let cell = |text: &str, value: Option<f64>| Cell { value, ..Cell::text(text) };
                [
                    cell(&mean, Some(score.estimate.mean)).with_detail(rmse(recipe)),
                    cell(&score.deviation, score.estimate.deviation),
                    cell(&score.interval, width),
                ]
            }
        };
        let time = if until.is_some() { recipe.seconds_to_accuracy } else { recipe.train_seconds };
        let (done, all) = (recipe.runs.len(), recipe.seeds.len());
        vec![
            Cell::text(&recipe.recipe),
            Cell::text(&recipe.data),
            Cell::number(format!("{done} of {all}"), done as f64),
            mean,
            deviation,
            interval,
            time.map_or(Cell::text("–"), |time| Cell::number(duration(time), time)),
            Cell {
                value: until.or(recipe.target).or(recipe.target_loss),
                ..Cell::text(&goal(recipe, until))
            },
            Cell::text(recipe.verdict.text()).toned(tone(recipe.verdict)),
        ]
    };
    let time = match until {
        None => ("training", "median time of the training steps, without loading and testing"),
        Some(_) => ("time to it", "median over the seeds; one that never comes to it counts as endless"),
    };
    let columns = [
        ("recipe", ""),
        ("data", ""),
        ("seeds", "that are done"),
        (
            "mean",
            "of the test accuracies; where targets are values, of R²; of the losses where the target is one",
        ),
        ("±", "standard deviation of one run; of an accuracy in percent"),
        ("95 % interval", "of the mean, by Student's t"),
        time,
        ("target", "what the mean, or each run, had to reach"),
        ("verdict", ""),
    ];
    let table = Table {
        caption: "Recipes and their targets".into(),
        columns: columns.map(|(title, hint)| Column::new(title, hint)).to_vec(),
        rows: record.recipes.iter().map(row).collect(),
    };
    let mut parts = vec![Part::Text(text.into()), Part::Table(table)];
    let notes: Vec<String> = record.recipes.iter().filter_map(note).collect();
    if !notes.is_empty() {
        parts.push(Part::Notes(notes));
    }
    parts
}

/// The mean RMSE of a recipe whose targets are values: "RMSE 38.58 ± 1.2"; else nothing.
fn rmse(recipe: &RecipeRecord) -> String {
    let rmse = scores(recipe).into_iter().find(|_| recipe.accuracy.is_none() && recipe.values.is_some());
    rmse.map_or(String::new(), |score| format!("RMSE {} {}", score.mean, score.deviation).trim_end().into())
}

fn note(recipe: &RecipeRecord) -> Option<String> {
    let missing = recipe.missing().len();
    let seeds = counted(missing, "seed");
    (missing > 0).then(|| format!("{}: {seeds} missing, so there is no verdict.", recipe.recipe))
}

fn tone(verdict: Verdict) -> Tone {
    match verdict {
        Verdict::Met => Tone::Good,
        Verdict::Missed | Verdict::Unfinished => Tone::Warning,
        Verdict::NoTarget => Tone::Plain,
    }
}

/// All runs of a recipe.
fn seeds(recipe: &RecipeRecord, until: Option<f64>) -> Table {
    let number = |value: Option<f64>, text: fn(f64) -> String| {
        value.map_or(Cell::text("–"), |value| Cell::number(text(value), value))
    };
    let has_values =
        recipe.runs.iter().any(|run| run.test.as_ref().is_some_and(|test| test.values.is_some()));
    let validated = recipe.runs.iter().any(|run| run.validation.is_some()) && !has_values;
    let row = |run: &TrainRecord| {
        let test = run.test.as_ref();
        let mut cells = vec![Cell::number(run.seed.to_string(), run.seed as f64)];
        if has_values {
            let metric = |of: fn(&ValueMetrics) -> f64| test.and_then(|test| test.values.as_ref().map(of));
            cells.extend([
                number(metric(|values| values.rmse), significant),
                number(metric(|values| values.mae), significant),
                number(metric(|values| values.r_squared), part),
            ]);
        } else {
            cells.push(number(test.and_then(|test| test.accuracy), percent));
        }
        cells.push(number(test.map(|test| test.loss), loss));
        if validated {
            cells.push(number(run.validation.as_ref().and_then(|seen| seen.accuracy), percent));
        }
        if let Some(accuracy) = until {
            cells.push(number(time_to(run, accuracy).map(|reached| reached.seconds), duration));
        }
        cells.extend([
            Cell::number(duration(run.train_seconds), run.train_seconds),
            Cell::number(epochs(run), run.epochs_begun() as f64),
            Cell::text(&ended(run)),
        ]);
        cells
    };
    let mut columns = vec![("seed", "")];
    match has_values {
        true => columns.extend([("test RMSE", ""), ("test MAE", ""), ("test R²", "")]),
        false => columns.push(("test accuracy", "")),
    }
    columns.push(("test loss", ""));
    columns.extend(validated.then_some(("validation accuracy", "at the end")));
    columns.extend(until.map(|_| ("time to the accuracy", "of training, without validation")));
    columns.extend([("training time", "without loading and testing"), ("epochs", ""), ("ended", "")]);
    Table {
        caption: format!("{}, seed by seed", recipe.recipe),
        columns: columns.iter().map(|(title, hint)| Column::new(title, hint)).collect(),
        rows: recipe.runs.iter().map(row).collect(),
    }
}

fn ended(run: &TrainRecord) -> String {
    if run.diverged.is_some() { format!("{}; diverged", ending(run)) } else { ending(run) }
}

fn facts(record: &ReproduceRecord) -> Vec<(String, String)> {
    let machine = &record.machine;
    [
        ("Command", record.command.clone()),
        ("Version", record.version.clone()),
        ("Threads", thousands(record.threads as u64)),
        ("Processor", machine.cpu.clone()),
        ("Usable cores", thousands(machine.cores as u64)),
        ("Instruction set", machine.instruction_set.clone()),
        ("System", machine.os.clone()),
    ]
    .map(|(name, value)| (name.to_string(), value))
    .to_vec()
}
