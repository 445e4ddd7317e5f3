//! Data sets: IDX files, published sets and where to find them, generated digits, mini-batches.
//!
//! [`load`] returns a [`DataSet`] by name; [`batches`] says which samples make up each mini-batch.
//! Images stay bytes in memory and are converted when a batch is gathered.

pub mod augment;
pub mod batches;
mod checks;
pub mod digits;
#[cfg(feature = "download")]
pub mod download;
pub mod files;
pub mod folder;
mod gzip;
pub mod idx;
pub mod inspect;
pub mod known;
pub mod samples;
pub mod source;
pub mod split;
pub mod table;
mod views;

pub use samples::{DataSet, Features, MOST_CLASSES, Origin, Samples, Targets, Unit};
pub use source::load;
pub use split::Split;
pub use views::{FeaturesRef, SampleRows, TargetsRef};
