//! The tables of a calibration in the terminal.

use super::numbers::{bytes, counted, duration};
use super::table::{Side, table};
use crate::bench::record::{Bandwidth, Barrier, Cache, Calibration, Latency, Topology};

/// Letters of a line of text, for the narrowest of usual terminals.
const WIDTH: usize = 80;

/// All tables of a calibration, with its warnings at the end.
pub fn text(calibration: &Calibration) -> String {
    let sections = [
        heading(calibration),
        peaks(calibration),
        bandwidths(&calibration.bandwidths),
        barriers(calibration),
        latencies(&calibration.latencies),
        warnings(calibration),
    ];
    sections.into_iter().filter(|section| !section.is_empty()).collect::<Vec<_>>().join("\n")
}

fn heading(calibration: &Calibration) -> String {
    let machine = &calibration.machine;
    let mut text = format!(
        "{}, {}, {}, {}\n",
        machine.cpu,
        counted(machine.cores, "core"),
        machine.instruction_set,
        machine.os
    );
    for (name, value) in facts(&calibration.topology) {
        text += &format!("  {name:<11} {value}\n");
    }
    text += &format!("  {:<11} {}\n", "fingerprint", calibration.fingerprint);
    text + &format!("  {:<11} {}\n", "measured in", duration(calibration.seconds))
}

/// The facts of the system, in words.
fn facts(topology: &Topology) -> Vec<(&'static str, String)> {
    let mut processors = topology.processors.to_string();
    if !topology.allowed.is_empty() && topology.allowed.len() < topology.processors {
        processors += &format!(" (allowed: {})", ranges(&topology.allowed));
    }
    if topology.threads_per_core > 0 {
        processors += &format!(", {} a core", counted(topology.threads_per_core, "thread"));
    }
    if topology.numa_nodes > 0 {
        processors += &format!(", {}", counted(topology.numa_nodes, "NUMA node"));
    }
    let caches: Vec<String> = topology.caches.iter().map(cache).collect();
    let memory = if topology.memory_bytes > 0 { bytes(topology.memory_bytes) } else { String::new() };
    let quota = topology.quota.map(|quota| format!("the time of {quota:.2} processors"));
    if topology.processors == 0 {
        processors.clear();
    }
    let facts = [
        ("processors", processors),
        ("caches", caches.join(", ")),
        ("memory", memory),
        ("quota", quota.unwrap_or_default()),
        ("governor", topology.governor.clone().unwrap_or_default()),
        ("hypervisor", topology.hypervisor.clone().unwrap_or_default()),
    ];
    facts.into_iter().filter(|(_, value)| !value.is_empty()).collect()
}

/// A cache in words: "L1 48 KiB", "L1 instructions 32 KiB", "L3 32 MiB for 8 processors".
fn cache(cache: &Cache) -> String {
    let kind = if cache.kind == "Instruction" { " instructions" } else { "" };
    let sharing =
        if cache.shared_by > 1 { format!(" for {} processors", cache.shared_by) } else { String::new() };
    format!("L{}{kind} {}{sharing}", cache.level, bytes(cache.bytes as u64))
}

/// Ascending numbers as "0-3, 8".
fn ranges(numbers: &[usize]) -> String {
    let mut ranges: Vec<(usize, usize)> = Vec::new();
    for &number in numbers {
        match ranges.last_mut() {
            Some((_, last)) if *last + 1 == number => *last = number,
            _ => ranges.push((number, number)),
        }
    }
    let range = |&(first, last): &(usize, usize)| {
        if first == last { first.to_string() } else { format!("{first}-{last}") }
    };
    ranges.iter().map(range).collect::<Vec<_>>().join(", ")
}

