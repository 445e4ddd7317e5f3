//! The page of a search.

use super::charts;
use super::numbers::{epochs, named, score, score_name, spread, value};
use crate::report::numbers::{counted, duration, loss, thousands};
use crate::report::page::{Cell, Column, Hero, Page, Part, Section, Table, Tone};
use crate::search::range_test::RANGE_TEST;
use crate::search::{ScoredBy, SearchRecord, TrialRecord, TrialState};

/// The most trials in the table of a page; the best stay.
const MOST_ROWS: usize = 1000;

/// The page as one HTML file.
pub fn page(record: &SearchRecord) -> String {
    let charts: Vec<_> = charts::all(record).into_iter().map(|(_, chart)| chart).collect();
    let mut sections = vec![Section { heading: "Result".into(), parts: result(record) }];
    if !charts.is_empty() {
        sections[0].parts.push(Part::Charts(charts));
    }
    if !record.trials.is_empty() {
        sections.push(Section { heading: "Trials".into(), parts: vec![Part::Table(trials(record))] });
    }
    if let Some(winner) = &record.winner {
        let text = "Saved as best.toml, it is trained with `fallline train best.toml`.";
        let parts = vec![Part::Text(text.into()), Part::Code(winner.clone())];
        sections.push(Section { heading: "The winner as a recipe".into(), parts });
    }
    sections.push(Section { heading: "How it was made".into(), parts: vec![Part::Facts(facts(record))] });
    let machine = &record.machine;
    let subtitle = format!(
        "{} · {} · {} · {}",
        record.data,
        machine.cpu,
        counted(record.threads, "thread"),
        machine.instruction_set
    );
    let title = match record.method == RANGE_TEST {
        true => format!("{}: learning-rate range test", record.recipe),
        false => format!("{}: search", record.recipe),
    };
    Page { title, subtitle, heroes: heroes(record), sections }.to_html()
}

/// The best score, how many trials there were, and how long they took; of a range test the learning rate that it suggests.
fn heroes(record: &SearchRecord) -> Vec<Hero> {
    if let Some(test) = &record.range_test {
        let note = format!("the smoothed loss was least at {}", crate::error::rate(test.least));
        return vec![Hero::new("Suggested learning rate", crate::error::rate(test.suggestion), note)];
    }
    let best = record.winner().and_then(|best| {
        let value = score(record.scored_by, best.score?);
        Some(Hero::new(
            &format!("Best {}", score_name(record.scored_by)),
            value,
            format!("trial {}", best.trial),
        ))
    });
    let finished = counted(record.count(TrialState::Finished), "trial");
    let trials = thousands(record.trials.len() as u64);
    let trials = Hero::new("Trials", trials, format!("{finished} trained to the end"));
    best.into_iter().chain([trials]).collect()
}

fn result(record: &SearchRecord) -> Vec<Part> {
    if let Some(test) = &record.range_test {
        let end = if test.exploded { "until the loss exploded" } else { "to the end of the range" };
        return vec![Part::Text(format!(
            "The learning rate rose from step to step, {end}. The smoothed loss was least at {:.3e}. It had fallen by nine tenths of \
             its fall at {:.3e}; the suggestion is a third of that: {}.",
            test.least,
            test.fallen().unwrap_or(test.least),
            crate::error::rate(test.suggestion),
        ))];
    }
    let mut parts = Vec::new();
    if let Some(best) = record.winner() {
        let settings: Vec<String> =
            best.settings.iter().map(|(key, of)| format!("{key} {}", value(of))).collect();
        let score = best.score.map_or(String::new(), |of| named(record.scored_by, of));
        let on = match record.scored_by {
            ScoredBy::NegativeLoss => "validation samples",
            _ => "training samples set aside",
        };
        parts.push(Part::Text(format!(
            "Trial {} is the best of {}, with {score} on {on}: {}.",
            best.trial,
            record.trials.len(),
            settings.join(", ")
        )));
    }
    let mut notes = Vec::new();
    if record.incomplete {
        notes.push("The search was interrupted: trials are missing.".to_string());
    }
    for (state, text) in [(TrialState::Diverged, "diverged"), (TrialState::Failed, "could not be trained")] {
        let count = record.count(state);
        if count > 0 {
            notes.push(format!("{} {text}.", counted(count, "trial")));
        }
    }
    if record.count(TrialState::Finished) > 1 {
        notes.push(
            "The best of many is partly the luckiest: on other samples the winner may score a little less."
                .to_string(),
        );
    }
    if !notes.is_empty() {
        parts.push(Part::Notes(notes));
    }
    parts
}

