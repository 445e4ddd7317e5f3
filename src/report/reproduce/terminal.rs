//! Lines and tables in a terminal.

use console::style;

use super::numbers::{Score, goal, scores, told};
use crate::report::markup::printable;
use crate::report::metrics::score;
use crate::report::numbers::{counted, duration, loss, percent};
use crate::report::run::{ending, epochs};
use crate::report::table::{self, Side};
use crate::train::TrainRecord;
use crate::train::reproduce::{RecipeRecord, ReproduceRecord, Verdict, time_to};

/// The most missing seeds that are named.
const MOST_NAMED: usize = 10;

/// The heading before a recipe's trainings.
pub fn heading(recipe: &RecipeRecord, threads: usize, until: Option<f64>) -> String {
    let summary = if recipe.summary.is_empty() { String::new() } else { format!(": {}", recipe.summary) };
    let goal = match (until, recipe.target.or(recipe.target_loss)) {
        (None, None) => "no target".to_string(),
        (Some(_), _) => format!("until {}", goal(recipe, until)),
        (None, Some(_)) => format!("target {}", goal(recipe, until)),
    };
    let first = recipe.seeds.first().map_or(String::new(), |seed| format!(" from {seed} on"));
    format!(
        "{}{}\n{}{first}, {}, {goal}\n",
        style(printable(&recipe.recipe)).bold(),
        printable(&summary),
        counted(recipe.seeds.len(), "seed"),
        counted(threads, "thread"),
    )
}

/// The result of a run in one line; numbers stand below each other.
pub fn seed_line(recipe: &RecipeRecord, run: &TrainRecord, until: Option<f64>) -> String {
    let width = recipe.seeds.iter().map(|seed| seed.to_string().len()).max().unwrap_or(1);
    let mut line = format!("seed {:>width$}", run.seed);
    if let Some(accuracy) = until {
        let best = run.epochs.iter().filter_map(|epoch| epoch.validation_accuracy).fold(0.0, f64::max);
        line += &match time_to(run, accuracy) {
            Some(reached) => format!(
                "  validation accuracy {:>8} in {:>7}",
                percent(reached.accuracy),
                duration(reached.seconds)
            ),
            None => format!("  validation accuracy {:>8} at best", percent(best)),
        };
    }
    line += &match run.test.as_ref().map(|test| (test.accuracy, test)) {
        Some((_, test)) if recipe.loss.is_some() => {
            let accuracy =
                test.accuracy.map_or(String::new(), |part| format!(", accuracy {:>8}", percent(part)));
            format!("  loss {}{accuracy}", loss(test.loss))
        }
        Some((Some(accuracy), _)) => format!("  test accuracy {:>8}", percent(accuracy)),
        Some((None, test)) => format!("  {}", score(test, "test ")),
        None => String::new(),
    };
    let time = duration(run.train_seconds);
    let diverged = if run.diverged.is_some() { ", diverged" } else { "" };
    line + &format!("  {time:>7}  {}: {}{diverged}\n", epochs(run), ending(run))
}

/// The result of all seeds, with the verdict.
pub fn result(recipe: &RecipeRecord, until: Option<f64>) -> String {
    let mut text = String::new();
    let lines = scores(recipe).into_iter().map(|Score { name, mean, deviation, interval, .. }| {
        let around = format!(" {deviation} (standard deviation), 95 % interval of the mean {interval}");
        format!("mean {name} {mean}{}", if interval.is_empty() { "" } else { &around })
    });
    let lines: Vec<String> = lines.collect();
    if !lines.is_empty() {
        let seconds = recipe.train_seconds.map(|time| format!("; training {} (median)", duration(time)));
        text += &format!("{}{}\n", lines.join("\n"), seconds.unwrap_or_default());
    }
    let target = goal(recipe, until);
    text += &match (recipe.verdict, until) {
        (Verdict::Unfinished, _) => {
            format!("{}: {}\n", coloured(recipe.verdict), seeds(&recipe.missing()) + " missing")
        }
        (verdict, Some(accuracy)) => {
            let reached = recipe.runs.iter().filter(|run| time_to(run, accuracy).is_some()).count();
            let median = recipe.seconds_to_accuracy.map_or("never".to_string(), duration);
            let seeds = recipe.seeds.len();
            format!("{target} in {reached} of {seeds} seeds, median {median}: {}\n", coloured(verdict))
        }
        (Verdict::NoTarget, None) => "no target to compare with: the recipe names none\n".into(),
        (verdict, None) => format!("target {target}: {}\n", coloured(verdict)),
    };
    text
}

fn coloured(verdict: Verdict) -> String {
    let text = style(verdict.text()).bold();
    match verdict {
        Verdict::Met => text.green().to_string(),
        Verdict::Missed => text.red().to_string(),
        Verdict::NoTarget => verdict.text().to_string(),
        Verdict::Unfinished => text.yellow().to_string(),
    }
}

/// Seeds in words: "seed 3", "seeds 3, 4, 5".
fn seeds(seeds: &[u64]) -> String {
    let named: Vec<String> = seeds.iter().take(MOST_NAMED).map(u64::to_string).collect();
    let more = if seeds.len() > MOST_NAMED {
        format!(" and {} more", seeds.len() - MOST_NAMED)
    } else {
        String::new()
    };
    format!("seed{} {}{more}", if seeds.len() == 1 { "" } else { "s" }, named.join(", "))
}

/// All recipes side by side, a line each; columns that have no room in `width` are left out.
pub fn table(record: &ReproduceRecord, width: Option<usize>) -> String {
    let until = record.until_accuracy;
    let row = |recipe: &RecipeRecord| {
        let (deviation, interval, mean) = told(recipe)
            .map_or_else(Default::default, |(score, mean)| (score.deviation, score.interval, mean));
        let time = if until.is_some() { recipe.seconds_to_accuracy } else { recipe.train_seconds };
        vec![
            printable(&recipe.recipe),
            format!("{}/{}", recipe.runs.len(), recipe.seeds.len()),
            mean,
            deviation,
            interval,
            time.map_or("-".into(), duration),
            goal(recipe, until),
            coloured(recipe.verdict),
        ]
    };
    let time = if until.is_some() { "time to it" } else { "training" };
    let columns = [
        ("recipe", Side::Left, 0),
        ("seeds", Side::Right, 2),
        ("mean", Side::Right, 0),
        ("±", Side::Left, 3),
        ("95 % interval", Side::Left, 4),
        (time, Side::Right, 1),
        ("target", Side::Right, 0),
        ("verdict", Side::Left, 0),
    ]
    .map(|(title, side, yields)| table::Column { title, side, yields });
    let rows: Vec<Vec<String>> = record.recipes.iter().map(row).collect();
    table::fitted(&columns, &rows, 0, width, ", --out or --json")
}

/// The missing seeds of a reproduction that was interrupted by Ctrl-C or a signal of this name, a line for each
/// recipe; empty if it is complete.
pub fn missing(record: &ReproduceRecord, by: &str) -> String {
    let line = |recipe: &RecipeRecord| {
        let missing = recipe.missing();
        let (done, all) = (recipe.runs.len(), recipe.seeds.len());
        let name = printable(&recipe.recipe);
        (!missing.is_empty())
            .then(|| format!("  {name}: {done} of {all} done, {} missing\n", seeds(&missing)))
    };
    let lines: String = record.recipes.iter().filter_map(line).collect();
    if lines.is_empty() { lines } else { format!("interrupted by {by}; what is done is kept:\n{lines}") }
}
