//! Where the time of a step goes, how much of it could be saved, and why.

pub mod record;

pub use record::ProfileRecord;
