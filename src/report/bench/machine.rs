//! The charts, facts and tables of a machine and its calibration.

use super::lines::{has_lines, threads_text};
use crate::bench::record::{BenchRecord, Calibration};
use crate::report::chart::{
    Axis, BarChart, Bars, Chart, HeatMap, LineChart, Point, Scale, Series, Shade, short,
};
use crate::report::numbers::bytes;
use crate::report::page::{Cell, Column, Part, Table};

/// The most processors of a map; more make cells too small to read.
const MOST_PROCESSORS: usize = 32;

/// The charts: peaks against threads, bandwidths of all levels, latencies between processors.
pub(super) fn charts(calibration: &Calibration) -> Vec<Chart> {
    [peaks(calibration), bandwidths(calibration), latencies(calibration)].into_iter().flatten().collect()
}

fn peaks(calibration: &Calibration) -> Option<Chart> {
    let mut series: Vec<Series> = Vec::new();
    for peak in &calibration.peaks {
        let name = format!("{} {}", peak.instruction_set, peak.precision);
        let point = Point::new(peak.threads as f64, peak.flops_per_second / 1e9);
        match series.iter_mut().find(|series| series.name == name) {
            Some(series) => series.points.push(point),
            None => series.push(Series { name, points: vec![point] }),
        }
    }
    for series in &mut series {
        series.points.sort_by(|a, b| a.x.total_cmp(&b.x));
    }
    let chart = LineChart {
        title: "Multiply-add peak".into(),
        x: Axis::new("threads").on(Scale::Log2),
        y: Axis::new("GFLOP/s").from_zero(),
        series,
    };
    has_lines(&chart).then_some(Chart::Lines(chart))
}

fn bandwidths(calibration: &Calibration) -> Option<Chart> {
    let threads = calibration.bandwidths.iter().map(|bandwidth| bandwidth.threads).max()?;
    let levels: Vec<_> =
        calibration.bandwidths.iter().filter(|bandwidth| bandwidth.threads == threads).collect();
    let bars = |name: &str, rates: Vec<f64>| Bars {
        name: name.into(),
        values: rates.iter().map(|rate| Some(Point::new(0.0, rate / 1e9))).collect(),
    };
    Some(Chart::Bars(BarChart {
        title: format!("Memory bandwidth, {}", threads_text(threads)),
        x_label: "working set of each thread".into(),
        y: Axis::new("GB/s"),
        groups: levels
            .iter()
            .map(|level| format!("{} {}", level.level, bytes(level.working_set_bytes as u64)))
            .collect(),
        series: vec![
            bars("read", levels.iter().map(|level| level.read).collect()),
            bars("write", levels.iter().map(|level| level.write).collect()),
            bars("triad", levels.iter().map(|level| level.triad).collect()),
        ],
    }))
}

/// The map of latencies; two processors have one latency, which is a fact and not a map.
fn latencies(calibration: &Calibration) -> Option<Chart> {
    let mut processors: Vec<usize> =
        calibration.latencies.iter().flat_map(|latency| [latency.from, latency.to]).collect();
    processors.sort_unstable();
    processors.dedup();
    if !(3..=MOST_PROCESSORS).contains(&processors.len()) {
        return None;
    }
    let most = calibration.latencies.iter().map(|latency| latency.nanoseconds).fold(0.0, f64::max);
    let cell = |from: usize, to: usize| {
        let mut latencies = calibration.latencies.iter();
        let found = latencies.find(|latency| (latency.from, latency.to) == (from, to))?;
        let depth = found.nanoseconds / most;
        Some(Shade { depth, text: format!("{:.0}", found.nanoseconds) })
    };
    let row = |&from: &usize| processors.iter().map(|&to| cell(from, to)).collect();
    let names: Vec<String> = processors.iter().map(usize::to_string).collect();
    Some(Chart::Heat(HeatMap {
        title: "From processor to processor, in nanoseconds".into(),
        x_label: "to processor".into(),
        y_label: "from".into(),
        columns: names.clone(),
        rows: names,
        cells: processors.iter().map(row).collect(),
    }))
}

