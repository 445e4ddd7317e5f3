//! The charts of a search.

use serde_json::Value;

use super::numbers::{score_name, value};
use crate::report::chart::{
    Axis, BarChart, Bars, Chart, Coordinate, LineChart, ParallelChart, ParallelLine, Point, Scale, Series,
    Unit,
};
use crate::search::{RangeTest, ScoredBy, SearchRecord, Searched, TrialRecord, TrialState};

/// One of so many trials is among the best.
const BEST: usize = 10;

/// The most axes of parallel coordinates, the score's among them.
const MOST_AXES: usize = 12;

/// The most lines of parallel coordinates; the best stay.
const MOST_LINES: usize = 1000;

/// All charts, each with the stem of its file's name.
pub fn all(record: &SearchRecord) -> Vec<(&'static str, Chart)> {
    if let Some(test) = &record.range_test {
        return vec![("rates", rates(test))];
    }
    let mut charts = Vec::new();
    if record.trials.iter().any(|trial| trial.score.is_some()) {
        charts.push(("parallel", parallel(record)));
        charts.extend(importance(record).map(|chart| ("importance", chart)));
        charts.push(("trials", course(record)));
    }
    charts
}

fn score_axis(record: &SearchRecord) -> Axis {
    let axis = Axis::new(score_name(record.scored_by));
    if record.scored_by == ScoredBy::Accuracy { axis.in_unit(Unit::Percent) } else { axis }
}

/// A line for each trial through its settings and its score.
fn parallel(record: &SearchRecord) -> Chart {
    let keys = &record.over[..record.over.len().min(MOST_AXES - 1)];
    let axes: Vec<Coordinate> = keys.iter().map(|searched| coordinate(searched, &record.trials)).collect();
    let scored: Vec<usize> =
        record.ranked().into_iter().filter(|&index| record.trials[index].score.is_some()).collect();
    let best = scored.len().div_ceil(BEST);
    let class = |rank: usize| match rank {
        rank if rank < best => 0,
        rank if rank < scored.len().div_ceil(2) => 1,
        _ => 2,
    };
    let line = |(rank, &index): (usize, &usize)| {
        let trial = &record.trials[index];
        let of_key = |(searched, axis): (&Searched, &Coordinate)| {
            let found = trial.settings.get(&searched.key)?;
            match axis {
                Coordinate::Numbers(_) => found.as_f64(),
                Coordinate::Names { names, .. } => {
                    names.iter().position(|name| *name == value(found)).map(|index| index as f64)
                }
            }
        };
        let values = keys.iter().zip(&axes).map(|pair| of_key(pair).unwrap_or(f64::NAN));
        ParallelLine {
            values: values.chain(trial.score.map(|score| record.scored_by.shown(score))).collect(),
            series: class(rank),
        }
    };
    let lines = scored.iter().take(MOST_LINES).enumerate().map(line).collect();
    let score = Coordinate::Numbers(score_axis(record));
    let series = ["the best tenth", "the better half", "the others"].map(String::from).to_vec();
    let title = "What each trial was, and what it came to".into();
    Chart::Parallel(ParallelChart { title, axes: axes.into_iter().chain([score]).collect(), series, lines })
}

/// The axis of a key: of numbers in an order, or of names.
fn coordinate(searched: &Searched, trials: &[TrialRecord]) -> Coordinate {
    if searched.ordered {
        let scale = if searched.log { Scale::Log10 } else { Scale::Linear };
        return Coordinate::Numbers(Axis::new(&searched.key).on(scale));
    }
    let mut found: Vec<&Value> = Vec::new();
    for of in trials.iter().filter_map(|trial| trial.settings.get(&searched.key)) {
        if !found.contains(&of) {
            found.push(of);
        }
    }
    // Numbers in their order, names in that of the alphabet.
    found.sort_by(|a, b| match a.as_f64().zip(b.as_f64()) {
        Some((a, b)) => a.total_cmp(&b),
        None => value(a).cmp(&value(b)),
    });
    Coordinate::Names { label: searched.key.clone(), names: found.into_iter().map(value).collect() }
}

fn importance(record: &SearchRecord) -> Option<Chart> {
    let values = record.importance.iter().map(|of| Some(Point::new(0.0, of.part))).collect();
    // Of few trials chance explains as much.
    record.importance.iter().any(|of| of.part > 0.0).then(|| {
        Chart::Bars(BarChart {
            title: "How much of the ranks each key alone explains".into(),
            x_label: "key".into(),
            y: Axis::new("part of the variance, adjusted for chance").in_unit(Unit::Percent),
            groups: record.importance.iter().map(|of| of.key.clone()).collect(),
            series: vec![Bars { name: "keys".into(), values }],
        })
    })
}

/// The score of each trial, and the best of those that were trained to their end.
fn course(record: &SearchRecord) -> Chart {
    let shown = |score| record.scored_by.shown(score);
    let mark = |trial: &TrialRecord| {
        let x = trial.trial as f64;
        [Point::new(x, trial.score.map_or(f64::NAN, shown)), Point::new(x, f64::NAN)]
    };
    let of = |state: TrialState| record.trials.iter().filter(move |trial| trial.state == state);
    let mut best = f64::NEG_INFINITY;
    let so_far = of(TrialState::Finished).filter_map(|trial| {
        best = best.max(trial.score?);
        Some(Point::new(trial.trial as f64, shown(best)))
    });
    let series = [
        ("a finished trial", of(TrialState::Finished).flat_map(mark).collect::<Vec<_>>()),
        ("the best so far", so_far.collect()),
        ("a stopped trial", of(TrialState::Stopped).flat_map(mark).collect()),
    ];
    let series = series
        .into_iter()
        .filter(|(_, points)| !points.is_empty())
        .map(|(name, points)| Series { name: name.into(), points })
        .collect();
    let x = Axis::new("trial").in_unit(Unit::Whole);
    Chart::Lines(LineChart { title: "Trial by trial".into(), x, y: score_axis(record), series })
}

/// The loss against the learning rate, and the two rates that matter.
fn rates(test: &RangeTest) -> Chart {
    let line = |of: fn(&crate::search::RatePoint) -> f64| {
        test.points.iter().map(|point| Point::new(point.rate, of(point))).collect::<Vec<_>>()
    };
    let losses = || test.points.iter().map(|point| point.smoothed);
    let [low, high] = [losses().fold(f64::INFINITY, f64::min), losses().fold(f64::NEG_INFINITY, f64::max)];
    let upright = |rate: f64| vec![Point::new(rate, low), Point::new(rate, high)];
    let series = vec![
        Series { name: "loss of each batch".into(), points: thinned(line(|point| point.loss), high) },
        Series { name: "smoothed loss".into(), points: line(|point| point.smoothed) },
        Series { name: "suggestion".into(), points: upright(test.suggestion) },
    ];
    let x = Axis::new("learning rate").on(Scale::Log10);
    let title = "Loss against learning rate".into();
    Chart::Lines(LineChart { title, x, y: Axis::new("loss"), series })
}

/// The points that lie not far above the smoothed line, which would be flat beside them otherwise.
fn thinned(points: Vec<Point>, high: f64) -> Vec<Point> {
    let room = if high > 0.0 { 1.25 * high } else { 0.8 * high };
    points
        .into_iter()
        .map(|point| if point.y > room { Point::new(point.x, f64::NAN) } else { point })
        .collect()
}
