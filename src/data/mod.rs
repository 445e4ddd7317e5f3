//! Data sets: IDX files, published sets and where to find them, tables, texts, generated digits and small sets, mini-batches.
//!
//! [`load`] returns a [`DataSet`] by name, [`read_folder`] that of a folder of one's own, and [`generate_digits`] makes one;
//! [`Samples`] are also made of a matrix. Images stay bytes in memory and are converted when a batch is gathered.

#[doc(hidden)]
pub mod augment;
#[doc(hidden)]
pub mod batches;
mod checks;
mod checksum;
#[doc(hidden)]
pub mod digits;
#[cfg(feature = "download")]
#[doc(hidden)]
pub mod download;
#[doc(hidden)]
pub mod files;
#[doc(hidden)]
pub mod folder;
mod gzip;
#[doc(hidden)]
pub mod idx;
#[doc(hidden)]
pub mod inspect;
#[doc(hidden)]
pub mod known;
mod lengths;
#[doc(hidden)]
pub mod samples;
pub mod small;
#[doc(hidden)]
pub mod source;
#[doc(hidden)]
pub mod split;
pub mod table;
#[doc(hidden)]
pub mod tasks;
#[doc(hidden)]
pub mod text;
mod unit;
mod views;
mod weights;

/// The token of a position that does not count.
pub use crate::kernels::loss::NO_TOKEN;
pub(crate) use checks::check_weights;
pub use folder::read as read_folder;
pub use idx::ElementType;
pub(crate) use lengths::{check_lengths, check_targets_behind, positions_of};
pub use samples::{DataSet, Features, MOST_CLASSES, Origin, Samples, Targets, Tokens};
pub use source::{generate_digits, load};
pub use split::Split;
pub use unit::Unit;
pub use views::{FeaturesRef, SampleRows, TargetsRef};
