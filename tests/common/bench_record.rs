//! A made-up record of a benchmark: what the numbers are does not matter, only that each case has
//! its own.

use fallline::engine::bench::record::{
    BENCH_SCHEMA, Bandwidth, Barrier, BenchRecord, CALIBRATION_SCHEMA, Cache, Calibration, CaseRecord,
    FALLLINE, Latency, Peak, Topology,
};
use fallline::engine::stats::Summary;
use fallline::engine::train::machine::Machine;

pub const BATCHES: [usize; 5] = [16, 64, 256, 1024, 4096];
pub const OPTIMIZERS: [&str; 3] = ["sgd", "momentum", "adam"];
pub const THREADS: [usize; 2] = [1, 2];

/// Of one thread, in floating-point operations a second.
const PEAK: f64 = 118.4e9;

pub fn machine() -> Machine {
    Machine {
        cpu: "Made-up 9000 @ 3.00GHz".into(),
        cores: 2,
        instruction_set: "AVX-512".into(),
        os: "linux x86_64".into(),
    }
}

/// Runs around a value, a little skewed, with a far one if wanted.
fn runs(value: f64, spread: f64, outlier: bool) -> Summary {
    let parts = [0.0, 0.4, -0.6, 0.2, -0.3, 1.0, -0.1, 0.5, -0.8, 0.1, -0.2];
    let mut runs: Vec<f64> = parts.iter().map(|part| value * (1.0 + spread * part)).collect();
    if outlier {
        runs[3] = 0.6 * value;
    }
    Summary::of(&runs)
}

fn case(recipe: usize, optimizer: usize, batch: usize, threads: usize) -> CaseRecord {
    let (name, data, parameters) =
        [("mnist-mlp", "mnist", 101_770), ("wide-mlp", "digits", 1_863_690)][recipe];
    let flops = 6.0 * parameters as f64 - 2.0 * 100_352.0;
    let size = (batch as f64).log2();
    let base = 0.72 * size / (size + 3.5) - 0.02 * recipe as f64;
    let rule = 1.0 - [0.0, 0.05, 0.16][optimizer] * 16.0 / (16.0 + batch as f64).sqrt() / 4.0;
    let scaling = if threads == 1 { 1.0 } else { 0.99 - 0.45 / size };
    let fraction = base * rule * scaling;
    let speed = fraction * PEAK * threads as f64 / flops;
    let spread = if (optimizer, batch) == (1, 64) { 0.3 } else { 0.012 };
    let outlier = (optimizer, batch, threads) == (2, 256, 2);
    CaseRecord {
        framework: FALLLINE.into(),
        recipe: name.into(),
        data: data.into(),
        optimizer: OPTIMIZERS[optimizer].into(),
        batch,
        threads,
        precision: "f32".into(),
        parameters,
        train_flops_per_sample: flops,
        settings: None,
        samples_per_second: runs(speed, spread, outlier),
        tokens_per_sample: None,
        tokens_per_second: None,
        step_us: 1e6 * batch as f64 / speed,
        gflops: speed * flops / 1e9,
        fraction_of_peak: runs(fraction, 0.01, false),
        scaling_efficiency: Some(scaling),
        update_bytes_per_step: Some(parameters * 4 * [3, 5, 7][optimizer]),
        peak_memory_bytes: Some(12_000_000 + (parameters * 16 + batch * 8000) as u64),
        waiting: (threads > 1).then_some(0.02 + 0.9 / size.powi(2) / 4.0 * 16.0 / 4.0),
        measured: Vec::new(),
    }
}

/// The same case in another framework, `slower` times as slow.
fn peer(own: &CaseRecord, framework: &str, slower: f64) -> CaseRecord {
    let speed = &own.samples_per_second;
    let fraction = &own.fraction_of_peak;
    let slowed =
        |values: &[f64]| Summary::of(&values.iter().map(|value| value / slower).collect::<Vec<f64>>());
    CaseRecord {
        framework: framework.into(),
        samples_per_second: slowed(&speed.runs),
        fraction_of_peak: slowed(&fraction.runs),
        step_us: own.step_us * slower,
        gflops: own.gflops / slower,
        scaling_efficiency: None,
        update_bytes_per_step: None,
        peak_memory_bytes: Some(700_000_000),
        waiting: None,
        ..own.clone()
    }
}

