//! Hostile input for every reader of the program: it may be refused, with an error that can be shown, and
//! nothing else may happen. `docs/hostile-input.md` says what is promised and how to run this for longer.
//!
//! Each target has valid inputs to begin with (`seeds`) and its own ways to spoil them; `harness` hands the
//! inputs to the reader and looks at what happens.

#[path = "../common/mod.rs"]
pub mod common;

mod allocator;
mod bytes;
mod harness;
mod json;
mod random;
mod self_test;
mod targets;
mod text;
mod watchdog;

use common::{bench_record, profile_record};

#[global_allocator]
static ALLOCATOR: allocator::Watched = allocator::Watched;

#[test]
fn idx() {
    harness::run(&targets::idx::TARGET);
}

#[test]
fn samples() {
    harness::run(&targets::samples::TARGET);
}

#[test]
fn gzip() {
    harness::run(&targets::gzip::TARGET);
}

#[test]
fn model() {
    harness::run(&targets::model::TARGET);
}

#[test]
fn picture() {
    harness::run(&targets::picture::TARGET);
}

#[test]
fn recipe() {
    harness::run(&targets::recipe::TARGET);
}

#[test]
fn set() {
    harness::run(&targets::set::TARGET);
}

#[test]
fn results() {
    harness::run(&targets::results::TARGET);
}

#[test]
fn table() {
    harness::run(&targets::table::TARGET);
}

#[test]
fn encoder() {
    harness::run(&targets::encoder::TARGET);
}

#[test]
fn onnx() {
    harness::run(&targets::onnx::TARGET);
}

#[test]
fn checkpoint() {
    harness::run(&targets::checkpoint::TARGET);
}

#[test]
fn calibration() {
    harness::run(&targets::calibration::TARGET);
}
