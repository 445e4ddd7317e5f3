//! One file for each reader: all that this program of tests knows of the product stands in them.

pub mod calibration;
pub mod checkpoint;
pub mod encoder;
pub mod gzip;
pub mod idx;
pub mod model;
pub mod onnx;
pub mod picture;
pub mod recipe;
pub mod results;
pub mod samples;
pub mod set;
pub mod table;

use super::harness::Target;

/// Every target.
pub const ALL: [&Target; 13] = [
    &idx::TARGET,
    &samples::TARGET,
    &gzip::TARGET,
    &model::TARGET,
    &picture::TARGET,
    &recipe::TARGET,
    &set::TARGET,
    &results::TARGET,
    &calibration::TARGET,
    &table::TARGET,
    &encoder::TARGET,
    &onnx::TARGET,
    &checkpoint::TARGET,
];
