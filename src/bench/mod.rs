//! Measuring: what the machine can do, and how much of it training reaches.

pub mod peak;
pub mod peers;
pub mod record;
pub mod throughput;

pub use record::{BenchRecord, Calibration, CaseRecord};
