//! The records of benchmarks and calibrations. All tables, pages and comparisons are made from these.

use serde::{Deserialize, Serialize};

use crate::stats::Summary;
use crate::train::machine::Machine;

/// The schema that [`BenchRecord`] has as JSON.
pub const BENCH_SCHEMA: &str = "fallline.bench/1";

/// The schema that [`Calibration`] has as JSON.
pub const CALIBRATION_SCHEMA: &str = "fallline.calibration/1";

/// The name of this program among the frameworks of [`CaseRecord::framework`].
pub const FALLLINE: &str = "fallline";

/// A run of the benchmark suite.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BenchRecord {
    /// The schema of the record, [`BENCH_SCHEMA`].
    pub schema: String,
    /// The program's version.
    pub version: String,
    pub machine: Machine,
    /// The calibration of the machine; absent if it was not calibrated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calibration: Option<Calibration>,
    /// Notes that a reader should know before believing the numbers: a noisy machine, generated data in
    /// place of a missing data set, a framework that was not found.
    pub notes: Vec<String>,
    /// Seconds of measuring meant for each case.
    pub seconds_per_case: f64,
    /// The names of the other frameworks that were to be run beside each case.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub compared: Vec<String>,
    pub cases: Vec<CaseRecord>,
}

/// A network trained by one rule, with one batch size, on so many threads.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CaseRecord {
    /// The framework: [`FALLLINE`], or another one: "pytorch-eager", "pytorch-channels-last",
    /// "pytorch-compile", "jax".
    pub framework: String,
    /// The recipe's name.
    pub recipe: String,
    /// The name of the data set; "digits" are generated.
    pub data: String,
    pub optimizer: String,
    /// Samples of a step.
    pub batch: usize,
    pub threads: usize,
    /// The precision of the products: "f32".
    pub precision: String,
    /// The number of trained parameters.
    pub parameters: usize,
    /// Floating-point operations of a training step, per sample.
    pub train_flops_per_sample: f64,
    /// The recipe as TOML, with every value written out as it was measured; absent for other frameworks, and in records of
    /// earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settings: Option<String>,
    pub samples_per_second: Summary,
    /// Tokens of a sample with a target each, the mean of all samples; absent where a sample has one target.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens_per_sample: Option<f64>,
    /// Tokens with a target each, a second, at the median throughput; absent where a sample has one target.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens_per_second: Option<f64>,
    /// Microseconds of a step, at the median throughput.
    pub step_us: f64,
    /// Floating-point operations of the model, 10^9 a second, at the median throughput.
    pub gflops: f64,
    /// Each run's fraction of the f32 multiply-add peak that was measured on as many threads just
    /// before it.
    pub fraction_of_peak: Summary,
    /// Throughput over that of one thread times the threads; absent without such a case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scaling_efficiency: Option<f64>,
    /// Bytes that the updates of a step read and write; absent for other frameworks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub update_bytes_per_step: Option<usize>,
    /// The highest resident memory of a process that trains this case alone, where the system
    /// tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peak_memory_bytes: Option<u64>,
    /// The part of their time that the workers wait at barriers; absent for other frameworks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting: Option<f64>,
    /// When the runs were made, in their order: more than one part if the benchmark was interrupted and resumed, always on
    /// the same machine; empty in records of earlier versions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub measured: Vec<Measured>,
}

/// When runs of a case were made. Times are in UTC, to the second: "2026-11-30T20:09:00Z".
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Measured {
    /// When the benchmark, or the part of it that went on, was begun.
    pub begun: String,
    /// When its last run of this case was made.
    pub ended: String,
    /// Its runs of this case.
    pub runs: usize,
}

impl CaseRecord {
    /// Whether both are the same case, measured at different times.
    pub fn is_same_case(&self, other: &CaseRecord) -> bool {
        let key = |case: &CaseRecord| {
            let texts = [&case.framework, &case.recipe, &case.data, &case.optimizer, &case.precision];
            (texts.map(String::clone), case.batch, case.threads)
        };
        key(self) == key(other)
    }

