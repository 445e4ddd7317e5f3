//! Measurements: what the machine can do, and how much of it training reaches.

pub mod calibrate;
pub mod compare;
mod data_folders;
pub mod peak;
pub mod peers;
pub mod plan;
pub mod profile;
mod rates;
pub mod record;
mod resumed;
pub mod suite;
pub mod throughput;
pub mod topology;

pub use record::{BenchRecord, Calibration, CaseRecord};
