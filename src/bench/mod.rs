//! Measuring: what the machine can do, and how much of it training reaches.

pub mod compare;
pub mod peak;
pub mod plan;
pub mod record;
pub mod suite;
pub mod throughput;

pub use record::{BenchRecord, Calibration, CaseRecord};
