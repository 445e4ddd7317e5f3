//! The charts of a benchmark.

use super::lines::{has_lines, threads_text};
use super::tasks::{Task, distinct, frameworks, sorted};
use super::{machine, tasks};
use crate::bench::record::{BenchRecord, CaseRecord};
use crate::report::chart::{
    Axis, BarChart, Bars, Chart, HeatMap, LineChart, Point, Scale, Series, Shade, Unit,
};
use crate::report::markup::Stems;
use crate::stats::{Summary, median};

/// Charts that belong together.
#[derive(Clone, Debug, PartialEq)]
pub struct Group {
    pub heading: &'static str,
    /// How to read the charts.
    pub text: &'static str,
    /// The charts, each with the stem of its file's name, all different.
    pub charts: Vec<(String, Chart)>,
}

pub(super) const MACHINE: &str = "The machine";

/// All charts of a record. A chart that would show nothing is left out, and so is an empty group.
pub fn groups(record: &BenchRecord) -> Vec<Group> {
    let (tasks, frameworks) = (tasks(record), frameworks(record));
    let of_tasks = |charts: &dyn Fn(&Task) -> Vec<Chart>| tasks.iter().flat_map(charts).collect();
    let groups: [(&str, &str, Vec<Chart>); 5] = [
        (
            "Throughput against batch size",
            "Training steps, forward to update. Whiskers are the 95 % intervals of the medians.",
            of_tasks(&throughput),
        ),
        (
            "Fraction of peak",
            "Floating-point operations of the model over the multiply-add peak measured on as many \
             threads in the same run.",
            of_tasks(&|task| heat_map(task).into_iter().collect()),
        ),
        (
            "Scaling",
            "Throughput over that of one thread times the threads. With several optimizers: their \
             median, and whiskers from the least to the most.",
            of_tasks(&|task| scaling(task).into_iter().collect()),
        ),
        (
            "Side by side with other frameworks",
            "The same network, data, batch size, optimizer and threads, measured in turns.",
            of_tasks(&|task| peers(task, &frameworks)),
        ),
        (MACHINE, "", record.calibration.as_ref().map(machine::charts).unwrap_or_default()),
    ];
    let mut stems = Stems::default();
    let named = |(heading, text, charts): (&'static str, &'static str, Vec<Chart>)| {
        let mut name = |chart: Chart| (stems.of(chart.title()), chart);
        let charts = charts.into_iter().map(&mut name).collect();
        Group { heading, text, charts }
    };
    let mut groups: Vec<Group> = groups.into_iter().map(named).collect();
    groups.retain(|group| !group.charts.is_empty());
    groups
}

fn point(x: usize, summary: &Summary) -> Point {
    Point { x: x as f64, y: summary.median, low: summary.low, high: summary.high }
}

/// One chart for each number of threads, a line for each optimizer.
fn throughput(task: &Task) -> Vec<Chart> {
    let own = task.own();
    let chart = |threads: usize| {
        let cases: Vec<&CaseRecord> = own.iter().copied().filter(|case| case.threads == threads).collect();
        let series = distinct(&cases, |case| task.rule(case)).into_iter().map(|name| {
            let mut points: Vec<Point> = cases
                .iter()
                .filter(|case| task.rule(case) == name)
                .map(|case| point(case.batch, &case.samples_per_second))
                .collect();
            points.sort_by(|a, b| a.x.total_cmp(&b.x));
            Series { name, points }
        });
        let chart = LineChart {
            title: format!("{}: throughput, {}", task.name, threads_text(threads)),
            x: Axis::new("batch size").on(Scale::Log2),
            y: Axis::new("samples/s").from_zero(),
            series: series.collect(),
        };
        has_lines(&chart).then_some(Chart::Lines(chart))
    };
    sorted(&own, |case| case.threads).into_iter().filter_map(chart).collect()
}