fn trials(record: &SearchRecord) -> Table {
    let number = |value: Option<f64>, text: &dyn Fn(f64) -> String| {
        value.map_or(Cell::text("–"), |value| Cell::number(text(value), value))
    };
    let has_folds = record.trials.iter().any(|trial| trial.deviation.is_some());
    let by = record.scored_by;
    let row = |trial: &TrialRecord| {
        let tone = match trial.state {
            TrialState::Finished | TrialState::Stopped => Tone::Plain,
            TrialState::Diverged | TrialState::Failed => Tone::Warning,
        };
        let tone_of_trial = if record.best == Some(trial.trial) { Tone::Good } else { Tone::Plain };
        let mut cells = vec![
            Cell::number(trial.trial.to_string(), trial.trial as f64).toned(tone_of_trial),
            number(trial.score, &|value| score(by, value)),
        ];
        if has_folds {
            let [deviation, interval] = spread(record, trial);
            cells.push(Cell { value: trial.deviation, ..Cell::text(&deviation) });
            cells.push(Cell { value: trial.interval.map(|[low, high]| high - low), ..Cell::text(&interval) });
        }
        if by != ScoredBy::NegativeLoss {
            cells.push(number(trial.loss, &loss));
        }
        for over in &record.over {
            let found = trial.settings.get(&over.key);
            cells.push(found.map_or(Cell::text("–"), |found| match found.as_f64() {
                Some(number) => Cell::number(value(found), number),
                None => Cell::text(&value(found)),
            }));
        }
        cells.extend([
            Cell::number(epochs(trial), trial.epochs),
            Cell::number(duration(trial.seconds), trial.seconds),
            Cell::text(trial.state.text()).toned(tone).with_detail(trial.reason.clone().unwrap_or_default()),
        ]);
        cells
    };
    let mut columns = vec![Column::new("trial", ""), Column::new(score_name(by), "on the samples set aside")];
    if has_folds {
        columns.push(Column::new("±", "standard deviation of the folds"));
        columns.push(Column::new("95 % interval", "of the mean of the folds, by Student's t"));
    }
    if by != ScoredBy::NegativeLoss {
        columns.push(Column::new("loss", "on the samples set aside"));
    }
    columns.extend(record.over.iter().map(|over| Column::new(&over.key, &over.range)));
    columns.extend([
        Column::new("epochs", "that were trained"),
        Column::new(
            "time",
            "of the training steps, on one thread unless there were fewer trials than threads",
        ),
        Column::new("state", ""),
    ]);
    let rows = record.ranked().into_iter().take(MOST_ROWS).map(|index| row(&record.trials[index])).collect();
    let caption = match record.trials.len() > MOST_ROWS {
        true => {
            format!("The best {} of {}", thousands(MOST_ROWS as u64), counted(record.trials.len(), "trial"))
        }
        false => "All trials, the best first".into(),
    };
    Table { caption, columns, rows }
}

fn facts(record: &SearchRecord) -> Vec<(String, String)> {
    let machine = &record.machine;
    let over = |over: &crate::search::Searched| format!("{}={}", over.key, over.range);
    let over: Vec<String> = record.over.iter().map(over).collect();
    let tried =
        record.folds.map_or("one part of the training samples".to_string(), |folds| counted(folds, "fold"));
    [
        ("Command", record.command.clone()),
        ("Version", record.version.clone()),
        ("Method", record.method.clone()),
        ("Over", over.join(", ")),
        ("Seed of the search", record.seed.to_string()),
        ("Tried on", tried),
        ("Threads", thousands(record.threads as u64)),
        ("Processor", machine.cpu.clone()),
        ("System", machine.os.clone()),
    ]
    .into_iter()
    .filter(|(_, value)| !value.is_empty())
    .map(|(name, value)| (name.to_string(), value))
    .collect()
}
