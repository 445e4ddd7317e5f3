//! The settings of probes, and their results: operations, costs, call sites, steps.

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// An operation of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Operation {
    /// Samples become rows of the input, by augmentation if there is one; targets are looked up.
    Gather,
    Forward,
    /// The forward pass of a layer whose output was not saved, once more in the backward pass.
    Recompute,
    /// The sums that a normalisation takes of the batch, in either direction.
    Statistics,
    Loss,
    /// The gradient of a layer's input.
    InputGradient,
    /// The gradient of a layer's parameters.
    WeightGradient,
    /// Penalties, clipping, norms of gradients, constraints on parameters.
    Clip,
    /// Norms for the record, in the last step of an epoch.
    Norms,
    /// The update rule.
    Update,
    /// The products of a rule that makes matrices orthogonal.
    Orthogonalise,
    /// Copies that a layer derives from its parameters, such as transposed weights.
    Derive,
    /// Moving averages of the parameters, and Lookahead.
    Average,
    /// The line search of a full-batch method.
    Search,
    /// The outputs of inference, made into predictions.
    Predict,
    /// Waiting for other workers.
    Barrier,
}

impl Operation {
    /// Every operation, in the order of a step.
    pub const ALL: [Operation; 16] = [
        Operation::Gather,
        Operation::Forward,
        Operation::Recompute,
        Operation::Statistics,
        Operation::Loss,
        Operation::InputGradient,
        Operation::WeightGradient,
        Operation::Clip,
        Operation::Norms,
        Operation::Update,
        Operation::Orthogonalise,
        Operation::Derive,
        Operation::Average,
        Operation::Search,
        Operation::Predict,
        Operation::Barrier,
    ];

    /// The name in tables and files: "weight-gradient".
    pub fn name(self) -> &'static str {
        match self {
            Operation::Gather => "gather",
            Operation::Forward => "forward",
            Operation::Recompute => "recompute",
            Operation::Statistics => "statistics",
            Operation::Loss => "loss",
            Operation::InputGradient => "input-gradient",
            Operation::WeightGradient => "weight-gradient",
            Operation::Clip => "clip",
            Operation::Norms => "norms",
            Operation::Update => "update",
            Operation::Orthogonalise => "orthogonalise",
            Operation::Derive => "derive",
            Operation::Average => "average",
            Operation::Search => "search",
            Operation::Predict => "predict",
            Operation::Barrier => "barrier",
        }
    }
}

thread_local! {
    static FLOPS: Cell<u64> = const { Cell::new(0) };
}

/// Adds floating-point operations that a kernel executes on this thread, a multiply-add counting as two. Each
/// kernel calls it once for many of them.
#[inline(always)]
pub fn count_flops(flops: usize) {
    FLOPS.with(|sum| sum.set(sum.get().wrapping_add(flops as u64)));
}

/// The floating-point operations that this thread has counted so far.
#[inline(always)]
pub fn counted_flops() -> u64 {
    FLOPS.with(Cell::get)
}

/// The call site that is slowed down, as its [`place`] plus one, and nanoseconds of each of its calls.
static SLOWED: AtomicUsize = AtomicUsize::new(0);
static DELAY: AtomicU64 = AtomicU64::new(0);

/// Makes each probed call of an operation of a layer last longer by `delay`, in all threads, until it is called
/// with none. It lets a test see whether a profile finds what is slow: nothing of the program itself calls it.
#[doc(hidden)]
pub fn slow_down(site: Option<(Operation, Option<usize>)>, delay: Duration) {
    DELAY.store(delay.as_nanos() as u64, Relaxed);
    SLOWED.store(site.map_or(0, |(operation, layer)| place(operation, layer) + 1), Relaxed);
}

/// Waits as long as [`slow_down`] has asked for. Calls that are not probed never come here.
#[inline(always)]
pub fn delay(operation: Operation, layer: Option<usize>) {
    let slowed = SLOWED.load(Relaxed);
    if slowed != 0 && slowed == place(operation, layer) + 1 {
        let (begun, delay) = (Instant::now(), Duration::from_nanos(DELAY.load(Relaxed)));
        while begun.elapsed() < delay {
            std::hint::spin_loop();
        }
    }
}

/// The memory traffic of a call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Bytes read and written, each operand once.
    pub bytes: usize,
    /// Bytes of memory that are touched before the same ones are touched again: they tell the level of
    /// memory that the traffic comes from.
    pub working_set: usize,
}

/// Kinds of traffic that a call may have.
pub const STREAMS: usize = 3;

/// The cost of a call by the definition of its operation.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Cost {
    /// Floating-point operations as the summary of a model counts them, without padding.
    pub nominal_flops: f64,
    pub streams: [Traffic; STREAMS],
}

impl Cost {
    /// The cost of a call that moves nothing worth counting.
    pub const NONE: Cost =
        Cost { nominal_flops: 0.0, streams: [Traffic { bytes: 0, working_set: 0 }; STREAMS] };

    /// The cost of two calls together.
    pub fn plus(mut self, other: Cost) -> Cost {
        self.nominal_flops += other.nominal_flops;
        for (sum, stream) in self.streams.iter_mut().zip(other.streams) {
            sum.bytes += stream.bytes;
            sum.working_set = sum.working_set.max(stream.working_set);
        }
        self
    }

    /// The cost of so many bytes that are in cache, and none besides.
    pub fn local(bytes: usize) -> Cost {
        Cost::NONE.and(0, bytes, bytes)
    }

