//! State dicts of PyTorch: small networks in `tests/golden/state_dicts.json`, which `scripts/golden/state_dicts.py` made,
//! become models with the same outputs, and state dicts again; in the library and on the command line.

#[path = "../common/mod.rs"]
pub mod common;

mod commands;
mod dicts;
mod going_on;
mod networks;
mod optimizers;
