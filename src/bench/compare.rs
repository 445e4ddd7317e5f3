//! The comparison of two records, case by case: whether a program has become slower.

use serde::{Deserialize, Serialize};

use super::record::{BenchRecord, CaseRecord};
use crate::stats::{interval, median};

/// A case in two records.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// The title of the case, [`CaseRecord::title`], with the framework if it is another than this program.
    pub case: String,
    /// New throughput over old, each in units of the peak measured just before: the median of the
    /// runs' ratios.
    pub ratio: f64,
    /// The 95 % interval of the ratio begins here...
    pub low: f64,
    /// ...and ends here.
    pub high: f64,
    pub verdict: Verdict,
}

/// The verdict by the interval of a ratio.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// The whole interval lies above the tolerance...
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
    /// The change of the geometric mean over all cases, run by run: it finds a slowdown of everything by a little.
    /// Absent if no two runs can be compared.
    pub overall: Option<Change>,
    /// Reasons why the comparison may mean little: another machine, cases that only one record has.
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
        let pair =
            |new_case| old.cases.iter().find(|case| case.is_same_case(new_case)).map(|c| (new_case, c));
        let pairs: Vec<_> = new.cases.iter().filter_map(pair).collect();
        let ratios: Vec<Vec<f64>> = pairs.iter().map(|(new, old)| ratios(new, old)).collect();
        let changes = pairs.iter().zip(&ratios);
        let changes: Vec<Change> = changes
            .filter_map(|((new, _), ratios)| Change::of(new.full_title(), ratios, tolerance))
            .collect();
        let overall = Change::of("all cases".into(), &means(&ratios), tolerance);
        let [only_new, only_old] = [new, old].map(|record| record.cases.len() - pairs.len());
        if only_new > 0 {
            warnings.push(format!("{only_new} of the cases are not in the baseline"));
        }
        if only_old > 0 {
            warnings.push(format!("{only_old} of the baseline's cases were not measured now"));
        }
        Comparison { tolerance, changes, overall, warnings }
    }

    /// How many cases have this verdict.
    pub fn count(&self, verdict: Verdict) -> usize {
        self.changes.iter().filter(|change| change.verdict == verdict).count()
    }

    /// Whether any case, or all of them together, became slower.
    pub fn is_slower(&self) -> bool {
        self.changes.iter().chain(&self.overall).any(|change| change.verdict == Verdict::Slower)
    }
}

/// New throughput over old, run by run, each in units of the peak measured just before it. A machine
/// whose clock or neighbours changed between the two records would be judged otherwise: without the
/// peak, two records of one program differed by 11 % within five minutes, with it by 3 to 4 %.
fn ratios(new: &CaseRecord, old: &CaseRecord) -> Vec<f64> {
    let runs = new.fraction_of_peak.runs.iter().zip(&old.fraction_of_peak.runs);
    runs.map(|(new, old)| new / old).filter(|ratio| ratio.is_finite() && *ratio > 0.0).collect()
}

/// The geometric means of the first, second... ratios `[cases][runs]`, as far as all cases have them.
fn means(cases: &[Vec<f64>]) -> Vec<f64> {
    let measured: Vec<&Vec<f64>> = cases.iter().filter(|ratios| !ratios.is_empty()).collect();
    let rounds = measured.iter().map(|ratios| ratios.len()).min().unwrap_or(0);
    let mean = |round: usize| {
        let sum: f64 = measured.iter().map(|ratios| ratios[round].ln()).sum();
        (sum / measured.len() as f64).exp()
    };
    (0..rounds).map(mean).collect()
}

