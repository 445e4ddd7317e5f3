//! Folded stacks: one line for each call site of each worker, as flame-graph programs read them.

use crate::bench::profile::ProfileRecord;
use crate::report::markup::printable;

/// The stacks, in lines such as `mnist-mlp;worker 0;layer 0 dense + relu;weight-gradient 121000`. The numbers are
/// whole nanoseconds of a step; call sites of less than one are left out.
pub fn folded(record: &ProfileRecord) -> String {
    let recipe = frame(&record.settings.recipe);
    let mut text = String::new();
    for (index, worker) in record.workers.iter().enumerate() {
        let stack = format!("{recipe};worker {}", worker.worker);
        for site in &record.sites {
            let layer = site
                .layer
                .as_ref()
                .map(|layer| format!(";{}", frame(&format!("layer {layer} {}", site.kind))));
            let operation = match &site.layer {
                None if !site.kind.is_empty() => format!("{} {}", site.operation, site.kind),
                _ => site.operation.clone(),
            };
            let seconds = site.worker_seconds.get(index).copied().unwrap_or(0.0);
            text += &line(&format!("{stack}{};{}", layer.unwrap_or_default(), frame(&operation)), seconds);
        }
        text += &line(&format!("{stack};uncovered"), worker.uncovered);
    }
    text
}

/// A frame's name without semicolons, which separate frames.
fn frame(name: &str) -> String {
    printable(name).replace(';', ",").trim().to_string()
}

fn line(stack: &str, seconds: f64) -> String {
    let nanoseconds = (1e9 * seconds).round() as u64;
    if nanoseconds > 0 { format!("{stack} {nanoseconds}\n") } else { String::new() }
}
