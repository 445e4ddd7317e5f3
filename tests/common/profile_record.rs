//! Made-up records of profiles: only that the numbers agree with each other matters.

use fallline::engine::bench::profile::record::{
    Event, Finding, LevelRoof, PROFILE_SCHEMA, ProfileRecord, Roofs, Settings, Site, WorkerTime,
};
use fallline::engine::bench::record::{Cache, Topology};

use super::bench_record::machine;

/// Of both workers together.
const PEAK: f64 = 480e9;

/// A call site before its roof is known: layer, kind, operation, calls, seconds per step, executed and
/// nominal flops, bytes, roof.
type Made<'a> = (Option<&'a str>, &'a str, &'a str, f64, f64, f64, f64, f64, &'a str);

pub fn roofs() -> Roofs {
    let level = |name: &str, capacity: usize, rate: f64| LevelRoof {
        name: name.into(),
        capacity,
        bytes_per_second: rate,
    };
    Roofs {
        instruction_set: "AVX-512".into(),
        flops_per_second: PEAK,
        levels: vec![
            level("L1", 48 << 10, 820e9),
            level("L2", 1 << 20, 310e9),
            level("L3", 16 << 20, 96e9),
            level("DRAM", 0, 31e9),
        ],
        barrier_seconds: 0.4e-6,
    }
}

fn topology() -> Topology {
    Topology {
        processors: 2,
        allowed: vec![0, 1],
        cores: 2,
        threads_per_core: 1,
        numa_nodes: 1,
        caches: vec![Cache { level: 1, kind: "Data".into(), bytes: 48 << 10, shared_by: 1 }],
        quota: None,
        governor: None,
        hypervisor: Some("KVM".into()),
        memory_bytes: 16 << 30,
    }
}

/// How a worker's part differs from the mean.
const UNEVEN: [f64; 2] = [0.96, 1.04];

fn site(made: Made, step: f64) -> Site {
    let (layer, kind, operation, calls, seconds, flops, nominal_flops, bytes, roof) = made;
    let roofs = roofs();
    let rate = roofs.levels.iter().find(|level| level.name == roof).map(|level| level.bytes_per_second);
    let roof_seconds = match rate {
        Some(rate) => bytes / rate,
        None if roof == "compute" => flops / PEAK,
        None => calls / 2.0 * roofs.barrier_seconds,
    };
    let fraction = (roof != "none").then_some(roof_seconds / seconds);
    let bound = fraction.is_some_and(|fraction| fraction > 0.8);
    let verdict = match operation {
        "barrier" => "waiting",
        _ if bound => roof,
        _ if seconds / calls < 5e-6 => "small calls",
        _ => "latency",
    };
    Site {
        layer: layer.map(Into::into),
        kind: kind.into(),
        operation: operation.into(),
        calls,
        seconds_per_step: seconds,
        median_seconds: 0.99 * seconds,
        share: seconds / step,
        flops,
        nominal_flops,
        bytes,
        intensity: if bytes > 0.0 { flops / bytes } else { 0.0 },
        roof: roof.into(),
        roof_seconds,
        fraction_of_roof: fraction,
        saving: (seconds - roof_seconds).max(0.0),
        verdict: verdict.into(),
        worker_seconds: UNEVEN.map(|part| part * seconds).to_vec(),
        command: (operation == "forward" || operation == "weight-gradient")
            .then(|| format!("fallline bench --kernel '{kind} batch 256 {operation}'")),
        counters: None,
    }
}