impl Change {
    /// The change of these ratios; None without ratios.
    fn of(case: String, ratios: &[f64], tolerance: f64) -> Option<Change> {
        if ratios.is_empty() {
            return None;
        }
        let (low, high) = interval(&[ratios], |groups| median(groups[0]));
        let verdict = match () {
            () if high < 1.0 - tolerance => Verdict::Slower,
            () if low > 1.0 + tolerance => Verdict::Faster,
            () => Verdict::Same,
        };
        Some(Change { case, ratio: median(ratios), low, high, verdict })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::plan::ROUNDS;
    use crate::bench::record::{BENCH_SCHEMA, FALLLINE};
    use crate::rng::{Purpose, stream};
    use crate::stats::Summary;
    use crate::train::machine::Machine;
    use rand_distr::{Distribution, Normal};

    const TOLERANCE: f64 = 0.05;

    /// A record of cases whose runs spread by `noise` around `speed`.
    fn record(cases: usize, speed: f64, noise: f64, seed: u64) -> BenchRecord {
        let case = |index: usize| {
            let mut random = stream(seed, Purpose::Test, index as u64);
            let normal = Normal::new(speed, noise * speed).unwrap();
            let runs: Vec<f64> = (0..ROUNDS).map(|_| normal.sample(&mut random)).collect();
            CaseRecord {
                framework: FALLLINE.into(),
                recipe: "mnist-mlp".into(),
                data: "mnist".into(),
                optimizer: "adam".into(),
                batch: index + 1,
                threads: 2,
                precision: "f32".into(),
                parameters: 101_770,
                train_flops_per_sample: 4e5,
                settings: None,
                samples_per_second: Summary::of(&runs),
                tokens_per_sample: None,
                tokens_per_second: None,
                step_us: 1.0,
                gflops: 1.0,
                fraction_of_peak: Summary::of(&runs.iter().map(|rate| rate / 1e6).collect::<Vec<_>>()),
                scaling_efficiency: None,
                update_bytes_per_step: None,
                peak_memory_bytes: None,
                waiting: None,
                measured: Vec::new(),
            }
        };
        BenchRecord {
            schema: BENCH_SCHEMA.into(),
            version: "0.0.0".into(),
            machine: Machine::current(),
            calibration: None,
            notes: Vec::new(),
            seconds_per_case: 1.0,
            compared: Vec::new(),
            cases: (0..cases).map(case).collect(),
        }
    }

    #[test]
    fn the_same_program_is_judged_the_same_in_nineteen_cases_of_twenty() {
        for (noise, seed) in [(0.01, 1), (0.05, 3), (0.1, 5)] {
            let [new, old] = [seed, seed + 1].map(|seed| record(200, 1e5, noise, seed));
            let comparison = Comparison::of(&new, &old, TOLERANCE);
            assert_eq!(comparison.changes.len(), 200);
            let same = comparison.count(Verdict::Same);
            assert_eq!(comparison.overall.unwrap().verdict, Verdict::Same);
            assert!(same >= 190, "{same} of 200 with a noise of {noise}");
        }
    }

    #[test]
    fn a_program_slower_or_faster_by_a_tenth_is_caught() {
        for (speed, verdict) in [(0.9, Verdict::Slower), (1.1, Verdict::Faster)] {
            let (new, old) = (record(100, speed * 1e5, 0.02, 1), record(100, 1e5, 0.02, 2));
            let caught = Comparison::of(&new, &old, TOLERANCE).count(verdict);
            assert!(caught >= 95, "{caught} of 100 {verdict:?}");
        }
        // The runs are too noisy for any single case, but not for all together.
        let (new, old) = (record(24, 0.9e5, 0.2, 1), record(24, 1e5, 0.2, 2));
        let comparison = Comparison::of(&new, &old, TOLERANCE);
        assert!(comparison.count(Verdict::Slower) < 12 && comparison.is_slower(), "{:?}", comparison.overall);
        // A change within the tolerance is not reported.
        let (new, old) = (record(100, 0.97e5, 0.01, 1), record(100, 1e5, 0.01, 2));
        assert_eq!(Comparison::of(&new, &old, TOLERANCE).count(Verdict::Same), 100);
    }

    #[test]
    fn what_cannot_be_compared_is_said() {
        let (mut new, mut old) = (record(3, 1e5, 0.01, 1), record(3, 1e5, 0.01, 2));
        old.machine.cpu = "another".into();
        old.cases[0].optimizer = "sgd".into();
        new.cases[2].fraction_of_peak = Summary::default();
        let comparison = Comparison::of(&new, &old, TOLERANCE);
        assert_eq!(comparison.changes.len(), 1, "one case differs, one has no runs");
        assert_eq!(comparison.warnings.len(), 3);
        assert!(comparison.warnings[0].contains("another machine (another, "), "{:?}", comparison.warnings);
    }
}
