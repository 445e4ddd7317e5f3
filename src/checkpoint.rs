//! The state of a training in a file, so that it goes on from there as if it had never been interrupted.
//!
//! Whatever has a state says so in one function that is run to save it and to restore it ([`State`]). What
//! such a file holds is checked before any of it is used.

mod archive;
mod file;
mod folder;
pub mod sealed;

pub use archive::{Archive, Bits, State};
pub use file::Checkpoint;
pub use folder::{Folder, Newest, clear, is_used, newest};
