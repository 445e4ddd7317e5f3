//! The calls of all measured steps, for a trace.

use std::sync::Arc;

use super::record::ProfileRecord;

/// A call of an operation by a worker.
#[derive(Clone, Debug, PartialEq)]
pub struct TraceEvent {
    pub worker: usize,
    /// The layer's module, as in [`Site::layer`](super::record::Site::layer).
    pub layer: Option<Arc<str>>,
    /// The name of an [`Operation`](crate::probe::Operation).
    pub operation: Arc<str>,
    /// Seconds from the beginning of the first step that is traced.
    pub start: f64,
    pub seconds: f64,
    /// Executed floating-point operations.
    pub flops: f64,
    /// Bytes read and written.
    pub bytes: f64,
    /// The index of the step, from 0.
    pub step: u64,
}

/// The one step that a record keeps as a trace, where there is nothing but the record.
pub fn of_timeline(record: &ProfileRecord) -> Vec<TraceEvent> {
    let event = |event: &super::record::Event| TraceEvent {
        worker: event.worker,
        layer: event.layer.as_deref().map(Arc::from),
        operation: Arc::from(event.operation.as_str()),
        start: event.start,
        seconds: event.seconds,
        flops: event.flops,
        bytes: event.bytes,
        step: 0,
    };
    record.timeline.iter().map(event).collect()
}
