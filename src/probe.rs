//! Scoped timers of the parts of a step, with their costs by their shapes. Off, a probe costs one
//! predictable branch.
//!
//! Times are ticks of the clock that [`Probes`] were made with. Executed floating-point operations are counted
//! by the kernels themselves ([`count_flops`]), so that padding which is computed in vain counts, and terms
//! that are left out do not.

mod recorder;
mod table;

pub use recorder::Probe;
pub use table::{
    Call, Cost, MOST_STEPS_KEPT, Operation, Probes, STREAMS, Site, Step, SystemTime, Table, Traffic,
    TrafficSum, Turns, count_flops, counted_flops, delay, slow_down,
};

#[cfg(test)]
mod tests;
