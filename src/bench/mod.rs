//! Measuring: what the machine can do, and how much of it training reaches.

pub mod calibrate;
pub mod peak;
mod rates;
pub mod record;
pub mod throughput;
pub mod topology;

pub use record::{BenchRecord, Calibration, CaseRecord};
