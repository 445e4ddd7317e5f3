//! Lines and tables in a terminal.

use console::style;

use super::numbers::{epochs, named, score, score_name, spread, value};
use crate::report::markup::printable;
use crate::report::numbers::{self, counted, duration, thousands};
use crate::report::table::{self, Side};
use crate::search::{Plan, ScoredBy, SearchMethod, SearchProgress, SearchRecord, TrialRecord, TrialState};

/// Trials in the table of the best.
const BEST: usize = 10;

/// Keys that have a column each; more are left to the page.
const MOST_KEYS: usize = 8;

/// What is about to be searched.
pub fn heading(plan: &Plan, recipe: &str, data: &str) -> String {
    let over =
        |over: &crate::search::Over| format!("  {} = {}\n", printable(&over.key), printable(&over.text));
    let keys: String = plan.space().overs.iter().map(over).collect();
    let [learnt, held] = plan.samples().map(|count| thousands(count as u64));
    let tried = match plan.folds() {
        Some(folds) => format!("each on {}", counted(folds, "fold")),
        None if plan.has_validation_part() => {
            format!("each trained on {learnt} samples and tried on {held} of the validation part")
        }
        None => format!("each trained on {learnt} and tried on {held} of the training samples"),
    };
    let trials = match plan.method() {
        SearchMethod::Halving | SearchMethod::Hyperband => {
            let (settings, trainings) = (plan.settings(), plan.trainings());
            format!("{} in {}", counted(settings, "trial"), counted(trainings, "training"))
        }
        _ => counted(plan.trainings(), "trial"),
    };
    format!(
        "{} on {}: {} search, {trials}, {tried}, {}\n{keys}\n",
        style(printable(recipe)).bold(),
        printable(data),
        plan.method().name(),
        counted(plan.threads(), "thread"),
    )
}

/// A training in one line; numbers stand below each other.
pub fn trial_line(by: ScoredBy, done: SearchProgress, trial: &TrialRecord) -> String {
    let width = done.of.to_string().len();
    let state = match trial.state {
        TrialState::Finished => String::new(),
        TrialState::Stopped => format!("  after {} epochs", epochs(trial)),
        other => format!("  {}", other.text()),
    };
    let score = trial.score.map_or(String::new(), |of| format!("  {} {:>8}", score_name(by), score(by, of)));
    let loss = trial.loss.filter(|_| by != ScoredBy::NegativeLoss);
    let loss = loss.map_or(String::new(), |value| format!("  loss {}", numbers::loss(value)));
    let settings: String = trial.settings.iter().map(|(key, of)| format!("  {key} {}", value(of))).collect();
    format!(
        "{:>width$}/{}  trial {:>width$}{score}{loss}{state}  {:>7}{}\n",
        done.done,
        done.of,
        trial.trial,
        duration(trial.seconds),
        printable(&settings),
    )
}

/// What the search has come to: the best trials, how much each key has to do with it, and the winner.
/// Columns of the table that have no room in `width` are left out.
pub fn result(record: &SearchRecord, width: Option<usize>) -> String {
    if let Some(test) = &record.range_test {
        let exploded = if test.exploded { "where the loss exploded" } else { "the end of the range" };
        let last = test.points.last().map_or(0.0, |point| point.rate);
        return format!(
            "{} from {} to {}, {exploded}; the smoothed loss was least at {}, and had fallen by nine tenths of its \
             fall at {}\nsuggested learning rate, a third of that: {}\n",
            counted(test.points.len(), "step"),
            crate::error::rate(test.points.first().map_or(0.0, |point| point.rate)),
            short(last),
            short(test.least),
            short(test.fallen().unwrap_or(test.least)),
            style(crate::error::rate(test.suggestion)).bold(),
        );
    }
    if record.trials.is_empty() {
        return String::new();
    }
    let mut text = format!("\n{}\n", best(record, width));
    if !record.importance.is_empty() {
        let part =
            |of: &crate::search::importance::Importance| format!("{} {:.0} %", of.key, 100.0 * of.part);
        let parts: Vec<String> = record.importance.iter().map(part).collect();
        text +=
            &format!("variance of the ranks that a key alone explains: {}\n", printable(&parts.join(", ")));
    }
    let states = [TrialState::Stopped, TrialState::Diverged, TrialState::Failed];
    let others: Vec<String> = states
        .into_iter()
        .filter(|&state| record.count(state) > 0)
        .map(|state| format!("{} {}", record.count(state), state.text()))
        .collect();
    let others = if others.is_empty() { String::new() } else { format!(", {}", others.join(", ")) };
    text += &format!("{} finished{others}\n", counted(record.count(TrialState::Finished), "trial"));
    text += &match record.winner() {
        Some(best) => {
            let settings: Vec<String> =
                best.settings.iter().map(|(key, of)| format!("{key} {}", value(of))).collect();
            let score = best.score.map_or(String::new(), |of| named(record.scored_by, of));
            format!(
                "best: trial {}, {score}: {}\n",
                best.trial,
                style(printable(&settings.join(", "))).bold()
            )
        }
        None => "no trial has come to its end with a finite score\n".into(),
    };
    text
}

/// A rate in four digits.
fn short(rate: f64) -> String {
    crate::error::rate(format!("{rate:.3e}").parse().unwrap_or(rate))
}

/// The best trials.
fn best(record: &SearchRecord, width: Option<usize>) -> String {
    let keys: Vec<&str> = record.over.iter().map(|over| over.key.as_str()).take(MOST_KEYS).collect();
    let has_folds = record.trials.iter().any(|trial| trial.deviation.is_some());
    let by = record.scored_by;
    let mut columns = vec![("trial", Side::Right), (score_name(by), Side::Right)];
    if has_folds {
        columns.extend([("±", Side::Left), ("95 % interval", Side::Left)]);
    }
    // Beside a score that is the loss there is none.
    columns.extend((by != ScoredBy::NegativeLoss).then_some(("loss", Side::Right)));
    columns.extend([("epochs", Side::Right), ("time", Side::Right), ("state", Side::Left)]);
    let titles: Vec<String> = keys.iter().map(|key| printable(key)).collect();
    columns.extend(titles.iter().map(|title| (title.as_str(), Side::Left)));
    let row = |trial: &TrialRecord| {
        let mut row = vec![trial.trial.to_string(), trial.score.map_or("-".into(), |of| score(by, of))];
        if has_folds {
            row.extend(spread(record, trial));
        }
        row.extend((by != ScoredBy::NegativeLoss).then(|| trial.loss.map_or("-".into(), numbers::loss)));
        row.extend([epochs(trial), duration(trial.seconds), trial.state.text().into()]);
        let of_key = |key: &&str| trial.settings.get(*key).map_or(String::new(), |of| printable(&value(of)));
        row.extend(keys.iter().map(of_key));
        row
    };
    let rows: Vec<Vec<String>> =
        record.ranked().into_iter().take(BEST).map(|index| row(&record.trials[index])).collect();
    // The settings are what a search is for: they are said of the best below, and stay as long as they have room.
    let yields = |title: &str, index: usize| match title {
        "state" => 1,
        "epochs" => 4,
        "time" => 5,
        "95 % interval" => 6,
        "loss" | "±" => 3,
        _ if index < 2 => 0,
        _ => 2,
    };
    let columns: Vec<table::Column> = columns
        .iter()
        .enumerate()
        .map(|(index, &(title, side))| table::Column { title, side, yields: yields(title, index) })
        .collect();
    table::fitted(&columns, &rows, 0, width, ", --out or --json")
}
