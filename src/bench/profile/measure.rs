//! Running steps with the probes on.

use std::sync::atomic::AtomicBool;

use super::record::ProfileRecord;
use super::request::Request;
use super::trace::TraceEvent;
use crate::error::{Error, Result};

/// Runs steps with and without probes in turn, and says where their time goes. When another thread sets
/// `stop`, what was measured until then is the result.
///
/// `progress` is told what is going on.
///
/// # Errors
/// Those of loading the data and building the model.
pub fn measure(
    request: &Request,
    _stop: &AtomicBool,
    progress: &mut dyn FnMut(&str),
) -> Result<(ProfileRecord, Vec<TraceEvent>)> {
    progress(&request.recipe.name);
    Err(Error::Mismatch {
        what: "profile".into(),
        expected: "a program that measures".into(),
        found: "one that does not yet".into(),
    })
}