/// The table of peaks: a line for each number of threads, a column for each instruction set and precision.
fn peaks(calibration: &Calibration) -> String {
    let peaks = &calibration.peaks;
    let mut kinds: Vec<(&str, &str)> = Vec::new();
    let mut counts: Vec<usize> = Vec::new();
    for peak in peaks {
        let kind = (peak.instruction_set.as_str(), peak.precision.as_str());
        if !kinds.contains(&kind) {
            kinds.push(kind);
        }
        if !counts.contains(&peak.threads) {
            counts.push(peak.threads);
        }
    }
    let names: Vec<String> = kinds.iter().map(|(isa, precision)| format!("{isa} {precision}")).collect();
    let columns: Vec<(&str, Side)> = std::iter::once(("threads", Side::Right))
        .chain(names.iter().map(|name| (name.as_str(), Side::Right)))
        .collect();
    let row = |&threads: &usize| {
        let cell = |&kind: &(&str, &str)| {
            let found = peaks.iter().find(|peak| {
                (peak.instruction_set.as_str(), peak.precision.as_str()) == kind && peak.threads == threads
            });
            found.map_or_else(String::new, |peak| format!("{:.1}", peak.flops_per_second / 1e9))
        };
        std::iter::once(threads.to_string()).chain(kinds.iter().map(cell)).collect()
    };
    section("multiply-add peak, GFLOP/s", &columns, counts.iter().map(row).collect())
}

fn bandwidths(bandwidths: &[Bandwidth]) -> String {
    let columns = [
        ("level", Side::Left),
        ("threads", Side::Right),
        ("bytes a thread", Side::Right),
        ("read", Side::Right),
        ("write", Side::Right),
        ("triad", Side::Right),
    ];
    let row = |bandwidth: &Bandwidth| {
        let gigabytes = |rate: f64| format!("{:.1}", rate / 1e9);
        vec![
            bandwidth.level.clone(),
            bandwidth.threads.to_string(),
            bytes(bandwidth.working_set_bytes as u64),
            gigabytes(bandwidth.read),
            gigabytes(bandwidth.write),
            gigabytes(bandwidth.triad),
        ]
    };
    // One and all threads of a level stand below each other.
    let mut sorted: Vec<&Bandwidth> = bandwidths.iter().collect();
    let place = |level: &str| bandwidths.iter().position(|bandwidth| bandwidth.level == level);
    sorted.sort_by_key(|bandwidth| (place(&bandwidth.level), bandwidth.threads));
    section("bandwidth, GB/s", &columns, sorted.into_iter().map(row).collect())
}

fn barriers(calibration: &Calibration) -> String {
    let columns = [("threads", Side::Right), ("nanoseconds", Side::Right)];
    let row = |barrier: &Barrier| vec![barrier.threads.to_string(), format!("{:.0}", barrier.nanoseconds)];
    section("barrier", &columns, calibration.barriers.iter().map(row).collect())
}

/// The table of latencies: a triangle of processors.
fn latencies(latencies: &[Latency]) -> String {
    let mut processors: Vec<usize> = latencies.iter().flat_map(|pair| [pair.from, pair.to]).collect();
    processors.sort_unstable();
    processors.dedup();
    let titles: Vec<String> = processors.iter().map(usize::to_string).collect();
    let columns: Vec<(&str, Side)> = std::iter::once(("processor", Side::Right))
        .chain(titles.iter().map(|title| (title.as_str(), Side::Right)))
        .collect();
    let cell = |from: usize, to: usize| {
        let found = latencies.iter().find(|pair| (pair.from, pair.to) == (from, to));
        found.map_or_else(String::new, |pair| format!("{:.0}", pair.nanoseconds))
    };
    let row = |&from: &usize| {
        let cells = processors.iter().map(|&to| cell(to.min(from), to.max(from)));
        std::iter::once(from.to_string()).chain(cells).collect()
    };
    section("latency between processors, one way, ns", &columns, processors.iter().map(row).collect())
}

fn warnings(calibration: &Calibration) -> String {
    calibration.warnings.iter().map(|warning| wrapped(&format!("warning: {warning}"))).collect()
}

/// A sentence in lines of at most [`WIDTH`] letters, the further ones indented.
fn wrapped(sentence: &str) -> String {
    let mut lines = vec![String::new()];
    for word in sentence.split_whitespace() {
        let last = lines.last_mut().expect("there is always one");
        if last.is_empty() {
            last.push_str(word);
        } else if last.chars().count() + 1 + word.chars().count() <= WIDTH {
            *last += &format!(" {word}");
        } else {
            lines.push(format!("  {word}"));
        }
    }
    lines.join("\n") + "\n"
}

