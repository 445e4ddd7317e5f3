//! The comparison of two profiles, call site by call site.

use super::record::{ProfileRecord, Site};

/// Peaks of two records that differ by more than this compare clocks, not programs.
const SAME_PEAK: f64 = 0.05;

/// A call site in two profiles, or in one of them.
#[derive(Clone, Debug, PartialEq)]
pub struct SiteChange {
    pub layer: Option<String>,
    pub operation: String,
    /// The kind of the layer; that in the later profile if it is there.
    pub kind: String,
    /// Seconds of a step, or of a sample of it; absent where this profile has no such call site.
    pub before: Option<f64>,
    pub after: Option<f64>,
    /// The change of its share of the step: that of the later profile less that of the earlier one.
    pub share: f64,
}

impl SiteChange {
    /// Seconds after over seconds before; `None` where one of them is absent or 0.
    pub fn ratio(&self) -> Option<f64> {
        let ratio = self.after? / self.before?;
        (ratio.is_finite() && ratio > 0.0).then_some(ratio)
    }

    /// Seconds after less seconds before; an absent call site takes none.
    pub fn difference(&self) -> f64 {
        self.after.unwrap_or(0.0) - self.before.unwrap_or(0.0)
    }
}

/// The comparison of two profiles.
#[derive(Clone, Debug, PartialEq)]
pub struct ProfileComparison {
    /// A step that takes up to this part longer is not called slower.
    pub tolerance: f64,
    /// Whether times are those of a sample: the batch sizes differ.
    pub per_sample: bool,
    /// Seconds of a step without probes, or of a sample of it.
    pub before: f64,
    pub after: f64,
    /// The changes of all call sites, the largest difference first, either way.
    pub sites: Vec<SiteChange>,
    /// Differences between the settings, such as "batch 64, now 256".
    pub settings: Vec<String>,
    /// Reasons why the comparison may mean little.
    pub warnings: Vec<String>,
}

impl ProfileComparison {
    /// Compares a profile with an earlier one.
    pub fn of(record: &ProfileRecord, earlier: &ProfileRecord, tolerance: f64) -> ProfileComparison {
        let per_sample = record.settings.batch != earlier.settings.batch;
        let [unit_after, unit_before] = [record, earlier]
            .map(|record| if per_sample { 1.0 / record.settings.batch.max(1) as f64 } else { 1.0 });
        // The probes' cost is no part of the program's, but both must be measured alike.
        let is_plain = record.plain_step_seconds > 0.0 && earlier.plain_step_seconds > 0.0;
        let step = |of: &ProfileRecord| if is_plain { of.plain_step_seconds } else { of.step_seconds };
        let mut sites: Vec<SiteChange> = Vec::new();
        for site in &record.sites {
            let old = earlier.sites.iter().find(|old| is_same(old, site));
            sites.push(SiteChange {
                layer: site.layer.clone(),
                operation: site.operation.clone(),
                kind: site.kind.clone(),
                before: old.map(|old| old.seconds_per_step * unit_before),
                after: Some(site.seconds_per_step * unit_after),
                share: site.share - old.map_or(0.0, |old| old.share),
            });
        }
        for old in &earlier.sites {
            if !record.sites.iter().any(|site| is_same(old, site)) {
                sites.push(SiteChange {
                    layer: old.layer.clone(),
                    operation: old.operation.clone(),
                    kind: old.kind.clone(),
                    before: Some(old.seconds_per_step * unit_before),
                    after: None,
                    share: -old.share,
                });
            }
        }
        sites.sort_by(|a, b| b.difference().abs().total_cmp(&a.difference().abs()));
        ProfileComparison {
            tolerance,
            per_sample,
            before: step(earlier) * unit_before,
            after: step(record) * unit_after,
            sites,
            settings: settings(record, earlier),
            warnings: warnings(record, earlier),
        }
    }

    /// Time after over time before; `None` if one of them is 0.
    pub fn ratio(&self) -> Option<f64> {
        let ratio = self.after / self.before;
        (ratio.is_finite() && ratio > 0.0).then_some(ratio)
    }

    /// Whether the step became slower by more than is tolerated.
    pub fn is_slower(&self) -> bool {
        self.ratio().is_some_and(|ratio| ratio > 1.0 + self.tolerance)
    }
}

fn is_same(a: &Site, b: &Site) -> bool {
    (&a.layer, &a.operation) == (&b.layer, &b.operation)
}

fn settings(record: &ProfileRecord, earlier: &ProfileRecord) -> Vec<String> {
    let texts = |record: &ProfileRecord| {
        let settings = &record.settings;
        [
            ("program", record.version.clone()),
            ("mode", settings.mode.clone()),
            ("recipe", settings.recipe.clone()),
            ("data", settings.data.clone()),
            ("optimizer", settings.optimizer.clone()),
            ("batch", settings.batch.to_string()),
            ("threads", settings.threads.to_string()),
            ("precision", settings.precision.clone()),
            ("parameters", settings.parameters.to_string()),
        ]
    };
    let pairs = texts(earlier).into_iter().zip(texts(record));
    pairs
        .filter(|((_, before), (_, after))| before != after)
        .map(|((name, before), (_, after))| format!("{name} {before}, now {after}"))
        .collect()
}

fn warnings(record: &ProfileRecord, earlier: &ProfileRecord) -> Vec<String> {
    let mut warnings = Vec::new();
    if record.machine != earlier.machine {
        warnings.push(format!(
            "the other profile is of another machine ({}, {} cores, {}): its times compare machines, not programs",
            earlier.machine.cpu, earlier.machine.cores, earlier.machine.instruction_set
        ));
    }
    let threads = |record: &ProfileRecord| record.settings.threads;
    let ratio = record.roofs.flops_per_second / earlier.roofs.flops_per_second;
    if threads(record) == threads(earlier) && ratio.is_finite() && (ratio - 1.0).abs() > SAME_PEAK {
        let word = if ratio < 1.0 { "lower" } else { "higher" };
        warnings.push(format!(
            "the measured peak is {:.0} % {word} than in the other profile: clock or neighbours have changed",
            100.0 * (ratio - 1.0).abs()
        ));
    }
    warnings
}
