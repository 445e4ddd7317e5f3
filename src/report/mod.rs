//! What people see: tables, the progress bar, pictures in the terminal, JSON files.

pub mod chart;
pub mod json;
pub mod numbers;
pub mod picture;
pub mod progress;
pub mod summary;
pub mod table;
mod terminal;