/// A table under a title; nothing without rows.
fn section(title: &str, columns: &[(&str, Side)], rows: Vec<Vec<String>>) -> String {
    if rows.is_empty() { String::new() } else { format!("{title}\n\n{}", table(columns, &rows, 0)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::record::{CALIBRATION_SCHEMA, Peak};
    use crate::train::machine::Machine;

    fn calibration() -> Calibration {
        let cache =
            |level, kind: &str, bytes, shared_by| Cache { level, kind: kind.into(), bytes, shared_by };
        let peak = |isa: &str, precision: &str, threads, flops_per_second| Peak {
            instruction_set: isa.into(),
            precision: precision.into(),
            threads,
            flops_per_second,
        };
        let bandwidth = |level: &str, working_set_bytes, threads| Bandwidth {
            level: level.into(),
            working_set_bytes,
            threads,
            read: 480.25e9,
            write: 200e9,
            triad: 99.94e9,
        };
        Calibration {
            schema: CALIBRATION_SCHEMA.into(),
            fingerprint: "0123456789abcdef".into(),
            machine: Machine {
                cpu: "Maker 9".into(),
                cores: 3,
                instruction_set: "AVX2".into(),
                os: "linux x86_64".into(),
            },
            topology: Topology {
                processors: 8,
                allowed: vec![0, 1, 2, 6],
                cores: 3,
                threads_per_core: 2,
                numa_nodes: 1,
                caches: vec![cache(1, "Data", 48 << 10, 2), cache(1, "Instruction", 32 << 10, 1)],
                quota: Some(2.5),
                governor: None,
                hypervisor: Some("KVM".into()),
                memory_bytes: 24 << 30,
            },
            peaks: vec![
                peak("baseline", "f32", 1, 60e9),
                peak("AVX2", "f32", 1, 125.04e9),
                peak("AVX2", "f32", 2, 250e9),
            ],
            bandwidths: vec![
                bandwidth("L1", 24 << 10, 1),
                bandwidth("DRAM", 128 << 20, 1),
                bandwidth("L1", 24 << 10, 2),
                bandwidth("DRAM", 64 << 20, 2),
            ],
            latencies: vec![
                Latency { from: 0, to: 2, nanoseconds: 41.6 },
                Latency { from: 0, to: 6, nanoseconds: 130.0 },
                Latency { from: 2, to: 6, nanoseconds: 8.0 },
            ],
            barriers: vec![Barrier { threads: 2, nanoseconds: 210.4 }],
            warnings: vec!["noisy: x".into(), ["long"; 17].join(" ")],
            seconds: 6.53,
        }
    }

    #[test]
    fn a_calibration_is_a_page_of_tables() {
        let expected = "\
Maker 9, 3 cores, AVX2, linux x86_64
  processors  8 (allowed: 0-2, 6), 2 threads a core, 1 NUMA node
  caches      L1 48 KiB for 2 processors, L1 instructions 32 KiB
  memory      24 GiB
  quota       the time of 2.50 processors
  hypervisor  KVM
  fingerprint 0123456789abcdef
  measured in 6.5 s

multiply-add peak, GFLOP/s

threads  baseline f32  AVX2 f32
───────────────────────────────
      1          60.0     125.0
      2                   250.0

bandwidth, GB/s

level  threads  bytes a thread   read  write  triad
───────────────────────────────────────────────────
L1           1          24 KiB  480.2  200.0   99.9
L1           2          24 KiB  480.2  200.0   99.9
DRAM         1         128 MiB  480.2  200.0   99.9
DRAM         2          64 MiB  480.2  200.0   99.9

barrier

threads  nanoseconds
────────────────────
      2          210

latency between processors, one way, ns

processor    0   2    6
───────────────────────
        0       42  130
        2   42        8
        6  130   8

warning: noisy: x
warning: long long long long long long long long long long long long long long
  long long long
";
        assert_eq!(text(&calibration()), expected);
    }

    #[test]
    fn what_was_not_measured_is_not_shown() {
        let empty = Calibration {
            topology: Topology::default(),
            peaks: vec![],
            bandwidths: vec![],
            latencies: vec![],
            barriers: vec![],
            warnings: vec![],
            ..calibration()
        };
        let expected = "\
Maker 9, 3 cores, AVX2, linux x86_64
  fingerprint 0123456789abcdef
  measured in 6.5 s
";
        assert_eq!(text(&empty), expected);
    }
}