/// The scaling with threads: a line for each batch size.
fn scaling(task: &Task) -> Option<Chart> {
    let own = task.own();
    let threads = sorted(&own, |case| case.threads);
    let series = |batch: usize| {
        let point = |&threads: &usize| {
            let cases = own.iter().filter(|case| case.batch == batch && case.threads == threads);
            let values: Vec<f64> = cases.filter_map(|case| case.scaling_efficiency).collect();
            let low = values.iter().copied().fold(f64::INFINITY, f64::min);
            let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let y = median(&values);
            (!values.is_empty()).then_some(Point { x: threads as f64, y, low, high })
        };
        Series { name: format!("batch {batch}"), points: threads.iter().filter_map(point).collect() }
    };
    let chart = LineChart {
        title: format!("{}: scaling efficiency", task.name),
        x: Axis::new("threads").on(Scale::Log2),
        y: Axis::new("throughput over threads times that of one").in_unit(Unit::Percent),
        series: sorted(&own, |case| case.batch).into_iter().map(series).collect(),
    };
    has_lines(&chart).then_some(Chart::Lines(chart))
}

/// The heat map of a task: optimizers and threads down, batch sizes across.
fn heat_map(task: &Task) -> Option<Chart> {
    let own = task.own();
    let batches = sorted(&own, |case| case.batch);
    let mut rows = distinct(&own, |case| (task.rule(case), case.threads));
    rows.sort_by_key(|(_, threads)| *threads);
    let cell = |row: &(String, usize), batch: usize| {
        let mut cases = own.iter();
        let is_it = |case: &&&CaseRecord| (task.rule(case), case.threads) == *row && case.batch == batch;
        let fraction = cases.find(is_it)?.fraction_of_peak.median;
        Some(Shade { depth: fraction, text: format!("{:.0} %", 100.0 * fraction) })
    };
    let cells = rows.iter().map(|row| batches.iter().map(|&batch| cell(row, batch)).collect());
    let name = |(rule, threads): &(String, usize)| format!("{rule}, {}", threads_text(*threads));
    let chart = HeatMap {
        title: format!("{}: fraction of peak", task.name),
        x_label: "batch size".into(),
        y_label: String::new(),
        columns: batches.iter().map(usize::to_string).collect(),
        rows: rows.iter().map(name).collect(),
        cells: cells.collect(),
    };
    // A single cell is a number, not a map.
    (own.len() > 1).then_some(Chart::Heat(chart))
}

/// One chart for each optimizer and number of threads, a group of bars for each batch size.
fn peers(task: &Task, frameworks: &[&str]) -> Vec<Chart> {
    let rows = task.side_by_side(frameworks);
    let first = |row: &Vec<Option<&CaseRecord>>| {
        row.iter().flatten().next().map(|case| (case.threads, task.rule(case)))
    };
    let mut keys: Vec<(usize, String)> = Vec::new();
    for key in rows.iter().filter_map(first) {
        if !keys.contains(&key) {
            keys.push(key);
        }
    }
    let chart = |key: &(usize, String)| {
        let mut rows: Vec<_> = rows.iter().filter(|row| first(row).as_ref() == Some(key)).collect();
        let batch = |row: &[Option<&CaseRecord>]| row.iter().flatten().next().map_or(0, |case| case.batch);
        rows.sort_by_key(|row| batch(row));
        let bars = |(index, name): (usize, &&str)| {
            let value = |case: &CaseRecord| point(case.batch, &case.samples_per_second);
            let values: Vec<Option<Point>> = rows.iter().map(|row| row[index].map(value)).collect();
            values.iter().any(Option::is_some).then(|| Bars { name: name.to_string(), values })
        };
        Chart::Bars(BarChart {
            title: format!("{}: {}, {}, side by side", task.name, key.1, threads_text(key.0)),
            x_label: "batch size".into(),
            y: Axis::new("samples/s"),
            groups: rows.iter().map(|row| batch(row).to_string()).collect(),
            series: frameworks.iter().enumerate().filter_map(bars).collect(),
        })
    };
    keys.iter().map(chart).collect()
}