fn record(name: &str, data: &str, sites: &[Made], uncovered: f64) -> ProfileRecord {
    let step = sites.iter().map(|made| made.4).sum::<f64>() + uncovered;
    let mut sites: Vec<Site> = sites.iter().map(|made| site(*made, step)).collect();
    let timeline = timeline(&sites);
    sites.sort_by(|a, b| b.saving.total_cmp(&a.saving));
    let waits = |part: f64| {
        sites.iter().filter(|site| site.operation == "barrier").map(|site| part * site.seconds_per_step).sum()
    };
    let worker = |worker: usize| WorkerTime {
        worker,
        busy: UNEVEN[worker] * (step - uncovered) - waits(1.0),
        waiting: waits(UNEVEN[1 - worker]),
        uncovered,
        imbalance: UNEVEN[worker] - 1.0,
        taken: Some(1.2e-6 * worker as f64),
        switches: Some(0.004 * worker as f64),
        last: [0.23, 0.77][worker],
    };
    ProfileRecord {
        schema: PROFILE_SCHEMA.into(),
        version: "0.1.0".into(),
        command: format!("fallline profile {name} --threads 2"),
        machine: machine(),
        topology: topology(),
        settings: Settings {
            mode: "train".into(),
            recipe: name.into(),
            data: data.into(),
            optimizer: "adam".into(),
            batch: 256,
            threads: 2,
            precision: "f32".into(),
            parameters: 101_770,
            flops_per_sample: sites.iter().map(|site| site.nominal_flops).sum::<f64>() / 256.0,
            toml: format!("name = \"{name}\"\n"),
        },
        roofs: roofs(),
        steps: 1204,
        step_seconds: step,
        plain_step_seconds: step / 1.004,
        overhead: 0.004,
        overhead_interval: Some([0.001, 0.007]),
        uncovered,
        workers: (0..2).map(worker).collect(),
        timeline,
        findings: vec![
            Finding {
                text: format!(
                    "layer 0, {}: 31 % of the step at 38 % of the L2 roof: 1.16 times as fast at best; a larger \
                     batch would spread it.",
                    sites[0].operation
                ),
                command: Some(format!("fallline profile {name} --batch 1024")),
            },
            Finding {
                text: "The forward pass runs at 94 % of the compute roof: nothing to gain.".into(),
                command: None,
            },
        ],
        notes: vec!["The roofs were measured in the same run.".into()],
        counters: None,
        sites,
    }
}

/// Each worker does its part of each call site, one after another, in at most six calls.
fn timeline(sites: &[Site]) -> Vec<Event> {
    let mut now = [0.0, 0.0];
    let mut events = Vec::new();
    for site in sites {
        for (worker, now) in now.iter_mut().enumerate() {
            let calls = (site.calls / 2.0).clamp(1.0, 6.0).floor();
            for _ in 0..calls as usize {
                let seconds = site.worker_seconds[worker] / calls;
                events.push(Event {
                    worker,
                    layer: site.layer.clone(),
                    operation: site.operation.clone(),
                    start: *now,
                    seconds,
                    flops: site.flops / calls / 2.0,
                    bytes: site.bytes / calls / 2.0,
                });
                *now += seconds;
            }
        }
    }
    events.sort_by(|a, b| a.start.total_cmp(&b.start));
    events
}

/// A perceptron of 784-128-10 at batch 256 on two threads.
pub fn perceptron() -> ProfileRecord {
    let (dense, last) = ("dense 784 → 128 + relu", "dense 128 → 10");
    let (product, small) = (2.0 * 784.0 * 128.0 * 256.0, 2.0 * 128.0 * 10.0 * 256.0);
    record(
        "mnist-mlp",
        "mnist",
        &[
            (None, "", "gather", 4.0, 31e-6, 0.0, 0.0, 1.0e6, "L3"),
            (Some("0"), dense, "forward", 4.0, 118e-6, product, product, 1.4e6, "compute"),
            (Some("2"), last, "forward", 4.0, 5.6e-6, 1.6 * small, small, 1.5e5, "compute"),
            (None, "cross-entropy", "loss", 4.0, 4.4e-6, 9e4, 9e4, 3.1e4, "L1"),
            (Some("2"), last, "input-gradient", 4.0, 4.1e-6, 1.2 * small, small, 1.4e5, "compute"),
            (None, "", "barrier", 2.0, 3.1e-6, 0.0, 0.0, 0.0, "none"),
            (Some("0"), dense, "weight-gradient", 28.0, 121e-6, product, product, 2.4e6, "compute"),
            (Some("0"), "adam", "update", 28.0, 38e-6, 1.2e6, 1.2e6, 2.8e6, "L2"),
            (Some("0"), dense, "derive", 28.0, 6.5e-6, 0.0, 0.0, 8.0e5, "L2"),
            (Some("2"), last, "weight-gradient", 2.0, 6.2e-6, 1.6 * small, small, 1.6e5, "compute"),
            (Some("2"), "adam", "update", 2.0, 0.9e-6, 1.5e4, 1.5e4, 3.6e4, "L1"),
            (Some("2"), last, "derive", 2.0, 0.3e-6, 0.0, 0.0, 1.0e4, "L1"),
            (None, "ema 0.999", "average", 30.0, 9.1e-6, 3e5, 3e5, 1.2e6, "L2"),
            (None, "norm 1", "clip", 30.0, 4.5e-6, 2e5, 2e5, 4.1e5, "L2"),
            (None, "", "norms", 2.0, 0.2e-6, 1e4, 1e4, 4e4, "L1"),
        ],
        7.5e-6,
    )
}

