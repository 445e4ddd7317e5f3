//! Measured cases by task, framework and ratio.

use std::collections::BTreeSet;

use crate::bench::record::{BenchRecord, CaseRecord, FALLLINE};
use crate::report::markup::printable;

/// The part of the time at barriers from which a case is marked outside of a table.
pub(super) const MUCH_WAITING: f64 = 0.2;

/// The width of an interval, as a part of its median, from which a case is marked.
pub(super) const WIDE_INTERVAL: f64 = 0.1;

/// Different values in the order of their first appearance.
pub(super) fn distinct<'a, T: PartialEq>(
    cases: &[&'a CaseRecord],
    value: impl Fn(&'a CaseRecord) -> T,
) -> Vec<T> {
    let mut values = Vec::new();
    for case in cases {
        let value = value(case);
        if !values.contains(&value) {
            values.push(value);
        }
    }
    values
}

/// The [`distinct`] values, sorted.
pub(super) fn sorted(cases: &[&CaseRecord], value: impl Fn(&CaseRecord) -> usize) -> Vec<usize> {
    let mut values = distinct(cases, value);
    values.sort_unstable();
    values
}

/// The cases of one network on one data set.
pub(super) struct Task<'a> {
    pub(super) recipe: &'a str,
    pub(super) data: &'a str,
    /// The cases: ours first, those of other frameworks behind.
    cases: Vec<&'a CaseRecord>,
    /// The name, with the data where one recipe was measured on several sets.
    pub(super) name: String,
    precisions: usize,
}

impl<'a> Task<'a> {
    pub(super) fn own(&self) -> Vec<&'a CaseRecord> {
        self.cases.iter().copied().filter(|case| case.framework == FALLLINE).collect()
    }

    /// The optimizer of one of our cases, with the precision where there is more than one.
    pub(super) fn rule(&self, case: &CaseRecord) -> String {
        if self.precisions > 1 {
            printable(&format!("{} {}", case.optimizer, case.precision))
        } else {
            printable(&case.optimizer)
        }
    }

    /// The cases to show side by side: groups that differ in their framework alone, and have at
    /// least one of another one. `[group][frameworks(self)]`
    pub(super) fn side_by_side(&self, frameworks: &[&str]) -> Vec<Vec<Option<&'a CaseRecord>>> {
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
pub(super) fn tasks(record: &BenchRecord) -> Vec<Task<'_>> {
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
pub(super) fn frameworks(record: &BenchRecord) -> Vec<&str> {
    let all: Vec<&CaseRecord> = record.cases.iter().collect();
    let mut names = distinct(&all, |case| case.framework.as_str());
    names.sort_by_key(|name| *name != FALLLINE);
    names
}

/// How many times as fast as another framework we are.
pub(super) struct Ratio<'a> {
    framework: &'a str,
    /// The geometric mean over the cases that both have.
    mean: f64,
    least: f64,
    most: f64,
    cases: usize,
}

impl Ratio<'_> {
    pub(super) fn framework(&self) -> String {
        printable(self.framework)
    }

    pub(super) fn mean(&self) -> f64 {
        self.mean
    }

    /// The cases in words: "geometric mean of 15 cases, from 1.21 to 2.30".
    pub(super) fn range(&self) -> String {
        match self.cases {
            1 => "one case".to_string(),
            cases => format!("geometric mean of {cases} cases, from {:.2} to {:.2}", self.least, self.most),
        }
    }

    /// The ratio in words: "fallline is 1.64 times as fast as pytorch-eager (15 cases, 1.21 to 2.30 times)".
    pub(super) fn sentence(&self) -> String {
        let (framework, range) = (self.framework(), self.range());
        format!("{FALLLINE} is {:.2} times as fast as {framework} ({range})", self.mean)
    }
}

/// The ratios, one for each other framework that shares a case with us.
pub(super) fn ratios(record: &BenchRecord) -> Vec<Ratio<'_>> {
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
pub(super) fn ratio(own: &CaseRecord, other: &CaseRecord) -> Option<f64> {
    let ratio = own.samples_per_second.median / other.samples_per_second.median;
    (ratio.is_finite() && ratio > 0.0).then_some(ratio)
}

/// That a benchmark was measured in parts, if it was: it was interrupted in between.
pub(super) fn parts(record: &BenchRecord) -> Option<String> {
    let parts = record.cases.iter().flat_map(|case| &case.measured);
    let begun: BTreeSet<&str> = parts.map(|part| part.begun.as_str()).collect();
    let (first, last) = (begun.first()?, begun.last()?);
    (begun.len() > 1).then(|| {
        format!(
            "measured in {} parts on this machine, the first begun at {first}, the last at {last}; the results as \
             JSON say when each case was",
            begun.len()
        )
    })
}

/// The reasons why a case is doubtful, or worth a look; empty if there are none.
pub(super) fn doubts(case: &CaseRecord) -> Vec<String> {
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
