//! The profile of a step: where its time goes, how much of it could be saved, and why.

mod analyse;
pub mod check;
pub mod compare;
mod findings;
pub mod kernel;
pub mod measure;
pub mod record;
pub mod request;
mod roofs;
mod sums;
pub mod trace;

pub use findings::Subject;
pub use measure::{measure, of_session};
pub use record::ProfileRecord;
pub use request::{Length, Request};
pub use roofs::measure as measure_roofs;
pub use trace::TraceEvent;
