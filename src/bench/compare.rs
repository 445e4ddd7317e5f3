//! Whether a program has become slower: the cases of two records, judged one by one.

use serde::{Deserialize, Serialize};

use super::record::{BenchRecord, CaseRecord};
use crate::stats::{interval, median};

/// A case in two records.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// [`CaseRecord::title`], with the framework if it is another than this program.
    pub case: String,
    /// New throughput over old, the median of the runs' ratios.
    pub ratio: f64,
    /// The 95 % interval of the ratio begins here...
    pub low: f64,
    /// ...and ends here.
    pub high: f64,
    pub verdict: Verdict,
}

/// What the interval of a ratio says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// The whole interval lies above what is tolerated...
    Faster,
    /// ...or below.
    Slower,
    Same,
}

/// Two records, case by case.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// Changes up to this part of the old throughput are tolerated.
    pub tolerance: f64,
    pub changes: Vec<Change>,
    /// Why the comparison may mean little: another machine, cases that only one record has.
    pub warnings: Vec<String>,
}

impl Comparison {
    /// Judges each case that both records have. Runs are paired in their order: the first of one
    /// with the first of the other.
    pub fn of(new: &BenchRecord, old: &BenchRecord, tolerance: f64) -> Comparison {
        let mut warnings = Vec::new();
        if new.machine != old.machine {
            warnings.push(format!(
                "the baseline is of another machine ({}, {} cores, {}): its ratios compare machines, not programs",
                old.machine.cpu, old.machine.cores, old.machine.instruction_set
            ));
        }
        let pair = |new_case| old.cases.iter().find(|case| case.is_same_case(new_case)).map(|c| (new_case, c));
        let pairs: Vec<_> = new.cases.iter().filter_map(pair).collect();
        let changes: Vec<Change> =
            pairs.iter().filter_map(|(new, old)| Change::of(new, old, tolerance)).collect();
        let [only_new, only_old] = [new, old].map(|record| record.cases.len() - pairs.len());
        if only_new > 0 {
            warnings.push(format!("{only_new} of the cases are not in the baseline"));
        }
        if only_old > 0 {
            warnings.push(format!("{only_old} of the baseline's cases were not measured now"));
        }
        Comparison { tolerance, changes, warnings }
    }

    /// How many cases were judged so.
    pub fn count(&self, verdict: Verdict) -> usize {
        self.changes.iter().filter(|change| change.verdict == verdict).count()
    }
}

impl Change {
    /// None if either has no runs.
    fn of(new: &CaseRecord, old: &CaseRecord, tolerance: f64) -> Option<Change> {
        let runs = new.samples_per_second.runs.iter().zip(&old.samples_per_second.runs);
        let ratios: Vec<f64> = runs.map(|(new, old)| new / old).filter(|ratio| ratio.is_finite()).collect();
        if ratios.is_empty() {
            return None;
        }
        let (low, high) = interval(&[&ratios], |groups| median(groups[0]));
        let verdict = match () {
            () if high < 1.0 - tolerance => Verdict::Slower,
            () if low > 1.0 + tolerance => Verdict::Faster,
            () => Verdict::Same,
        };
        Some(Change { case: new.full_title(), ratio: median(&ratios), low, high, verdict })
    }
}
