//! Cases as comma-separated values (RFC 4180), one in a line.

use crate::bench::record::{BenchRecord, CaseRecord};
use crate::report::markup::{printable, quoted};

const COLUMNS: [&str; 26] = [
    "framework",
    "recipe",
    "data",
    "optimizer",
    "batch",
    "threads",
    "precision",
    "parameters",
    "train_flops_per_sample",
    "samples_per_second",
    "samples_per_second_low",
    "samples_per_second_high",
    "tokens_per_second",
    "runs",
    "outliers",
    "step_us",
    "gflops",
    "fraction_of_peak",
    "fraction_of_peak_low",
    "fraction_of_peak_high",
    "scaling_efficiency",
    "update_bytes_per_step",
    "peak_memory_bytes",
    "waiting",
    "version",
    "cpu",
];

/// The cases as a line of titles and one for each. Numbers are exact; absent ones are empty.
pub fn csv(record: &BenchRecord) -> String {
    let mut text = COLUMNS.join(",") + "\n";
    for case in &record.cases {
        text += &values(record, case).map(|value| quoted(&printable(&value))).join(",");
        text.push('\n');
    }
    text
}

fn values(record: &BenchRecord, case: &CaseRecord) -> [String; COLUMNS.len()] {
    let (speed, fraction) = (&case.samples_per_second, &case.fraction_of_peak);
    [
        case.framework.clone(),
        case.recipe.clone(),
        case.data.clone(),
        case.optimizer.clone(),
        case.batch.to_string(),
        case.threads.to_string(),
        case.precision.clone(),
        case.parameters.to_string(),
        case.train_flops_per_sample.to_string(),
        speed.median.to_string(),
        speed.low.to_string(),
        speed.high.to_string(),
        optional(case.tokens_per_second),
        speed.runs.len().to_string(),
        speed.outliers.to_string(),
        case.step_us.to_string(),
        case.gflops.to_string(),
        fraction.median.to_string(),
        fraction.low.to_string(),
        fraction.high.to_string(),
        optional(case.scaling_efficiency),
        optional(case.update_bytes_per_step),
        optional(case.peak_memory_bytes),
        optional(case.waiting),
        record.version.clone(),
        record.machine.cpu.clone(),
    ]
}

fn optional(value: Option<impl ToString>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}
