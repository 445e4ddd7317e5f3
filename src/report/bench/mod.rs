//! What people see of a benchmark. Everything is made from its record alone.

mod charts;
mod csv;
mod machine;
mod page;
mod terminal;

pub use charts::{Group, groups};
pub use csv::csv;
pub use page::page;
pub use terminal::table;

use std::path::Path;

use super::chart::Chart;
use super::markup::printable;
use crate::atomic_file;
use crate::bench::record::{BenchRecord, CaseRecord, FALLLINE};
use crate::error::{Error, Result};

/// Outside of a table, more than this part of the time at barriers is worth a look.
const MUCH_WAITING: f64 = 0.2;

/// An interval wider than this part of its median is worth a look.
const WIDE_INTERVAL: f64 = 0.1;

/// All charts of a record, each with the stem of its file's name; none without values.
pub fn charts(record: &BenchRecord) -> Vec<(String, Chart)> {
    groups(record).into_iter().flat_map(|group| group.charts).collect()
}

/// Writes `report.html`, `cases.csv`, and every chart as SVG and PNG into a folder, which is made if
/// it is missing.
///
/// # Errors
/// [`Error::Io`]
pub fn write_all(folder: &Path, record: &BenchRecord) -> Result<()> {
    std::fs::create_dir_all(folder).map_err(Error::io(folder, "create"))?;
    let write =
        |name: &str, content: &[u8]| atomic_file::write(&folder.join(name), |file| file.write_all(content));
    write("report.html", page(record).as_bytes())?;
    write("cases.csv", csv(record).as_bytes())?;
    for (stem, chart) in charts(record) {
        write(&format!("{stem}.svg"), chart.to_svg().as_bytes())?;
        write(&format!("{stem}.png"), &chart.to_png())?;
    }
    Ok(())
}

/// Different values in the order of their first appearance.
fn distinct<'a, T: PartialEq>(cases: &[&'a CaseRecord], value: impl Fn(&'a CaseRecord) -> T) -> Vec<T> {
    let mut values = Vec::new();
    for case in cases {
        let value = value(case);
        if !values.contains(&value) {
            values.push(value);
        }
    }
    values
}

/// As [`distinct`], and sorted.
fn sorted(cases: &[&CaseRecord], value: impl Fn(&CaseRecord) -> usize) -> Vec<usize> {
    let mut values = distinct(cases, value);
    values.sort_unstable();
    values
}

/// The cases of one network on one data set.
struct Task<'a> {
    recipe: &'a str,
    data: &'a str,
    /// Ours first, those of other frameworks behind.
    cases: Vec<&'a CaseRecord>,
    /// The name, with the data where one recipe was measured on several sets.
    name: String,
    precisions: usize,
}

impl<'a> Task<'a> {
    fn own(&self) -> Vec<&'a CaseRecord> {
        self.cases.iter().copied().filter(|case| case.framework == FALLLINE).collect()
    }

    /// Our optimizers, with their precision where there is more than one.
    fn rule(&self, case: &CaseRecord) -> String {
        if self.precisions > 1 {
            printable(&format!("{} {}", case.optimizer, case.precision))
        } else {
            printable(&case.optimizer)
        }
    }

    /// What stands side by side: groups of cases that differ in their framework alone, and have at
    /// least one of another one. `[group][frameworks(self)]`
    fn side_by_side(&self, frameworks: &[&str]) -> Vec<Vec<Option<&'a CaseRecord>>> {
        let key = |case: &'a CaseRecord| (&case.optimizer, &case.precision, case.batch, case.threads);
        let row = |wanted| {
            let find = |framework: &&str| {
                let mut cases = self.cases.iter().copied();
                cases.find(|&case| key(case) == wanted && case.framework == **framework)
            };
            frameworks.iter().map(find).collect::<Vec<_>>()
        };
        let rows = distinct(&self.cases, key).into_iter().map(row);
        rows.filter(|row| row.iter().flatten().any(|case| case.framework != FALLLINE)).collect()
    }
}

