//! Scoped kernel timers with declared flops and bytes. Off, a probe costs one predictable branch.

use std::time::Duration;

/// What a part of a step does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Operation {
    /// Samples become rows of the input, by augmentation if there is one; targets are looked up.
    Gather,
    Forward,
    /// The forward pass of a layer whose output was not kept, once more on the way back.
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
    /// The products of a rule for whole matrices.
    Orthogonalise,
    /// Copies that a layer derives from its parameters, such as transposed weights.
    Derive,
    /// Moving averages of the parameters, and Lookahead.
    Average,
    /// The line search of a full-batch method.
    Search,
    /// The outputs of inference, made into answers.
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

    /// Its name in tables and files: "weight-gradient".
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

/// What one kernel of one layer cost a worker.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Entry {
    /// The kernel, such as "forward".
    pub name: &'static str,
    /// The layer's index in the model.
    pub layer: usize,
    pub calls: u64,
    pub time: Duration,
    /// Floating-point operations by the kernel's definition.
    pub flops: u64,
    /// Bytes read and written by the kernel's definition.
    pub bytes: u64,
}

/// What one worker did in a run.
#[derive(Clone, Debug, Default)]
pub struct Table {
    pub entries: Vec<Entry>,
    /// Time spent waiting for other workers.
    pub waiting: Duration,
    pub barriers: u64,
}

/// A worker's own recorder.
pub struct Probe {
    on: bool,
    table: Table,
}

impl Probe {
    pub fn new(on: bool) -> Self {
        Probe { on, table: Table::default() }
    }

    pub fn is_on(&self) -> bool {
        self.on
    }

    /// Adds one call. There are few kernels, so a linear search is faster than hashing.
    pub fn record(&mut self, name: &'static str, layer: usize, time: Duration, flops: usize, bytes: usize) {
        let entries = &mut self.table.entries;
        let position = entries.iter().position(|entry| entry.layer == layer && entry.name == name);
        let position = position.unwrap_or_else(|| {
            entries.push(Entry { name, layer, calls: 0, time: Duration::ZERO, flops: 0, bytes: 0 });
            entries.len() - 1
        });
        let entry = &mut entries[position];
        entry.calls += 1;
        entry.time += time;
        entry.flops += flops as u64;
        entry.bytes += bytes as u64;
    }

    pub fn waited(&mut self, time: Duration) {
        self.table.waiting += time;
        self.table.barriers += 1;
    }

    pub fn into_table(self) -> Table {
        self.table
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_add_up_by_kernel_and_layer() {
        let mut probe = Probe::new(true);
        let millisecond = Duration::from_millis(1);
        probe.record("forward", 0, millisecond, 10, 1);
        probe.record("forward", 1, millisecond, 20, 2);
        probe.record("forward", 0, millisecond, 10, 1);
        let table = probe.into_table();
        assert_eq!(table.entries.len(), 2);
        let first = table.entries[0];
        assert_eq!((first.calls, first.flops, first.bytes, first.time), (2, 20, 2, 2 * millisecond));
    }
}
