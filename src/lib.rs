//! `fallline` trains neural networks by gradient descent on multicore CPUs, close to the speed of
//! the hardware.
//!
//! The path of a batch through the modules, which a reader may follow from left to right:
//! [`data`] → [`layers`] → [`losses`] → [`optim`], all of it on top of [`kernels`], which stand on
//! [`team`] (the workers) and [`tensor`] (the memory). [`model`] builds a network from a recipe,
//! [`train`] runs the step and the epochs, [`report`] is what prints.

pub mod atomic_file;
pub mod error;
pub mod probe;
pub mod rng;

pub mod team;
pub mod tensor;

pub mod kernels;

pub mod data;
pub mod init;
pub mod layers;
pub mod losses;
pub mod optim;

pub mod model;

pub mod train;

pub mod bench;

pub mod cli;
pub mod report;

pub use error::{Error, Result};