/// Networks in the order in which they were measured.
fn tasks(record: &BenchRecord) -> Vec<Task<'_>> {
    let all: Vec<&CaseRecord> = record.cases.iter().collect();
    let keys = distinct(&all, |case| (case.recipe.as_str(), case.data.as_str()));
    let mut tasks = Vec::new();
    for &(recipe, data) in &keys {
        let is_of_task = |case: &&CaseRecord| case.recipe == recipe && case.data == data;
        let mut cases: Vec<&CaseRecord> = all.iter().copied().filter(is_of_task).collect();
        cases.sort_by_key(|case| case.framework != FALLLINE);
        let is_alone = keys.iter().filter(|(other, _)| *other == recipe).count() == 1;
        let name = if is_alone { recipe.to_string() } else { format!("{recipe} on {data}") };
        let precisions = distinct(&cases, |case| &case.precision).len();
        tasks.push(Task { recipe, data, cases, name, precisions });
    }
    tasks
}

/// All frameworks of a record, ours first.
fn frameworks(record: &BenchRecord) -> Vec<&str> {
    let all: Vec<&CaseRecord> = record.cases.iter().collect();
    let mut names = distinct(&all, |case| case.framework.as_str());
    names.sort_by_key(|name| *name != FALLLINE);
    names
}

/// How many times as fast as another framework we are.
struct Ratio<'a> {
    framework: &'a str,
    /// The geometric mean over the cases that both have.
    mean: f64,
    least: f64,
    most: f64,
    cases: usize,
}

impl Ratio<'_> {
    /// "fallline is 1.64 times as fast as pytorch-eager (15 cases, 1.21 to 2.30 times)"
    fn sentence(&self) -> String {
        let Ratio { framework, mean, least, most, cases } = self;
        let framework = printable(framework);
        let range = if *cases == 1 {
            "one case".to_string()
        } else {
            format!("geometric mean of {cases} cases, from {least:.2} to {most:.2}")
        };
        format!("{FALLLINE} is {mean:.2} times as fast as {framework} ({range})")
    }
}

/// One for each other framework that shares a case with us.
fn ratios(record: &BenchRecord) -> Vec<Ratio<'_>> {
    let tasks = tasks(record);
    let others = frameworks(record).into_iter().filter(|name| *name != FALLLINE);
    let ratio = |framework| {
        let groups = tasks.iter().flat_map(|task| task.side_by_side(&[FALLLINE, framework]));
        let ratios: Vec<f64> = groups.filter_map(|group| ratio(group[0]?, group[1]?)).collect();
        let mean = (ratios.iter().map(|ratio| ratio.ln()).sum::<f64>() / ratios.len() as f64).exp();
        let least = ratios.iter().copied().fold(f64::INFINITY, f64::min);
        let most = ratios.iter().copied().fold(0.0, f64::max);
        (!ratios.is_empty()).then_some(Ratio { framework, mean, least, most, cases: ratios.len() })
    };
    others.filter_map(ratio).collect()
}

/// How many times as fast our case is; `None` if one of them stands still.
fn ratio(own: &CaseRecord, other: &CaseRecord) -> Option<f64> {
    let ratio = own.samples_per_second.median / other.samples_per_second.median;
    (ratio.is_finite() && ratio > 0.0).then_some(ratio)
}

/// What makes a case doubtful, or worth a look; empty if nothing does.
fn doubts(case: &CaseRecord) -> Vec<String> {
    let speed = &case.samples_per_second;
    let mut doubts = Vec::new();
    if speed.outliers > 0 {
        doubts.push(format!("{} of {} runs far from the median", speed.outliers, speed.runs.len()));
    }
    if speed.high - speed.low > WIDE_INTERVAL * speed.median {
        let width = 100.0 * (speed.high - speed.low) / speed.median;
        doubts.push(format!("an interval of {width:.0} % of the median"));
    }
    if let Some(waiting) = case.waiting.filter(|waiting| *waiting > MUCH_WAITING) {
        doubts.push(format!("{:.0} % of the time at barriers", 100.0 * waiting));
    }
    doubts
}