/// The facts of the machine, with those of the calibration if there is one.
pub(super) fn facts(record: &BenchRecord) -> Vec<(String, String)> {
    let machine = &record.machine;
    let mut facts = vec![
        ("Processor".to_string(), machine.cpu.clone()),
        ("Cores used at most".to_string(), machine.cores.to_string()),
        ("Instruction set".to_string(), machine.instruction_set.clone()),
        ("System".to_string(), machine.os.clone()),
        ("Version".to_string(), format!("fallline {}", record.version)),
        ("Measured for each case".to_string(), format!("{} s", short(record.seconds_per_case))),
    ];
    let Some(calibration) = &record.calibration else { return facts };
    let mut fact = |name: &str, value: String| facts.push((name.to_string(), value));
    let topology = &calibration.topology;
    fact(
        "Processors",
        format!(
            "{} allowed of {}, on {} cores with {} each",
            topology.allowed.len(),
            topology.processors,
            topology.cores,
            threads_text(topology.threads_per_core)
        ),
    );
    fact("NUMA nodes", topology.numa_nodes.to_string());
    fact("Main memory", bytes(topology.memory_bytes));
    for cache in &topology.caches {
        let shared =
            if cache.shared_by > 1 { format!(", shared by {}", cache.shared_by) } else { String::new() };
        let kind = cache.kind.to_lowercase();
        fact(&format!("L{} cache, {kind}", cache.level), bytes(cache.bytes as u64) + &shared);
    }
    if let Some(quota) = topology.quota {
        fact("Limit of processor time", format!("{} processors", short(quota)));
    }
    if let Some(governor) = &topology.governor {
        fact("Frequency governor", governor.clone());
    }
    if let Some(hypervisor) = &topology.hypervisor {
        fact("Virtual machine", hypervisor.clone());
    }
    for barrier in &calibration.barriers {
        let name = format!("Barrier of {}", threads_text(barrier.threads));
        fact(&name, format!("{} ns", short(barrier.nanoseconds)));
    }
    let latencies: Vec<f64> = calibration.latencies.iter().map(|latency| latency.nanoseconds).collect();
    if !latencies.is_empty() {
        let middle = crate::stats::median(&latencies);
        fact("Between processors, one way", format!("{} ns at the median", short(middle)));
    }
    facts
}

/// The tables of all peaks and bandwidths.
pub(super) fn tables(calibration: &Calibration) -> Vec<Part> {
    let whole = |count: usize| Cell::number(count.to_string(), count as f64);
    let giga = |rate: f64| Cell::number(format!("{:.1}", rate / 1e9), rate);
    let peaks = Table {
        caption: "Multiply-adds in registers".into(),
        columns: ["instruction set", "precision", "threads", "GFLOP/s"]
            .map(|title| Column::new(title, ""))
            .to_vec(),
        rows: calibration
            .peaks
            .iter()
            .map(|peak| {
                vec![
                    Cell::text(&peak.instruction_set),
                    Cell::text(&peak.precision),
                    whole(peak.threads),
                    giga(peak.flops_per_second),
                ]
            })
            .collect(),
    };
    let hints = [
        ("level", ""),
        ("working set", "that each thread goes through over and over"),
        ("threads", ""),
        ("read GB/s", "a sum over an array"),
        ("write GB/s", "filling an array"),
        ("triad GB/s", "a = b + scalar * c, two reads and one write"),
    ];
    let bandwidths = Table {
        caption: "Memory bandwidth, all threads together".into(),
        columns: hints.map(|(title, hint)| Column::new(title, hint)).to_vec(),
        rows: calibration
            .bandwidths
            .iter()
            .map(|level| {
                let set = level.working_set_bytes as f64;
                vec![
                    Cell::text(&level.level),
                    Cell::number(bytes(level.working_set_bytes as u64), set),
                    whole(level.threads),
                    giga(level.read),
                    giga(level.write),
                    giga(level.triad),
                ]
            })
            .collect(),
    };
    [peaks, bandwidths].into_iter().filter(|table| !table.rows.is_empty()).map(Part::Table).collect()
}
