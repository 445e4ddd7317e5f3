//! Scoped kernel timers with declared flops and bytes. Off, a probe costs one predictable branch.

use std::time::Duration;

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
