//! Where the time of a step goes, how much of it could be saved, and why.

pub mod check;
pub mod compare;
pub mod measure;
pub mod record;
pub mod request;
pub mod trace;

pub use measure::measure;
pub use record::ProfileRecord;
pub use request::{Length, Request};
pub use trace::TraceEvent;
