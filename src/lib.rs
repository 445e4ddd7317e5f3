//! `fallline` trains neural networks by gradient descent on multicore CPUs, close to the speed of
//! the hardware.
//!
//! The path of a batch through the modules, which a reader may follow from left to right:
//! [`data`] → [`layers`] → [`losses`] → [`optim`], all of it on top of [`kernels`], which stand on
//! [`team`] (the workers) and [`tensor`] (the memory). [`model`] builds a network from a recipe,
//! [`train`] runs the step and the epochs, [`report`] is what prints.
//!
//! A network that learns to read 2,000 drawn digits:
//!
//! ```
//! use fallline::data::source;
//! use fallline::model::{Model, Recipe};
//! use fallline::team::Team;
//! use fallline::train::{self, Observer};
//! use std::sync::atomic::AtomicBool;
//!
//! struct Quiet;
//! impl Observer for Quiet {} // has methods that are called with the progress
//!
//! fn main() -> fallline::Result<()> {
//!     let recipe = Recipe::built_in("digits-mlp")?;
//!     let data = source::generate_digits([2_000, 500], 1)?;
//!     let mut model = Model::build(&recipe.model, data.train.shape(), data.classes, recipe.train.seed)?;
//!     let team = Team::new(2)?; // threads
//!     let stop = AtomicBool::new(false); // ends the training early when another thread sets it
//!     let record = train::run(&mut model, &data, &recipe, &team, &stop, &mut Quiet)?;
//!     let test = record.test.expect("the model is tested when its training has ended");
//!     println!("{:.1} % of {} test digits are read right", 100.0 * test.accuracy, data.test.len());
//!     assert!(test.accuracy > 0.85);
//!     Ok(())
//! }
//! ```
//!
//! `examples/train_digits.rs` has a training loop of its own.

pub mod atomic_file;
pub mod error;
pub mod memory;
pub mod panics;
pub mod probe;
pub mod rng;
pub mod stats;

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
