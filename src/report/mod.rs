//! Reports: tables, the progress bar, pictures in the terminal, JSON files, event files.

pub mod augmented;
pub mod bench;
pub mod calibration;
pub mod chart;
pub mod comparison;
pub mod data_table;
pub mod json;
pub mod kernels;
pub mod markup;
pub mod metrics;
pub mod mistakes;
pub mod numbers;
pub mod page;
pub mod picture;
pub mod profile;
pub mod progress;
pub mod reproduce;
pub mod results;
pub mod run;
#[cfg(test)]
mod samples;
pub mod search;
pub mod summary;
pub mod table;
pub mod tensorboard;
pub mod terminal;
pub mod text_record;
pub mod tour;
pub mod weights;
mod wrap;