fn calibration() -> Calibration {
    let sets = [("AVX-512", 1.0), ("AVX2", 0.55), ("baseline", 0.14)];
    let peak = |(name, part): (&str, f64), threads: usize| Peak {
        instruction_set: name.into(),
        precision: "f32".into(),
        threads,
        flops_per_second: PEAK * part * threads as f64 * if threads > 1 { 0.99 } else { 1.0 },
    };
    let levels =
        [("L1", 24 << 10, 210e9), ("L2", 512 << 10, 95e9), ("L3", 8 << 20, 31e9), ("DRAM", 256 << 20, 12e9)];
    let bandwidth = |(level, bytes, rate): (&str, usize, f64), threads: usize| Bandwidth {
        level: level.into(),
        working_set_bytes: bytes,
        threads,
        read: rate * threads as f64,
        write: 0.6 * rate * threads as f64,
        triad: 0.8 * rate * threads as f64,
    };
    let processors = 0..4usize;
    let latency = |(from, to): (usize, usize)| Latency {
        from,
        to,
        nanoseconds: if from / 2 == to / 2 { 21.5 } else { 64.0 + from as f64 + 2.0 * to as f64 },
    };
    let pairs = processors.clone().flat_map(|from| processors.clone().map(move |to| (from, to)));
    Calibration {
        schema: CALIBRATION_SCHEMA.into(),
        fingerprint: "made up".into(),
        machine: machine(),
        topology: Topology {
            processors: 4,
            allowed: vec![0, 1, 2, 3],
            cores: 2,
            threads_per_core: 2,
            numa_nodes: 1,
            caches: vec![
                Cache { level: 1, kind: "Data".into(), bytes: 32 << 10, shared_by: 2 },
                Cache { level: 2, kind: "Unified".into(), bytes: 1 << 20, shared_by: 2 },
                Cache { level: 3, kind: "Unified".into(), bytes: 32 << 20, shared_by: 4 },
            ],
            quota: Some(2.5),
            governor: Some("schedutil".into()),
            hypervisor: Some("KVM".into()),
            memory_bytes: 16 << 30,
        },
        peaks: sets.into_iter().flat_map(|set| THREADS.map(|threads| peak(set, threads))).collect(),
        bandwidths: THREADS
            .into_iter()
            .flat_map(|threads| levels.map(|level| bandwidth(level, threads)))
            .collect(),
        latencies: pairs.filter(|(from, to)| from != to).map(latency).collect(),
        barriers: vec![Barrier { threads: 2, nanoseconds: 183.0 }],
        warnings: vec!["the clock fell by 8 % during the calibration".into()],
        seconds: 14.2,
    }
}

/// Two networks, three rules, five batch sizes, one and two threads; for the first network on two
/// threads also two other frameworks.
pub fn record() -> BenchRecord {
    let mut cases = Vec::new();
    for recipe in 0..2 {
        for optimizer in 0..OPTIMIZERS.len() {
            for batch in BATCHES {
                cases.extend(THREADS.map(|threads| case(recipe, optimizer, batch, threads)));
                if recipe == 0 {
                    let own = case(recipe, optimizer, batch, 2);
                    let gap = 1.0 + 90.0 / (batch as f64 + 40.0);
                    cases.push(peer(&own, "pytorch-eager", gap * 1.15));
                    cases.push(peer(&own, "jax", if batch == 4096 { 0.93 } else { gap }));
                }
            }
        }
    }
    BenchRecord {
        schema: BENCH_SCHEMA.into(),
        version: "0.1.0".into(),
        machine: machine(),
        calibration: Some(calibration()),
        notes: vec![
            "wide-mlp: generated digits in place of MNIST, which was not found".into(),
            "pytorch-compile was not found".into(),
        ],
        seconds_per_case: 0.5,
        compared: Vec::new(),
        cases,
    }
}