    /// [`title`](CaseRecord::title), with the framework before it if that is another than this
    /// program.
    pub fn full_title(&self) -> String {
        if self.framework == FALLLINE {
            self.title()
        } else {
            format!("{}: {}", self.framework, self.title())
        }
    }

    /// The title of the case: "mnist-mlp adam, batch 64, 2 threads".
    pub fn title(&self) -> String {
        let threads = if self.threads == 1 { "thread" } else { "threads" };
        format!("{} {}, batch {}, {} {threads}", self.recipe, self.optimizer, self.batch, self.threads)
    }
}

/// The calibration of a machine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    /// The schema of the record, [`CALIBRATION_SCHEMA`].
    pub schema: String,
    /// The fingerprint of the machine.
    pub fingerprint: String,
    pub machine: Machine,
    pub topology: Topology,
    /// The peak of each instruction set and precision, on 1 to all threads.
    pub peaks: Vec<Peak>,
    /// The bandwidth of each level of memory, on one and on all threads.
    pub bandwidths: Vec<Bandwidth>,
    /// The latencies between pairs of processors.
    pub latencies: Vec<Latency>,
    /// The cost of the training loop's own barrier, for 2 to all threads.
    pub barriers: Vec<Barrier>,
    /// Warnings of conditions that make measurements on this machine doubtful.
    pub warnings: Vec<String>,
    /// Seconds that calibrating took.
    pub seconds: f64,
}

/// A peak: multiply-adds in registers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Peak {
    /// The instruction set: "AVX-512", "AVX2", "baseline".
    pub instruction_set: String,
    /// The precision: "f32" or "bf16".
    pub precision: String,
    pub threads: usize,
    /// Floating-point operations a second, a multiply-add counting as two; all threads together.
    pub flops_per_second: f64,
}

/// The bandwidth of a level of memory, all threads together, each on memory of its own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Bandwidth {
    /// The name of the level: "L1", "L2", "L3", "DRAM".
    pub level: String,
    /// Bytes that each thread goes through over and over.
    pub working_set_bytes: usize,
    pub threads: usize,
    /// Bytes a second of a sum over an array.
    pub read: f64,
    /// Bytes a second of filling an array.
    pub write: f64,
    /// Bytes a second of `a = b + scalar * c`, two reads and one write.
    pub triad: f64,
}

/// How long a processor takes to see what another has written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Latency {
    /// The processors' numbers.
    pub from: usize,
    pub to: usize,
    /// The latency of one way, in nanoseconds.
    pub nanoseconds: f64,
}

/// The cost of a barrier.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Barrier {
    pub threads: usize,
    /// Nanoseconds of one barrier when all arrive together.
    pub nanoseconds: f64,
}

/// The topology of the machine, as far as the system tells.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Topology {
    /// Processors of the machine, hardware threads counted.
    pub processors: usize,
    /// The processors that this process may run on.
    pub allowed: Vec<usize>,
    /// Distinct cores among them.
    pub cores: usize,
    pub threads_per_core: usize,
    pub numa_nodes: usize,
    pub caches: Vec<Cache>,
    /// Processors' worth of time that the control group may use; absent without a limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quota: Option<f64>,
    /// How the system chooses the clock: "performance", "schedutil"; absent where it does not tell,
    /// as in virtual machines.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub governor: Option<String>,
    /// The virtual machine's maker, "KVM"; absent on real hardware.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hypervisor: Option<String>,
    /// Bytes of main memory.
    pub memory_bytes: u64,
}

/// A cache of the first allowed processor.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cache {
    /// The level of the cache; 1 is next to the core.
    pub level: u32,
    /// The kind: "Data", "Instruction", "Unified".
    pub kind: String,
    pub bytes: usize,
    /// Processors that share it.
    pub shared_by: usize,
}