/// A convolutional network with 40 call sites, some of whose layers lie within others.
pub fn convolutions() -> ProfileRecord {
    let layers: Vec<(String, String)> = (0..9)
        .map(|index| match index % 3 {
            0 => (format!("{}", 3 * index), format!("conv 3x3, {} channels", 32 << (index / 3))),
            1 => (format!("{}.layers.0", 3 * index), "batch-norm + relu".to_string()),
            _ => (format!("{}.layers.1", 3 * index), "depthwise conv 3x3, stride 2".to_string()),
        })
        .collect();
    let mut made: Vec<Made> = vec![(None, "", "gather", 4.0, 60e-6, 0.0, 0.0, 1.6e6, "DRAM")];
    for (index, (layer, kind)) in layers.iter().enumerate() {
        let (layer, size) = (Some(layer.as_str()), 1.0 + (index * 5 % 7) as f64);
        let flops = if kind.starts_with("conv") { 9e8 * size } else { 4e6 * size };
        let roof = if kind.starts_with("conv") { "compute" } else { ["L2", "L3", "DRAM"][index % 3] };
        let rate =
            roofs().levels.iter().find(|level| level.name == roof).map_or(PEAK, |l| l.bytes_per_second);
        let bytes = if roof == "compute" { 4e6 * size } else { 3e6 * size };
        let least = if roof == "compute" { flops / PEAK } else { bytes / rate };
        for (part, operation) in
            ["forward", "input-gradient", "weight-gradient", "statistics"].iter().enumerate()
        {
            let seconds = least * (1.08 + 0.6 * (part * index % 5) as f64);
            made.push((layer, kind, operation, 256.0, seconds, flops, 0.9 * flops, bytes, roof));
        }
    }
    made.push((None, "cross-entropy", "loss", 4.0, 9e-6, 9e4, 9e4, 3.1e4, "L1"));
    made.push((Some("27"), "adam", "update", 12.0, 40e-6, 1.2e6, 1.2e6, 3e6, "L3"));
    made.push((None, "", "barrier", 6.0, 12e-6, 0.0, 0.0, 0.0, "none"));
    record("mnist-cnn", "mnist", &made, 90e-6)
}

/// Letters that break out of HTML, XML, CSV, terminals and folded stacks.
pub const HOSTILE: &str = "a<b>\"&',;\u{1b}[31m\u{7}\n]]></script><script>alert(1)</script>";

/// The perceptron's record with texts that try to leave their places.
pub fn hostile() -> ProfileRecord {
    let mut record = perceptron();
    let hostile = || HOSTILE.to_string();
    record.command = hostile();
    record.machine.cpu = hostile();
    record.settings.recipe = hostile();
    record.settings.data = hostile();
    record.settings.optimizer = hostile();
    record.settings.precision = hostile();
    record.settings.toml = hostile();
    record.roofs.instruction_set = hostile();
    record.roofs.levels[1].name = hostile();
    for site in &mut record.sites {
        site.kind += HOSTILE;
        site.verdict += HOSTILE;
        site.command = Some(hostile());
        if site.layer.is_some() {
            site.layer = Some(hostile());
        }
        if site.operation == "norms" {
            site.operation = hostile();
        }
    }
    for event in &mut record.timeline {
        event.layer = Some(hostile());
    }
    record.findings.push(Finding { text: hostile(), command: Some(hostile()) });
    record.notes.push(hostile());
    record.counters = Some(hostile());
    record
}
