use super::*;
use crate::report::chart::Chart;
use crate::search::importance::Importance;
use crate::search::{ScoredBy, SearchProgress, Searched, TrialRecord, TrialState};

const HOSTILE: &str = "</td><script>alert(1)</script>\u{1b}[2J";

fn trial(number: usize, rate: f64, score: Option<f64>, state: TrialState) -> TrialRecord {
    let settings = serde_json::json!({ "optimizer.learning_rate": rate, "model.loss": HOSTILE });
    TrialRecord {
        trial: number,
        settings: settings.as_object().unwrap().clone(),
        state,
        score,
        deviation: score.map(|_| 0.01),
        interval: score.map(|score| [score - 0.02, score + 0.02]),
        accuracy: score,
        loss: score.map(|score| 1.0 - score),
        seconds: 1.5,
        epochs: 5.0,
        scores: score.into_iter().collect(),
        reason: (state == TrialState::Diverged).then(|| HOSTILE.into()),
        rungs: Vec::new(),
    }
}

fn record() -> SearchRecord {
    let searched =
        |key: &str, ordered| Searched { key: key.into(), range: "1..2".into(), ordered, log: ordered };
    let recipe = crate::Recipe::built_in("digits-mlp").unwrap();
    let machine = crate::train::machine::Machine::current();
    SearchRecord {
        schema: crate::search::SEARCH_SCHEMA.into(),
        version: "0".into(),
        command: "fallline search".into(),
        machine,
        threads: 2,
        recipe: HOSTILE.into(),
        base: recipe.to_toml(),
        data: "digits".into(),
        method: "random".into(),
        seed: 1,
        asked: 4,
        folds: Some(3),
        scored_by: ScoredBy::Accuracy,
        over: vec![searched("optimizer.learning_rate", true), searched("model.loss", false)],
        trials: vec![
            trial(1, 1e-3, Some(0.97), TrialState::Finished),
            trial(2, 1e-2, Some(0.98), TrialState::Finished),
            trial(3, 1e-1, Some(0.99), TrialState::Stopped),
            trial(4, 10.0, None, TrialState::Diverged),
        ],
        best: Some(2),
        winner: Some(recipe.to_toml()),
        importance: vec![Importance { key: "optimizer.learning_rate".into(), part: 0.75 }],
        range_test: None,
        incomplete: false,
    }
}

#[test]
fn the_table_has_the_best_first_and_names_the_winner() {
    let text = result(&record(), None);
    let place = |what: &str| text.find(what).unwrap_or_else(|| panic!("{what} in {text}"));
    assert!(place("98.00 %") < place("97.00 %") && place("97.00 %") < place("99.00 %"), "{text}");
    assert!(text.contains("± 1.00 %") && text.contains("96.00 to 100.00 %"), "{text}");
    assert!(text.contains("2 trials finished, 1 stopped, 1 diverged"), "{text}");
    assert!(text.contains("best: trial 2, accuracy 98.00 %"), "{text}");
    assert!(text.contains("learning_rate 75 %"), "{text}");
    assert!(!text.contains("\u{1b}[2J"), "{text}");
    let done = SearchProgress { done: 3, of: 30, best: None };
    let line = trial_line(ScoredBy::Accuracy, done, &record().trials[0]);
    assert!(line.starts_with(" 3/30  trial  1  accuracy  97.00 %  loss 0.0300"), "{line}");
}

#[test]
fn the_page_has_charts_and_keeps_hostile_names_harmless() {
    let record = record();
    let html = page(&record);
    assert!(html.contains("data-charts=\"3\""), "parallel, importance, trials");
    assert!(!html.contains("<script>alert") && html.contains("The winner as a recipe"));
    let folder = tempfile::tempdir().unwrap();
    let written = write(folder.path(), &record).unwrap();
    assert_eq!(written.len(), 2);
    let best = std::fs::read_to_string(folder.path().join(BEST)).unwrap();
    assert_eq!(crate::Recipe::parse(&best, "best").unwrap().to_toml(), best);
    for name in ["search.json", "report.html", "parallel.svg", "parallel.png", "importance.svg", "trials.png"]
    {
        assert!(folder.path().join(name).is_file(), "{name}");
    }
}

#[test]
fn a_trial_is_a_line_from_its_settings_to_its_score() {
    let charts = charts::all(&record());
    let Chart::Parallel(chart) = &charts[0].1 else { panic!("{charts:?}") };
    let lines: Vec<(f64, f64, usize)> =
        chart.lines.iter().map(|line| (line.values[0], line.values[2], line.series)).collect();
    assert_eq!(lines, [(1e-2, 0.98, 0), (1e-3, 0.97, 1), (1e-1, 0.99, 2)]);
}

/// The score is the loss with the other sign; what is shown has its own.
#[test]
fn a_search_by_the_loss_shows_losses() {
    let mut record = SearchRecord { scored_by: ScoredBy::NegativeLoss, ..record() };
    for trial in &mut record.trials {
        (trial.score, trial.deviation, trial.interval) = (trial.loss.map(|loss| -loss), None, None);
    }
    let text = result(&record, None);
    let place = |what: &str| text.find(what).unwrap_or_else(|| panic!("{what} in {text}"));
    assert!(place("0.0200") < place("0.0300"), "{text}");
    assert!(text.contains("best: trial 2, loss 0.0200: ") && !text.contains("-0.0"), "{text}");
    let done = SearchProgress { done: 3, of: 30, best: None };
    let line = trial_line(record.scored_by, done, &record.trials[0]);
    assert!(line.starts_with(" 3/30  trial  1  loss   0.0300    1.5 s"), "{line}");
    let html = page(&record);
    assert!(html.contains("with loss 0.0200 on validation samples"));
    let json = serde_json::to_string(&record).unwrap();
    assert!(json.contains(r#""scored_by":"negative_loss""#), "{json}");
}
