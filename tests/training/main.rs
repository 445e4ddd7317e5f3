//! Whole trainings, by recipes and by programs of their own. `threads` is a program of its own, for the race detector.

#[path = "../common/mod.rs"]
pub mod common;

mod carried;
mod custom_layer;
mod custom_loss;
mod custom_rule;
mod divergence;
mod encoder_decoder;
mod features;
mod first_steps;
mod freezing;
mod front_door;
mod full_batch;
mod global;
mod k_means;
mod language;
mod linear;
mod normalisation;
mod norms;
mod one_step;
mod onnx;
mod onnx_import;
mod onnx_return;
mod own_steps;
mod probes;
mod prompts;
mod resume;
mod sequences;
mod sparse;
mod stopping;
mod tied;
mod weights;
