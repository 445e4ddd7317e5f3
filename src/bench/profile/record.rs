//! The record of a profile. The table, the pages, the comparison are made from this alone.

use serde::{Deserialize, Serialize};

use crate::bench::record::Topology;
use crate::train::machine::Machine;

/// The schema that [`ProfileRecord`] has as JSON.
pub const PROFILE_SCHEMA: &str = "fallline.profile/1";

/// The profile of a training step, or of an inference: where its time goes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProfileRecord {
    /// The schema of the record, [`PROFILE_SCHEMA`].
    pub schema: String,
    /// The program's version.
    pub version: String,
    /// The command line.
    pub command: String,
    pub machine: Machine,
    pub topology: Topology,
    pub settings: Settings,
    pub roofs: Roofs,
    /// Steps that were measured with the probes on.
    pub steps: usize,
    /// Mean wall-clock time of a step with the probes on, of those steps that nothing disturbed: the
    /// others took far longer than the median.
    pub step_seconds: f64,
    /// The mean time of steps without probes, undisturbed ones, which took turns with them.
    pub plain_step_seconds: f64,
    /// The cost of the probes, as a part of a step without them: the median over pairs of a few steps with and
    /// without, one right after the other; noise may make it negative.
    pub overhead: f64,
    /// The 95 % interval of that median; absent if there were too few pairs to tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overhead_interval: Option<[f64; 2]>,
    /// Seconds per step that no probe covers, the mean over the workers.
    pub uncovered: f64,
    /// The call sites, that with the largest [`saving`](Site::saving) first.
    pub sites: Vec<Site>,
    pub workers: Vec<WorkerTime>,
    /// One step of each worker, in order of their beginnings: the step whose time is the median.
    pub timeline: Vec<Event>,
    /// One plain sentence for each of the top findings.
    pub findings: Vec<Finding>,
    /// Notes that a reader should know before believing the numbers.
    pub notes: Vec<String>,
    /// The hardware counters that were read, or why there are none; absent if they were not asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counters: Option<String>,
}

/// The settings of a profile.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// "train", or "predict" for the forward pass alone.
    pub mode: String,
    /// The recipe's name.
    pub recipe: String,
    /// The name of the data set.
    pub data: String,
    pub optimizer: String,
    /// Samples of a step.
    pub batch: usize,
    pub threads: usize,
    /// The precision of the products: "f32".
    pub precision: String,
    /// The number of trained parameters.
    pub parameters: usize,
    /// Nominal floating-point operations of a sample, as the summary counts them.
    pub flops_per_sample: f64,
    /// The recipe as TOML, with every value written out.
    pub toml: String,
}

/// The roofs of the machine, measured in the same run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Roofs {
    /// The instruction set: "AVX-512", "AVX2", "baseline".
    pub instruction_set: String,
    /// The peak of all workers together; multiply-adds count as two.
    pub flops_per_second: f64,
    /// The bandwidths of the levels of memory, from that next to the core on.
    pub levels: Vec<LevelRoof>,
    /// Seconds of one barrier when all workers arrive together; 0 for one worker.
    pub barrier_seconds: f64,
}

/// The bandwidth of a level of memory.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LevelRoof {
    /// The name of the level: "L1", "L2", "L3", "DRAM".
    pub name: String,
    /// The largest working set of one worker that fits into it; 0 for no limit.
    pub capacity: usize,
    /// The bandwidth of all workers together: the fastest of reading, writing and `a = b + scalar * c`.
    pub bytes_per_second: f64,
}

/// An operation of a layer, or of the step as a whole.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Site {
    /// The layer's module, such as "2" or "3.layers.0"; absent where the operation belongs to none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub layer: Option<String>,
    /// The kind of the layer, such as "dense + relu"; the update rule's name for updates; else empty.
    pub kind: String,
    /// The name of an [`Operation`](crate::probe::Operation), such as "weight-gradient".
    pub operation: String,
    /// Calls per step, of all workers together.
    pub calls: f64,
    /// Seconds per step, the mean over the workers.
    pub seconds_per_step: f64,
    /// Seconds of the median step, of the mean over the workers.
    pub median_seconds: f64,
    /// The part of a step's time.
    pub share: f64,
    /// Executed floating-point operations per step, of all workers together.
    pub flops: f64,
    /// Floating-point operations per step by the layer's definition, as the summary counts them.
    pub nominal_flops: f64,
    /// Bytes read and written per step, of all workers together.
    pub bytes: f64,
    /// The arithmetic intensity `flops / bytes`; 0 without bytes.
    pub intensity: f64,
    /// The roof that bounds it: "compute", or a level's name; "none" where neither operations nor bytes are
    /// counted, as at barriers.
    pub roof: String,
    /// Seconds per step that it would take at its roof; at barriers, their cost when all arrive together.
    pub roof_seconds: f64,
    /// The part of its roof that it reaches; absent without a roof.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fraction_of_roof: Option<f64>,
    /// Seconds per step that could be saved if it ran at its roof.
    pub saving: f64,
    /// The bound: a roof's name, "latency", "imbalance", "waiting", "small calls"; "unknown" without a
    /// roof.
    pub verdict: String,
    /// Seconds per step of each worker.
    pub worker_seconds: Vec<f64>,
    /// A command that runs this kernel alone; absent where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
    /// Hardware counters per step, of all workers together; absent where the system forbids them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counters: Option<Counters>,
}

/// The hardware counters of a call site.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Counters {
    pub cycles: f64,
    pub instructions: f64,
    pub cache_misses: f64,
}

/// The time of a worker; seconds are per step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WorkerTime {
    /// The index of the worker, from 0.
    pub worker: usize,
    /// Seconds inside the probes.
    pub busy: f64,
    /// Seconds at barriers.
    pub waiting: f64,
    /// Seconds in neither.
    pub uncovered: f64,
    /// The worker's busy time over the mean of all workers, less 1.
    pub imbalance: f64,
    /// Seconds ready to run, but without a processor; absent where the system does not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub taken: Option<f64>,
    /// Involuntary context switches per step; absent where the system does not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub switches: Option<f64>,
    /// The part of the barriers at which it was the last to come: the others waited for it.
    pub last: f64,
}

/// A call within a step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    pub worker: usize,
    /// The layer's module, as in [`Site::layer`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub layer: Option<String>,
    pub operation: String,
    /// Seconds from the beginning of the step.
    pub start: f64,
    pub seconds: f64,
    /// Executed floating-point operations.
    pub flops: f64,
    pub bytes: f64,
}

/// A finding about the step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// The finding in a plain sentence.
    pub text: String,
    /// A command to try, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
}
