//! Traces against the trace-event format.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use crate::common::profile_record::{convolutions, hostile, perceptron};
use fallline::engine::bench::profile::trace::of_timeline;
use fallline::engine::bench::profile::{ProfileRecord, TraceEvent};
use fallline::engine::report::profile::write_trace;
use serde_json::Value;

const ALL: usize = usize::MAX;

/// The trace as it was written, and what was said of it.
fn traced(record: &ProfileRecord, events: &[TraceEvent], name: &str, most: usize) -> (Value, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    let held = write_trace(&path, record, events, None, most).unwrap();
    (serde_json::from_slice(&content(&path)).unwrap(), held)
}

fn content(path: &Path) -> Vec<u8> {
    let bytes = std::fs::read(path).unwrap();
    if !bytes.starts_with(&[0x1f, 0x8b]) {
        return bytes;
    }
    let mut text = Vec::new();
    flate2::read::GzDecoder::new(bytes.as_slice()).read_to_end(&mut text).unwrap();
    text
}

/// The calls of a trace; that names come first and calls have what the format asks of them.
fn calls(trace: &Value) -> Vec<&Value> {
    let events = trace["traceEvents"].as_array().unwrap();
    let calls: Vec<&Value> = events.iter().skip_while(|event| event["ph"] == "M").collect();
    let mut ends: BTreeMap<u64, f64> = BTreeMap::new();
    for call in &calls {
        assert_eq!((&call["ph"], &call["pid"]), (&Value::from("X"), &Value::from(1)), "{call}");
        let [start, length] = ["ts", "dur"].map(|key| call[key].as_f64().unwrap());
        assert!(start >= 0.0 && length >= 0.0 && !call["name"].as_str().unwrap().is_empty(), "{call}");
        // One after another on each track; nanoseconds are the finest that the format shows.
        let end = ends.entry(call["tid"].as_u64().unwrap()).or_default();
        assert!(start >= *end - 5e-4, "{call} begins before {end}");
        *end = start + length;
    }
    calls
}

#[test]
fn each_worker_has_a_track_of_its_calls() {
    for record in [perceptron(), convolutions(), hostile()] {
        let events = of_timeline(&record);
        let (trace, held) = traced(&record, &events, "trace.json", ALL);
        let names: Vec<&Value> = trace["traceEvents"].as_array().unwrap().iter().collect();
        for worker in 0..2u64 {
            let name =
                names.iter().find(|event| event["name"] == "thread_name" && event["tid"] == worker + 1);
            assert_eq!(name.unwrap()["args"]["name"], format!("worker {worker}"));
        }
        assert_eq!(calls(&trace).len(), events.len());
        assert_eq!(trace["otherData"]["events_left_out"], 0);
        assert_eq!(trace["otherData"]["recipe"], record.settings.recipe);
        assert!(held.ends_with("calls of step 0"), "{held}");
    }
}

#[test]
fn a_call_tells_its_numbers() {
    let record = perceptron();
    let call = TraceEvent {
        worker: 1,
        layer: Some(Arc::from("0")),
        operation: Arc::from("weight-gradient"),
        start: 2.5e-6,
        seconds: 10e-6,
        flops: 1.2e6,
        bytes: 5e4,
        step: 7,
    };
    let (trace, _) = traced(&record, &[call], "trace.json", ALL);
    let call = calls(&trace)[0];
    assert_eq!((&call["ts"], &call["dur"], &call["tid"]), (&2.5.into(), &10.0.into(), &2.into()));
    assert_eq!((&call["name"], &call["cat"]), (&"0 weight-gradient".into(), &"weight gradient".into()));
    let arguments = &call["args"];
    assert_eq!(
        (&arguments["flops"], &arguments["bytes"], &arguments["step"]),
        (&1.2e6.into(), &5e4.into(), &7.into())
    );
    assert_eq!(arguments["roof"], "compute");
    // Half of 480 GFLOP/s do 1.2 million in 5 microseconds.
    assert!((arguments["fraction_of_roof"].as_f64().unwrap() - 0.5).abs() < 1e-9, "{arguments}");
}

#[test]
fn too_many_calls_are_cut_and_told() {
    let record = perceptron();
    let step = of_timeline(&record);
    let call = |index: usize| TraceEvent {
        start: index as f64 * 1e-6,
        seconds: 1e-6,
        step: index as u64 / 10,
        ..step[0].clone()
    };
    // Given out of order.
    let events: Vec<TraceEvent> = (0..1000).rev().map(call).collect();
    let (trace, held) = traced(&record, &events, "trace.json", 250);
    assert_eq!(calls(&trace).len(), 250);
    assert!(
        held.starts_with("the first 250 of 1,000 calls of steps 0 to 24; the other 750 were left out"),
        "{held}"
    );
    let about = &trace["otherData"];
    assert_eq!((&about["events"], &about["events_left_out"]), (&250.into(), &750.into()));
    assert_eq!(about["note"], held);
}

#[test]
fn names_that_end_with_gz_are_compressed() {
    let record = perceptron();
    let events = of_timeline(&record);
    let folder = tempfile::tempdir().unwrap();
    let [plain, packed] = ["t.json", "t.json.gz"].map(|name| folder.path().join(name));
    for path in [&plain, &packed] {
        write_trace(path, &record, &events, None, ALL).unwrap();
    }
    assert_eq!(content(&plain), content(&packed));
    assert!(std::fs::metadata(&packed).unwrap().len() < std::fs::metadata(&plain).unwrap().len() / 4);
}

#[test]
fn a_layer_is_traced_alone() {
    let record = perceptron();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.json");
    write_trace(&path, &record, &of_timeline(&record), Some("2"), ALL).unwrap();
    let trace: Value = serde_json::from_slice(&content(&path)).unwrap();
    let calls = calls(&trace);
    assert!(!calls.is_empty() && calls.iter().all(|call| call["args"]["layer"] == "2"));
}