    /// The cost with this traffic as the stream of that number.
    pub fn and(mut self, stream: usize, bytes: usize, working_set: usize) -> Cost {
        self.streams[stream] = Traffic { bytes, working_set };
        self
    }
}

/// All calls of an operation of a layer by one worker.
#[derive(Clone, Debug, PartialEq)]
pub struct Site {
    pub operation: Operation,
    /// The layer's index in the model; none where the operation belongs to no layer.
    pub layer: Option<usize>,
    pub calls: u64,
    /// Ticks of the calls, without the probes inside them.
    pub ticks: u64,
    /// Floating-point operations that were executed.
    pub flops: u64,
    pub nominal_flops: f64,
    /// The traffic of each stream: bytes are sums, working sets the largest.
    pub streams: [TrafficSum; STREAMS],
    /// Hardware counters, if they were asked for and there are any: cycles, instructions, cache misses.
    pub counted: [u64; 3],
}

/// The traffic of many calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TrafficSum {
    pub bytes: u64,
    pub working_set: usize,
}

/// A call. Calls that belong to one step lie between its [`Step::begun`] and [`Step::ended`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Call {
    /// The index of its site in [`Table::sites`].
    pub site: usize,
    pub begun: u64,
    pub ended: u64,
    pub flops: u64,
    pub bytes: u64,
}

/// A step of one worker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The number of the step among all steps of the run, from 0.
    pub number: u64,
    /// Whether the probes were on; else only its time is known.
    pub is_probed: bool,
    pub begun: u64,
    pub ended: u64,
    /// The index of its first sum in [`Table::step_ticks`]: there is one for each site that was known when it ended.
    pub first: usize,
}

/// The results of one worker.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Table {
    pub sites: Vec<Site>,
    /// Steps that have begun, measured or not.
    pub steps_begun: u64,
    /// Measured steps without probes, and those with them.
    pub steps_seen: [u64; 2],
    /// Ticks of the measured steps without probes, and of those with them.
    pub ticks_seen: [u64; 2],
    /// The measured steps; not more than [`MOST_STEPS_KEPT`].
    pub steps: Vec<Step>,
    /// The ticks of each step at each site that was known when it ended.
    pub step_ticks: Vec<u64>,
    /// Single calls in the order of their ends; not more than [`Probes::most_calls`].
    pub calls: Vec<Call>,
    /// Calls that found no place in [`calls`](Table::calls).
    pub calls_left_out: u64,
    pub barriers: u64,
    /// Barriers at which the others were waiting already.
    pub last: u64,
    /// How the system scheduled the thread, in measured steps and between them, where it tells.
    pub system: Option<SystemTime>,
    /// Why there are no hardware counters, where they were asked for.
    pub uncounted: Option<String>,
}

/// How the system scheduled a thread.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SystemTime {
    /// Nanoseconds in which the thread was ready to run and had no processor.
    pub taken: u64,
    /// How often its processor was taken from it.
    pub switches: u64,
}

impl Table {
    /// Ticks of a step at a site.
    pub fn ticks_of(&self, step: usize, site: usize) -> u64 {
        let first = self.steps[step].first;
        let end = self.steps.get(step + 1).map_or(self.step_ticks.len(), |next| next.first);
        if site < end - first { self.step_ticks[first + site] } else { 0 }
    }

    /// Ticks that the worker waited at barriers.
    pub fn waiting(&self) -> u64 {
        self.sites.iter().filter(|site| site.operation == Operation::Barrier).map(|site| site.ticks).sum()
    }
}

/// The settings of the probes, and their results.
#[derive(Clone, Debug)]
pub struct Probes {
    /// The clock, in ticks.
    pub now: fn() -> u64,
    /// The most calls of each worker that are kept one by one.
    pub most_calls: usize,
    pub turns: Turns,
    /// Whether hardware counters are read at each call. That takes so long that times mean little then.
    pub counts: bool,
    /// One table a worker; empty before the first run.
    pub tables: Vec<Table>,
}

impl Probes {
    /// Probes that are on in all steps.
    pub fn new(now: fn() -> u64) -> Probes {
        Probes { now, most_calls: 0, turns: Turns::ALL, counts: false, tables: Vec::new() }
    }
}

/// The steps in which the probes are on: in slices of steps that take turns with slices in which they are off, so
/// that whatever the machine goes through meets both alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Turns {
    /// The first step that is measured in either way.
    pub first: u64,
    /// The first step that is not measured any more.
    pub end: u64,
    /// Steps of a slice; 0 if the probes stay on.
    pub slice: u64,
}

impl Turns {
    /// Probes that are on in all steps.
    pub const ALL: Turns = Turns { first: 0, end: u64::MAX, slice: 0 };

    /// Whether the probes are on in this step; none if it is not measured at all. The first slice is probed.
    pub fn at(self, step: u64) -> Option<bool> {
        if !(self.first..self.end).contains(&step) {
            return None;
        }
        let slice = (step - self.first).checked_div(self.slice).unwrap_or(0);
        // The sequence of Thue and Morse, which keeps step with no epoch.
        Some(slice.count_ones().is_multiple_of(2))
    }
}

/// The most steps of which a worker keeps separate sums; later ones count in the totals alone.
pub const MOST_STEPS_KEPT: usize = 100_000;

/// The index at which a site's calls are counted.
pub(super) fn place(operation: Operation, layer: Option<usize>) -> usize {
    layer.map_or(0, |layer| layer + 1) * Operation::ALL.len() + operation as usize
}
